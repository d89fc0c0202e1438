"""App events from the Google Analytics 4 export where Google writes it: a dataset of BigQuery, a table for each day.

Which of its tables and columns are read for a day, and how these become those of `raw_events` where BigQuery is the
warehouse, belongs here. What the events mean does not.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from calback_assets.days import Stretch
from calback_assets.errors import SourceError
from calback_assets.sources.bigquery.columns import TableColumns, no_rows, select
from calback_assets.sources.bigquery.copy import TableCopy, copied, query_over
from calback_assets.sources.bigquery.query import Catalog, Dataset, TableQuery
from calback_assets.sources.bigquery.rows import BigQueryRows
from calback_assets.sources.daily import A_LOT
from calback_assets.sources.file_query import FileQuery
from calback_assets.sources.ga4 import columns as export_columns
from calback_assets.sources.ga4.export import (
    FIELDS,
    OURS,
    REQUIRED,
    TIMESTAMP,
    ExportTable,
    FoundExport,
    Part,
    day_of,
    is_within,
    table_named,
)
from calback_assets.tables.contract import EVENT_DATE
from calback_assets.tables.raw import RAW_EVENTS

_ALIAS = "events"
_PLACES = {name: FIELDS.get(name, (name,)) for name in RAW_EVENTS.column_names if name not in OURS}
"""Where each column stands in the export."""


class Ga4Export:
    """The export's tables in BigQuery: `events_YYYYMMDD`, `events_fresh_YYYYMMDD` and `events_intraday_YYYYMMDD`."""

    def __init__(
        self,
        catalog: Catalog,
        project: str,
        dataset: str,
        timezone: str,
        now: Callable[[], datetime],
        rows: BigQueryRows | None = None,
    ) -> None:
        """Asks nothing yet.

        Args:
            catalog: tells the columns of each table, which differ with the export's age.
            project: that of the dataset, where the dataset names none.
            dataset: holds the export, as `CALBACK_GA4_DATASET` names it: `dataset` or `project.dataset`.
            timezone: what a day is.
            now: the current time, with its zone; tells whether a table may still be rewritten.
            rows: reads the tables for a warehouse that cannot reach them; None where it is BigQuery's.

        Raises:
            SettingsError: `dataset` names no dataset.
        """
        self._catalog = catalog
        self._dataset = Dataset.named(
            dataset, project, setting="CALBACK_GA4_DATASET", expected="analytics_<property id>"
        )
        self._zone = ZoneInfo(timezone)
        self._now = now
        self._rows = rows

    def look(self, _since: date) -> "FoundTables":
        """The tables that are there.

        Raises:
            SourceError: the dataset cannot be read.
        """
        tables = map(table_named, self._catalog.tables(self._dataset))
        found = {table: table.name for table in tables if table}
        return FoundTables(self._catalog, self._dataset, found, self._zone, self._now, self._rows)


class FoundTables(FoundExport[str]):
    """The export's tables, whose columns are asked for when a day is."""

    def __init__(
        self,
        catalog: Catalog,
        dataset: Dataset,
        found: Mapping[ExportTable, str],
        zone: ZoneInfo,
        now: Callable[[], datetime],
        rows: BigQueryRows | None,
    ) -> None:
        """Take what was found."""
        super().__init__(f"dataset {dataset.name} in project {dataset.project}", found)
        self._catalog = catalog
        self._dataset = dataset
        self._zone = zone
        self._now = now
        self._rows = rows

    def rows(self, _day: date) -> int:
        """Nothing where BigQuery reads for itself; else nobody knows, and a day is a lot."""
        return A_LOT if self._rows else 0

    def read(self, stretch: Stretch) -> FileQuery | TableQuery:
        """The events of these days as `raw_events`.

        Raises:
            SourceError: the dataset cannot be read, or a table in it is none of the export's or has gone meanwhile.
        """
        facts = {
            day: {
                "tables": ", ".join(part.table.name for part in self.parts(Stretch.on(day))) or "none",
                "kinds": self.kinds(day),
            }
            for day in stretch.days
        }
        parts = self.parts(stretch)
        columns = {part.table: self._columns(part.table) for part in parts}
        # Made in either case: what no value of a column can be taken for is refused before any row is read.
        queries = [self._query(part, columns[part.table]) for part in parts]
        if self._rows is None:
            return TableQuery("\nUNION ALL\n".join(queries) or no_rows(RAW_EVENTS), facts)
        copies = [copy for part in parts if (copy := self._copied(self._rows, part, columns[part.table]))]
        return query_over(copies, export_columns.no_rows(), facts)

    def _columns(self, table: ExportTable) -> Mapping[str, str]:
        columns = self._catalog.columns(self._dataset, table.name)
        if columns is None:  # Google drops what is not complete once the daily table is.
            raise SourceError(f"{self._dataset.name}.{table.name}: went away while it was read. Run the day again.")
        return columns

    def _query(self, part: Part[str], columns: Mapping[str, str]) -> str:
        table = part.table
        export = self._export(table, columns)
        expressions = {name: export.read(RAW_EVENTS.column(name).type, *place) for name, place in _PLACES.items()}
        timestamp = export.filled(expressions[TIMESTAMP], TIMESTAMP)
        expressions |= {name: export.filled(expressions[name], name) for name in REQUIRED if name != TIMESTAMP}
        expressions[EVENT_DATE] = day_of(timestamp, part, self._zone)
        expressions["is_final"] = str(self._is_final(table)).upper()
        return (
            f"{select(RAW_EVENTS, expressions)}\nFROM {self._dataset.table(table.name)} AS {_ALIAS}\n"
            f"WHERE {is_within(timestamp, part, self._zone)}"
        )

    def _copied(self, rows: BigQueryRows, part: Part[str], columns: Mapping[str, str]) -> tuple[TableCopy, str] | None:
        """The table's events of the days, and the query over them."""
        table = part.table
        export = self._export(table, columns)
        names = [".".join(place) for place in _PLACES.values() if export.has(*place)]
        where = ""
        if columns[TIMESTAMP] == "INT64":  # Other types are cut by the query alone.
            # An event without a time is no day's, and an error as in a file.
            where = f"({is_within(TIMESTAMP, part, self._zone)}) OR {TIMESTAMP} IS NULL"
        copy = copied(rows, self._dataset, table.name, names, where)
        if copy is None:
            return None
        is_final = self._is_final(table)
        return copy, export_columns.select(copy.scan, copy.columns, part, self._zone, copy.refuse, is_final=is_final)

    def _export(self, table: ExportTable, columns: Mapping[str, str]) -> TableColumns:
        return TableColumns(self._dataset, table.name, columns, alias=_ALIAS, required=REQUIRED)

    def _is_final(self, table: ExportTable) -> bool:
        return table.is_final(self._now().astimezone(self._zone).date())
