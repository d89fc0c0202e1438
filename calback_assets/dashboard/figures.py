"""From the rows of the tables to the figures that the page holds: by day, by week, by value and by cohort.

What may be shown of small counts belongs here; words, pictures and the choice of days do not.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, TypeAlias

import pandas as pd

from calback_assets.days import days_between
from calback_assets.report.findings import FEWEST, Insight
from calback_assets.report.marked import as_text, marked
from calback_assets.report.series import FLOWS, WINDOW_DAYS, Empty, heat_of

FEW = f"<{FEWEST}"
"""In the place of a count that is too small to be shown."""
REST = ""
"""The values of a day that are shown together; no value of its own has this name."""
UNKNOWN = "unknown"
DIMENSIONS = ("platform", "country", "app_version")
MOST_DAYS = 3 * 366
"""So many of the newest days: a page is to open on a telephone."""
MOST_COHORTS = 60
WEEK = 7
_MOST_VALUES = 12
"""So many values of a dimension in a month are told apart."""

Figure: TypeAlias = int | float | str | None
"""None for what is not known."""
Row: TypeAlias = dict[str, Figure]


@dataclass(frozen=True)
class Rows:
    """The rows of the tables that a dashboard is made of."""

    insight: Insight
    active: pd.DataFrame
    """Of `daily_active_users`."""
    by: pd.DataFrame
    """Of `active_users_by`."""


@dataclass(frozen=True)
class Figures:
    """All that is on the page, in a form that knows no language."""

    first: date
    last: date
    days: Sequence[Row]
    """One for each day from the first to the last."""
    not_final: Sequence[date]
    """Days whose events Google Analytics may still change."""
    weeks: Sequence[Row]
    cohorts: Sequence[Row]
    periods: Sequence[int]
    """Weeks after joining that cohorts have a figure for."""
    values: Mapping[str, "Values"]
    """By dimension."""


@dataclass(frozen=True)
class Values:
    """The people of each day by the values of a dimension."""

    names: Sequence[str]
    cells: Sequence[tuple[int, int, int | str]]
    """The number of the day, of the name, and how many people."""


def figures_of(rows: Rows, frequent_min_days: int) -> Figures | None:
    """The figures; None where no day was ever counted.

    Args:
        rows: of the tables.
        frequent_min_days: active days that make a user frequent.
    """
    if not len(rows.active):
        return None
    last: date = rows.active["event_date"].max()
    first = max(rows.active["event_date"].min(), last - timedelta(days=MOST_DAYS - 1))
    cohorts, periods = _cohorts(rows.insight.retention)
    by = rows.by[rows.by["event_date"] >= first]
    return Figures(
        first,
        last,
        _days(rows.active, rows.insight.power, first, last, frequent_min_days),
        sorted(by.loc[by["is_final"].eq(False), "event_date"].unique()),
        _weeks(rows.insight.lifecycle, first),
        cohorts,
        periods,
        {dimension: _values(by[by["dimension"] == dimension], first) for dimension in DIMENSIONS},
    )


def part(count: int, whole: int) -> Figure:
    """A part of the people, unless it, or what is left of them, is too few to be shown."""
    return FEW if 0 < count < FEWEST or 0 < whole - count < FEWEST else count


def _days(active: pd.DataFrame, power: pd.DataFrame, first: date, last: date, frequent_min_days: int) -> Sequence[Row]:
    counted: Mapping[date, Any] = {row.event_date: row for row in _tuples(active)}
    curve: dict[date, int] = defaultdict(int)
    for row in _tuples(power):
        curve[row.event_date] += int(row.users) if row.active_days >= frequent_min_days else 0

    def figures(day: date) -> Row:
        row = counted.get(day)
        if row is None:
            return dict.fromkeys(("dau", "wau", "mau", "stickiness", "new_users", "frequent", "frequent_share"))
        mau = int(row.mau)
        # A day on which nobody was active within the month has no row in the curve.
        frequent = part(curve[day], mau) if day in curve else None if mau else 0
        return {
            "dau": int(row.dau),
            "wau": int(row.wau),
            "mau": mau,
            "stickiness": round(float(row.stickiness), 4) if mau else None,
            "new_users": part(int(row.new_users), int(row.dau)),
            "frequent": frequent,
            "frequent_share": round(frequent / mau, 4) if mau and isinstance(frequent, int) else None,
        }

    return [{"date": str(day), **figures(day)} for day in days_between(first, last)]


def _weeks(lifecycle: pd.DataFrame, first: date) -> Sequence[Row]:
    """People per day by full week; in the first 30 days of the data nobody can be seen to return from before."""
    if not len(lifecycle):
        return []
    since = max(first, lifecycle["event_date"].min() + timedelta(days=WINDOW_DAYS))
    weeks: dict[date, list[Any]] = defaultdict(list)
    for row in _tuples(lifecycle):
        if row.event_date >= since:
            weeks[row.event_date - timedelta(days=row.event_date.weekday())].append(row)
    found: list[Row] = []
    for monday, days in sorted(weeks.items()):
        if len(days) == WEEK:
            new, returning, resurrected, dormant = (sum(int(getattr(day, name)) for day in days) for name in FLOWS)
            active = hidden({"new": new, "returning": returning, "resurrected": resurrected})
            sums = {**active, "dormant": part(dormant, dormant)}
            means = {name: round(count / WEEK, 1) if isinstance(count, int) else count for name, count in sums.items()}
            found.append({"date": str(monday), "until": str(monday + timedelta(days=WEEK - 1)), **means})
    return found


def hidden(parts: Mapping[str, int]) -> dict[str, Figure]:
    """Parts of a whole that is known: the small ones are hidden, and so many more that none follows from the others."""
    shown: dict[str, Figure] = {name: FEW if 0 < count < FEWEST else count for name, count in parts.items()}
    for name, count in sorted(parts.items(), key=lambda found: found[1]):
        if shown[name] == count and count and 0 < _hidden_people(parts, shown) < FEWEST:
            shown[name] = FEW
    return shown


def _hidden_people(parts: Mapping[str, int], shown: Mapping[str, Figure]) -> int:
    return sum(count for name, count in parts.items() if shown[name] == FEW)


def _values(by: pd.DataFrame, first: date) -> Values:
    """The people of each day by value, the less common ones of a month together, and with them all that are few."""
    clean = by.assign(value=[_clean(value) for value in by["value"]])
    clean = clean.groupby(["event_date", "value"])["dau"].sum().reset_index()
    month = clean["event_date"].map(lambda day: (day.year, day.month))
    people = clean.groupby([month, "value"])["dau"].transform("sum")
    ranks = people.groupby(month).rank("dense", ascending=False)
    names: dict[str, int] = {REST: 0}
    days: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row, rank in zip(_tuples(clean), ranks, strict=True):
        days[row.event_date][row.value if rank <= _MOST_VALUES else REST] += int(row.dau)
    cells: list[tuple[int, int, int | str]] = []
    for day, values in sorted(days.items()):
        for value, count in folded(values).items():
            cells.append(((day - first).days, names.setdefault(value, len(names)), count))
    return Values([*names], cells)


def folded(values: Mapping[str, int]) -> dict[str, int | str]:
    """Values with enough people; the others are part of the rest, which may be too few itself.

    What is missing of the day's people is not the rest: a person may count under several values.
    """
    shown: dict[str, int | str] = {value: count for value, count in values.items() if value != REST and count >= FEWEST}
    rest = sum(count for value, count in values.items() if value not in shown)
    return shown | {REST: FEW if rest < FEWEST else rest} if rest else shown


def _clean(name: str) -> str:
    """A name without what cannot be seen, and not longer than can be read."""
    return as_text(marked(name))[1:-1] or UNKNOWN


def _cohorts(retention: pd.DataFrame) -> tuple[Sequence[Row], Sequence[int]]:
    heat = heat_of(retention, MOST_COHORTS)
    if heat is None:
        return [], []
    rows: list[Row] = []
    for cohort, size, cells in zip(heat.cohorts, heat.sizes, heat.cells, strict=True):
        rows.append(
            {
                "date": str(cohort),
                "until": str(cohort + timedelta(days=WEEK - 1)),
                "size": part(size, size),
                **{
                    f"week_{week}": round(cell, 4) if isinstance(cell, float) else FEW if cell is Empty.SMALL else None
                    for week, cell in zip(heat.weeks, cells, strict=True)
                },
            }
        )
    return rows, heat.weeks


def _tuples(rows: pd.DataFrame) -> Any:
    return rows.itertuples(index=False)
