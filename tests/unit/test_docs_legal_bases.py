"""docs/legal-bases.md says what the code does."""

from lienthong.api.exchange.v1.catalogue_pb2 import ReferenceForm
from lienthong.api.rights.v1.rights_pb2 import RightsRequestKind
from lienthong_gateway.registration import LEGAL_BASIS_HEADERS
from lienthong_gateway.registry.words import REFERENCE_FORMS
from lienthong_gateway.subjects.deadlines import REPLY_WORKING_DAYS, TERMS
from lienthong_seeds import members
from tests.support.documents import ROOT, table_rows, text_of

PAGE = ROOT / "docs" / "legal-bases.md"
ROWS = {row[0].strip("`"): row[1:] for row in table_rows(PAGE)}


def test_every_legal_basis_is_listed() -> None:
    assert LEGAL_BASIS_HEADERS.keys() <= ROWS.keys()


def test_every_form_of_a_reference_is_listed_with_its_example() -> None:
    for form, described in REFERENCE_FORMS.items():
        row = ROWS[ReferenceForm.Name(form).removeprefix("REFERENCE_FORM_")]
        assert row[1] == f"`{described.example}`"


def test_every_deadline_is_the_one_that_is_counted() -> None:
    for kind, term in TERMS.items():
        row = ROWS[RightsRequestKind.Name(kind).removeprefix("RIGHTS_REQUEST_KIND_")]
        numbers = [REPLY_WORKING_DAYS, term.alone, term.through_third_party, term.extension]
        assert row[:4] == [str(number) for number in numbers]


def test_the_officers_are_those_of_a_new_world() -> None:
    of_yours = {officer for system, officer in members.OFFICERS if system == members.YOUR_SYSTEM}
    assert of_yours == {"officer-1", members.OFFICER}
    for officer in (*of_yours, members.ADMINISTRATOR):
        assert f"`{officer}`" in text_of(PAGE)
