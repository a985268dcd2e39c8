"""Decisions kept in memory: the same question has the same answer for as long as the decision holds."""

import threading
from collections import OrderedDict
from datetime import datetime
from typing import TypeAlias

from lienthong_core.systems import SystemId
from lienthong_gateway.decisions.question import Decision, Question
from lienthong_gateway.exchange import Claim, TokenHolder
from lienthong_gateway.log.head import Head

_MOST = 10_000
_Key: TypeAlias = tuple[str, SystemId, Claim, TokenHolder | None, str]


class DecisionMemory:
    """The decisions on the questions that were asked last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, Decision] = OrderedDict()

    def find(self, question: Question, head: Head, now: datetime) -> Decision | None:
        """Return what was decided on a question, or None if nothing was or it no longer holds."""
        kept = self._kept.get(_key(question))
        return kept if kept is not None and kept.holds(head, now) else None

    def keep(self, decision: Decision) -> None:
        """Keep a decision, in place of an earlier one on the same question; from any thread."""
        with self._lock:
            key = _key(decision.question)
            self._kept[key] = decision
            self._kept.move_to_end(key)
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)


def _key(question: Question) -> _Key:
    # Not what a caller calls its message, which decides nothing and is another each time.
    return question.contract.path, question.caller.system, question.claim, question.holder, question.subject
