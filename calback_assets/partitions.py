"""Which days of an input belong to the days of an output, and what they are to Dagster.

Reaches and partition mappings belong here; nothing about tables or engines.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from dagster import DailyPartitionsDefinition, TimeWindowPartitionMapping

from calback_assets.days import Stretch

DAY_FORMAT = "%Y-%m-%d"
INSIGHT_DAYS = 400
"""How far back a table looks that is as of the newest day: a year, and the weeks that its first cohorts need."""
REWRITTEN_DAYS = 3
"""Google Analytics rewrites a daily table for up to three days after its date."""
PARTITION_TAG = "dagster/partition"
"""Of a run of one day; a run of a range of days has the other two."""
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"


def final_from(day: date) -> date:
    """The night from which on Google Analytics changes nothing of a day any more."""
    return day + timedelta(days=REWRITTEN_DAYS + 1)


@dataclass(frozen=True)
class Reach:
    """The days of an input that a day of an output reads, as offsets from that day, both inclusive.

    None stands for as far as there are days: for what lies before, or after, all days that are written at once.
    """

    first: int | None
    last: int | None

    def of(self, stretch: Stretch, first: date, last: date) -> tuple[date, date]:
        """The half-open range of days read for a stretch, all its days' together, within the days `first` to `last`."""
        foot = stretch.last if self.last is None else stretch.first
        head = stretch.first if self.first is None else stretch.last
        start = first if self.first is None else max(first, foot + timedelta(days=self.first))
        end = last if self.last is None else min(last, head + timedelta(days=self.last))
        return start, end + timedelta(days=1)

    @property
    def covers_its_day(self) -> bool:
        """Whether a day reads the same day of the input."""
        return (self.first is None or self.first <= 0) and (self.last is None or self.last >= 0)

    def dependents(self, stretch: Stretch) -> tuple[date, date]:
        """The half-open range of output days that read any of these, unbounded by the data set.

        Raises:
            ValueError: the reach has no bound, so neither have its dependents.
        """
        if self.first is None or self.last is None:
            raise ValueError(f"{self} has no bound")
        return stretch.first - timedelta(days=self.last), stretch.last - timedelta(days=self.first) + timedelta(days=1)


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
