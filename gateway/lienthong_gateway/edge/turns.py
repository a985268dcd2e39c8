"""Who is worked on, and who waits in line for it: few at once, so that there is always time to turn others away."""

import asyncio
from collections import deque


class Turns:
    """Lets `at_once` calls be worked on, the others in the order they came. Used from one event loop."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._line: deque[asyncio.Future[None]] = deque()
        self.working = 0
        """Calls that are worked on; more than `at_once` only when several come back from a provider together."""
        self._turn, self._away = _Turn(self), _Away(self)

    @property
    def waiting(self) -> int:
        """Calls that stand in line."""
        return len(self._line)

    def turn(self) -> "_Turn":
        """Return what waits for the turn of a call, which lasts until its block ends."""
        return self._turn

    def away(self) -> "_Away":
        """Return what lets others have the turn while a call waits for a provider, or for the identity provider's keys.

        The call then goes on at once, before the line.
        """
        return self._away

    async def take(self) -> None:
        """Wait for a turn; `give` must follow."""
        if self.working < self._at_once:
            self.working += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._line:
                self._line.remove(turn)
            elif not turn.cancelled():
                # It was this call's turn just as the call ended.
                self.give()
            raise

    def give(self) -> None:
        """Give a turn back."""
        self.working -= 1
        while self._line and self.working < self._at_once:
            turn = self._line.popleft()
            if not turn.done():
                self.working += 1
                turn.set_result(None)


class _Turn:
    """Holds a turn for a block. A class: every call passes here, and a generator would cost it as much again."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    async def __aenter__(self) -> None:
        await self._turns.take()

    async def __aexit__(self, *_error: object) -> None:
        self._turns.give()


class _Away:
    """Gives a turn back for a block."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def __enter__(self) -> None:
        self._turns.give()

    def __exit__(self, *_error: object) -> None:
        self._turns.working += 1
