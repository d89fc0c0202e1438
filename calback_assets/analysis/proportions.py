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
    # Half a second to import, which what computes nothing need not pay.
    from statsmodels.stats.proportion import proportion_confint

    shares, low, high = (np.full(len(trials), np.nan) for _ in range(3))
    some = trials > 0
    shares[some] = successes[some] / trials[some]
    # With no trial at all, statsmodels takes the empty array for a number.
    if some.any():
        low[some], high[some] = proportion_confint(successes[some], trials[some], method="wilson")
    return shares, low, high
