"""What of an association is left when activity and the other behaviours are held fixed: logistic regression.

Which columns stand beside a behaviour, how they are fitted and when nothing can be said belongs here. What is made of
the estimates does not.
"""

import warnings
from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import Any

import numpy as np

from calback_assets.analysis.arrays import Bools, Floats
from calback_assets.analysis.association import UNKNOWN, Ratio
from calback_assets.analysis.first_weeks import MIN_PEOPLE, FirstWeeks

_MIN_CELL = 5
"""Fewer people than that in one of four cells, and the likelihood is too skewed for an interval from its top."""

_MIN_OUTCOMES_PER_TERM = 5
"""Vittinghoff and McCulloch, American Journal of Epidemiology 165 (2007); below it the penalized likelihood is used."""

_MIN_OUTCOMES_PER_PENALIZED_TERM = 2

_CONTAINED, _NOT_ANYWAY = 0.99, 0.9
"""A behaviour contains another if 99 % of those who did the other did it, and fewer than 90 % of those who did not."""

_COINCIDE = 0.9
"""Behaviours with this correlation can hardly be told apart, and each would take the other's effect."""

_UNEXPLAINED = 1e-8
"""A column of which less than this share of its variance is its own is a combination of others."""


@dataclass(frozen=True)
class Estimate:
    """An adjusted odds ratio, or why there is none."""

    odds_ratio: Ratio
    p_value: float
    how: str

    @classmethod
    def none(cls, why: str) -> "Estimate":
        """Nothing can be said."""
        return cls(UNKNOWN, nan, f"none: {why}")


def activity(people: FirstWeeks, outcome: str) -> Floats:
    """How much they were there in the first week, as columns that are no combination of each other.

    A column for the active days, one for the logarithm of sessions, and a step for each number of active days that
    enough people reach: the odds need not rise by as much from the first day to the second as from the sixth to the
    seventh. With a straight line alone, whatever else counts activity would be taken for a behaviour that helps.
    """
    days = np.arange(1, people.active_days.max(initial=0) + 1)
    steps = people.active_days[:, None] >= days
    steps = steps[:, _usable(steps, people.outcomes[outcome])]
    columns = np.column_stack([people.active_days, np.log1p(people.sessions), steps])
    return columns[:, _independent(_correlation(columns))]


