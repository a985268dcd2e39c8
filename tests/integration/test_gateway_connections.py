"""Certificates that cannot be believed get no connection: nothing is asked, and nothing is there to be recorded."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lienthong.api.population.v1.population_pb2 import GetCitizenRequest
from lienthong.client import CallContext
from lienthong_core.certificates import Authority, TlsIdentity
from lienthong_core.database import sqlite_url
from lienthong_seeds import members
from tests.support.attacks import GET_CITIZEN
from tests.support.citizens import LAN
from tests.support.gateway_world import PURPOSE, TIMEOUT_S, GatewayWorld, gateway_world, refusal_of

GOOD = GetCitizenRequest(personal_number=LAN).SerializeToString()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    with gateway_world(sqlite_url(tmp_path_factory.mktemp("connections") / "gateway.sqlite")) as world:
        world.consent(valid_for=timedelta(days=1))
        yield world


def expired(world: GatewayWorld) -> TlsIdentity:
    return world.authority.issue(members.PORTAL, not_after=datetime(2024, 1, 1, tzinfo=UTC))


def of_another_authority(_world: GatewayWorld) -> TlsIdentity:
    return Authority.create().issue(members.PORTAL)


def self_signed(world: GatewayWorld) -> TlsIdentity:
    """Return the portal's own certificate, its names and all, with another key, which it is signed with itself."""
    genuine = x509.load_pem_x509_certificate(world.identity(members.PORTAL).certificate)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(
        genuine.issuer,
        genuine.subject,
        key.public_key(),
        genuine.serial_number,
        genuine.not_valid_before_utc,
        genuine.not_valid_after_utc,
        list(genuine.extensions),
    )
    return _identity(builder.sign(key, hashes.SHA256()), key)


def issued_by_another_system(world: GatewayWorld) -> TlsIdentity:
    """Return a certificate of the portal that the bank issued with its own, which may issue none."""
    bank = world.identity(members.BANK)
    key = serialization.load_pem_private_key(bank.private_key, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    issued = Authority(x509.load_pem_x509_certificate(bank.certificate), key).issue(members.PORTAL)
    return TlsIdentity(issued.certificate + bank.certificate, issued.private_key, issued.authority)


def _identity(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> TlsIdentity:
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return TlsIdentity(pem, private, pem)


STRANGERS: dict[str, Callable[[GatewayWorld], TlsIdentity]] = {
    "expired": expired,
    "of another authority": of_another_authority,
    "self-signed": self_signed,
    "issued by another system": issued_by_another_system,
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_certificate_that_cannot_be_believed_gets_no_connection(world: GatewayWorld, name: str) -> None:
    stranger = STRANGERS[name](world)
    credentials = grpc.ssl_channel_credentials(world.authority.certificate, stranger.private_key, stranger.certificate)
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = world.channel_with(credentials).unary_unary(GET_CITIZEN)
    recorded, asked = len(world.entries()), len(world.population.calls)

    why = refusal_of(lambda: call(GOOD, metadata=CallContext(PURPOSE).metadata(), timeout=TIMEOUT_S))

    assert why.status is grpc.StatusCode.UNAVAILABLE
    assert [entry["event"] for entry in world.entries()[recorded:]] == ["LOG_READ"]
    assert len(world.population.calls) == asked
