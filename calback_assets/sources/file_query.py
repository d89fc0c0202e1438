"""What a file source hands to the warehouse: a query over files, and how to explain its failure.

Only the hand-over belongs here; which files are read, and how, stands in the module of each source.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

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
