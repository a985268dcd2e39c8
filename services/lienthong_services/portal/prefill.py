"""What the registers answer, as values of a form."""

from collections.abc import Mapping

from lienthong.api.options.v1 import options_pb2
from lienthong.api.population.v1 import population_pb2
from lienthong.api.population.v1.citizen_pb2 import Citizen, Household
from lienthong.api.portal.v1.portal_pb2 import FormFieldSource
from lienthong.api.types.v1.types_pb2 import Address, Sex
from lienthong_core.dates import partial_date_text
from lienthong_services.portal.procedures import Procedure, RegisterField
from lienthong_services.portal.rules import Form, Value

_READ = ("GetCitizen", "GetHousehold")
PREFILL_LEVEL = max(
    method.GetOptions().Extensions[options_pb2.method].account_level
    for method in population_pb2.DESCRIPTOR.services_by_name["PopulationService"].methods
    if method.name in _READ
)
"""The account level that what is read to prefill a form needs, though it has been consented to."""
_SEXES = {Sex.SEX_MALE: "Nam", Sex.SEX_FEMALE: "Nữ"}


def prefilled(procedure: Procedure, form: Form, citizen: Citizen, household: Household) -> Form:
    """Return the form with the registers' values; a value that was not released leaves its field as it was."""
    known = _known(citizen, household)
    source = FormFieldSource.FORM_FIELD_SOURCE_REGISTER
    read = {
        field.name: Value(known[field.prefill], source)
        for field in procedure.fields
        if field.prefill is not None and known[field.prefill]
    }
    return {**form, **read}


def _known(citizen: Citizen, household: Household) -> Mapping[RegisterField, str]:
    head = household.members[0] if household.members else None
    return {
        RegisterField.FULL_NAME: citizen.name.full_name,
        RegisterField.BIRTH_DATE: partial_date_text(citizen.birth_date) if citizen.HasField("birth_date") else "",
        RegisterField.SEX: _SEXES.get(citizen.sex, ""),
        RegisterField.PERSONAL_NUMBER: citizen.personal_number,
        RegisterField.PERMANENT_RESIDENCE: _one_line(citizen.permanent_residence.address),
        RegisterField.CURRENT_RESIDENCE: _one_line(citizen.current_residence.address),
        RegisterField.RELATION_TO_HEAD: citizen.relation_to_head,
        RegisterField.HEAD_NAME: head.name.full_name if head else "",
        RegisterField.HEAD_NUMBER: head.personal_number if head else "",
    }


def _one_line(address: Address) -> str:
    parts = (address.detail, address.commune_name, address.district_name, address.province_name)
    return ", ".join(part for part in parts if part)
