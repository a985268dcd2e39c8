"""Print docs/configuration.md: `python tools/configuration_page.py > docs/configuration.md`.

The variables come from the settings of a service, the commands and options from the `lienthong` command itself.
"""

import ast
import inspect
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import typer
from typer.models import OptionInfo, ParameterInfo

from lienthong_sandbox.cli import app
from lienthong_sandbox.settings import ServiceSettings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

_HEAD = """\
# Configuration

Generated from the code by `make docs`. Do not edit.

## Variables

What `lienthong serve`, `init` and `demo --against compose` read from the environment. `lienthong up` and
`Sandbox` read none: they take options and arguments.

| Variable | Default | Meaning |
|---|---|---|
"""


def page() -> str:
    """Return the whole page."""
    return f"{_HEAD}{''.join(_variables())}\n## Commands\n{''.join(_commands())}"


def _variables() -> Iterator[str]:
    meanings = dict(_attribute_docstrings(ServiceSettings))
    prefix = ServiceSettings.model_config.get("env_prefix", "")
    for name, field in ServiceSettings.model_fields.items():
        yield f"| `{prefix}{name.upper()}` | `{field.default}` | {meanings[name]} |\n"


def _attribute_docstrings(kind: type) -> Iterator[tuple[str, str]]:
    (definition,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101 (the source of a class)
    for attribute, following in zip(definition.body, definition.body[1:], strict=False):
        match attribute, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, text
            case _:
                pass


def commands(group: typer.Typer = app, above: str = "lienthong") -> Iterator[tuple[str, Callable[..., Any]]]:
    """Give every command that does something, with its whole name, such as `lienthong log verify`."""
    for command in group.registered_commands:
        if command.callback is not None:
            yield f"{above} {command.name or command.callback.__name__}", command.callback
    for below in group.registered_groups:
        if below.typer_instance is not None:
            yield from commands(below.typer_instance, f"{above} {below.name}")


def _commands() -> Iterator[str]:
    for name, callback in commands():
        yield f"\n### `{name}`\n\n{inspect.getdoc(callback)}\n"
        if rows := [_row(parameter) for parameter in inspect.signature(callback).parameters.values()]:
            yield f"\n| Option or argument | Default | Meaning |\n|---|---|---|\n{''.join(rows)}"


def _row(parameter: inspect.Parameter) -> str:
    kind, information = get_args(parameter.annotation)
    if not isinstance(information, ParameterInfo):
        raise TypeError(f"{parameter} does not say what it means")
    name = parameter.name.upper()
    if isinstance(information, OptionInfo):
        # Within Annotated, Typer keeps the first of the declared names where it otherwise keeps the default.
        declared = (information.default, *(information.param_decls or ()))
        name = next((text for text in declared if isinstance(text, str)), f"--{parameter.name.replace('_', '-')}")
    return f"| `{name}` | {_default(parameter.default)} | {information.help}{_choices(kind)} |\n"


def _default(value: object) -> str:
    if value is inspect.Parameter.empty:
        return "required"
    return "" if value is None or value is False else f"`{value}`"


def _choices(kind: type | UnionType) -> str:
    if not (isinstance(kind, type) and issubclass(kind, Enum)):
        return ""
    return f" One of {', '.join(f'`{choice.value}`' for choice in kind)}."


if __name__ == "__main__":
    print(page(), end="")
