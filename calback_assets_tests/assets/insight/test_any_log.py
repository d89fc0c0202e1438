"""The log of any product gives the insight tables on its own events: no accounts, no analytics, days without rows."""

import random
from datetime import date, timedelta
from pathlib import Path

import pytest

from calback_assets_tests.assets import oracle
from calback_assets_tests.assets.worlds import Platform, write_opens
from calback_assets_tests.warehouse.helpers import error_of

FIRST, LAST = date(2023, 6, 7), date(2023, 8, 31)
DAYS = [FIRST + timedelta(days=age) for age in range((LAST - FIRST).days + 1)]


@pytest.fixture(scope="module")
def activity() -> dict[date, frozenset[str]]:
    """Who opened the app each day: people come one after the other, some often, some seldom, some for a while."""
    chance = random.Random(20230607)  # noqa: S311 - not for secrets
    habits = {
        f"user-{number:02}": (chance.choice(DAYS), chance.choice((0.6, 0.15, 0.03)), chance.choice((5, 40, 99)))
        for number in range(40)
    }
    found = {}
    for day in DAYS:
        ages = {user: ((day - begun).days, habit, span) for user, (begun, habit, span) in habits.items()}
        found[day] = frozenset(
            user
            for user, (age, habit, span) in ages.items()
            if 0 <= age < span and (not age or chance.random() < habit)
        )
    # The log has come to its last day.
    return {**found, LAST: found[LAST] | {"user-00"}}


@pytest.fixture(scope="module")
def platform(activity: dict[date, frozenset[str]], tmp_path_factory: pytest.TempPathFactory) -> Platform:
    found = Platform(tmp_path_factory.mktemp("log"), FIRST, LAST, "America/New_York")
    write_log(found.data, activity)
    run = found.run(FIRST, LAST)
    assert run.success, error_of(run)
    return found


def write_log(data: Path, activity: dict[date, frozenset[str]]) -> None:
    """Everybody opens the app twice on a day."""
    for day, users in activity.items():
        if users:
            write_opens(data, day, ({"userId": user} for user in sorted(users) for _ in range(2)))


@pytest.fixture(scope="module")
def joined(activity: dict[date, frozenset[str]]) -> dict[str, date]:
    """First days, but for those of the first 30 days of the log."""
    people = frozenset().union(*activity.values())
    first_days = {user: min(day for day, users in activity.items() if user in users) for user in people}
    return {user: day for user, day in first_days.items() if day >= FIRST + timedelta(days=30)}


def test_people_join_with_their_first_activity_once_30_days_are_known(
    platform: Platform, joined: dict[str, date]
) -> None:
    rows = platform.rows("user_joined")
    assert 0 < len(rows) < len(platform.rows("user_first_seen"))
    assert {row["user_id"]: row["event_date"] for row in rows} == joined
    assert {row["basis"] for row in rows} == {"first_activity"}


def test_first_weeks_and_outcomes_are_those_of_plain_sets(
    platform: Platform, joined: dict[str, date], activity: dict[date, frozenset[str]]
) -> None:
    def active(user: str, first: int, last: int) -> int:
        return sum(user in activity[joined[user] + timedelta(days=number - 1)] for number in range(first, last + 1))

    weeks = {row["user_id"]: row for row in platform.rows("first_week")}
    assert weeks.keys() == {user for user, day in joined.items() if day + timedelta(days=6) <= LAST}
    for user, row in weeks.items():
        days = active(user, 1, 7)
        assert (row["active_days"], row["events"], row["app_opens"], row["platform"]) == (
            days,
            2 * days,
            2 * days,
            None,
        )
        assert row["behaviours"] == [{"behaviour": "app_open", "times": 2 * days, "days": days}]
    features = {row["user_id"]: row["outcome_active_days"] for row in platform.rows("first_week_features")}
    assert features == {user: active(user, 8, 37) for user, day in joined.items() if day + timedelta(days=36) <= LAST}
    assert features


def test_retention_lifecycle_and_the_power_curve_are_those_of_plain_sets(
    platform: Platform, joined: dict[str, date], activity: dict[date, frozenset[str]]
) -> None:
    found = {
        (row["cohort_week"], row["measure"], row["period"]): (row["cohort_size"], row["eligible"], row["retained"])
        for row in platform.rows("retention_cohorts")
    }
    assert found == oracle.retention(joined, activity, LAST)
    assert {row.pop("event_date"): row for row in platform.rows("user_lifecycle")} == oracle.flows(activity)
    power: dict[date, dict[int, int]] = {day: {} for day in DAYS}
    for row in platform.rows("power_curve"):
        power[row["event_date"]][row["active_days"]] = row["users"]
    assert power == oracle.power(activity)


def test_frequent_users_are_compared_by_what_the_log_knows(platform: Platform) -> None:
    (row,) = platform.rows("frequent_user_behaviour")
    assert (row["behaviour"], row["as_of"]) == ("app_open", LAST)
    assert (
        row["frequent_users"]
        == row["frequent_did"]
        == len([user for user in platform.rows("frequent_users") if user["event_date"] == LAST and user["is_frequent"]])
    )
    assert (row["frequent_per_active_day"], row["other_per_active_day"], row["rate_ratio"]) == (2, 2, 1)
