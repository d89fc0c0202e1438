"""How good chances were, once it is known who came back: figures with their intervals, calibration, deciles, groups.

Everything here takes scores and outcomes, whoever made them. Whether that is good enough is decided in `return_model`.

Each figure is a function of weights, one row of them for each resample: how often each person is drawn. Weights of one
give the figure itself. All models are judged on the same resamples, so that two can be compared person by person.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from calback_assets.analysis.arrays import Bools, Floats
from calback_assets.analysis.models import Model

RESAMPLES = 500
SEED = 20_240_101
REPEATS = 5
"""How often a feature is shuffled."""
IMPORTANCE_PEOPLE = 5_000
"""On so many of the judged, drawn at random, is seen what a feature is worth: shuffling costs a scoring each time."""
LEAST_OF_GROUP = 50

Figure: TypeAlias = Callable[[Floats], Floats]

_CELLS_AT_ONCE = 1_000_000
_NEAR_CERTAIN = 1e-12


class Ranking:
    """People in the order of their scores, those with the same score together."""

    def __init__(self, scores: Floats, outcomes: Bools) -> None:
        """Sort once for all resamples."""
        self._order = np.argsort(scores, kind="stable")
        ordered = scores[self._order]
        self._starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self._returned = outcomes[self._order]

    def auc(self, weights: Floats) -> Floats:
        """The chance that who returned has the higher score than who did not; a tie counts half."""
        positive, negative = self._counts(weights)
        below = np.cumsum(negative, axis=1) - negative
        won = (positive * (below + negative / 2)).sum(axis=1)
        figure: Floats = won / (positive.sum(axis=1) * negative.sum(axis=1))
        return figure

    def average_precision(self, weights: Floats) -> Floats:
        """The precision at each score, weighed by the share of those who returned that it adds."""
        positive, negative = self._counts(weights)
        found = np.cumsum(positive[:, ::-1], axis=1)
        taken = found + np.cumsum(negative[:, ::-1], axis=1)
        precision = found / np.maximum(taken, 1)
        figure: Floats = (positive[:, ::-1] * precision).sum(axis=1) / positive.sum(axis=1)
        return figure

    def _counts(self, weights: Floats) -> tuple[Floats, Floats]:
        ordered = weights[:, self._order]
        positive = np.add.reduceat(np.where(self._returned, ordered, 0.0), self._starts, axis=1)
        return positive, np.add.reduceat(ordered, self._starts, axis=1) - positive


def mean_of(values: Floats) -> Figure:
    """The mean of what is known of each person."""
    return lambda weights: (weights @ values) / weights.sum(axis=1)


def squared_error(scores: Floats, outcomes: Bools) -> Floats:
    """Of each person; its mean is the Brier score."""
    errors: Floats = (scores - outcomes) ** 2
    return errors


def log_loss(scores: Floats, outcomes: Bools) -> Floats:
    """Of each person: the surprise at what came."""
    certain = np.clip(scores, _NEAR_CERTAIN, 1 - _NEAR_CERTAIN)
    losses: Floats = -np.log(np.where(outcomes, certain, 1 - certain))
    return losses


def value(figure: Figure, people: int) -> Any:
    """The figure of the people as they are."""
    return figure(np.ones((1, people)))[0]


def interval(figure: Figure, people: int) -> Any:
    """Its 95 % bootstrap interval by percentiles: lower and upper end."""
    drawn = np.concatenate([figure(weights) for weights in _resamples(people)])
    return np.nanpercentile(drawn, [2.5, 97.5], axis=0)


def _resamples(people: int) -> Iterator[Floats]:
    """Weights of all resamples, as many rows at a time as memory should hold."""
    rng = np.random.default_rng(SEED)
    rows = max(1, _CELLS_AT_ONCE // people)
    for start in range(0, RESAMPLES, rows):
        count = min(rows, RESAMPLES - start)
        drawn = rng.integers(people, size=(count, people)) + np.arange(count)[:, None] * people
        yield np.bincount(drawn.ravel(), minlength=count * people).reshape(count, people).astype(float)


def figures(scores: Floats, outcomes: Bools) -> dict[str, float]:
    """AUC, average precision and Brier score with their intervals, by the names of the contract's columns."""
    ranking, people = Ranking(scores, outcomes), len(scores)
    found: dict[str, float] = {}
    for name, figure in (
        ("auc", ranking.auc),
        ("pr_auc", ranking.average_precision),
        ("brier", mean_of(squared_error(scores, outcomes))),
    ):
        low, high = interval(figure, people)
        found |= {name: float(value(figure, people)), f"{name}_low": float(low), f"{name}_high": float(high)}
    return found


