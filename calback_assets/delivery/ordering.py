"""Rows in the order of their table's key, whatever their number: the same rows make the same file.

Sorting, and nested columns as JSON for what knows no nesting, belong here; a DuckDB of its own does both, and puts on
disk what is more than it may hold.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from calback_assets.errors import DeliveryError
from calback_assets.sources.coercion import identifier
from calback_assets.tables import Table
from calback_assets.warehouse.rows import arrow_type

BATCH_ROWS = 32_768
_MEMORY = "256MB"
_NO_JSON = r"NaN|Infinity|\\u0000"
"""What DuckDB writes and JSON, or a database, does not take; in a text it may stand rightly."""


class Sorter:
    """Sorts one stream of rows after the other."""

    def __init__(self, engine: duckdb.DuckDBPyConnection) -> None:
        """Sort with this engine."""
        self._engine = engine

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator["Sorter"]:
        """A sorter whose files are gone afterwards."""
        with (
            TemporaryDirectory(prefix="calback-export-") as folder,
            duckdb.connect(config={"memory_limit": _MEMORY, "temp_directory": folder}) as engine,
        ):
            engine.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
            yield cls(engine)

    def in_order(
        self, batches: Iterable[pa.RecordBatch], schema: pa.Schema, key: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """The rows in the order of a key, or of all columns where there is none.

        Raises:
            DeliveryError: there is no room for sorting them.
        """
        given = _Stream(batches)
        order = ", ".join(map(identifier, key or schema.names))
        try:
            with self._engine.cursor() as cursor:
                cursor.register("rows", pa.RecordBatchReader.from_batches(schema, given))
                for batch in cursor.sql(f"SELECT * FROM rows ORDER BY {order}").to_arrow_reader(BATCH_ROWS):
                    yield batch.select(schema.names).cast(schema)
        except (duckdb.Error, OSError) as error:
            if given.error:
                raise given.error from None
            raise DeliveryError(
                f"the rows cannot be sorted ({type(error).__name__}); nothing was written; make room in the folder for "
                "temporary files (TMPDIR)"
            ) from None

    def flat(self, batches: Iterable[pa.RecordBatch], table: Table) -> Iterator[pa.RecordBatch]:
        """The rows with JSON in place of nested columns, and without NUL, which no database and no sheet takes."""
        nested = {column.name for column in table.columns if pa.types.is_nested(arrow_type(column.type))}
        for batch in batches:
            columns = {
                name: self._as_json(column) if name in nested else _without_nul(column)
                for name, column in zip(batch.schema.names, batch.columns, strict=True)
            }
            yield pa.RecordBatch.from_pydict(columns)

    def _as_json(self, column: pa.Array) -> pa.Array:
        with self._engine.cursor() as cursor:  # Another one has the rows still open.
            cursor.register("nested", pa.table({"value": column}))
            found = cursor.sql("SELECT CAST(to_json(value) AS VARCHAR) AS value FROM nested").to_arrow_table()
        texts = found["value"].combine_chunks().cast(pa.string())
        odd = pc.fill_null(pc.match_substring_regex(texts, _NO_JSON), fill_value=False)
        if not pc.any(odd).as_py():
            return texts
        return pa.array(
            [_valid(text) if is_odd else text for text, is_odd in zip(texts.to_pylist(), odd.to_pylist(), strict=True)],
            pa.string(),
        )


class _Stream:
    """Batches for a reader in C++, which would lose what kind of error broke them off."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = iter(batches)
        self.error: Exception | None = None

    def __iter__(self) -> "_Stream":
        return self

    def __next__(self) -> pa.RecordBatch:
        try:
            return next(self._batches)
        except StopIteration:
            raise
        except Exception as error:
            self.error = error
            raise


def _without_nul(column: pa.Array) -> pa.Array:
    return pc.replace_substring(column, "\0", "") if pa.types.is_string(column.type) else column


def _valid(text: str) -> str:
    return json.dumps(_plain(json.loads(text)), ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, str):
        return value.replace("\0", "")
    return None if isinstance(value, float) and not -float("inf") < value < float("inf") else value
