"""Tests of `user_behaviour`: events under their own names, and what is declared of meetings."""

from collections.abc import Sequence
from typing import Any

import pytest

from calback_assets.assets.core.user_behaviour import ASSET
from calback_assets_tests.assets.given import Row, at, day, rows_of

DAY = "2024-03-14"


def happened(user: str | None, name: str = "tap", *, is_activity: bool = True, **more: Any) -> Row:
    """A row of `unified_events`."""
    what = {"event_name": name, "source": "analytics", "is_activity": is_activity}
    return {"event_date": day(DAY), "user_id": user, **what, **more}


def met(owner: str | None, involved: Sequence[str] | None, when: str = f"{DAY} 12:00", **more: Any) -> Row:
    """A row of `raw_meetings`."""
    count = None if involved is None else len(involved)
    what = {"is_pending": False, "is_all_day": False, "is_recurring": False, "involved_count": count}
    return {"meeting_id": f"{when} {owner}", "owner_id": owner, "involved_ids": involved, "created_at": at(when)} | (
        what | more
    )


def behaviours(events: Sequence[Row] = (), meetings: Sequence[Row] = ()) -> dict[str, dict[str, int]]:
    """What each person did on the day, and how often."""
    found: dict[str, dict[str, int]] = {}
    for row in rows_of(ASSET, DAY, {"unified_events": events, "raw_meetings": meetings}):
        assert row["event_date"] == day(DAY)
        found.setdefault(row["user_id"], {})[row["behaviour"]] = row["times"]
    return found


def test_every_activity_of_the_app_and_the_log_is_counted_under_its_own_name() -> None:
    events = [happened("ann"), happened("ann"), happened("bob"), happened("ann", "search")]
    events += [happened("ann", "app_open", source="access_log"), happened("cho", event_date=day("2024-03-13"))]
    assert behaviours(events) == {"ann": {"tap": 2, "search": 1, "app_open": 1}, "bob": {"tap": 1}}


def test_a_crash_counts_and_what_else_fires_without_a_person_does_not() -> None:
    events = [happened("ann", name, is_activity=False) for name in ("app_exception", "app_remove", "os_update")]
    events += [happened(None, "app_exception", is_activity=False), happened(None, is_activity=False)]
    assert behaviours(events) == {"ann": {"app_exception": 1}}


def test_documents_are_counted_by_what_is_declared_and_not_by_their_events() -> None:
    events = [happened("ann", "user_registered", source="users"), happened("ann", "meeting_created", source="meetings")]
    assert behaviours(events) == {}


def test_the_platforms_of_events_are_kept_apart() -> None:
    events = [happened("ann", platform=platform) for platform in ("IOS", "IOS", "ANDROID", "WEB", None)]
    (row,) = rows_of(ASSET, DAY, {"unified_events": events})
    assert (row["times"], row["times_on_android"], row["times_on_ios"], row["times_on_web"]) == (5, 1, 2, 1)


ALONE, OTHERS = {"meeting_created": 1, "meeting_alone": 1}, {"meeting_created": 1, "meeting_with_others": 1}


@pytest.mark.parametrize(
    ("meeting", "of_ann"),
    [
        (met("ann", []), ALONE),
        (met("ann", ["ann"]), ALONE),
        (met("ann", ["ann", "ann"]), ALONE),
        (met("ann", ["bob"]), OTHERS),
        (met("ann", ["ann", "bob"]), OTHERS),
        (met("ann", None), {"meeting_created": 1}),
        (met("ann", [], is_pending=True), {"meeting_proposed": 1, "meeting_alone": 1}),
        (met("ann", ["bob"], is_pending=True), {"meeting_proposed": 1, "meeting_alone": 1}),
        (met("ann", None, is_pending=True), {"meeting_proposed": 1, "meeting_alone": 1}),
        (met("ann", [], is_recurring=True, is_all_day=True), {**ALONE, "meeting_recurring": 1, "meeting_all_day": 1}),
        (met("ann", [], is_recurring=None, is_all_day=None), ALONE),
    ],
)
def test_a_meeting_says_what_its_owner_did(meeting: Row, of_ann: dict[str, int]) -> None:
    assert behaviours(meetings=[meeting])["ann"] == of_ann


def test_a_guest_who_was_erased_still_was_a_guest() -> None:
    assert behaviours(meetings=[met("ann", [], involved_count=1)]) == {"ann": OTHERS}


def test_each_guest_but_the_owner_joined_the_meeting_once() -> None:
    meetings = [met("ann", ["ann", "bob", "bob", "cho"]), met("dan", ["bob"]), met(None, ["cho"])]
    found = behaviours(meetings=meetings)
    assert {user: done.get("meeting_joined") for user, done in found.items()} == {
        "ann": None, "bob": 2, "cho": 2, "dan": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("when", "is_counted"),
    [
        ("2024-03-13 23:59:59.999999", False),
        ("2024-03-14 00:00", True),
        ("2024-03-14 23:59:59.999999", True),
        ("2024-03-15 00:00", False),
    ],
)
def test_a_meeting_is_of_the_day_in_the_zone_on_which_it_was_made(when: str, is_counted: bool) -> None:
    assert bool(behaviours(meetings=[met("ann", ["bob"], when)])) == is_counted


def test_a_meeting_without_an_owner_is_no_ones_doing() -> None:
    assert behaviours(meetings=[met(None, [])]) == {}
