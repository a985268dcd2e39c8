"""Which requests without a certificate are taken on, and until when they take a place."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from lienthong_core.errors import Refusal
from lienthong_gateway.edge.admission import Admission
from lienthong_gateway.edge.anybody import OpenAdmission
from lienthong_gateway.edge.limits import Anybody, Limits, Rate
from lienthong_gateway.web.door import Door
from lienthong_gateway.web.peer import Peers


def admission(limits: Anybody) -> OpenAdmission:
    return OpenAdmission(limits, lambda: 0.0)


def test_so_many_requests_are_under_way_and_no_more_until_one_is_over() -> None:
    anybody = admission(Anybody(requests_in_flight=2))
    with anybody.place():
        with anybody.place(), pytest.raises(Refusal) as caught, anybody.place():
            pass
        assert (caught.value.reason, caught.value.retry_after_s) == ("OVERLOADED", 1)
        with anybody.place():
            pass


def test_what_was_refused_takes_no_place() -> None:
    anybody = admission(Anybody(requests_in_flight=1, rate=Rate(1, 1)))
    with anybody.place():
        pass
    for _ in range(3):
        with pytest.raises(Refusal, match="RATE_LIMITED"), anybody.place():
            pass


def test_a_client_that_reads_its_answer_slowly_keeps_no_place() -> None:
    asyncio.run(answers_to_slow_clients())


async def answers_to_slow_clients() -> None:
    anybody = admission(Anybody(requests_in_flight=1, rate=Rate(1, 100)))
    door = Door(answered, lambda _scope: False, Admission(Limits(), lambda: 0.0), anybody, Peers())
    began = [asyncio.Event() for _ in range(3)]
    clients = [asyncio.create_task(door(SCOPE, nothing, slowly(event))) for event in began]
    try:
        await asyncio.wait_for(asyncio.gather(*(event.wait() for event in began)), 10)
    finally:
        for client in clients:
            client.cancel()


SCOPE: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}


async def answered(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def nothing() -> Message:
    return {"type": "http.disconnect"}


def slowly(began: asyncio.Event) -> Send:
    """Return what takes the beginning of a good answer, and then no more."""

    async def send(message: Message) -> None:
        assert message["status"] == 200
        began.set()
        await asyncio.Event().wait()

    return send
