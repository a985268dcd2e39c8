"""A world for containers: one folder (volume) a service, one PostgreSQL database a service."""

import secrets
from pathlib import Path

from lienthong_core.secret_files import write_secret
from lienthong_sandbox.services import SERVICES
from lienthong_sandbox.world import World

DATABASE_URL_FILE = "database_url"
_HOST = "postgres:5432"
_PASSWORD_BYTES = 24


def prepare(folder: Path, issuer: str) -> bool:
    """Make keys, certificates and database passwords, once; return whether anything was made.

    The `postgres` folder holds the server's password and the SQL that makes a role and a database for each service;
    each service's folder holds the address of its own database.
    """
    world = World(folder)
    if world.exists():
        return False
    databases = folder / "postgres"
    databases.mkdir(parents=True, exist_ok=True)
    statements: list[str] = []
    for service in SERVICES:
        name, password = service.name, secrets.token_urlsafe(_PASSWORD_BYTES)
        statements += [
            f"CREATE ROLE {name} LOGIN PASSWORD '{password}';",
            f"CREATE DATABASE {name} OWNER {name};",
            f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC;",
        ]
        file = world.service_folder(service.system) / DATABASE_URL_FILE
        file.parent.mkdir(exist_ok=True)
        write_secret(file, f"postgresql+psycopg://{name}:{password}@{_HOST}/{name}\n".encode())
    # Read by the database server's own account, from a volume that nobody else mounts.
    (databases / "databases.sql").write_text("\n".join(statements) + "\n", encoding="utf-8")
    (databases / "password").write_text(secrets.token_urlsafe(_PASSWORD_BYTES), encoding="utf-8")
    world.create(issuer)
    return True
