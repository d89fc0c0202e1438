"""From how often on something matters: a threshold chosen on some people, to be confirmed on others.

Choosing belongs here, the older people and the newer ones included; what is then said of the newer does not.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from calback_assets.analysis.adjustment import activity
from calback_assets.analysis.arrays import Bools, Floats, Ints
from calback_assets.analysis.first_weeks import MIN_PEOPLE, FirstWeeks

_IS_ACTIVITY = 0.9
"""Correlation with the active days or the sessions from which on something only counts how much they were there."""


@dataclass(frozen=True)
class Threshold:
    """Doing it so often or more, against less often or never."""

    behaviour: int
    at_least: int
    is_helpful: bool
    """Whether more of those who did it so often came back, activity held fixed, among those it was chosen on."""


def halves(people: FirstWeeks) -> tuple[FirstWeeks, FirstWeeks] | None:
    """The people who joined up to some day, at least half of all, and those who joined later; None if none did."""
    if not len(people.joined_on):
        return None
    middle = np.sort(people.joined_on)[(len(people.joined_on) - 1) // 2]
    is_newer = people.joined_on > middle
    return (people.only(~is_newer), people.only(is_newer)) if is_newer.any() else None


def chosen(people: FirstWeeks, outcome: str) -> list[Threshold]:
    """The threshold of each behaviour at which these people differ most, where it is not simply to have done it.

    It is the one with the largest score statistic beside the activity of the first week: whoever is there more often
    does everything more often. What only counts activity, as opening the app does, has no threshold; and one that fewer
    than `MIN_PEOPLE` reach, or fail to reach, is not looked at. The largest of several statistics is large by chance
    alone (Miller and Siegmund, Biometrics 38, 1982), so nothing is to be said of the people it was chosen on.
    """
    came_back = people.outcomes[outcome]
    null = _Null.fit(activity(people, outcome), came_back)
    if null is None:
        return []
    found = []
    for behaviour, times in enumerate(people.times.T):
        if _is_activity(times, people):
            continue
        scores, variances, reached = null.scores(times)
        is_candidate = (np.minimum(reached, len(times) - reached) >= MIN_PEOPLE) & (variances > 0)
        statistics = np.divide(scores**2, variances, out=np.zeros_like(scores), where=is_candidate)
        best = int(statistics.argmax())
        if is_candidate.any() and best > 0:
            found.append(Threshold(behaviour, best + 1, bool(scores[best] > 0)))
    return found


def _is_activity(times: Ints, people: FirstWeeks) -> bool:
    measures = [measure for measure in (people.active_days, people.sessions) if np.ptp(measure) and np.ptp(times)]
    return any(np.corrcoef(times, measure)[0, 1] >= _IS_ACTIVITY for measure in measures)


@dataclass(frozen=True)
class _Null:
    """The chance of coming back by activity alone."""

    design: Floats
    residuals: Floats
    weights: Floats

    @classmethod
    def fit(cls, active: Floats, came_back: Bools) -> "_Null | None":
        """None where activity alone tells the outcome, or there is no outcome to tell."""
        from statsmodels.discrete.discrete_model import Logit
        from statsmodels.tools.sm_exceptions import ModelWarning

        design = np.column_stack([np.ones(len(active)), active])
        if not 0 < came_back.sum() < len(came_back):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                chance = Logit(came_back.astype(float), design).fit(disp=False).predict()
            except (ModelWarning, RuntimeWarning, np.linalg.LinAlgError):
                return None
        return cls(design, came_back - chance, chance * (1 - chance))

    def scores(self, times: Ints) -> tuple[Floats, Floats, Ints]:
        """For each threshold from 1 up: the score of reaching it, its variance, and how many do."""
        weighted = self.design * self.weights[:, None]
        score = _reaching(times, self.residuals)
        own = _reaching(times, self.weights)
        shared = np.column_stack([_reaching(times, column) for column in weighted.T])
        explained = np.einsum("ij,ji->i", shared, np.linalg.solve(self.design.T @ weighted, shared.T))
        return score, own - explained, _reaching(times, np.ones(len(times))).astype(np.int64)


def _reaching(times: Ints, values: Floats) -> Floats:
    """For each threshold from 1 up, the sum of the values of those who reach it."""
    by_times = np.bincount(times, weights=values)
    reaching: Floats = by_times[::-1].cumsum()[::-1][1:]
    return reaching
