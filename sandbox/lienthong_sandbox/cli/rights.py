"""`lienthong rights`: what an administrator does with access rights, on a running gateway."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from lienthong.api.exchange.v1 import administration_pb2 as pb
from lienthong.api.exchange.v1.administration_pb2_grpc import AdministrationServiceStub
from lienthong.api.exchange.v1.catalogue_pb2 import AccessRight, LegalBasis
from lienthong.client import CallContext
from lienthong_core.dates import partial_date_text, whole_date
from lienthong_gateway.registration import HEADER_OF_BASIS, LEGAL_BASIS_HEADERS
from lienthong_sandbox.cli.acting_officer import Officer
from lienthong_sandbox.cli.gateway_channel import gateway_channel
from lienthong_seeds import members

app = typer.Typer(help="The access rights of a running gateway.", no_args_is_help=True)

_DEADLINE_S = 10.0
_WITHDRAWN = "withdrawn"


Data: TypeAlias = Annotated[Path | None, typer.Option(help="Folder of a running `lienthong up --data`.")]
Gateway: TypeAlias = Annotated[
    str | None, typer.Option(help="Address of the gateway, `HOST:PORT`; left out: as the folder says.")
]
Certificate: TypeAlias = Annotated[
    Path | None, typer.Option(help="Folder with the administrator's certificate; left out: the one in the folder.")
]
Consumer: TypeAlias = Annotated[str, typer.Argument(help="System, such as `VN-SANDBOX/COM/SHOP01/loyalty`.")]
Method: TypeAlias = Annotated[str, typer.Argument(help="Full name of the method, with the slash it begins with.")]
Purpose: TypeAlias = Annotated[str, typer.Argument(help="Code of the purpose.")]


@app.command("list")
def list_rights(
    consumer: Annotated[str, typer.Option(help="Only those of this system.")] = "",
    method: Annotated[str, typer.Option(help="Only those to call this method.")] = "",
    data: Data = None,
    gateway: Gateway = None,
    certificate: Certificate = None,
) -> None:
    """List access rights, those withdrawn or over as well unless they were granted anew: a table.

    In a pipe each is a line: consumer, method, purpose, bases, datasets, first day, last day, state, split by tabs.
    """
    with gateway_channel(data, gateway, certificate, members.ADMINISTRATION) as channel:
        request = pb.ListAccessRightsRequest(consumer=consumer, method=method)
        answer = AdministrationServiceStub(channel).ListAccessRights(request, timeout=_DEADLINE_S)
    _print(answer.access_rights)


@app.command()
def grant(  # noqa: PLR0913, PLR0917 (each is an option or argument of the command)
    consumer: Consumer,
    method: Method,
    purpose: Purpose,
    basis: Annotated[
        list[str], typer.Option(help=f"Legal basis it may rest on; can be repeated: {', '.join(LEGAL_BASIS_HEADERS)}.")
    ],
    dataset: Annotated[
        list[str] | None, typer.Option(help="Dataset that it may release; can be repeated; left out: all it can.")
    ] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day; left out: today.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="Last day; left out: until further notice.")
    ] = None,
    officer: Officer = members.ADMINISTRATOR,
    data: Data = None,
    gateway: Gateway = None,
    certificate: Certificate = None,
) -> None:
    """Grant one system the right to call one method for one purpose: exit 0, or 1 with the reason why not."""
    right = AccessRight(
        consumer=consumer,
        method=method,
        purpose=purpose,
        legal_bases=[_basis(header) for header in basis],
        datasets=dataset or (),
        valid_from=None if first is None else whole_date(first),
        valid_until=None if last is None else whole_date(last),
    )
    with gateway_channel(data, gateway, certificate, members.ADMINISTRATION) as channel:
        answer = AdministrationServiceStub(channel).GrantAccessRight(
            pb.GrantAccessRightRequest(access_right=right), metadata=_by(officer), timeout=_DEADLINE_S
        )
    _print([answer.access_right])


@app.command()
def withdraw(
    consumer: Consumer,
    method: Method,
    purpose: Purpose,
    officer: Officer = members.ADMINISTRATOR,
    data: Data = None,
    gateway: Gateway = None,
    certificate: Certificate = None,
) -> None:
    """Withdraw an access right at once: exit 0, or 1 with the reason why not."""
    request = pb.WithdrawAccessRightRequest(consumer=consumer, method=method, purpose=purpose)
    with gateway_channel(data, gateway, certificate, members.ADMINISTRATION) as channel:
        answer = AdministrationServiceStub(channel).WithdrawAccessRight(
            request, metadata=_by(officer), timeout=_DEADLINE_S
        )
    _print([answer.access_right])


def _basis(header: str) -> LegalBasis.ValueType:
    if header not in LEGAL_BASIS_HEADERS:
        raise typer.BadParameter(f"{header!r} is none of {', '.join(LEGAL_BASIS_HEADERS)}", param_hint="--basis")
    return LEGAL_BASIS_HEADERS[header]


def _by(officer: str) -> tuple[tuple[str, str], ...]:
    return CallContext("", officer=officer).metadata()


def _print(rights: Iterable[AccessRight]) -> None:
    console = Console()
    if not console.is_terminal:
        for right in rights:
            typer.echo("\t".join(_cells(right)))
        return
    table = Table(Column("consumer, method, purpose", no_wrap=True), "bases, datasets, days", box=SIMPLE_HEAD)
    for right in rights:
        consumer, method, purpose, bases, datasets, first, last, state = _cells(right)
        called = method.rpartition(".")[2]
        days = state if state == _WITHDRAWN else f"from {first}{f' to {last}' if last else ''}"
        table.add_row(
            f"{consumer}\n{called}\n{purpose}",
            f"{bases.replace(',', ', ')}\n{datasets.replace(',', ', ')}\n{days}",
            style="dim" if state == _WITHDRAWN else "",
            end_section=True,
        )
    if not table.rows:
        console.print("no access rights")
        return
    console.print(table)


def _cells(right: AccessRight) -> tuple[str, str, str, str, str, str, str, str]:
    """Return what is shown of a right, as the lines in a pipe have it."""
    return (
        right.consumer,
        right.method,
        right.purpose,
        ",".join(HEADER_OF_BASIS[basis] for basis in right.legal_bases),
        ",".join(right.datasets),
        partial_date_text(right.valid_from),
        partial_date_text(right.valid_until) if right.HasField("valid_until") else "",
        _WITHDRAWN if right.HasField("withdrawn_at") else "granted",
    )
