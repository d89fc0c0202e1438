"""The models: how each makes a chance of a first week, and how it is kept as text.

A model is always what its text says: one that was just fitted scores as the one that is read back. How models are
chosen and judged stands in `learning` and `judging`.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from calback_assets.analysis.arrays import Floats
from calback_assets.analysis.features import COUNTS, Vocabulary
from calback_assets.errors import CalbackError

THREADS = 1
"""LightGBM's own: on a busy machine, two that wait for each other take ten times as long."""


class Model(Protocol):
    """What makes chances of a matrix of features."""

    @property
    def vocabulary(self) -> Vocabulary:
        """What it reads."""

    def scores(self, features: Floats) -> Floats:
        """The chance of each person to return, a person by themselves: whoever else is scored changes no bit."""

    def text(self) -> str:
        """The model as JSON; `model_of` is the way back."""


def design(features: Floats, vocabulary: Vocabulary) -> Floats:
    """The columns of the logistic regression.

    Active days as they are and the other counts as logarithms; a flag for each platform; of each behaviour whether it
    was done, and the logarithm of how often, which is 0 for once.
    """
    counts, places = features[:, : len(COUNTS)], features[:, len(COUNTS)]
    times = features[:, len(COUNTS) + 1 :]
    return np.column_stack(
        [
            counts[:, 0],
            np.log1p(counts[:, 1:]),
            *(places == place for place in range(1, len(vocabulary.platforms) + 1)),
            times > 0,
            np.log(np.maximum(times, 1.0)),
        ]
    )


@dataclass(frozen=True)
class Logistic:
    """A logistic regression over standardised columns."""

    vocabulary: Vocabulary
    means: Floats
    scales: Floats
    coefficients: Floats
    intercept: float

    def scores(self, features: Floats) -> Floats:
        """The chance of each person to return."""
        standardised = (design(features, self.vocabulary) - self.means) / self.scales
        # Not a product of matrices, whose last bits hang on how many rows there are.
        log_odds = (standardised * self.coefficients).sum(axis=1) + self.intercept
        chances: Floats = 0.5 * (1.0 + np.tanh(0.5 * log_odds))
        return chances

    def text(self) -> str:
        """The model as JSON."""
        numbers = {name: getattr(self, name).tolist() for name in ("means", "scales", "coefficients")}
        return json.dumps({**self.vocabulary.to_json(), **numbers, "intercept": self.intercept})

    @classmethod
    def from_text(cls, content: dict[str, Any]) -> "Logistic":
        """The model that the text describes."""
        vocabulary = Vocabulary(content["platforms"], content["behaviours"])
        numbers = {name: np.array(content[name]) for name in ("means", "scales", "coefficients")}
        return cls(vocabulary, **numbers, intercept=content["intercept"])


@dataclass(frozen=True)
class Boosting:
    """Gradient-boosted trees, as LightGBM writes them."""

    vocabulary: Vocabulary
    trees: str

    @cached_property
    def booster(self) -> Any:
        """What LightGBM makes of its own text."""
        return lightgbm().Booster(model_str=self.trees)

    def scores(self, features: Floats) -> Floats:
        """The chance of each person to return."""
        if not len(features):
            return np.empty(0)
        chances: Floats = self.booster.predict(features, num_threads=THREADS)
        return chances

    def text(self) -> str:
        """The model as JSON."""
        return json.dumps({**self.vocabulary.to_json(), "lightgbm": self.trees})

    @classmethod
    def from_text(cls, content: dict[str, Any]) -> "Boosting":
        """The model that the text describes."""
        return cls(Vocabulary(content["platforms"], content["behaviours"]), content["lightgbm"])


BASE_RATE, LOGISTIC, BOOSTING = "base_rate", "logistic", "boosting"
_KINDS: dict[str, type[Logistic] | type[Boosting]] = {LOGISTIC: Logistic, BOOSTING: Boosting}


def model_of(name: str, text: str) -> Model:
    """The model of that name, from its text.

    Args:
        name: logistic or boosting.
        text: as `Model.text` has made it.
    """
    return _KINDS[name].from_text(json.loads(text))


def lightgbm() -> ModuleType:
    """LightGBM, loaded when a model needs it.

    Raises:
        CalbackError: the machine lacks what it is linked with.
    """
    try:
        import lightgbm
    except OSError:
        raise CalbackError(
            "return_model: LightGBM cannot be loaded, because the system's library libgomp.so.1 is missing; install "
            "it: apt-get install libgomp1"
        ) from None
    module: ModuleType = lightgbm
    return module
