"""Tests of `user_first_seen`: who is new on a day, and which other days change with it."""

import pytest

from calback_assets.assets.core.user_first_seen import ASSET
from calback_assets_tests.assets.given import Row, active, day, filled, first_seen, rows_of, warehouse

DAY = "2024-03-14"


def new(activity: list[Row], seen: list[Row]) -> set[str]:
    return {row["user_id"] for row in rows_of(ASSET, DAY, {"user_daily_activity": activity, "user_first_seen": seen})}


def test_whoever_is_active_and_was_seen_on_no_earlier_day_is_new() -> None:
    activity = [active(DAY, "ann"), active(DAY, "bob"), active("2024-03-13", "cho"), active("2024-03-15", "dan")]
    assert new(activity, [first_seen("2023-03-14", "bob")]) == {"ann"}


@pytest.mark.parametrize("known", [DAY, "2024-03-15"])
def test_what_the_day_itself_and_later_days_say_does_not_count(known: str) -> None:
    assert new([active(DAY, "ann")], [first_seen(known, "ann")]) == {"ann"}


def rippled(activity: list[Row], seen: list[Row]) -> set[str]:
    """The other days that change when the day is replaced, given its activity as it is now."""
    assert ASSET.ripple is not None
    with warehouse({"user_daily_activity": activity, "user_first_seen": seen}) as session:
        rows = session.arrow(filled(ASSET.ripple.model, DAY, {}))
        return {str(found) for found in rows["event_date"].to_pylist()}


def test_a_user_now_active_on_the_day_leaves_the_later_day_that_was_the_first() -> None:
    assert rippled([active(DAY, "ann"), active("2024-05-01", "ann")], [first_seen("2024-05-01", "ann")]) == {
        "2024-05-01"
    }


def test_a_user_no_longer_active_on_the_day_moves_to_the_next_active_day_however_far() -> None:
    activity = [active("2025-06-01", "ann"), active("2025-06-02", "ann")]
    assert rippled(activity, [first_seen(DAY, "ann")]) == {"2025-06-01"}


def test_a_user_no_longer_active_anywhere_moves_to_no_day() -> None:
    assert rippled([active("2024-03-13", "bob")], [first_seen(DAY, "ann")]) == set()


def test_each_user_moves_on_their_own_and_a_day_is_named_once() -> None:
    activity = [active(later, user) for later in ("2024-03-20", "2024-03-21") for user in ("ann", "bob")]
    activity += [active("2024-03-25", "cho"), active(DAY, "dan"), active("2024-03-25", "dan"), active(DAY, "eve")]
    seen = [first_seen(DAY, user) for user in ("ann", "bob", "cho")]
    seen += [first_seen("2024-03-30", "dan"), first_seen("2024-03-01", "eve")]
    assert rippled(activity, seen) == {"2024-03-20", "2024-03-25", "2024-03-30"}


def test_a_day_with_the_same_people_as_before_changes_no_other_day() -> None:
    activity = [active(DAY, "ann"), active("2024-03-20", "ann"), active(DAY, "bob")]
    assert rippled(activity, [first_seen(DAY, "ann"), first_seen("2024-03-01", "bob")]) == set()


def test_a_first_day_before_the_day_changes_nothing_when_the_user_leaves_the_day() -> None:
    assert rippled([active("2024-03-20", "ann")], [first_seen("2024-03-01", "ann")]) == set()


def test_the_first_day_keeps_its_date() -> None:
    (row,) = rows_of(ASSET, DAY, {"user_daily_activity": [active(DAY, "ann")]})
    assert row == {"event_date": day(DAY), "user_id": "ann"}
