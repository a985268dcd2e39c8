"""A provider that answers with a stream: each message is minimised, confirmed and recorded before it is released."""

import json
import logging
from datetime import UTC
from pathlib import Path
from typing import Any

import grpc
import pytest

from lienthong.api.consent.v1.consent_pb2 import RevokeConsentRequest
from lienthong.api.consent.v1.consent_pb2_grpc import ConsentServiceStub
from lienthong.client import Receipt, explain
from lienthong_core.errors import not_found
from lienthong_core.json_lines import JsonLines
from lienthong_core.rpc import MAX_MESSAGE_BYTES
from lienthong_core.systems import SystemId
from lienthong_gateway.edge.limits import Limits, Rate
from lienthong_gateway.telemetry.access_log import LOGGER
from lienthong_seeds import members
from tests.support.citizens import LAN, MAI
from tests.support.following import PROVIDER, about, following
from tests.support.gateway_world import TIMEOUT_S, refusal_of
from tests.support.streaming import FOLLOW, message, name_in
from tests.support.waiting import wait_until


def two_answers() -> list[Any]:
    return [about(LAN, name) for name in ("Lan", "Lan Anh")]


def test_every_message_is_minimised_and_recorded_by_itself(tmp_path: Path) -> None:
    with following(tmp_path, two_answers()) as place:
        place.double.go_on.set()
        call = place.follow()
        received = list(call)

        assert [name_in(raw) for raw in received] == ["Lan", "Lan Anh"]
        assert all(b"secret" not in raw for raw in received)
        assert place.recorded() == [("EXCHANGE", 0, ""), ("EXCHANGE", 1, "")]
        assert Receipt.of(call.trailing_metadata()).datasets_withheld == ("family",)


def test_a_consent_revoked_in_the_middle_ends_the_stream(tmp_path: Path) -> None:
    with following(tmp_path, two_answers()) as place:
        call = place.follow()
        assert next(call)
        stub = ConsentServiceStub(place.world.channel(members.IDENTITY))
        stub.RevokeConsent(RevokeConsentRequest(consent_id=place.consent.consent_id), timeout=TIMEOUT_S)
        place.double.go_on.set()

        with pytest.raises(grpc.RpcError) as caught:
            next(call)

        assert explain(caught.value).reason == "CONSENT_REVOKED"
        assert place.recorded() == [("EXCHANGE", 0, ""), ("REFUSAL", 1, "CONSENT_REVOKED")]


def test_the_end_of_a_stream_says_nothing_of_the_message_that_was_withheld_nor_of_the_one_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, LOGGER), following(tmp_path, two_answers()) as place:
        call = place.follow()
        assert next(call)
        stub = ConsentServiceStub(place.world.channel(members.IDENTITY))
        stub.RevokeConsent(RevokeConsentRequest(consent_id=place.consent.consent_id), timeout=TIMEOUT_S)
        place.double.go_on.set()
        with pytest.raises(grpc.RpcError):
            next(call)
        released, refused = (entry for entry in place.world.entries() if entry["method"] == FOLLOW)

    assert released["response_digest"]
    assert (refused["response_digest"], refused["response_bytes"]) == ("", 0)
    assert refused["request_digest"] == released["request_digest"]
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records if record.name == LOGGER]
    told = [line["response_bytes"] for line in lines if line["reason"] == "CONSENT_REVOKED"]
    assert told == [released["response_bytes"]]


def test_the_line_of_a_stream_is_about_all_its_messages_and_each_entry_about_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, LOGGER), following(tmp_path, two_answers()) as place:
        place.double.go_on.set()
        assert len(list(place.follow())) == 2
        entries = [entry for entry in place.world.entries() if entry["method"] == FOLLOW]

        def told() -> list[dict[str, Any]]:
            written = (json.loads(JsonLines().format(record)) for record in caplog.records if record.name == LOGGER)
            return [line for line in written if line["method"] == FOLLOW]

        wait_until(told)
        (line,) = told()

    assert line["response_bytes"] == sum(entry["response_bytes"] for entry in entries)
    assert "record" in line["step_us"]
    assert not [entry for entry in entries if "record" in entry["step_us"]]
    assert line["step_us"]["forward"] >= max(entry["step_us"]["forward"] for entry in entries)


