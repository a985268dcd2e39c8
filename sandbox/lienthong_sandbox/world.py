"""The folder of one world: keys, certificates and secrets, made once; databases, kept.

    DIR/ca/                    the authority's certificate and key
    DIR/gateway/               certificate, checkpoint key and its public half, past approvals, gateway.sqlite, and
                               witnesses, if there are any: their verifier keys, one a line
    DIR/population/            certificate, population.sqlite
    DIR/identity/              certificate, signing key, registered clients, identity.sqlite
    DIR/portal/                certificate, its OIDC secret, portal.sqlite
    DIR/clients/SUBSYSTEM/     certificate (tls.crt, tls.key, ca.crt) and, if it logs citizens in, client_secret
    DIR/endpoints.json         where its services are, written by `lienthong up` at each start

A service needs its own folder and nothing else.
"""

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from lienthong_core.certificates import LOOPBACK_HOSTS, Authority, TlsIdentity, certificate_thumbprint
from lienthong_core.secret_files import write_secret
from lienthong_core.signing import SigningKey
from lienthong_core.systems import SystemId
from lienthong_gateway.log.checkpoint import CheckpointKey
from lienthong_seeds import members
from lienthong_seeds.history import sign_approvals

_SECRET_BYTES = 32
# Providers, and the two that serve without being called through the gateway.
_SERVERS = (members.GATEWAY, members.PORTAL, *(system.system_id for system in members.SYSTEMS if system.services))
CLIENTS = tuple(system.system_id for system in members.SYSTEMS if system.system_id not in _SERVERS)
"""Systems of the sandbox that are clients alone; whoever has the folder can act as any of them."""


@dataclass(frozen=True)
class RegisteredClient:
    """What the identity provider knows of an OIDC client: enough to recognise it, not to be it."""

    client_id: str
    system_id: str
    name_vi: str
    name_en: str
    secret_hash: str
    certificate_thumbprint: str


class World:
    """One world's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def exists(self) -> bool:
        """Return whether the folder holds a world already."""
        return (self.folder / "ca" / "ca.crt").exists()

    def create(self, issuer: str) -> None:
        """Make every key, certificate and secret; `issuer` is the identity provider's web address.

        Servers can be reached as `localhost`, over loopback addresses, and under their own names.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        # The authority is written last: a folder without it was left half-made, and is made again.
        authority = Authority.create()
        for system in _SERVERS:
            names = (*LOOPBACK_HOSTS, system.subsystem)
            authority.issue(system, names).save(self.service_folder(system))
        for system in CLIENTS:
            authority.issue(system, ()).save(self.client_folder(system))
        signing_key = SigningKey.create()
        signing_key.save(self.service_folder(members.IDENTITY) / "signing.pem")
        approvals = json.dumps(sign_approvals(signing_key, issuer), indent=2)
        (self.service_folder(members.GATEWAY) / "past_approvals.json").write_text(approvals, encoding="utf-8")
        key = CheckpointKey.create()
        key.save(self.service_folder(members.GATEWAY) / "checkpoint.pem")
        (self.service_folder(members.GATEWAY) / "log.vkey").write_text(f"{key.verifier}\n", encoding="utf-8")
        self._register_clients()
        authority.save(self.folder / "ca")

    def service_folder(self, system: SystemId) -> Path:
        """Return the folder of one service."""
        return self.folder / system.subsystem

    def client_folder(self, system: SystemId) -> Path:
        """Return the folder of a system that is only a client."""
        return self.folder / "clients" / system.subsystem

    def tls(self, system: SystemId) -> TlsIdentity:
        """Return a system's certificate and key."""
        return TlsIdentity.load(self._folder_of(system))

    def client_secret(self, system: SystemId) -> str:
        """Return the OIDC secret of a system that logs citizens in."""
        return (self._folder_of(system) / "client_secret").read_text(encoding="utf-8").strip()

    def past_approvals(self) -> dict[str, str]:
        """Return the identity provider's statements about consents given before the world begins, by consent id."""
        file = self.service_folder(members.GATEWAY) / "past_approvals.json"
        approvals: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
        return approvals

    def registered_clients(self) -> list[RegisteredClient]:
        """Return what the identity provider knows of its clients; raises OSError if the file does not say it."""
        file = self.service_folder(members.IDENTITY) / "clients.json"
        try:
            return [RegisteredClient(**client) for client in json.loads(file.read_text(encoding="utf-8"))]
        except (TypeError, ValueError) as error:
            raise OSError(f"{file} does not hold the clients that were registered when the world was made") from error

    def _folder_of(self, system: SystemId) -> Path:
        return self.service_folder(system) if system in _SERVERS else self.client_folder(system)

    def _register_clients(self) -> None:
        names = {system.system_id: system for system in members.SYSTEMS}
        registered: list[RegisteredClient] = []
        for client in members.OIDC_CLIENTS:
            secret = secrets.token_urlsafe(_SECRET_BYTES)
            folder = self._folder_of(client.system_id)
            write_secret(folder / "client_secret", f"{secret}\n".encode())
            registered.append(
                RegisteredClient(
                    client_id=client.client_id,
                    system_id=str(client.system_id),
                    name_vi=names[client.system_id].name_vi,
                    name_en=names[client.system_id].name_en,
                    secret_hash=hashlib.sha256(secret.encode()).hexdigest(),
                    certificate_thumbprint=certificate_thumbprint((folder / "tls.crt").read_bytes()),
                )
            )
        text = json.dumps([asdict(client) for client in registered], ensure_ascii=False, indent=2)
        (self.service_folder(members.IDENTITY) / "clients.json").write_text(f"{text}\n", encoding="utf-8")
