"""From what new people did in their first week, and who came back, to the rows of `return_model`.

The order of the work and what is promoted belong here; how is learned and judged stands in `learning` and `judging`.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from threadpoolctl import threadpool_limits

from calback_assets.analysis import judging
from calback_assets.analysis.arrays import Bools, Days, Floats
from calback_assets.analysis.drift import PROPENSITY, bins_of
from calback_assets.analysis.features import PLATFORM, Vocabulary, matrix, vocabulary_of
from calback_assets.analysis.learning import learn_boosting, learn_logistic, split_by_time
from calback_assets.analysis.models import BASE_RATE, BOOSTING, LOGISTIC, Model

LEAST_LEARNED, LEAST_JUDGED, LEAST_OF_EITHER = 500, 200, 50
"""People, and those among them who came back, and who did not."""
_Learn: TypeAlias = Callable[[Floats, Bools, Days, Vocabulary], tuple[Model, Mapping[str, Any]]]

_MANY_ACTIVE_DAYS = 3
_LIBRARIES = ("numpy", "scikit-learn", "lightgbm")


@dataclass(frozen=True)
class _People:
    """Some of the people, in the order in which they joined."""

    weeks: pa.Table
    joined: Days
    returned: Bools

    @classmethod
    def of(cls, rows: pa.Table) -> "_People":
        return cls(rows, rows["joined_on"].to_numpy(), rows["returned"].to_numpy().astype(bool))

    def part(self, members: Bools) -> "_People":
        return _People.of(self.weeks.filter(pa.array(members)))

    @property
    def are_enough(self) -> bool:
        return bool(LEAST_OF_EITHER <= self.returned.sum() <= len(self) - LEAST_OF_EITHER)

    @property
    def days(self) -> tuple[date | None, date | None]:
        """The first and the last day of joining."""
        days = self.weeks["joined_on"]
        return (days[0].as_py(), days[-1].as_py()) if len(days) else (None, None)

    def __len__(self) -> int:
        return len(self.returned)


@dataclass(frozen=True)
class _Judged:
    """A model and the chances that it gave to those who were held back."""

    name: str
    model: Model
    parameters: Mapping[str, Any]
    scores: Floats
    found: Mapping[str, float]


def learned(rows: pa.Table) -> pd.DataFrame:
    """A row a model: what it is, how it does on the newest people, and whether scores are made with it.

    Args:
        rows: `user_id`, `joined_on`, `returned` and what `features` reads, a row a person in any order.
    """
    everybody = _People.of(rows.sort_by([("joined_on", "ascending"), ("user_id", "ascending")]))
    split = split_by_time(everybody.joined)
    learners, judged = everybody.part(split.learned), everybody.part(split.judged)
    common = _common(learners, judged)
    if len(learners) < LEAST_LEARNED or len(judged) < LEAST_JUDGED or not (learners.are_enough and judged.are_enough):
        return pd.DataFrame([_too_few(learners, judged) | common])
    with threadpool_limits(limits=1, user_api="blas"):  # Bits do not hang on the number of cores.
        return pd.DataFrame([row | common for row in _rows(learners, judged)])


def _common(learners: _People, judged: _People) -> dict[str, Any]:
    (learned_from, learned_to), (judged_from, judged_to) = learners.days, judged.days
    return {
        "version": _version(learners, judged),
        "learned_from": learned_from,
        "learned_to": learned_to,
        "learned_people": len(learners),
        "judged_from": judged_from,
        "judged_to": judged_to,
        "judged_people": len(judged),
        "base_rate": float(judged.returned.mean()) if len(judged) else None,
    }


def _version(learners: _People, judged: _People) -> str:
    """The same for the same people and the same code."""
    vocabulary = vocabulary_of(learners.weeks)
    digest = hashlib.sha256(_code().encode() + json.dumps(vocabulary.to_json()).encode())
    for people in (learners, judged):
        for numbers in (people.joined, people.returned, matrix(people.weeks, vocabulary)):
            digest.update(numbers.tobytes())
    return digest.hexdigest()[:12]


@cache
def _code() -> str:
    """The modules of this folder and the libraries that make a model, as one hash."""
    digest = hashlib.sha256()
    for name in ("features", "learning", "models", "return_model"):
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return digest.hexdigest() + "".join(map(version, _LIBRARIES))


def _rows(learners: _People, judged: _People) -> list[dict[str, Any]]:
    vocabulary = vocabulary_of(learners.weeks)
    features, of_judged = matrix(learners.weeks, vocabulary), matrix(judged.weeks, vocabulary)
    share = float(learners.returned.mean())
    base_scores = np.full(len(judged), share)
    base = judging.figures(base_scores, judged.returned)
    candidates = []
    ways: tuple[tuple[str, _Learn], ...] = ((LOGISTIC, learn_logistic), (BOOSTING, learn_boosting))
    for name, learn in ways:
        model, parameters = learn(features, learners.returned, learners.joined, vocabulary)
        scores = model.scores(of_judged)
        candidates.append(_Judged(name, model, parameters, scores, judging.figures(scores, judged.returned)))
    promoted, verdicts = _promoted(candidates, base["brier"], judged.returned)
    groups = _groups(judged.weeks)
    rows = [
        _described(BASE_RATE, verdicts[BASE_RATE], base)
        | {"parameters": json.dumps({"share": share}), "calibration_offset": share - float(judged.returned.mean())}
    ]
    for candidate in candidates:
        model, scores = candidate.model, candidate.scores
        rows.append(
            _described(candidate.name, verdicts[candidate.name], candidate.found)
            | {
                "is_promoted": candidate.name == promoted,
                "calibration_slope": judging.calibration_slope(scores, judged.returned),
                "calibration_offset": float(scores.mean() - judged.returned.mean()),
                "deciles": judging.deciles(scores, judged.returned),
                "importance": judging.importance(model, of_judged, judged.returned),
                "worst_served": judging.worst_served(scores, judged.returned, groups),
                "features": list(vocabulary.features),
                "feature_bins": _bins(vocabulary, features, model.scores(features)),
                "parameters": json.dumps(candidate.parameters),
                "content": model.text(),
            }
        )
    return rows


def _described(name: str, verdict: str, found: Mapping[str, float]) -> dict[str, Any]:
    """A row with everything that a model may lack."""
    nothing = dict.fromkeys(f"{figure}{end}" for figure in ("auc", "pr_auc", "brier") for end in ("", "_low", "_high"))
    return {
        "model": name,
        "is_promoted": False,
        "verdict": verdict,
        **nothing,
        **found,
        "calibration_slope": None,
        "calibration_offset": None,
        **{column: [] for column in ("deciles", "importance", "worst_served", "features", "feature_bins")},
        "parameters": "{}",
        "content": None,
    }


def _too_few(learners: _People, judged: _People) -> dict[str, Any]:
    return _described(
        BASE_RATE,
        "Nothing was learned, and nobody is scored, because there are too few people. "
        f"To learn from: {_counted(learners)}; needed are {LEAST_LEARNED:,}. "
        f"To be judged: {_counted(judged)}; needed are {LEAST_JUDGED:,}. "
        f"In both, at least {LEAST_OF_EITHER} must have come back, and as many not.",
        {},
    )


def _counted(people: _People) -> str:
    return f"{len(people):,} people, of whom {int(people.returned.sum()):,} came back"


def _promoted(candidates: Sequence[_Judged], base_brier: float, returned: Bools) -> tuple[str | None, dict[str, str]]:
    """Which model scores are made with, if any, and a sentence on each.

    Boosting takes the place of the logistic regression only where it is certain to be better.
    """
    logistic, boosting = candidates
    why_not = {candidate.name: _why_not(candidate, base_brier) for candidate in candidates}
    loss = {candidate.name: judging.log_loss(candidate.scores, returned) for candidate in candidates}
    difference = judging.mean_of(loss[BOOSTING] - loss[LOGISTIC])
    gain = float(judging.value(difference, len(returned)))
    low, high = judging.interval(difference, len(returned))
    compared = f"{gain:+.4f} ({low:+.4f} to {high:+.4f})"
    promoted = None
    if not why_not[BOOSTING] and high < 0:
        promoted = BOOSTING
        why_not[LOGISTIC] = why_not[LOGISTIC] or f"boosting is better, its log loss differs by {compared}"
    elif not why_not[LOGISTIC]:
        promoted = LOGISTIC
    if not why_not[BOOSTING] and promoted != BOOSTING:
        why_not[BOOSTING] = (
            f"its log loss differs by {compared} from that of the logistic regression, which is simpler and stays "
            "unless boosting is certain to be better"
        )
    verdicts = {
        candidate.name: f"Promoted: {_beats(candidate, base_brier)}."
        if candidate.name == promoted
        else f"Not promoted: {why_not[candidate.name]}."
        for candidate in (logistic, boosting)
    }
    verdicts[BASE_RATE] = (
        "Says of everybody the share of those it learned from who came back: what a model must beat. "
        + ("One does." if promoted else "None does, so nobody is scored.")
    )
    return promoted, verdicts


def _why_not(candidate: _Judged, base_brier: float) -> str:
    found = candidate.found
    if found["auc_low"] <= 0.5:
        return (
            f"its AUC of {found['auc']:.3f} ({found['auc_low']:.3f} to {found['auc_high']:.3f}) cannot be told from "
            "0.5, which is chance"
        )
    if found["brier"] >= base_brier:
        return f"its Brier score of {found['brier']:.4f} is not below the base rate's {base_brier:.4f}"
    return ""


def _beats(candidate: _Judged, base_brier: float) -> str:
    found = candidate.found
    return (
        f"on people it learned nothing of, its AUC is {found['auc']:.3f} ({found['auc_low']:.3f} to "
        f"{found['auc_high']:.3f}) and its Brier score {found['brier']:.4f}, below the base rate's {base_brier:.4f}"
    )


def _groups(weeks: pa.Table) -> dict[str, Bools]:
    """The people who are judged, in groups that a model may serve unlike; each person is in one of each kind."""
    joined = weeks["joined_on"]
    active_days = np.minimum(weeks["active_days"].to_numpy(), _MANY_ACTIVE_DAYS)
    named = {
        "platform {}": pc.fill_null(weeks[PLATFORM], "unknown").to_pylist(),
        "joined on a {}": [f"{day:%A}" for day in joined.to_pylist()],
        "joined in {}": [f"{day:%Y-%m}" for day in joined.to_pylist()],
        "active days: {}": [f"{days} or more" if days == _MANY_ACTIVE_DAYS else str(days) for days in active_days],
    }
    return {
        kind.format(name): np.array([other == name for other in names])
        for kind, names in named.items()
        for name in sorted(set(names))
    }


def _bins(vocabulary: Vocabulary, features: Floats, scores: Floats) -> list[dict[str, Any]]:
    named = zip((*vocabulary.features, PROPENSITY), (*features.T, scores), strict=True)
    return [dict(bins_of(name, values)) for name, values in named]
