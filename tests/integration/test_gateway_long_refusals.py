"""A refusal that quotes what the caller sent: however long that is, the caller still reads the reason."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from lienthong.client import Explanation
from lienthong_core.database import sqlite_url
from lienthong_core.errors import Refusal
from lienthong_seeds import members
from tests.support.citizens import LAN
from tests.support.gateway_world import PURPOSE, GatewayWorld, gateway_world, refusal_of

REQUEST_CONSENT = "/lienthong.api.consent.v1.ConsentService/RequestConsent"
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    with gateway_world(sqlite_url(tmp_path_factory.mktemp("long") / "gateway.sqlite")) as world:
        yield world


def assert_readable(why: Explanation, reason: str) -> None:
    assert (why.reason, why.status) == (reason, INVALID)
    assert 0 < len(why.message.encode()) <= 1_400
    assert why.metadata["origin"] == "gateway"


LONG = {
    "ASCII": "mortgage-" * 2_300,
    "Vietnamese": "cư trú-" * 2_300,
    "outside the first plane": "\U0001f3e0" * 5_000,
    "half a character at the limit": "-" + "trú" * 5_000,
}


@pytest.mark.parametrize("purpose", LONG.values(), ids=LONG)
def test_a_purpose_of_20_kb_that_nobody_registered_is_refused_with_its_reason(
    world: GatewayWorld, tmp_path: Path, purpose: str
) -> None:
    assert_readable(refusal_of(lambda: world.request_consent(purpose=purpose)), "PURPOSE_UNKNOWN")

    request = {
        "subjectNumber": LAN,
        "provider": str(members.POPULATION),
        "datasets": ["identity.basic"],
        "purpose": purpose,
        "validFor": "3600s",
    }
    answer = world.curl(tmp_path, members.PORTAL).call(REQUEST_CONSENT, request)
    assert (answer.status, answer.error_info.reason) == (400, "PURPOSE_UNKNOWN")
    assert len(answer.json["message"].encode()) <= 1_400


def test_a_thousand_datasets_that_nobody_has_are_refused_with_their_reason(world: GatewayWorld) -> None:
    datasets = [f"identity.unheard-of-{number}" for number in range(1_000)]

    assert_readable(refusal_of(lambda: world.request_consent(datasets=datasets, purpose=PURPOSE)), "DATASET_UNKNOWN")


def test_a_message_that_is_cut_says_so_and_a_short_one_is_left_as_it_is() -> None:
    short = "Đã hết hạn. " * 60

    assert Refusal(INVALID, "X", short).message == short
    cut = Refusal(INVALID, "X", short * 20).message
    assert cut.endswith("\u2026")
    assert (short * 20).startswith(cut[:-1])
    assert 1_390 < len(cut.encode()) <= 1_400


def test_half_a_character_in_what_is_quoted_is_said_as_a_question_mark() -> None:
    assert Refusal(INVALID, "REQUEST_MALFORMED", "There is no \ud800.").message == "There is no ?."
