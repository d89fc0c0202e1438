"""Two-by-two tables against textbooks, and against libraries used in another way than in the code."""

import math
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calback_assets.analysis.association import Ratio, TwoByTwo, e_value, e_values

ASPIRIN = TwoByTwo(did=11_034, did_came_back=189, others=11_037, others_came_back=104)
"""Physicians' Health Study: heart attacks with placebo, then with aspirin (Agresti, Introduction to Categorical Data
Analysis, 2nd edition, table 2.3)."""

TEA = TwoByTwo(did=4, did_came_back=3, others=4, others_came_back=1)
"""Fisher's lady tasting tea (Agresti, table 2.8)."""


def test_relative_risk_and_odds_ratio_are_those_of_the_textbook() -> None:
    assert ASPIRIN.relative_risk() == pytest.approx((1.82, 1.43, 2.30), abs=0.006)
    assert ASPIRIN.odds_ratio() == pytest.approx((1.83, 1.44, 2.33), abs=0.006)


def test_intervals_are_katzs_and_woolfs(sm: ModuleType) -> None:
    # 400 of 1,000 against 250 of 1,000, by hand: the errors of the logarithms are (1/400 - 1/1000 + 1/250 - 1/1000)^0.5
    # and (1/400 + 1/600 + 1/250 + 1/750)^0.5.
    table = TwoByTwo(did=1000, did_came_back=400, others=1000, others_came_back=250)
    assert table.relative_risk() == pytest.approx((1.6, 1.4029, 1.8248), abs=5e-5)
    assert table.odds_ratio() == pytest.approx((2.0, 1.6522, 2.4210), abs=5e-5)
    other_way = sm.stats.Table2x2(np.array([[400, 600], [250, 750]]))
    assert table.relative_risk()[1:] == pytest.approx(other_way.riskratio_confint())
    assert table.odds_ratio()[1:] == pytest.approx(other_way.oddsratio_confint())


def test_small_tables_are_tested_exactly_and_large_ones_by_chi_square(sm: ModuleType) -> None:
    assert TEA.p_value() == pytest.approx(0.486, abs=5e-4)
    statistic, p_value = sm.stats.proportions_ztest([189, 104], [11_034, 11_037])
    assert statistic**2 == pytest.approx(25.01, abs=0.005)
    assert ASPIRIN.p_value() == pytest.approx(p_value)


def test_an_empty_cell_has_no_ratio_but_a_p() -> None:
    table = TwoByTwo(did=30, did_came_back=30, others=30, others_came_back=10)
    assert all(math.isnan(value) for value in (*table.relative_risk(), *table.odds_ratio()))
    assert table.p_value() < 1e-6


def test_the_detectable_effect_is_that_of_cohens_table(sm: ModuleType) -> None:
    # Cohen, Statistical Power Analysis, 2nd edition, table 6.4.1: h = 0.20 at a2 = 0.05 takes 392 in each group.
    table = TwoByTwo(did=392, did_came_back=0, others=392, others_came_back=100)
    share = 100 / 392
    odds = share / (1 - share) * table.detectable_odds_ratio()
    assert sm.stats.proportion_effectsize(odds / (1 + odds), share) == pytest.approx(0.20, abs=5e-4)


def test_the_detectable_effect_is_seen_four_times_out_of_five(sm: ModuleType) -> None:
    did, others, share = 1500, 8500, 0.3
    table = TwoByTwo(did, 0, others, round(share * others))
    odds = share / (1 - share) * table.detectable_odds_ratio()
    seen = odds / (1 + odds)
    effect = sm.stats.proportion_effectsize(seen, share)
    assert sm.stats.NormalIndPower().power(effect, did, 0.05, ratio=others / did) == pytest.approx(0.8, abs=1e-3)
    rng = np.random.default_rng(3)
    came_back = np.array([rng.binomial(did, seen, size=20_000), rng.binomial(others, share, size=20_000)])
    pooled = came_back.sum(axis=0) / (did + others)
    z = (came_back[0] / did - came_back[1] / others) / np.sqrt(pooled * (1 - pooled) * (1 / did + 1 / others))
    assert (abs(z) > 1.96).mean() == pytest.approx(0.8, abs=0.015)


@pytest.mark.parametrize("table", [TwoByTwo(0, 0, 50, 10), TwoByTwo(50, 1, 50, 0), TwoByTwo(3, 1, 50, 40)])
def test_what_could_never_be_seen_has_no_detectable_effect(table: TwoByTwo) -> None:
    assert math.isnan(table.detectable_odds_ratio())


def test_e_values_are_those_of_the_paper() -> None:
    # VanderWeele and Ding, Annals of Internal Medicine 167 (2017): formula feeding and infant death by respiratory
    # infection, a risk ratio of 3.9 (1.8 to 8.7).
    assert e_values(Ratio(3.9, 1.8, 8.7), outcome_share=0.01) == pytest.approx((7.26, 3.0), abs=0.005)
    assert e_values(Ratio(1 / 3.9, 1 / 8.7, 1 / 1.8), outcome_share=0.01) == pytest.approx((7.26, 3.0), abs=0.005)


def test_of_a_common_outcome_the_root_of_the_odds_ratio_stands_for_the_risk_ratio() -> None:
    assert e_values(Ratio(4, 2.25, 9), outcome_share=0.3) == pytest.approx((2 + 2**0.5, 1.5 + 0.75**0.5))


def test_an_interval_that_holds_one_needs_nothing_to_be_explained_away() -> None:
    assert e_values(Ratio(1.2, 0.9, 1.6), outcome_share=0.3)[1] == 1
    assert e_value(1) == 1


counts = st.integers(1, 400)


@given(counts, counts, counts, counts)
def test_swapping_the_outcome_or_the_groups_inverts_the_odds_ratio(a: int, b: int, c: int, d: int) -> None:
    value, low, high = TwoByTwo(a + b, a, c + d, c).odds_ratio()
    inverse = pytest.approx((1 / value, 1 / high, 1 / low))
    assert TwoByTwo(a + b, b, c + d, d).odds_ratio() == inverse
    assert TwoByTwo(c + d, c, a + b, a).odds_ratio() == inverse
    assert TwoByTwo(a + b, a, c + d, c).p_value() == pytest.approx(TwoByTwo(a + b, b, c + d, d).p_value())
