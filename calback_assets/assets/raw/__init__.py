"""Assets of the group `raw`: what the sources sent. They know a source, and nothing of analytics."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, Protocol

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

from calback_assets.assets.owners import OWNERS
from calback_assets.sources.file_query import FileQuery
from calback_assets.sources.firestore import FirestoreSource
from calback_assets.sources.table_query import TableQuery
from calback_assets.tables import Table
from calback_assets.tables.raw import RAW_ACCESS_LOG, RAW_EVENTS, RAW_MEETINGS, RAW_USERS
from calback_assets.warehouse.metadata import contract_metadata
from calback_assets.warehouse.output import Files, Snapshot
from calback_assets.warehouse.warehouse import progress


class DailySource(Protocol):
    """Files or tables that the warehouse's engine reads itself."""

    def day(self, day: date) -> FileQuery | TableQuery:
        """The rows of one day."""


def raw_assets(partitions: DailyPartitionsDefinition) -> list[AssetsDefinition]:
    """The four raw assets."""

    @multi_asset(
        name="firestore_snapshot",
        outs={
            table.name: AssetOut(**_declared(table, "firebase"), is_required=False)
            for table in (RAW_USERS, RAW_MEETINGS)
        },
        can_subset=True,
    )
    def firestore_snapshot(
        context: AssetExecutionContext, firestore: ResourceParam[FirestoreSource]
    ) -> Iterator[Output[Snapshot]]:
        """Both collections, or the one that is asked for, read at one time before either is written."""

        def report(sentence: str) -> None:
            context.log.info(sentence)
            progress.info(sentence)

        read = firestore.snapshots(sorted(key.path[-1] for key in context.selected_asset_keys), report)
        for name, snapshot in read.items():
            facts: dict[str, int | str] = {"documents": snapshot.documents, "read_at": snapshot.snapshot_at.isoformat()}
            yield Output(Snapshot(snapshot.rows, facts, snapshot.problems), name)

    @_raw(RAW_EVENTS, "googleanalytics", partitions)
    def raw_events(ga4: ResourceParam[DailySource]) -> Files:
        return Files(ga4.day)

    @_raw(RAW_ACCESS_LOG, "kafka", partitions)
    def raw_access_log(access_log: ResourceParam[DailySource]) -> Files:
        return Files(access_log.day)

    return [firestore_snapshot, raw_events, raw_access_log]


def _raw(
    table: Table, kind: str, partitions: DailyPartitionsDefinition
) -> Callable[[Callable[..., Any]], AssetsDefinition]:
    declared: Callable[[Callable[..., Any]], AssetsDefinition] = asset(
        name=table.name,
        partitions_def=partitions,
        backfill_policy=BackfillPolicy.single_run(),
        **_declared(table, kind),
    )
    return declared


def _declared(table: Table, kind: str) -> dict[str, Any]:
    """What Dagster shows of a raw asset."""
    return {
        "group_name": "raw",
        "description": table.description,
        "owners": OWNERS,
        "kinds": {kind},
        "metadata": contract_metadata(table),
    }
