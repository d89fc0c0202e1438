"""What the tests of the sources in BigQuery share: tables with given rows, and what a query makes of them.

`Columns` stands for a dataset where only the SQL is asked for; `Tables` is one in the emulator.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from itertools import count
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import exp

from calback_assets.sources.bigquery.query import Dataset, TableQuery
from calback_assets.tables.contract import Table

if TYPE_CHECKING:
    from google.cloud.bigquery import Client
    from google.cloud.bigquery.table import RowIterator

PROJECT = "calback-test"


class Columns:
    """A catalog of tables that have columns, and no rows."""

    def __init__(self, **tables: Mapping[str, str]) -> None:
        self._tables = tables

    def columns(self, dataset: Dataset, table: str) -> Mapping[str, str] | None:  # noqa: ARG002  # as every catalog
        return self._tables.get(table)

    def tables(self, dataset: Dataset) -> Collection[str]:  # noqa: ARG002
        return self._tables.keys()

    def days(self, dataset: Dataset, table: str, day: str, where: str) -> Collection[date]:  # noqa: ARG002
        return ()


class Tables:
    """A dataset of the emulator."""

    def __init__(self, client: "Client", dataset: str) -> None:
        self.client = client
        self.dataset = dataset
        self._results = (f"result_{number}" for number in count(1))

    def add(self, table: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, object]]) -> None:
        """Makes a table with columns of GoogleSQL types, and loads the rows."""
        name = f"{PROJECT}.{self.dataset}.{table}"
        declared = ", ".join(f"`{column}` {type_}" for column, type_ in columns.items())
        self._run(f"CREATE TABLE `{name}` ({declared})")
        if rows:
            self.client.load_table_from_json(rows, name).result()

    def read(self, query: TableQuery, contract: Table) -> list[dict[str, Any]]:
        """Runs a query into a table, sees that it has the contract's columns and types, and gives its rows."""
        name = f"`{PROJECT}.{self.dataset}.{next(self._results)}`"
        self._run(f"CREATE TABLE {name} AS {query.sql}")
        rows = self._run(f"SELECT * FROM {name}")
        assert [field.name for field in rows.schema] == list(contract.column_names)
        expected = self._run(typed_null(contract))
        assert list(rows.schema) == list(expected.schema)
        return [dict(row) for row in rows]

    def _run(self, sql: str) -> "RowIterator":
        # Not query_and_wait: there, the emulator answers a query that fails with no rows.
        return self.client.query(sql).result()


def typed_null(contract: Table) -> str:
    """A row of NULLs in the contract's types."""
    return "SELECT " + ", ".join(f"CAST(NULL AS {column.type}) AS `{column.name}`" for column in contract.columns)


def scans(query: TableQuery) -> dict[str, exp.Select]:
    """The SELECT over each table that a query reads, by the table's full name as the SQL quotes it, in its order."""
    found = {}
    for select in sqlglot.parse_one(query.sql, dialect="bigquery").find_all(exp.Select):
        source = select.args.get("from_")
        if source is not None and isinstance(source.this, exp.Table):
            table = source.this.copy()
            table.set("alias", None)
            found[table.sql(dialect="bigquery")] = select
    return dict(sorted(found.items()))
