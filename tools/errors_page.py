"""Print docs/errors.md from the comments of the contracts: `python tools/errors_page.py > docs/errors.md`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

from google.protobuf.descriptor import FileDescriptor

from lienthong.api.options.v1 import options_pb2
from lienthong_core.contracts import all_contracts
from lienthong_core.errors import SHARED_REASONS

CONTRACTS = Path(__file__).resolve().parent.parent / "proto" / "lienthong" / "api"
PAGE = CONTRACTS.parents[2] / "docs" / "errors.md"
_WIDTH = 120
_REASON = re.compile(r"((?: *//.*\n)+) *ERROR_REASON_(\w+) = \d+;")
_METHOD = re.compile(r"((?: *//.*\n)+) *rpc (\w+)\(")
_SERVICE = re.compile(r"((?:^//[^\n]*\n)*)^service (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"\b[A-Z]+(?:_[A-Z]+)+\b")
_STATUS = re.compile(
    r"(UNAUTHENTICATED|INVALID_ARGUMENT|PERMISSION_DENIED|NOT_FOUND|FAILED_PRECONDITION|UNAVAILABLE|DEADLINE_EXCEEDED)\b"
)
_FOR_ALL = re.compile(r"of all ([^:]+): ([A-Z_]+ [A-Z_, ]+)")

_HEAD = """\
# Errors

Generated from the contracts in `proto/` by `make docs`. Do not edit.

Every refusal is a gRPC status with a sentence that says what to do, and a `google.rpc.ErrorInfo`:

