"""Tests of `frequent_user_behaviour`: who is compared with whom, over which days, and the sums that rates come from."""

import pyarrow as pa
import pytest

from calback_assets.assets.insight.frequent_user_behaviour import ASSET
from calback_assets_tests.assets.given import Row, active, day, did, filled, rows_of, warehouse

DAY = "2024-03-14"


def frequent(user: str, when: str = DAY, *, is_frequent: bool = True) -> Row:
    return {"event_date": day(when), "user_id": user, "is_frequent": is_frequent}


TABLES: dict[str, list[Row]] = {
    "frequent_users": [frequent("ann"), frequent("bob"), frequent("cho", is_frequent=False)],
    "user_daily_activity": [
        *[active(f"2024-03-{number:02}", "ann") for number in (1, 2, 3, 14)],
        *[active(f"2024-03-{number:02}", "bob") for number in (4, 5, 6)],
        *[active(f"2024-03-{number:02}", "cho") for number in (1, 2)],
        active("2024-02-14", "dan"),
        active("2024-02-13", "eve"),
    ],
    "user_behaviour": [
        did("2024-03-01", "ann", times=2),
        did("2024-03-14", "ann", times=3),
        did("2024-03-02", "cho", times=4),
        did("2024-02-14", "dan", "search"),
        did("2024-02-13", "eve"),
        did("2024-03-05", "eve", "app_exception"),
    ],
}


def test_people_and_what_they_did_are_counted_of_each_group() -> None:
    rows = {row["behaviour"]: row for row in rows_of(ASSET, DAY, TABLES)}
    # Eve's last active day is 31 days back: she is in neither group, whatever she met since.
    assert rows.keys() == {"tap", "search"}
    tap = rows["tap"]
    assert tap["as_of"] == day(DAY)
    assert (tap["frequent_users"], tap["frequent_did"], tap["other_users"], tap["other_did"]) == (2, 1, 2, 1)
    assert (tap["frequent_per_person"], tap["frequent_per_active_day"]) == (5 / 2, 5 / 7)
    assert (tap["other_per_person"], tap["other_per_active_day"]) == (4 / 2, 4 / 3)
    assert tap["rate_ratio"] == pytest.approx((5 / 7) / (4 / 3))
    assert (rows["search"]["frequent_did"], rows["search"]["other_did"]) == (0, 1)


def test_the_sums_are_over_all_people_of_a_group_also_those_who_did_nothing() -> None:
    with warehouse(TABLES) as session:
        rows = session.arrow(filled(ASSET.model, DAY, {}))
    assert {rows.schema.field(name).type for name in rows.column_names[2:]} == {pa.int64()}
    (tap,) = [row for row in rows.to_pylist() if row["behaviour"] == "tap"]
    assert {name: value for name, value in tap.items() if name not in ("as_of", "behaviour")} == {
        "frequent_users": 2,
        "frequent_did": 1,
        "frequent_times": 5,
        "frequent_active_days": 4 + 3,
        "frequent_times_squared": 25,
        "frequent_active_days_squared": 16 + 9,
        "frequent_times_by_active_days": 5 * 4,
        "other_users": 2,
        "other_did": 1,
        "other_times": 4,
        "other_active_days": 2 + 1,
        "other_times_squared": 16,
        "other_active_days_squared": 4 + 1,
        "other_times_by_active_days": 4 * 2,
    }


def test_who_is_frequent_is_asked_of_the_day_itself() -> None:
    tables = {**TABLES, "frequent_users": [frequent("ann", "2024-03-13")]}
    (row,) = [row for row in rows_of(ASSET, DAY, tables) if row["behaviour"] == "tap"]
    assert (row["frequent_users"], row["other_users"]) == (0, 4)


def test_where_nobody_was_active_there_is_nothing_to_compare() -> None:
    assert rows_of(ASSET, DAY, {}) == []
