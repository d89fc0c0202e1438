"""The report in English: its labels and its sentences."""

from collections.abc import Sequence
from datetime import date

from calback_assets.report.behaviours import KNOWN
from calback_assets.report.findings import FEWEST, Experiment, Findings, FirstWeek, Frequent, Judged, Lift, Rate
from calback_assets.report.marked import marked
from calback_assets.report.words import NONE, Labels, Words

_MOST = 3
"""So many behaviours in a sentence; the table has all."""

LABELS = Labels(
    title="Who keeps coming back to Calback, and who will",
    question="The hypothesis: what people do who visit often shows what the app is worth, and what a new person does "
    "at "
    "first tells whether they will return.",
    answer="The answer",
    confounds="What this does not show",
    next_step="What to try next",
    frequent="What the people who keep coming back do",
    first_week="What in the first week goes together with coming back",
    prediction="Whether the first week tells who returns",
    returning="How many come back",
    definitions_heading="Definitions",
    definitions=(
        ("Active day", "A day, in the time zone of the data, on which a person did at least one thing in the app."),
        (
            "People who keep coming back",
            "Active on at least three of the 30 days that end with the last day, unless the settings say otherwise.",
        ),
        ("First week", "Days 1–7 of a person, of which day 1 is the day they joined."),
        ("Came back", "Active on at least one of days 8–37. Nobody is counted who has not had all of these days."),
        (
            "Odds ratio",
            "By how much the odds of coming back (those who do for each who does not) are multiplied among "
            "people who did something. 1 is no difference.",
        ),
        (
            "With activity held fixed",
            "Among people with as many active days and sessions in the first week, who are "
            "alike in the other behaviours.",
        ),
        (
            "95% interval",
            "If all of this were done again and again with other people, 95 of 100 such intervals would "
            "hold the true figure.",
        ),
        (
            "Found",
            "Done by enough people and not by enough others, and still there with activity held fixed and after "
            "correction for the number of behaviours that were tried (Benjamini–Hochberg, 5%).",
        ),
        (
            "AUC",
            "Of a person who came back and one who did not, how often the first was given the higher chance; 0.5 "
            "is a coin toss, 1 is always.",
        ),
    ),
    limits_heading="Data and limits",
    limits=(
        "Figures may still change for the last three days: Google Analytics rewrites a day for up to three days.",
        "People who joined before the data begins are in no cohort: their first week was not seen.",
        "Weeks that are not over for everybody of a cohort are marked as unfinished, and are no fall.",
        "No count of fewer than ten people is shown, nor a share that would tell it.",
        "These are people of this app and of this time; others may be different.",
    ),
    model_card="Model card",
    as_table="The figures as a table",
    under_ten="under 10",
    unfinished="not over yet",
    too_few="too few",
    yes="yes",
    no="no",
    behaviour="Behaviour",
    frequent_people="Those who keep coming back",
    other_people="Others",
    per_active_day="times per active day",
    rate_ratio="Ratio per active day (95% interval)",
    did_it="Did it",
    people="People",
    share_back="Of those who did it came back",
    share_back_others="Of the others came back",
    odds_alone="Odds ratio by itself (95% interval)",
    odds_adjusted="With activity held fixed (95% interval)",
    found="Found",
    could_be_seen="Smallest that could be seen",
    e_value="E-value (of the interval)",
    month="Joined in",
    cohort="Joined in the week of",
    cohort_week="Week of",
    week="Weeks since",
    joined="Joined",
    decile="Tenth, the lowest chance first",
    chance="Mean chance given",
    came_back="Came back",
    lift="Against the average (95% interval)",
    model="Model",
    promoted="In use",
    base_rate="Came back in all",
    auc="AUC (95% interval)",
    average_precision="Average precision (95% interval)",
    brier="Brier score (95% interval)",
    slope="Calibration slope (1 is right)",
    version="Version",
    feature="Of the first week",
    auc_lost="AUC lost without it",
    group="Group",
    mean_chance="Mean chance given",
    measure="Measure",
    measures={
        "day": "on that very day",
        "bracket": "after the period before, up to that day",
        "unbounded": "on that day or later",
    },
    days_after="Days after joining",
    eligible="Have had the chance",
    share="Share (95% interval)",
    share_of="Share that came back",
    new="New",
    returned="Returning",
    resurrected="Back after a long pause",
    dormant="Gone dormant",
    per_day="people per day, mean of the week",
    active_days="Active days of 30",
    newest="The last 30 days",
    month_earlier="The 30 days before",
    perfect="chance given = share that came back",
    retention_title="How many of each week’s new people come back, by weeks since they joined",
    retention_text="A row is a week of joining, a column a week since. The darker, the more came back. Hatched cells "
    "are "
    "not over yet for everybody, and say nothing.",
    pooled_title="How many come back 1, 3, 7, 14 and 30 days after joining, all weeks together",
    lifecycle_title="Where active people come from, and how many go",
    lifecycle_text="Active people of a day, mean of each full week: new, returning within 30 days, and back after "
    "longer. Below the line: those who have now been away for 30 days.",
    power_title="On how many of 30 days people are active",
    power_text="The share of active people by the number of their active days: the last 30 days beside the 30 before.",
    rates_title="What people who keep coming back do more, or less, for each day they are there",
    rates_text="The ratio of times per active day between those who keep coming back and the others. Right of the line "
    "they do more; a bar is a 95% interval.",
    forest_title="What in the first week goes together with coming back",
    forest_text="Odds ratios with 95% intervals. Strong: with activity and the other behaviours held fixed; filled "
    "where "
    "found. Faint: by itself. What is strong alone and gone when held fixed is a sign of activity, not of return.",
    months_title="Does it hold from month to month?",
    months_text="The odds ratio with activity held fixed, by month of joining.",
    calibration_title="Do the chances that were given come true?",
    calibration_text="The judged people in ten parts by the chance they were given. On the line, as many came back as "
    "was said.",
    deciles_title="The judged people in ten parts",
    importance_title="What the model reads most from",
    groups_title="Whom it serves worst",
    groups_text="Groups of the judged for whom the chance given was furthest from what came true.",
    models_title="How good the models were on people they had learned nothing of",
)


