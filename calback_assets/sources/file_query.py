"""What a file source hands to the warehouse: a query over files, and how to explain its failure.

The hand-over belongs here, and the engine with which a source looks into files before it; which files are read, and
how, stands in the module of each source.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TypeAlias

import duckdb

from calback_assets.errors import SourceError

Facts: TypeAlias = Mapping[str, int | str]
"""Short facts for people who look at a materialization: what was read."""


@dataclass(frozen=True)
class FileQuery:
    """Rows that stand in files, as DuckDB SQL: the engine reads them, and no row passes through Python."""

    sql: str
    """Yields exactly the stored columns of the table's contract, by name and in their types."""
    explain: Callable[[Exception], SourceError]
    """Finds out which file and line made the query fail.

    DuckDB's own message quotes the offending value, which may be personal, and counts lines unreliably: raise
    the explanation `from None`.
    """
    facts: Mapping[date, Facts]
    """Of each day."""


def engine() -> duckdb.DuckDBPyConnection:
    """A connection that looks into files, and keeps nothing."""
    return _database(os.getpid()).cursor()


@cache
def _database(_process: int) -> duckdb.DuckDBPyConnection:
    """One for a process, since to open one takes longer than a small file; and none that was forked with it."""
    return duckdb.connect(config={"enable_external_file_cache": False})
