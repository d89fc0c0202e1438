"""The column of the access log's table in BigQuery that tells the day, as GoogleSQL.

What its types say of a day belongs here, and the condition that leaves the rows of some days. The same for files stands
in `forms`.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {10**8: 1_000_000, 10**11: 1_000, 10**14: 1}
"""Microseconds of a unit, by the least number that is a time in it; the last is a hundred times as large."""


@dataclass(frozen=True)
class DayColumn:
    """A column of the table."""

    name: str
    type: str
    """DATE, or TIMESTAMP or INT64, which tell a time."""
    zone: ZoneInfo
    """In which a time becomes a day."""

    @property
    def tells_days(self) -> bool:
        """Whether a day can be told from the column's type."""
        return self.type in ("DATE", "TIMESTAMP", "INT64")

    @property
    def day(self) -> str:
        """The day of a row that `within` leaves."""
        column, zone = f"`{self.name}`", self.zone.key
        if self.type == "TIMESTAMP":
            return f"DATE({column}, '{zone}')"
        if self.type == "INT64":
            units = " ".join(f"WHEN {column} < {least * 100} THEN {unit}" for least, unit in _UNITS.items())
            return f"DATE(TIMESTAMP_MICROS({column} * CASE {units} END), '{zone}')"
        return column

    def within(self, start: date | None, end: date | None = None) -> str:
        """The condition for rows from one day on, and before another; simple comparisons with constants alone.

        Args:
            start: None for every row that tells a day.
            end: None for no end.
        """
        column = f"`{self.name}`"
        if self.type == "INT64":
            return " OR ".join(
                f"({column} >= {max(least, self._micros(start) // unit if start else least)} AND "
                f"{column} < {min(least * 100, self._micros(end) // unit if end else least * 100)})"
                for least, unit in _UNITS.items()
            )
        bounds = [f"{column} {sign} {self._literal(day)}" for sign, day in ((">=", start), ("<", end)) if day]
        return " AND ".join(bounds) or f"{column} IS NOT NULL"

    def _literal(self, day: date) -> str:
        if self.type == "DATE":
            return f"DATE '{day}'"
        return f"TIMESTAMP '{self._midnight(day).astimezone(UTC):%Y-%m-%d %H:%M:%S}+00:00'"

    def _micros(self, day: date) -> int:
        return int((self._midnight(day) - _EPOCH).total_seconds()) * 1_000_000

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time.min, self.zone)