def calibration_slope(scores: Floats, outcomes: Bools) -> float | None:
    """By how much the log odds of the scores must be stretched to fit what came; None where all scores are the same."""
    from sklearn.linear_model import LogisticRegression

    if scores.min() == scores.max():
        return None
    certain = np.clip(scores, _NEAR_CERTAIN, 1 - _NEAR_CERTAIN)
    log_odds = np.log(certain / (1 - certain))
    fitted = LogisticRegression(C=np.inf, solver="newton-cholesky").fit(log_odds[:, None], outcomes)
    return float(fitted.coef_[0, 0])


def deciles(scores: Floats, outcomes: Bools) -> list[dict[str, float]]:
    """The people in ten parts by score, the lowest first: who came back, and how that compares with everybody."""
    people = len(scores)
    order = np.argsort(scores, kind="stable")
    edges = np.linspace(0, people, 11).astype(int)
    starts = edges[:-1]

    def lift(weights: Floats) -> Floats:
        drawn = weights[:, order]
        in_part = np.add.reduceat(drawn, starts, axis=1)
        returned = np.add.reduceat(np.where(outcomes[order], drawn, 0.0), starts, axis=1)
        with np.errstate(invalid="ignore"):  # Nobody of a part may be drawn.
            shares: Floats = (returned / in_part) / (returned.sum(axis=1) / in_part.sum(axis=1))[:, None]
        return shares

    low, high = interval(lift, people)
    lifts = value(lift, people)
    rows = []
    for part, (start, end) in enumerate(zip(starts, edges[1:], strict=True)):
        members = order[start:end]
        rows.append(
            {
                "decile": part + 1,
                "people": len(members),
                "came_back": int(outcomes[members].sum()),
                "mean_score": float(scores[members].mean()),
                "share": float(outcomes[members].mean()),
                "lift": float(lifts[part]),
                "lift_low": float(low[part]),
                "lift_high": float(high[part]),
            }
        )
    return rows


def importance(model: Model, features: Floats, outcomes: Bools) -> list[dict[str, Any]]:
    """What is lost of the AUC when one feature is shuffled among the people, the most important first."""
    rng = np.random.default_rng(SEED)
    people = min(len(features), IMPORTANCE_PEOPLE)
    chosen = np.sort(rng.permutation(len(features))[:people])
    features, outcomes = features[chosen], outcomes[chosen]

    def auc(of: Floats) -> float:
        return float(value(Ranking(model.scores(of), outcomes).auc, people))

    whole = auc(features)
    rows = []
    for position, name in enumerate(model.vocabulary.features):
        lost = np.empty(REPEATS)
        shuffled = features.copy()
        for repeat in range(REPEATS):
            shuffled[:, position] = rng.permutation(features[:, position])
            lost[repeat] = whole - auc(shuffled)
        rows.append({"feature": name, "auc_lost": float(lost.mean()), "auc_lost_sd": float(lost.std(ddof=1))})
    return sorted(rows, key=lambda row: (-row["auc_lost"], row["feature"]))


def worst_served(scores: Floats, outcomes: Bools, groups: Mapping[str, Bools]) -> list[dict[str, Any]]:
    """Groups of enough people, those first whose mean score is furthest from the share that came back."""
    rows = []
    for name, members in groups.items():
        if members.sum() < LEAST_OF_GROUP:
            continue
        of_group, came_back = scores[members], outcomes[members]
        has_both = came_back.any() and not came_back.all()
        auc = float(value(Ranking(of_group, came_back).auc, len(of_group))) if has_both else None
        rows.append(
            {
                "group_name": name,
                "people": len(of_group),
                "base_rate": float(came_back.mean()),
                "mean_score": float(of_group.mean()),
                "auc": auc,
            }
        )
    return sorted(rows, key=lambda row: (-abs(row["mean_score"] - row["base_rate"]), row["group_name"]))
