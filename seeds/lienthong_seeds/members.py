"""The members of the sandbox's exchange: their systems, what may be asked for, and who may call what for which purpose.

Agency codes follow QCVN 102:2016 in form; the units behind `G99`, `BANK01` and `SHOP01` are invented.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lienthong.api.exchange.v1.catalogue_pb2 import LegalBasis
from lienthong_core.systems import INSTANCE, SystemId
from lienthong_gateway.registration import LEGAL_BASIS_HEADERS, AccessRight, Purpose, Registration, System
from lienthong_seeds.legal_grounds import LEGAL_GROUNDS


def _system_id(member_class: str, member_code: str, subsystem: str) -> SystemId:
    return SystemId(INSTANCE, member_class, member_code, subsystem)


GATEWAY = _system_id("GOV", "G00", "gateway")
ADMINISTRATION = _system_id("GOV", "G00", "administration")
POPULATION = _system_id("GOV", "G01", "population")
IDENTITY = _system_id("GOV", "G01", "identity")
RESIDENCE_DESK = _system_id("GOV", "G01", "residence-desk")
PORTAL = _system_id("GOV", "G02", "portal")
PORTAL_APP = _system_id("GOV", "G02", "portal-app")
AUDITOR = _system_id("GOV", "G09", "auditor")
YOUR_SYSTEM = _system_id("GOV", "G99", "your-system")
BANK = _system_id("COM", "BANK01", "ekyc")
SHOP = _system_id("COM", "SHOP01", "loyalty")

_POPULATION_SERVICE = "lienthong.api.population.v1.PopulationService"
_IDENTITY_SERVICE = "lienthong.api.identity.v1.IdentityService"

SYSTEMS = (
    System(GATEWAY, "Nền tảng chia sẻ, điều phối dữ liệu", "Data-sharing gateway"),
    System(ADMINISTRATION, "Quản trị nền tảng chia sẻ dữ liệu", "Administration of the data-sharing gateway"),
    System(POPULATION, "Cơ sở dữ liệu quốc gia về dân cư", "National population database", (_POPULATION_SERVICE,)),
    System(IDENTITY, "Hệ thống định danh và xác thực điện tử", "E-identity provider", (_IDENTITY_SERVICE,)),
    System(RESIDENCE_DESK, "Công an cấp xã: bộ phận đăng ký cư trú", "Commune police, residence desk"),
    System(PORTAL, "Cổng Dịch vụ công quốc gia", "National public-service portal"),
    System(PORTAL_APP, "Ứng dụng Cổng Dịch vụ công quốc gia", "App of the national public-service portal"),
    System(AUDITOR, "Thanh tra bảo vệ dữ liệu cá nhân", "Personal-data protection audit"),
    System(YOUR_SYSTEM, "Hệ thống của bạn", "Your own system"),
    System(BANK, "Ngân hàng Mô phỏng: định danh khách hàng", "Simulated bank, customer identification"),
    System(SHOP, "Cửa hàng Mô phỏng: khách hàng thân thiết", "Simulated shop, loyalty scheme"),
)

PERMANENT_RESIDENCE = Purpose(
    "1.004222",
    "Đăng ký thường trú",
    "Permanent residence registration",
    frozenset({"identity.basic", "residence", "household"}),
)
TEMPORARY_RESIDENCE = Purpose(
    "1.004194",
    "Đăng ký tạm trú",
    "Temporary residence registration",
    frozenset({"identity.basic", "residence", "household"}),
)
EKYC = Purpose(
    "ekyc",
    "Định danh khách hàng khi mở tài khoản thanh toán",
    "Identifying a customer who opens a payment account",
    frozenset({"identity.basic", "identity.verification", "residence"}),
)
MARKETING = Purpose(
    "marketing",
    "Giới thiệu sản phẩm, dịch vụ",
    "Telling customers about products and services",
    frozenset({"identity.basic"}),
)
INTEGRATION_TEST = Purpose(
    "integration-test",
    "Kiểm thử tích hợp hệ thống",
    "Integration test of a system",
    frozenset(
        {
            "identity.basic",
            "identity.verification",
            "identity.history",
            "identity.origin",
            "identity.ethnicity",
            "family",
            "residence",
            "residence.history",
            "household",
            "health.blood_group",
            "life_status",
            "account",
        }
    ),
)
CONSENT_REPRESENTATION = Purpose(
    "consent-representation",
    "Xác định người đại diện của trẻ em khi đồng ý chia sẻ dữ liệu",
    "Finding out who represents a child in a consent",
    frozenset({"identity.basic", "family"}),
)
PURPOSES = (PERMANENT_RESIDENCE, TEMPORARY_RESIDENCE, EKYC, MARKETING, INTEGRATION_TEST, CONSENT_REPRESENTATION)

_CONSENT = frozenset({LegalBasis.LEGAL_BASIS_CONSENT})
_STATE_BODY = frozenset({LegalBasis.LEGAL_BASIS_STATE_BODY})
_EVERY_BASIS = frozenset(LEGAL_BASIS_HEADERS.values())
_READS = ("VerifyCitizen", "GetCitizen", "GetHousehold", "VerifyRelationship")


def _rights(
    consumer: SystemId, methods: Iterable[str], purpose: Purpose, bases: frozenset[LegalBasis.ValueType]
) -> Iterator[AccessRight]:
    for method in methods:
        service = _IDENTITY_SERVICE if method.endswith("Account") else _POPULATION_SERVICE
        yield AccessRight(consumer, f"/{service}/{method}", purpose.code, bases, purpose.datasets)


ACCESS_RIGHTS = (
    *_rights(PORTAL, ("GetCitizen", "GetHousehold"), PERMANENT_RESIDENCE, _CONSENT),
    *_rights(PORTAL, ("GetCitizen", "GetHousehold"), TEMPORARY_RESIDENCE, _CONSENT),
    *_rights(PORTAL, ("UpdateResidence",), PERMANENT_RESIDENCE, _STATE_BODY),
    *_rights(PORTAL, ("UpdateResidence",), TEMPORARY_RESIDENCE, _STATE_BODY),
    # GetCitizen answers name and birth date here, and not the family beside them.
    AccessRight(
        IDENTITY,
        f"/{_POPULATION_SERVICE}/GetCitizen",
        CONSENT_REPRESENTATION.code,
        _STATE_BODY,
        frozenset({"identity.basic"}),
    ),
    *_rights(IDENTITY, ("VerifyRelationship",), CONSENT_REPRESENTATION, _STATE_BODY),
    *_rights(BANK, ("VerifyCitizen", "GetCitizen"), EKYC, _CONSENT),
    *_rights(BANK, ("GetCitizen",), MARKETING, _CONSENT),
    *_rights(YOUR_SYSTEM, (*_READS, "GetAccount"), INTEGRATION_TEST, _EVERY_BASIS),
    *_rights(
        YOUR_SYSTEM,
        ("UpdateResidence", "ListChanges", "LockAccount", "UnlockAccount"),
        INTEGRATION_TEST,
        _EVERY_BASIS - _CONSENT,
    ),
)

OFFICER = "can-bo-0107"
"""The officer who acts in the demo, and whom every system but the administrators' has."""
ADMINISTRATOR = "quan-tri-0001"
"""The officer who changes what is registered."""
OFFICERS = (
    *((system.system_id, OFFICER) for system in SYSTEMS if system.system_id != ADMINISTRATION),
    (YOUR_SYSTEM, "officer-1"),
    # No person: the identity provider acts on a citizen's word, and says so.
    (IDENTITY, "identity-provider"),
    (ADMINISTRATION, ADMINISTRATOR),
)


