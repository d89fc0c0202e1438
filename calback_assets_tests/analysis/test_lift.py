"""The rows of `first_week_lift`: who is compared, what is corrected, and what is never found."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calback_assets.analysis.lift import lifts, q_values
from calback_assets.tables.insight import FIRST_WEEK_LIFT
from calback_assets.warehouse.rows import conform
from calback_assets_tests.analysis.first_week_rows import JOINED, first_week_rows

PEOPLE = 3000


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    """`meeting` helps; `notification` comes with active days, which help; `search` does nothing; `rare` is rare."""
    rng = np.random.default_rng(12)
    days = rng.integers(1, 8, size=PEOPLE)
    did = {
        "meeting": rng.random(PEOPLE) < 0.2,
        "notification": rng.binomial(days, 0.15),
        "search": rng.random(PEOPLE) < 0.25,
        "start": np.ones(PEOPLE, dtype=bool),
        "rare": np.arange(PEOPLE) % 140 == 0,
        "once": np.arange(PEOPLE) < 19,
    }
    odds = 0.1 * 1.5**days * 3.0 ** did["meeting"]
    returned = rng.random(PEOPLE) < odds / (1 + odds)
    return first_week_rows(
        did,
        returned,
        frequent=returned & (rng.random(PEOPLE) < 0.5),
        active_days=days,
        sessions=days + rng.poisson(days / 3),
        joined_on=JOINED + rng.integers(0, 50, size=PEOPLE),
    )


@pytest.fixture(scope="module")
def lift(rows: pa.Table) -> pd.DataFrame:
    return lifts(rows)


def part(lift: pd.DataFrame, outcome: str = "returned", period: str = "all") -> pd.DataFrame:
    return lift[(lift["outcome"] == outcome) & (lift["period"] == period)].set_index("behaviour")


def test_the_rows_are_those_of_the_contract_and_its_key_is_unique(lift: pd.DataFrame) -> None:
    assert conform(lift, FIRST_WEEK_LIFT).num_rows == len(lift)
    assert not lift.duplicated(list(FIRST_WEEK_LIFT.key)).any()
    assert list(lift["period"].unique()) == ["all", "2024-01", "2024-02"] + ["newer"] * ("newer" in set(lift["period"]))


def test_nobody_is_no_row(rows: pa.Table) -> None:
    assert conform(lifts(rows.slice(0, 0)), FIRST_WEEK_LIFT).num_rows == 0


def test_people_are_counted_once_in_each_period_and_their_cells_are_theirs(rows: pa.Table, lift: pd.DataFrame) -> None:
    everybody = part(lift)
    by_hand = {
        name: [
            (name in [entry["behaviour"] for entry in person["behaviours"]], person["returned"])
            for person in rows.to_pylist()
        ]
        for name in ("meeting", "notification")
    }
    for name, people in by_hand.items():
        row = everybody.loc[name]
        assert row["people"] == PEOPLE
        assert row["did"] == sum(did for did, _ in people)
        assert row["did_came_back"] == sum(did and returned for did, returned in people)
        assert row["others_came_back"] == sum(not did and returned for did, returned in people)
    columns = ["people", "did", "did_came_back", "others_came_back"]
    months = part(lift, period="2024-01")[columns] + part(lift, period="2024-02")[columns]
    pd.testing.assert_frame_equal(months, everybody[columns])
    assert everybody.loc["meeting", "joined_from"] == JOINED.item()


def test_what_helps_is_found_and_what_does_nothing_is_not(lift: pd.DataFrame) -> None:
    everybody = part(lift)
    assert list(everybody.index[everybody["is_found"]]) == ["meeting"]
    meeting = everybody.loc["meeting"]
    assert meeting["adjusted_low"] < 3 < meeting["adjusted_high"]
    assert 1 < meeting["e_value_limit"] < meeting["e_value"]
    search = everybody.loc["search"]
    assert (search["e_value_limit"], search["is_supported"]) == (1, True)
    assert search["detectable_odds_ratio"] == pytest.approx(1.27, abs=0.02)


def test_what_comes_with_active_days_loses_its_effect_when_they_are_held_fixed(lift: pd.DataFrame) -> None:
    notification = part(lift).loc["notification"]
    assert notification["odds_ratio_low"] > 1.3
    assert notification["q_value"] < 1e-6
    assert notification["adjusted_low"] < 1 < notification["adjusted_high"]
    assert not notification["is_found"]


def test_nothing_is_said_of_what_too_few_did_or_did_not(lift: pd.DataFrame) -> None:
    assert "once" not in set(lift["behaviour"])
    start = part(lift).loc["start"]
    assert (start["did"], start["is_supported"], start["is_found"]) == (PEOPLE, False, False)
    assert start["adjustment"] == "none: fewer than 20 people did not do it"
    figures = ["relative_risk", "odds_ratio", "p_value", "q_value", "adjusted_odds_ratio", "adjusted_q", "e_value"]
    assert start[figures].isna().all()
    rare = part(lift, period="2024-01").loc["rare"]
    assert rare["adjustment"] == "none: fewer than 20 people did it"
    assert np.isfinite(rare["detectable_odds_ratio"])


def test_an_outcome_that_nobody_has_is_said() -> None:
    did = {"meeting": np.arange(100) % 2 == 0}
    found = lifts(first_week_rows(did, np.ones(100, dtype=bool)))
    assert list(part(found)["adjustment"]) == ["none: everybody had the outcome"]
    assert list(part(found, "frequent")["adjustment"]) == ["none: nobody had the outcome"]
    assert not found["is_supported"].any()


def test_the_correction_is_that_of_benjamini_and_hochberg() -> None:
    # The example of their paper (Journal of the Royal Statistical Society B 57, 1995): 4 of 15 hypotheses fall at 5 %.
    p_values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240]
    p_values += [0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    assert [q < 0.05 for q in q_values(p_values)] == [True] * 4 + [False] * 11
    # By hand: 0.0095 × 15 / 4.
    assert q_values(p_values)[3] == pytest.approx(0.035625)
    assert np.isnan(q_values([0.01, np.nan])[1])
    assert q_values([0.01, np.nan])[0] == 0.01


def test_in_a_world_where_nothing_matters_nothing_is_found(rows: pa.Table) -> None:
    order = np.random.default_rng(20).permutation(PEOPLE)
    shuffled = rows.drop_columns(["returned", "frequent"])
    for outcome in ("returned", "frequent"):
        shuffled = shuffled.append_column(outcome, rows[outcome].take(order))
    found = lifts(shuffled)
    assert found["is_supported"].sum() > 10
    assert not found["is_found"].any()


def test_the_order_of_the_rows_does_not_move_a_bit(rows: pa.Table, lift: pd.DataFrame) -> None:
    again = lifts(rows.take(np.random.default_rng(3).permutation(PEOPLE)))
    pd.testing.assert_frame_equal(again, lift, check_exact=True)


@settings(derandomize=True, database=None, deadline=None, max_examples=8)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
def test_swapping_the_outcome_inverts_every_ratio_of_odds(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    did = {name: rng.random(300) < chance for name, chance in (("a", 0.5), ("b", share))}
    returned = rng.random(300) < 0.3 + 0.3 * did["a"]
    days = rng.integers(1, 8, size=300)
    found = part(lifts(first_week_rows(did, returned, active_days=days)))
    swapped = part(lifts(first_week_rows(did, ~returned, active_days=days)))
    for name in ("odds_ratio", "adjusted_odds_ratio"):
        np.testing.assert_allclose(found[name], 1 / swapped[name], rtol=1e-6)
    np.testing.assert_allclose(found["adjusted_low"], 1 / swapped["adjusted_high"], rtol=1e-6)
    np.testing.assert_allclose(found["adjusted_p"], swapped["adjusted_p"], atol=1e-9)
    assert (found["did_came_back"] + swapped["did_came_back"] == found["did"]).all()
