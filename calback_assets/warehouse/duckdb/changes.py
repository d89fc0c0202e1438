"""The log of what was written to a DuckDB file, by which run and when.

Its shape and every statement that reads or changes it belong here. An entry is made in the transaction of the rows that
it tells of, so that a copy of the file knows by its own log how far it has come.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from calback_assets.days import Stretch
from calback_assets.warehouse.duckdb.ledger import Executing
from calback_assets.warehouse.googlesql.model import SCHEMA

CHANGES = "changes"
_KEPT = 5_000
"""A copy that is further behind is made anew."""


@dataclass(frozen=True)
class Change:
    """The last entry of a log."""

    number: int
    mark: str
    """Tells it from one of the same number in another file: a backup that was restored, and written since."""
    run_id: str


class Changes:
    """One row for each write of a stretch of days or of a whole table."""

    def __init__(self, session: Executing, database: str | None = None) -> None:
        """Nothing is read yet.

        Args:
            session: of the file, or one to which it is attached.
            database: under what name it is attached.
        """
        self._session = session
        self._name = f"{database}.{SCHEMA}.{CHANGES}" if database else f"{SCHEMA}.{CHANGES}"

    def make(self) -> None:
        """Make it where it is missing, and forget what no copy asks for any more."""
        self._session.execute(
            f"CREATE TABLE IF NOT EXISTS {self._name} (number BIGINT NOT NULL, mark VARCHAR NOT NULL, "
            "run_id VARCHAR NOT NULL, written_at TIMESTAMPTZ NOT NULL, table_name VARCHAR NOT NULL, first_day DATE, "
            "last_day DATE)"
        )
        self._session.execute(
            f"DELETE FROM {self._name} WHERE number <= (SELECT MAX(number) - {_KEPT} FROM {self._name})"
        )

    def enter(self, table_name: str, run_id: str, stretch: Stretch | None = None) -> None:
        """Enter that days of a table, or all of it, were written."""
        days = f"DATE '{stretch.first}', DATE '{stretch.last}'" if stretch else "NULL, NULL"
        self._session.execute(
            f"INSERT INTO {self._name} SELECT COALESCE(MAX(number), 0) + 1, uuid(), '{run_id}', now(), "
            f"'{table_name}', {days} FROM {self._name}"
        )

    def last(self) -> Change | None:
        """The last entry."""
        found = self._session.execute(f"SELECT number, mark, run_id FROM {self._name} ORDER BY number DESC LIMIT 1")
        return Change(*found[0]) if found else None

    def since(self, known: Change) -> dict[str, Sequence[Stretch | None]] | None:
        """What was written of each table since an entry: stretches, or None for all of it.

        Returns:
            None where the log does not know the entry.
        """
        entries = self._session.execute(
            f"SELECT DISTINCT table_name, first_day, last_day FROM {self._name} WHERE number > {known.number}"
        )
        if not self._session.execute(
            f"SELECT 1 FROM {self._name} WHERE number = {known.number} AND mark = '{known.mark}'"
        ):
            return None
        found: dict[str, list[Stretch | None]] = {}
        for name, first, last in entries:
            found.setdefault(name, []).append(Stretch(first, last) if first else None)
        return dict(found)
