"""The option that names the officer who has something done."""

from typing import Annotated, TypeAlias

import typer


def _officer_id(officer: str) -> str:
    """Return what can be sent as an officer's id; raises typer.BadParameter if it cannot."""
    if not (officer.isascii() and officer.isprintable()):
        raise typer.BadParameter(f"{officer!r} is no id of an officer, which is printable ASCII; a name is none")
    return officer


Officer: TypeAlias = Annotated[str, typer.Option(callback=_officer_id, help="The officer who makes the change.")]
