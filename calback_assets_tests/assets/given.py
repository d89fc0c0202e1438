"""One model knocked on directly: given the rows of its inputs, its rows for a day.

Builders of input rows and the run of a single query belong here; whole worlds of files stand in `worlds`. Times are
wall-clock times in Seoul, as a person would say them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.days import Stretch
from calback_assets.tables import EVENT_DATE, TABLES, Table
from calback_assets.warehouse.duckdb.session import DuckDBSession
from calback_assets.warehouse.googlesql.model import SCHEMA, Model
from calback_assets.warehouse.googlesql.template import Parameter
from calback_assets.warehouse.io_manager import Calendar
from calback_assets.warehouse.rows import ConformedRows, arrow_type

Row = dict[str, Any]
Tables = Mapping[str, Sequence[Row]]

SEOUL = ZoneInfo("Asia/Seoul")
CALENDAR = Calendar(date(2023, 1, 1), date(2025, 12, 31), "Asia/Seoul")
FREQUENT: Mapping[str, Parameter] = {"frequent_min_days": 3, "frequent_window_days": 30}
PARAMETERS: Mapping[str, Parameter] = {**FREQUENT, "start_date": CALENDAR.first}
_NEUTRAL = {"STRING": "", "INT64": 0, "BOOL": False, "TIMESTAMP": datetime(1970, 1, 1, tzinfo=UTC)}


def day(text: str) -> date:
    """A day from `YYYY-MM-DD`."""
    return date.fromisoformat(text)


def at(text: str) -> datetime:
    """The instant of a wall-clock time in Seoul, `YYYY-MM-DD HH:MM[:SS[.ffffff]]`."""
    return datetime.fromisoformat(text).replace(tzinfo=SEOUL).astimezone(UTC)


def micros(text: str) -> int:
    """The same instant as GA4 writes it."""
    moment = at(text)
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def event(when: str, device: str | None = "phone", user: str | None = None, name: str = "tap", **more: Any) -> Row:
    """A row of `raw_events`, its parameters given as `params`."""
    return {
        EVENT_DATE: day(when[:10]),
        "event_timestamp": micros(when),
        "event_name": name,
        "user_pseudo_id": device,
        "user_id": user,
        "event_params": params(**more.pop("params", {})),
        **more,
    }


def params(**values: str | int | float) -> list[Row]:
    """GA4 parameters, each value under the key of its type."""
    kinds = {str: "string_value", int: "int_value", float: "double_value"}
    nothing = dict.fromkeys(("string_value", "int_value", "float_value", "double_value"))
    return [{"key": key, "value": {**nothing, kinds[type(value)]: value}} for key, value in values.items()]


def opened(text: str, user: str, **kafka: Any) -> Row:
    """A row of `raw_access_log`."""
    return {EVENT_DATE: day(text), "user_id": user, **kafka}


def seen(device: str, user: str, first: str, last: str | None = None) -> Row:
    """A row of `device_identity`."""
    return {
        EVENT_DATE: day(first[:10]),
        "user_pseudo_id": device,
        "user_id": user,
        "first_seen_at": at(first),
        "last_seen_at": at(last or first),
    }


def active(text: str, user: str, **more: Any) -> Row:
    """A row of `user_daily_activity` with one event."""
    return {EVENT_DATE: day(text), "user_id": user, "events": 1, **more}


def joined(text: str, user: str, basis: str = "registration") -> Row:
    """A row of `user_joined`."""
    return {EVENT_DATE: day(text), "user_id": user, "basis": basis}


def did(text: str, user: str, behaviour: str = "tap", times: int = 1, **more: int) -> Row:
    """A row of `user_behaviour`."""
    return {EVENT_DATE: day(text), "user_id": user, "behaviour": behaviour, "times": times, **more}


def first_seen(text: str, user: str) -> Row:
    """A row of `user_first_seen`."""
    return {EVENT_DATE: day(text), "user_id": user}


@contextmanager
def warehouse(tables: Tables) -> Iterator[DuckDBSession]:
    """A warehouse in memory that holds these rows and no others; nothing stays in it."""
    session = _empty_warehouse()
    session.execute("BEGIN TRANSACTION")
    try:
        for name, rows in tables.items():
            insert(session, TABLES[name], rows)
        yield session
    finally:
        session.execute("ROLLBACK")


@cache
def _empty_warehouse() -> DuckDBSession:
    """One for all tests: to open one for each would take most of their time."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    session = DuckDBSession(connection, Path("memory"), {})
    session.prepare()
    for table in TABLES.values():
        session.ensure(table)
    return session


def insert(session: DuckDBSession, table: Table, rows: Sequence[Row]) -> None:
    """Add rows to a table, past the write contract: what a test is given may be wrong on purpose."""
    if rows:
        with session.incoming(ConformedRows(arrow(table, rows), table), "run") as name:
            session.execute(f"INSERT INTO {SCHEMA}.{table.name} BY NAME FROM {name}")


def arrow(table: Table, rows: Sequence[Row]) -> pa.Table:
    """Rows of a table; required columns that a row leaves out are neutral."""
    assert all(row.keys() <= set(table.column_names) for row in rows)
    neutral = {column.name: _NEUTRAL.get(column.type) for column in table.columns if column.required}
    return pa.Table.from_pylist([neutral | row for row in rows], schema=_schema(table.name))


@cache
def _schema(table_name: str) -> pa.Schema:
    return pa.schema([(column.name, arrow_type(column.type)) for column in TABLES[table_name].columns])


def rows_of(declared: SqlAsset, when: str, tables: Tables, settings: Mapping[str, Parameter] = PARAMETERS) -> list[Row]:
    """The rows that an asset makes for a day, held to its contract's columns and key."""
    table = declared.table
    with warehouse(tables) as session:
        rows = session.arrow(filled(declared.model, when, {name: settings[name] for name in declared.parameters}))
    if declared.refine:
        rows = pa.Table.from_pandas(declared.refine(rows), preserve_index=False)
    assert set(rows.column_names) == set(table.column_names)
    assert [column.name for column in table.columns if column.required and rows[column.name].null_count] == []
    assert rows.select(table.key).group_by(table.key).aggregate([]).num_rows == rows.num_rows
    found: list[Row] = rows.to_pylist()
    return found


def filled(model: Model, when: str, settings: Mapping[str, Parameter]) -> str:
    """The query for DuckDB, as the I/O manager fills it in for a day."""
    return model.duckdb_template.fill({**settings, **CALENDAR.parameters(model, Stretch.on(day(when)))})
