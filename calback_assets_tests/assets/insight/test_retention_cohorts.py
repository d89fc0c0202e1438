"""Tests of `retention_cohorts`: nobody is counted who had no chance, by hand and against plain sets."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as some

from calback_assets.assets.insight.retention_cohorts import ASSET
from calback_assets_tests.assets import oracle
from calback_assets_tests.assets.given import Row, active, day, joined, rows_of

AS_OF = "2024-03-14"
Counts = tuple[int, int, int]


def cohorts(
    people: Mapping[str, str], days: Mapping[str, Sequence[str]], as_of: str = AS_OF
) -> dict[tuple[date, str, int], Counts]:
    """Size, eligible and retained of each cohort, measure and period; given the day of joining and the active days."""
    tables: dict[str, list[Row]] = {
        "user_joined": [joined(text, user) for user, text in people.items()],
        "user_daily_activity": [active(text, user) for user, texts in days.items() for text in texts],
    }
    rows = rows_of(ASSET, as_of, tables)
    assert {(row["as_of"], row["basis"]) for row in rows} <= {(day(as_of), "registration")}
    for row in rows:
        assert row["is_complete"] == (row["eligible"] == row["cohort_size"])
        assert row["share"] == row["retained"] / row["eligible"]
    return {
        (row["cohort_week"], row["measure"], row["period"]): (row["cohort_size"], row["eligible"], row["retained"])
        for row in rows
    }


def of(measure: str, found: Mapping[tuple[date, str, int], Counts], week: str = "2024-03-04") -> dict[int, Counts]:
    return {
        period: counts for (of_week, name, period), counts in found.items() if (str(of_week), name) == (week, measure)
    }


def test_each_person_is_counted_in_the_periods_that_have_passed_for_them() -> None:
    # Both are of the week of Monday 4 March; by 14 March Ann has had ten days after hers, Bob four.
    found = cohorts(
        {"ann": "2024-03-04", "bob": "2024-03-10"},
        {"ann": ["2024-03-04", "2024-03-05", "2024-03-11"], "bob": ["2024-03-10", "2024-03-13", "2024-03-14"]},
    )
    assert of("day", found) == {1: (2, 2, 1), 3: (2, 2, 1), 7: (2, 1, 1)}
    assert of("unbounded", found) == {1: (2, 2, 2), 3: (2, 2, 2), 7: (2, 1, 1)}
    assert of("bracket", found) == {1: (2, 2, 1), 3: (2, 2, 1), 7: (2, 1, 1)}
    assert of("week", found) == {0: (2, 1, 1)}


@pytest.mark.parametrize(("day_1", "week"), [("2024-03-04", "2024-03-04"), ("2024-03-03", "2024-02-26")])
def test_a_cohort_is_a_week_that_begins_on_monday(day_1: str, week: str) -> None:
    assert {str(of_week) for of_week, *_ in cohorts({"ann": day_1}, {})} == {week}


def test_a_week_of_somebody_is_seven_days_from_their_own_day_1() -> None:
    people = {"ann": "2024-02-29"}
    assert of("week", cohorts(people, {"ann": ["2024-03-06"]}), "2024-02-26") == {0: (1, 1, 1), 1: (1, 1, 0)}
    assert of("week", cohorts(people, {"ann": ["2024-03-07"]}), "2024-02-26") == {0: (1, 1, 0), 1: (1, 1, 1)}
    assert of("week", cohorts(people, {}, as_of="2024-03-12"), "2024-02-26") == {0: (1, 1, 0)}


@pytest.mark.parametrize(
    ("ages", "brackets"),
    [([0], []), ([1], [1]), ([2], [3]), ([3], [3]), ([4], [7]), ([7], [7]), ([8, 14], [14]), ([15], [30]), ([31], [])],
)
def test_a_bracket_goes_from_behind_the_measure_before_up_to_its_own(ages: list[int], brackets: list[int]) -> None:
    came = [str(day("2024-01-01") + timedelta(days=age)) for age in ages]
    found = of("bracket", cohorts({"ann": "2024-01-01"}, {"ann": came}), "2024-01-01")
    assert [period for period, (_, _, retained) in found.items() if retained] == brackets


def test_what_lies_before_day_1_and_what_others_do_is_no_return() -> None:
    found = cohorts({"ann": "2024-03-04"}, {"ann": ["2024-03-01", "2024-03-03"], "bob": ["2024-03-05"]})
    assert {retained for *_, retained in found.values()} == {0}


def test_nobody_has_had_a_chance_on_the_day_they_joined() -> None:
    assert cohorts({"ann": AS_OF}, {"ann": [AS_OF]}) == {}


def test_half_a_year_of_weeks_is_told_and_a_week_that_the_400_days_cut_is_left_out() -> None:
    # The 400 days that end with 14 March 2024 begin with Thursday 9 February 2023.
    found = cohorts({"ann": "2023-02-09", "bob": "2023-02-13"}, {"bob": ["2024-03-14"]})
    assert {str(week) for week, *_ in found} == {"2023-02-13"}
    assert of("week", found, "2023-02-13").keys() == set(range(27))
    assert of("unbounded", found, "2023-02-13")[30] == (1, 1, 1)


LIFE = some.tuples(some.integers(0, 60), some.frozensets(some.integers(0, 60), max_size=8))
"""How many days before the last somebody joined, and on which of these days they were active."""


@settings(derandomize=True, database=None, deadline=None, max_examples=25, phases=[Phase.generate])
@given(some.lists(LIFE, min_size=1, max_size=5))
def test_retention_is_that_of_plain_sets(lives: list[tuple[int, frozenset[int]]]) -> None:
    last = day(AS_OF)

    def at(age: int) -> date:
        return last - timedelta(days=age)

    people = {f"person {number}": at(age) for number, (age, _) in enumerate(lives)}
    came = {f"person {number}": [at(age) for age in ages] for number, (_, ages) in enumerate(lives)}
    activity = {at(age): frozenset(user for user, days in came.items() if at(age) in days) for age in range(61)}
    found = cohorts(
        {user: str(joined_on) for user, joined_on in people.items()},
        {user: [str(one) for one in days] for user, days in came.items()},
    )
    assert found == oracle.retention(people, activity, last)
