"""What does it take to learn who returns from 100,000 first weeks, and to score as many?

The people are the sample's, made straight from its arrays over 400 days: twice as many sign up as are learned from,
held back or in between. Nothing of it has a peer; the bounds are a minute and a gigabyte.
"""

from pathlib import Path

import pyarrow as pa

from benchmarks.harness import Scale, Work, in_child, in_turns
from benchmarks.table import Row
from calback_assets.analysis.propensity import scored
from calback_assets.analysis.return_model import learned
from calback_assets_tests.analysis.people import first_weeks

_DAYS = 400
_BOUND_SECONDS, _BOUND_MEGABYTES = 60, 1_000


def answer(work: Path, scale: Scale) -> list[Row]:
    """As many first weeks as there are users, at full size a hundred thousand."""
    people = scale.users
    costs = in_turns(
        work,
        scale.runs,
        {"fit": in_child(fit, lambda _: None, people=people), "score": in_child(score, lambda _: None, people=people)},
    )
    learning, scoring = f"learning of {people:,} first weeks", f"scoring of {people:,} first weeks"
    return [
        Row("k", learning, "s", costs["fit"].seconds, _BOUND_SECONDS, "the bound", 1),
        Row("k", f"{learning}, peak memory", "MB", costs["fit"].megabytes, _BOUND_MEGABYTES, "the bound", 1),
        Row("k", scoring, "s", costs["score"].seconds, _BOUND_SECONDS, "the bound", 1),
        Row("k", f"{scoring}, peak memory", "MB", costs["score"].megabytes, _BOUND_MEGABYTES, "the bound", 1),
    ]


def fit(people: int, folder: str) -> Work:
    """All that `return_model` does between its query and its rows."""
    del folder
    rows = _people(people)

    def work() -> None:
        assert len(learned(rows)) == 3

    return work


def score(people: int, folder: str) -> Work:
    """All that `return_propensity` does with its inputs."""
    del folder
    rows = _people(people)
    models = learned(rows.slice(0, 20_000))

    def work() -> None:
        assert scored(rows, models)["propensity"].null_count == 0

    return work


def _people(people: int) -> pa.Table:
    """So many first weeks with their outcomes."""
    made = first_weeks(seed=7, users=2 * people, days=_DAYS)
    assert len(made) >= people
    return made.slice(0, people)
