"""One open DuckDB file: the write contract, statement by statement.

Atomic replacement, its guards and reading belong here. How the file is opened stands in `warehouse`, the ledger of
partitions in `ledger`; what is written is somebody else's business.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
from sqlglot import exp

from calback_assets.days import Stretch
from calback_assets.errors import CalbackError, ContractError, WarehouseError
from calback_assets.settings import DEVELOPMENT_KEY, Settings
from calback_assets.sources.coercion import identifier
from calback_assets.sources.file_query import FileQuery
from calback_assets.tables import EVENT_DATE, TABLES, Table
from calback_assets.warehouse.duckdb.catalog import has
from calback_assets.warehouse.duckdb.changes import Changes
from calback_assets.warehouse.duckdb.erasure import DuckDBErasure
from calback_assets.warehouse.duckdb.faults import faults_of_the_machine, redacted
from calback_assets.warehouse.duckdb.ledger import DuckDBLedger
from calback_assets.warehouse.duckdb.schema import added_columns, create_table, duckdb_type, is_same_kind
from calback_assets.warehouse.erasure import SUPPRESSED, Erased, Subjects
from calback_assets.warehouse.googlesql.model import SCHEMA, Model
from calback_assets.warehouse.googlesql.template import Template
from calback_assets.warehouse.ledger import Dependents, during, is_watched, staled_by, within
from calback_assets.warehouse.output import TableRef
from calback_assets.warehouse.rows import ConformedRows, check_names
from calback_assets.warehouse.warehouse import (
    AtOnce,
    Session,
    Statement,
    Written,
    begun,
    never_written,
    progress,
    refuse_too_few,
    refuse_too_many_gone,
    told,
)

DAYS_AT_ONCE = 366
_LARGE_ROWS = 15_360
"""An eighth of a row group: in groups of so many rows a table takes about one and a half of the space."""
_SETTLED_ROWS = 500_000
"""After so many rows a range of days is settled before its next day, and in any case at its end."""
_IDLE_MEMORY = "256MB"
_MOST_MEMORY_BYTES = 6_000_000_000
BOUND_MEMORY = (
    "RESET memory_limit; SET memory_limit = (least(parse_formatted_bytes(current_setting('memory_limit')), "
    f"{_MOST_MEMORY_BYTES}) // 1_000_000) || 'MB'"
)
"""What needs more, as a day of a hundred million events does, DuckDB lays beside the file, and is no slower for it."""
_FOREIGN_DAY = "calback: foreign day"
_BATCH_ROWS = 32_768


class _Digest(NamedTuple):
    """Tells whether two sets of rows differ."""

    rows: int
    total: int | None
    parity: int | None


class DuckDBSession(Session):
    """One open connection to the file."""

    failures = (duckdb.Error,)
    faults_of_data = (duckdb.DataError, duckdb.InvalidInputException, duckdb.OutOfMemoryException)

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: Path,
        dependents: Dependents,
        subjects: Subjects | None = None,
        at_once: AtOnce | None = None,
    ) -> None:
        """Wrap an open connection to the file."""
        self.at_once = at_once or AtOnce(DAYS_AT_ONCE, Settings.rows_at_once)
        self._subjects = subjects or Subjects(DEVELOPMENT_KEY)
        self._path = path
        self._connection = connection
        self._dependents = dependents
        self._ledger = DuckDBLedger(self)
        self._changes = Changes(self)
        self._unsettled_rows = 0
        self.days_written = 0
        self.is_unpurged = False
        """Whether the file may hold bytes of somebody who was erased, as far as was looked."""

    def prepare(self) -> None:
        """Make the schema and the ledger where they are missing, and fit checkpoints to the partitions in it.

        Raises:
            WarehouseError: what is hashed in the file was hashed with another key.
        """
        self.check_key()
        self.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        self._ledger.make()
        self._changes.make()
        self._leave_large(self._ledger.largest() or 0)

    def check_key(self) -> None:
        """See that hashes in the file were made with our key.

        Raises:
            WarehouseError: they were made with another.
        """
        with self._erasure() as erasure:
            erasure.check_key()

    def settle(self) -> None:
        """Bring what was written into the file's tables, and let go of the memory that it took.

        Left alone, a checkpoint takes memory by the days that it finds, and the cache grows to most of what there is.
        """
        self.execute("CHECKPOINT")
        self._unsettled_rows = 0
        with suppress(duckdb.OutOfMemoryException):  # More is in use: what could be freed has been.
            self.execute(f"SET memory_limit = '{_IDLE_MEMORY}'")
        self.execute(BOUND_MEMORY)

    def _leave_large(self, rows: int) -> None:
        """Leave large days and stretches in their row groups: to merge those is to write the table anew.

        So it stays until the file is closed, as every checkpoint looks at all tables. A run that writes small days
        alone merges again, at each checkpoint the first row groups of a table that it finds, as more of them at once
        take more memory than a large day.
        """
        if rows > _LARGE_ROWS:
            self.execute("SET max_vacuum_tasks = 0")

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows; every statement of a write goes through here.

        Raises:
            WarehouseError: the disk is full, which no reader of files need explain.
        """
        with faults_of_the_machine(self._path):
            return self._connection.execute(sql).fetchall()

    def keep(self, variable: str, value: object, kind: str) -> None:
        """Set a variable of the session, past every statement's text."""
        self._connection.execute(f"SET VARIABLE {variable} = CAST($1 AS {kind})", [value])

    def records(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query by column name; for few rows, and quicker to plan than `arrow`."""
        cursor = self._connection.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def arrow(self, sql: str) -> pa.Table:
        """The result of a query."""
        return self._connection.sql(sql).to_arrow_table()

    def facts(self) -> Mapping[str, int]:
        """Size of the warehouse file, all tables together: DuckDB keeps no size of one."""
        return {"warehouse_bytes": self._path.stat().st_size}

    def template(self, model: Model) -> Template:
        """The model as SQLGlot and our fix-ups render it for DuckDB."""
        return model.duckdb_template

    def redact(self, error: Exception) -> CalbackError:
        """A DuckDB error as one of ours, without the values that its message may quote."""
        missing = re.search(r"Table with name (\w+) does not exist", str(error))
        if missing and missing[1] in TABLES:
            return never_written(missing[1])
        return WarehouseError(f"DuckDB could not run the query: {redacted(error)}")

    def exists(self, table: Table) -> bool:
        """Whether the table has ever been written."""
        return self.has(table.name)

    def has(self, table_name: str) -> bool:
        """Whether there is a table of that name, of a contract or of our own."""
        return has(self._connection, f"{SCHEMA}.{table_name}")

    def _batches(self, ref: TableRef, schema: pa.Schema, limit: int | None) -> Iterator[pa.RecordBatch]:
        names = ", ".join(map(identifier, schema.names))
        where = "" if ref.start is None or ref.end is None else f" WHERE {within(ref.start, ref.end)}"
        at_most = "" if limit is None else f" LIMIT {limit}"
        found = self._connection.sql(f"SELECT {names} FROM {SCHEMA}.{ref.table.name}{where}{at_most}")
        yield from found.to_arrow_reader(_BATCH_ROWS)

    def _selected(self, query: exp.Select, table: Table) -> Iterator[pa.RecordBatch]:
        sql = query.from_(exp.table_(table.name, db=SCHEMA)).sql("duckdb")
        yield from self._connection.sql(sql).to_arrow_reader(_BATCH_ROWS)

    def ensure(self, table: Table) -> None:
        """Make the table of the contract, or add nullable columns that the contract has gained.

        Raises:
            ContractError: the stored table differs in any other way.
        """
        if not self.exists(table):
            self.execute(create_table(table))
            return
        stored = {
            name: (kind, is_nullable == "NO")
            for name, kind, is_nullable, *_ in self.execute(f"DESCRIBE {SCHEMA}.{table.name}")
        }
        for statement in added_columns(table, stored):
            self.execute(statement)

    @contextmanager
    def incoming(self, rows: ConformedRows, _run_id: str, /) -> Iterator[str]:
        """Rows from Python, under the name by which a statement can select from them."""
        self._connection.register("incoming", rows)
        try:
            yield "incoming"
        finally:
            self._connection.unregister("incoming")

    @contextmanager
    def reading(self, query: FileQuery, _table: Table, _run_id: str, /) -> Iterator[str]:
        """The rows of files, as the statement that selects them: the engine reads them itself.

        Raises:
            SourceError: a file cannot be read; names it and the line.
        """
        try:
            yield query.sql
        except duckdb.Error as error:
            raise query.explain(error) from None

    def stale_days(self, table: Table) -> set[date]:
        """Days of the table that were written before something they read changed."""
        return self._ledger.stale_days(table)

    def versions(self, table: Table) -> Mapping[date, str]:
        """What tells a written day of the table from the same day as another run, or an erasure, has left it."""
        return self._ledger.versions(table)

    def days_of_run(self, table: Table, run_id: str) -> list[date]:
        """The days of the table that a run has written and no later one has rewritten."""
        return self._ledger.days_of_run(table, run_id)

    def row_counts(self, tables: Iterable[str]) -> Mapping[str, Mapping[date, int]]:
        """How many rows each written day of these tables has."""
        return self._ledger.row_counts(tables)

    def replace_days(self, table: Table, stretch: Stretch, statement: Statement, run_id: str) -> Written:
        """Replace a stretch of partitions by the rows of a query, all or nothing.

        In the same transaction the ledger learns of the partitions, and the days of other tables (and, by the ripple,
        of this one) that the change has made stale are marked.

        Raises:
            ContractError: the rows break the contract; the old partitions stand.
            SourceError: there are fewer rows of a day than there must be; the old partitions stand.
            duckdb.Error: the query fails; the old partitions stand.
        """
        these = during(stretch)
        if self._unsettled_rows > _SETTLED_ROWS:
            self.settle()
        try:
            with self._transaction():
                sql = self._clean(table, statement.sql) if statement.is_from_outside else statement.sql
                guarded = f"SELECT * REPLACE ({_only(stretch)} AS {EVENT_DATE}) FROM ({sql})"
                # Where no other day hangs on whether one has changed, each is taken to have.
                is_watched_here = is_watched(table, self._dependents)
                before = self._digests(table, these) if is_watched_here else {}
                rippled = [row[0] for row in self.execute(statement.ripple)] if statement.ripple else []
                self.execute(f"DELETE FROM {SCHEMA}.{table.name} WHERE {these}")
                begun(table, stretch)
                self._insert(table, guarded)
                after = self._digests(table, these)
                row_counts = {day: after[day].rows if day in after else 0 for day in stretch.days}
                refuse_too_few(table, statement.least, row_counts)
                self._ledger.enter(table, row_counts, run_id)
                self._changes.enter(table.name, run_id, stretch)
                changed = [day for day in stretch.days if not is_watched_here or before.get(day) != after.get(day)]
                own, others = staled_by(table, changed, rippled, self._dependents)
                if stale := own + others:
                    self._ledger.mark_stale(" OR ".join(stale))
        except duckdb.InvalidInputException as error:
            if _FOREIGN_DAY not in str(error):
                raise
            raise ContractError(self._foreign_day(table, statement.sql, stretch)) from None
        except duckdb.ConstraintException as error:
            column = _without_value(error)
            day = self._first_day(statement.sql, column, stretch) if column else None
            raise _null(table, column, day) from None
        self.days_written += len(row_counts)
        self._unsettled_rows += sum(row_counts.values())
        self._leave_large(self._unsettled_rows)
        told(table, row_counts)
        return Written(dict(row_counts.items()), sql)

    def replace_snapshot(self, table: Table, sql: str, run_id: str, /, max_lost_share: float | None = None) -> Written:
        """Replace an unpartitioned table, all or nothing; rows that are gone stay, marked, where it has a tombstone.

        Raises:
            ContractError: the rows break the contract; the old table stands.
            SourceError: more than that share of the rows has gone at once; the old table stands.
        """
        name, now = f"{SCHEMA}.{table.name}", datetime.now(UTC)
        try:
            with self._transaction():
                sql = self._clean(table, sql)
                stored = gone = 0
                if table.tombstone:
                    self.execute(_keep_departed(table, sql, now))
                if table.tombstone and max_lost_share is not None:
                    ((stored, gone),) = self.execute(
                        f"SELECT (SELECT COUNT(*) FROM {name} WHERE {table.tombstone} IS NULL), "
                        f"(SELECT COUNT(*) FROM departed WHERE {table.tombstone} = {_moment(now)})"
                    )
                self.execute(f"DELETE FROM {name}")
                row_count = self._insert(table, sql)
                refuse_too_many_gone(table, stored, gone, row_count, max_lost_share)
                if table.tombstone:
                    row_count += self._insert(table, "SELECT * FROM departed")
                    self.execute("DROP TABLE departed")
                self._changes.enter(table.name, run_id)
        except duckdb.ConstraintException as error:
            raise _null(table, _without_value(error)) from None
        progress.info("%s: %d rows", table.name, row_count, extra={"table": table.name, "day": None})
        return Written({None: row_count}, sql)

    def erase(self, subject_hash: str, run_id: str, /) -> list[Erased]:
        """Take a person out of every table and keep them out, all or nothing; the file forgets when it is closed."""
        with self._transaction(), self._erasure() as erasure:
            erased = erasure.erase(subject_hash)
            for name in [SUPPRESSED, *(done.table.name for done in erased)]:
                self._changes.enter(name, run_id)
            return erased

    def suppressed(self, ids: Collection[str]) -> Collection[str]:
        """Those of these user or device ids that have been erased."""
        with self._erasure() as erasure:
            return erasure.known(ids)

    def _clean(self, table: Table, sql: str) -> str:
        """A source's query without erased people."""
        with self._erasure() as erasure:
            return erasure.clean(table, sql)

    @contextmanager
    def _erasure(self) -> Iterator[DuckDBErasure]:
        erasure = DuckDBErasure(self, self._ledger, self._subjects, self._dependents)
        try:
            yield erasure
        finally:
            self.is_unpurged |= erasure.is_unpurged

    def check_query(self, table: Table, sql: str) -> None:
        """Compare the columns of a query with the contract without running it.

        Raises:
            ContractError: a column is missing, unknown, or of a type that would have to be cast.
        """
        relation = self._connection.sql(sql)
        check_names(relation.columns, table)
        given = dict(zip(relation.columns, relation.types, strict=True))
        for column in table.columns:
            if not is_same_kind(given[column.name], column.type):
                example = "a personal value" if column.is_personal else self._example(column.name, sql)
                raise ContractError(
                    f"{table.name}.{column.name}: the query gives {given[column.name]}, the contract says "
                    f"{column.type}, for example {example}; cast it in the query; nothing was written"
                )

    def _example(self, column: str, sql: str) -> str:
        found = self.execute(f"SELECT {identifier(column)} FROM ({sql}) WHERE {identifier(column)} IS NOT NULL LIMIT 1")
        return repr(found[0][0]) if found else "NULL"

    def _insert(self, table: Table, sql: str) -> int:
        columns = ", ".join(
            f"CAST({identifier(column.name)} AS {duckdb_type(column.type)}) AS {identifier(column.name)}"
            for column in table.columns
        )
        ((row_count,),) = self.execute(f"INSERT INTO {SCHEMA}.{table.name} BY NAME SELECT {columns} FROM ({sql})")
        return int(row_count)

    def _first_day(self, sql: str, column: str, stretch: Stretch) -> date | None:
        """The first of the days on which the query gives no value for a column."""
        is_missing = f"{identifier(column)} IS NULL AND {during(stretch)}"
        days: list[tuple[date | None]] = self.execute(f"SELECT MIN({EVENT_DATE}) FROM ({sql}) WHERE {is_missing}")
        return days[0][0]

    def _foreign_day(self, table: Table, sql: str, stretch: Stretch) -> str:
        ((foreign, count),) = self.execute(
            f"SELECT MIN({EVENT_DATE}), COUNT(*) FROM ({sql}) WHERE NOT ({during(stretch)})"
        )
        return (
            f"{table.name}.{EVENT_DATE}: {count} rows lie outside the partition {stretch} that is written, for example "
            f"{foreign}; nothing was written"
        )

    def _digests(self, table: Table, where: str) -> dict[date, "_Digest"]:
        """How many rows each partition has, and, where another day hangs on whether they changed, what they are."""
        digest = "NULL, NULL"
        if is_watched(table, self._dependents):
            names = ", ".join(identifier(column.name) for column in table.columns if not column.wall_clock)
            digest = f"SUM(CAST(hash({names}) AS HUGEINT)), BIT_XOR(hash({names}))"
        found = self.execute(
            f"SELECT {EVENT_DATE}, COUNT(*), {digest} FROM {SCHEMA}.{table.name} WHERE {where} GROUP BY {EVENT_DATE}"
        )
        return {day: _Digest(*digest) for day, *digest in found}

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.execute("BEGIN TRANSACTION")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            with suppress(duckdb.Error):  # After a fatal error there is none to roll back, nor a way to.
                self._connection.execute("ROLLBACK")
            raise


def _without_value(error: duckdb.ConstraintException) -> str | None:
    """The required column that a row had no value for."""
    broken = re.search(r"NOT NULL constraint failed: \w+\.(\w+)", str(error))
    return broken[1] if broken else None


def _null(table: Table, column: str | None, day: date | None = None) -> ContractError:
    on_day = f" on {day}" if day else ""
    return ContractError(f"{table.name}.{column or 'a column'}: NULL in a required column{on_day}; nothing was written")


def _keep_departed(table: Table, sql: str, now: datetime) -> str:
    """Set aside the old rows whose key is not in the new snapshot, marked with the time at which they were missed."""
    (key,) = table.key
    columns = ", ".join(
        f"COALESCE({name}, {_moment(now)}) AS {name}" if name == table.tombstone else name
        for name in table.column_names
    )
    return (
        f"CREATE OR REPLACE TEMP TABLE departed AS SELECT {columns} FROM {SCHEMA}.{table.name} AS old "
        f"WHERE NOT EXISTS (SELECT 1 FROM ({sql}) AS new WHERE new.{key} = old.{key})"
    )


def _moment(now: datetime) -> str:
    return f"TIMESTAMPTZ '{now.isoformat()}'"


def _only(stretch: Stretch) -> str:
    """The day of a row, or an error where it is none of those that are written."""
    is_ours = f"{EVENT_DATE} IS NULL OR {during(stretch)}"
    return f"CASE WHEN {is_ours} THEN {EVENT_DATE} ELSE error('{_FOREIGN_DAY}') END"
