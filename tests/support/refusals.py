"""The refusals that code raises, read from its source."""

import ast
from collections.abc import Iterator
from pathlib import Path

STATUS_OF = {
    "invalid": "INVALID_ARGUMENT",
    "unauthenticated": "UNAUTHENTICATED",
    "denied": "PERMISSION_DENIED",
    "not_found": "NOT_FOUND",
    "precondition": "FAILED_PRECONDITION",
    "unavailable": "UNAVAILABLE",
    "exhausted": "RESOURCE_EXHAUSTED",
}
PREFIX = "ERROR_REASON_"


def refusals_in(folder: Path) -> set[tuple[str, str]]:
    """Return status and reason of every refusal that the Python files under a folder make by name."""
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in folder.rglob("*.py"))
    return {refusal for tree in trees for node in ast.walk(tree) for refusal in _refusals(node)}


def _refusals(node: ast.AST) -> Iterator[tuple[str, str]]:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return
    if node.func.id in STATUS_OF and (reason := _reason(node.args[0])):
        yield STATUS_OF[node.func.id], reason
    if node.func.id == "Refusal" and isinstance(node.args[0], ast.Attribute) and (reason := _reason(node.args[1])):
        yield node.args[0].attr, reason


def _reason(argument: ast.expr) -> str:
    """Return the reason that an argument names, as text or as `reason_name(ErrorReason.…)`; empty if it names none."""
    match argument:
        case ast.Constant(value=str(text)):
            return text
        case ast.Call(func=ast.Name(id="reason_name"), args=[ast.Attribute(attr=name)]):
            return name.removeprefix(PREFIX)
        case _:
            return ""
