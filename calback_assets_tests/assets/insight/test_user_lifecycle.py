"""Tests of `user_lifecycle`: window edges by hand, and any activity against plain sets."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as some

from calback_assets.assets.insight.power_curve import ASSET as POWER_CURVE
from calback_assets.assets.insight.user_lifecycle import ASSET
from calback_assets.days import Stretch
from calback_assets_tests.assets import oracle
from calback_assets_tests.assets.given import CALENDAR, Row, active, day, first_seen, rows_of, warehouse

DAY = "2024-03-14"


def flows(days: Sequence[str], first: str = "2023-01-01") -> dict[str, int]:
    """What the day's row counts of somebody who was active on these days; zeros are left out."""
    tables: dict[str, list[Row]] = {
        "user_daily_activity": [active(text, "ann") for text in days],
        "user_first_seen": [first_seen(first, "ann")],
    }
    (row,) = rows_of(ASSET, DAY, tables)
    assert row.pop("event_date") == day(DAY)
    return {name: count for name, count in row.items() if count}


def test_a_day_on_which_nothing_ever_happened_has_a_row_of_zeros() -> None:
    assert flows([]) == {}


def test_somebody_new_comes_from_nowhere() -> None:
    assert flows([DAY], first=DAY) == {"current_users": 1, "new_users": 1}


@pytest.mark.parametrize(
    ("last", "found"),
    [
        ("2024-03-13", {"returning_users": 1, "active_to_active": 1}),
        ("2024-03-12", {"returning_users": 1, "idle_to_active": 1}),
        ("2024-02-13", {"returning_users": 1, "idle_to_active": 1}),  # 30 days before
        ("2024-02-12", {"resurrected_users": 1}),
    ],
)
def test_who_comes_back_is_told_by_the_days_since_the_visit_before(last: str, found: dict[str, int]) -> None:
    assert flows([last, DAY]) == {"current_users": 1, **found}


@pytest.mark.parametrize(
    ("last", "found"),
    [
        ("2024-03-13", {"current_users": 1, "active_to_idle": 1}),
        ("2024-03-12", {"current_users": 1, "idle_to_idle": 1}),
        ("2024-02-14", {"current_users": 1, "idle_to_idle": 1}),  # 29 days before
        ("2024-02-13", {"dormant_users": 1}),
        ("2024-02-12", {}),
        ("2024-03-15", {}),
    ],
)
def test_who_stays_away_is_told_by_the_days_since_the_last_visit(last: str, found: dict[str, int]) -> None:
    assert flows([last]) == found


def test_only_the_last_visit_of_somebody_counts() -> None:
    assert flows(["2024-02-13", "2024-02-20", "2024-03-12"]) == {"current_users": 1, "idle_to_idle": 1}
    assert flows(["2024-02-13", "2024-02-14", DAY]) == {"current_users": 1, "returning_users": 1, "idle_to_active": 1}


STRETCH = Stretch(day("2024-02-26"), day("2024-03-08"))
"""Written at once; the days drawn lie up to 70 days before its end."""
PEOPLE = some.frozensets(some.integers(0, 69), max_size=12)


@settings(derandomize=True, database=None, deadline=None, max_examples=40, phases=[Phase.generate])
@given(some.lists(PEOPLE, min_size=1, max_size=4))
def test_flows_and_the_power_curve_are_those_of_plain_sets(people: list[frozenset[int]]) -> None:
    days = [STRETCH.last - timedelta(days=age) for age in range(69, -1, -1)]
    visits = {f"person {number}": sorted(days[age] for age in ages) for number, ages in enumerate(people) if ages}
    activity = {at: frozenset(user for user, found in visits.items() if at in found) for at in days}
    tables: dict[str, list[Row]] = {
        "user_daily_activity": [active(str(at), user) for user, found in visits.items() for at in found],
        "user_first_seen": [first_seen(str(found[0]), user) for user, found in visits.items()],
    }
    with warehouse(tables) as session:
        lifecycle, curve = (
            session.arrow(declared.model.duckdb_template.fill(CALENDAR.parameters(declared.model, STRETCH))).to_pylist()
            for declared in (ASSET, POWER_CURVE)
        )
    expected = oracle.flows(activity)
    assert {row.pop("event_date"): row for row in lifecycle} == {at: expected[at] for at in STRETCH.days}
    found: dict[object, dict[int, int]] = {at: {} for at in STRETCH.days}
    for row in curve:
        found[row["event_date"]][row["active_days"]] = row["users"]
    powers = oracle.power(activity)
    assert found == {at: powers[at] for at in STRETCH.days}
