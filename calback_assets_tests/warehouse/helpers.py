"""What the warehouse's tests share: small assets named like real tables, written as Dagster writes them.

Data in every shape that an asset may return, a write, and what it and the warehouse say afterwards. A write is a whole
run, or what a run hands to the I/O manager and nothing else of it, which takes half the time.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol
from uuid import uuid4

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from dagster import (
    AssetIn,
    AssetKey,
    AssetMaterialization,
    AssetsDefinition,
    BackfillPolicy,
    DagsterInstance,
    ExecuteInProcessResult,
    OutputContext,
    PartitionKeyRange,
    asset,
    get_dagster_logger,
    materialize,
)
from dagster._core.definitions.scoped_resources_builder import Resources

from calback_assets.errors import CalbackError
from calback_assets.partitions import daily_partitions
from calback_assets.settings import DEVELOPMENT_KEY
from calback_assets.sources.coercion import literal
from calback_assets.tables import Table
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.googlesql.model import Input, Model
from calback_assets.warehouse.io_manager import Calendar, WarehouseIOManager
from calback_assets.warehouse.ledger import Dependents
from calback_assets.warehouse.output import Query
from calback_assets.warehouse.rows import ConformedRows, arrow_schema, arrow_type
from calback_assets.warehouse.warehouse import Warehouse

DAY = date(2024, 1, 10)
FIRST = date(2024, 1, 1)
SEOUL = "Asia/Seoul"
CALENDAR = Calendar(FIRST, None, SEOUL)
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

Row = dict[str, Any]


class WarehouseUnderTest(Protocol):
    """A warehouse that must keep the write contract, and a look past everything that is under test."""

    name: str
    types: Mapping[str, str]
    """What its messages call types that a contract does not use."""

    def opened(self, dependents: Dependents | None = None, pseudonym_key: bytes = DEVELOPMENT_KEY) -> Warehouse:
        """The warehouse itself."""

    def io_manager(self, dependents: Dependents | None = None) -> WarehouseIOManager:
        """An I/O manager that writes to it."""

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        """Make the table and put rows and their days into it, past everything that is under test."""

    def rows(self, table: Table) -> list[Row]:
        """All rows as they are stored, in the order of their values."""

    def ledger(self) -> list[Row]:
        """What the ledger says last of each partition, in order."""

    def uri(self, table: Table) -> str:
        """Where a table of it is, as a person is told."""

    @property
    def figures(self) -> Collection[str]:
        """Names under which it tells what its work took."""

    def quoted(self, name: str) -> str:
        """A column's name in its SQL."""


class EmbeddedWarehouse:
    """DuckDB, on a real file."""

    name = "duckdb"
    types: Mapping[str, str] = MappingProxyType({"text": "VARCHAR", "fraction": "DOUBLE"})

    def __init__(self, folder: Path) -> None:
        self.path = folder / "warehouse.duckdb"

    def opened(self, dependents: Dependents | None = None, pseudonym_key: bytes = DEVELOPMENT_KEY) -> Warehouse:
        return DuckDBWarehouse(self.path, dependents, pseudonym_key=pseudonym_key)

    def io_manager(self, dependents: Dependents | None = None) -> WarehouseIOManager:
        return WarehouseIOManager(self.opened(dependents), CALENDAR)

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        with DuckDBWarehouse(self.path).session() as session:
            session.ensure(table)
            with session.incoming(
                ConformedRows(pa.Table.from_pylist(list(rows), arrow_schema(table)), table), ""
            ) as name:
                session.execute(f"INSERT INTO calback.{table.name} BY NAME FROM {name}")
            if table.is_partitioned:
                session.execute(
                    "INSERT INTO calback.partition_ledger "
                    f"SELECT '{table.name}', event_date, COUNT(*), 'put', FALSE FROM calback.{table.name} GROUP BY 2"
                )

    def rows(self, table: Table) -> list[Row]:
        """All rows as they are stored, past everything that is under test."""
        return self.select(f"SELECT * FROM calback.{table.name} ORDER BY ALL")

    def uri(self, table: Table) -> str:
        return f"duckdb:///{self.path}#calback.{table.name}"

    @property
    def figures(self) -> Collection[str]:
        return ("warehouse_bytes",)

    def quoted(self, name: str) -> str:
        return f'"{name}"'

    def ledger(self) -> list[Row]:
        return self.select("SELECT * FROM calback.partition_ledger ORDER BY table_name, event_date")

    def select(self, sql: str) -> list[Row]:
        with _looking().cursor() as connection:
            file = literal(str(self.path))
            connection.execute(f"ATTACH {file} AS warehouse (READ_ONLY); USE warehouse; SET TimeZone = 'UTC'")
            try:
                result = connection.execute(sql)
                names = [column[0] for column in result.description]
                return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
            finally:
                connection.execute("USE memory; DETACH warehouse")


@cache
def _looking() -> duckdb.DuckDBPyConnection:
    """An engine to look into files, which takes longer to make than what it is asked.

    Not for a file that the process has open: to close it again lets go of the locks of both.
    """
    return duckdb.connect()


