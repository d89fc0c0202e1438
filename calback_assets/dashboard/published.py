"""What a page has told before, read back from it: a day that was final and counts otherwise now has been restated.

Tables hold what is true now, on either warehouse. What people have been told stands on the page that they have open, so
the next one is held to it; reading it, and comparing, belong here.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeAlias

Counts: TypeAlias = tuple[Any, ...]

_COUNTED = ("dau", "wau", "mau")
_CONTENT = re.compile('<script type="application/json" id="content">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True)
class Published:
    """The final days of a page, and those that it said were restated."""

    counts: Mapping[str, Counts] = field(default_factory=dict)
    """DAU, WAU and MAU by day."""
    restated: Set[str] = frozenset()


NOTHING = Published()


def published_in(page: str) -> Published:
    """What a page tells; nothing where it is none of ours, or of no day."""
    found = _CONTENT.search(page)
    try:
        content = json.loads(found[1]) if found else {}
        open_days = set(content.get("notFinal", ()))
        told = [row for row in content.get("days", ()) if row["date"] not in open_days and row["dau"] is not None]
        return Published({row["date"]: _counts(row) for row in told}, frozenset(content.get("restated", ())))
    except (ValueError, TypeError, KeyError, AttributeError):
        return NOTHING  # Somebody else's file, or one of another time.


def restated(days: Sequence[Mapping[str, Any]], not_final: Collection[date], before: Published) -> Sequence[date]:
    """The days that a page has told as final and that have changed since, now or before."""
    open_days = set(map(str, not_final))
    return [
        date.fromisoformat(day)
        for row in days
        if (day := row["date"]) not in open_days
        and (day in before.restated or before.counts.get(day, _counts(row)) != _counts(row))
    ]


def _counts(row: Mapping[str, Any]) -> Counts:
    return tuple(row[name] for name in _COUNTED)
