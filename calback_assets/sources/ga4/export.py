"""What is true of the Google Analytics 4 export wherever its tables stand, in files or in BigQuery.

Which tables may hold a day and are there, until when Google rewrites them, and where each column of `raw_events` stands
in them belong here. How they are read does not, nor what the events mean.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

from calback_assets.days import Stretch
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
ORIGINS = {column.name: ".".join(FIELDS.get(column.name, (column.name,))) for column in RAW_EVENTS.columns} | {
    EVENT_DATE: TIMESTAMP,
    "is_final": "_TABLE_SUFFIX",
}
"""The field of the export that each stored column follows from; a table's suffix tells its kind and its date."""
_REWRITTEN_FOR = timedelta(days=3)
"""How long after its date Google may still rewrite a daily table."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME = re.compile(r"events_((?P<kind>fresh|intraday)_)?(?P<day>\d{8})", re.ASCII)
_Place = TypeVar("_Place")


class ExportKind(StrEnum):
    """How Google writes a table of the export; of one date, the first that is there is read."""

    DAILY = "daily"
    """Complete."""
    FRESH = "fresh"
    """Fresh Daily of Google Analytics 360: filled up during the day, without what Google adds at its end."""
    INTRADAY = "intraday"
    """Written as the events arrive, as far as they do."""


@dataclass(frozen=True)
class ExportTable:
    """One table of the export."""

    day: date
    """A day in the time zone of the property."""
    kind: ExportKind = ExportKind.DAILY

    @property
    def name(self) -> str:
        """Its name in the export's dataset."""
        return f"events_{'' if self.kind is ExportKind.DAILY else f'{self.kind}_'}{self.day:%Y%m%d}"

    def is_final(self, today: date) -> bool:
        """Whether Google no longer rewrites it."""
        return self.kind is ExportKind.DAILY and self.day + _REWRITTEN_FOR < today


def table_named(name: str) -> ExportTable | None:
    """The export's table of that name, in small letters; None where the name is none of the export's."""
    match = _NAME.fullmatch(name)
    try:
        return match and ExportTable(
            datetime.strptime(match["day"], "%Y%m%d").date(), ExportKind(match["kind"] or ExportKind.DAILY)
        )
    except ValueError:
        return None


@dataclass(frozen=True)
class Part(Generic[_Place]):
    """A table of the export, and the days of ours of which it may hold events."""

    table: ExportTable
    place: _Place
    days: Stretch


class FoundExport(Generic[_Place]):
    """The export's tables as they were when somebody looked, each with its place.

    The export is cut by the day of the *property's* time zone, which need not be ours: for a day of ours the tables of
    the neighbouring dates are read too, and the timestamp decides.
    """

    def __init__(self, where: str, found: Mapping[ExportTable, _Place]) -> None:
        """Take what was found."""
        self._where = where
        self._found = found

    @property
    def where(self) -> str:
        """The place that was looked at."""
        return self._where

    @property
    def last(self) -> date | None:
        """The last date that has a table."""
        return max((table.day for table in self._found), default=None)

    def has(self, day: date) -> bool:
        """Whether the date has a table of its own."""
        return self._of_date(day) is not None

    def lacks(self, day: date) -> list[str]:
        """The tables of the neighbouring dates that should be there by now and are not."""
        neighbours = (day - timedelta(days=1), day + timedelta(days=1))
        due = [date_ for date_ in neighbours if self.last is None or date_ <= self.last]
        return [ExportTable(date_).name for date_ in due if not self.has(date_)]

    def is_final(self, day: date, today: date) -> bool:
        """Whether Google no longer rewrites any of the tables that may hold events of our day."""
        return all(part.table.is_final(today) for part in self.parts(Stretch.on(day)))

    def parts(self, stretch: Stretch) -> list[Part[_Place]]:
        """The tables that may hold events of our days, one for each date."""
        day = timedelta(days=1)
        return [
            Part(*table, Stretch(max(stretch.first, date_ - day), min(stretch.last, date_ + day)))
            for date_ in Stretch(stretch.first - day, stretch.last + day).days
            if (table := self._of_date(date_))
        ]

    def kinds(self, day: date) -> str:
        """Which kind of table each date is read from for our day, for people."""
        return ", ".join(f"{part.table.kind} {part.table.day}" for part in self.parts(Stretch.on(day))) or "none"

    def of_date(self, date_: date) -> _Place | None:
        """The place of the date's own table."""
        found = self._of_date(date_)
        return found and found[1]

    def _of_date(self, date_: date) -> tuple[ExportTable, _Place] | None:
        """The most complete of the date's tables."""
        for table in (ExportTable(date_, kind) for kind in ExportKind):
            if table in self._found:
                return table, self._found[table]
        return None


def is_within(timestamp: str, part: Part[_Place], zone: ZoneInfo) -> str:
    """The condition, in SQL, on an event's timestamp: that it is of one of the part's days."""
    return f"{timestamp} >= {_start(part.days.first, zone)} AND {timestamp} < {_start(part.days.until, zone)}"


def day_of(timestamp: str, part: Part[_Place], zone: ZoneInfo) -> str:
    """The day, in SQL, of an event of one of the part's days; it has 23 or 25 hours where clocks change."""
    days = part.days.days
    cases = [f"WHEN {timestamp} < {_start(later, zone)} THEN DATE '{day}'" for day, later in pairwise(days)]
    return f"CASE {' '.join(cases)} ELSE DATE '{days[-1]}' END" if cases else f"DATE '{days[-1]}'"


def _start(day: date, zone: ZoneInfo) -> int:
    return (datetime.combine(day, time.min, zone) - _EPOCH) // timedelta(microseconds=1)
