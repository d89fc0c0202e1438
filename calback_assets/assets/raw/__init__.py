"""Assets of the group `raw`: what the sources sent. They know a source, and nothing of analytics."""

from collections.abc import Callable
from datetime import date
from typing import Any, Protocol

from dagster import AssetsDefinition, BackfillPolicy, DailyPartitionsDefinition, ResourceParam, asset

from calback_assets.assets.owners import OWNERS
from calback_assets.sources.file_query import FileQuery
from calback_assets.sources.firestore import Snapshot as Documents
from calback_assets.sources.firestore_files import FirestoreFiles
from calback_assets.sources.table_query import TableQuery
from calback_assets.tables import Table
from calback_assets.tables.raw import RAW_ACCESS_LOG, RAW_EVENTS, RAW_MEETINGS, RAW_USERS
from calback_assets.warehouse.metadata import contract_metadata
from calback_assets.warehouse.output import Files, Snapshot

_SHOWN_PROBLEMS = 20


class DailySource(Protocol):
    """Files or tables that the warehouse's engine reads itself."""

    def day(self, day: date) -> FileQuery | TableQuery:
        """The rows of one day."""


def raw_assets(partitions: DailyPartitionsDefinition) -> list[AssetsDefinition]:
    """The four raw assets."""

    @_raw(RAW_USERS, "firebase")
    def raw_users(firestore: ResourceParam[FirestoreFiles]) -> Snapshot:
        return _snapshot(firestore.users())

    @_raw(RAW_MEETINGS, "firebase")
    def raw_meetings(firestore: ResourceParam[FirestoreFiles]) -> Snapshot:
        return _snapshot(firestore.meetings())

    @_raw(RAW_EVENTS, "googleanalytics", partitions)
    def raw_events(ga4: ResourceParam[DailySource]) -> Files:
        return Files(ga4.day)

    @_raw(RAW_ACCESS_LOG, "kafka", partitions)
    def raw_access_log(access_log: ResourceParam[DailySource]) -> Files:
        return Files(access_log.day)

    return [raw_users, raw_meetings, raw_events, raw_access_log]


def _raw(
    table: Table, kind: str, partitions: DailyPartitionsDefinition | None = None
) -> Callable[[Callable[..., Any]], AssetsDefinition]:
    return asset(
        name=table.name,
        group_name="raw",
        description=table.description,
        owners=OWNERS,
        kinds={kind},
        metadata=contract_metadata(table),
        partitions_def=partitions,
        backfill_policy=BackfillPolicy.single_run() if partitions else None,
    )


def _snapshot(read: Documents) -> Snapshot:
    """The rows, and a report of what could not be taken, by document id and reason."""
    listed = "\n".join(
        f"- `{problem.document_id}` {problem.field}: {problem.reason}" for problem in read.problems[:_SHOWN_PROBLEMS]
    )
    return Snapshot(
        read.rows,
        {"documents": read.documents, "problems": len(read.problems), "first_problems": listed or "none"},
    )
