"""Tests of days as text and in time zones, and of stretches of them."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from calback_assets.days import Stretch, day_bounds, parse_day, span, stretches

FIRST, LAST = date(2023, 1, 1), date(2024, 12, 31)
days = some.dates(FIRST, LAST)


@pytest.mark.parametrize(
    ("day", "timezone", "hours"),
    [
        (date(2024, 3, 10), "America/New_York", 23),
        (date(2024, 11, 3), "America/New_York", 25),
        (date(2024, 7, 1), "America/New_York", 24),
        (date(2024, 3, 10), "Asia/Seoul", 24),
        # Clocks that skip midnight itself, and a day that an island left out.
        (date(2018, 11, 4), "America/Sao_Paulo", 23),
        (date(2011, 12, 30), "Pacific/Apia", 0),
    ],
)
def test_a_day_has_as_many_hours_as_its_clocks_give_it(day: date, timezone: str, hours: int) -> None:
    start, end = day_bounds(day, timezone)

    assert end - start == timedelta(hours=hours)


def test_a_day_in_seoul_begins_at_fifteen_hours_utc() -> None:
    assert day_bounds(date(2024, 1, 10), "Asia/Seoul") == (
        datetime(2024, 1, 9, 15, tzinfo=UTC),
        datetime(2024, 1, 10, 15, tzinfo=UTC),
    )


@given(days, some.sampled_from(["Asia/Seoul", "America/New_York", "Europe/London", "Pacific/Chatham"]))
def test_days_leave_no_gap_and_do_not_overlap(day: date, timezone: str) -> None:
    assert day_bounds(day, timezone)[1] == day_bounds(day + timedelta(days=1), timezone)[0]


@given(days)
def test_a_day_that_was_written_out_is_read_back(day: date) -> None:
    assert parse_day(day.isoformat()) == day


@pytest.mark.parametrize("text", ["20240110", "2024-W02-3", "2024-1-10", "2024-02-30", "", "yesterday", "2024-01-10 "])
def test_what_is_not_a_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|is not YYYY-MM-DD|out of range"):
        parse_day(text)


@given(some.sets(days))
def test_stretches_cover_exactly_the_days_and_never_touch(chosen: set[date]) -> None:
    found = list(stretches(chosen))

    assert [day for stretch in found for day in stretch.days] == sorted(chosen)
    assert all(later.first - earlier.last > timedelta(days=1) for earlier, later in pairwise(found))


def test_a_stretch_has_its_first_and_its_last_day_and_no_other() -> None:
    leap = Stretch(date(2024, 2, 28), date(2024, 3, 1))

    assert leap.days == [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]
    assert leap.until == date(2024, 3, 2)
    assert [day in leap for day in (date(2024, 2, 27), *leap.days, leap.until)] == [False, True, True, True, False]
    assert str(leap) == "2024-02-28 to 2024-03-01"
    assert str(Stretch.on(leap.first)) == "2024-02-28"


def test_of_many_stretches_the_first_are_named() -> None:
    chosen = [date(2024, 1, day) for day in (1, 2, 5, 9, 10, 11, 20, 30)]

    assert span(chosen) == "2024-01-01 to 2024-01-02, 2024-01-05, 2024-01-09 to 2024-01-11 and 2 stretches more"