def test_a_consent_that_is_over_in_the_middle_ends_the_stream(tmp_path: Path) -> None:
    with following(tmp_path, two_answers()) as place:
        call = place.follow()
        assert next(call)
        place.world.clock.advance(place.consent.valid_until.ToDatetime(UTC) - place.world.clock.now())
        place.double.go_on.set()

        with pytest.raises(grpc.RpcError) as caught:
            next(call)

        assert explain(caught.value).reason == "CONSENT_EXPIRED"
        assert place.recorded() == [("EXCHANGE", 0, ""), ("REFUSAL", 1, "CONSENT_EXPIRED")]


def test_a_stream_uses_its_consent_once_whatever_is_consented_to_meanwhile(tmp_path: Path) -> None:
    with following(tmp_path, two_answers(), uses=1) as place:
        call = place.follow()
        assert next(call)
        place.world.consent(number=MAI)
        place.double.go_on.set()

        assert name_in(next(call)) == "Lan Anh"
        with pytest.raises(grpc.RpcError) as caught:
            next(place.follow())

        assert explain(caught.value).reason == "CONSENT_USED_UP"


def test_a_message_about_another_citizen_ends_the_stream_and_is_not_released(tmp_path: Path) -> None:
    with following(tmp_path, [about(LAN, "Lan"), about(MAI, "Mai")]) as place:
        place.double.go_on.set()
        call = place.follow()
        assert name_in(next(call)) == "Lan"

        with pytest.raises(grpc.RpcError) as caught:
            next(call)

        why = explain(caught.value)
        assert why.reason == "PROVIDER_ANSWER_MISMATCH"
        assert "that answer is not released" in why.message
        assert place.recorded() == [("EXCHANGE", 0, ""), ("REFUSAL", 1, "PROVIDER_ANSWER_MISMATCH")]


def test_a_stream_of_nothing_is_recorded_too_and_leads_to_its_entry(tmp_path: Path) -> None:
    with following(tmp_path, []) as place:
        call = place.follow()
        assert list(call) == []

        assert place.recorded() == [("EXCHANGE", 0, "")]
        receipt = Receipt.of(call.trailing_metadata())
        entry = place.world.entries()[receipt.log_index]
        assert (entry["exchange_id"], entry["response_bytes"]) == (receipt.exchange_id, 0)
        assert entry["datasets_released"] == list(receipt.datasets_released) == ["identity.basic"]


@pytest.mark.parametrize("kin", [("Mai", "", "Hòa", ""), ("", "")], ids=["among others", "alone"])
def test_a_stream_does_not_tell_how_many_messages_there_are_of_what_was_not_granted(
    tmp_path: Path, kin: tuple[str, ...]
) -> None:
    answers = [message("FollowResponse", personal_number=LAN, name="Lan", kin=each) for each in kin]
    with following(tmp_path, answers, datasets=["family"]) as place:
        place.double.go_on.set()
        received = list(place.follow())

        told = [message("FollowResponse", kin=each).SerializeToString() for each in kin if each]
        assert received == told
        entries = [entry for entry in place.world.entries() if entry["method"] == FOLLOW]
        assert [entry["sequence"] for entry in entries] == list(range(len(told) or 1))
        assert [bool(entry["response_digest"]) for entry in entries] == [True for _ in told] or [False]


