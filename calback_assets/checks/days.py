"""Which days of a table a check looks at: those that its run has written, or all where it is run by itself.

What is looked for in them belongs to the checks.
"""

from datetime import date

from dagster import DagsterRun

from calback_assets.days import parse_day
from calback_assets.partitions import PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG
from calback_assets.tables import Table
from calback_assets.warehouse.warehouse import Session, never_written


def days_to_check(session: Session, table: Table, run: DagsterRun) -> list[date]:
    """The days of the table that the run has written; of a run of checks alone those it names, or all there are.

    A table without days has none here.

    Raises:
        WarehouseError: the table has never been written.
    """
    if not session.exists(table):
        raise never_written(table.name)
    if not table.is_partitioned:
        return []
    if written := session.days_of_run(table, run.run_id):
        return written
    of_one = run.tags.get(PARTITION_TAG)
    first, last = run.tags.get(RANGE_START_TAG, of_one), run.tags.get(RANGE_END_TAG, of_one)
    days = sorted(session.row_counts([table.name])[table.name])
    return [day for day in days if parse_day(first) <= day <= parse_day(last)] if first and last else days
