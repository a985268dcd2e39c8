"""The body of a call over HTTP, from its arrival to the message that it holds."""

import asyncio

from starlette.requests import Request

from lienthong_core.errors import Refusal, exhausted
from lienthong_gateway.web.codecs import Codec, MethodTypes
from lienthong_gateway.web.connect import decompressed, encoding_of


class CallBody:
    """A body that is on its way. How long it may take is the connection's business (status 408)."""

    def __init__(self, request: Request, codec: Codec, types: MethodTypes | None) -> None:
        """`types` None: nobody knows the method, and it is not read."""
        self._request = request
        self._codec = codec
        self._types = types
        self._came = bytearray()
        self.is_here = asyncio.Event()

    async def arrive(self) -> None:
        """Return once it is here, or as much of it as is taken. Raises ClientDisconnect."""
        async for part in self._request.stream():
            self._came += part
            if len(self._came) > self._codec.most_bytes:
                break
        self.is_here.set()

    def read(self) -> tuple[bytes, Refusal | None]:
        """Return the request in binary form, or what there is instead, and what is wrong with it.

        Refused: MESSAGE_TOO_LARGE, ENCODING_UNKNOWN, REQUEST_MALFORMED, HEADER_INVALID, HEADER_DUPLICATED.
        """
        body = b""
        try:
            body = self._plain()
            return self._codec.request(self._types, body) if self._types else body, None
        except Refusal as refusal:
            return body, refusal

    def _plain(self) -> bytes:
        most = self._codec.most_bytes
        if len(self._came) <= most:
            plain = decompressed(bytes(self._came), encoding_of(self._request.headers), most)
            if len(plain) <= most:
                return plain
        text = f"The message has more than the {most} bytes that are taken as {self._codec.content_type}; send less."
        raise exhausted("MESSAGE_TOO_LARGE", text)
