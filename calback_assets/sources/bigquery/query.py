"""What stands between a source that is a table in BigQuery and the rest: a dataset, its catalog, and a query.

The dataset that a setting names, the question which columns its tables have, and the query that is handed to the
warehouse belong here. Which tables are read, and how, stands in the module of each source; the service that answers
is `catalog`.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from calback_assets.errors import SettingsError, SourceError
from calback_assets.sources.file_query import Facts

_DATASET = re.compile(r"(?:(?P<project>[a-z0-9.:-]+)\.)?(?P<name>[A-Za-z0-9_]+)")


@dataclass(frozen=True)
class TableQuery:
    """Rows that stand in BigQuery, as GoogleSQL: the service reads them, and no row passes through Python."""

    sql: str
    """Yields exactly the stored columns of the table's contract, by name and in their types."""
    facts: Mapping[date, Facts]
    """Of each day."""


@dataclass(frozen=True)
class Dataset:
    """A dataset of BigQuery, and the setting that a person corrects when something is wrong with it."""

    project: str
    name: str
    setting: str
    """The environment variable that names the dataset."""
    expected: str
    """What the variable should be set to, in words."""

    @classmethod
    def named(cls, text: str, project: str, *, setting: str, expected: str) -> "Dataset":
        """The dataset that `text` names: `dataset`, in the project, or `project.dataset`.

        Raises:
            SettingsError: the text names no dataset.
        """
        match = _DATASET.fullmatch(text)
        if match is None:
            raise SettingsError(f"{setting} names no dataset ({text!r} cannot be one); set it to {expected}")
        return cls(match["project"] or project, match["name"], setting, expected)

    def table(self, name: str) -> str:
        """The full name of one of its tables, as GoogleSQL."""
        return f"`{self.project}.{self.name}.{name}`"

    def problem(self, table: str, problem: str) -> SourceError:
        """The error for a table that is not what the setting should name."""
        return SourceError(f"{self.name}.{table}: {problem}. Set {self.setting} to {self.expected}.")


class Catalog(Protocol):
    """Tells which tables and columns there are, and which days."""

    def tables(self, dataset: Dataset) -> Collection[str]:
        """The names of all tables of a dataset.

        Raises:
            SourceError: there is no such dataset, or it may not be read.
        """

    def days(self, dataset: Dataset, table: str, day: str, where: str) -> Collection[date]:
        """The days of which a table has rows that a condition leaves.

        Args:
            dataset: that of the table.
            table: its name.
            day: that of a row, as GoogleSQL.
            where: the condition, as GoogleSQL.

        Raises:
            SourceError: the table may not be read.
        """

    def columns(self, dataset: Dataset, table: str) -> Mapping[str, str] | None:
        """The GoogleSQL type of each column, STRUCT and ARRAY spelled out; None where there is no such table.

        Raises:
            SourceError: there is no such dataset, or it may not be read.
        """