def registration() -> Registration:
    """Return everything registered at the sandbox's gateway."""
    return Registration.of(SYSTEMS, PURPOSES, ACCESS_RIGHTS, LEGAL_GROUNDS, OFFICERS, (AUDITOR,), (ADMINISTRATION,))


@dataclass(frozen=True)
class OidcClient:
    """A system that logs citizens in at the identity provider."""

    client_id: str
    system_id: SystemId


OIDC_CLIENTS = (
    OidcClient("portal", PORTAL),
    OidcClient("ekyc", BANK),
    OidcClient("loyalty", SHOP),
    OidcClient("your-system", YOUR_SYSTEM),
)

TEST_REDIRECT_URI = "https://127.0.0.1/callback"
"""Where a test client is sent back to: it reads the code from the redirect and never opens the address."""


def redirect_uris(client_id: str, portal_url: str) -> tuple[str, ...]:
    """Return where a client may have citizens sent back to; `portal_url` is where the portal's pages are."""
    if client_id == "portal":
        return (f"{portal_url}/oidc/callback",)
    return (TEST_REDIRECT_URI, "http://127.0.0.1:8000/callback")


def post_logout_redirect_uris(client_id: str, portal_url: str) -> tuple[str, ...]:
    """Return where a client may have citizens sent back to who logged out; `portal_url` as for `redirect_uris`."""
    return (f"{portal_url}/logged-out" if client_id == "portal" else "http://127.0.0.1:8000/logged-out",)
