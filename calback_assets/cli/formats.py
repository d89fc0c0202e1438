"""Rows on standard output in the formats that programs read, a batch at a time.

How a value is written belongs here; which rows, and how a person sees them, stands in `show`.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from calback_assets.sources.coercion import identifier
from calback_assets.tables import Table

_BATCH_ROWS = 8_192


def write_csv(_table: Table, rows: pa.RecordBatchReader, out: IO[bytes]) -> None:
    """With a line of names; what is nested stands as JSON in its cell."""
    nested = {field.name for field in rows.schema if pa.types.is_nested(field.type)}
    cells = ", ".join(
        f"CAST(to_json({identifier(name)}) AS VARCHAR) AS {identifier(name)}" if name in nested else identifier(name)
        for name in rows.schema.names
    )
    with _converted(rows, cells) as converted, pa.csv.CSVWriter(out, converted.schema) as writer:
        for batch in converted:
            writer.write_batch(batch)


def write_json(table: Table, rows: pa.RecordBatchReader, out: IO[bytes]) -> None:
    """One object a line."""
    members = ", ".join(
        f"{identifier(name)} := "
        + (f"CAST({identifier(name)} AS JSON)" if table.column(name).type == "JSON" else identifier(name))
        for name in rows.schema.names
    )
    with _converted(rows, f"CAST(to_json(struct_pack({members})) AS VARCHAR) AS line") as converted:
        for batch in converted:
            out.writelines(f"{line}\n".encode() for line in batch["line"].to_pylist())


def write_parquet(_table: Table, rows: pa.RecordBatchReader, out: IO[bytes]) -> None:
    """Whole or not at all: nobody can read the beginning of it."""
    with tempfile.TemporaryFile() as whole:
        with pa.parquet.ParquetWriter(whole, rows.schema, compression="zstd") as writer:
            for batch in rows:
                writer.write_batch(batch)
        whole.seek(0)
        shutil.copyfileobj(whole, out)


FORMATS: Mapping[str, Callable[[Table, pa.RecordBatchReader, IO[bytes]], None]] = {
    "csv": write_csv,
    "json": write_json,
    "parquet": write_parquet,
}


def write(name: str, table: Table, rows: pa.RecordBatchReader) -> None:
    """Write rows to standard output, to its end or to that of who reads it."""
    out = sys.stdout.buffer
    try:
        FORMATS[name](table, rows, out)
        out.flush()
    except BrokenPipeError:
        # Who read has enough. What is left in the buffer must not be tried again at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _converted(rows: pa.RecordBatchReader, columns: str) -> Iterator[pa.RecordBatchReader]:
    """The rows as an engine of its own makes them, in their order and no more than some batches at a time."""
    with duckdb.connect() as engine:
        engine.execute("SET TimeZone = 'UTC'; SET threads = 1")
        yield engine.from_arrow(rows).project(columns).to_arrow_reader(_BATCH_ROWS)
