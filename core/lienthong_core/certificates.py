"""The sandbox's own certificate authority, and what it issues."""

import base64
import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lienthong_core.private_keys import load_elliptic_curve_key, private_pem
from lienthong_core.secret_files import write_secret
from lienthong_core.systems import SystemId

# Certificates outlive every sandbox: only tokens, consents and deadlines follow the sandbox's clock.
NOT_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2120, 1, 1, tzinfo=UTC)
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class TlsIdentity:
    """A certificate, its key, and the authority that vouches for everybody; all PEM."""

    certificate: bytes
    private_key: bytes
    authority: bytes

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read `tls.crt`, `tls.key` and `ca.crt` from a folder; raises OSError if one of them is not there."""
        return cls(*((folder / name).read_bytes() for name in ("tls.crt", "tls.key", "ca.crt")))

    def save(self, folder: Path) -> None:
        """Write `tls.crt`, `tls.key` (readable by the owner alone) and `ca.crt` into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tls.crt").write_bytes(self.certificate)
        (folder / "ca.crt").write_bytes(self.authority)
        write_secret(folder / "tls.key", self.private_key)

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Return the credentials of a client that shows its certificate."""
        return grpc.ssl_channel_credentials(self.authority, self.private_key, self.certificate)

    def server_credentials(self) -> grpc.ServerCredentials:
        """Return the credentials of a server that accepts nobody without a certificate."""
        pair = (self.private_key, self.certificate)
        return grpc.ssl_server_credentials([pair], root_certificates=self.authority, require_client_auth=True)

    @property
    def thumbprint(self) -> str:
        """The certificate's SHA-256, base64url: `x5t#S256` of RFC 8705."""
        return certificate_thumbprint(self.certificate)


def certificate_thumbprint(certificate: bytes) -> str:
    """Return the SHA-256 of a PEM certificate, base64url without padding: `x5t#S256` of RFC 8705."""
    der = x509.load_pem_x509_certificate(certificate).public_bytes(serialization.Encoding.DER)
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


class Authority:
    """The certificate authority of one sandbox."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def create(cls) -> Self:
        """Make a new authority with a new key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "SIMULATION"),
                x509.NameAttribute(NameOID.COMMON_NAME, "Lien Thong sandbox authority"),
            ]
        )
        certificate = (
            _builder(name, name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read `ca.crt` and `ca.key` from a folder."""
        key = load_elliptic_curve_key(folder / "ca.key")
        return cls(x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes()), key)

    def save(self, folder: Path) -> None:
        """Write `ca.key` (readable by the owner alone) and then `ca.crt` into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        write_secret(folder / "ca.key", private_pem(self._key))
        (folder / "ca.crt").write_bytes(self.certificate)

    @property
    def certificate(self) -> bytes:
        """The authority's own certificate, PEM."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self, system: SystemId, hosts: Sequence[str] = LOOPBACK_HOSTS, *, not_after: datetime = NOT_AFTER
    ) -> TlsIdentity:
        """Issue a certificate that names `system`, valid for servers reached under `hosts`."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "SIMULATION"),
                x509.NameAttribute(NameOID.COMMON_NAME, system.subsystem),
            ]
        )
        names = [x509.UniformResourceIdentifier(system.spiffe_id), *(_general_name(host) for host in hosts)]
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _builder(name, self._certificate.subject, key.public_key(), not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(issuer_key, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return TlsIdentity(
            certificate=certificate.public_bytes(serialization.Encoding.PEM),
            private_key=private_pem(key),
            authority=self.certificate,
        )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, not_after: datetime = NOT_AFTER
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(not_after)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
