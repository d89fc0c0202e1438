"""What is left of an association when other things are held fixed, against published figures and other libraries."""

from types import ModuleType

import numpy as np
import pytest

from calback_assets.analysis.adjustment import Adjustment, Estimate, activity
from calback_assets.analysis.first_weeks import FirstWeeks
from calback_assets_tests.analysis.first_week_rows import first_week_rows

BERKELEY = {
    "A": (512, 313, 89, 19),
    "B": (353, 207, 17, 8),
    "C": (120, 205, 202, 391),
    "D": (138, 279, 131, 244),
    "E": (53, 138, 94, 299),
    "F": (22, 351, 24, 317),
}
"""Men admitted and rejected, women admitted and rejected, by department (Bickel, Hammel and O'Connell, Science 187,
1975; R's UCBAdmissions)."""


def estimate(people: FirstWeeks, behaviour: str) -> Estimate:
    adjustment = Adjustment(people, people.times > 0, "returned")
    return adjustment.estimate(people.behaviours.index(behaviour))


@pytest.fixture(scope="module")
def berkeley() -> FirstWeeks:
    """Applicants as people who came back where they were admitted."""
    cells = [
        (department, is_man, is_admitted, count)
        for department, counts in BERKELEY.items()
        for (is_man, is_admitted), count in zip([(1, 1), (1, 0), (0, 1), (0, 0)], counts, strict=True)
    ]
    repeat = np.array([count for *_, count in cells])
    did = {"man": np.repeat([is_man for _, is_man, *_ in cells], repeat)}
    for department in BERKELEY:
        did[department] = np.repeat([int(cell[0] == department) for cell in cells], repeat)
    admitted = np.repeat([bool(is_admitted) for _, _, is_admitted, _ in cells], repeat)
    return FirstWeeks.read(first_week_rows(did, admitted))


def test_berkeleys_paradox_comes_out_as_published(berkeley: FirstWeeks) -> None:
    # Men's odds by themselves are 1.84 times women's. With the department held fixed R's glm(Admit ~ Gender + Dept) has
    # 0.09987 for women, with an error of 0.08085. One of the six departments says nothing that the others do not, and
    # that changes nothing.
    found = estimate(berkeley, "man")
    assert np.log(found.odds_ratio.value) == pytest.approx(-0.09987, abs=5e-6)
    error = np.log(found.odds_ratio.high / found.odds_ratio.low) / 2 / 1.959964  # robust, so not quite R's
    assert error == pytest.approx(0.0808, abs=1e-3)
    assert found.how == "logistic regression, robust errors"


def test_intervals_are_those_of_a_binomial_model_with_robust_errors(berkeley: FirstWeeks, sm: ModuleType) -> None:
    found = estimate(berkeley, "man")
    did = berkeley.times[:, [berkeley.behaviours.index(name) for name in ("man", "A", "B", "C", "D", "E")]]
    model = sm.GLM(berkeley.outcomes["returned"].astype(float), sm.add_constant(did), family=sm.families.Binomial())
    fit = model.fit(cov_type="HC0")
    # Of a likelihood, statsmodels' HC1 is HC0: there are no degrees of freedom to correct for.
    assert np.log(found.odds_ratio.low) == pytest.approx(fit.params[1] - 1.959964 * fit.bse[1], abs=1e-6)
    assert found.p_value == pytest.approx(fit.pvalues[1], abs=1e-6)


def test_every_number_of_active_days_that_enough_people_reach_has_a_step() -> None:
    rng = np.random.default_rng(1)
    days = np.repeat([1, 2, 3, 4, 5], [400, 300, 200, 100, 10])
    people = FirstWeeks.read(first_week_rows({"search": days > 0}, rng.random(1010) < 0.4, active_days=days))
    # Days, sessions as many, and the steps to 2, 3 and 4; that to 5 has too few, and one of what is left is a
    # combination of others.
    columns = activity(people, "returned")
    assert columns.shape == (1010, 4)
    assert np.linalg.matrix_rank(np.column_stack([np.ones(1010), columns])) == 5


def test_what_only_those_who_return_do_has_a_finite_estimate_and_says_how() -> None:
    did = np.repeat([1, 0], [40, 200])
    returned = np.repeat([True, True, False], [40, 50, 150])
    found = estimate(FirstWeeks.read(first_week_rows({"invite": did}, returned)), "invite")
    # In a single table Firth's estimate is that with half a person more in each cell.
    assert found.odds_ratio.value == pytest.approx(40.5 * 150.5 / (0.5 * 50.5), rel=1e-3)
    assert 10 < found.odds_ratio.low < found.odds_ratio.value < found.odds_ratio.high < np.inf
    assert found.p_value < 1e-6
    assert found.how == "Firth's penalized regression, profile interval (few people)"


def test_outcomes_that_two_behaviours_separate_together_are_estimated_all_the_same() -> None:
    # Neither has an empty cell, yet whoever does one without the other comes back, and the reverse never.
    one, two = np.repeat([1, 1, 0, 0], [60, 40, 40, 60]), np.repeat([1, 0, 1, 0], [60, 40, 40, 60])
    returned = np.concatenate([np.arange(60) % 2 == 0, np.ones(40, bool), np.zeros(40, bool), np.arange(60) % 2 == 0])
    found = estimate(FirstWeeks.read(first_week_rows({"one": one, "two": two}, returned)), "one")
    assert found.how == "Firth's penalized regression, profile interval (outcomes separated)"
    assert 1 < found.odds_ratio.low < found.odds_ratio.value < np.inf


@pytest.fixture(scope="module")
def nested() -> FirstWeeks:
    """`with_others` is a part of `created`, and `twin` is `other` but for a few."""
    rng = np.random.default_rng(2)
    created = rng.random(3000) < 0.4
    other = rng.random(3000) < 0.3
    did = {
        "created": created,
        "with_others": created & (rng.random(3000) < 0.5),
        "other": other,
        "twin": other ^ (np.arange(3000) < 30),
        "always": np.arange(3000) > 25,
    }
    return FirstWeeks.read(first_week_rows(did, rng.random(3000) < 0.2 + 0.2 * did["with_others"]))


@pytest.mark.parametrize(
    ("behaviour", "left_out"),
    [("created", "with_others"), ("with_others", "created"), ("other", "twin"), ("twin", "other"), ("always", "")],
)
def test_a_part_the_whole_and_the_same_in_other_words_are_not_held_fixed(
    nested: FirstWeeks, behaviour: str, left_out: str
) -> None:
    note = f"; not held fixed: {left_out}" if left_out else ""
    assert estimate(nested, behaviour).how == f"logistic regression, robust errors{note}"


def test_a_combination_of_others_cannot_be_told_from_them() -> None:
    rng = np.random.default_rng(4)
    one, two = (rng.random(2000) < 0.3 for _ in range(2))
    did = {"one": one, "two": two & ~one, "neither": ~one & ~two}
    people = FirstWeeks.read(first_week_rows(did, rng.random(2000) < 0.3))
    found = estimate(people, "neither")
    assert np.isnan(found.odds_ratio.value)
    assert found.how == "none: what else they did in the first week tells it already"


def test_too_few_outcomes_for_so_many_terms_are_said() -> None:
    rng = np.random.default_rng(6)
    did = {name: rng.random(400) < 0.5 for name in "abcdefgh"}
    returned = np.zeros(400, dtype=bool)
    returned[rng.choice(400, 14, replace=False)] = True
    found = estimate(FirstWeeks.read(first_week_rows(did, returned)), "a")
    assert np.isnan(found.p_value)
    assert found.how.startswith("none: 14 people with the rarer outcome are too few for ")
