"""The population database's contract, answered from its store."""

import grpc
from sqlalchemy import Engine

from lienthong.api.population.v1 import population_pb2_grpc
from lienthong.api.population.v1.population_pb2 import (
    GetCitizenRequest,
    GetCitizenResponse,
    GetHouseholdRequest,
    GetHouseholdResponse,
    ListChangesRequest,
    ListChangesResponse,
    ListPersonalNumbersRequest,
    ListPersonalNumbersResponse,
    MatchResult,
    Relationship,
    UpdateResidenceRequest,
    UpdateResidenceResponse,
    VerifyCitizenRequest,
    VerifyCitizenResponse,
    VerifyRelationshipRequest,
    VerifyRelationshipResponse,
)
from lienthong_core.clock import Clock
from lienthong_core.errors import not_found
from lienthong_core.personal_numbers import check_personal_number
from lienthong_services.population.records import (
    change_message,
    citizen_message,
    former_numbers,
    full_name,
    household_message,
    registered_residence,
)
from lienthong_services.population.registration import register_residence
from lienthong_services.population.residence_rules import check_new_residence
from lienthong_services.population.rules import (
    are_related,
    check_cursor,
    check_page_size,
    check_relationship,
    citizen_unknown,
    date_text,
    same_birth_date,
    same_text,
)
from lienthong_services.population.store import PopulationStore


class PopulationServicer(population_pb2_grpc.PopulationServiceServicer):
    """Answers the gateway. Refusals are raised; `RpcServer` turns them into statuses."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._store = PopulationStore(engine)
        self._clock = clock

    def VerifyCitizen(self, request: VerifyCitizenRequest, context: grpc.ServicerContext) -> VerifyCitizenResponse:
        """Compare what was given with the register."""
        number = check_personal_number(request.personal_number)
        birth_date = date_text(request.birth_date, "birth_date") if request.HasField("birth_date") else ""
        registered = self._store.identity(number)
        if registered is None:
            return VerifyCitizenResponse(exists=False)
        answer = VerifyCitizenResponse(exists=True)
        if request.full_name:
            name = full_name(registered.surname, registered.middle_name, registered.given_name)
            answer.full_name = _match_result(agrees=same_text(request.full_name, name))
        if birth_date:
            answer.birth_date = _match_result(agrees=same_birth_date(birth_date, registered.birth_date))
        return answer

    def GetCitizen(self, request: GetCitizenRequest, context: grpc.ServicerContext) -> GetCitizenResponse:
        """Return a citizen's record."""
        record = self._store.citizen(check_personal_number(request.personal_number))
        if record is None:
            raise citizen_unknown()
        return GetCitizenResponse(citizen=citizen_message(record))

    def ListPersonalNumbers(
        self, request: ListPersonalNumbersRequest, context: grpc.ServicerContext
    ) -> ListPersonalNumbersResponse:
        """Return which numbers a citizen has and had."""
        numbers = self._store.numbers(check_personal_number(request.personal_number))
        if numbers is None:
            raise citizen_unknown()
        present, former = numbers
        return ListPersonalNumbersResponse(personal_number=present, former_numbers=former)

    def GetHousehold(self, request: GetHouseholdRequest, context: grpc.ServicerContext) -> GetHouseholdResponse:
        """Return the household a citizen is registered in."""
        number = check_personal_number(request.personal_number)
        record = self._store.household(number)
        if record is None:
            raise citizen_unknown()
        if not record.members:
            message = "The register holds no household for this citizen; ask for her residence with GetCitizen."
            raise not_found("HOUSEHOLD_UNKNOWN", message)
        return GetHouseholdResponse(
            household=household_message(record.members),
            former_numbers=former_numbers(record.former_numbers),
            personal_number=record.personal_number if record.personal_number != number else "",
        )

    def VerifyRelationship(
        self, request: VerifyRelationshipRequest, context: grpc.ServicerContext
    ) -> VerifyRelationshipResponse:
        """Say whether two citizens are related as claimed."""
        relationship = check_relationship(request.relationship)
        number = check_personal_number(request.personal_number)
        pair = self._store.kin(number, check_personal_number(request.related_personal_number))
        if pair is None:
            raise citizen_unknown()
        agrees = are_related(*pair, relationship)
        if relationship == Relationship.RELATIONSHIP_SAME_HOUSEHOLD:
            return VerifyRelationshipResponse(same_household=agrees)
        return VerifyRelationshipResponse(confirmed=agrees)

    def UpdateResidence(
        self, request: UpdateResidenceRequest, context: grpc.ServicerContext
    ) -> UpdateResidenceResponse:
        """Register a new residence."""
        row = register_residence(self._engine, check_new_residence(request), self._clock.now())
        return UpdateResidenceResponse(residence=registered_residence(row), change_number=row.residence_change_number)

    def ListChanges(self, request: ListChangesRequest, context: grpc.ServicerContext) -> ListChangesResponse:
        """Return one page of what changed."""
        size = check_page_size(request.page_size)
        after = check_cursor(request.cursor, self._store.last_change())
        rows = self._store.changes(after, size + 1)
        page = [change_message(row) for row in rows[:size]]
        next_cursor = str(page[-1].change_number if page else after)
        return ListChangesResponse(changes=page, next_cursor=next_cursor, has_more=len(rows) > size)


def _match_result(*, agrees: bool) -> MatchResult.ValueType:
    return MatchResult.MATCH_RESULT_MATCH if agrees else MatchResult.MATCH_RESULT_MISMATCH
