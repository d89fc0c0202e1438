"""What a language must be able to say; `english` and `korean` say it.

The sentences' contract belongs here, and figures as every language writes them. A sentence takes findings and decides
nothing but its words. It may hold marked names (`marked`).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import isnan

from calback_assets.report.findings import FEWEST, Estimate, Experiment, Findings, FirstWeek, Frequent, Judged, Lift

NONE = "–"


@dataclass(frozen=True)
class Labels:
    """Headings, captions and column names, which say the same whatever was found."""

    title: str
    question: str
    answer: str
    confounds: str
    next_step: str
    frequent: str
    first_week: str
    prediction: str
    returning: str
    definitions: Sequence[tuple[str, str]]
    definitions_heading: str
    limits: Sequence[str]
    limits_heading: str
    model_card: str
    as_table: str
    under_ten: str
    unfinished: str
    too_few: str
    yes: str
    no: str

    behaviour: str
    frequent_people: str
    other_people: str
    per_active_day: str
    rate_ratio: str
    did_it: str
    people: str
    share_back: str
    share_back_others: str
    odds_alone: str
    odds_adjusted: str
    found: str
    could_be_seen: str
    e_value: str
    month: str
    cohort: str
    cohort_week: str
    week: str
    joined: str
    decile: str
    chance: str
    came_back: str
    lift: str
    model: str
    promoted: str
    base_rate: str
    auc: str
    average_precision: str
    brier: str
    slope: str
    version: str
    feature: str
    auc_lost: str
    group: str
    mean_chance: str
    measure: str
    measures: dict[str, str]
    days_after: str
    eligible: str
    share: str
    share_of: str
    new: str
    returned: str
    resurrected: str
    dormant: str
    per_day: str
    active_days: str
    newest: str
    month_earlier: str
    perfect: str

    retention_title: str
    retention_text: str
    pooled_title: str
    lifecycle_title: str
    lifecycle_text: str
    power_title: str
    power_text: str
    rates_title: str
    rates_text: str
    forest_title: str
    forest_text: str
    months_title: str
    months_text: str
    calibration_title: str
    calibration_text: str
    deciles_title: str
    importance_title: str
    groups_title: str
    groups_text: str
    models_title: str


class Words(ABC):
    """A language."""

    code: str
    """As HTML's `lang` has it."""
    labels: Labels
    to: str
    """What stands between the ends of an interval."""
    opening = " ("
    """What stands before an interval."""

    # Figures ------------------------------------------------------------------------------------------------------

    def count(self, number: int) -> str:
        """A count of people, or that it is too small to be shown."""
        return self.labels.under_ten if number < FEWEST else f"{number:,}"

    def share(self, share: float) -> str:
        """A share in per cent."""
        return NONE if isnan(share) else f"{share:.1%}" if share < 0.1 else f"{share:.0%}"

    def number(self, number: float) -> str:
        """A figure with three digits that count."""
        return NONE if isnan(number) else f"{number:.2f}" if abs(number) < 10 else f"{number:,.0f}"

    def interval(self, estimate: Estimate) -> str:
        """The ends of an interval."""
        return f"{self.number(estimate.low)}{self.to}{self.number(estimate.high)}"

    def estimate(self, estimate: Estimate) -> str:
        """A figure with its interval."""
        return f"{self.number(estimate.value)}{self.opening}{self.interval(estimate)})" if estimate.is_known else NONE

    def share_estimate(self, estimate: Estimate) -> str:
        """A share with its interval."""
        ends = f"{self.share(estimate.low)}{self.to}{self.share(estimate.high)}"
        return f"{self.share(estimate.value)}{self.opening}{ends})" if estimate.is_known else NONE

    def fine_estimate(self, estimate: Estimate) -> str:
        """A figure of which the third place counts, with its interval."""
        ends = f"{estimate.low:.3f}{self.to}{estimate.high:.3f}"
        return f"{estimate.value:.3f}{self.opening}{ends})" if estimate.is_known else NONE

    @abstractmethod
    def day(self, day: date) -> str:
        """A date in full."""

    @abstractmethod
    def short_day(self, day: date) -> str:
        """A date beside a picture."""

    # Names --------------------------------------------------------------------------------------------------------

    @abstractmethod
    def behaviour(self, name: str, at_least: int = 1) -> str:
        """What people have done."""

    @abstractmethod
    def model(self, name: str) -> str:
        """What a model is called."""

    @abstractmethod
    def group(self, name: str) -> str:
        """What a group of people is called."""

    # Sentences ----------------------------------------------------------------------------------------------------

    def answer(self, findings: Findings) -> tuple[str, str, str]:
        """The three main sentences."""
        return (
            self.frequent(findings.frequent),
            self.first_week(findings.first_week),
            self.prediction(findings.best),
        )

    @abstractmethod
    def range_of(self, findings: Findings) -> str:
        """Which days the report is about."""

    @abstractmethod
    def frequent(self, found: Frequent | None) -> str:
        """What the people who keep coming back do."""

    @abstractmethod
    def presence(self, found: Frequent) -> str:
        """What more of them have done only because they were there more often."""

    @abstractmethod
    def first_week(self, found: FirstWeek | None) -> str:
        """What in the first week goes together with coming back."""

    @abstractmethod
    def prediction(self, best: Judged | None) -> str:
        """Whether the first days can tell who returns."""

    @abstractmethod
    def confounded(self, lift: Lift) -> str:
        """That a behaviour only seems to go with coming back."""

    @abstractmethod
    def confounding(self) -> str:
        """What the behaviours that only seem to go with coming back have in common."""

    @abstractmethod
    def unseen(self, lifts: Sequence[Lift]) -> str:
        """How strong something unseen would have to be to explain associations away."""

    @abstractmethod
    def not_cause(self) -> str:
        """That an association is no cause."""

    @abstractmethod
    def experiment(self, found: Experiment | None) -> str:
        """What to try next."""

    @abstractmethod
    def model_card(self, best: Judged) -> Sequence[str]:
        """Whom the model knows, whom it was judged on, and what follows from that."""

    @abstractmethod
    def too_little(self) -> str:
        """In the place of a picture for which there is no data yet."""

    @abstractmethod
    def span(self, first: date | None, last: date | None) -> str:
        """From a day to a day."""
