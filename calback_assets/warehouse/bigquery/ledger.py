"""The ledger of partitions in BigQuery: which day was written by which run, and which has become stale since.

Its shape and every statement that reads or adds to it belong here. It is append only: no two writers wait for each
other, and the last word on a partition holds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from google.cloud import bigquery

from calback_assets.tables import EVENT_DATE, Table
from calback_assets.warehouse.bigquery.jobs import READ, Jobs, Purpose
from calback_assets.warehouse.erasure import Erased
from calback_assets.warehouse.ledger import in_tables

LEDGER = "partition_ledger"
SCHEMA = [
    bigquery.SchemaField("table_name", "STRING", "REQUIRED"),
    bigquery.SchemaField("event_date", "DATE", "REQUIRED"),
    bigquery.SchemaField("row_count", "INT64", "REQUIRED"),
    bigquery.SchemaField("run_id", "STRING", "REQUIRED"),
    bigquery.SchemaField("is_stale", "BOOL", "REQUIRED"),
    bigquery.SchemaField("cause", "STRING", "REQUIRED", description="The write that made this entry."),
    bigquery.SchemaField("entered_at", "TIMESTAMP", "REQUIRED"),
]
DESCRIPTION = "Which partition was written when, and which have become stale since; append only."

_INTO = f"INSERT INTO {LEDGER} ({', '.join(field.name for field in SCHEMA)})"
_LATEST = (
    f"(SELECT * FROM {LEDGER} WHERE TRUE QUALIFY ROW_NUMBER() OVER (PARTITION BY table_name, event_date "
    "ORDER BY entered_at DESC) = 1)"
)


class BigQueryLedger:
    """The entries of one dataset."""

    def __init__(self, jobs: Jobs) -> None:
        """Nothing is read yet."""
        self._jobs = jobs

    def stale_days(self, table: Table) -> set[date]:
        """Days of the table that were written before something they read changed."""
        return set(
            self._jobs.days(f"SELECT {EVENT_DATE} FROM {_LATEST} WHERE table_name = '{table.name}' AND is_stale")
        )

    def row_counts(self, tables: Iterable[str]) -> dict[str, dict[date, int]]:
        """How many rows each written day of these tables has."""
        found: dict[str, dict[date, int]] = {name: {} for name in tables}
        sql = f"SELECT table_name, {EVENT_DATE}, row_count FROM {_LATEST} WHERE {in_tables(found)}"
        for name, day, row_count in self._jobs.query(sql, READ).result(retry=self._jobs.retry):
            found[name][day] = row_count
        return found

    def versions(self, table: Table) -> dict[date, str]:
        """What tells a written day of the table from the same day as another run, or an erasure, has left it."""
        sql = f"SELECT {EVENT_DATE}, run_id, row_count FROM {_LATEST} WHERE table_name = '{table.name}'"
        found = self._jobs.query(sql, READ).result(retry=self._jobs.retry)
        return {day: f"{run_id}/{row_count}" for day, run_id, row_count in found}

    def days_of_run(self, table: Table, run_id: str) -> list[date]:
        """The days of the table that a run has written and no later one has rewritten."""
        return sorted(
            self._jobs.days(
                f"SELECT {EVENT_DATE} FROM {_LATEST} WHERE table_name = '{table.name}' AND run_id = '{run_id}'"
            )
        )

    def enter(self, table: Table, row_counts: Mapping[date, int], cause: str, purpose: Purpose) -> None:
        """Enter partitions that were written, and are not stale, with the rows of each."""
        entries = (
            f"('{table.name}', DATE '{day}', {count}, '{purpose.run_id}', FALSE, '{cause}', CURRENT_TIMESTAMP())"
            for day, count in row_counts.items()
        )
        self._jobs.query(f"{_INTO} VALUES {', '.join(entries)}", replace(purpose, step="ledger"))

    def mark_stale(self, where: str, cause: str, purpose: Purpose) -> None:
        """Mark the entries that a condition names, and are not marked yet."""
        self._again(f"NOT is_stale AND ({where})", cause, replace(purpose, step="mark"), is_stale=True)

    def unmark(self, cause: str, but: Sequence[str], purpose: Purpose) -> None:
        """Take back the marks of a write, but for the entries that these conditions name."""
        kept = f" AND NOT ({' OR '.join(but)})" if but else ""
        where = f"is_stale AND cause = '{cause}'{kept}"
        self._again(where, f"{cause} unchanged", replace(purpose, step="unmark"), is_stale=False)

    def recount(self, erased: Sequence[Erased], cause: str, run_id: str) -> None:
        """Enter how many rows an erasure has left of each partition."""
        for done in erased:
            kept = ", ".join(
                f"STRUCT(DATE '{part.day}' AS day, {part.kept} AS row_count)" for part in done.touched if part.day
            )
            if kept:
                self._jobs.query(
                    f"{_INTO} SELECT entry.table_name, entry.{EVENT_DATE}, kept.row_count, "
                    f"entry.run_id, entry.is_stale, '{cause}', CURRENT_TIMESTAMP() FROM {_LATEST} AS entry "
                    f"INNER JOIN UNNEST([{kept}]) AS kept ON kept.day = entry.{EVENT_DATE} "
                    f"WHERE entry.table_name = '{done.table.name}'",
                    Purpose(run_id, done.table.name, "", "erase"),
                )

    def _again(self, where: str, cause: str, purpose: Purpose, *, is_stale: bool) -> None:
        self._jobs.query(
            f"{_INTO} SELECT table_name, event_date, row_count, run_id, {is_stale}, '{cause}', CURRENT_TIMESTAMP() "
            f"FROM {_LATEST} WHERE {where}",
            purpose,
        )
