"""Tests of `frequent_users`, both readings of "at least three visits a month"."""

from collections.abc import Iterable, Mapping

import pytest

from calback_assets.assets.cohorts.frequent_users import ASSET
from calback_assets_tests.assets.given import FREQUENT, Row, active, day, rows_of

Found = Mapping[str, tuple[int, int, bool, bool]]


def frequent(when: str, days: Mapping[str, Iterable[str]], **settings: int) -> Found:
    """Of each frequent user: days in the window, days of the month so far, and which of the two is enough."""
    activity: list[Row] = [active(text, user) for user, texts in days.items() for text in texts]
    rows = rows_of(ASSET, when, {"user_daily_activity": activity}, {**FREQUENT, **settings})
    assert {row["event_date"] for row in rows} <= {day(when)}
    return {
        row["user_id"]: (
            row["active_days_30d"], row["active_days_mtd"], row["is_frequent"], row["is_frequent_month"],
        )
        for row in rows
    }  # fmt: skip


def test_three_active_days_are_enough_and_two_are_not() -> None:
    days = {"ann": ["2024-03-10", "2024-03-12", "2024-03-14"], "bob": ["2024-03-13", "2024-03-14"]}
    assert frequent("2024-03-14", days) == {"ann": (3, 3, True, True)}


def test_who_is_frequent_need_not_be_active_on_the_day() -> None:
    assert frequent("2024-03-14", {"ann": ["2024-03-01", "2024-03-02", "2024-03-03"]}) == {"ann": (3, 3, True, True)}


@pytest.mark.parametrize(("earliest", "found"), [("2024-02-14", True), ("2024-02-13", False)])
def test_the_window_holds_the_30_days_that_end_with_the_day(earliest: str, found: bool) -> None:
    days = {"ann": [earliest, "2024-02-29", "2024-03-14"]}
    assert frequent("2024-03-14", days) == ({"ann": (3, 1, True, False)} if found else {})


def test_on_the_last_day_of_a_long_month_the_first_counts_for_the_month_alone() -> None:
    # The 30 days that end with 31 January begin with the 2nd.
    days = {"ann": ["2024-01-01", "2024-01-02", "2024-01-31"], "bob": ["2023-12-31", "2024-01-01", "2024-01-31"]}
    assert frequent("2024-01-31", days) == {"ann": (2, 3, False, True)}


def test_at_the_years_end_the_month_begins_anew_and_the_window_goes_on() -> None:
    days = {"ann": ["2023-12-03", "2023-12-31", "2024-01-01"], "bob": ["2023-12-02", "2023-12-31", "2024-01-01"]}
    assert frequent("2024-01-01", days) == {"ann": (3, 1, True, False)}
    assert frequent("2023-12-31", days) == {}


def test_days_after_the_day_do_not_count() -> None:
    assert frequent("2024-03-14", {"ann": ["2024-03-13", "2024-03-14", "2024-03-15"]}) == {}


def test_another_window_and_minimum_decide_who_is_frequent_and_not_what_is_counted() -> None:
    # The 7 days that end with 14 March begin with the 8th, the 30 with 14 February.
    days = {
        "ann": ["2024-03-08", "2024-03-14"],
        "bob": ["2024-03-07", "2024-03-14"],
        "cho": ["2024-03-14"],
        "dan": ["2024-02-14", "2024-02-28", "2024-02-29", "2024-03-14"],
        "eva": ["2024-02-13", "2024-02-14", "2024-03-01", "2024-03-08", "2024-03-09", "2024-03-10"],
    }
    assert frequent("2024-03-14", days, frequent_min_days=2, frequent_window_days=7) == {
        "ann": (2, 2, True, True),
        "bob": (2, 2, False, True),
        "eva": (5, 4, True, True),
    }


def test_at_the_beginning_of_a_month_a_short_window_alone_makes_somebody_frequent() -> None:
    days = {"ann": ["2024-02-25", "2024-03-01"], "bob": ["2024-02-24", "2024-03-02"], "cho": ["2024-02-25"]}
    assert frequent("2024-03-02", days, frequent_min_days=2, frequent_window_days=7) == {"ann": (2, 1, True, False)}


def test_the_longest_window_reaches_one_day_further_than_the_column_counts() -> None:
    # The 31 days that end with 14 March begin with 13 February.
    days = {"ann": ["2024-02-13", "2024-03-14"], "bob": ["2024-02-12", "2024-03-14"]}
    assert frequent("2024-03-14", days, frequent_min_days=2, frequent_window_days=31) == {"ann": (1, 1, True, False)}


def test_one_day_is_enough_where_the_settings_say_so() -> None:
    days = {"ann": ["2024-03-14"], "bob": ["2024-03-13"], "cho": ["2024-02-29"]}
    assert frequent("2024-03-14", days, frequent_min_days=1, frequent_window_days=1) == {
        "ann": (1, 1, True, True),
        "bob": (1, 1, False, True),
    }
