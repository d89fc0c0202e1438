"""What a day is, and stretches of days.

Days as text, in a time zone and one after another belong here; what is done with them does not.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_SHOWN_STRETCHES = 3


@dataclass(frozen=True, order=True)
class Stretch:
    """Consecutive days; those that are written at once."""

    first: date
    last: date

    @classmethod
    def on(cls, day: date) -> "Stretch":
        """That of one day."""
        return cls(day, day)

    @property
    def until(self) -> date:
        """The day after the last."""
        return self.last + timedelta(days=1)

    @property
    def days(self) -> list[date]:
        """All of them."""
        return days_between(self.first, self.last)

    def __contains__(self, day: date) -> bool:
        """Whether the day is one of them."""
        return self.first <= day <= self.last

    def __str__(self) -> str:
        """As a person writes it."""
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"


def days_between(first: date, last: date) -> list[date]:
    """The days from the first to the last."""
    return [first + timedelta(days=age) for age in range((last - first).days + 1)]


def stretches(days: Iterable[date]) -> Iterator[Stretch]:
    """Runs of consecutive days."""
    ordered = sorted(days)
    start = 0
    for index, day in enumerate(ordered):
        if index + 1 == len(ordered) or ordered[index + 1] - day > timedelta(days=1):
            yield Stretch(ordered[start], day)
            start = index + 1


def span(days: Iterable[date]) -> str:
    """Days as a person writes them, the first stretches of them."""
    found = list(map(str, stretches(days)))
    more = f" and {len(found) - _SHOWN_STRETCHES} stretches more" if len(found) > _SHOWN_STRETCHES else ""
    return ", ".join(found[:_SHOWN_STRETCHES]) + more


def day_bounds(day: date, timezone: str) -> tuple[datetime, datetime]:
    """The half-open range of UTC instants that `day` covers; 23 or 25 hours where clocks change."""
    zone = ZoneInfo(timezone)
    start, end = (
        datetime.combine(moment, time(), tzinfo=zone).astimezone(UTC) for moment in (day, day + timedelta(days=1))
    )
    return start, end


def parse_day(text: str) -> date:
    """A day from `YYYY-MM-DD`.

    Raises:
        ValueError: the text is no such day.
    """
    day = date.fromisoformat(text)
    if day.isoformat() != text:
        raise ValueError(f"{text!r} is not YYYY-MM-DD")
    return day
