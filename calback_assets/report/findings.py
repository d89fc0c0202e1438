"""From the figures of the insight tables to what can be said of them: data, no words.

What counts as found, explained away or not to be told belongs here; how it is said stands in `words`, `english` and
`korean`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from math import ceil, exp, inf, isnan, log
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from calback_assets.analysis.proportions import Z, wilson
from calback_assets.report.behaviours import HOLDS, PRESENCE
from calback_assets.tables import Table
from calback_assets.tables.insight import (
    FIRST_WEEK_LIFT,
    FREQUENT_USER_BEHAVIOUR,
    POWER_CURVE,
    RETENTION_COHORTS,
    RETURN_MODEL,
    USER_LIFECYCLE,
)

FEWEST = 10
"""No count of fewer people is shown, nor a share or a ratio that would tell it."""
MAIN_OUTCOME = "returned"
ALL = "all"
NEWER = "newer"
DAYS_SINCE = (1, 3, 7, 14, 30)

_LEVEL = 0.05
_SEEN_WITH_80_PERCENT = Z + NormalDist().inv_cdf(0.8)
"""Standard errors that an effect must have to be seen at 5 % with a chance of 80 %."""
_MORE_WHO_DO_IT = 0.1
"""Of those who are helped to do something, so many more are taken to do it."""
_COIN = 0.5
_SINGLE_MONTH = 7

TABLES = {
    "retention": RETENTION_COHORTS,
    "lifecycle": USER_LIFECYCLE,
    "power": POWER_CURVE,
    "behaviour": FREQUENT_USER_BEHAVIOUR,
    "lift": FIRST_WEEK_LIFT,
    "models": RETURN_MODEL,
}
"""The tables that a report is made of, by their part in it."""
_UNREAD = {"content", "features", "feature_bins", "parameters"}


def columns_of(table: Table) -> Sequence[str]:
    """The columns that a report reads: not the models themselves."""
    return [name for name in table.column_names if name not in _UNREAD]


@dataclass(frozen=True)
class Insight:
    """The rows of the insight tables; each may be empty."""

    retention: pd.DataFrame
    lifecycle: pd.DataFrame
    power: pd.DataFrame
    behaviour: pd.DataFrame
    lift: pd.DataFrame
    models: pd.DataFrame

    @classmethod
    def of(cls, rows: Mapping[str, pd.DataFrame]) -> "Insight":
        """From the rows by the names of their tables."""
        return cls(**{part.name: rows[TABLES[part.name].name] for part in fields(cls)})


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval; NaN where it cannot be told."""

    value: float
    low: float
    high: float

    @property
    def is_known(self) -> bool:
        """Whether there is a figure, and an interval."""
        return not any(map(isnan, (self.value, self.low, self.high)))

    def is_above(self, line: float) -> bool:
        """Whether all of the interval is."""
        return self.is_known and self.low > line

    def is_below(self, line: float) -> bool:
        """Whether all of the interval is."""
        return self.is_known and self.high < line


@dataclass(frozen=True)
class Rate:
    """One behaviour of the people who keep coming back, beside that of the others."""

    behaviour: str
    frequent_did: int
    other_did: int
    frequent_share: float
    other_share: float
    share_low: float
    """Of the frequent."""
    other_share_high: float
    frequent_per_day: float
    other_per_day: float
    ratio: Estimate
    """Of the times per active day."""

    @property
    def is_small(self) -> bool:
        """Whether either group has too few who did it to say anything of them."""
        return self.frequent_did < FEWEST or self.other_did < FEWEST


