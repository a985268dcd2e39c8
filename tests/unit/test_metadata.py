"""CallHeaders are read once and never believed to be harmless."""

import base64
import hashlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong.client import CallContext, Header
from lienthong_core.certificates import Authority
from lienthong_core.errors import Refusal
from lienthong_core.metadata import CallHeaders
from lienthong_core.systems import SystemId
from lienthong_gateway.call import Metadata
from lienthong_gateway.exchange import Claim
from lienthong_gateway.registry.current import CurrentRegistration
from lienthong_gateway.steps.identify import Identifier, read_claim
from lienthong_seeds import members

PORTAL_URI = members.PORTAL.spiffe_id.encode()
CERTIFICATE = Authority.create().issue(members.PORTAL)
PURPOSE = (str(Header.PURPOSE), "1.004222")
REGISTERED = CurrentRegistration(members.registration(), 0, lambda epoch: (epoch, None))


def identify(metadata: Metadata, *uris: bytes) -> object:
    peer = {"peer_uri": list(uris), "x509_pem_cert": [CERTIFICATE.certificate]}
    return Identifier(REGISTERED).identify(peer, CallHeaders(metadata))


def reason_of(metadata: Metadata) -> str:
    with pytest.raises(Refusal) as caught:
        read_claim(CallHeaders(metadata))
    return caught.value.reason


def test_a_header_that_did_not_come_is_empty() -> None:
    assert CallHeaders([PURPOSE]).single("x-road-id") == ""


def test_a_header_that_came_once_is_read() -> None:
    assert CallHeaders([PURPOSE, ("x-road-id", "m-1")]).single("x-road-id") == "m-1"


@pytest.mark.parametrize("name", [Header.PURPOSE, Header.LEGAL_BASIS, Header.LEGAL_REFERENCE, Header.OFFICER], ids=str)
def test_a_header_that_came_twice_is_refused_even_if_both_agree(name: Header) -> None:
    assert reason_of([(str(name), "same"), PURPOSE, (str(name), "same")]) == "HEADER_DUPLICATED"


@pytest.mark.parametrize(
    "value",
    ["a\nb", "a\r\nlienthong-purpose: x", "a\tb", "\x00", "\x7f", "Nguyễn", "\u202e", "a" * 129, b"bytes"],
    ids=["line feed", "header injection", "tab", "nul", "delete", "diacritics", "bidi override", "too long", "bytes"],
)
def test_a_header_that_is_not_short_printable_ascii_is_refused(value: str | bytes) -> None:
    assert reason_of([PURPOSE, (str(Header.OFFICER), value)]) == "HEADER_INVALID"


def test_the_longest_value_that_is_taken_has_128_characters() -> None:
    assert read_claim(CallHeaders([(str(Header.PURPOSE), "a" * 128)])).purpose == "a" * 128


@pytest.mark.parametrize("name", [Header.PURPOSE, Header.LEGAL_BASIS, Header.LEGAL_REFERENCE, Header.OFFICER], ids=str)
def test_no_part_of_what_a_call_says_about_itself_is_longer(name: Header) -> None:
    others = [header for header in (PURPOSE, (str(Header.LEGAL_BASIS), "court-order")) if header[0] != name]

    assert reason_of([*others, (str(name), "a" * 129)]) == "HEADER_INVALID"


def test_the_longest_token_that_is_taken_has_eight_kibibytes_with_its_scheme() -> None:
    longest = "a" * (8 << 10)

    assert CallHeaders([("authorization", longest)]).single("authorization") == longest
    with pytest.raises(Refusal, match="HEADER_INVALID"):
        CallHeaders([("authorization", longest + "a")]).single("authorization")


@given(values=st.lists(st.text() | st.binary(), max_size=3))
def test_a_header_of_any_value_is_read_or_refused(values: list[str | bytes]) -> None:
    try:
        value = CallHeaders(("x-road-id", value) for value in values).single("x-road-id", max_length=16)
    except Refusal as refusal:
        assert refusal.reason in {"HEADER_DUPLICATED", "HEADER_INVALID"}  # noqa: PT017 (either outcome is right)
    else:
        assert values in ([], [value])
        assert value.isascii()


def test_consent_is_the_legal_basis_of_a_call_that_names_none() -> None:
    assert read_claim(CallHeaders([PURPOSE])) == Claim("1.004222", "consent", "", "")


@pytest.mark.parametrize("basis", [[], [(str(Header.LEGAL_BASIS), "consent")]], ids=["left out", "consent"])
def test_a_legal_reference_contradicts_consent(basis: list[tuple[str, str]]) -> None:
    assert reason_of([PURPOSE, *basis, (str(Header.LEGAL_REFERENCE), "H26.1-20261121-0000001")]) == "HEADER_INVALID"


