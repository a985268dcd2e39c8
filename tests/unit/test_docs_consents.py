"""docs/consents.md, held to what is signed, stored and handed out."""

import json
import re
from datetime import UTC, datetime

import jwt
import pytest

from lienthong.api.consent.v1.consent_pb2 import Capacity, ConsentState, ConsentTerms
from lienthong_core.signing import SigningKey
from lienthong_gateway.consents.receipt import receipt
from lienthong_gateway.consents.rules import StoredConsent
from lienthong_gateway.consents.terms import Terms
from lienthong_seeds import members
from lienthong_seeds.history import PAST_CONSENTS, sign_approvals
from lienthong_services.identity.model import BrowserSession
from lienthong_services.identity.representation import Part, SubjectAge
from lienthong_services.identity.tokens import TokenIssuer
from tests.support.documents import ROOT, table_rows, text_of

PAGE = ROOT / "docs" / "consents.md"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def documented(heading: str) -> list[str]:
    """Return the names in the first column of the table in one section."""
    section = text_of(PAGE).partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [row for row in table_rows(PAGE) if f"| {row[0]} |" in section]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row[0])]


def claims_of(statement: str) -> set[str]:
    return set(jwt.decode(statement, options={"verify_signature": False}))


@pytest.fixture
def key() -> SigningKey:
    return SigningKey.create()


def test_the_page_names_every_claim_of_an_approval(key: SigningKey) -> None:
    session = BrowserSession(session_digest="", csrf_token="", personal_number="0", level=2, expires_at=0)
    part = Part(Capacity.CAPACITY_SUBJECT, SubjectAge.GROWN_UP, "", "1990")
    issuer = TokenIssuer("https://identity.test", "gateway", key)

    statement = issuer.decision("request", ConsentTerms(), session, part, "id", 0, approved=True)

    assert set(documented("The approval")) | {"simulation"} == claims_of(statement)


def test_the_approvals_of_the_past_have_the_same_claims(key: SigningKey) -> None:
    statements = sign_approvals(key, "https://identity.test")
    assert len(statements) == len(PAST_CONSENTS)
    for statement in statements.values():
        assert claims_of(statement) == set(documented("The approval"))


def test_the_page_names_every_field_of_a_receipt() -> None:
    terms = Terms("0", str(members.PORTAL), str(members.POPULATION), frozenset({"residence"}), "1", NOW - NOW)
    active = ConsentState.CONSENT_STATE_ACTIVE
    consent = StoredConsent("c", "r", 1, "d", active, terms, NOW, NOW, None, 2)

    found = json.loads(receipt(consent, [], [], members.registration(), {}, "keeper", NOW))

    assert set(documented("The receipt")) == set(found)
    page = text_of(PAGE)
    for block in ("record", "processing", "notice"):
        assert all(f"`{name}`" in page for name in found[block])
