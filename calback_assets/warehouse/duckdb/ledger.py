"""The ledger of partitions in a DuckDB file: which day was written by which run, and which has become stale since.

Its shape and every statement that reads or changes it belong here. It is changed in the transaction of the rows that it
tells of.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Protocol

from calback_assets.tables import EVENT_DATE, Table
from calback_assets.warehouse.erasure import Erased
from calback_assets.warehouse.googlesql.model import SCHEMA
from calback_assets.warehouse.ledger import in_tables, listed, of_table

LEDGER = "partition_ledger"
_LEDGER = f"{SCHEMA}.{LEDGER}"


class Executing(Protocol):
    """A session, as far as a ledger needs it."""

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""


class DuckDBLedger:
    """One row for each partition that was ever written."""

    def __init__(self, session: Executing) -> None:
        """Nothing is read yet."""
        self._session = session

    def make(self) -> None:
        """Make it where it is missing."""
        self._session.execute(
            f"CREATE TABLE IF NOT EXISTS {_LEDGER} (table_name VARCHAR NOT NULL, event_date DATE NOT NULL, "
            "row_count BIGINT NOT NULL, run_id VARCHAR NOT NULL, is_stale BOOLEAN NOT NULL)"
        )

    def largest(self) -> int | None:
        """Rows of the largest partition."""
        ((largest,),) = self._session.execute(f"SELECT MAX(row_count) FROM {_LEDGER}")
        return None if largest is None else int(largest)

    def stale_days(self, table: Table) -> set[date]:
        """Days of the table that were written before something they read changed."""
        return {
            day
            for (day,) in self._session.execute(
                f"SELECT {EVENT_DATE} FROM {_LEDGER} WHERE table_name = '{table.name}' AND is_stale"
            )
        }

    def row_counts(self, tables: Iterable[str]) -> dict[str, dict[date, int]]:
        """How many rows each written day of these tables has."""
        found: dict[str, dict[date, int]] = {name: {} for name in tables}
        entries = self._session.execute(
            f"SELECT table_name, {EVENT_DATE}, row_count FROM {_LEDGER} WHERE {in_tables(found)}"
        )
        for name, day, row_count in entries:
            found[name][day] = row_count
        return found

    def versions(self, table: Table) -> dict[date, str]:
        """What tells a written day of the table from the same day as another run, or an erasure, has left it."""
        return {
            day: f"{run_id}/{row_count}"
            for day, run_id, row_count in self._session.execute(
                f"SELECT {EVENT_DATE}, run_id, row_count FROM {_LEDGER} WHERE table_name = '{table.name}'"
            )
        }

    def days_of_run(self, table: Table, run_id: str) -> list[date]:
        """The days of the table that a run has written and no later one has rewritten."""
        return [
            day
            for (day,) in self._session.execute(
                f"SELECT {EVENT_DATE} FROM {_LEDGER} WHERE table_name = '{table.name}' AND run_id = '{run_id}' "
                f"ORDER BY {EVENT_DATE}"
            )
        ]

    def portions(self, table: Table, rows: int) -> list[tuple[date, date]]:
        """The first and last days of portions of a table, each of about so many rows, or of one day."""
        return [
            (first, last)
            for first, last in self._session.execute(
                f"SELECT MIN({EVENT_DATE}), MAX({EVENT_DATE}) FROM (SELECT {EVENT_DATE}, SUM(row_count) OVER "
                f"(ORDER BY {EVENT_DATE}) // {rows} AS portion FROM {_LEDGER} WHERE table_name = '{table.name}') "
                "GROUP BY portion"
            )
        ]

    def enter(self, table: Table, row_counts: Mapping[date, int], run_id: str) -> None:
        """Enter partitions that were written, and are not stale, with the rows of each."""
        days = f"{EVENT_DATE} IN ({listed(row_counts)})"
        self._session.execute(f"DELETE FROM {_LEDGER} WHERE {of_table(table.name, days)}")
        entries = (f"('{table.name}', DATE '{day}', {count}, '{run_id}', FALSE)" for day, count in row_counts.items())
        self._session.execute(f"INSERT INTO {_LEDGER} VALUES {', '.join(entries)}")

    def mark_stale(self, where: str) -> None:
        """Mark the entries that a condition names."""
        self._session.execute(f"UPDATE {_LEDGER} SET is_stale = TRUE WHERE {where}")

    def recount(self, erased: Sequence[Erased]) -> None:
        """Enter how many rows an erasure has left of each partition."""
        kept = ", ".join(
            f"('{done.table.name}', DATE '{part.day}', {part.kept})"
            for done in erased
            for part in done.touched
            if part.day
        )
        if kept:
            self._session.execute(
                f"UPDATE {_LEDGER} SET row_count = kept.row_count FROM (VALUES {kept}) AS "
                "kept(table_name, event_date, row_count) WHERE partition_ledger.table_name = kept.table_name AND "
                "partition_ledger.event_date = kept.event_date"
            )
