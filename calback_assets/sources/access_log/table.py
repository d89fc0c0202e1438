"""App opens from the backend's access log where a Kafka connector lands it: one BigQuery table, partitioned by date.

How a row of the table becomes a row of `raw_access_log` belongs here. Copies of a message stay: raw is what was
delivered.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from calback_assets.days import Stretch
from calback_assets.errors import SettingsError
from calback_assets.sources.access_log import forms
from calback_assets.sources.access_log.days import DayColumn
from calback_assets.sources.access_log.log import DEFAULT_FIELDS, Fields, FoundLog
from calback_assets.sources.bigquery.columns import TableColumns, no_rows, select
from calback_assets.sources.bigquery.copy import TableCopy, copied, query_over
from calback_assets.sources.bigquery.query import Catalog, Dataset, TableQuery
from calback_assets.sources.bigquery.rows import BigQueryRows
from calback_assets.sources.coercion import failing, identifier
from calback_assets.sources.daily import A_LOT
from calback_assets.sources.file_query import FileQuery
from calback_assets.tables.contract import EVENT_DATE
from calback_assets.tables.raw import RAW_ACCESS_LOG

_SETTING = "CALBACK_ACCESS_LOG_TABLE"
_NAME = re.compile(r"(?P<dataset>.+)\.(?P<table>[\w-]+)")
_ALIAS = "opens"


class AccessLogTable:
    """The log's table in BigQuery: the user, the day, and what the connector kept of Kafka's coordinates."""

    def __init__(
        self,
        catalog: Catalog,
        project: str,
        table: str,
        timezone: str,
        fields: Fields = DEFAULT_FIELDS,
        rows: BigQueryRows | None = None,
    ) -> None:
        """Asks nothing yet.

        Args:
            catalog: tells the columns of the table.
            project: that of the table, where its name tells none.
            table: as `CALBACK_ACCESS_LOG_TABLE` names it: `dataset.table` or `project.dataset.table`.
            timezone: in which a time becomes a day.
            fields: the names of the user's and the day's column; the latter is a DATE, or tells a time.
            rows: reads the table for a warehouse that cannot reach it; None where it is BigQuery's.

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
        self._zone = ZoneInfo(timezone)
        self._fields = fields
        self._rows = rows

    def look(self, since: date) -> "FoundRows":
        """The days of the table that have rows.

        Raises:
            SourceError: the dataset cannot be read, or the table is no access log.
        """
        columns = self._catalog.columns(self._dataset, self._table)
        if columns is None:
            return FoundRows(self._dataset, self._table, None, (), self._fields, self._rows)
        log = TableColumns(
            self._dataset, self._table, columns, alias=_ALIAS, required=(self._fields.user, self._fields.date)
        )
        told = DayColumn(self._fields.date, columns[self._fields.date], self._zone)
        if not told.tells_days:
            raise self._dataset.problem(
                self._table, f"column {told.name} is {told.type} where DATE, TIMESTAMP or INT64 is expected"
            )
        days = self._catalog.days(self._dataset, self._table, told.day, told.within(since))
        # Rare, and dearer: only where it ends before that does anybody need to know with which day.
        days = days or self._catalog.days(self._dataset, self._table, told.day, told.within(None))
        return FoundRows(self._dataset, self._table, _Log(log, told), days, self._fields, self._rows)


@dataclass(frozen=True)
class _Log:
    """A table that is an access log."""

    columns: TableColumns
    told: DayColumn


class FoundRows(FoundLog):
    """The log's table, which is read when a day is asked for."""

    def __init__(
        self,
        dataset: Dataset,
        table: str,
        log: _Log | None,
        days: Collection[date],
        fields: Fields,
        rows: BigQueryRows | None,
    ) -> None:
        """Take what was found; `log` is None where there is no such table."""
        super().__init__(f"table {dataset.name}.{table} in project {dataset.project}", days)
        self._dataset = dataset
        self._table = table
        self._log = log
        self._fields = fields
        self._rows = rows

    def rows(self, _day: date) -> int:
        """Nothing where BigQuery reads for itself; else nobody knows, and a day is a lot."""
        return A_LOT if self._rows else 0

    def read(self, stretch: Stretch) -> FileQuery | TableQuery:
        """The app opens of these days as `raw_access_log`; a row without a date belongs to no day.

        Raises:
            SourceError: the table cannot be read, or is no access log.
        """
        facts = {day: {"tables": self._table if self._log else "none"} for day in stretch.days}
        # Made in either case: what no value of a column can be taken for is refused before any row is read.
        sql = self._query(self._log, stretch) if self._log else no_rows(RAW_ACCESS_LOG)
        if self._rows is None:
            return TableQuery(sql, facts)
        part = self._copied(self._rows, self._log, stretch) if self._log else None
        return query_over([part] if part else [], forms.no_rows(), facts)

    def _query(self, log: _Log, stretch: Stretch) -> str:
        user, columns = self._fields.user, log.columns
        expressions = {name: columns.read(RAW_ACCESS_LOG.column(name).type, name) for name in forms.KAFKA}
        expressions[EVENT_DATE] = log.told.day
        expressions["user_id"] = columns.filled(f"NULLIF({columns.read('STRING', user)}, '')", user)
        return (
            f"{select(RAW_ACCESS_LOG, expressions)}\nFROM {self._dataset.table(self._table)} AS {_ALIAS}\n"
            f"WHERE {log.told.within(stretch.first, stretch.until)}"
        )

    def _copied(self, rows: BigQueryRows, log: _Log, stretch: Stretch) -> tuple[TableCopy, str] | None:
        """The table's rows of the days, and the query over them."""
        names = [self._fields.user, log.told.name, *filter(log.columns.has, forms.KAFKA)]
        copy = copied(rows, self._dataset, self._table, names, log.told.within(stretch.first, stretch.until))
        if copy is None:
            return None
        expressions = forms.read(copy.columns, self._fields, log.told.zone.key, None, copy.refuse)
        selected = ",\n  ".join(f"{expression} AS {identifier(name)}" for name, expression in expressions.items())
        columns = ", ".join(identifier(name) for name in RAW_ACCESS_LOG.column_names)
        problem = forms.PROBLEM
        return copy, (
            f"SELECT {columns}\nFROM (\nSELECT\n  {selected}\nFROM {copy.scan}\n)\n"
            f"WHERE CASE WHEN {problem} IS NULL THEN {EVENT_DATE} BETWEEN DATE '{stretch.first}' AND "
            f"DATE '{stretch.last}' ELSE {failing(problem)} END"
        )
