"""Tables in BigQuery for an engine that cannot reach them: what is asked of one, in a copy that DuckDB reads.

How rows come to stand in the copy, and what is said of a query over copies that fails, belongs here. Which columns and
rows are asked for, and what is made of them, is for the sources to say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import IO

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from duckdb.sqltypes import DuckDBPyType

from calback_assets.errors import SourceError
from calback_assets.sources.bigquery.query import Dataset
from calback_assets.sources.bigquery.rows import BigQueryRows
from calback_assets.sources.coercion import literal
from calback_assets.sources.copies import Copy
from calback_assets.sources.explain import engine_problem
from calback_assets.sources.file_query import Facts, FileQuery

_GROUP_BYTES = 32 * 1024 * 1024
"""How much is kept in memory until it is written: a group of rows costs a little, however few they are."""


@dataclass(frozen=True)
class TableCopy:
    """Rows of a table; the copy is gone with this."""

    dataset: Dataset
    table: str
    columns: Mapping[str, DuckDBPyType]
    _copy: Copy

    @property
    def scan(self) -> str:
        """What a query reads, as DuckDB SQL."""
        return _scan(self._copy)

    def refuse(self, problem: str) -> SourceError:
        """The error for a table that is not what it should be."""
        return self.dataset.problem(self.table, problem)


def copied(
    rows: BigQueryRows, dataset: Dataset, table: str, columns: Sequence[str], where: str = ""
) -> TableCopy | None:
    """The rows of a table that a condition leaves; None where there are none.

    Args:
        rows: reads the table.
        dataset: that of the table.
        table: its name.
        columns: names of columns, and of fields in a struct.
        where: a condition of simple comparisons, as GoogleSQL.

    Raises:
        SourceError: the table cannot be read, or there is no room for the copy.
    """
    batches = rows.batches(dataset, table, columns, where)
    first = next(batches, None)
    if first is None:
        return None

    def write(file: IO[bytes]) -> None:
        # Dictionaries take four fifths of the time, and what is read once does not need them.
        with pq.ParquetWriter(file, first.schema, compression="zstd", use_dictionary=False) as writer:
            group = [first]
            for batch in batches:
                if sum(held.nbytes for held in group) >= _GROUP_BYTES:
                    writer.write_table(pa.Table.from_batches(group))
                    group = []
                group.append(batch)
            writer.write_table(pa.Table.from_batches(group))

    copy = Copy(write, f"{dataset.name}.{table}: no copy for DuckDB can", "")
    with duckdb.connect() as engine:
        relation = engine.sql(f"SELECT * FROM {_scan(copy)}")
        found = dict(zip(relation.columns, relation.types, strict=True))
    return TableCopy(dataset, table, found, copy)


def query_over(parts: Sequence[tuple[TableCopy, str]], no_rows: str, facts: Mapping[date, Facts]) -> FileQuery:
    """What is read from all of these copies, as one query that holds them.

    Args:
        parts: each copy with the query over it alone.
        no_rows: the query for no rows.
        facts: what was read of each day, for people.
    """

    def explain(error: Exception) -> SourceError:
        for copy, sql in parts:
            if problem := engine_problem(sql):
                return SourceError(f"{copy.dataset.name}.{copy.table}: {problem}. Correct or remove such rows.")
        names = ", ".join(f"{copy.dataset.name}.{copy.table}" for copy, _ in parts)
        return SourceError(
            f"{names}: each copy can be read, but the query over them failed ({type(error).__name__}). Check memory "
            "and disk space."
        )

    return FileQuery("\nUNION ALL\n".join(sql for _, sql in parts) or no_rows, explain, facts)


def _scan(copy: Copy) -> str:
    return f"read_parquet({literal(str(copy.path))})"