class Adjustment:
    """The people of one comparison: how active they were, what they did, and whether they came back."""

    def __init__(self, people: FirstWeeks, did: Bools, outcome: str) -> None:
        """`did` is (person, behaviour)."""
        active = activity(people, outcome)
        self._first = active.shape[1]
        """The columns of behaviours come after those of activity."""
        self._columns = np.column_stack([active, did])
        self._came_back = people.outcomes[outcome].astype(float)
        self._behaviours = people.behaviours
        self._fits: dict[tuple[int, ...], _Fit | None] = {}
        came_back = int(self._came_back.sum())
        self._rarer = min(came_back, len(did) - came_back)
        self._smallest_cell = _smallest_cell(did, people.outcomes[outcome])
        self._is_usable = _usable(did, people.outcomes[outcome])

    def estimate(self, behaviour: int) -> Estimate:
        """The behaviour's odds ratio with activity and the other behaviours held fixed.

        Left out of these are behaviours that contain it or that it contains, or that nearly coincide with it: they are
        the same act, told in more or in fewer words. So are those of which a cell is too small to hold anything fixed.
        """
        others = np.flatnonzero(self._is_usable)
        others = others[others != behaviour]
        akin = self._akin(behaviour)
        left_out = [self._behaviours[other] for other in others if akin[other]]
        beside = [self._first + int(other) for other in others if not akin[other]]
        own = self._first + behaviour
        columns = [*range(self._first), *beside, own]
        kept = [columns[place] for place in _independent(self._correlation[np.ix_(columns, columns)])]
        if own not in kept:
            return Estimate.none("what else they did in the first week tells it already")
        terms = tuple(sorted(kept))
        if self._rarer < _MIN_OUTCOMES_PER_PENALIZED_TERM * len(terms):
            return Estimate.none(f"{self._rarer} people with the rarer outcome are too few for {len(terms)} terms")
        is_sparse = self._smallest_cell[behaviour] < _MIN_CELL or self._rarer < _MIN_OUTCOMES_PER_TERM * len(terms)
        note = f"; not held fixed: {', '.join(left_out)}" if left_out else ""
        found = None if is_sparse else self._likelihood(terms, own)
        if found:
            return Estimate(*found, f"logistic regression, robust errors{note}")
        why = "few people" if is_sparse else "outcomes separated"
        found = self._penalized(terms, own)
        if found:
            return Estimate(*found, f"Firth's penalized regression, profile interval ({why}){note}")
        return Estimate.none("the regression does not converge")

    @cached_property
    def _correlation(self) -> Floats:
        return _correlation(self._columns)

    @cached_property
    def _together(self) -> Floats:
        """(behaviour, behaviour): how many people did both."""
        did = self._columns[:, self._first :]
        together: Floats = did.T @ did
        return together

    def _akin(self, behaviour: int) -> Bools:
        """Which behaviours are the same act as this one, or a part of it, or the whole of it."""
        doers, people = self._together.diagonal(), len(self._columns)
        both = self._together[behaviour]
        with np.errstate(divide="ignore", invalid="ignore"):
            contains = (both / doers >= _CONTAINED) & ((doers[behaviour] - both) / (people - doers) < _NOT_ANYWAY)
            contained = (both / doers[behaviour] >= _CONTAINED) & (
                (doers - both) / (people - doers[behaviour]) < _NOT_ANYWAY
            )
        correlation = self._correlation[self._first :, self._first :][behaviour]
        akin: Bools = contains | contained | (np.abs(correlation) >= _COINCIDE)
        return akin

    def _likelihood(self, terms: tuple[int, ...], own: int) -> tuple[Ratio, float] | None:
        """By maximum likelihood with HC1 errors; None where it does not converge, as where outcomes are separated.

        Behaviours beside which the same terms stand share one fit.
        """
        if terms not in self._fits:
            self._fits[terms] = _logit(self._columns[:, terms], self._came_back)
        fit = self._fits[terms]
        if fit is None:
            return None
        place = 1 + terms.index(own)
        return Ratio(*np.exp([fit.params[place], *fit.intervals[place]]).tolist()), float(fit.p_values[place])

    def _penalized(self, terms: tuple[int, ...], own: int) -> tuple[Ratio, float] | None:
        """By Firth's penalized likelihood, its profile's interval and the ratio test (Heinze and Schemper, 2002)."""
        from firthmodels import FirthLogisticRegression
        from sklearn.exceptions import ConvergenceWarning

        place = terms.index(own)
        # Neither estimate nor interval hangs on a column's unit and zero; the steps of the search do.
        columns = self._columns[:, terms]
        spread = columns.std(axis=0)
        standard = (columns - columns.mean(axis=0)) / spread
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                model: Any = FirthLogisticRegression(backend="numpy").fit(standard, self._came_back)
                low, high = model.conf_int(method="pl", features=place)[place]
                p_value = model.lrt(features=place).lrt_pvalues_[place]
            except (ConvergenceWarning, RuntimeWarning, np.linalg.LinAlgError):
                return None
        found = np.exp(np.array([model.coef_[place], low, high]) / spread[place])
        return (Ratio(*found.tolist()), float(p_value)) if np.isfinite([*found, p_value]).all() else None


@dataclass(frozen=True)
class _Fit:
    """Of a constant and the terms, in their order."""

    params: Floats
    intervals: Floats
    p_values: Floats


def _smallest_cell(did: Bools, came_back: Bools) -> Floats:
    """For each column, the smallest of its four cells."""
    doers, returners = did.sum(axis=0), did[came_back].sum(axis=0)
    gone, others_back = doers - returners, came_back.sum() - returners
    smallest: Floats = np.min([returners, gone, others_back, (~came_back).sum() - gone], axis=0)
    return smallest


def _usable(did: Bools, came_back: Bools) -> Bools:
    """Which columns can be held fixed: enough did it, enough did not, and no cell is too small."""
    doers = did.sum(axis=0)
    usable: Bools = (np.minimum(doers, len(did) - doers) >= MIN_PEOPLE) & (_smallest_cell(did, came_back) >= _MIN_CELL)
    return usable


def _correlation(columns: Floats) -> Floats:
    """Of every two columns; 0 with one that is constant."""
    centred = columns - columns.mean(axis=0)
    spread = centred.std(axis=0)
    standard = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)
    correlation: Floats = standard.T @ standard / len(standard)
    return correlation


def _independent(correlation: Floats) -> list[int]:
    """The columns that are no combination of a constant and those before them, by Gauss's elimination."""
    unexplained = correlation.copy()
    kept = []
    for column in range(len(unexplained)):
        if unexplained[column, column] > _UNEXPLAINED:
            kept.append(column)
            unexplained -= np.outer(unexplained[:, column], unexplained[column]) / unexplained[column, column]
    return kept


def _logit(terms: Floats, came_back: Floats) -> _Fit | None:
    from statsmodels.discrete.discrete_model import Logit
    from statsmodels.tools.sm_exceptions import ModelWarning

    design = np.column_stack([np.ones(len(terms)), terms])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            # That no column is a combination of others has been seen; to look for it again takes longer than the fit.
            fit = Logit(came_back, design, check_rank=False).fit(disp=False, cov_type="HC1")
        except (ModelWarning, RuntimeWarning, np.linalg.LinAlgError):
            return None
    return _Fit(fit.params, fit.conf_int(), fit.pvalues)
