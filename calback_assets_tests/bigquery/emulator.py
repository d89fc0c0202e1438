"""A BigQuery of one's own: the emulator `bqemulator` in this process.

How it is started, and what it needs to run without a network, belongs here. It is not BigQuery: it does not refuse
all that BigQuery refuses, and knows neither rights nor costs, which tests assert on the SQL itself. It takes most of a
second to import: who only reaches it needs `clients` alone.
"""

import asyncio
import base64
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from unittest.mock import patch

import duckdb
import fastapi.dependencies.utils
import pyarrow as pa
import sqlglot
from bqemulator.api import app
from bqemulator.api.routes import upload
from bqemulator.config import LogLevel, PersistenceMode, Settings
from bqemulator.grpc_api import read_servicer
from bqemulator.jobs import executor
from bqemulator.scripting.ast import Script, SqlStmt
from bqemulator.server import EmulatorServer
from bqemulator.sql import parameters as query_parameters
from bqemulator.sql.translator import SQLTranslator
from bqemulator.storage.engine import DuckDBEngine
from bqemulator.streaming import read_session
from bqemulator.versioning.snapshots import SnapshotManager
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.expressions.core import POSITION_META_KEYS
from sqlglot.generator import Generator

from calback_assets.tables import EVENT_DATE
from calback_assets_tests.bigquery.clients import Emulator

_START_SECONDS = 60
_STOP_SECONDS = 30


@contextmanager
def running_emulator() -> Iterator[Emulator]:
    """An emulator that holds nothing yet, and forgets everything at the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="bqemulator", daemon=True)
    thread.start()
    try:
        with (
            # GEOGRAPHY, which nothing here uses, would be downloaded.
            patch.object(DuckDBEngine, "_load_spatial"),
            # What the client sends with a load job.
            patch.object(upload, "_PERMITTED_MEDIA_CONTENT_TYPES", ("*/*", *upload._PERMITTED_MEDIA_CONTENT_TYPES)),
            patch.object(DuckDBEngine, "execute", _execute),
            patch.object(Dialect, "generator", _generator),
            patch.object(sqlglot, "parse_one", _parse_one),
            patch.object(executor, "parse_script", _parse_script),
            patch.multiple(SQLTranslator, translate=_translate, _apply_first_matching_rule=_apply_first_matching_rule),
            # A thread for each look at a header.
            patch.object(fastapi.dependencies.utils, "run_in_threadpool", _run_here),
            # What nobody reads, a task of its own for each request and each of them.
            patch.multiple(
                app, MetricsMiddleware=_left_out, AccessLogMiddleware=_left_out, CorrelationIdMiddleware=_left_out
            ),
            # A copy of the whole table after each change of it.
            patch.object(SnapshotManager, "record_change", _record_change),
            # Of a field in a struct, the emulator's Storage API knows nothing.
            patch.object(read_servicer, "_COLUMN_NAME_RE", re.compile(r"[\w.]+\Z")),
            patch.object(read_servicer, "_build_read_sql", _read_sql),
            patch.object(read_session, "_project_columns", lambda rows, _: rows),
            # Google sends small batches; what the emulator sends of wide rows is larger than its own bound.
            patch.object(read_servicer, "get_stream_data", _in_small_batches),
            # A parameter of bytes is sent in base64, in which the emulator would leave it.
            patch.dict(query_parameters._SCALAR_CONVERTERS, {"BYTES": base64.b64decode}),
        ):
            server = EmulatorServer(_settings())
            with patch("logging.basicConfig"):  # It would take the root logger's handlers from pytest.
                asyncio.run_coroutine_threadsafe(server.start(), loop).result(_START_SECONDS)
            try:
                yield Emulator(server.rest_url, server.grpc_endpoint)
            finally:
                asyncio.run_coroutine_threadsafe(server.stop(), loop).result(_STOP_SECONDS)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_STOP_SECONDS)
        loop.close()


_read_all_sql = read_servicer._build_read_sql


def _read_sql(table: str, names: list[str] | None, *given: Any, **options: Any) -> str:
    """What the Storage API reads: whole columns, and structs of those fields alone that are asked for."""
    sql = _read_all_sql(table, None, *given, **options)
    fields: dict[str, list[str]] = {}
    for name in names or []:
        column, *field = name.split(".")
        fields.setdefault(column, []).extend(field)
    columns = [
        f'struct_pack({", ".join(f"{field} := {column}.{field}" for field in of_column)}) AS "{column}"'
        if of_column
        else f'"{column}"'
        for column, of_column in fields.items()
    ]
    return sql.replace("SELECT *", f"SELECT {', '.join(columns)}", 1) if columns else sql


_stream_data = read_servicer.get_stream_data


def _in_small_batches(session: str, stream: str) -> pa.Table | None:
    rows = _stream_data(session, stream)
    return None if rows is None else pa.Table.from_batches(rows.to_batches(max_chunksize=4096), rows.schema)


_execute_as_it_is = DuckDBEngine.execute
_KEYED_HASH = re.compile(
    r"SHA256\(CAST\(\? \|\| UNHEX\(SHA256\(CAST\(\? \|\| CAST\((.+?) AS BLOB\) AS TEXT\)\)\) AS TEXT\)\)"
)


def _execute(engine: DuckDBEngine, sql: str, given: list[Any] | None = None) -> duckdb.DuckDBPyConnection:
    """As the emulator does, but for two things.

    In a MERGE of a day, DuckDB joins ON FALSE row by row, in quadratic time: a condition that no two rows meet either,
    but that can be hashed, takes its place. And in SHA256(CONCAT(bytes, CAST(text AS BYTES))) the emulator loses what
    is bytes and what is text.
    """
    never = f" ON target.{EVENT_DATE} = source.{EVENT_DATE} + 1000000 WHEN NOT MATCHED BY SOURCE AND {EVENT_DATE} "
    sql = sql.replace(f" ON FALSE WHEN NOT MATCHED BY SOURCE AND {EVENT_DATE} ", never)
    sql = _KEYED_HASH.sub(r"SHA256(? || UNHEX(SHA256(? || ENCODE(\1))))", sql)
    return _execute_as_it_is(engine, sql, given)


_keep_the_past = SnapshotManager.record_change


def _record_change(manager: SnapshotManager, project: str, dataset: str, table: str) -> object:
    """As the emulator does, for the tables whose past is asked for: the extension's changelogs."""
    return _keep_the_past(manager, project, dataset, table) if table.endswith("_raw_changelog") else None