@dataclass(frozen=True)
class Frequent:
    """What the people who keep coming back do."""

    as_of: date
    frequent_users: int
    other_users: int
    rates: Sequence[Rate]
    """The clearest first: those that they do more of, by the lower end of the interval."""

    @property
    def told(self) -> Sequence[Rate]:
        """Those of which something can be said."""
        return [rate for rate in self.rates if not rate.is_small and rate.ratio.is_known]

    @property
    def doings(self) -> Sequence[Rate]:
        """Those that are more than being there."""
        return [rate for rate in self.told if rate.behaviour not in PRESENCE]

    @property
    def more(self) -> Sequence[Rate]:
        """What they do more often for each day that they are there."""
        return [rate for rate in self.doings if rate.ratio.is_above(1)]

    @property
    def less(self) -> Sequence[Rate]:
        """What they do less often, the clearest first."""
        return [rate for rate in reversed(self.doings) if rate.ratio.is_below(1)]

    @property
    def more_people_only(self) -> Sequence[Rate]:
        """What more of them have done, yet not more often for each day that they are there."""
        rates = [rate for rate in self.less if rate.share_low > rate.other_share_high]
        return sorted(rates, key=lambda rate: (rate.other_share - rate.frequent_share, rate.behaviour))

    @property
    def smallest_seen(self) -> float | None:
        """The smallest ratio that would have been seen of some behaviour."""
        known = [rate.ratio for rate in self.doings if rate.ratio.low > 0]
        errors = [log(ratio.high / ratio.low) / (2 * Z) for ratio in known]
        return exp(_SEEN_WITH_80_PERCENT * min(errors)) if errors else None


@dataclass(frozen=True)
class Lift:
    """One behaviour of the first week beside one outcome, over some people."""

    behaviour: str
    at_least: int
    period: str
    joined_from: date
    joined_to: date
    people: int
    did: int
    share_did: float
    share_others: float
    alone: Estimate
    """The odds ratio by itself."""
    adjusted: Estimate
    """With active days, sessions and the other behaviours held fixed."""
    q: float
    adjusted_q: float
    e_value: float
    e_value_limit: float
    detectable: float
    is_supported: bool
    is_found: bool
    is_small: bool
    """Whether a cell of its table holds too few people to be shown, and with it any figure that would tell it."""

    @property
    def is_explained_away(self) -> bool:
        """Whether it looks like something by itself, and like little or nothing with all else held fixed."""
        seems = self.q < _LEVEL and (self.alone.is_above(1) or self.alone.is_below(1))
        if not seems or not self.adjusted.is_known or not self.adjusted.low <= 1 <= self.adjusted.high:
            return False
        # An interval that holds 1 because it is wide says nothing: the effect itself must have gone, too.
        return abs(log(self.adjusted.value)) < abs(log(self.alone.value)) / 2


@dataclass(frozen=True)
class FirstWeek:
    """What in the first week goes together with coming back."""

    joined_from: date
    joined_to: date
    people: int
    share: float
    """Of the people, who returned."""
    lifts: Sequence[Lift]
    """Over everybody, and confirmed thresholds: the strongest first."""
    by_month: Mapping[str, Sequence[Lift]]
    """Of what was found: month by month."""

    @property
    def tested(self) -> Sequence[Lift]:
        """What enough people did, and enough did not."""
        return [lift for lift in self.lifts if lift.is_supported and not lift.is_small]

    @property
    def helpful(self) -> Sequence[Lift]:
        """Found, and with more coming back; without what only holds another one that is found."""
        found = [lift for lift in self.tested if lift.is_found and lift.adjusted.is_above(1)]
        names = {lift.behaviour for lift in found}
        return [lift for lift in found if not names & set(HOLDS.get(lift.behaviour, ()))]

    @property
    def harmful(self) -> Sequence[Lift]:
        """Found, and with fewer coming back; the strongest first."""
        return [lift for lift in reversed(self.tested) if lift.is_found and lift.adjusted.is_below(1)]

    @property
    def explained_away(self) -> Sequence[Lift]:
        """What only seems to go with coming back, the most convincing first."""
        gone = [lift for lift in self.tested if lift.period == ALL and lift.is_explained_away and not lift.is_found]
        return sorted(gone, key=lambda lift: -abs(log(lift.alone.low if lift.alone.low > 1 else lift.alone.high)))

    @property
    def detectable(self) -> tuple[float, float] | None:
        """The smallest odds ratio that would have been seen: of the easiest and of the hardest to see."""
        seen = [lift.detectable for lift in self.tested if not isnan(lift.detectable)]
        return (min(seen), max(seen)) if seen else None


