"""What is true of the Google Analytics 4 export wherever its tables stand, in files or in BigQuery.

Which tables may hold a day, until when Google rewrites them, and where each column of `raw_events` stands in them
belong here. How they are read does not, nor what the events mean.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from calback_assets.tables.contract import EVENT_DATE
from calback_assets.tables.raw import RAW_EVENTS

TIMESTAMP = "event_timestamp"
"""Tells the day of an event: microseconds since 1970 in UTC."""
OURS = frozenset({EVENT_DATE, "is_final"})
"""Columns that no export holds: they follow from the day and from the table's name."""
REQUIRED = tuple(column.name for column in RAW_EVENTS.columns if column.required and column.name not in OURS)
FIELDS = {
    "device_category": ("device", "category"),
    "operating_system": ("device", "operating_system"),
    "country": ("geo", "country"),
    "app_version": ("app_info", "version"),
}
"""Columns that stand inside a struct of the export; every other column bears the export's own name."""
_REWRITTEN_FOR = timedelta(days=3)
"""How long after its date Google may still rewrite a daily table."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ExportTable:
    """One table of the export."""

    day: date
    """A day in the time zone of the property."""
    is_intraday: bool

    @property
    def name(self) -> str:
        """Its name in the export's dataset."""
        return f"events_{'intraday_' if self.is_intraday else ''}{self.day:%Y%m%d}"

    def is_final(self, today: date) -> bool:
        """Whether Google no longer rewrites it."""
        return not self.is_intraday and self.day + _REWRITTEN_FOR < today


def tables_of(day: date) -> list[tuple[ExportTable, ExportTable]]:
    """The export's dates that may hold events of our day, each with its tables, of which the first that exists counts.

    The export is cut by the day of the *property's* time zone, which need not be ours: the neighbours are read
    too, and the timestamp decides. A daily table is complete, so it wins over the intraday table.
    """
    dates = (day + timedelta(days=offset) for offset in (-1, 0, 1))
    return [(ExportTable(date_, is_intraday=False), ExportTable(date_, is_intraday=True)) for date_ in dates]


def timestamps_of(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """The half-open range of an event's timestamp on that day; 23 or 25 hours where clocks change."""
    start, end = (
        (datetime.combine(midnight, time.min, zone) - _EPOCH) // timedelta(microseconds=1)
        for midnight in (day, day + timedelta(days=1))
    )
    return start, end
