"""Two groups and a yes or no: how much more often one says yes, how sure that is, and what could have been seen.

One two-by-two table at a time belongs here; which tables are made, and what is held fixed, does not.
"""

from dataclasses import dataclass
from math import asin, isnan, nan, pi, sin, sqrt
from statistics import NormalDist
from typing import NamedTuple

COMMON_OUTCOME = 0.15
"""From this share on an outcome is common, and an odds ratio exaggerates the risk ratio (VanderWeele and Ding)."""

_MIN_EXPECTED = 5
_LEVEL = 0.05
_POWER = 0.8


class Ratio(NamedTuple):
    """A ratio and its 95 % interval; NaN where it cannot be told."""

    value: float
    low: float
    high: float


UNKNOWN = Ratio(nan, nan, nan)


@dataclass(frozen=True)
class TwoByTwo:
    """People who did something and the others, and how many of each came back."""

    did: int
    did_came_back: int
    others: int
    others_came_back: int

    @property
    def cells(self) -> tuple[int, int, int, int]:
        """Came back and did not, of those who did; then of the others."""
        gone, others_gone = self.did - self.did_came_back, self.others - self.others_came_back
        return self.did_came_back, gone, self.others_came_back, others_gone

    @property
    def came_back(self) -> int:
        """How many came back in all."""
        return self.did_came_back + self.others_came_back

    @property
    def people(self) -> int:
        """Everybody."""
        return self.did + self.others

    def relative_risk(self) -> Ratio:
        """The ratio of the shares, with Katz's interval; unknown where a cell is empty."""
        if not all(self.cells):
            return UNKNOWN
        from scipy.stats.contingency import relative_risk

        found = relative_risk(self.did_came_back, self.did, self.others_came_back, self.others)
        return Ratio(found.relative_risk, *found.confidence_interval())

    def odds_ratio(self) -> Ratio:
        """The ratio of the odds, with Woolf's interval; unknown where a cell is empty."""
        if not all(self.cells):
            return UNKNOWN
        from scipy.stats.contingency import odds_ratio

        found = odds_ratio([self.cells[:2], self.cells[2:]], kind="sample")
        return Ratio(found.statistic, *found.confidence_interval())

    def p_value(self) -> float:
        """Of no association: Fisher's exact where an expected count is under 5, else chi-square without correction.

        A margin must not be empty.
        """
        from scipy.stats import chi2_contingency, fisher_exact
        from scipy.stats.contingency import expected_freq

        table = [self.cells[:2], self.cells[2:]]
        if expected_freq(table).min() < _MIN_EXPECTED:
            return float(fisher_exact(table).pvalue)
        return float(chi2_contingency(table, correction=False).pvalue)

    def detectable_odds_ratio(self) -> float:
        """The smallest odds ratio above 1 that a test at 5 % would see with a chance of 80 %.

        By Cohen's h, the difference of arcsines of the shares' roots, which has the same error whatever the shares
        (Cohen, Statistical Power Analysis, chapter 6). NaN where nobody or everybody of the others came back, or where
        even a certain return would not be seen.
        """
        if not self.did or not 0 < self.others_came_back < self.others:
            return nan
        normal = NormalDist()
        effect = (normal.inv_cdf(1 - _LEVEL / 2) + normal.inv_cdf(_POWER)) * sqrt(1 / self.did + 1 / self.others)
        share = self.others_came_back / self.others
        angle = asin(sqrt(share)) + effect / 2
        if angle >= pi / 2:
            return nan
        seen = sin(angle) ** 2
        return seen / (1 - seen) / (share / (1 - share))


def e_values(odds: Ratio, outcome_share: float) -> tuple[float, float]:
    """E-values of an odds ratio, and of the end of its interval nearer to 1, which is 1 if the interval holds 1.

    How strong something unseen would have to be, as a risk ratio both with the behaviour and with the outcome, to
    explain the association away (VanderWeele and Ding, Annals of Internal Medicine 167, 2017). Where the outcome is
    common, the root of an odds ratio stands for the risk ratio.
    """
    value, low, high = (sqrt(ratio) if outcome_share > COMMON_OUTCOME else ratio for ratio in odds)
    if isnan(value):
        return nan, nan
    nearer = low if value >= 1 else high
    holds_one = low <= 1 <= high
    return e_value(value), 1.0 if holds_one else e_value(nearer)


def e_value(risk_ratio: float) -> float:
    """The E-value of a risk ratio, on either side of 1."""
    away = risk_ratio if risk_ratio >= 1 else 1 / risk_ratio
    return away + sqrt(away * (away - 1))
