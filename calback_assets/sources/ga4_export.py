"""App events from the Google Analytics 4 export where Google writes it: a dataset of BigQuery, a table for each day.

How each export table's own columns become those of `raw_events` belongs here. What the events mean does not.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from calback_assets.sources.ga4 import FIELDS, OURS, REQUIRED, TIMESTAMP, ExportTable, tables_of, timestamps_of
from calback_assets.sources.table_columns import TableColumns, no_rows, select
from calback_assets.sources.table_query import Catalog, Dataset, TableQuery
from calback_assets.tables.contract import EVENT_DATE
from calback_assets.tables.raw import RAW_EVENTS

_ALIAS = "events"


class Ga4Export:
    """The export's tables in BigQuery, `events_YYYYMMDD` and `events_intraday_YYYYMMDD`."""

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

    def day(self, day: date) -> TableQuery:
        """The events of one day as `raw_events`.

        Raises:
            SourceError: the dataset cannot be read, or a table in it is none of the export's.
        """
        found = [table for choices in tables_of(day) if (table := self._first(choices))]
        queries = [self._query(table, columns, day) for table, columns in found]
        return TableQuery(
            sql="\nUNION ALL\n".join(queries) or no_rows(RAW_EVENTS),
            facts={
                "tables": ", ".join(table.name for table, _ in found) or "none",
                "intraday_tables": sum(table.is_intraday for table, _ in found),
            },
        )

    def _first(self, choices: Iterable[ExportTable]) -> tuple[ExportTable, Mapping[str, str]] | None:
        """The first of the tables that exists, with its columns."""
        for table in choices:
            columns = self._catalog.columns(self._dataset, table.name)
            if columns is not None:
                return table, columns
        return None

    def _query(self, table: ExportTable, columns: Mapping[str, str], day: date) -> str:
        export = TableColumns(self._dataset, table.name, columns, alias=_ALIAS, required=REQUIRED)
        expressions = {
            column.name: export.read(column.type, *FIELDS.get(column.name, (column.name,)))
            for column in RAW_EVENTS.columns
            if column.name not in OURS
        }
        timestamp = export.filled(expressions[TIMESTAMP], TIMESTAMP)
        expressions |= {name: export.filled(expressions[name], name) for name in REQUIRED if name != TIMESTAMP}
        start, end = timestamps_of(day, self._zone)
        expressions[EVENT_DATE] = f"DATE '{day}'"
        expressions["is_final"] = str(table.is_final(self._now().astimezone(self._zone).date())).upper()
        return (
            f"{select(RAW_EVENTS, expressions)}\nFROM {self._dataset.table(table.name)} AS {_ALIAS}\n"
            f"WHERE {timestamp} >= {start} AND {timestamp} < {end}"
        )
