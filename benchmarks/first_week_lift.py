"""Does the lift table find what is planted in the sample, and nothing else, and what does it cost?

First weeks are made straight from the sample's people, without files: the same draws, and the events that come with
activity. What is found again in written files stands in the tests.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.harness import Scale, Work, in_child, in_turns
from benchmarks.table import Row, Share
from calback_assets.analysis.lift import lifts
from calback_assets.sample import planted
from calback_assets.sample.people import NEVER, make_people
from calback_assets.sample.timeline import Bools, Ints, busyness, date_of
from calback_assets_tests.analysis.first_week_rows import first_week_rows

_USERS, _DAYS = 30_000, 120
"""Of the default sample, of whom about 12,000 have had their 37 days."""
_FIRST_WEEKS_PER_USER = 0.4
_COVERED, _NOMINAL = 0.9, 0.05
_SECONDS_BOUND, _MEMORY_BOUND_MB = 60, 1500
_EFFECTS = {behaviour.name: behaviour.odds_ratio for behaviour in planted.BEHAVIOURS if behaviour.odds_ratio != 1}
_PLANTED_NOTHING = tuple(behaviour.name for behaviour in planted.BEHAVIOURS if behaviour.odds_ratio == 1)
_ACTIVITY = ("calendar_view", "meeting_open", "session_start", "screen_view")
"""Events that come with sessions and move nothing."""


@dataclass
class _Tally:
    """What was seen over all seeds, by behaviour."""

    covered: Counter[str]
    found: Counter[str]
    thresholds: int = 0
    by_itself: float = 0
    adjusted: float = 0
    """Sums of the logarithms of the confounded behaviour's odds ratios."""


def answer(work: Path, scale: Scale) -> list[Row | Share]:
    """40 seeds of the default sample's size, and 100,000 first weeks at once, at full size."""
    tally, in_null_world = _Tally(Counter(), Counter()), 0
    for seed in range(scale.seeds):
        weeks = first_weeks(seed, _USERS)
        _look(lifts(weeks), tally)
        in_null_world += bool(_everybody(lifts(_shuffled(weeks, seed)), "returned")["is_found"].any())
    confounded = planted.CONFOUNDED
    by_itself, adjusted = (np.exp(total / scale.seeds) for total in (tally.by_itself, tally.adjusted))
    print(f"{confounded}: odds ratio by itself {by_itself:.2f}, adjusted {adjusted:.2f} (geometric means)")
    print(f"thresholds found where none is planted: {tally.thresholds} in {scale.seeds} seeds")
    cost = in_turns(work, scale.runs, {"lift": in_child(at_once, _rows_made, people=scale.users)})["lift"]
    seeds = scale.seeds

    def found(what: str, names: tuple[str, ...]) -> list[Row | Share]:
        total = Share("j", what, sum(tally.found[name] for name in names), len(names) * seeds, _NOMINAL)
        return [total, *(Share("j", f"… {name}", tally.found[name], seeds, None) for name in names)]

    inside = sum(tally.covered.values())
    return [
        Share(
            "j",
            "planted effects: the truth in the adjusted interval",
            inside,
            len(_EFFECTS) * seeds,
            _COVERED,
            is_floor=True,
        ),
        *(Share("j", f"… {name}, {truth:g}", tally.covered[name], seeds, None) for name, truth in _EFFECTS.items()),
        *found("planted non-effects: found", (*_PLANTED_NOTHING, confounded)),
        *found("activity by other names: found", _ACTIVITY),
        Share("j", "null world: anything found", in_null_world, seeds, _NOMINAL),
        Row("j", f"{scale.users:,} first weeks", "s", cost.seconds, _SECONDS_BOUND, "the bound", 1),
        Row("j", "the same, peak memory", "MB", cost.megabytes, _MEMORY_BOUND_MB, "the bound", 1),
    ]


def at_once(people: int, folder: str) -> Work:
    """So many first weeks in one table."""
    weeks = first_weeks(1, round(people / _FIRST_WEEKS_PER_USER)).slice(0, people)
    assert weeks.num_rows == people

    def work() -> None:
        lifts(weeks).to_parquet(Path(folder) / "lift.parquet")

    return work


def _rows_made(folder: Path) -> int:
    return len(pd.read_parquet(folder / "lift.parquet"))


def first_weeks(seed: int, users: int) -> pa.Table:
    """The first weeks of those of the sample's people who have had their 37 days."""
    people, _ = make_people(seed, users, _DAYS)
    last = _DAYS - planted.FIRST_WEEK - planted.RETURN_WINDOW
    who = np.flatnonzero((people.first_day[:users] >= 0) & (people.first_day[:users] <= last))
    rng = np.random.default_rng(seed)
    rate, first_day = people.rate[who], people.first_day[who]
    active_days = people.week[who].sum(axis=1)
    sessions = active_days + rng.poisson(active_days * (0.1 + 0.7 * rate))
    done = people.action_day[:, who] != NEVER
    did: dict[str, Bools | Ints] = {behaviour.name: done[index] for index, behaviour in enumerate(planted.BEHAVIOURS)}
    did |= {
        "friend_request_sent": did["friend_request_accepted"].astype(int) + did["friend_request_unanswered"],
        "meeting_created": did["meeting_with_others"].astype(int) + did["meeting_alone"],
        planted.CONFOUNDED: rng.binomial(active_days, planted.CONFOUNDED_CHANCE),
        "session_start": sessions,
        "screen_view": sessions + rng.poisson(1.2 * sessions),
        "calendar_view": rng.poisson(0.7 * sessions),
        "meeting_open": rng.poisson(0.35 * sessions),
    }
    day = planted.FIRST_WEEK + np.arange(planted.RETURN_WINDOW)
    busy = busyness(0, _DAYS)[first_day[:, None] + day]
    comes = (day <= people.last_day[who, None]) & (rng.random(busy.shape) < rate[:, None] * busy)
    outcome_days = (comes | (day == people.return_day[who, None])).sum(axis=1)
    return first_week_rows(
        did,
        people.return_day[who] != NEVER,
        frequent=outcome_days >= 3,
        active_days=active_days,
        sessions=sessions,
        joined_on=np.datetime64(date_of(0)) + first_day,
    )


def _shuffled(weeks: pa.Table, seed: int) -> pa.Table:
    """The same first weeks, with outcomes that have nothing to do with them."""
    order = np.random.default_rng(seed + 1000).permutation(weeks.num_rows)
    for name in ("returned", "frequent"):
        weeks = weeks.set_column(weeks.column_names.index(name), name, weeks[name].take(order))
    return weeks


def _everybody(lift: pd.DataFrame, outcome: str) -> pd.DataFrame:
    return lift[(lift["period"] == "all") & (lift["outcome"] == outcome)].set_index("behaviour")


def _look(lift: pd.DataFrame, tally: _Tally) -> None:
    everybody = _everybody(lift, "returned")
    for name, truth in _EFFECTS.items():
        row = everybody.loc[name]
        tally.covered[name] += bool(row["adjusted_low"] <= truth <= row["adjusted_high"])
    tally.found.update(everybody.index[everybody["is_found"]])
    tally.thresholds += int(lift.loc[lift["period"] == "newer", "is_found"].sum())
    confounded = everybody.loc[planted.CONFOUNDED]
    tally.by_itself += np.log(confounded["odds_ratio"])
    tally.adjusted += np.log(confounded["adjusted_odds_ratio"])
