"""The nightly schedule: which days are due, and the runs that bring them up to date.

Dagster's own partitioned schedule forgets all missed ticks but the last; this one asks the instance what is missing.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from dagster import (
    AssetKey,
    DagsterInstance,
    DailyPartitionsDefinition,
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    schedule,
)
from dagster._core.storage.partition_status_cache import AssetPartitionStatus

from calback_assets.automation.jobs import daily_job
from calback_assets.partitions import DAY_FORMAT, parse_day

REWRITTEN_DAYS = 3
"""Google Analytics rewrites a daily table for up to three days after its date."""
LOOK_BACK_DAYS = 30
"""Days without a materialization are looked for this far back."""
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"


def due_days(today: date, first: date, last: date | None, missing: Iterable[date]) -> list[date]:
    """The days to materialize on the night in which `today` begins, in order.

    Args:
        today: the day that has just begun; it is not due.
        first: the first partition.
        last: the last partition of a closed data set, else None.
        missing: days that are not materialized.
    """
    yesterday = today - timedelta(days=1)
    newest = yesterday if last is None else min(yesterday, last)
    rewritten = {yesterday - timedelta(days=age) for age in range(REWRITTEN_DAYS + 1)}
    oldest = yesterday - timedelta(days=LOOK_BACK_DAYS - 1)
    return sorted(day for day in rewritten | {day for day in missing if day >= oldest} if first <= day <= newest)


def stretches(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """Runs of consecutive days, as first and last day each."""
    start = None
    for index, day in enumerate(days):
        start = start or day
        if index + 1 == len(days) or days[index + 1] - day > timedelta(days=1):
            yield start, day
            start = None


def nightly_schedule(
    partitions: DailyPartitionsDefinition, assets: Sequence[AssetKey], timezone: str, last: date | None
) -> ScheduleDefinition:
    """The schedule at 00:00 in the time zone, running by default."""

    @schedule(
        name="nightly",
        cron_schedule="0 0 * * *",
        execution_timezone=timezone,
        job=daily_job,
        default_status=DefaultScheduleStatus.RUNNING,
        description="Yesterday, the three days before it that Google Analytics still rewrites, and every day of the last "
        "30 that is missing or failed.",
    )
    def nightly(context: ScheduleEvaluationContext) -> Iterator[RunRequest | SkipReason]:
        today = context.scheduled_execution_time.astimezone(ZoneInfo(timezone)).date()
        first = parse_day(str(partitions.get_first_partition_key()))
        window = [today - timedelta(days=age) for age in range(1, LOOK_BACK_DAYS + 1)]
        days = due_days(
            today, first, last, _missing(context.instance, partitions, assets, window, context.scheduled_execution_time)
        )
        if not days:
            yield SkipReason(_why_nothing(today, first, last))
        # A Dagster run covers one unbroken range of partitions; a hole further back is a run of its own, oldest first.
        for start, end in stretches(days):
            yield RunRequest(
                run_key=f"{today}/{start}",
                tags={RANGE_START_TAG: start.strftime(DAY_FORMAT), RANGE_END_TAG: end.strftime(DAY_FORMAT)},
            )

    return nightly


def _missing(
    instance: DagsterInstance,
    partitions: DailyPartitionsDefinition,
    assets: Sequence[AssetKey],
    window: Sequence[date],
    now: datetime,
) -> Iterator[date]:
    """Days of the window on which any of the assets is not materialized, or was last tried and failed."""
    keys = [day.strftime(DAY_FORMAT) for day in window]
    statuses = [instance.get_status_by_partition(asset, keys, partitions) or {} for asset in assets]
    for day, key in zip(window, keys, strict=True):
        if any(status.get(key) is not AssetPartitionStatus.MATERIALIZED for status in statuses):
            yield day


def _why_nothing(today: date, first: date, last: date | None) -> str:
    if first >= today:
        return f"nothing to do: the first day, {first}, is not over yet"
    return f"nothing to do: the data set ends with {last}, and every day of the last {LOOK_BACK_DAYS} is materialized"
