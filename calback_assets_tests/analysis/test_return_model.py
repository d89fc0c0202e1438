"""What is learned of people whose truth is known, of people without one, and of too few."""

import json
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from calback_assets.analysis import learning, models
from calback_assets.analysis.features import COLUMNS, COUNTS, matrix, vocabulary_of
from calback_assets.analysis.learning import folds, split_by_time
from calback_assets.analysis.models import model_of
from calback_assets.analysis.return_model import learned
from calback_assets.errors import CalbackError
from calback_assets.report.model_card import model_card
from calback_assets.tables.insight import FIRST_WEEK, RETURN_MODEL
from calback_assets.warehouse.rows import conform
from calback_assets_tests.analysis.people import SCHEMA, first_weeks, shuffled_outcomes

FIRST = date(2024, 1, 1)


@pytest.fixture(scope="module")
def people() -> pa.Table:
    return first_weeks(seed=11, users=7_000, days=80)


@pytest.fixture(scope="module")
def found(people: pa.Table) -> pd.DataFrame:
    return learned(people).set_index("model")


def days(*numbers: int) -> Any:
    return np.array([FIRST + timedelta(days=number) for number in numbers], dtype="datetime64[D]")


def test_the_planted_truth_is_learned_and_the_regression_is_promoted(people: pa.Table, found: pd.DataFrame) -> None:
    assert people.num_rows > 3_500
    assert list(found.index) == ["base_rate", "logistic", "boosting"]
    assert found["is_promoted"].tolist() == [False, True, False]
    logistic = found.loc["logistic"]
    assert 0.5 < logistic["auc_low"] < logistic["auc"] < logistic["auc_high"] < 0.8
    assert logistic["brier"] < found.loc["base_rate", "brier"]
    assert 0.7 < logistic["calibration_slope"] < 1.3
    assert [part["feature"] for part in logistic["importance"][:2]] == ["active_days", "meeting_with_others"]
    assert logistic["deciles"][-1]["lift_low"] > 1 > logistic["deciles"][0]["lift_high"]
    assert logistic["verdict"].startswith("Promoted: on people it learned nothing of, its AUC is 0.7")
    assert found.loc["boosting", "verdict"].startswith("Not promoted: its log loss differs by")
    assert found.loc["base_rate", "verdict"].endswith("One does.")


def test_who_is_judged_joined_a_window_later_than_who_is_learned_from(people: pa.Table, found: pd.DataFrame) -> None:
    row = found.loc["logistic"]
    assert row["judged_from"] - row["learned_to"] == timedelta(days=30)
    assert row["judged_to"] - row["judged_from"] == timedelta(days=13)
    joined = people["joined_on"].to_pylist()
    assert row["judged_to"] == max(joined)
    assert row["judged_people"] == sum(day >= row["judged_from"] for day in joined)
    assert row["learned_people"] == sum(day <= row["learned_to"] for day in joined)


def test_the_rows_keep_the_contract_and_the_card_says_what_they_hold(found: pd.DataFrame) -> None:
    rows = conform(found.reset_index(), RETURN_MODEL)
    assert rows.num_rows == 3
    card = model_card(rows.to_pandas())
    for said in (
        "**logistic**: Promoted",
        "| meeting_with_others |",
        "| 10 |",
        "platform unknown",
        "1–7",
        "experiment",
    ):
        assert said in card


def test_the_same_people_in_any_order_make_the_same_bits(people: pa.Table, found: pd.DataFrame) -> None:
    order = np.random.default_rng(5).permutation(people.num_rows)
    again = learned(people.take(pa.array(order))).set_index("model")
    assert conform(again.reset_index(), RETURN_MODEL).equals(conform(found.reset_index(), RETURN_MODEL))
    one_more_event = people.set_column(
        people.schema.get_field_index("events"), "events", pc.add(people["events"], pa.scalar(1))
    )
    few = learned(people.slice(0, 300)), learned(one_more_event.slice(0, 300))
    assert few[0].loc[0, "version"] != few[1].loc[0, "version"]


@pytest.mark.parametrize("name", ["logistic", "boosting"])
def test_a_model_that_is_read_back_scores_bit_for_bit_and_each_person_alone(
    name: str, people: pa.Table, found: pd.DataFrame
) -> None:
    text = found.loc[name, "content"]
    model = model_of(name, text)
    assert model.text() == text
    features = matrix(people, model.vocabulary)
    scores = model.scores(features)
    assert np.array_equal(model_of(name, model.text()).scores(features), scores)
    assert np.array_equal(np.concatenate([model.scores(features[:1]), model.scores(features[1:])]), scores)
    assert ((scores > 0) & (scores < 1)).all()
    assert model.scores(features[:0]).shape == (0,)


def test_the_regression_is_that_of_its_coefficients(people: pa.Table, found: pd.DataFrame) -> None:
    kept = json.loads(found.loc["logistic", "content"])
    names = [*COUNTS, *kept["platforms"], *kept["behaviours"], *kept["behaviours"]]
    person = people.slice(7, 1).to_pylist()[0]
    did = {item["behaviour"]: item["times"] for item in person["behaviours"]}
    columns = [
        person["active_days"],
        *(np.log1p(person[name]) for name in COUNTS[1:]),
        *(float(person["platform"] == platform) for platform in kept["platforms"]),
        *(float(name in did) for name in kept["behaviours"]),
        *(np.log(did.get(name, 1)) for name in kept["behaviours"]),
    ]
    parts = zip(columns, kept["means"], kept["scales"], kept["coefficients"], strict=True)
    log_odds = kept["intercept"] + sum((value - mean) / scale * weight for value, mean, scale, weight in parts)
    model = model_of("logistic", found.loc["logistic", "content"])
    assert len(names) == len(columns)
    assert model.scores(matrix(people.slice(7, 1), model.vocabulary))[0] == pytest.approx(1 / (1 + np.exp(-log_odds)))


