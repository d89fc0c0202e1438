"""How the models are learned: who is learned from and who is held back, and how much freedom each model gets.

Only those who are learned from are seen here beyond their day of joining; how the models do on the others is in
`judging`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import mean
from typing import Any, TypeAlias

import numpy as np

from calback_assets.analysis.arrays import Bools, Days, Floats, Ints
from calback_assets.analysis.features import Vocabulary
from calback_assets.analysis.judging import SEED, log_loss
from calback_assets.analysis.models import THREADS, Boosting, Logistic, design, lightgbm

JUDGED_DAYS = 14
JUDGED_SHARE = 0.2
"""Held back are the newest 14 days of joining, or the newest fifth of the people where that is more."""
GAP_DAYS = 30
"""Between the last who is learned from and the first who is judged: whoever scores the first of the judged, at the end
of their first week, knows the outcome of nobody who joined later than 30 days before them."""
FOLDS = 3

INVERSE_PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)
DRAWS = 12
SEARCHED_PEOPLE = 20_000
"""The search of boosting looks at no more of the people, drawn at random; the model learns from all of them."""
MOST_ROUNDS, PATIENCE = 400, 20
_SPACE: Mapping[str, tuple[Any, ...]] = {
    "learning_rate": (0.03, 0.05, 0.1),
    "num_leaves": (4, 8, 16, 31),
    "min_data_in_leaf": (20, 50, 100, 200),
    "lambda_l2": (0.0, 1.0, 10.0),
    "feature_fraction": (0.5, 0.8, 1.0),
    "bagging_fraction": (0.7, 1.0),
}
_FIXED = {
    "objective": "binary",
    "metric": "binary_logloss",
    "bagging_freq": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": SEED,
    "num_threads": THREADS,
    "verbosity": -1,
}

Parameters: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Split:
    """Who is learned from and who is judged, as marks of the people; who joined in between is neither."""

    learned: Bools
    judged: Bools


def split_by_time(joined: Days) -> Split:
    """The newest complete days of joining are held back, and a gap before them.

    Args:
        joined: each person's day of joining, in any order.
    """
    if not len(joined):
        return Split(np.zeros(0, dtype=bool), np.zeros(0, dtype=bool))
    ordered = np.sort(joined)
    newest_share = ordered[int(len(ordered) * (1 - JUDGED_SHARE))]
    judged_from = min(ordered[-1] - np.timedelta64(JUDGED_DAYS - 1, "D"), newest_share)
    return Split(joined <= judged_from - np.timedelta64(GAP_DAYS, "D"), joined >= judged_from)


def folds(joined: Days, outcomes: Bools) -> Iterator[tuple[Bools, Bools]]:
    """Of the people who are learned from: those who joined before a day, and those of the next days.

    A fold whose people all came back, or none did, teaches nothing and is left out.
    """
    ordered = np.sort(joined)
    edges = [ordered[len(ordered) * part // (FOLDS + 1)] for part in range(1, FOLDS + 1)]
    for start, end in zip(edges, [*edges[1:], ordered[-1] + np.timedelta64(1, "D")], strict=True):
        before, after = joined < start, (joined >= start) & (joined < end)
        if all(len(np.unique(outcomes[part])) == 2 for part in (before, after)):
            yield before, after


def learn_logistic(
    features: Floats, outcomes: Bools, joined: Days, vocabulary: Vocabulary
) -> tuple[Logistic, Parameters]:
    """A logistic regression, with the penalty that did best on the folds."""

    def loss(inverse_penalty: float) -> float:
        losses = [
            log_loss(
                _logistic(features[before], outcomes[before], vocabulary, inverse_penalty).scores(features[after]),
                outcomes[after],
            ).mean()
            for before, after in parts
        ]
        return float(np.mean(losses)) if losses else 0.0

    parts = list(folds(joined, outcomes))
    best = min(INVERSE_PENALTIES, key=loss)
    return _logistic(features, outcomes, vocabulary, best), {"penalty": "l2", "inverse_penalty": best}


def _logistic(features: Floats, outcomes: Bools, vocabulary: Vocabulary, inverse_penalty: float) -> Logistic:
    from sklearn.linear_model import LogisticRegression

    columns = design(features, vocabulary)
    means, scales = columns.mean(axis=0), columns.std(axis=0)
    scales[scales == 0] = 1.0
    fitted = LogisticRegression(C=inverse_penalty, solver="newton-cholesky", tol=1e-8, max_iter=200)
    fitted.fit((columns - means) / scales, outcomes)
    return Logistic(vocabulary, means, scales, fitted.coef_[0], float(fitted.intercept_[0]))


def learn_boosting(
    features: Floats, outcomes: Bools, joined: Days, vocabulary: Vocabulary
) -> tuple[Boosting, Parameters]:
    """Gradient boosting, with the parameters of a bounded random search that did best on the folds.

    How many trees there are is how many did best on the folds, where each stops early.
    """
    library, rng = lightgbm(), np.random.default_rng(SEED)
    searched = np.sort(rng.permutation(len(features))[:SEARCHED_PEOPLE])
    parts = [(searched[before], searched[after]) for before, after in folds(joined[searched], outcomes[searched])]

    def stopped_early(parameters: Parameters, before: Ints, after: Ints) -> tuple[float, int]:
        """The least loss on those who joined later, and after how many trees."""
        learned = library.Dataset(features[before], outcomes[before])
        later = library.Dataset(features[after], outcomes[after], reference=learned)
        stopping = library.early_stopping(PATIENCE, verbose=False)
        booster = library.train(_FIXED | parameters, learned, MOST_ROUNDS, valid_sets=[later], callbacks=[stopping])
        return booster.best_score["valid_0"]["binary_logloss"], booster.best_iteration

    tried = []
    for draw in range(DRAWS):
        parameters = {name: rng.choice(values).item() for name, values in _SPACE.items()}
        results = [stopped_early(parameters, before, after) for before, after in parts] or [(0.0, 1)]
        rounds = round(mean(rounds for _, rounds in results))
        tried.append((mean(loss for loss, _ in results), draw, parameters, rounds))
    _, _, best, rounds = min(tried)
    booster = library.train(_FIXED | best, library.Dataset(features, outcomes), rounds)
    return Boosting(vocabulary, booster.model_to_string()), {**best, "rounds": rounds}