@contextmanager
def warehouse_under_test(
    request: pytest.FixtureRequest, environment: pytest.MonkeyPatch, folder: Path
) -> Iterator[WarehouseUnderTest]:
    """The warehouse that a fixture's parameter names, with nothing in it."""
    if request.param == "duckdb":
        yield EmbeddedWarehouse(folder)
        return
    from calback_assets_tests.warehouse import emulated

    if request.param == "project":
        with emulated.real_warehouse(request.getfixturevalue("project")) as real:
            yield real
        return
    emulator = request.getfixturevalue("emulator")
    environment.setenv("BIGQUERY_EMULATOR_HOST", emulator.url)
    yield emulated.EmulatedWarehouse(emulator.url)


@dataclass(frozen=True)
class Shape:
    """One of the shapes in which an asset may return rows."""

    name: str
    output: Callable[[Sequence[Row], Table, Sequence[date], Path], object]

    def __str__(self) -> str:
        return self.name


def _frame(rows: Sequence[Row], table: Table, _days: Sequence[date], _folder: Path) -> pd.DataFrame:
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=list(table.column_names))


def _arrow(rows: Sequence[Row], table: Table, _days: Sequence[date], _folder: Path) -> pa.Table:
    if rows:
        return pa.Table.from_pylist(list(rows))
    return pa.schema([(column.name, arrow_type(column.type)) for column in table.columns]).empty_table()


def _query(rows: Sequence[Row], table: Table, days: Sequence[date], folder: Path) -> Query:
    """A model of literals: the rows of the days that are written, and in any case those of none of the days."""
    given = rows or [dict.fromkeys(table.column_names)]
    selects = " UNION ALL ".join(
        "SELECT " + ", ".join(f"{_literal(value, table, name)} AS {name}" for name, value in row.items())
        for row in given
    )
    listed = ", ".join(f"DATE '{day}'" for day in days)
    wanted = f"event_date IN (SELECT days.event_date FROM days) OR event_date NOT IN ({listed})" if rows else "FALSE"
    return query(f"SELECT * FROM ({selects}) AS given WHERE {wanted}", {}, folder)


FRAME, ARROW, QUERY = Shape("pandas", _frame), Shape("arrow", _arrow), Shape("query", _query)
SHAPES = (FRAME, ARROW, QUERY)


def _literal(value: object, table: Table, name: str) -> str:
    if value is None:
        return f"CAST(NULL AS {table.column(name).type})"
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.isoformat()}'"
    if isinstance(value, date):
        return f"DATE '{value}'"
    if isinstance(value, str):
        return f"'{value}'"
    return str(value).upper()


def query(sql: str, inputs: Mapping[str, Input], folder: Path, name: str = "model") -> Query:
    """A query of a model in a file of its own."""
    path = folder / f"{name}.sql"
    path.write_text(sql, encoding="utf-8")
    return Query(Model(path, inputs))


def asset_of(table: Table, output: Callable[[], object]) -> AssetsDefinition:
    """A test's own asset under the name of a real table."""
    partitions = daily_partitions(FIRST, None, SEOUL) if table.is_partitioned else None
    policy = BackfillPolicy.single_run() if table.is_partitioned else None

    @asset(name=table.name, partitions_def=partitions, backfill_policy=policy)
    def made() -> Any:
        return output()

    return made


def run(
    definition: AssetsDefinition,
    io_manager: WarehouseIOManager,
    instance: DagsterInstance,
    days: Sequence[date] = (),
) -> ExecuteInProcessResult:
    """Materialize one asset: no day for a snapshot, one, or a range from the first to the last."""
    tags = {RANGE_START: str(days[0]), RANGE_END: str(days[-1])} if len(days) > 1 else {}
    return materialize(
        [definition],
        instance=instance,
        resources={"io_manager": io_manager},
        partition_key=str(days[0]) if len(days) == 1 else None,
        tags=tags,
        raise_on_error=False,
    )


@dataclass(frozen=True)
class Written:
    """What a write came to that had no run around it."""

    materializations: Sequence[AssetMaterialization]
    error: CalbackError | None = None

    @property
    def success(self) -> bool:
        return self.error is None


class _Output(OutputContext):
    """An asset's output, outside of a run; it keeps what is said of each day of a range, as the step of a run does."""

    def __init__(self, table: Table, days: Sequence[date]) -> None:
        partitions = daily_partitions(FIRST, None, SEOUL) if table.is_partitioned else None
        subset = None
        if partitions and days:
            keys = PartitionKeyRange(str(days[0]), str(days[-1]))
            subset = partitions.empty_subset().with_partition_key_range(partitions, keys)
        super().__init__(
            run_id=str(uuid4()),
            asset_key=AssetKey(table.name),
            asset_partitions_def=partitions,
            asset_partitions_subset=subset,
            log_manager=get_dagster_logger(),
            resources=Resources(),  # Else Dagster makes an instance for it.
        )
        self._days = days
        self._of_days: dict[str, Mapping[str, Any]] = {}

    @property
    def step_context(self) -> "_Output":  # type: ignore[override]
        return self

    def add_asset_metadata(self, metadata: Mapping[str, Any], partition_key: str) -> None:
        self._of_days[partition_key] = metadata

    def materializations(self) -> list[AssetMaterialization]:
        """The events that Dagster would record."""
        own = self.consume_logged_metadata()
        asked = {str(day): self._of_days.get(str(day), own) for day in self._days} or {None: own}
        return [
            *(event for event in self.get_logged_events() if isinstance(event, AssetMaterialization)),
            *(AssetMaterialization(self.asset_key, partition=key, metadata=said) for key, said in asked.items()),
        ]


