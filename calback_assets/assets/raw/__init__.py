"""Assets of the group `raw`: what the sources sent. They know the intake, and nothing of analytics."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetOut,
    AssetsDefinition,
    BackfillPolicy,
    DailyPartitionsDefinition,
    Output,
    ResourceParam,
    asset,
    multi_asset,
)

from calback_assets.assets.app import SOURCES
from calback_assets.assets.owners import OWNERS
from calback_assets.days import parse_day
from calback_assets.partitions import PARTITION_TAG, RANGE_START_TAG
from calback_assets.tables import Table
from calback_assets.tables.raw import RAW_ACCESS_LOG, RAW_EVENTS, RAW_MEETINGS, RAW_USERS
from calback_assets.warehouse.intake import Intake
from calback_assets.warehouse.output import Files, Snapshot
from calback_assets.warehouse.warehouse import progress


def raw_assets(partitions: DailyPartitionsDefinition) -> list[AssetsDefinition]:
    """The four raw assets."""

    @multi_asset(
        name="firestore_snapshot",
        outs={table.name: AssetOut(**_declared("firestore"), is_required=False) for table in (RAW_USERS, RAW_MEETINGS)},
        deps=[SOURCES[RAW_USERS.name], SOURCES[RAW_MEETINGS.name]],
        internal_asset_deps={table.name: {SOURCES[table.name]} for table in (RAW_USERS, RAW_MEETINGS)},
        can_subset=True,
    )
    def firestore_snapshot(context: AssetExecutionContext, intake: ResourceParam[Intake]) -> Iterator[Output[Snapshot]]:
        """Both collections, or the one that is asked for, read at one time before either is written."""
        tables = sorted(key.path[-1] for key in context.selected_asset_keys)
        # A snapshot has no days, but the run that it is a part of may have.
        first = context.run.tags.get(RANGE_START_TAG) or context.run.tags.get(PARTITION_TAG)
        since = parse_day(first) if first else None
        for name, snapshot in intake.snapshots(tables, since, _reporter(context)).items():
            yield Output(snapshot, name)

    @_raw(RAW_EVENTS, "googleanalytics", partitions)
    def raw_events(context: AssetExecutionContext, intake: ResourceParam[Intake]) -> Files:
        return intake.files(RAW_EVENTS.name, _days(context), _reporter(context))

    @_raw(RAW_ACCESS_LOG, "kafka", partitions)
    def raw_access_log(context: AssetExecutionContext, intake: ResourceParam[Intake]) -> Files:
        return intake.files(RAW_ACCESS_LOG.name, _days(context), _reporter(context))

    return [firestore_snapshot, raw_events, raw_access_log]


def _days(context: AssetExecutionContext) -> list[date]:
    return [parse_day(key) for key in context.partition_keys]


def _reporter(context: AssetExecutionContext) -> Callable[[str], None]:
    """Says a sentence in the run's log and on the terminal."""

    def report(sentence: str) -> None:
        context.log.info(sentence)
        progress.info(sentence)

    return report


def _raw(
    table: Table, kind: str, partitions: DailyPartitionsDefinition
) -> Callable[[Callable[..., Any]], AssetsDefinition]:
    declared: Callable[[Callable[..., Any]], AssetsDefinition] = asset(
        name=table.name,
        partitions_def=partitions,
        backfill_policy=BackfillPolicy.single_run(),
        deps=[SOURCES[table.name]],
        **_declared(kind),
    )
    return declared


def _declared(kind: str) -> dict[str, Any]:
    """What Dagster shows of a raw asset."""
    return {"group_name": "raw", "owners": OWNERS, "kinds": {kind}}