def _left_out(served: Any, **_: Any) -> Any:
    return served


_parse_anew = sqlglot.parse_one
# The emulator's functions that look at a tree and change nothing in it; all others get a copy of their own.
_READERS = frozenset(
    {
        "_capture_dml_snapshots",
        "_detect_catalog_drop",
        "_detect_create_schema",
        "_detect_plain_create_table",
        "_detect_plain_create_view",
        "_parse_for_classification",
        "_reject_dml_on_immutable",
        "build_catalog_schema",
        "detect_drop_routine",
    }
)


@lru_cache(maxsize=32)
def _parsed(sql: str, read: str) -> exp.Expr:
    tree = _parse_anew(sql, read=read)
    for node in tree.walk():
        # Where it stood in the text, which is most of the time that a copy takes.
        node._meta = {name: value for name, value in node.meta.items() if name not in POSITION_META_KEYS} or None
    return tree


def _parse_one(sql: str, read: str | None = None, **options: Any) -> exp.Expr:
    """SQLGlot's, which the emulator asks twenty times for each statement."""
    if read is None or options:
        return _parse_anew(sql, read=read, **options)
    tree = _parsed(sql, read)
    return tree if sys._getframe(1).f_code.co_name in _READERS else tree.copy()


_parse_any_script = executor.parse_script
_ONE_STATEMENT = re.compile(r"(?i:SELECT|WITH|INSERT|MERGE|UPDATE|DELETE)\b[^;]*\Z")


def _parse_script(sql: str) -> Script:
    """As the emulator does, which looks for scripts letter by letter in what is one statement at the first look."""
    if not _ONE_STATEMENT.match(sql):
        return _parse_any_script(sql)
    try:
        _parsed(sql, "bigquery")
    except sqlglot.errors.SqlglotError:
        return _parse_any_script(sql)
    return Script((SqlStmt(sql.strip()),))


_translate_anew = SQLTranslator.translate


@lru_cache(maxsize=256)
def _translated(translator: SQLTranslator, sql: str) -> Any:
    return _translate_anew(translator, sql)


def _translate(translator: SQLTranslator, sql: str, **_: Any) -> Any:
    """As the emulator does, once for each text: it is asked for its columns, and then for its rows.

    Without the types of columns, which serve rules about decimals, and without who asks, which serves SESSION_USER():
    no contract has the one, and no statement the other.
    """
    return _translated(translator, sql)


_apply_any_rule = SQLTranslator._apply_first_matching_rule
# What most of a tree consists of. The emulator's rules are about calls, casts, types and arithmetic.
_WITHOUT_RULES = frozenset(
    {
        exp.Alias,
        exp.And,
        exp.Column,
        exp.ColumnDef,
        exp.EQ,
        exp.From,
        exp.GT,
        exp.GTE,
        exp.Identifier,
        exp.Join,
        exp.LT,
        exp.LTE,
        exp.Literal,
        exp.Null,
        exp.Or,
        exp.Ordered,
        exp.Paren,
        exp.Select,
        exp.Table,
        exp.TableAlias,
        exp.Where,
    }
)


def _apply_first_matching_rule(translator: SQLTranslator, node: exp.Expr, tree: exp.Expr) -> bool:
    """As the emulator does, which asks each of its ninety rules about each name and number."""
    return type(node) not in _WITHOUT_RULES and _apply_any_rule(translator, node, tree)


async def _run_here(function: Callable[..., Any], *given: Any, **options: Any) -> Any:
    return function(*given, **options)


_made_anew = Dialect.generator
_kept = threading.local()


def _generator(dialect: Dialect, **options: Any) -> Generator:
    """SQLGlot's writer of a dialect, one a thread: compiled, that of DuckDB parses 17 texts whenever it is made."""
    key = repr((type(dialect), dialect.settings, options))
    if key not in vars(_kept):
        setattr(_kept, key, _made_anew(dialect, **options))
    return getattr(_kept, key)


def _settings() -> Settings:
    return Settings(
        persistence_mode=PersistenceMode.EPHEMERAL,
        rest_port=0,
        grpc_port=0,
        enable_format_extensions=False,
        log_level=LogLevel.CRITICAL,
    )
