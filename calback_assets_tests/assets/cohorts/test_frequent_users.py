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


def test_the_thresholds_are_the_settings() -> None:
    days = {"ann": ["2024-03-08", "2024-03-14"], "bob": ["2024-03-07", "2024-03-14"], "cho": ["2024-03-14"]}
    assert frequent("2024-03-14", days, frequent_min_days=2, frequent_window_days=7) == {
        "ann": (2, 2, True, True),
        "bob": (1, 2, False, True),
    }
