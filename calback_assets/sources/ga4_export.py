"""App events from the Google Analytics 4 export where Google writes it: a dataset of BigQuery, a table for each day.

How each export table's own columns become those of `raw_events` belongs here. What the events mean does not.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from calback_assets.days import Stretch
from calback_assets.errors import SourceError
from calback_assets.sources.ga4 import (
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
from calback_assets.sources.table_columns import TableColumns, no_rows, select
from calback_assets.sources.table_query import Catalog, Dataset, TableQuery
from calback_assets.tables.contract import EVENT_DATE
from calback_assets.tables.raw import RAW_EVENTS

_ALIAS = "events"


class Ga4Export:
    """The export's tables in BigQuery: `events_YYYYMMDD`, `events_fresh_YYYYMMDD` and `events_intraday_YYYYMMDD`."""

    def __init__(
        self, catalog: Catalog, project: str, dataset: str, timezone: str, now: Callable[[], datetime]
    ) -> None:
        """Asks nothing yet.

        Args:
            catalog: tells the columns of each table, which differ with the export's age.
            project: that of the dataset, where the dataset names none.
            dataset: holds the export, as `CALBACK_GA4_DATASET` names it: `dataset` or `project.dataset`.
            timezone: what a day is.
            now: the current time, with its zone; tells whether a table may still be rewritten.

        Raises:
            SettingsError: `dataset` names no dataset.
        """
        self._catalog = catalog
        self._dataset = Dataset.named(
            dataset, project, setting="CALBACK_GA4_DATASET", expected="analytics_<property id>"
        )
        self._zone = ZoneInfo(timezone)
        self._now = now

    def look(self, _since: date) -> "FoundTables":
        """The tables that are there.

        Raises:
            SourceError: the dataset cannot be read.
        """
        tables = map(table_named, self._catalog.tables(self._dataset))
        found = {table: table.name for table in tables if table}
        return FoundTables(self._catalog, self._dataset, found, self._zone, self._now)


class FoundTables(FoundExport[str]):
    """The export's tables, whose columns are asked for when a day is."""

    def __init__(
        self,
        catalog: Catalog,
        dataset: Dataset,
        found: Mapping[ExportTable, str],
        zone: ZoneInfo,
        now: Callable[[], datetime],
    ) -> None:
        """Take what was found."""
        super().__init__(f"dataset {dataset.name} in project {dataset.project}", found)
        self._catalog = catalog
        self._dataset = dataset
        self._zone = zone
        self._now = now

    def rows(self, _day: date) -> int:
        """Nothing: what BigQuery reads stays there."""
        return 0

    def read(self, stretch: Stretch) -> TableQuery:
        """The events of these days as `raw_events`.

        Raises:
            SourceError: the dataset cannot be read, or a table in it is none of the export's or has gone meanwhile.
        """
        queries = [self._query(part, self._columns(part.table)) for part in self.parts(stretch)]
        return TableQuery(
            sql="\nUNION ALL\n".join(queries) or no_rows(RAW_EVENTS),
            facts={
                day: {
                    "tables": ", ".join(part.table.name for part in self.parts(Stretch.on(day))) or "none",
                    "kinds": self.kinds(day),
                }
                for day in stretch.days
            },
        )

    def _columns(self, table: ExportTable) -> Mapping[str, str]:
        columns = self._catalog.columns(self._dataset, table.name)
        if columns is None:  # Google drops what is not complete once the daily table is.
            raise SourceError(f"{self._dataset.name}.{table.name}: went away while it was read. Run the day again.")
        return columns

    def _query(self, part: Part[str], columns: Mapping[str, str]) -> str:
        table = part.table
        export = TableColumns(self._dataset, table.name, columns, alias=_ALIAS, required=REQUIRED)
        expressions = {
            column.name: export.read(column.type, *FIELDS.get(column.name, (column.name,)))
            for column in RAW_EVENTS.columns
            if column.name not in OURS
        }
        timestamp = export.filled(expressions[TIMESTAMP], TIMESTAMP)
        expressions |= {name: export.filled(expressions[name], name) for name in REQUIRED if name != TIMESTAMP}
        expressions[EVENT_DATE] = day_of(timestamp, part, self._zone)
        expressions["is_final"] = str(table.is_final(self._now().astimezone(self._zone).date())).upper()
        return (
            f"{select(RAW_EVENTS, expressions)}\nFROM {self._dataset.table(table.name)} AS {_ALIAS}\n"
            f"WHERE {is_within(timestamp, part, self._zone)}"
        )
