"""Tests of `active_users_by`: who is counted under which value, and under none twice."""

from typing import Any

from calback_assets.assets.metrics.active_users_by import ASSET
from calback_assets_tests.assets.given import Row, day, event, first_seen, rows_of

DAY = "2024-03-14"


def used(user: str, **more: Any) -> Row:
    """A row of `unified_events`."""
    return {"event_date": day(DAY), "event_id": user, "user_id": user, "is_activity": True, **more}


def counts(dimension: str, *events: Row, seen: tuple[Row, ...] = ()) -> dict[str, tuple[int, int]]:
    """DAU and new people by the values of a dimension."""
    rows = rows_of(ASSET, DAY, {"unified_events": events, "user_first_seen": seen})
    return {row["value"]: (row["dau"], row["new_users"]) for row in rows if row["dimension"] == dimension}


def test_a_person_counts_once_under_each_value_that_they_used() -> None:
    events = [
        used("ann", platform="IOS"),
        used("ann", platform="IOS", country="South Korea"),
        used("ann", platform="WEB"),
        used("bob", platform="IOS"),
    ]
    assert counts("platform", *events) == {"IOS": (2, 0), "WEB": (1, 0)}


def test_unknown_are_only_those_of_whom_no_event_of_the_day_tells() -> None:
    events = [
        used("ann", country="South Korea"),
        used("ann"),
        used("bob"),
        used("cho", country=""),
        used("dan", country="unknown"),
    ]
    assert counts("country", *events) == {"South Korea": (1, 0), "unknown": (3, 0)}
    assert counts("app_version", *events) == {"unknown": (4, 0)}


def test_new_people_are_those_whose_first_day_it_is_and_only_activity_counts() -> None:
    events = [
        used("ann", app_version="1.2"),
        used("bob", app_version="1.2"),
        used("cho", app_version="1.2", is_activity=False),
    ]
    seen = (first_seen(DAY, "ann"), first_seen("2024-03-13", "bob"), first_seen(DAY, "cho"))
    assert counts("app_version", *events, seen=seen) == {"1.2": (2, 1)}


def test_a_day_is_not_final_while_any_of_its_exported_events_may_change() -> None:
    for finals, expected in (([True, True], {True}), ([True, False], {False}), ([], {None})):
        exported = [event(f"{DAY} 09:00", is_final=is_final) for is_final in finals]
        rows = rows_of(ASSET, DAY, {"unified_events": [used("ann")], "raw_events": exported})
        assert {row["is_final"] for row in rows} == expected