def test_a_caller_who_goes_away_in_the_middle_is_noted(tmp_path: Path) -> None:
    with following(tmp_path, two_answers()) as place:
        call = place.follow()
        assert next(call)
        call.cancel()

        wait_until(lambda: len(place.recorded()) > 1)
        assert place.recorded() == [("EXCHANGE", 0, ""), ("REFUSAL", 1, "CALLER_GONE")]
        (gone,) = (entry for entry in place.world.entries() if entry["reason"] == "CALLER_GONE")
        assert (gone["response_digest"], gone["response_bytes"]) == ("", 0)


def test_a_caller_who_reads_on_after_the_streams_time_is_over_is_told_so(tmp_path: Path) -> None:
    more_than_a_connection_holds = [about(LAN, "x" * 60_000)] * 400
    with following(tmp_path, more_than_a_connection_holds, limits=Limits(stream_deadline_s=1)) as place:
        place.double.go_on.set()
        call = place.follow()
        assert next(call)
        wait_until(lambda: place.recorded()[-1][2] == "DEADLINE_PASSED")

        with pytest.raises(grpc.RpcError) as caught:
            list(call)

        assert explain(caught.value).reason == "DEADLINE_PASSED"


@pytest.mark.parametrize(
    ("caller", "size", "reason"),
    [(members.PORTAL, 0, "CALLER_NOT_ALLOWED"), (members.GATEWAY, MAX_MESSAGE_BYTES + 1, "MESSAGE_TOO_LARGE")],
    ids=["of another system", "too large"],
)
def test_a_provider_that_streams_answers_the_gateway_alone_and_no_message_above_the_limit(
    tmp_path: Path, caller: SystemId, size: int, reason: str
) -> None:
    with following(tmp_path, two_answers()) as place:
        address, identity = place.world.config.providers[PROVIDER], place.world.identity(caller)
        with grpc.secure_channel(address, identity.channel_credentials()) as channel:
            follow: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(FOLLOW)
            why = refusal_of(lambda: next(follow(bytes(size), timeout=TIMEOUT_S)))

    assert why.reason == reason


def test_a_stream_is_not_begun_over_http_and_whoever_asks_for_it_there_counts_as_a_reader(tmp_path: Path) -> None:
    with following(tmp_path, two_answers(), limits=Limits(rates={members.BANK: Rate(0.001, 1)})) as place:
        bank = place.world.curl(tmp_path, members.BANK)
        told, refused = bank.call(FOLLOW, {}), bank.call(FOLLOW, {})

        assert (told.status, told.json["status"]) == (415, 415)
        assert "spoken over gRPC only" in told.json["detail"]
        assert (refused.status, refused.json["reason"]) == (429, "RATE_LIMITED")
        assert place.recorded() == []


def test_a_stream_without_consent_does_not_begin(tmp_path: Path) -> None:
    with following(tmp_path, two_answers()) as place:
        stub = ConsentServiceStub(place.world.channel(members.IDENTITY))
        stub.RevokeConsent(RevokeConsentRequest(consent_id=place.consent.consent_id), timeout=TIMEOUT_S)

        with pytest.raises(grpc.RpcError) as caught:
            next(place.follow())

        assert explain(caught.value).reason == "CONSENT_REVOKED"
        assert place.recorded() == [("REFUSAL", 0, "CONSENT_REVOKED")]


def test_a_stream_that_ends_with_a_reason_that_nobody_declared_says_nothing_of_it(tmp_path: Path) -> None:
    end = not_found("NGUYEN_THI_LAN", "She lives in Hang Bai street.")
    with following(tmp_path, [about(LAN, "Lan"), end]) as place:
        place.double.go_on.set()
        call = place.follow()
        assert name_in(next(call)) == "Lan"

        with pytest.raises(grpc.RpcError) as caught:
            next(call)

        why = explain(caught.value)
        assert why.reason == "PROVIDER_ANSWER_INVALID"
        assert "Hang Bai" not in why.message
        assert place.recorded() == [("EXCHANGE", 0, ""), ("REFUSAL", 1, "PROVIDER_ANSWER_INVALID")]
