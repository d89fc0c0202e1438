"""Any product's access log alone gives right numbers: no Firestore, no analytics, another time zone, days without rows.

Eight months as one `calback run`, with both changes of the clocks; every day is compared with plain sets.
"""

import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest

from calback_assets_tests.assets import oracle
from calback_assets_tests.assets.worlds import Platform, write_opens

FIRST, LAST = date(2023, 8, 1), date(2024, 3, 31)
DAYS = [FIRST + timedelta(days=age) for age in range((LAST - FIRST).days + 1)]


def people_by_day() -> dict[date, list[int | str]]:
    """Who opened the app each day, once for each open: some often, some seldom, most days, in random order.

    Ids are integers for some and texts for others, as a backend that changed its mind writes them.
    """
    chance = random.Random(20220701)  # noqa: S311 - not for secrets
    habits = {user if user % 3 else f"user-{user}": chance.choice((0.5, 0.1, 0.02, 0.004)) for user in range(60)}
    # The log has come to its last day, whoever is silent before.
    silent = ({day for day in DAYS if chance.random() < 0.1} | set(DAYS[100:135])) - {LAST}
    opens: dict[date, list[int | str]] = {}
    for day in DAYS:
        today = [user for user, habit in habits.items() if day not in silent and chance.random() < habit]
        opens[day] = [user for user in today for _ in range(chance.choice((1, 1, 3)))]
        chance.shuffle(opens[day])
    return opens


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_eight_months_of_another_products_log_give_right_numbers_for_every_day(tmp_path: Path) -> None:
    opens = people_by_day()
    platform = Platform(tmp_path, FIRST, LAST, "America/New_York")
    for day, users in opens.items():
        if users:
            write_opens(platform.data, day, ({"userId": user} for user in users))

    command = [sys.executable, "-c", "from calback_assets.cli import main; main()", "run"]
    environ = {"PATH": "", "COLUMNS": "120", **platform.environ}
    run = subprocess.run(command, env=environ, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr

    activity = {day: frozenset(str(user) for user in users) for day, users in opens.items()}
    expected = oracle.lifecycle(activity)
    metrics = platform.rows("daily_active_users")
    assert {row["event_date"]: {name: row[name] for name in expected[FIRST]} for row in metrics} == expected
    assert {row["event_date"]: row["app_opens"] for row in metrics} == {day: len(users) for day, users in opens.items()}
    assert sum(row["anonymous_users"] + row["sessions"] + row["meetings_created"] for row in metrics) == 0

    frequent: dict[date, dict[str, tuple[int, int]]] = {day: {} for day in DAYS}
    for row in platform.rows("frequent_users"):
        counts = (row["active_days_30d"], row["active_days_mtd"])
        frequent[row["event_date"]][row["user_id"]] = counts
        assert (row["is_frequent"], row["is_frequent_month"]) == (counts[0] >= 3, counts[1] >= 3)
    assert frequent == oracle.frequent(activity)

    newcomers = {
        user: min(day for day in DAYS if user in activity[day]) for user in frozenset().union(*activity.values())
    }
    assert {row["user_id"]: row["event_date"] for row in platform.rows("user_first_seen")} == newcomers
    check_insight(platform, activity, opens, newcomers)


def check_insight(
    platform: Platform,
    activity: oracle.Activity,
    opens: Mapping[date, Sequence[int | str]],
    newcomers: Mapping[str, date],
) -> None:
    """Nobody has an account: people join with their first activity, once 30 days of the log are known."""
    joined = {user: day for user, day in newcomers.items() if day >= FIRST + timedelta(days=30)}
    rows = platform.rows("user_joined")
    assert {row["user_id"]: row["event_date"] for row in rows} == joined
    assert {row["basis"] for row in rows} == {"first_activity"}

    weeks = {row["user_id"]: row for row in platform.rows("first_week")}
    assert weeks.keys() == {user for user, day in joined.items() if day + timedelta(days=6) <= LAST}
    for user, row in weeks.items():
        days = [day for day in DAYS if 0 <= (day - joined[user]).days < 7 and user in activity[day]]
        times = sum(str(opened) == user for day in days for opened in opens[day])
        assert (row["active_days"], row["events"], row["app_opens"], row["platform"]) == (len(days), times, times, None)
        assert row["behaviours"] == [{"behaviour": "app_open", "times": times, "days": len(days)}]
    assert {row["user_id"]: row["outcome_active_days"] for row in platform.rows("first_week_features")} == {
        user: sum(7 <= (day - joined[user]).days < 37 and user in activity[day] for day in DAYS)
        for user, day in joined.items()
        if day + timedelta(days=36) <= LAST
    }

    assert {row.pop("event_date"): row for row in platform.rows("user_lifecycle")} == oracle.flows(activity)
    power: dict[date, dict[int, int]] = {day: {} for day in DAYS}
    for row in platform.rows("power_curve"):
        power[row["event_date"]][row["active_days"]] = row["users"]
    assert power == oracle.power(activity)

    assert {
        (row["cohort_week"], row["measure"], row["period"]): (row["cohort_size"], row["eligible"], row["retained"])
        for row in platform.rows("retention_cohorts")
    } == oracle.retention(joined, activity, LAST)
    (compared,) = platform.rows("frequent_user_behaviour")
    assert (compared["behaviour"], compared["as_of"]) == ("app_open", LAST)
    assert compared["frequent_users"] == sum(days >= 3 for days, _ in oracle.frequent(activity)[LAST].values())
