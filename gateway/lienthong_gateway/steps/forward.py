"""Step 4, forward: the request's bytes to the provider, with a deadline."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import TypeAlias

import grpc
import grpc.aio

from lienthong.client.context import Header
from lienthong.client.outcome import Explanation, explain
from lienthong_core.certificates import TlsIdentity
from lienthong_core.channels import DIRECT
from lienthong_core.errors import SHARED_REASONS, Refusal, unavailable
from lienthong_core.systems import SystemId
from lienthong_gateway.contract.methods import MethodContract
from lienthong_gateway.exchange import Trace

_Method: TypeAlias = "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]"

DEADLINE_S = 10.0
"""The longest the gateway waits for a provider, whatever the caller would wait."""

STREAM_DEADLINE_S = 300.0
"""The longest that a stream of answers lasts, whatever the caller would wait."""

_RESERVE_S = 1.0
"""What is kept of the caller's time to record how it went and to tell the caller so; of short times, a quarter."""

_CHANNEL_OPTIONS = (
    *DIRECT,
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # What the gateway releases, a client must be able to read; gRPC's take so much unless they are told otherwise.
    ("grpc.max_receive_message_length", 4 << 20),
)


class Forwarder:
    """Holds a channel to each provider."""

    def __init__(self, addresses: Mapping[SystemId, str], tls: TlsIdentity) -> None:
        """`addresses` are `host:port`. Must be made in the event loop that it is used in."""
        credentials = tls.channel_credentials()
        self._methods: dict[str, _Method] = {}
        self._channels = {
            system: grpc.aio.secure_channel(address, credentials, _CHANNEL_OPTIONS)
            for system, address in addresses.items()
        }

    async def forward(self, contract: MethodContract, request: bytes, trace: Trace, remaining_s: float | None) -> bytes:
        """Return the provider's answer.

        Refused: PROVIDER_UNAVAILABLE, PROVIDER_TIMEOUT, PROVIDER_ANSWER_INVALID (it failed without a reason that it may
        give), or a reason that the provider may give; the metadata's `origin` tells which.
        """
        method = self._method(contract)
        call = method(request, timeout=_timeout(remaining_s, DEADLINE_S), metadata=_metadata(trace))
        # The call has a task of its own, which comes first: this is done while the provider works.
        asyncio.get_running_loop().call_soon(trace.digests.of_request)
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise _refusal(error, contract, trace.exchange_id) from error

    async def stream(
        self, contract: MethodContract, request: bytes, trace: Trace, remaining_s: float | None
    ) -> AsyncGenerator[bytes]:
        """Give the provider's answers as they come; refused as `forward` is."""
        channel = self._channel(contract)
        method: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(contract.path)
        call = method(request, timeout=_timeout(remaining_s, STREAM_DEADLINE_S), metadata=_metadata(trace))
        try:
            async for answer in call:
                yield answer
        except grpc.aio.AioRpcError as error:
            raise _refusal(error, contract, trace.exchange_id) from error
        finally:
            call.cancel()

    def _method(self, contract: MethodContract) -> "_Method":
        known = self._methods.get(contract.path)
        if known is None:
            # One entry a method of the contracts: nothing else is forwarded.
            known = self._methods[contract.path] = self._channel(contract).unary_unary(contract.path)
        return known

    def _channel(self, contract: MethodContract) -> grpc.aio.Channel:
        channel = self._channels.get(contract.provider)
        if channel is None:
            raise _unavailable(contract.provider)
        return channel

    async def close(self) -> None:
        """Close every channel."""
        for channel in self._channels.values():
            await channel.close(grace=0)


def _timeout(remaining_s: float | None, longest_s: float) -> float:
    return longest_s if remaining_s is None else min(longest_s, max(remaining_s - _RESERVE_S, remaining_s * 0.75))


def _metadata(trace: Trace) -> tuple[tuple[str, str], ...]:
    pairs = (
        (Header.EXCHANGE_ID, trace.exchange_id),
        (Header.CONSUMER, trace.consumer),
        (Header.PURPOSE, trace.purpose),
        (Header.OFFICER, trace.officer),
        (Header.REPRESENTED_PARTY, trace.represented_party),
        (Header.MESSAGE_ID, trace.message_id),
    )
    return (*((str(key), value) for key, value in pairs if value), *trace.outgoing)


def _refusal(error: grpc.aio.AioRpcError, contract: MethodContract, exchange_id: str) -> Refusal:
    why, provider = explain(error), contract.provider
    if why.reason != "CONNECTION_FAILED":
        return _own_refusal(why, contract, exchange_id)
    if why.status is grpc.StatusCode.DEADLINE_EXCEEDED:
        message = f"{provider} did not answer in time; try again, with a longer deadline if yours was short."
        return Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "PROVIDER_TIMEOUT", message)
    if why.status in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
        return _unavailable(provider)
    if why.status is grpc.StatusCode.RESOURCE_EXHAUSTED:
        message = (
            f"{provider} answered with more than 4 MiB, or had too much to do; report it to whoever runs that system."
        )
    else:
        message = f"{provider} failed with {why.status.name} and gave no reason; report it to whoever runs that system."
    return Refusal(grpc.StatusCode.INTERNAL, "PROVIDER_ANSWER_INVALID", message)


def _own_refusal(why: Explanation, contract: MethodContract, exchange_id: str) -> Refusal:
    """Return what a provider refused with, in the contract's words.

    Its own sentence and metadata are not passed on, nor a reason that nobody declared: each is a text, in which
    data could stand that nobody granted.
    """
    sentence = contract.reasons.get(why.reason)
    if sentence is None and why.reason in SHARED_REASONS:
        sentence = _shared_sentence(why, contract.provider)
    if sentence is None:
        message = (
            f"{contract.provider} refused with {why.status.name} and a reason that its contract does not declare; "
            "report it to whoever runs that system."
        )
        return Refusal(grpc.StatusCode.INTERNAL, "PROVIDER_ANSWER_INVALID", message)
    return Refusal(why.status, why.reason, sentence, {"origin": str(contract.provider), "exchange_id": exchange_id})


def _shared_sentence(why: Explanation, provider: SystemId) -> str:
    if why.status is grpc.StatusCode.UNAVAILABLE:
        return f"{provider} cannot answer now ({why.reason}); try again."
    return f"{provider} refused with {why.reason}; docs/errors.md says what that means and what to do."


def _unavailable(provider: SystemId) -> Refusal:
    return unavailable("PROVIDER_UNAVAILABLE", f"{provider} cannot be reached; try again.")
