"""What a warehouse offers to the I/O manager and to the checks, whichever engine it is.

The shapes that both engines share belong here: sessions, statements, and what was written. No engine does.
"""

import logging
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pyarrow as pa
from sqlglot import exp

from calback_assets.days import Stretch
from calback_assets.errors import CalbackError, SourceError, WarehouseError
from calback_assets.sources.file_query import FileQuery
from calback_assets.tables import EVENT_DATE, Table
from calback_assets.warehouse.erasure import Erased
from calback_assets.warehouse.googlesql.model import Model
from calback_assets.warehouse.googlesql.template import Template
from calback_assets.warehouse.ledger import within
from calback_assets.warehouse.output import Least, TableRef
from calback_assets.warehouse.rows import ConformedRows, arrow_schema

ACCEPT_EMPTY = "accept_empty"
ACCEPTING = f"calback run --accept-empty {{}}, or {ACCEPT_EMPTY} of the resource intake in Dagit's launchpad"
"""How a person says that a source is right to have less than before."""

_ROWS_IN_ORDER = 100_000
"""As many are put in order at a time, or those of a day."""

progress = logging.getLogger("calback_assets.progress")
"""One record for each partition or snapshot written, with `table` and `day`, and one without for what else there is to
say of a long step; free where nobody listens."""

_under_way: list[tuple[Callable[[], float], Callable[[], None]]] = []
"""Of all warehouses of the process: the one of a run is made by Dagster, and who asks has another."""


def never_written(table_name: str) -> WarehouseError:
    """The error of a reader that comes before the first writer."""
    return WarehouseError(f"table {table_name} does not exist yet: materialize {table_name} first")


def newest_first(ref: TableRef, columns: Sequence[str], limit: int | None, *, is_ordered: bool) -> exp.Select:
    """The query for a portion of `Session.newest`, still without its table."""
    query = exp.select(*(exp.column(name, quoted=True) for name in columns))
    if is_ordered:
        day = [f"{EVENT_DATE} DESC"] if ref.table.is_partitioned else []
        query = query.order_by(*day, *(name for name in ref.table.key if name != EVENT_DATE))
    if ref.start and ref.end:
        query = query.where(within(ref.start, ref.end))
    return query if limit is None else query.limit(limit)


def newest_portions(row_counts: Mapping[date, int], rows: int) -> Iterator[Stretch]:
    """Stretches of days, the newest first, each of at most so many rows, or of one day."""
    days: list[date] = []
    total = 0
    for day in sorted(row_counts, reverse=True):
        total += row_counts[day]
        if days and total > rows:
            yield Stretch(days[-1], days[0])
            days, total = [], row_counts[day]
        days.append(day)
    if days:
        yield Stretch(days[-1], days[0])


def refuse_too_few(table: Table, demanded: Mapping[date, Least], row_counts: Mapping[date, int]) -> None:
    """See that a reading has the rows that it must have of each day.

    Raises:
        SourceError: it has not.
    """
    for day, least in demanded.items():
        row_count = row_counts.get(day, 0)
        if row_count < least.rows:
            lacks = f"; not there: {', '.join(least.lacks)}" if least.lacks else ""
            raise SourceError(
                f"{table.name}: {row_count:,} rows were read of {day}, and the warehouse has {least.stored:,}{lacks}; "
                f"nothing was written. See that the export is whole, or accept it: {ACCEPTING.format(table.name)}"
            )


def begun(table: Table, stretch: Stretch) -> None:
    """Record that a table's days are computed, all at once; each is told of when they are written."""
    progress.info("%s: %s begun", table.name, stretch, extra={"table": table.name, "begun": len(stretch.days)})


def told(table: Table, row_counts: Mapping[date, int]) -> None:
    """Record what was written of a table's days."""
    for day, row_count in row_counts.items():
        progress.info("%s %s: %d rows", table.name, day, row_count, extra={"table": table.name, "day": day})


