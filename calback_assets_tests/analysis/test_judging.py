"""How good chances were: small cases by hand, and scikit-learn, which knows the same figures in another way."""

import numpy as np
import pytest

from calback_assets.analysis import judging
from calback_assets.analysis.judging import Ranking

SCORES = np.array([0.1, 0.4, 0.4, 0.8])
CAME = np.array([False, False, True, True])


def crowd(people: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Chances in steps of a twentieth, so that many are the same, and outcomes drawn by them."""
    rng = np.random.default_rng(3)
    scores = rng.integers(1, 20, people) / 20
    return scores, rng.random(people) < scores


def test_the_figures_of_four_people() -> None:
    # Of the four pairs, three are won and one is a tie; the precision is 1 at the highest score and 2/3 at the next.
    ranking = Ranking(SCORES, CAME)
    assert judging.value(ranking.auc, 4) == pytest.approx(3.5 / 4)
    assert judging.value(ranking.average_precision, 4) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    errors = judging.squared_error(SCORES, CAME)
    assert judging.value(judging.mean_of(errors), 4) == pytest.approx((0.01 + 0.16 + 0.36 + 0.04) / 4)


def test_a_weight_is_how_often_a_person_counts() -> None:
    scores, came = crowd(50)
    weights = np.random.default_rng(4).integers(0, 4, 50)
    repeated = np.repeat(np.arange(50), weights)
    ranking, alone = Ranking(scores, came), Ranking(scores[repeated], came[repeated])
    for figure, same in ((ranking.auc, alone.auc), (ranking.average_precision, alone.average_precision)):
        assert figure(weights[None, :].astype(float))[0] == pytest.approx(judging.value(same, len(repeated)))


def test_the_figures_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score  # Slow to import.

    scores, came = crowd()
    found = judging.figures(scores, came)
    assert found["auc"] == pytest.approx(roc_auc_score(came, scores))
    assert found["pr_auc"] == pytest.approx(average_precision_score(came, scores))
    assert found["brier"] == pytest.approx(brier_score_loss(came, scores))
    assert judging.log_loss(scores, came).mean() == pytest.approx(log_loss(came, scores))


def test_an_interval_holds_the_figure_and_is_as_wide_as_theory_has_it() -> None:
    scores, came = crowd(2_000)
    low, high = judging.interval(judging.mean_of(came.astype(float)), 2_000)
    share = came.mean()
    half = 1.96 * np.sqrt(share * (1 - share) / 2_000)
    assert (low, high) == (pytest.approx(share - half, abs=0.004), pytest.approx(share + half, abs=0.004))
    found = judging.figures(scores, came)
    # Hanley and McNeil's standard error of an AUC, which takes the scores to be of one kind.
    auc, positive, negative = found["auc"], came.sum(), (~came).sum()
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    error = np.sqrt(
        (auc * (1 - auc) + (positive - 1) * (q1 - auc**2) + (negative - 1) * (q2 - auc**2)) / (positive * negative)
    )
    assert found["auc_high"] - found["auc_low"] == pytest.approx(2 * 1.96 * error, rel=0.2)
    assert judging.figures(scores, came) == found


def test_somebody_certain_who_is_wrong_costs_much_and_not_everything() -> None:
    assert judging.log_loss(np.array([0.0, 1.0]), np.array([True, False])) == pytest.approx([27.63, 27.63], abs=0.01)


def test_chances_that_are_right_have_a_slope_of_one_and_bold_ones_a_lower() -> None:
    scores, came = crowd(20_000)
    log_odds = np.log(scores / (1 - scores))
    assert judging.calibration_slope(scores, came) == pytest.approx(1, abs=0.05)
    assert judging.calibration_slope(1 / (1 + np.exp(-2 * log_odds)), came) == pytest.approx(0.5, abs=0.03)
    assert judging.calibration_slope(np.full(10, 0.3), came[:10]) is None


def test_the_tenths_are_the_people_by_score() -> None:
    scores = np.arange(25) / 25
    came = np.arange(25) >= 20
    parts = judging.deciles(scores, came)
    assert [part["people"] for part in parts] == [2, 3, 2, 3, 2, 3, 2, 3, 2, 3]
    assert [part["came_back"] for part in parts] == [0] * 8 + [2, 3]
    assert [part["lift"] for part in parts] == [0] * 8 + [5, 5]
    assert parts[9]["mean_score"] == pytest.approx((22 + 23 + 24) / 75)
    assert parts[9]["lift_low"] < 5 < parts[9]["lift_high"]


def test_groups_of_fifty_are_told_the_worst_calibrated_first() -> None:
    scores = np.full(150, 0.5)
    came = np.arange(150) % 2 == 0
    came[:60] = True
    groups = {"few": np.arange(150) >= 101, "off": np.arange(150) < 60, "right": np.arange(150) >= 60}
    found = judging.worst_served(scores, came, groups)
    assert [(row["group_name"], row["people"], row["base_rate"], row["auc"]) for row in found] == [
        ("off", 60, 1.0, None),
        ("right", 90, 0.5, 0.5),
    ]
