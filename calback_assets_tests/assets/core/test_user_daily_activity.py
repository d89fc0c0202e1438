"""Tests of what `user_daily_activity` counts for a person and a day."""

from typing import Any

from calback_assets.assets.core.user_daily_activity import ASSET
from calback_assets_tests.assets.given import Row, at, day, rows_of

DAY = "2024-03-14"


def happened(user: str | None, name: str = "tap", source: str = "analytics", hour: int = 9, **more: Any) -> Row:
    """A row of `unified_events`."""
    return {
        "event_date": day(DAY),
        "event_timestamp": at(f"{DAY} {hour:02}:00"),
        "user_id": user,
        "event_name": name,
        "source": source,
        "is_activity": True,
        **more,
    }


def opens(user: str) -> Row:
    return happened(user, "app_open", "access_log", hour=0)


def activity(*events: Row) -> dict[str, Row]:
    """The day's rows by user."""
    return {row["user_id"]: row for row in rows_of(ASSET, DAY, {"unified_events": events})}


def test_a_day_of_a_person_is_counted_from_all_sources() -> None:
    (row,) = activity(
        happened("ann", "session_start", hour=9, session_id="phone.1"),
        happened("ann", "tap", hour=10, session_id="phone.1"),
        happened("ann", "tap", hour=21, session_id="phone.2"),
        happened("ann", "meeting_created", "meetings", hour=11),
        happened("ann", "meeting_proposed", "meetings", hour=12),
        happened("ann", "user_registered", "users", hour=8),
    ).values()
    assert row == {
        "event_date": day(DAY),
        "user_id": "ann",
        "is_anonymous": False,
        "events": 6,
        "sessions": 2,
        "app_opens": 1,
        "meetings_created": 1,
        "first_event_at": at(f"{DAY} 08:00"),
        "last_event_at": at(f"{DAY} 21:00"),
        "actions": [
            {"event_name": "meeting_created", "events": 1},
            {"event_name": "meeting_proposed", "events": 1},
            {"event_name": "session_start", "events": 1},
            {"event_name": "tap", "events": 2},
            {"event_name": "user_registered", "events": 1},
        ],
    }


def test_app_opens_are_the_rows_of_the_access_log_where_the_day_has_one() -> None:
    rows = activity(opens("ann"), opens("ann"), happened("ann", "session_start"), happened("bob", "session_start"))
    assert {user: row["app_opens"] for user, row in rows.items()} == {"ann": 2, "bob": 0}


def test_app_opens_are_session_starts_on_a_day_without_an_access_log() -> None:
    rows = activity(happened("ann", "session_start"), happened("ann", "session_start", hour=10), happened("bob"))
    assert {user: row["app_opens"] for user, row in rows.items()} == {"ann": 2, "bob": 0}


def test_sessions_are_counted_once_each_and_events_without_one_belong_to_none() -> None:
    rows = activity(happened("ann"), happened("bob", session_id="b.1"), happened("bob", session_id="b.1"))
    assert {user: row["sessions"] for user, row in rows.items()} == {"ann": 0, "bob": 1}


def test_whoever_is_known_by_a_user_id_once_on_the_day_is_identified() -> None:
    rows = activity(
        happened("ann", is_anonymous=True),
        happened("ann", is_anonymous=False),
        happened("phone", is_anonymous=True),
    )
    assert {user: row["is_anonymous"] for user, row in rows.items()} == {"ann": False, "phone": True}


def test_what_is_no_activity_counts_nowhere() -> None:
    rows = activity(
        happened("ann", "tap", hour=9),
        happened("ann", "app_update", hour=7, is_activity=False, session_id="a.1"),
        happened("bob", "app_remove", is_activity=False),
        happened(None, "tap", is_activity=False),
    )
    assert rows.keys() == {"ann"}
    assert (rows["ann"]["events"], rows["ann"]["sessions"]) == (1, 0)
    assert rows["ann"]["first_event_at"] == at(f"{DAY} 09:00")
    assert rows["ann"]["actions"] == [{"event_name": "tap", "events": 1}]


def test_an_event_named_like_one_of_another_source_is_not_taken_for_it() -> None:
    (row,) = activity(happened("ann", "meeting_created"), happened("ann", "session_start", "users")).values()
    assert (row["meetings_created"], row["app_opens"]) == (0, 0)


def test_a_day_without_events_has_no_rows() -> None:
    assert activity() == {}
