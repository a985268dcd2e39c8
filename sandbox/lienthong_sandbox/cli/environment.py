"""Reading what the environment says."""

import typer
from pydantic import ValidationError

from lienthong_sandbox.settings import ServiceSettings


def settings_in_words(otherwise: str) -> ServiceSettings:
    """Return what the environment says; if it cannot be understood, say `otherwise` and why, and raise typer.Exit."""
    try:
        return ServiceSettings()
    except ValidationError as error:
        faults = (
            f"LIENTHONG_{fault['loc'][0]}".upper() + f": {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        )
        typer.echo(f"{otherwise}: {'; '.join(faults)}; see docs/configuration.md", err=True)
        raise typer.Exit(1) from error