@dataclass(frozen=True)
class Decile:
    """A tenth of the people who are judged, by score."""

    number: int
    people: int
    came_back: int
    score: float
    share: float
    lift: Estimate

    @property
    def is_small(self) -> bool:
        """Whether too few people are in it, or came back, to be shown."""
        return min(self.people, self.came_back) < FEWEST


@dataclass(frozen=True)
class Judged:
    """A model, and how good it was on people it had learned nothing of."""

    name: str
    version: str
    is_promoted: bool
    verdict: str
    learned_from: date | None
    learned_to: date | None
    learned_people: int
    judged_from: date | None
    judged_to: date | None
    judged_people: int
    base_rate: float
    auc: Estimate
    pr_auc: Estimate
    brier: Estimate
    calibration_slope: float
    deciles: Sequence[Decile]
    importance: Sequence[tuple[str, float]]
    worst_served: Sequence[tuple[str, int, float, float]]
    """Groups: name, people, share who returned, mean score."""

    @property
    def tells(self) -> bool:
        """Whether it tells who returns better than a coin."""
        return self.auc.is_above(_COIN)

    @property
    def smallest_seen(self) -> float:
        """The AUC that would have been seen to be more than a coin's."""
        error = (self.auc.high - self.auc.low) / (2 * Z)
        return min(1.0, _COIN + _SEEN_WITH_80_PERCENT * error)


@dataclass(frozen=True)
class Experiment:
    """What to try next, so that cause can be told from company."""

    lift: Lift
    base: float
    """The share who return as things are."""
    target: float
    """The share that would return if the association were all cause, and one in ten more did it."""
    more_do_it: float
    per_group: int
    weeks: int
    """As long as it takes until so many have joined."""


@dataclass(frozen=True)
class Pooled:
    """Of everybody who has had the chance, over all cohorts."""

    measure: str
    period: int
    eligible: int
    retained: int
    share: Estimate

    @property
    def is_small(self) -> bool:
        """Whether the count is too small to be shown."""
        return self.retained < FEWEST


@dataclass(frozen=True)
class Findings:
    """All that the report says; None where there is not enough data yet."""

    as_of: date | None
    first_cohort: date | None
    frequent: Frequent | None
    first_week: FirstWeek | None
    models: Sequence[Judged]
    best: Judged | None
    """The promoted model, or the one that told best."""
    experiment: Experiment | None
    pooled: Sequence[Pooled]


def findings_of(insight: Insight) -> Findings:
    """What can be said of these rows."""
    first_week = _first_week(insight.lift)
    models = _models(insight.models)
    return Findings(
        as_of=_as_of(insight),
        first_cohort=_day(insight.retention["cohort_week"].min()) if len(insight.retention) else None,
        frequent=_frequent(insight.behaviour),
        first_week=first_week,
        models=models,
        best=_best(models),
        experiment=_experiment(first_week),
        pooled=_pooled(insight.retention),
    )


def people_needed(base: float, target: float) -> int:
    """In each of two groups, so that the difference is seen at 5 % (two-sided) with a chance of 80 %."""
    from statsmodels.stats.power import NormalIndPower
    from statsmodels.stats.proportion import proportion_effectsize

    effect = proportion_effectsize(target, base)
    people: float = NormalIndPower().solve_power(effect, alpha=_LEVEL, power=0.8)
    return ceil(people)


def is_one_of_all(row: Any) -> bool:
    """Whether a row of the lift is over everybody, or a threshold that newer people confirm."""
    return bool(row.period in (ALL, NEWER))


