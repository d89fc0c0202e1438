"""App opens from the backend's access log where a Kafka connector lands it: one BigQuery table, partitioned by date.

How a row of the table becomes a row of `raw_access_log` belongs here. Copies of a message stay: raw is what was
delivered.
"""

import re
from collections.abc import Collection
from datetime import date

from calback_assets.days import Stretch
from calback_assets.errors import SettingsError
from calback_assets.sources.access_log import DEFAULT_FIELDS, Fields, FoundLog
from calback_assets.sources.table_columns import TableColumns, no_rows, select
from calback_assets.sources.table_query import Catalog, Dataset, TableQuery
from calback_assets.tables.contract import EVENT_DATE
from calback_assets.tables.raw import RAW_ACCESS_LOG

_SETTING = "CALBACK_ACCESS_LOG_TABLE"
_NAME = re.compile(r"(?P<dataset>.+)\.(?P<table>[\w-]+)")
_ALIAS = "opens"
_KAFKA = ("topic", "partition", "offset")
"""Columns that a connector may be told to keep."""


class AccessLogTable:
    """The log's table in BigQuery: the user, the day, and what the connector kept of Kafka's coordinates."""

    def __init__(self, catalog: Catalog, project: str, table: str, fields: Fields = DEFAULT_FIELDS) -> None:
        """Asks nothing yet.

        Args:
            catalog: tells the columns of the table.
            project: that of the table, where its name tells none.
            table: as `CALBACK_ACCESS_LOG_TABLE` names it: `dataset.table` or `project.dataset.table`.
            fields: the names of the user's and the day's column; the latter is a DATE.

        Raises:
            SettingsError: `table` names no table.
        """
        expected = f"<dataset>.<table> of a table with a column {fields.user}, partitioned by its column {fields.date}"
        match = _NAME.fullmatch(table)
        if match is None:
            raise SettingsError(f"{_SETTING} names no table ({table!r} cannot be one); set it to {expected}")
        self._catalog = catalog
        self._dataset = Dataset.named(match["dataset"], project, setting=_SETTING, expected=expected)
        self._table = match["table"]
        self._fields = fields

    def look(self, since: date) -> "FoundRows":
        """The days of the table that have rows.

        Raises:
            SourceError: the dataset cannot be read, or the table is no access log.
        """
        columns = self._catalog.columns(self._dataset, self._table)
        if columns is None:
            return FoundRows(self._dataset, self._table, None, (), self._fields)
        log = TableColumns(
            self._dataset, self._table, columns, alias=_ALIAS, required=(self._fields.user, self._fields.date)
        )
        log.read("DATE", self._fields.date)
        days = self._catalog.days(self._dataset, self._table, self._fields.date, since)
        # Rare, and dearer: only where it ends before that does anybody need to know with which day.
        days = days or self._catalog.days(self._dataset, self._table, self._fields.date, date.min)
        return FoundRows(self._dataset, self._table, log, days, self._fields)


class FoundRows(FoundLog):
    """The log's table, which is read when a day is asked for."""

    def __init__(
        self, dataset: Dataset, table: str, log: TableColumns | None, days: Collection[date], fields: Fields
    ) -> None:
        """Take what was found; `log` is None where there is no such table."""
        super().__init__(f"table {dataset.name}.{table} in project {dataset.project}", days)
        self._dataset = dataset
        self._table = table
        self._log = log
        self._fields = fields

    def rows(self, _day: date) -> int:
        """Nothing: what BigQuery reads stays there."""
        return 0

    def read(self, stretch: Stretch) -> TableQuery:
        """The app opens of these days as `raw_access_log`; a row without a date belongs to no day."""
        tables = {"tables": self._table if self._log else "none"}
        sql = self._query(self._log, stretch) if self._log else no_rows(RAW_ACCESS_LOG)
        return TableQuery(sql, dict.fromkeys(stretch.days, tables))

    def _query(self, log: TableColumns, stretch: Stretch) -> str:
        user = self._fields.user
        expressions = {name: log.read(RAW_ACCESS_LOG.column(name).type, name) for name in _KAFKA}
        expressions[EVENT_DATE] = log.read("DATE", self._fields.date)
        expressions["user_id"] = log.filled(f"NULLIF({log.read('STRING', user)}, '')", user)
        return (
            f"{select(RAW_ACCESS_LOG, expressions)}\nFROM {self._dataset.table(self._table)} AS {_ALIAS}\n"
            f"WHERE {expressions[EVENT_DATE]} BETWEEN DATE '{stretch.first}' AND DATE '{stretch.last}'"
        )
