"""Whether as much came as usual: a check of each raw table that warns, and stops nothing.

What is usual, and how it is counted, belongs here. What must be true stands in the package itself.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from statistics import median

import pyarrow as pa
import pyarrow.compute as pc
from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    MetadataValue,
    ResourceParam,
    asset_check,
)

from calback_assets.checks.days import days_to_check
from calback_assets.days import days_between
from calback_assets.tables import Table
from calback_assets.warehouse.io_manager import Calendar
from calback_assets.warehouse.output import TableRef
from calback_assets.warehouse.warehouse import Session, Warehouse

CHECK_NAME = "volume_is_usual"
WEEKS = 8
_WEEKS_WITH_ROWS = 3
"""With fewer of them nothing is said to be usual."""
_TIMES = 2
_DEVIATIONS = 3
"""A count of n varies by about the square root of n: what lies within three of these is chance, as in a small log."""
_SHOWN_DAYS = 5
_CREATED, _READ = "created_at", "snapshot_at"


def usual(counts: Mapping[date, int], day: date) -> float | None:
    """The median of the same weekday in the eight weeks before; None where too few of them had any rows.

    Args:
        counts: rows of each day that is known.
        day: the day that is looked at.
    """
    earlier = (counts.get(day - timedelta(weeks=weeks), 0) for weeks in range(1, WEEKS + 1))
    before = [count for count in earlier if count]  # A sparse log has days without rows, which say nothing.
    return median(before) if len(before) >= _WEEKS_WITH_ROWS else None


def unusual(counts: Mapping[date, int], days: Iterable[date]) -> list[str]:
    """A sentence for each of the days with less than half or more than twice of what is usual."""
    found = []
    for day in days:
        expected = usual(counts, day)
        if expected is None or abs(counts[day] - expected) <= _DEVIATIONS * math.sqrt(expected):
            continue
        if not expected / _TIMES <= counts[day] <= expected * _TIMES:
            found.append(f"{day:%A} {day} has {counts[day]:,} rows, usual are {expected:,.0f}")
    return found


def build_volume_checks(tables: Iterable[Table], calendar: Calendar) -> list[AssetChecksDefinition]:
    """One check for each raw table: of days the rows of each, of a snapshot the documents that were made on each."""
    return [_build(table, calendar) for table in tables]


def _build(table: Table, calendar: Calendar) -> AssetChecksDefinition:
    what = "rows of a day" if table.is_partitioned else "documents made on the last whole day"

    @asset_check(
        asset=table.name,
        name=CHECK_NAME,
        description=f"The {what} are between half and twice of the median of the same weekday in the last eight weeks.",
    )
    def volume_is_usual(context: AssetCheckExecutionContext, warehouse: ResourceParam[Warehouse]) -> AssetCheckResult:
        with warehouse.session() as session:
            if table.is_partitioned:
                days = days_to_check(session, table, context.run)
                counts = session.row_counts([table.name])[table.name]
            else:
                counts, days = _made(session, table, calendar)
        sentences = unusual(counts, days)
        return AssetCheckResult(
            passed=not sentences,
            severity=AssetCheckSeverity.WARN,
            metadata={
                "days": MetadataValue.int(len(days)),
                "unusual_days": MetadataValue.int(len(sentences)),
                "first_unusual_days": MetadataValue.text("; ".join(sentences[:_SHOWN_DAYS]) or "none"),
            },
        )

    return volume_is_usual


def _made(session: Session, table: Table, calendar: Calendar) -> tuple[Mapping[date, int], list[date]]:
    """Documents by the day they were made on, and the last day that was over when the snapshot was taken."""
    rows = session.read(TableRef(table, None, None), (_CREATED, _READ))
    if not rows.num_rows:
        return {}, []
    of_created, of_read = (_by_day(rows[name], calendar.timezone) for name in (_CREATED, _READ))
    over = max(of_read) - timedelta(days=1)
    last = over if calendar.last is None else min(over, calendar.last)
    return {day: of_created.get(day, 0) for day in days_between(min(of_created), last)}, [last]


def _by_day(moments: pa.ChunkedArray, timezone: str) -> dict[date, int]:
    local = pc.local_timestamp(moments.cast(pa.timestamp("us", timezone)))
    counted = pc.value_counts(pc.floor_temporal(local, unit="day").cast(pa.date32()))
    return dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))
