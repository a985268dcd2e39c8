"""Steps 6 and 7: the citizen sees who looked at her data, and the log proves itself."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine, update

from lienthong.api.exchange.v1.log_pb2 import Access, LogEvent
from lienthong.api.portal.v1 import portal_pb2
from lienthong_core.database import writing
from lienthong_gateway.log.store import ENTRIES, all_entries
from lienthong_gateway.log.verdict import FaultKind, Verification
from lienthong_gateway.log.verify import verify_log
from lienthong_sandbox.audit import copy_log
from lienthong_sandbox.demo.journey import GATEWAY, PORTAL
from lienthong_sandbox.demo.place import Place
from lienthong_sandbox.demo.story import Happening, Step

_DEADLINE_S = 10.0
_SHOWN = 6


def accesses(place: Place, session: Sequence[tuple[str, str]]) -> Step:
    """Step 6: she asks who has looked at her data."""
    request = portal_pb2.ListAccessesRequest(page_size=_SHOWN * 4)
    answer = place.portal_for_citizens().ListAccesses(request, metadata=tuple(session), timeout=_DEADLINE_S)
    exchanges = [access for access in answer.accesses if access.event == LogEvent.LOG_EVENT_EXCHANGE][:_SHOWN]
    return Step(
        6,
        "Ai đã xem dữ liệu của tôi?",
        "Who has looked at my data?",
        "She asks at the portal and sees each exchange: which system, which fields, why, on what basis, when.",
        tuple(_seen(access) for access in exchanges),
    )


def proof(place: Place) -> Step:
    """Step 7: an auditor verifies a copy of the log, alters one entry of the copy, and verifies again."""
    with tempfile.TemporaryDirectory(prefix="lienthong-audit-") as folder:
        engine, key = copy_log(place.auditor.channel, Path(folder) / "log.sqlite")
        try:
            intact = verify_log(engine, key)
            altered_index = _alter_an_exchange(engine)
            altered = verify_log(engine, key)
        finally:
            engine.dispose()
    return Step(
        7,
        "Nhật ký tự chứng minh",
        "The log proves itself",
        "The auditor copies the log and checks every entry against the Merkle tree and the signed checkpoints. Then "
        "one stored entry of the copy is altered, as an officer covering his tracks would.",
        (
            Happening("auditor", "copy of the log", "verify", outcome=_outcome(intact), note=_holds(intact)),
            Happening(
                "auditor",
                "copy of the log",
                f"verify again after entry {altered_index} was altered",
                outcome=_outcome(altered),
                expected=f"{FaultKind.ENTRY_ALTERED}: {altered_index}",
                verdict="found",
                note=altered.fault.message if altered.fault else "nothing was noticed",
            ),
        ),
    )


def _seen(access: Access) -> Happening:
    when = access.time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S")
    why = f"consent {access.consent_id}" if access.consent_id else f"dossier {access.legal_reference}"
    return Happening(
        access.consumer_name or access.consumer,
        GATEWAY if access.provider else PORTAL,
        access.method.rpartition(".")[2].replace("/", "."),
        released=tuple(access.fields_released),
        log_index=access.log_index,
        note=f"{when} UTC, for {access.purpose} {access.purpose_title_vi}, by {why}",
    )


def _alter_an_exchange(engine: Engine) -> int:
    with writing(engine) as connection:
        entry = next(entry for entry in all_entries(connection) if b'"event":"EXCHANGE"' in entry.leaf)
        altered = entry.leaf.replace(b'"purpose":"', b'"purpose":"x', 1)
        connection.execute(update(ENTRIES).where(ENTRIES.c.log_index == entry.log_index).values(leaf=altered))
    return entry.log_index


def _outcome(verification: Verification) -> str:
    fault = verification.fault
    return "OK" if fault is None else f"{fault.kind}: {fault.first}"


def _holds(verification: Verification) -> str:
    root = verification.root.hex()
    return f"{verification.size} entries, {verification.checkpoints} signed checkpoints, root {root[:16]}…"