- `domain` is `lienthong`.
- `reason` is one of the names below. It is stable; write programs against it, never against the sentence.
- `metadata` of a call through the gateway holds `origin` (`gateway`, or the system that refused), `exchange_id` (the
  gateway's id of the exchange) and `log_index` (where the refusal is recorded; absent if it could not be recorded).

In Python, `lienthong.client.explain(error)` returns all of this.

A provider refuses with the reasons that its contract declares, and with some of the gateway's. The gateway passes on
the status and the reason, and says what the contract says about it. The provider's own sentence and metadata stay
behind, because they may hold what nobody granted; if it gives any other reason, the caller is told
`PROVIDER_ANSWER_INVALID`.

## Reasons of the gateway

Providers give these with the same meaning:
{shared}.
The others say what the gateway itself decided or did, and nobody else gives them.

| Reason | Status | Meaning, and what to do |
|---|---|---|
"""

_FOOT = """
## Where there can be no reason

These failures happen before a service can answer, the last one after it has. The caller's own gRPC library makes the
status, without `ErrorInfo`; `explain` gives the reason `CONNECTION_FAILED`.

| What happened | Status | What to do |
|---|---|---|
| The client shows no certificate | `UNAVAILABLE` | Use your system's: `tls.crt` and `tls.key` in its folder |
| The client's certificate is of another authority, or expired | `UNAVAILABLE` | Use one that this sandbox issued |
| The client does not trust the server's certificate | `UNAVAILABLE` | Trust the sandbox's, `ca.crt` in that folder |
| The client speaks plain text | `UNAVAILABLE` | Use TLS |
| Nobody listens at the address | `UNAVAILABLE` | Start the services; `endpoints.json` says where they listen |
| The client's own deadline is over | `DEADLINE_EXCEEDED` | Give it more time |
| A message of more than 2 MiB | `RESOURCE_EXHAUSTED` | Send less; from 1 MiB on it is `MESSAGE_TOO_LARGE` |
| An answer of more than 4 MiB | `RESOURCE_EXHAUSTED` | Let your client read more: `grpc.max_receive_message_length` |

## Over HTTP

The gateway answers calls over HTTP with the same reasons ([http.md](http.md)).

The identity provider answers its clients as OAuth does: a JSON object with `error` (a code of RFC 6749, OpenID Connect
Core, RFC 6750 or RFC 9396) and `error_description`, a sentence that says what to do. Citizens get a page in Vietnamese
and English. It never redirects to an address that is not registered.
"""


@dataclass(frozen=True)
class SharedReason:
    """A reason of the enumeration, its status, and what to do."""

    reason: str
    status: str
    advice: str


@dataclass(frozen=True)
class OwnReasons:
    """The reasons that a contract names beside a method, or for several methods, with one status."""

    service: str
    method: str
    status: str
    reasons: tuple[str, ...]


def shared_reasons() -> list[SharedReason]:
    """Return the reasons of `errors.proto`, in its order."""
    text = (CONTRACTS / "errors" / "v1" / "errors.proto").read_text(encoding="utf-8")
    found = ((name, _joined(comment).partition(": ")) for comment, name in _REASON.findall(text))
    return [SharedReason(name, status, advice) for name, (status, _, advice) in found if advice]


def own_reasons(area: str = "*") -> list[OwnReasons]:
    """Return what the contracts of an area, or of all, say under `Errors`."""
    contracts = sorted(CONTRACTS.glob(f"{area}/*/*.proto"))
    return [own for contract in contracts for own in _of_contract(contract.read_text(encoding="utf-8"))]


def page() -> str:
    """Return the whole page."""
    rows = "".join(f"| `{r.reason}` | `{r.status}` | {r.advice[0].upper()}{r.advice[1:]} |\n" for r in shared_reasons())
    shared = ", ".join(f"`{r.reason}`" for r in shared_reasons() if r.reason in SHARED_REASONS)
    head = _HEAD.replace("{shared}", fill(shared, _WIDTH))
    return f"{head}{rows}{''.join(_sections(own_reasons()))}{''.join(_declared())}{_FOOT}"


def _sections(own: list[OwnReasons]) -> Iterator[str]:
    yield "\n## Reasons by method\n\nThose that a contract names beside a method. The others above can come as well.\n"
    for service in dict.fromkeys(entry.service for entry in own):
        yield f"\n### {service}\n\n| Method | Status | Reasons |\n|---|---|---|\n"
        for entry in own:
            if entry.service == service:
                reasons = ", ".join(f"`{reason}`" for reason in entry.reasons)
                yield f"| {entry.method} | `{entry.status}` | {reasons} |\n"


def _declared() -> Iterator[str]:
    yield "\n## What a provider's reason means\n\nAs the contracts declare it, and as the gateway says it.\n"
    for contract in all_contracts():
        reasons = declared_reasons(contract)
        if reasons:
            services = ", ".join(sorted(contract.services_by_name))
            yield f"\n### Reasons of {services}\n\n| Reason | Meaning, and what to do |\n|---|---|\n"
            yield from (f"| `{reason}` | {advice} |\n" for reason, advice in reasons.items())


def declared_reasons(contract: FileDescriptor) -> dict[str, str]:
    """Return the reasons that a contract declares, each with what a caller is told."""
    return {reason.name: reason.advice for reason in contract.GetOptions().Extensions[options_pb2.provider_reason]}


def _of_contract(text: str) -> Iterator[OwnReasons]:
    for comment, service, body in _SERVICE.findall(text):
        for who, reasons in _FOR_ALL.findall(_joined(comment)):
            yield from _clauses(service, f"all {who}", reasons)
        for method_comment, method in _METHOD.findall(body):
            _, named, reasons = _joined(method_comment).partition("Errors: ")
            if named:
                yield from _clauses(service, f"`{method}`", reasons)


def _clauses(service: str, method: str, text: str) -> Iterator[OwnReasons]:
    for clause in text.split(";"):
        status = _STATUS.search(clause)
        if status is None:
            raise ValueError(f"{service} {method}: {clause!r} names no gRPC status")
        yield OwnReasons(service, method, status[0], tuple(_NAME.findall(clause[status.end() :])))


def _joined(comment: str) -> str:
    return " ".join(line.strip().removeprefix("//").strip() for line in comment.splitlines())


if __name__ == "__main__":
    print(page(), end="")
