"""Tests of which users `device_identity` sees on which device."""

from calback_assets.assets.core.device_identity import ASSET
from calback_assets_tests.assets.given import event, rows_of, seen


def test_a_device_has_a_row_for_each_user_seen_on_it_with_the_first_and_the_last_time() -> None:
    rows = rows_of(
        ASSET,
        "2024-03-14",
        {
            "raw_events": [
                event("2024-03-14 09:00", "phone", "ann"),
                event("2024-03-14 07:00", "phone", "ann"),
                event("2024-03-14 11:00", "phone", "bob"),
                event("2024-03-14 10:00", "tablet", "ann"),
            ]
        },
    )
    assert sorted(rows, key=lambda row: (row["user_pseudo_id"], row["user_id"])) == [
        seen("phone", "ann", "2024-03-14 07:00", "2024-03-14 09:00"),
        seen("phone", "bob", "2024-03-14 11:00"),
        seen("tablet", "ann", "2024-03-14 10:00"),
    ]


def test_an_event_without_a_user_or_without_a_device_tells_nothing() -> None:
    events = [event("2024-03-14 09:00", "phone", None), event("2024-03-14 09:00", None, "ann")]
    assert rows_of(ASSET, "2024-03-14", {"raw_events": events}) == []


def test_other_days_are_not_read() -> None:
    events = [event("2024-03-13 23:59", "phone", "ann"), event("2024-03-15 00:00", "phone", "bob")]
    assert rows_of(ASSET, "2024-03-14", {"raw_events": events}) == []


def test_events_that_fire_without_a_person_still_tell_whose_device_it_is() -> None:
    events = [event("2024-03-14 09:00", "phone", "ann", name="app_remove")]
    assert rows_of(ASSET, "2024-03-14", {"raw_events": events}) == [seen("phone", "ann", "2024-03-14 09:00")]
