"""Who is worked on, and who waits in line for it: few at once, so that there is always time to turn others away."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager


class Turns:
    """Lets `at_once` calls be worked on, the others in the order they came. Used from one event loop."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._line: deque[asyncio.Future[None]] = deque()
        self.working = 0
        """Calls that are worked on; more than `at_once` only when several come back from a provider together."""

    @property
    def waiting(self) -> int:
        """Calls that stand in line."""
        return len(self._line)

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait for the turn of a call, which lasts until the block ends."""
        await self._take()
        try:
            yield
        finally:
            self._give()

    @contextmanager
    def away(self) -> Generator[None]:
        """Let others have the turn while a call waits for a provider. It then goes on at once, before the line."""
        self._give()
        try:
            yield
        finally:
            self.working += 1

    async def _take(self) -> None:
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
                self._give()
            raise

    def _give(self) -> None:
        self.working -= 1
        while self._line and self.working < self._at_once:
            turn = self._line.popleft()
            if not turn.done():
                self.working += 1
                turn.set_result(None)
