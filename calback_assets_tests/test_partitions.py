"""Tests of days: which instants a day covers, and which days of an input belong to a day of an output."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from calback_assets.days import Stretch, days_between
from calback_assets.partitions import EARLIER, LATER, SAME_DAY, Reach, daily_partitions, partition_mapping, trailing

FIRST, LAST = date(2023, 1, 1), date(2024, 12, 31)
days = some.dates(FIRST, LAST)
some_stretches = some.tuples(days, some.integers(0, 40)).map(
    lambda drawn: Stretch(drawn[0], min(LAST, drawn[0] + timedelta(days=drawn[1])))
)
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
    assert reach.of(Stretch.on(date(2024, 3, 1)), FIRST, LAST) == expected


@given(reaches, some_stretches)
def test_days_that_are_written_at_once_read_what_any_of_them_reads(reach: Reach, stretch: Stretch) -> None:
    windows = [reach.of(Stretch.on(day), date.min, date.max - timedelta(days=1)) for day in stretch.days]
    read = {start + timedelta(days=age) for start, end in windows for age in range((end - start).days)}

    start, end = reach.of(stretch, date.min, date.max - timedelta(days=1))
    assert set(days_between(start, end - timedelta(days=1))) == read


@given(some_stretches)
def test_earlier_and_later_days_are_those_around_all_that_are_written_at_once(stretch: Stretch) -> None:
    assert EARLIER.of(stretch, FIRST, LAST) == (FIRST, stretch.first)
    assert LATER.of(stretch, FIRST, LAST) == (stretch.until, LAST + timedelta(days=1))


@given(reaches, some_stretches)
def test_what_reads_any_day_of_a_stretch_depends_on_the_stretch(reach: Reach, stretch: Stretch) -> None:
    ranges = [reach.dependents(Stretch.on(day)) for day in stretch.days]

    assert reach.dependents(stretch) == (min(first for first, _ in ranges), max(until for _, until in ranges))


@pytest.mark.parametrize("reach", [EARLIER, LATER])
def test_a_reach_without_a_bound_has_neither_dependents_nor_a_mapping(reach: Reach) -> None:
    with pytest.raises(ValueError, match="has no bound"):
        reach.dependents(Stretch.on(FIRST))
    with pytest.raises(ValueError, match="has no bound"):
        partition_mapping(reach)


def test_partitions_of_a_closed_data_set_end_with_its_last_day() -> None:
    keys = daily_partitions(date(2024, 2, 27), date(2024, 3, 1), "Asia/Seoul").get_partition_keys()

    assert keys == ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01"]


def test_partitions_of_an_open_data_set_end_with_yesterday_in_the_time_zone() -> None:
    partitions = daily_partitions(date(2024, 2, 27), None, "Asia/Seoul")

    before, after = (datetime(2024, 2, 28, hour, 59, tzinfo=UTC) for hour in (14, 15))
    assert partitions.get_partition_keys(before) == ["2024-02-27"]
    assert partitions.get_partition_keys(after) == ["2024-02-27", "2024-02-28"]
