"""What the pictures of retention, lifecycle and power draw: the tables' rows in the shape of a picture.

Which rows can be compared belongs here, and what may not be shown; no words and no drawing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from typing import Any

import pandas as pd

from calback_assets.report.findings import FEWEST

MOST_COHORTS, MOST_WEEKS = 26, 16
"""As many rows and columns of the heat map as can be read."""
WINDOW_DAYS = 30
FLOWS = ("new_users", "returning_users", "resurrected_users", "dormant_users")


class Empty(Enum):
    """Why a cell of the heat map has no share."""

    UNFINISHED = "not everybody of the cohort has had the week"
    SMALL = "too few people came back for their number to be shown"


@dataclass(frozen=True)
class Heat:
    """Shares of each week's new people who were active so many weeks later; the oldest cohort first."""

    cohorts: Sequence[date]
    sizes: Sequence[int]
    weeks: Sequence[int]
    cells: Sequence[Sequence[float | Empty]]

    @property
    def highest(self) -> float:
        """The highest share that is shown."""
        return max((cell for row in self.cells for cell in row if isinstance(cell, float)), default=0.0)


@dataclass(frozen=True)
class Flows:
    """People per day, as the mean of each full week; NaN where the mean is too small to be shown."""

    weeks: Sequence[date]
    """Mondays."""
    means: Mapping[str, Sequence[float]]
    """By the names in `FLOWS`."""


@dataclass(frozen=True)
class Power:
    """Shares of the active people by their active days of 30: the newest, and 30 days earlier (None: not there)."""

    newest: Sequence[float]
    """Of 1, 2, … 30 active days; NaN where too few people had so many."""
    earlier: Sequence[float] | None


def heat_of(retention: pd.DataFrame, most_cohorts: int = MOST_COHORTS) -> Heat | None:
    """The heat map of the newest cohorts; None where no week of any of them is over."""
    weeks = retention[(retention["measure"] == "week") & retention["period"].between(1, MOST_WEEKS)]
    cohorts = sorted(weeks["cohort_week"].unique())[-most_cohorts:]
    found: Any = weeks.itertuples(index=False)
    rows = {(row.cohort_week, int(row.period)): row for row in found}
    periods = range(1, max((period for _, period in rows), default=0) + 1)

    def cell(cohort: date, period: int) -> float | Empty:
        row = rows.get((cohort, period))
        if row is None or not row.is_complete or not row.eligible:
            return Empty.UNFINISHED
        return Empty.SMALL if row.retained < FEWEST else float(row.share)

    sizes = [max(int(row.cohort_size) for (week, _), row in rows.items() if week == cohort) for cohort in cohorts]
    heat = Heat(
        [pd.Timestamp(cohort).date() for cohort in cohorts],
        sizes,
        list(periods),
        [[cell(cohort, period) for period in periods] for cohort in cohorts],
    )
    return heat if heat.highest else None


def flows_of(lifecycle: pd.DataFrame) -> Flows | None:
    """The flows by week; None where there is no full week of which they can be told.

    In the first 30 days of the data nobody can be seen to return from before, so these say nothing.
    """
    if not len(lifecycle):
        return None
    days = lifecycle.assign(day=pd.to_datetime(lifecycle["event_date"])).sort_values("day")
    days = days[days["day"] >= days["day"].min() + timedelta(days=WINDOW_DAYS)]
    monday = days["day"] - pd.to_timedelta(days["day"].dt.weekday, unit="D")
    weeks = days.groupby(monday)[list(FLOWS)].agg(["mean", "size"])
    full = weeks[weeks[(FLOWS[0], "size")] == 7]
    if not len(full):
        return None
    means = {name: [value if value >= FEWEST else float("nan") for value in full[(name, "mean")]] for name in FLOWS}
    return Flows([monday.date() for monday in full.index], means)


def power_of(power: pd.DataFrame) -> Power | None:
    """The power curve of the newest day; None where hardly anybody was active."""
    if not len(power):
        return None
    newest = power["event_date"].max()

    def shares(day: date) -> Sequence[float] | None:
        users = power[power["event_date"] == day].set_index("active_days")["users"]
        if users.sum() < FEWEST:
            return None
        counts = (int(users.get(days, 0)) for days in range(1, WINDOW_DAYS + 1))
        return [count / float(users.sum()) if count >= FEWEST else float("nan") for count in counts]

    drawn = shares(newest)
    return Power(drawn, shares(newest - timedelta(days=WINDOW_DAYS))) if drawn else None