def _as_of(insight: Insight) -> date | None:
    days = [_day(rows["as_of"].max()) for rows in (insight.retention, insight.behaviour) if len(rows)]
    days += [_day(rows["event_date"].max()) for rows in (insight.lifecycle, insight.power) if len(rows)]
    return max(days, default=None)


def _day(value: Any) -> date:
    return pd.Timestamp(value).date()


def _day_or_none(value: Any) -> date | None:
    return None if pd.isna(value) else _day(value)


def _number(value: Any) -> float:
    return float("nan") if pd.isna(value) else float(value)


def _estimate(row: Any, name: str, ends: str | None = None) -> Estimate:
    ends = ends or name
    return Estimate(*(_number(getattr(row, field)) for field in (name, f"{ends}_low", f"{ends}_high")))


def _rows(frame: pd.DataFrame) -> Iterable[Any]:
    return frame.itertuples(index=False)


def _frequent(frame: pd.DataFrame) -> Frequent | None:
    if not len(frame) or int(frame["frequent_users"].max()) < FEWEST:
        return None
    rates = [
        Rate(
            behaviour=row.behaviour,
            frequent_did=int(row.frequent_did),
            other_did=int(row.other_did),
            frequent_share=_number(row.frequent_share),
            other_share=_number(row.other_share),
            share_low=_number(row.frequent_share_low),
            other_share_high=_number(row.other_share_high),
            frequent_per_day=_number(row.frequent_per_active_day),
            other_per_day=_number(row.other_per_active_day),
            ratio=_estimate(row, "rate_ratio"),
        )
        for row in _rows(frame)
    ]

    def clearest(rate: Rate) -> tuple[float, str]:
        """By the end of the interval that is nearer to 1; in the middle what has 1 in it."""
        ratio = rate.ratio
        if rate.is_small or not ratio.is_known:  # Not even its place tells what is not shown.
            return inf, rate.behaviour
        return -(ratio.low if ratio.low > 1 else ratio.high if ratio.high < 1 else 1.0), rate.behaviour

    first = frame.iloc[0]
    return Frequent(
        _day(first["as_of"]),
        int(first["frequent_users"]),
        int(first["other_users"]),
        sorted(rates, key=clearest),
    )


def _lift(row: Any) -> Lift:
    did, did_back, others_back = int(row.did), int(row.did_came_back), int(row.others_came_back)
    return Lift(
        behaviour=row.behaviour,
        at_least=int(row.at_least),
        period=row.period,
        joined_from=_day(row.joined_from),
        joined_to=_day(row.joined_to),
        people=int(row.people),
        did=did,
        share_did=_number(row.share_did),
        share_others=_number(row.share_others),
        alone=_estimate(row, "odds_ratio"),
        adjusted=_estimate(row, "adjusted_odds_ratio", "adjusted"),
        q=_number(row.q_value),
        adjusted_q=_number(row.adjusted_q),
        e_value=_number(row.e_value),
        e_value_limit=_number(row.e_value_limit),
        detectable=_number(row.detectable_odds_ratio),
        is_supported=bool(row.is_supported),
        is_found=bool(row.is_found),
        is_small=min(did, int(row.people) - did, did_back, others_back) < FEWEST,
    )


def _first_week(frame: pd.DataFrame) -> FirstWeek | None:
    frame = frame[frame["outcome"] == MAIN_OUTCOME]
    everybody = frame[frame["period"] == ALL]
    if not len(everybody) or int(everybody["people"].max()) < FEWEST:
        return None
    lifts = [_lift(row) for row in _rows(frame) if is_one_of_all(row)]

    def strongest(lift: Lift) -> tuple[float, str, int]:
        effect = lift.adjusted if lift.adjusted.is_known else lift.alone
        is_told = effect.is_known and not lift.is_small
        return (-effect.value if is_told else inf, lift.behaviour, lift.at_least)

    lifts = sorted(lifts, key=strongest)
    months: dict[str, list[Lift]] = {lift.behaviour: [] for lift in lifts if lift.is_found}
    for row in _rows(frame[frame["period"].str.len() == _SINGLE_MONTH].sort_values("period", kind="stable")):
        if row.behaviour in months:
            months[row.behaviour].append(_lift(row))
    first = everybody.iloc[0]
    people, back = int(first["people"]), int(first["did_came_back"]) + int(first["others_came_back"])
    return FirstWeek(_day(first["joined_from"]), _day(first["joined_to"]), people, back / people, lifts, months)


