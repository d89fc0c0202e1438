"""Whether people are still as those were whom a model learned from.

How a distribution is kept and compared belongs here; which people are looked at stands in the check.
"""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from calback_assets.analysis.arrays import Floats

PARTS = 10
_LEAST_SHARE = 1e-4
"""Stands for a share of nothing, whose logarithm there is none of."""

PROPENSITY = "propensity"
"""The name under which a model's own score stands among its features."""


class Bins(TypedDict):
    """How a feature is distributed: shares of people up to each edge, and above the last."""

    feature: str
    edges: list[float]
    shares: list[float]


def bins_of(feature: str, values: Floats) -> Bins:
    """About ten parts of equal size; fewer where many people have the same value."""
    quantiles = np.quantile(values, np.arange(1, PARTS) / PARTS, method="inverted_cdf")
    edges = np.unique(quantiles[quantiles < values.max()]).tolist()
    return {"feature": feature, "edges": edges, "shares": shares_of(values, edges).tolist()}


def shares_of(values: Floats, edges: Sequence[float]) -> Floats:
    """The share of the values up to each edge and above the one before; the last is of those above all."""
    parts = np.searchsorted(np.asarray(edges, dtype=float), values, side="left")
    shares: Floats = np.bincount(parts, minlength=len(edges) + 1) / len(values)
    return shares


def stability_index(values: Floats, edges: Sequence[float], shares: Sequence[float]) -> float:
    """The population stability index of these values against a distribution that was kept; 0 where they are alike."""
    now = np.maximum(shares_of(values, edges), _LEAST_SHARE)
    then = np.maximum(np.asarray(shares, dtype=float), _LEAST_SHARE)
    return float(((now - then) * np.log(now / then)).sum())
