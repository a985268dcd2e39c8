"""Turns: few calls at once, the others in the order they came, and none lost when a caller goes away."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong_core.errors import Refusal
from lienthong_gateway.edge.admission import Admission
from lienthong_gateway.edge.limits import Limits
from lienthong_gateway.edge.turns import Turns
from lienthong_seeds import members


def in_a_loop(test: Callable[[], Coroutine[None, None, None]]) -> Callable[[], None]:
    """Run a test in an event loop of its own."""

    @wraps(test)
    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 10))

    return run


class Call:
    """A call that has its turn until it is told to go away, to come back and to end."""

    def __init__(self, turns: Turns) -> None:
        self.works = False
        self._turns = turns
        self._leaves, self._returns, self._ends = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            async with self._turns.turn():
                self.works = True
                await self._leaves.wait()
                with self._turns.away():
                    self.works = False
                    await self._returns.wait()
                self.works = True
                await self._ends.wait()
        finally:
            self.works = False

    async def goes_away(self) -> None:
        self._leaves.set()
        await settled()

    async def comes_back(self) -> None:
        self._returns.set()
        await settled()

    async def ends(self) -> None:
        for step in (self._leaves, self._returns, self._ends):
            step.set()
        await settled()

    async def is_given_up(self) -> None:
        self.task.cancel()
        await settled()


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def calls(turns: Turns, number: int) -> list[Call]:
    made = [Call(turns) for _ in range(number)]
    await settled()
    return made


@in_a_loop
async def test_calls_are_worked_on_in_the_order_they_came() -> None:
    turns = Turns(1)
    first, second, third = await calls(turns, 3)
    assert [first.works, second.works, third.works] == [True, False, False]
    assert turns.waiting == 2
    await first.ends()
    assert [first.works, second.works, third.works] == [False, True, False]


@in_a_loop
async def test_a_call_that_waits_for_a_provider_lets_the_next_have_its_turn_and_goes_on_before_the_line() -> None:
    turns = Turns(1)
    first, second, third = await calls(turns, 3)
    await first.goes_away()
    await first.comes_back()
    assert [first.works, second.works, third.works] == [True, True, False]
    await second.ends()
    assert not third.works
    await first.ends()
    assert third.works


@in_a_loop
async def test_a_caller_who_goes_away_leaves_the_line() -> None:
    turns = Turns(1)
    first, second, third = await calls(turns, 3)
    await second.is_given_up()
    assert turns.waiting == 1
    await first.ends()
    assert third.works


@in_a_loop
async def test_a_turn_that_came_just_as_its_caller_went_away_goes_to_the_next() -> None:
    turns = Turns(1)
    first, second, third = await calls(turns, 3)
    first.task.cancel()
    # One step: the first has given its turn to the second, which does not know yet.
    await asyncio.sleep(0)
    await second.is_given_up()
    assert third.works
    assert turns.working == 1


@in_a_loop
async def test_whoever_finds_the_line_full_is_refused_until_there_is_room_again() -> None:
    admission = Admission(Limits(calls_at_once=1, calls_in_line=1), lambda: 0.0)
    first, second = await calls(admission.turns, 2)
    with pytest.raises(Refusal) as caught:
        admission.enter({})
    assert (caught.value.reason, caught.value.retry_after_s) == ("OVERLOADED", 1)
    with pytest.raises(Refusal, match="OVERLOADED"):
        admission.arrived({}, None)
    # Whoever has a turn needs no place in the line to ask a provider.
    with admission.asking(members.BANK, members.POPULATION):
        await settled()
        assert second.works
    await first.ends()
    admission.enter({})
    admission.arrived({}, None)
    assert second.works


ACTS = st.sampled_from(["goes_away", "comes_back", "ends", "is_given_up"])


@given(at_once=st.integers(1, 4), acts=st.lists(st.tuples(st.integers(0, 9), ACTS), max_size=60))
def test_whatever_calls_do_no_turn_is_lost_and_none_is_given_twice(at_once: int, acts: list[tuple[int, str]]) -> None:
    async def run() -> None:
        turns = Turns(at_once)
        made = await calls(turns, 10)
        for number, act in acts:
            await getattr(made[number], act)()
            assert turns.working == sum(call.works for call in made)
            assert turns.waiting == 0 or turns.working >= at_once
        for call in made:
            await call.ends()
        await asyncio.gather(*(call.task for call in made), return_exceptions=True)
        assert (turns.working, turns.waiting) == (0, 0)

    asyncio.run(run())
