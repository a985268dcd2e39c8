"""Telling on a terminal what was not done and why, in words that somebody else may have written."""

from typing import NoReturn

import grpc
import typer
from rich.console import Console
from rich.text import Text
from sqlalchemy.exc import DBAPIError

from lienthong.client import explain

_LONGEST = 1_000


def fail(what: str, error: Exception) -> NoReturn:
    """Say what was not done, and why; raises typer.Exit."""
    Console(stderr=True).print(told(what, reason(error)), soft_wrap=True)
    raise typer.Exit(1) from error


def reason(error: Exception) -> str:
    """Return why something failed, in words."""
    if isinstance(error, grpc.RpcError):
        return explain(error).message
    if isinstance(error, DBAPIError):
        return f"a database of the folder cannot be used: {error.orig}"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def plain(text: str) -> str:
    """Return text that somebody else may have written as a terminal can take it: no control characters, and an end."""
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in shown)


def told(what: str, why: str) -> Text:
    """Return what happened and why, as it is printed; neither is markup, whoever wrote it."""
    return Text.assemble((f"{what}:", "bold red"), f" {plain(why)}")