@contextmanager
def under_way(share: Callable[[], float], stop: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Let `share_done` ask how much is done of what is waited for inside, and `break_off` end it.

    Both may be called from another thread, and when the work has just ended.

    Args:
        share: tells it at once, from 0 to 1 and not above 0 where it is not known.
        stop: ends it, where a signal would not end it at once.
    """
    work = share, stop
    _under_way.append(work)
    try:
        yield
    finally:
        _under_way.remove(work)


def share_done() -> float:
    """How much of the statement that this process waits for is done, from 0 to 1; 0 where no engine tells."""
    return max([0.0, *(share() for share, _ in list(_under_way))])


def break_off() -> None:
    """End the statements that this process waits for, as a signal would in their own thread, only sooner."""
    for _, stop in list(_under_way):
        stop()


def refuse_too_many_gone(table: Table, stored: int, gone: int, read: int, max_lost_share: float | None) -> None:
    """See that a snapshot has not lost more rows at once than it may; one may always go.

    Args:
        table: the snapshot.
        stored: rows that are not marked as gone.
        gone: those of them that the new snapshot lacks.
        read: rows of the new snapshot.
        max_lost_share: the bound; None for none.

    Raises:
        SourceError: it has.
    """
    if max_lost_share is None or not gone or (read and gone <= max(1, max_lost_share * stored)):
        return
    raise SourceError(
        f"{table.name}: {gone:,} of {stored:,} rows ({gone / stored:.1%}) are not among the {read:,} that were read, "
        f"more than the {max_lost_share:.1%} that may go at once; nothing was written. See that the export is whole, "
        f"or accept it: {ACCEPTING.format(table.name)}; CALBACK_MAX_LOST_SHARE is the bound"
    )


@dataclass(frozen=True)
class Statement:
    """A query in the engine's dialect that yields the rows of a stretch of days, or of a snapshot."""

    sql: str
    ripple: str | None = None
    """Names other days (`event_date`) of the table that change with these; run before the replacement."""
    least: Mapping[date, Least] = field(default_factory=dict)
    """How many rows it must yield of a day; else nothing is replaced."""
    is_from_outside: bool = False
    """True for a source's rows, in which people may be who were erased here; what is derived from tables has none."""
    shown: str | None = None
    """What a person is shown in its place, where rows have gone through Python."""


@dataclass(frozen=True)
class Written:
    """A replaced stretch of days, or a snapshot."""

    row_counts: Mapping[date | None, int]
    """The rows of each day, in the order of the days; those of a snapshot under None."""
    sql: str
    facts: Mapping[str, int | str] = field(default_factory=dict)
    """What the engine tells of the work, for the materialization's metadata."""


@dataclass(frozen=True)
class AtOnce:
    """How much is written in one statement: days that follow each other, one of them whatever its size."""

    days: int
    rows: int | None = None
    """Rows that are read for them; None for no bound."""

    def of(self, due: Collection[date], rows: Callable[[Stretch], int]) -> Stretch:
        """The first of the days that are due, with as many after it as may be written with it.

        Args:
            due: the days.
            rows: how many are read for a stretch; not fewer for a longer one.
        """
        first = last = min(due)
        while (day := last + timedelta(days=1)) in due and (day - first).days < self.days:
            last = day
        if self.rows is None or rows(Stretch(first, last)) <= self.rows:
            return Stretch(first, last)
        lengths = range((last - first).days)
        fitting = bisect_right(lengths, self.rows, key=lambda more: rows(Stretch(first, first + timedelta(days=more))))
        return Stretch(first, first + timedelta(days=max(fitting - 1, 0)))


class Session(Protocol):
    """One open connection: reads, and writes that keep the contract."""

    failures: ClassVar[tuple[type[Exception], ...]]
    """What the engine raises, with messages that may quote data; `redact` makes one of ours of it."""

    faults_of_data: ClassVar[tuple[type[Exception], ...]]
    """Those of `failures` that hang on the rows of a query: one over fewer days may not meet them."""

    at_once: AtOnce
    """How many days a write may take together."""

    def facts(self) -> Mapping[str, int]:
        """Figures of the warehouse as a whole."""

    def template(self, model: Model) -> Template:
        """The model in the engine's dialect, with its parameters still open."""

    def redact(self, error: Exception) -> CalbackError:
        """An error of the engine as one of ours, without the values that its message may quote."""

    def ensure(self, table: Table) -> None:
        """Make the table of the contract, or add nullable columns that the contract has gained.

        Raises:
            ContractError: the stored table differs in any other way.
        """

    def check_query(self, table: Table, sql: str) -> None:
        """Compare the columns of a query with the contract without running it.

        Raises:
            ContractError: a column is missing, unknown, or of a type that would have to be cast.
        """

    def incoming(self, rows: ConformedRows, run_id: str, /) -> AbstractContextManager[str]:
        """Rows from Python, under the name by which a statement can select from them."""

    def reading(self, query: FileQuery, table: Table, run_id: str, /) -> AbstractContextManager[str]:
        """The rows of files, as the statement that selects them.

        Raises:
            SourceError: a file cannot be read; names it and the line.
        """

    def replace_days(self, table: Table, stretch: Stretch, statement: Statement, run_id: str) -> Written:
        """Replace a stretch of partitions by the rows of a query, all or nothing, and mark the days made stale by it.

        Raises:
            ContractError: the rows break the contract; the old partitions stand.
            SourceError: there are fewer rows of a day than there must be; the old partitions stand.
        """

    def replace_snapshot(self, table: Table, sql: str, run_id: str, /, max_lost_share: float | None = None) -> Written:
        """Replace an unpartitioned table, all or nothing; rows that are gone stay, marked, where it has a tombstone.

        Raises:
            ContractError: the rows break the contract; the old table stands.
            SourceError: more than that share of the rows has gone at once; the old table stands.
        """

    def erase(self, subject_hash: str, run_id: str, /) -> list[Erased]:
        """Put a person on the suppression list, and take everybody on it out of every table.

        Args:
            subject_hash: how the list knows the person, `Subjects.hash` of the user id.
            run_id: the Dagster run.

        Returns:
            What was touched; nothing where nothing was stored of them.
        """

    def suppressed(self, ids: Collection[str]) -> Collection[str]:
        """Those of these user or device ids that have been erased."""

    def stale_days(self, table: Table) -> set[date]:
        """Days of the table that were written before something they read changed."""

    def versions(self, table: Table) -> Mapping[date, str]:
        """What tells a written day of the table from the same day as another run, or an erasure, has left it."""

    def days_of_run(self, table: Table, run_id: str) -> list[date]:
        """The days of the table that a run has written and no later one has rewritten."""

    def row_counts(self, tables: Iterable[str]) -> Mapping[str, Mapping[date, int]]:
        """How many rows each written day of these tables has."""

    def exists(self, table: Table) -> bool:
        """Whether the table has ever been written."""

    def batches(
        self, ref: TableRef, columns: Sequence[str] | None = None, limit: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows that a reference names, with all columns of the contract or those asked for, at most `limit`.

        Batch by batch, in the contract's Arrow types, so that memory holds no more than one.

        Raises:
            WarehouseError: the table has never been written.
        """
        if not self.exists(ref.table):
            raise never_written(ref.table.name)
        schema = arrow_schema(ref.table, columns)
        for batch in self._batches(ref, schema, limit):
            yield batch.select(schema.names).cast(schema)

    def _batches(self, ref: TableRef, schema: pa.Schema, limit: int | None) -> Iterator[pa.RecordBatch]:
        """The rows with the columns of the schema, as the engine has them."""

    def read(self, ref: TableRef, columns: Sequence[str] | None = None, limit: int | None = None) -> pa.Table:
        """All batches together."""
        return pa.Table.from_batches(self.batches(ref, columns, limit), arrow_schema(ref.table, columns))

    def newest(
        self,
        table: Table,
        columns: Sequence[str] | None = None,
        days: Stretch | None = None,
        limit: int | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a table, the newest day first, or those of a snapshot, in the order of its key.

        Some days are put in order at a time, so that neither a few rows nor all of them take the whole table. Where all
        of a large day are asked for, they come as they are: memory need not hold it.

        Raises:
            WarehouseError: the table has never been written.
        """
        if not self.exists(table):
            raise never_written(table.name)
        schema, left = arrow_schema(table, columns), limit
        row_counts: Mapping[date, int] = {}
        refs: Iterable[TableRef] = [TableRef(table, None, None)]
        if table.is_partitioned:
            row_counts = self.row_counts([table.name])[table.name]
            asked = {day: count for day, count in row_counts.items() if days is None or day in days}
            portions = newest_portions(asked, min(limit or _ROWS_IN_ORDER, _ROWS_IN_ORDER))
            refs = (TableRef(table, portion.first, portion.until) for portion in portions)
        for ref in refs:
            is_large = ref.start is not None and row_counts.get(ref.start, 0) > _ROWS_IN_ORDER
            query = newest_first(ref, schema.names, left, is_ordered=limit is not None or not is_large)
            for batch in self._selected(query, table):
                yield batch.select(schema.names).cast(schema)
                left = None if left is None else left - batch.num_rows
            if left == 0:
                return

    def _selected(self, query: exp.Select, table: Table) -> Iterator[pa.RecordBatch]:
        """The rows of a query that still lacks the table, as the engine has them."""

    def records(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query by column name; for few rows."""

    def arrow(self, sql: str) -> pa.Table:
        """The rows of a query, all in memory."""


@dataclass(frozen=True)
class Condition:
    """How somebody finds a warehouse who only looks."""

    where: str
    """The place, as a person would name it."""
    facts: Sequence[str]
    """What is there, and what may be done with it."""
    has_ledger: bool
    """Whether anything was ever written, so that it can be asked which days."""
    troubles: Sequence[WarehouseError] = ()
    """What a run would end with."""


@dataclass(frozen=True)
class Address:
    """Where a table is, as a person finds it."""

    name: str
    """Its full name, as SQL of the engine takes it."""
    uri: str


@dataclass(frozen=True)
class Published:
    """The read copy of a warehouse, as somebody finds it."""

    path: Path
    """The file to open."""
    at: datetime
    """When it took the place of the one before."""
    run_id: str | None
    """The run that wrote last what is in it."""
    is_behind: bool
    """Whether the warehouse has been written since."""


class Warehouse(Protocol):
    """Tables that outlive a run."""

    kind: str
    """The engine, by the name that Dagit has a sign for."""

    def address(self, table_name: str) -> Address:
        """Where a table is, or will be; nothing is opened or called."""

    def condition(self) -> Condition:
        """Look at the warehouse within seconds, and write nothing.

        Raises:
            WarehouseError: it cannot be looked at.
        """

    def session(self, *, read_only: bool = False) -> AbstractContextManager[Session]:
        """A session that is closed whatever happens."""

    def reading(self) -> AbstractContextManager[Session]:
        """A session for who only reads, and need not wait for who writes: of the read copy, where there is one.

        Inside `kept_open` it is one of the warehouse itself, which then knows more.
        """

    def published(self) -> Published | None:
        """The read copy; None where there is none, or none is needed.

        Raises:
            WarehouseError: it cannot be opened.
        """

    def kept_open(self) -> AbstractContextManager[None]:
        """Keep what is costly to open between the sessions inside, and publish a read copy in the end, where needed."""
