"""The I/O manager: from what an asset returns to tables that keep the contract, and back.

Translation between Dagster's partitions and the warehouse's days, and the metadata of materializations, belong here. It
knows warehouses and nothing of analytics.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache, partial
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
from dagster import (
    AssetMaterialization,
    InputContext,
    IOManager,
    MetadataValue,
    OutputContext,
)

from calback_assets.days import Stretch, day_bounds, parse_day, span, stretches
from calback_assets.errors import CalbackError, ContractError, SourceError, UnavailableError, WarehouseError
from calback_assets.partitions import DAY_FORMAT
from calback_assets.report.marked import as_markdown
from calback_assets.sources.bigquery.query import TableQuery
from calback_assets.sources.file_query import Facts
from calback_assets.sources.firestore.documents import Problem
from calback_assets.tables import EVENT_DATE, TABLES, Table
from calback_assets.warehouse.googlesql.model import DAYS, Model
from calback_assets.warehouse.googlesql.template import Day, Parameter, Parameters
from calback_assets.warehouse.ledger import during
from calback_assets.warehouse.metadata import column_lineage, column_schema
from calback_assets.warehouse.output import Files, Query, Snapshot, TableRef
from calback_assets.warehouse.rows import ConformedRows, arrow_schema
from calback_assets.warehouse.warehouse import Session, Statement, Warehouse, Written

Output: TypeAlias = Query | Files | Snapshot | pa.Table | pd.DataFrame

_PREVIEW_ROWS = 5
_SHOWN_PROBLEMS = 100
_LOG_EVERY_SECONDS = 10.0


@dataclass(frozen=True)
class Calendar:
    """The days of the data set."""

    first: date
    last: date | None
    timezone: str

    def parameters(self, model: Model, stretch: Stretch) -> Parameters:
        """What every model may use when a stretch is written: its days, and the bounds of its inputs."""
        days = [Day(day, *day_bounds(day, self.timezone)) for day in stretch.days]
        return {DAYS: days, **model.window_parameters(stretch, self.first, self.last or date.max - timedelta(days=1))}


class WarehouseIOManager(IOManager):
    """Persists assets as tables of the warehouse, a replaced stretch of daily partitions at a time."""

    def __init__(self, warehouse: Warehouse, calendar: Calendar) -> None:
        """Write to this warehouse; nothing is opened yet."""
        self._warehouse = warehouse
        self._calendar = calendar

    def load_input(self, context: InputContext) -> TableRef | pd.DataFrame | pa.Table | pa.RecordBatchReader:
        """A reference to the upstream days, or their rows in the form that the asset's annotation asks for.

        A `RecordBatchReader` holds one batch in memory at a time; a DataFrame or an Arrow table all rows. The columns
        are those of the input's metadata `columns`, or all.

        Raises:
            ContractError: the input asks for a column that the table has not.
            WarehouseError: the table has never been written.
        """
        table = TABLES[context.asset_key.path[-1]]
        ref = TableRef(table, None, None)
        if context.has_asset_partitions:
            window = context.asset_partitions_time_window
            ref = TableRef(table, window.start.date(), window.end.date())
        wanted = context.dagster_type.typing_type
        if wanted not in (pd.DataFrame, pa.Table, pa.RecordBatchReader):
            return ref
        columns = (context.definition_metadata or {}).get("columns", table.column_names)
        if unknown := set(columns) - set(table.column_names):
            raise ContractError(
                f"{table.name}.{min(unknown)}: an input asks for this column, which the table has not; it has "
                f"{', '.join(table.column_names)}"
            )
        rows = pa.RecordBatchReader.from_batches(arrow_schema(table, columns), self._batches(ref, columns))
        if wanted is pa.RecordBatchReader:
            return rows
        table_of_rows = rows.read_all()
        return table_of_rows if wanted is pa.Table else table_of_rows.to_pandas(split_blocks=True, self_destruct=True)

    def _batches(self, ref: TableRef, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows, with a session that is held until the last is taken."""
        with self._warehouse.session() as session, _redacted(session):
            yield from session.batches(ref, columns)

    def handle_output(self, context: OutputContext, obj: Output) -> None:
        """Write what the asset returned, and tell Dagster what was written.

        Raises:
            CalbackError: the data breaks the contract, a source file cannot be read, or the warehouse cannot be
                written; the partition that was being written is as it was before.
        """
        table = TABLES[context.asset_key.path[-1]]
        with self._warehouse.session() as session, _redacted(session):
            session.ensure(table)
            write = _Write(context, session, table, self._calendar)
            write.run(obj)
            write.report(obj, self._warehouse.address(table.name).uri)