def test_where_outcomes_are_shuffled_nothing_is_promoted_and_it_is_said(people: pa.Table) -> None:
    rows = learned(shuffled_outcomes(people, seed=1)).set_index("model")
    assert not rows["is_promoted"].any()
    for name in ("logistic", "boosting"):
        assert rows.loc[name, "auc_low"] < 0.5 < rows.loc[name, "auc_high"]
        assert "cannot be told from 0.5, which is chance" in rows.loc[name, "verdict"]
    assert rows.loc["base_rate", "verdict"].endswith("None does, so nobody is scored.")


def test_boosting_is_promoted_where_only_it_sees_what_there_is(people: pa.Table) -> None:
    """Who does one of two things comes back, and who does both or neither does not: no sum of weights says that."""
    done = [{item["behaviour"] for item in behaviours} for behaviours in people["behaviours"].to_pylist()]
    chance = [0.8 if len(did & {"search", "meeting_with_others"}) == 1 else 0.1 for did in done]
    returned = np.random.default_rng(2).random(people.num_rows) < chance
    column = people.schema.get_field_index("returned")
    rows = learned(people.set_column(column, "returned", pa.array(returned))).set_index("model")
    assert rows["is_promoted"].tolist() == [False, False, True]
    assert rows.loc["boosting", "brier"] < rows.loc["logistic", "brier"]
    assert rows.loc["logistic", "verdict"].startswith("Not promoted: boosting is better, its log loss differs by -0.")


def test_too_few_people_are_one_row_that_says_how_many_are_needed(people: pa.Table) -> None:
    rows = learned(people.slice(0, 400))
    assert rows["model"].tolist() == ["base_rate"]
    assert not rows.loc[0, "is_promoted"]
    assert "needed are 500" in rows.loc[0, "verdict"]
    assert "needed are 200" in rows.loc[0, "verdict"]
    conform(rows, RETURN_MODEL)
    assert "too few people" in model_card(conform(rows, RETURN_MODEL).to_pandas())


def test_nobody_at_all_is_one_row_that_says_so() -> None:
    rows = learned(SCHEMA.empty_table())
    assert rows["model"].tolist() == ["base_rate"]
    assert "To learn from: 0 people, of whom 0 came back" in rows.loc[0, "verdict"]
    assert "0 people" in model_card(conform(rows, RETURN_MODEL).to_pandas())


def test_an_outcome_that_everybody_has_is_not_learned(people: pa.Table) -> None:
    everybody = people.set_column(
        people.schema.get_field_index("returned"), "returned", pa.array([True] * people.num_rows)
    )
    assert learned(everybody)["model"].tolist() == ["base_rate"]


def test_what_is_read_are_columns_of_the_first_week_and_not_who_or_when(people: pa.Table) -> None:
    assert set(COLUMNS) <= set(FIRST_WEEK.column_names) - {"event_date", "user_id", "joined_on", "basis"}
    vocabulary = vocabulary_of(people)
    assert np.array_equal(matrix(people.select(COLUMNS), vocabulary), matrix(people, vocabulary))
    assert vocabulary_of(people.select(COLUMNS)) == vocabulary


def test_the_newest_days_are_held_back_and_a_window_before_them_left_out() -> None:
    joined = days(*range(100))
    split = split_by_time(joined)
    # A fifth of a hundred days with one person each is more than fourteen days.
    assert split.judged.tolist() == [number >= 80 for number in range(100)]
    assert split.learned.tolist() == [number <= 50 for number in range(100)]
    crowd = days(*range(80), *[99] * 80)
    assert split_by_time(crowd).judged.tolist() == [False] * 80 + [True] * 80
    assert split_by_time(crowd).learned.tolist() == [number <= 56 for number in range(80)] + [False] * 80


def test_no_fold_learns_from_somebody_who_joined_later_than_who_is_judged() -> None:
    joined = days(*range(40))[np.random.default_rng(1).permutation(40)]
    outcomes = np.arange(40) % 2 == 0
    parts = list(folds(joined, outcomes))
    assert len(parts) == 3
    for before, after in parts:
        assert joined[before].max() < joined[after].min()
    assert sum(after.sum() for _, after in parts) == 30
    assert list(folds(days(*[5] * 40), outcomes)) == []


def test_a_model_is_learned_even_where_all_joined_on_one_day(people: pa.Table) -> None:
    weeks = people.slice(0, 600)
    vocabulary = vocabulary_of(weeks)
    features, outcomes = matrix(weeks, vocabulary), weeks["returned"].to_numpy()
    for learn in (learning.learn_logistic, learning.learn_boosting):
        model, _ = learn(features, outcomes, days(*[5] * 600), vocabulary)
        assert np.isfinite(model.scores(features)).all()


def test_without_what_lightgbm_is_linked_with_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise OSError("libgomp.so.1: cannot open shared object file")

    monkeypatch.setattr("builtins.__import__", missing)
    with pytest.raises(CalbackError, match="apt-get install libgomp1"):
        models.lightgbm()
