"""The nightly schedule: which days are due, and the runs that bring them up to date.

Dagster's own partitioned schedule forgets all missed ticks but the last; this one asks the instance what is missing.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from dagster import (
    AssetKey,
    AssetPartitionStatus,
    DagsterInstance,
    DailyPartitionsDefinition,
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    schedule,
)

from calback_assets.automation.jobs import daily_job
from calback_assets.days import stretches
from calback_assets.partitions import DAY_FORMAT, RANGE_END_TAG, RANGE_START_TAG, REWRITTEN_DAYS

LOOK_BACK_DAYS = 30
"""Days without a materialization are looked for this far back."""


def recent_days(today: date, first: date, last: date | None) -> list[date]:
    """The days that may be due on the night in which `today` begins, in order.

    Args:
        today: the day that has just begun; it is not due.
        first: the first partition.
        last: the last partition of a closed data set, else None.
    """
    days = (today - timedelta(days=age) for age in range(LOOK_BACK_DAYS, 0, -1))
    return [day for day in days if first <= day and (last is None or day <= last)]


def due_days(today: date, recent: Sequence[date], missing: Collection[date]) -> list[date]:
    """Of the recent days: yesterday, those that are still rewritten, and those that are missing."""
    yesterday = today - timedelta(days=1)
    return [day for day in recent if day in missing or yesterday - day <= timedelta(days=REWRITTEN_DAYS)]


def nightly_schedule(
    partitions: DailyPartitionsDefinition,
    assets: Sequence[AssetKey],
    timezone: str,
    last: date | None,
    arrived: Callable[[date], date | None],
    snapshots: Collection[AssetKey],
    others: Mapping[AssetKey, int],
) -> ScheduleDefinition:
    """The schedule at 00:00 in the time zone, running by default.

    Args:
        partitions: of the daily assets.
        assets: the daily assets.
        timezone: what a day is.
        last: the last partition of a closed data set, else None.
        arrived: from the first day that is due to the last that every source has; None where that cannot be told.
        snapshots: the assets without days that days are made of. Every run reads them: none builds on what another
            could not read.
        others: the assets without days that are made of days, with how many days old each may become before it is made
            anew; the last run of a night makes them.
    """
    first = partitions.start.date()

    @schedule(
        name="nightly",
        cron_schedule="0 0 * * *",
        execution_timezone=timezone,
        job=daily_job,
        default_status=DefaultScheduleStatus.RUNNING,
        description="Yesterday, the three days before it that Google Analytics still rewrites, and every day of the "
        "last 30 that is missing or failed; with the last of them the tables without days, and the model when it is "
        "old enough.",
    )
    def nightly(context: ScheduleEvaluationContext) -> list[RunRequest] | SkipReason:
        zone = ZoneInfo(timezone)
        today = context.scheduled_execution_time.astimezone(zone).date()
        recent = recent_days(today, first, last)
        due = due_days(today, recent, _missing(context.instance, partitions, assets, recent))
        if not due:
            return SkipReason(_why_nothing(today, first, last))
        # A Dagster run covers one unbroken range of partitions; a hole further back is a run of its own, oldest first.
        # Days that have not arrived fail in a run of their own, and take no other day with them.
        complete = arrived(due[0]) or due[-1]
        parts = ([day for day in due if day <= complete], [day for day in due if day > complete])
        runs = [stretch for part in parts for stretch in stretches(part)]
        # A run of days that have not arrived makes nothing of them.
        last_run = next((stretch for stretch in reversed(runs) if stretch.last <= complete), runs[-1])
        old = [key for key, days in others.items() if _age(context.instance, key, today, zone) >= days]
        return [
            RunRequest(
                # A tick that is evaluated again may find the start of a stretch in progress; its end stays.
                run_key=stretch.last.strftime(DAY_FORMAT),
                asset_selection=[*assets, *snapshots, *(old if stretch is last_run else ())],
                tags={
                    RANGE_START_TAG: stretch.first.strftime(DAY_FORMAT),
                    RANGE_END_TAG: stretch.last.strftime(DAY_FORMAT),
                },
            )
            for stretch in runs
        ]

    return nightly


def _missing(
    instance: DagsterInstance, partitions: DailyPartitionsDefinition, assets: Sequence[AssetKey], days: Sequence[date]
) -> set[date]:
    """Days on which any of the assets was never materialized, or was last tried and failed.

    A day that a run is working on is not missing: the run finishes it, or fails and leaves it to the next night.
    """
    keys = [day.strftime(DAY_FORMAT) for day in days]
    statuses = [instance.get_status_by_partition(asset, keys, partitions) or {} for asset in assets]
    return {
        day
        for day, key in zip(days, keys, strict=True)
        if any(status.get(key) in (None, AssetPartitionStatus.FAILED) for status in statuses)
    }


def _age(instance: DagsterInstance, asset: AssetKey, today: date, zone: ZoneInfo) -> float:
    """The days since the asset was last materialized; endless where it never was."""
    event = instance.get_latest_materialization_event(asset)
    return (today - datetime.fromtimestamp(event.timestamp, zone).date()).days if event else math.inf


def _why_nothing(today: date, first: date, last: date | None) -> str:
    if first >= today:
        return f"nothing to do: the first day, {first}, is not over yet"
    return f"nothing to do: the data set ends with {last}, and no day of the last {LOOK_BACK_DAYS} is missing"
