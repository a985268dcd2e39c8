"""Step 5: what is refused, each with its own reason."""

from lienthong.api.population.v1 import population_pb2 as pb
from lienthong.api.population.v1.population_pb2_grpc import PopulationServiceStub
from lienthong.client import Receipt
from lienthong_sandbox.client import CitizenSession, SystemClient
from lienthong_sandbox.demo.place import Place
from lienthong_sandbox.demo.story import Happening, Step, refused, released
from lienthong_seeds import members

_BANK, _SHOP, _GATEWAY = "bank", "shop", "gateway"
_CALL = "PopulationService.GetCitizen"
_DEADLINE_S = 10.0


def refusals(place: Place) -> Step:
    """Have a bank and a shop try what they may not do."""
    customer = place.bank.login("truong-bich-loc")
    consent = customer.consent(members.EKYC.code, ["identity.basic"])
    happenings = [
        _without_consent(place),
        _level_too_low(place),
        _read(place.bank, customer, "she consented to the bank for ekyc"),
        _for_another_purpose(place, customer),
        _with_a_token_of_another_system(place, customer),
        _without_access_right(place),
    ]
    customer.revoke(consent)
    happenings += [
        Happening("citizen", _GATEWAY, "ConsentService.RevokeConsent"),
        _after_revocation(place, customer),
    ]
    return Step(
        5,
        "Những gì bị từ chối",
        "What is refused",
        "A bank and a shop call the gateway. Every refusal has its own stable reason and says what to do, and every "
        "one is recorded.",
        tuple(happenings),
    )


def _get_citizen(system: SystemClient, session: CitizenSession, purpose: str) -> Receipt:
    request = pb.GetCitizenRequest(personal_number=session.personal_number)
    stub = PopulationServiceStub(system.channel)
    _, call = stub.GetCitizen.with_call(request, metadata=session.metadata(purpose), timeout=_DEADLINE_S)
    return Receipt.of(call.trailing_metadata())


def _read(bank: SystemClient, customer: CitizenSession, note: str) -> Happening:
    return released(_BANK, _GATEWAY, _CALL, _get_citizen(bank, customer, members.EKYC.code), note)


def _without_consent(place: Place) -> Happening:
    stranger = place.bank.login("huynh-van-phuoc")
    return refused(
        _BANK, _GATEWAY, f"{_CALL}, a citizen who never consented", "CONSENT_MISSING",
        lambda: _get_citizen(place.bank, stranger, members.EKYC.code),
    )  # fmt: skip


def _level_too_low(place: Place) -> Happening:
    level_one = place.bank.login("pham-huu-binh")
    return refused(
        _BANK, _GATEWAY, f"{_CALL}, a level-1 account where level 2 is needed", "ACCOUNT_LEVEL_TOO_LOW",
        lambda: _get_citizen(place.bank, level_one, members.EKYC.code),
    )  # fmt: skip


def _for_another_purpose(place: Place, customer: CitizenSession) -> Happening:
    return refused(
        _BANK, _GATEWAY, f"{_CALL}, the same consent used for marketing", "CONSENT_FOR_OTHER_PURPOSE",
        lambda: _get_citizen(place.bank, customer, members.MARKETING.code),
    )  # fmt: skip


def _with_a_token_of_another_system(place: Place, customer: CitizenSession) -> Happening:
    return refused(
        _SHOP, _GATEWAY, f"{_CALL}, with the token that was issued to the bank", "TOKEN_NOT_YOURS",
        lambda: _get_citizen(place.shop, customer, members.EKYC.code),
    )  # fmt: skip


def _without_access_right(place: Place) -> Happening:
    visitor = place.shop.login("truong-bich-loc")
    return refused(
        _SHOP, _GATEWAY, f"{_CALL}, a system with no access right", "ACCESS_RIGHT_MISSING",
        lambda: _get_citizen(place.shop, visitor, members.EKYC.code),
    )  # fmt: skip


def _after_revocation(place: Place, customer: CitizenSession) -> Happening:
    return refused(
        _BANK, _GATEWAY, f"{_CALL}, with the consent she has just revoked", "CONSENT_REVOKED",
        lambda: _get_citizen(place.bank, customer, members.EKYC.code),
    )  # fmt: skip
