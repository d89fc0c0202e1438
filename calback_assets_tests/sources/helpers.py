"""What the tests of several sources share: writing files, and running a query as the warehouse does."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from calback_assets.errors import SourceError
from calback_assets.sources.coercion import stored_type
from calback_assets.sources.file_query import FileQuery, engine
from calback_assets.tables.contract import Table

MARK = "hong.gildong@example.com"
"""Stands for anything personal; it must not come out of a source anywhere."""


def write_lines(path: Path, lines: Iterable[object]) -> Path:
    """Writes JSON lines, gzipped where the name says so; a string is written as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def rows(query: FileQuery, table: Table) -> list[dict[str, Any]]:
    """Runs a query into a table made from the contract, and gives its rows."""
    with engine() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        relation = connection.sql(f"SELECT * FROM ({query.sql})")
        assert relation.columns == list(table.column_names)
        assert relation.types == [stored_type(column.type) for column in table.columns]
        return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def failure(query: FileQuery) -> str:
    """The explanation of a query that fails."""
    with duckdb.connect() as connection, pytest.raises(duckdb.Error) as caught:
        connection.execute(f"CREATE TABLE target AS SELECT * FROM ({query.sql})")
    explanation = query.explain(caught.value)
    assert isinstance(explanation, SourceError)
    return str(explanation)
