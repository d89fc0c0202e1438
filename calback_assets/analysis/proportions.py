"""Shares of people, and how sure they are.

Intervals of a single proportion belong here; comparisons of two stand with the tables that hold them.
"""

from statistics import NormalDist

import numpy as np

from calback_assets.analysis.arrays import Floats, Ints

Z = NormalDist().inv_cdf(0.975)
"""Standard errors on either side of an estimate within its 95 % interval."""


def wilson(successes: Ints, trials: Ints) -> tuple[Floats, Floats, Floats]:
    """Shares, and the ends of their 95 % intervals by Wilson's score method; NaN where there was no trial."""
    # Written out: a library that has it takes more time to import than the rest of a small run.
    some = np.where(trials > 0, trials, np.nan)
    return successes / some, _low(successes, some), 1 - _low(trials - successes, some)


def _low(successes: Ints, trials: Floats) -> Floats:
    shares, spread = successes / trials, Z / (2 * trials)
    distance = np.sqrt(shares * (1 - shares) / trials + spread**2)
    low: Floats = (shares + Z * (spread - distance)) / (1 + Z**2 / trials)
    return low
