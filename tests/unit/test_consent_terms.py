"""What a consent is about: kept as it was asked for, and shown with a text whose digest anybody can compute."""

import hashlib
import json
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong_core.errors import Refusal
from lienthong_gateway.consents.legal_text import CURRENT, LEGAL_TEXTS
from lienthong_gateway.consents.terms import (
    LONGEST_PERIOD,
    MOST_USES,
    Terms,
    check_reference,
    frequency_of,
    period_of,
    retention_of,
)

lengths = st.integers(1, int(LONGEST_PERIOD.total_seconds())).map(lambda seconds: timedelta(seconds=seconds))
terms = st.builds(
    Terms,
    subject_number=st.just("099190000001"),
    consumer=st.text(),
    provider=st.text(),
    datasets=st.frozensets(st.text(), min_size=1),
    purpose=st.text(),
    valid_for=lengths,
    legal_text_version=st.sampled_from(sorted(LEGAL_TEXTS)),
    purpose_title_vi=st.text(),
    purpose_title_en=st.text(),
    purpose_reference=st.text(),
    uses=st.integers(0, MOST_USES),
    uses_per=st.none() | lengths,
    retention=st.none() | lengths,
)


@given(terms)
def test_terms_are_read_as_they_were_stored_and_say_nothing_of_the_citizen(asked: Terms) -> None:
    stored = json.dumps(asked.claims())

    assert Terms.of(asked.subject_number, json.loads(stored)) == asked
    assert "subject_number" not in asked.claims()


@given(st.integers(), st.none() | st.integers(), lengths)
def test_a_frequency_that_is_taken_lies_within_the_period(uses: int, per: int | None, valid_for: timedelta) -> None:
    with suppress(Refusal):
        taken, length = frequency_of(uses, per, valid_for)
        assert 0 <= taken <= MOST_USES
        assert length is None or (taken > 0 and timedelta() < length <= valid_for)


@given(st.integers())
def test_a_period_that_is_taken_is_no_longer_than_the_longest(seconds: int) -> None:
    with suppress(Refusal):
        assert timedelta() < period_of(seconds) <= LONGEST_PERIOD


def test_the_longest_and_the_most_that_are_said_to_be_taken_are() -> None:
    hour = timedelta(hours=1)

    assert period_of(366 * 86_400) == timedelta(days=366)
    assert retention_of(36_600 * 86_400) == timedelta(days=36_600)
    assert frequency_of(1_000_000, 3_600, hour) == (1_000_000, hour)
    assert check_reference("~" * 128) == "~" * 128


def test_the_digest_of_the_legal_text_can_be_computed_without_this_project() -> None:
    text = json.dumps(
        {"en": CURRENT.en, "version": CURRENT.version, "vi": CURRENT.vi}, ensure_ascii=False, separators=(",", ":")
    )

    assert hashlib.sha256(text.encode()).hexdigest() == CURRENT.digest


@pytest.mark.parametrize("version", sorted(LEGAL_TEXTS))
def test_a_legal_text_is_found_by_its_own_version(version: str) -> None:
    assert LEGAL_TEXTS[version].version == version


def test_the_text_that_was_shown_first_has_not_been_changed() -> None:
    assert LEGAL_TEXTS["2026-01-01"].digest == "463c004f2b5fed11e9cafbfda369e0cebe46f8fef42a555495f6e4dc046a08a3"
