"""Tests of days: which instants a day covers, and which days of an input belong to a day of an output."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from calback_assets.days import Stretch, day_bounds, parse_day, stretches
from calback_assets.partitions import EARLIER, LATER, SAME_DAY, Reach, daily_partitions, partition_mapping, trailing

FIRST, LAST = date(2023, 1, 1), date(2024, 12, 31)
days = some.dates(FIRST, LAST)
reaches = some.tuples(some.integers(-40, 40), some.integers(-40, 40)).map(lambda ends: Reach(min(ends), max(ends)))


@given(reaches, days, days)
def test_a_day_is_read_exactly_by_its_dependents(reach: Reach, read: date, written: date) -> None:
    start, end = reach.of(Stretch.on(written), FIRST, LAST)
    first, until = reach.dependents(Stretch.on(read))

    assert (start <= read < end) == (first <= written < until)


@given(reaches, days)
def test_no_day_outside_the_data_set_is_read(reach: Reach, day: date) -> None:
    start, end = reach.of(Stretch.on(day), FIRST, LAST)

    assert start >= FIRST
    assert end <= LAST + timedelta(days=1)


@pytest.mark.parametrize(
    ("reach", "expected"),
    [
        (SAME_DAY, (date(2024, 3, 1), date(2024, 3, 2))),
        (trailing(1), (date(2024, 3, 1), date(2024, 3, 2))),
        (trailing(30), (date(2024, 2, 1), date(2024, 3, 2))),
        (EARLIER, (FIRST, date(2024, 3, 1))),
        (LATER, (date(2024, 3, 2), date(2025, 1, 1))),
    ],
)
def test_a_reach_names_a_half_open_range(reach: Reach, expected: tuple[date, date]) -> None:
    assert reach.of(date(2024, 3, 1), FIRST, LAST) == expected


@pytest.mark.parametrize("reach", [EARLIER, LATER])
def test_a_reach_without_a_bound_has_neither_dependents_nor_a_mapping(reach: Reach) -> None:
    with pytest.raises(ValueError, match="has no bound"):
        reach.dependents(Stretch.on(FIRST))
    with pytest.raises(ValueError, match="has no bound"):
        partition_mapping(reach)


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


def test_partitions_of_a_closed_data_set_end_with_its_last_day() -> None:
    keys = daily_partitions(date(2024, 2, 27), date(2024, 3, 1), "Asia/Seoul").get_partition_keys()

    assert keys == ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01"]


def test_partitions_of_an_open_data_set_end_with_yesterday_in_the_time_zone() -> None:
    partitions = daily_partitions(date(2024, 2, 27), None, "Asia/Seoul")

    before, after = (datetime(2024, 2, 28, hour, 59, tzinfo=UTC) for hour in (14, 15))
    assert partitions.get_partition_keys(before) == ["2024-02-27"]
    assert partitions.get_partition_keys(after) == ["2024-02-27", "2024-02-28"]


@given(some.sets(days))
def test_stretches_cover_exactly_the_days_and_never_touch(chosen: set[date]) -> None:
    found = list(stretches(chosen))
    covered = [start + timedelta(days=age) for start, end in found for age in range((end - start).days + 1)]
    assert covered == sorted(chosen)
    assert all(later[0] - earlier[1] > timedelta(days=1) for earlier, later in pairwise(found))
