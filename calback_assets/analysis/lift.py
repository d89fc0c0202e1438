"""Rows of `first_week_lift`: what in the first week goes together with coming back.

Which people are compared, and what is corrected over what, belongs here. Definitions, with their sources, stand in
`docs/insight-lift.md`.
"""

from collections.abc import Iterator
from math import nan
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from calback_assets.analysis.adjustment import Adjustment, Estimate
from calback_assets.analysis.association import UNKNOWN, Ratio, TwoByTwo, e_values
from calback_assets.analysis.first_weeks import MIN_PEOPLE, OUTCOMES, FirstWeeks
from calback_assets.analysis.thresholds import Threshold, chosen, halves
from calback_assets.tables.insight import FIRST_WEEK_LIFT

ALL, NEWER = "all", "newer"
"""Periods beside the months."""

_LEVEL = 0.05


def lifts(rows: pa.Table) -> pd.DataFrame:
    """The table's rows, of those of `first_week_features`.

    Args:
        rows: a row a person, in any order: `joined_on`, `active_days`, `sessions`, `behaviours`, `returned`,
            `frequent`.
    """
    everybody = FirstWeeks.read(rows)
    found = [row for outcome in OUTCOMES for row in _rows(everybody, outcome)]
    return pd.DataFrame(found, columns=list(FIRST_WEEK_LIFT.column_names))


def _rows(everybody: FirstWeeks, outcome: str) -> Iterator[dict[str, Any]]:
    """Everybody first, then month by month, then thresholds."""
    if not len(everybody.joined_on):
        return
    yield from _corrected(_Comparison(everybody, outcome, ALL).rows())
    months = everybody.joined_on.astype("datetime64[M]")
    for month in np.unique(months):
        yield from _corrected(_Comparison(everybody.only(months == month), outcome, str(month)).rows())
    if split := halves(everybody):
        older, newer = split
        confirmed = [_confirmed(newer, outcome, threshold) for threshold in chosen(older, outcome)]
        yield from _corrected(confirmed)


def _confirmed(newer: FirstWeeks, outcome: str, threshold: Threshold) -> dict[str, Any]:
    """What the newer people say of a threshold: found only if they say the same as those it was chosen on."""
    comparison = _Comparison(newer, outcome, NEWER, threshold)
    row = comparison.row(threshold.behaviour)
    is_same_way = row["adjusted_low"] > 1 if threshold.is_helpful else row["adjusted_high"] < 1
    return row | {"is_found": row["is_found"] and bool(is_same_way)}


class _Comparison:
    """What some people did, beside whether they came back."""

    def __init__(self, people: FirstWeeks, outcome: str, period: str, threshold: Threshold | None = None) -> None:
        """With a threshold, its behaviour is done by those who did it so often."""
        self._people, self._outcome, self._period = people, outcome, period
        self._at_least = np.ones(len(people.behaviours), dtype=np.int64)
        if threshold:
            self._at_least[threshold.behaviour] = threshold.at_least
        self._did = people.times >= self._at_least
        self._came_back = people.outcomes[outcome]
        self._adjustment = Adjustment(people, self._did, outcome)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each behaviour, before correction."""
        return [self.row(behaviour) for behaviour in range(len(self._people.behaviours))]

    def row(self, behaviour: int) -> dict[str, Any]:
        """The row of a behaviour, before correction."""
        table = self._table(behaviour)
        why_not = _unsupported(table)
        found = Estimate.none(why_not) if why_not else self._adjustment.estimate(behaviour)
        e_value, e_value_limit = e_values(found.odds_ratio, table.came_back / table.people)
        return {
            "behaviour": self._people.behaviours[behaviour],
            "at_least": int(self._at_least[behaviour]),
            "outcome": self._outcome,
            "period": self._period,
            "joined_from": self._people.joined_on.min().item(),
            "joined_to": self._people.joined_on.max().item(),
            "people": table.people,
            "did": table.did,
            "did_came_back": table.did_came_back,
            "others_came_back": table.others_came_back,
            "share_did": table.did_came_back / table.did if table.did else nan,
            "share_others": table.others_came_back / table.others if table.others else nan,
            **_named("relative_risk", UNKNOWN if why_not else table.relative_risk()),
            **_named("odds_ratio", UNKNOWN if why_not else table.odds_ratio()),
            "p_value": nan if why_not else table.p_value(),
            **_named("adjusted_odds_ratio", found.odds_ratio, "adjusted"),
            "adjusted_p": found.p_value,
            "adjustment": found.how,
            "e_value": e_value,
            "e_value_limit": e_value_limit,
            "detectable_odds_ratio": table.detectable_odds_ratio(),
            "is_supported": not why_not,
            "is_found": not why_not,
        }

    def _table(self, behaviour: int) -> TwoByTwo:
        did = self._did[:, behaviour]
        return TwoByTwo(
            int(did.sum()),
            int(self._came_back[did].sum()),
            int((~did).sum()),
            int(self._came_back[~did].sum()),
        )


def _named(name: str, ratio: Ratio, ends: str | None = None) -> dict[str, float]:
    return {name: ratio.value, f"{ends or name}_low": ratio.low, f"{ends or name}_high": ratio.high}


def _unsupported(table: TwoByTwo) -> str:
    """Why nothing can be said of a table; empty where something can."""
    if table.did < MIN_PEOPLE:
        return f"fewer than {MIN_PEOPLE} people did it"
    if table.others < MIN_PEOPLE:
        return f"fewer than {MIN_PEOPLE} people did not do it"
    if not table.came_back:
        return "nobody had the outcome"
    return "everybody had the outcome" if table.came_back == table.people else ""


def _corrected(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of one outcome and period, with what is left after Benjamini and Hochberg's correction over them."""
    by_itself, adjusted = (q_values([row[name] for row in rows]) for name in ("p_value", "adjusted_p"))
    return [
        row | {"q_value": q, "adjusted_q": adjusted_q, "is_found": row["is_found"] and bool(adjusted_q < _LEVEL)}
        for row, q, adjusted_q in zip(rows, by_itself, adjusted, strict=True)
    ]


def q_values(p_values: list[float]) -> list[float]:
    """Of each p, the expected share of false ones among it and all that are smaller; NaN where there is none."""
    from scipy.stats import false_discovery_control

    told = ~np.isnan(p_values)
    corrected = np.full(len(p_values), np.nan)
    if told.any():
        corrected[told] = false_discovery_control(np.array(p_values)[told])
    found: list[float] = corrected.tolist()
    return found
