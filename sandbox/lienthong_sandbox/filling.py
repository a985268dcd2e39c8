"""Filling a world's empty databases with its people, and telling the identity provider its clients."""

import secrets
from collections.abc import Callable

from sqlalchemy import Engine, exists, select

from lienthong_core.database import filling
from lienthong_gateway.log.model import LogEntryRow
from lienthong_gateway.server import GatewayServer
from lienthong_sandbox.services import Server, Setting
from lienthong_seeds.history import record_history
from lienthong_seeds.load import load_accounts, load_population
from lienthong_seeds.members import post_logout_redirect_uris, redirect_uris
from lienthong_seeds.population import generate
from lienthong_seeds.rows import Population
from lienthong_services.identity.clients import make_client
from lienthong_services.identity.model import Account
from lienthong_services.identity.rules import PASSCODE, hash_passcode
from lienthong_services.identity.server import IdentityServer
from lienthong_services.identity.store import IdentityStore
from lienthong_services.population.model import Citizen
from lienthong_services.population.server import PopulationServer


class Filling:
    """Fills databases that are empty; those that hold a world already are left as they are."""

    def __init__(self, seed: int, citizens: int) -> None:
        self._seed = seed
        self._citizens = citizens
        self._made: Population | None = None
        self._tell: Callable[[str], None] = lambda _progress: None

    def fill(self, server: Server, setting: Setting, tell: Callable[[str], None] = lambda _progress: None) -> None:
        """Fill a service's database before it starts, if it needs it; `tell` hears how far it is."""
        self._tell = tell
        with filling(server.engine):
            self._fill(server, setting)

    def finish(self) -> None:
        """Let go of the people: they are in the databases now."""
        self._made = None

    def _fill(self, server: Server, setting: Setting) -> None:
        if isinstance(server, PopulationServer):
            self._fill_population(server.engine)
        elif isinstance(server, IdentityServer):
            self._fill_identity(server.engine, setting)
        elif isinstance(server, GatewayServer):
            _fill_gateway(server, setting)

    def _population(self) -> Population:
        # Two services of one process are filled from the same people, made once.
        if self._made is None:
            self._made = generate(self._seed, self._citizens, progress=self._made_so_far)
        return self._made

    def _made_so_far(self, citizens: int) -> None:
        self._tell(f"{citizens:,} citizens made")

    def _stored_so_far(self, rows: int) -> None:
        self._tell(f"{rows:,} rows stored")

    def _fill_population(self, engine: Engine) -> None:
        if _is_empty(engine, Citizen):
            load_population(engine, self._population(), self._stored_so_far)

    def _fill_identity(self, engine: Engine, setting: Setting) -> None:
        if _is_empty(engine, Account):
            load_accounts(engine, self._population(), hash_passcode(PASSCODE, secrets.token_bytes(16)))
        store = IdentityStore(engine)
        # Always: the portal's address may be another one this time.
        for client in setting.world.registered_clients():
            store.add_client(
                make_client(
                    client.client_id,
                    client.system_id,
                    (client.name_vi, client.name_en),
                    client.secret_hash,
                    client.certificate_thumbprint,
                    redirect_uris(client.client_id, setting.endpoints.portal_url),
                    post_logout_redirect_uris(client.client_id, setting.endpoints.portal_url),
                )
            )


def _fill_gateway(server: GatewayServer, setting: Setting) -> None:
    if _is_empty(server.engine, LogEntryRow):
        record_history(server.log, setting.world.past_approvals())


def _is_empty(engine: Engine, table: type[Citizen | Account | LogEntryRow]) -> bool:
    with engine.connect() as connection:
        return not connection.execute(select(exists(select(1).select_from(table)))).scalar_one()
