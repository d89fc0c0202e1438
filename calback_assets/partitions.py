"""What a day is, and which days of an input belong to a day of an output.

Day arithmetic and partition mappings belong here; nothing about tables or engines.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dagster import DailyPartitionsDefinition, TimeWindowPartitionMapping

DAY_FORMAT = "%Y-%m-%d"
PARTITION_TAG = "dagster/partition"
"""Of a run of one day; a run of a range of days has the other two."""
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
_SHOWN_STRETCHES = 3


@dataclass(frozen=True)
class Reach:
    """The days of an input that a day of an output reads, as offsets from that day, both inclusive.

    None stands for as far as there are days.
    """

    first: int | None
    last: int | None

    def of(self, day: date, first: date, last: date) -> tuple[date, date]:
        """The half-open range of days read for `day`, within a data set of the days `first` to `last`."""
        start = first if self.first is None else max(first, day + timedelta(days=self.first))
        end = last if self.last is None else min(last, day + timedelta(days=self.last))
        return start, end + timedelta(days=1)

    @property
    def covers_its_day(self) -> bool:
        """Whether a day reads the same day of the input."""
        return (self.first is None or self.first <= 0) and (self.last is None or self.last >= 0)

    def dependents(self, day: date) -> tuple[date, date]:
        """The half-open range of output days that read `day`, unbounded by the data set.

        Raises:
            ValueError: the reach has no bound, so neither have its dependents.
        """
        if self.first is None or self.last is None:
            raise ValueError(f"{self} has no bound")
        return day - timedelta(days=self.last), day - timedelta(days=self.first) + timedelta(days=1)


SAME_DAY = Reach(0, 0)
EARLIER = Reach(None, -1)
LATER = Reach(1, None)


def trailing(days: int) -> Reach:
    """The window of that many days that ends with the day."""
    return Reach(1 - days, 0)


def daily_partitions(first: date, last: date | None, timezone: str) -> DailyPartitionsDefinition:
    """One partition a day from `first`, up to `last` where the data set is closed, else up to yesterday."""
    end = None if last is None else (last + timedelta(days=1)).strftime(DAY_FORMAT)
    return DailyPartitionsDefinition(
        start_date=first.strftime(DAY_FORMAT), end_date=end, timezone=timezone, fmt=DAY_FORMAT
    )


def days_between(first: date, last: date) -> list[date]:
    """The days from the first to the last."""
    return [first + timedelta(days=age) for age in range((last - first).days + 1)]


def stretches(days: Iterable[date]) -> Iterator[tuple[date, date]]:
    """Runs of consecutive days, as first and last day each."""
    ordered = sorted(days)
    start = 0
    for index, day in enumerate(ordered):
        if index + 1 == len(ordered) or ordered[index + 1] - day > timedelta(days=1):
            yield ordered[start], day
            start = index + 1


def span(days: Iterable[date]) -> str:
    """Days as a person writes them, the first stretches of them."""
    found = [str(first) if first == last else f"{first} to {last}" for first, last in stretches(days)]
    more = f" and {len(found) - _SHOWN_STRETCHES} stretches more" if len(found) > _SHOWN_STRETCHES else ""
    return ", ".join(found[:_SHOWN_STRETCHES]) + more


def partition_mapping(reach: Reach) -> TimeWindowPartitionMapping:
    """Dagster's mapping for a bounded reach; days before the data set are taken as empty.

    Raises:
        ValueError: the reach has no bound.
    """
    if reach.first is None or reach.last is None:
        raise ValueError(f"{reach} has no bound")
    return TimeWindowPartitionMapping(
        start_offset=reach.first, end_offset=reach.last, allow_nonexistent_upstream_partitions=True
    )


def day_bounds(day: date, timezone: str) -> tuple[datetime, datetime]:
    """The half-open range of UTC instants that `day` covers; 23 or 25 hours where clocks change."""
    zone = ZoneInfo(timezone)
    start, end = (
        datetime.combine(moment, time(), tzinfo=zone).astimezone(UTC) for moment in (day, day + timedelta(days=1))
    )
    return start, end


def parse_day(text: str) -> date:
    """A day from `YYYY-MM-DD`.

    Raises:
        ValueError: the text is no such day.
    """
    day = date.fromisoformat(text)
    if day.isoformat() != text:
        raise ValueError(f"{text!r} is not YYYY-MM-DD")
    return day
