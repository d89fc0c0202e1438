"""Tests of `first_week_features`: the outcome is of days 8-37, and of those alone who have lived through them."""

from collections.abc import Sequence

import pytest

from calback_assets.assets.insight.first_week_features import ASSET
from calback_assets_tests.assets.given import PARAMETERS, Row, active, day, rows_of

DAY_1, DAY_7, DAY_8, DAY_37 = "2024-02-01", "2024-02-07", "2024-02-08", "2024-03-08"


def week(user: str, ended: str = DAY_7) -> Row:
    return {
        "event_date": day(ended),
        "user_id": user,
        "joined_on": day(DAY_1),
        "basis": "registration",
        "active_days": 2,
        "sessions": 3,
        "events": 4,
        "app_opens": 5,
        "platform": "IOS",
        "behaviours": [{"behaviour": "tap", "times": 2, "days": 1}],
    }


def features(active_on: Sequence[str], weeks: Sequence[Row] = (week("ann"),), **settings: int) -> list[Row]:
    activity = [active(text, "ann") for text in active_on]
    tables = {"first_week": weeks, "user_daily_activity": activity}
    return rows_of(ASSET, DAY_37, tables, {**PARAMETERS, **settings})


def test_the_first_week_is_kept_as_it_is_beside_the_outcome() -> None:
    outcome = {"outcome_active_days": 0, "returned": False, "frequent": False}
    assert features([]) == [{**week("ann"), "event_date": day(DAY_37), **outcome}]


def test_only_the_people_whose_37th_day_it_is_are_in_it() -> None:
    weeks = [week("ann", "2024-02-06"), week("bob", DAY_7), week("cho", DAY_8)]
    assert [row["user_id"] for row in features([], weeks)] == ["bob"]


@pytest.mark.parametrize(("when", "counts"), [(DAY_7, 0), (DAY_8, 1), (DAY_37, 1), ("2024-03-09", 0)])
def test_days_8_and_37_count_and_the_days_around_them_do_not(when: str, counts: int) -> None:
    (row,) = features([when])
    assert (row["outcome_active_days"], row["returned"]) == (counts, counts == 1)


@pytest.mark.parametrize(("least", "frequent"), [(3, False), (2, True)])
def test_frequent_goes_by_the_setting(least: int, frequent: bool) -> None:
    (row,) = features([DAY_8, DAY_37], frequent_min_days=least)
    assert (row["outcome_active_days"], row["frequent"]) == (2, frequent)


def test_what_others_do_is_not_theirs() -> None:
    rows = features([DAY_8, "2024-02-09", "2024-02-10"], [week("ann"), week("bob")])
    assert {row["user_id"]: (row["returned"], row["frequent"]) for row in rows} == {
        "ann": (True, True),
        "bob": (False, False),
    }