def test_whom_the_call_is_made_for_is_read() -> None:
    assert read_claim(CallHeaders([PURPOSE, (str(Header.REPRESENTED_PARTY), "GOV/G09")])).represented_party == "GOV/G09"


@pytest.mark.parametrize("party", ["G09", "GOV/", "GOV/G09/portal", "GOV/G 09", "/", "099190000001"])
def test_a_represented_party_that_is_no_class_and_code_is_refused(party: str) -> None:
    assert reason_of([PURPOSE, (str(Header.REPRESENTED_PARTY), party)]) == "HEADER_INVALID"


def test_the_caller_is_the_system_that_its_certificate_names() -> None:
    caller = Identifier(REGISTERED).identify(
        {"peer_uri": [PORTAL_URI], "x509_pem_cert": [CERTIFICATE.certificate]}, CallHeaders([("x-road-id", "m-1")])
    )

    assert (caller.system, caller.thumbprint, caller.message_id) == (members.PORTAL, CERTIFICATE.thumbprint, "m-1")


def test_a_certificate_has_the_thumbprint_that_rfc_8705_gives_it() -> None:
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(CERTIFICATE.certificate.decode())).digest()

    assert CERTIFICATE.thumbprint == base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_a_claimed_client_that_agrees_with_the_certificate_is_taken() -> None:
    identify([(str(Header.CLIENT), str(members.PORTAL))], PORTAL_URI)


@pytest.mark.parametrize(
    "claimed",
    [
        str(members.BANK),
        "portal",
        str(members.PORTAL).lower(),
        str(members.PORTAL)[:-1],
        f"{members.PORTAL}s",
        str(SystemId(*["A" * 63] * 4)),
    ],
    ids=["another", "a part", "lower case", "shorter", "longer", "the longest that there is"],
)
def test_a_claimed_client_that_is_another_system_than_the_certificates_is_refused(claimed: str) -> None:
    with pytest.raises(Refusal) as caught:
        identify([(str(Header.CLIENT), claimed)], PORTAL_URI)

    assert caught.value.reason == "CLIENT_MISMATCH"


@pytest.mark.parametrize(
    ("name", "longest"), [(Header.CLIENT, 512), (Header.MESSAGE_ID, 128)], ids=["client", "message id"]
)
def test_what_a_call_says_of_its_caller_and_itself_is_refused_if_it_is_too_long(name: Header, longest: int) -> None:
    with pytest.raises(Refusal, match="HEADER_INVALID"):
        identify([(str(name), "a" * (longest + 1))], PORTAL_URI)


@pytest.mark.parametrize(
    "uris",
    [
        (),
        (b"spiffe://elsewhere.test/VN-SANDBOX/GOV/G02/portal",),
        (b"https://sandbox.lienthong.test/VN-SANDBOX/GOV/G02/portal",),
        (b"spiffe://sandbox.lienthong.test/VN-SANDBOX/GOV/G02",),
        (b"spiffe://sandbox.lienthong.test/VN-SANDBOX/GOV/G02/portal/",),
        (b"\xff\xfe",),
        (PORTAL_URI[:-3] + b"\xff" + PORTAL_URI[-3:],),
        (PORTAL_URI, members.BANK.spiffe_id.encode()),
        (SystemId("VN-SANDBOX", "GOV", "G77", "nobody").spiffe_id.encode(),),
    ],
    ids=[
        "none",
        "domain",
        "scheme",
        "too short",
        "too long",
        "no text",
        "not all text",
        "two systems",
        "not registered",
    ],
)
def test_a_certificate_that_names_no_single_registered_system_is_refused(uris: tuple[bytes, ...]) -> None:
    with pytest.raises(Refusal) as caught:
        identify([], *uris)

    assert caught.value.reason == "SYSTEM_UNKNOWN"


def test_a_dns_name_in_the_certificate_cannot_claim_a_system() -> None:
    peer = {
        "peer_uri": [PORTAL_URI],
        "peer_dns": [members.AUDITOR.spiffe_id.encode()],
        "x509_subject_alternative_name": [PORTAL_URI, members.AUDITOR.spiffe_id.encode()],
        "x509_pem_cert": [CERTIFICATE.certificate],
    }

    assert Identifier(REGISTERED).identify(peer, CallHeaders()).system == members.PORTAL


@pytest.mark.parametrize(
    ("context", "header"),
    [
        (CallContext("ekyc", officer="Nguyễn Văn A"), "x-road-userid"),
        (CallContext("ekyc", message_id="one\ntwo"), "x-road-id"),
        (CallContext("ekyc", token="eyJ\u2026"), "authorization"),
    ],
)
def test_a_value_that_no_header_can_hold_is_named_before_it_is_sent(context: CallContext, header: str) -> None:
    with pytest.raises(ValueError, match=f"^{header} .*ASCII") as refused:
        context.metadata()
    assert not any(value in str(refused.value) for value in (context.officer, context.token) if value)