@contextmanager
def _redacted(session: Session) -> Iterator[None]:
    try:
        yield
    except session.failures as error:
        raise session.redact(error) from None


def opened_once_a_run(warehouse: Warehouse, calendar: Calendar) -> Iterator[WarehouseIOManager]:
    """The I/O manager of a run, with the warehouse open from its first write to its end."""
    with warehouse.kept_open():
        yield WarehouseIOManager(warehouse, calendar)


class _Write:
    """One materialization: the days that were asked for, and those that have gone stale."""

    def __init__(self, context: OutputContext, session: Session, table: Table, calendar: Calendar) -> None:
        self._context = context
        self._session = session
        self._table = table
        self._calendar = calendar
        self._requested = (
            [parse_day(key) for key in context.asset_partition_keys] if context.has_asset_partitions else []
        )
        if table.is_partitioned and not self._requested:
            raise CalbackError(
                f"{table.name} is written by days, and this run names none; launch it with a partition, or with a "
                "range whose first day comes first"
            )
        self._written: list[Written] = []
        self._facts: dict[date | None, Facts] = {}
        self._problems: dict[str, MetadataValue[Any]] = {}

    def run(self, obj: Output) -> None:
        """Write every day, each replaced atomically."""
        if isinstance(obj, Query):
            self._query(obj)
        elif isinstance(obj, Files):
            self._files(obj)
        elif isinstance(obj, Snapshot):
            self._facts[None] = obj.facts
            self._problems = _problems(obj.problems, self._session.suppressed({p.document_id for p in obj.problems}))
            self._rows(obj.rows, obj.max_lost_share)
        else:
            self._rows(obj)

    def _query(self, query: Query) -> None:
        if not self._table.is_partitioned:
            self._as_of_newest(query)
            return
        template = self._session.template(query.model)
        ripple = self._session.template(query.ripple) if query.ripple else None

        @contextmanager
        def statement(stretch: Stretch) -> Iterator[Statement]:
            filled = template.fill({**query.parameters, **self._calendar.parameters(query.model, stretch)})
            rippling = None
            if query.ripple and ripple:
                rippling = ripple.fill(self._calendar.parameters(query.ripple, stretch))
            with self._rows_of(query, filled) as sql:
                yield Statement(sql, rippling, shown=filled)

        self._replace_days(statement, self._rows_read(query.model), follow_stale=True)

    def _as_of_newest(self, query: Query) -> None:
        """Replace a table without days by what its query says of the newest unbroken stretch of what it reads."""
        stretch = self._newest(query.model)
        calendar = replace(self._calendar, first=stretch.first)
        parameters = {**query.parameters, **calendar.parameters(query.model, Stretch.on(stretch.last))}
        filled = self._session.template(query.model).fill(parameters)
        self._facts[None] = {"data_from": str(stretch.first), "data_to": str(stretch.last)}
        with self._rows_of(query, filled) as sql:
            self._session.check_query(self._table, sql)
            written = self._session.replace_snapshot(self._table, sql, self._context.run_id)
        self._written.append(replace(written, sql=filled))

    @contextmanager
    def _rows_of(self, query: Query, filled: str) -> Iterator[str]:
        """The statement that selects the rows: the query itself, or what Python makes of what it finds."""
        if query.refine is None:
            yield filled
            return
        beside = [self._session.read(TableRef(table, None, None)).to_pandas() for table in query.beside]
        conformed = ConformedRows(query.refine(self._session.arrow(filled), *beside), self._table)
        for _ in conformed.slices():
            pass  # What breaks the contract is found here, and not by an engine that would quote it.
        with self._session.incoming(conformed, self._context.run_id) as name:
            yield f"SELECT * FROM {name}"

    def _newest(self, model: Model) -> Stretch:
        """The last days in a row on which all that the model reads has been written.

        Raises:
            WarehouseError: there is no such day.
        """
        daily = sorted({source.table.name for source in model.inputs.values() if source.reach})
        written = self._session.row_counts(daily)
        common = set.intersection(*(set(written[name]) for name in daily))
        if not common:
            raise WarehouseError(
                f"{self._table.name}: there is no day for which {' and '.join(daily)} have been written; nothing was "
                f"written; materialize {' and '.join(daily)} first"
            )
        return list(stretches(common))[-1]

    def _rows_read(self, model: Model) -> Callable[[Stretch], int]:
        """How many rows a stretch reads, once it is seen that what it reads of its own day has been written.

        Raises:
            WarehouseError: it has not; nothing is built on a day that has not arrived.
        """
        written = self._session.row_counts(sorted(model.reads))
        for name, days in written.items():
            if missing := [day for day in self._requested if day not in days]:
                raise WarehouseError(
                    f"{self._table.name}: {name} has never been written for {span(missing)}, so nothing can be built "
                    f"on it; nothing was written; materialize {name} for these days first"
                )
        return partial(model.rows_read, written)

    def _files(self, files: Files) -> None:
        demanded = files.demanded(self._requested, self._session.row_counts([self._table.name])[self._table.name])

        @contextmanager
        def statement(stretch: Stretch) -> Iterator[Statement]:
            query = files.read(stretch)
            self._facts.update(query.facts.items())
            if isinstance(query, TableQuery):
                reading: AbstractContextManager[str] = nullcontext(query.sql)
            else:
                reading = self._session.reading(query, self._table, self._context.run_id)
            least = {day: least for day, least in demanded.items() if day in stretch}
            with reading as sql:
                yield Statement(sql, least=least, is_from_outside=True)

        of_day = cache(files.rows)
        self._replace_days(statement, lambda stretch: sum(map(of_day, stretch.days)), follow_stale=False)

    def _rows(self, rows: pa.Table | pd.DataFrame, max_lost_share: float | None = None) -> None:
        run_id = self._context.run_id
        conformed = ConformedRows(rows, self._table)
        self._refuse(conformed)
        with self._session.incoming(conformed, run_id) as name:
            if not self._table.is_partitioned:
                sql = f"SELECT * FROM {name}"
                self._written.append(self._session.replace_snapshot(self._table, sql, run_id, max_lost_share))
                return

            def statement(stretch: Stretch) -> AbstractContextManager[Statement]:
                return nullcontext(Statement(f"SELECT * FROM {name} WHERE {during(stretch)}", is_from_outside=True))

            # They stand in memory already.
            self._replace_days(statement, lambda _: 0, follow_stale=False)

    def _refuse(self, rows: ConformedRows) -> None:
        """Look through all rows before the first is written.

        Raises:
            ContractError: rows that break the contract, or lie outside the days that are written.
        """
        days: set[date | None] = set()
        for part in rows.slices():
            if self._table.is_partitioned:
                days.update(part[EVENT_DATE].unique().to_pylist())
        if None in days:
            raise ContractError(f"{self._table.name}.{EVENT_DATE}: NULL in a required column; nothing was written")
        if foreign := {day for day in days if day is not None} - set(self._requested):
            raise ContractError(
                f"{self._table.name}.{EVENT_DATE}: rows lie outside the partition {span(self._requested)} that is "
                f"written, for example {min(foreign)}; nothing was written"
            )

    def _replace_days(
        self,
        statement: Callable[[Stretch], AbstractContextManager[Statement]],
        rows: Callable[[Stretch], int],
        *,
        follow_stale: bool,
    ) -> None:
        """Write the days that are due, stretch by stretch.

        A stretch that its data breaks is halved until it is the day that is at fault: those before it are written.

        Args:
            statement: makes that of a stretch.
            rows: how many a stretch reads.
            follow_stale: whether to write the days of the table that are stale, too.

        Raises:
            CalbackError: a day cannot be written; names it.
        """
        due = set(self._requested)
        if follow_stale:
            due |= self._session.stale_days(self._table)
        is_one_day = len(due) == 1
        at_once = self._session.at_once
        faults_of_data: tuple[type[Exception], ...] = (ContractError, SourceError, *self._session.faults_of_data)
        logged_at = time.monotonic()
        while due:
            stretch = at_once.of(due, rows)
            try:
                is_rippling = self._replace(stretch, statement)
            except UnavailableError:
                raise
            except faults_of_data as error:
                if is_one_day:
                    raise
                if stretch.first == stretch.last:
                    raise self._of_day(error, stretch.first) from None
                self._context.log.info(f"{self._table.name}: {stretch} broke, its days are written a half at a time")
                at_once = replace(at_once, days=len(stretch.days) // 2)
                continue
            due.difference_update(stretch.days)
            if is_rippling:
                due |= self._session.stale_days(self._table)
            if time.monotonic() - logged_at > _LOG_EVERY_SECONDS:
                logged_at = time.monotonic()
                self._context.log.info(f"{self._table.name}: {stretch} written, {len(due)} days to go")

    def _replace(self, stretch: Stretch, statement: Callable[[Stretch], AbstractContextManager[Statement]]) -> bool:
        """Write a stretch, and say whether other days of the table may have changed with it."""
        with statement(stretch) as replacement:
            if not self._written:
                self._session.check_query(self._table, replacement.sql)
            written = self._session.replace_days(self._table, stretch, replacement, self._context.run_id)
        self._written.append(replace(written, sql=replacement.shown or written.sql))
        return replacement.ripple is not None

    def _of_day(self, error: Exception, day: date) -> CalbackError:
        """The error with the day that broke, where it does not name it."""
        own = error if isinstance(error, CalbackError) else self._session.redact(error)
        return own if str(day) in str(own) else type(own)(f"{str(own).rstrip('.')}; the day that broke is {day}")

    def report(self, obj: Output, uri: str) -> None:
        """Attach the metadata of every written partition to its materialization event."""
        common = self._common_metadata(obj, uri)
        requested = set(self._requested)
        extra = sorted(day for written in self._written for day in written.row_counts if day and day not in requested)
        if extra:
            common["stale_days_rebuilt"] = MetadataValue.int(len(extra))
            self._context.log.info(
                f"{self._table.name}: also rebuilt {len(extra)} days that had become stale: {span(extra)}"
            )
        shown = max(self._requested, default=None)  # Dagster tells of it last, and Dagit's page is that of the last.
        for written in self._written:
            figures = self._figures(written)
            for day, row_count in written.row_counts.items():
                # In the order in which a person looks.
                metadata = self._pictures(obj) if day == shown else {}
                metadata |= figures.get(day, {}) | self._own_metadata(written, day, row_count) | common
                if day == shown:
                    metadata |= self._columns(obj)
                if day in extra:
                    self._context.log_event(
                        AssetMaterialization(self._context.asset_key, partition=_key(day), metadata=metadata)
                    )
                elif len(requested) > 1:
                    self._context.step_context.add_asset_metadata(metadata, partition_key=_key(day))
                else:
                    self._context.add_output_metadata(metadata)

    def _common_metadata(self, obj: Output, uri: str) -> dict[str, Any]:
        metadata: dict[str, Any] = {
            "dagster/uri": MetadataValue.text(uri),
            **{name: _value(fact) for name, fact in self._session.facts().items()},
        }
        if isinstance(obj, Query):
            metadata |= {f"parameter/{name}": _value(value) for name, value in obj.parameters.items()}
        return metadata

    def _columns(self, obj: Output) -> dict[str, Any]:
        """The table's columns and where they come from: kilobytes, for the day of the last event alone."""
        columns: dict[str, Any] = {"dagster/column_schema": column_schema(self._table)}
        if isinstance(obj, Query):
            columns["dagster/column_lineage"] = column_lineage(obj.model, self._table, obj.beside)
        return columns

    def _figures(self, written: Written) -> dict[date | None, dict[str, Any]]:
        """By day the numbers that it comes to, which Dagit plots by partition."""
        days = [day for day in written.row_counts if day]
        if not days or not self._table.figures:
            return {}
        ref = TableRef(self._table, days[0], days[-1] + timedelta(days=1))
        rows = self._session.read(ref, [EVENT_DATE, *self._table.figures]).to_pylist()
        return {
            row.pop(EVENT_DATE): {name: _figure(value) for name, value in row.items() if value is not None}
            for row in rows
        }

    def _own_metadata(self, written: Written, day: date | None, row_count: int) -> dict[str, Any]:
        """What is known of one day; the statement, which grows with its days, stands with the last of them."""
        days = [day for day in written.row_counts if day]
        metadata: dict[str, Any] = {
            "row_count": MetadataValue.int(row_count),
            "dagster/partition_row_count" if day else "dagster/row_count": MetadataValue.int(row_count),
            **{name: _value(fact) for name, fact in {**self._facts.get(day, {}), **written.facts}.items()},
            **self._problems,
        }
        if len(days) > 1:
            metadata["written_at_once"] = MetadataValue.text(str(Stretch(days[0], days[-1])))
        if day is None or day == days[-1]:
            metadata["sql"] = MetadataValue.md(f"```sql\n{written.sql}\n```")
        return metadata

    def _pictures(self, obj: Output) -> dict[str, Any]:
        """What a person wants to see of the table: its newest days, whichever have been written."""
        newest = None
        if self._table.is_partitioned:
            newest = max(self._session.row_counts([self._table.name])[self._table.name])
        pictures = {}
        if isinstance(obj, Query) and obj.plot:
            rows = self._session.read(_ref(self._table, newest, obj.plot.days))
            pictures["plot"] = MetadataValue.md(obj.plot.draw(rows.to_pandas()))
        return {**pictures, "preview": MetadataValue.md(self._preview(newest))}

    def _preview(self, day: date | None) -> str:
        columns = [
            column.name
            for column in self._table.columns
            if not column.is_personal and not column.type.startswith("ARRAY")
        ]
        rows = self._session.read(_ref(self._table, day, 1), columns, limit=_PREVIEW_ROWS)
        if not rows.num_rows:
            return "no rows"
        # Names of events come from whoever sends them.
        shown = rows.to_pandas().map(lambda value: as_markdown(value) if isinstance(value, str) else value)
        return str(shown.to_markdown(index=False))


def _ref(table: Table, last: date | None, days: int) -> TableRef:
    if last is None:
        return TableRef(table, None, None)
    return TableRef(table, last - timedelta(days=days - 1), last + timedelta(days=1))


def _problems(problems: Sequence[Problem], suppressed: Collection[str]) -> dict[str, MetadataValue[Any]]:
    """What could not be taken, by reason and by document; a person who was erased is counted and not named."""
    reasons = Counter(f"{problem.field}: {problem.reason}" for problem in problems).most_common()
    named = [problem for problem in problems if problem.document_id not in suppressed][:_SHOWN_PROBLEMS]
    documents = [f"`{problem.document_id}` {problem.field}: {problem.reason}" for problem in named]
    return {
        "rejected_documents": MetadataValue.int(len({problem.document_id for problem in problems})),
        "problems": MetadataValue.int(len(problems)),
        "problems_by_reason": _listed([f"{reason}: {count:,}" for reason, count in reasons]),
        "first_problems": _listed(documents),
    }


def _listed(lines: Sequence[str]) -> MetadataValue[Any]:
    return MetadataValue.md("\n".join(f"- {line}" for line in lines) or "none")


def _value(value: Parameter) -> MetadataValue[Any]:
    return MetadataValue.int(value) if isinstance(value, int) else MetadataValue.text(str(value))


def _figure(value: int | float) -> MetadataValue[Any]:
    return MetadataValue.int(value) if isinstance(value, int) else MetadataValue.float(value)


def _key(day: date | None) -> str | None:
    return None if day is None else day.strftime(DAY_FORMAT)