def hand(table: Table, output: object, io_manager: WarehouseIOManager, days: Sequence[date] = ()) -> Written:
    """Hand an asset's output to the I/O manager as a run does: no day, one, or all from the first to the last."""
    context = _Output(table, days)
    try:
        io_manager.handle_output(context, output)
    except CalbackError as error:
        return Written([], error)
    return Written(context.materializations())


@dataclass
class Desk:
    """A warehouse and an instance, and one call that writes rows as an asset would."""

    warehouse: WarehouseUnderTest
    instance: DagsterInstance
    folder: Path

    def write(self, table: Table, rows: Sequence[Row], shape: Shape = FRAME, days: Sequence[date] = (DAY,)) -> Written:
        return self.give(table, shape.output(rows, table, days, self.folder), days)

    def give(self, table: Table, output: object, days: Sequence[date] = (DAY,)) -> Written:
        return hand(table, output, self.warehouse.io_manager(), days if table.is_partitioned else ())

    def run(self, table: Table, output: object, days: Sequence[date] = (DAY,)) -> ExecuteInProcessResult:
        """The same in a run of Dagster's."""
        return run(
            asset_of(table, lambda: output),
            self.warehouse.io_manager(),
            self.instance,
            days if table.is_partitioned else (),
        )


def rows_of_reader(desk: Desk, annotation: type | None, columns: Sequence[str] | None = None) -> Any:
    """What an asset downstream of `daily_active_users` is handed for DAY; raises what its run raises."""
    received: list[object] = []
    partitions = daily_partitions(FIRST, None, SEOUL)
    source = asset_of(DAILY_ACTIVE_USERS, lambda: None)

    def reader(daily_active_users):  # type: ignore[no-untyped-def]
        is_stream = isinstance(daily_active_users, pa.RecordBatchReader)
        received.append(daily_active_users.read_all() if is_stream else daily_active_users)
        return pd.DataFrame({**frequent(), "event_date": [DAY]})

    if annotation is not None:
        reader.__annotations__["daily_active_users"] = annotation
    wanted = AssetIn(metadata={"columns": columns} if columns else None)
    made = asset(name="frequent_users", partitions_def=partitions, ins={"daily_active_users": wanted})(reader)
    materialize(
        [source, made],
        selection=["frequent_users"],
        instance=desk.instance,
        resources={"io_manager": desk.warehouse.io_manager()},
        partition_key=str(DAY),
    )
    return received[0]


def error_of(result: ExecuteInProcessResult | Written) -> str:
    """The message of our own error, as Dagster recorded it, with its class in front."""
    if isinstance(result, Written):
        assert result.error is not None
        return f"{type(result.error).__name__}: {result.error}"
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    error = failure.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    assert error is not None
    return error.message.strip().removeprefix("calback_assets.errors.")


def materializations(result: ExecuteInProcessResult | Written) -> Sequence[AssetMaterialization]:
    """What was told of what was written, event by event."""
    if isinstance(result, Written):
        return result.materializations
    return [event.step_materialization_data.materialization for event in result.get_asset_materialization_events()]


def materialization(result: ExecuteInProcessResult | Written, day: date | None = None) -> AssetMaterialization:
    """The one materialization of a run, or that of the day."""
    (found,) = [said for said in materializations(result) if day is None or said.partition == str(day)]
    return found


def metadata(result: ExecuteInProcessResult | Written, day: date | None = None) -> dict[str, Any]:
    """The plain values of a materialization's metadata."""
    return {name: value.value for name, value in materialization(result, day).metadata.items()}


def metrics(day: date = DAY, **changed: object) -> Row:
    """A row of `daily_active_users`, columns in the contract's order."""
    return {
        "event_date": day, "dau": 2, "wau": 3, "mau": 4, "stickiness": 0.5, "new_users": 1, "returning_users": 1,
        "resurrected_users": 0, "identified_users": 2, "anonymous_users": 0, "app_opens": 5, "sessions": 3,
        "events": 9, "meetings_created": 1,
    } | changed  # fmt: skip


def frequent(day: date = DAY, user_id: object = "u1", **changed: object) -> Row:
    """A row of `frequent_users`."""
    return {
        "event_date": day, "user_id": user_id, "active_days_30d": 3, "active_days_mtd": 3, "is_frequent": True,
        "is_frequent_month": True,
    } | changed  # fmt: skip
