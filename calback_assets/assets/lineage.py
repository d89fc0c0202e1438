"""Where every column comes from: one step back, and all the way to the app's fields.

Following the steps belongs here; they themselves are known by each model, and by the sources of the app.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import groupby
from operator import attrgetter

from dagster import AssetKey, TableColumnDep, TableColumnLineage

Steps = Mapping[str, Sequence[TableColumnDep]]
"""Of each column of a table, the columns that it is made of."""


class Lineage:
    """The columns of all tables, each with what it is made of."""

    def __init__(self, steps: Mapping[AssetKey, Steps]) -> None:
        """Take the steps of each table; what has none is the app's own."""
        self._steps = steps
        self._begins = cache(self._followed)

    def of(self, table: AssetKey) -> TableColumnLineage:
        """One step back, in Dagster's form."""
        return TableColumnLineage(self._steps[table])

    def begins(self, table: AssetKey, column: str) -> frozenset[TableColumnDep]:
        """The fields of the app that a column is made of, through all tables between."""
        return self._begins(table, column)

    def _followed(self, table: AssetKey, column: str) -> frozenset[TableColumnDep]:
        found: set[TableColumnDep] = set()
        for dep in self._steps[table][column]:
            found |= self._begins(dep.asset_key, dep.column_name) if dep.asset_key in self._steps else {dep}
        return frozenset(found)

    def said(self, table: AssetKey) -> dict[str, str]:
        """Of each column, as Markdown, what it is made of and where that begins."""
        found: dict[str, str] = {}
        first_of: dict[frozenset[TableColumnDep], str] = {}
        for column, deps in self._steps[table].items():
            begins = self.begins(table, column)
            first = first_of.setdefault(frozenset(deps), column)
            if first != column:
                found[column] = f"**From** the same as `{first}`"
            elif begins == set(deps):
                found[column] = f"**From** {_listed(deps)}"
            else:
                found[column] = f"**From** {_listed(deps)}\n\n**In the app** {_listed(begins)}"
        return found


def _listed(deps: Iterable[TableColumnDep]) -> str:
    """The columns, table for table."""
    in_order = sorted(deps, key=lambda dep: (dep.asset_key.to_user_string(), dep.column_name))
    return ", ".join(
        f"{key.to_user_string()} ({', '.join(f'`{dep.column_name}`' for dep in of_table)})"
        for key, of_table in groupby(in_order, key=attrgetter("asset_key"))
    )