def _models(frame: pd.DataFrame) -> Sequence[Judged]:
    return [
        Judged(
            name=row.model,
            version=row.version,
            is_promoted=bool(row.is_promoted),
            verdict=row.verdict,
            learned_from=_day_or_none(row.learned_from),
            learned_to=_day_or_none(row.learned_to),
            learned_people=int(row.learned_people),
            judged_from=_day_or_none(row.judged_from),
            judged_to=_day_or_none(row.judged_to),
            judged_people=int(row.judged_people),
            base_rate=_number(row.base_rate),
            auc=_estimate(row, "auc"),
            pr_auc=_estimate(row, "pr_auc"),
            brier=_estimate(row, "brier"),
            calibration_slope=_number(row.calibration_slope),
            deciles=[
                Decile(
                    int(part["decile"]),
                    int(part["people"]),
                    int(part["came_back"]),
                    _number(part["mean_score"]),
                    _number(part["share"]),
                    Estimate(*(_number(part[name]) for name in ("lift", "lift_low", "lift_high"))),
                )
                for part in _list(row.deciles)
            ],
            importance=[(part["feature"], _number(part["auc_lost"])) for part in _list(row.importance)],
            worst_served=[
                (part["group_name"], int(part["people"]), _number(part["base_rate"]), _number(part["mean_score"]))
                for part in _list(row.worst_served)
            ],
        )
        for row in _rows(frame)
    ]


def _list(value: Any) -> Sequence[Any]:
    return [] if value is None or isinstance(value, float) else list(value)


def _best(models: Sequence[Judged]) -> Judged | None:
    promoted = [model for model in models if model.is_promoted]
    if promoted and promoted[0].auc.is_known:
        return promoted[0]
    judged = [model for model in models if model.auc.is_known and model.auc.low < model.auc.high]
    return max(judged, key=lambda model: model.auc.value, default=None)


def _experiment(first_week: FirstWeek | None) -> Experiment | None:
    helpful = [] if first_week is None else [lift for lift in first_week.helpful if lift.at_least == 1]
    if first_week is None or not helpful:
        return None
    lift = helpful[0]
    odds = lift.share_others / (1 - lift.share_others) * lift.adjusted.value
    base = first_week.share
    target = base + _MORE_WHO_DO_IT * (odds / (1 + odds) - lift.share_others)
    per_group = people_needed(base, target)
    joined_a_week = first_week.people / (((first_week.joined_to - first_week.joined_from).days + 1) / 7)
    return Experiment(lift, base, target, _MORE_WHO_DO_IT, per_group, ceil(2 * per_group / joined_a_week))


def _pooled(frame: pd.DataFrame) -> Sequence[Pooled]:
    days = frame[frame["period"].isin(DAYS_SINCE) & frame["measure"].isin(["day", "bracket", "unbounded"])]
    summed = days.groupby(["measure", "period"], sort=True)[["eligible", "retained"]].sum().reset_index()
    summed = summed[summed["eligible"] >= FEWEST]
    if not len(summed):
        return []
    ends = wilson(summed["retained"].to_numpy(np.int64), summed["eligible"].to_numpy(np.int64))
    return [
        Pooled(row.measure, int(row.period), int(row.eligible), int(row.retained), Estimate(*map(float, share)))
        for row, share in zip(_rows(summed), zip(*ends, strict=True), strict=True)
    ]
