"""Who decides about a citizen's data, by her age."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong_gateway.consents import states
from lienthong_services.identity.representation import SubjectAge, subject_age
from lienthong_services.identity.rules import frequency_text, retention_text

# Still 2026-11-20 in UTC, and 2026-11-21 in Vietnam.
NOW = int(datetime(2026, 11, 20, 18, 0, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("born", "age"),
    [
        ("1990-03-15", SubjectAge.GROWN_UP),
        ("2010-11-21", SubjectAge.GROWN_UP),
        ("2010-11-22", SubjectAge.CHILD_FROM_7),
        ("2019-11-21", SubjectAge.CHILD_FROM_7),
        ("2019-11-22", SubjectAge.CHILD_UNDER_7),
        ("2026-11-20", SubjectAge.CHILD_UNDER_7),
        ("1952", SubjectAge.GROWN_UP),
        ("2010", SubjectAge.CHILD_FROM_7),
        ("2009", SubjectAge.GROWN_UP),
        ("2010-11", SubjectAge.CHILD_FROM_7),
        ("2010-10", SubjectAge.GROWN_UP),
        ("2019-02", SubjectAge.CHILD_FROM_7),
        ("2012-02-29", SubjectAge.CHILD_FROM_7),
    ],
)
def test_age_counts_by_the_day_in_vietnam_and_an_unknown_day_is_the_last(born: str, age: SubjectAge) -> None:
    assert subject_age(born, NOW) == age


@given(st.dates(min_value=datetime(1900, 1, 1, tzinfo=UTC).date(), max_value=datetime(2026, 11, 21, tzinfo=UTC).date()))
def test_knowing_less_of_a_birth_date_never_makes_anybody_older(born: object) -> None:
    order = [SubjectAge.CHILD_UNDER_7, SubjectAge.CHILD_FROM_7, SubjectAge.GROWN_UP]
    ages = [order.index(subject_age(str(born)[:length], NOW)) for length in (4, 7, 10)]

    assert ages == sorted(ages)


def test_gateway_and_identity_provider_use_the_same_words_for_ages() -> None:
    assert [str(age) for age in SubjectAge] == [str(age) for age in states.SubjectAge]


@pytest.mark.parametrize(
    ("uses", "per", "text"),
    [
        (0, 0, ("không giới hạn số lần", "any number of times")),
        (1, 0, ("1 lần", "once")),
        (5, 86_400, ("5 lần trong mỗi 1 ngày", "5 times in each 1 day")),
    ],
)
def test_how_often_is_said_in_words(uses: int, per: int, text: tuple[str, str]) -> None:
    assert frequency_text(uses, per) == text


def test_how_long_data_are_kept_is_said_in_words() -> None:
    assert retention_text(172_800) == ("2 ngày", "2 days")
    assert retention_text(0) == ("đến khi đạt mục đích", "until the purpose is served")
