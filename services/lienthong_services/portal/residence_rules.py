"""Would the register take the residence that a form asks for? Pure, as far as the portal can tell.

The register decides when the dossier is finished, and a submitted form cannot be corrected.
"""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from lienthong_services.portal.procedures import BIRTH_DATE, FROM_DATE, NEW_COMMUNE, NEW_PROVINCE
from lienthong_services.portal.rules import Form


class Commune(NamedTuple):
    """A commune of today; `valid_from` is the first day of its being in force, `YYYY-MM-DD`."""

    name: str
    province_code: str
    valid_from: str


def residence_faults(form: Form, communes: Mapping[str, Commune], today: date) -> Mapping[str, str]:
    """Return what must be corrected in a complete form, by field; `communes` are by code, `today` is Vietnam's."""
    faults: dict[str, str] = {}
    from_date, birth_date = form[FROM_DATE].text, form[BIRTH_DATE].text
    code = form[NEW_COMMUNE].text
    commune = communes.get(code)
    if commune is None:
        faults[NEW_COMMUNE] = "no commune has this code; give the five digits of one of those since 2025-07-01"
    elif commune.province_code != form[NEW_PROVINCE].text:
        faults[NEW_PROVINCE] = f"{commune.name}, {code}, lies in province {commune.province_code}; correct either code"
    elif from_date < commune.valid_from:
        faults[FROM_DATE] = f"{commune.name}, {code}, is in force from {commune.valid_from}; give a day from then on"
    if from_date > today.isoformat():
        faults[FROM_DATE] = f"a residence is registered from today at the latest; today is {today} in Vietnam"
    elif from_date[: len(birth_date)] < birth_date:
        faults[FROM_DATE] = "a day before the birth that the form gives; correct either"
    return faults