class English(Words):
    """British English, plain."""

    code = "en"
    labels = LABELS
    to = " to "

    def day(self, day: date) -> str:
        """29 April 2024."""
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"

    def short_day(self, day: date) -> str:
        """29 Apr."""
        return f"{day.day} {_MONTHS[day.month - 1][:3]}"

    def span(self, first: date | None, last: date | None) -> str:
        """From a day to a day."""
        return f"{self.day(first)} to {self.day(last)}" if first and last else NONE

    def behaviour(self, name: str, at_least: int = 1) -> str:
        """What people have done."""
        did = KNOWN[name].did if name in KNOWN else marked(name)
        return did if at_least == 1 else f"{did}, {at_least} times or more"

    def model(self, name: str) -> str:
        """What a model is called."""
        return _MODELS.get(name) or marked(name)

    def group(self, name: str) -> str:
        """What a group of people is called."""
        if name.startswith(_GROUPS):
            return name
        kind, _, platform = name.partition("platform ")
        return marked(name) if kind else f"platform {marked(platform)}"

    def range_of(self, findings: Findings) -> str:
        """Which days the report is about."""
        if findings.as_of is None:
            return "There is no data yet."
        since = f", joined since the week of {self.day(findings.first_cohort)}" if findings.first_cohort else ""
        return f"As of {self.day(findings.as_of)}{since}."

    def frequent(self, found: Frequent | None) -> str:
        """What the people who keep coming back do."""
        if found is None:
            return "There is not enough data yet to say what the people do who keep coming back."
        who = f"{self.count(found.frequent_users)} people keep coming back"
        if not found.more and not found.less:
            seen = found.smallest_seen
            limit = f" (a ratio of {self.number(seen)} or more would probably have been seen)" if seen else ""
            return (
                f"{who}, and we cannot tell that they do anything else than others: for each day they are there, no "
                f"behaviour differs clearly{limit}."
            )
        if not found.more:
            return (
                f"{who}; for each day they are there they do nothing clearly more often than others, and less often: "
                f"{self._rates(found.less)}."
            )
        return f"{who}; for each day they are there they did more often than others: {self._rates(found.more)}."

    def presence(self, found: Frequent) -> str:
        """What more of them have done only because they were there more often."""
        rates = "; ".join(
            f"{self.behaviour(rate.behaviour)} ({self.share(rate.frequent_share)} against "
            f"{self.share(rate.other_share)})"
            for rate in found.more_people_only[:_MOST]
        )
        return (
            f"More of them than of others have done this in the 30 days, but not more often for each day they were "
            f"there, so it may come of being there more: {rates}."
        )

    def first_week(self, found: FirstWeek | None) -> str:
        """What in the first week goes together with coming back."""
        if found is None:
            return "There is not enough data yet to say what in the first week goes together with coming back."
        who = f"Of {self.count(found.people)} new people {self.share(found.share)} came back"
        if not found.helpful and not found.harmful:
            seen = found.detectable
            limit = (
                f"; an odds ratio of {self.number(seen[0])} would probably have been seen for what is easiest to see, "
                f"of {self.number(seen[1])} for what is hardest"
                if seen
                else ""
            )
            return (
                f"{who}, and we cannot tell that anything they did in their first week goes together with it: of "
                f"{len(found.tested) or 'no'} behaviours none is left once activity is held fixed{limit}."
            )
        parts = []
        if found.helpful:
            parts.append(f"more of those who {self._lifts(found.helpful)}")
        if found.harmful:
            parts.append(f"fewer of those who {self._lifts(found.harmful)}")
        return f"{who}, and, among people who were equally active in their first week, {'; and '.join(parts)}."

    def prediction(self, best: Judged | None) -> str:
        """Whether the first days can tell who returns."""
        if best is None:
            return "There is not enough data yet to say whether the first week tells who returns."
        cases = (
            f"of a person who came back and one who did not, the model gives the first the higher chance in "
            f"{best.auc.value:.0%} of cases (95% interval {best.auc.low:.0%} to {best.auc.high:.0%}; a coin toss is "
            f"50%)"
        )
        if not best.tells:
            return (
                f"We cannot tell from the first week who returns: {cases}; {best.smallest_seen:.0%} or more would "
                f"probably have been seen. {self._in_use(best)}"
            )
        return (
            f"The first week {_HOW_WELL[min(3, max(0, int(best.auc.value * 10 - 5)))]}: {cases}, where "
            f"{self.share(best.base_rate)} of all came back. {self._in_use(best)}"
        )

    def confounded(self, lift: Lift) -> str:
        """That a behaviour only seems to go with coming back."""
        return (
            f"{self.behaviour(lift.behaviour, lift.at_least)}: odds ratio {self.estimate(lift.alone)} by itself, "
            f"{self.estimate(lift.adjusted)} with activity and the other behaviours held fixed"
        )

    def confounding(self) -> str:
        """What the behaviours that only seem to go with coming back have in common."""
        return (
            "These only look as if they mattered: people who are there more often, or do more of everything, do them "
            "more often, and come back more often anyway."
        )

    def unseen(self, lifts: Sequence[Lift]) -> str:
        """How strong something unseen would have to be to explain associations away."""
        strengths = "; ".join(
            f"{self.behaviour(lift.behaviour, lift.at_least)}, {self.number(lift.e_value)} times (for the cautious end "
            f"of its interval {self.number(lift.e_value_limit)} times)"
            for lift in lifts[:_MOST]
        )
        return (
            "To explain one of these away, something that the data does not show would have to make both it and coming "
            f"back so many times as likely (E-value): {strengths}."
        )

    def not_cause(self) -> str:
        """That an association is no cause."""
        return (
            "All of this is association and not cause: people who mean to stay may do these things because they mean "
            "to "
            "stay. Only an experiment can tell."
        )

    def experiment(self, found: Experiment | None) -> str:
        """What to try next."""
        if found is None:
            return (
                "Nothing was found that an experiment could start from. Let more people have their full 37 days, and "
                "look again."
            )
        phrase = KNOWN[found.lift.behaviour].to_do if found.lift.behaviour in KNOWN else marked(found.lift.behaviour)
        weeks = f", about {found.weeks} weeks of new people" if found.weeks >= FEWEST else ""
        return (
            f"Help half of the new people, drawn by lot, to {phrase} in their first week, and compare how many come "
            f"back. If the association were all cause and {found.more_do_it * 100:.0f} more in every hundred did it, "
            f"the share would "
            f"rise from {found.base:.1%} to {found.target:.1%}; to see that with a chance of 80% takes "
            f"{self.count(found.per_group)} people in each half{weeks}."
        )

    def model_card(self, best: Judged) -> Sequence[str]:
        """Whom the model knows, whom it was judged on, and what follows from that."""
        return [
            f"The {self.model(best.name)} learned from {self.count(best.learned_people)} people who joined "
            f"{self.span(best.learned_from, best.learned_to)}, and was judged on {self.count(best.judged_people)} who "
            f"joined {self.span(best.judged_from, best.judged_to)}; of these it had learned nothing, and "
            f"{self.share(best.base_rate)} came back.",
            "It reads days 1–7 of a person and nothing later. Its chances say who is likely to return, not what would "
            "make them return; they are for planning, and not for decisions about a single person.",
        ]

    def too_little(self) -> str:
        """In the place of a picture for which there is no data yet."""
        return "There is not enough data yet."

    def _rates(self, rates: Sequence[Rate]) -> str:
        return "; ".join(
            f"{self.behaviour(rate.behaviour)}, {self.number(rate.ratio.value)} times as often (95% interval "
            f"{self.interval(rate.ratio)})"
            for rate in rates[:_MOST]
        )

    def _lifts(self, lifts: Sequence[Lift]) -> str:
        return "; ".join(
            f"{self.behaviour(lift.behaviour, lift.at_least)} (odds {self.number(lift.adjusted.value)} times as high, "
            f"95% interval {self.interval(lift.adjusted)}; {self.count(lift.did)} people)"
            for lift in lifts[:_MOST]
        )

    def _in_use(self, best: Judged) -> str:
        return (
            "The model is in use." if best.is_promoted else "The model is not in use, because it did not prove better."
        )


_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_GROUPS = ("active days: ", "joined ")
"""How the beginnings of the model's groups are said that hold no name of a stranger's."""
_HOW_WELL = (
    "hardly tells who returns",
    "tells a little of who returns",
    "tells fairly well who returns",
    "tells well who returns",
)
_MODELS = {
    "base_rate": "the same chance for everybody",
    "logistic": "logistic regression",
    "boosting": "gradient boosting",
}
