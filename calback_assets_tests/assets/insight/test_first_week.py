"""Tests of `first_week`: days 1-7 of each person, and no other."""

from collections.abc import Sequence

import pytest

from calback_assets.assets.insight.first_week import ASSET
from calback_assets_tests.assets.given import Row, active, day, did, joined, rows_of

DAY_1, DAY_7 = "2024-02-27", "2024-03-04"


def weeks(people: Sequence[Row], done: Sequence[Row] = (), activity: Sequence[Row] = ()) -> dict[str, Row]:
    """The first weeks that end with day 7, by person."""
    tables = {"user_joined": people, "user_behaviour": done, "user_daily_activity": activity}
    return {row["user_id"]: row for row in rows_of(ASSET, DAY_7, tables)}


def behaviours(*done: Row) -> dict[str, tuple[int, int]]:
    """What Ann did in her first week: how often, and on how many days."""
    listed = weeks([joined(DAY_1, "ann")], done)["ann"]["behaviours"]
    assert [one["behaviour"] for one in listed] == sorted(one["behaviour"] for one in listed)
    return {one["behaviour"]: (one["times"], one["days"]) for one in listed}


def test_the_week_of_a_person_is_added_up() -> None:
    activity = [
        active(DAY_1, "ann", events=5, sessions=1, app_opens=2),
        active("2024-02-29", "ann", events=3, sessions=2, app_opens=1),
        active(DAY_1, "bob", events=9),
    ]
    assert weeks([joined(DAY_1, "ann")], [did(DAY_1, "ann")], activity) == {
        "ann": {
            "event_date": day(DAY_7),
            "user_id": "ann",
            "joined_on": day(DAY_1),
            "basis": "registration",
            "active_days": 2,
            "sessions": 3,
            "events": 8,
            "app_opens": 3,
            "platform": None,
            "behaviours": [{"behaviour": "tap", "times": 1, "days": 1}],
        }
    }


def test_it_is_of_those_whose_seventh_day_it_is() -> None:
    people = [joined("2024-02-26", "ann"), joined(DAY_1, "bob", "first_activity"), joined("2024-02-28", "cho")]
    assert {user: row["basis"] for user, row in weeks(people).items()} == {"bob": "first_activity"}


@pytest.mark.parametrize(("when", "counts"), [("2024-02-26", 0), (DAY_1, 1), (DAY_7, 1), ("2024-03-05", 0)])
def test_days_1_and_7_count_and_the_days_around_them_do_not(when: str, counts: int) -> None:
    row = weeks([joined(DAY_1, "ann")], [did(when, "ann", times_on_ios=1)], [active(when, "ann")])["ann"]
    assert (row["active_days"], row["events"], len(row["behaviours"])) == (counts, counts, counts)
    assert row["platform"] == ("IOS" if counts else None)


def test_somebody_who_did_nothing_has_an_empty_week() -> None:
    row = weeks([joined(DAY_1, "ann")])["ann"]
    assert (row["active_days"], row["sessions"], row["events"], row["app_opens"]) == (0, 0, 0, 0)
    assert (row["platform"], row["behaviours"]) == (None, [])


def test_times_and_days_of_a_behaviour_are_counted_apart() -> None:
    done = [did(DAY_1, "ann", times=3), did(DAY_7, "ann", times=2), did("2024-03-01", "ann", "search")]
    assert behaviours(*done) == {"tap": (5, 2), "search": (1, 1)}


def test_a_meeting_that_somebody_joined_is_left_out_for_nobody_knows_when() -> None:
    assert behaviours(did(DAY_1, "ann", "meeting_joined"), did(DAY_1, "ann", "meeting_with_others")) == {
        "meeting_with_others": (1, 1)
    }


@pytest.mark.parametrize(
    ("sent", "accepted", "unanswered"), [(1, 0, (1, 1)), (3, 1, (2, 1)), (1, 1, None), (1, 2, None), (0, 1, None)]
)
def test_friend_requests_are_unanswered_where_more_were_sent_than_accepted(
    sent: int, accepted: int, unanswered: tuple[int, int] | None
) -> None:
    done = [did(DAY_1, "ann", "friend_request_sent", sent)] if sent else []
    done += [did(DAY_7, "ann", "friend_request_accepted", accepted)] if accepted else []
    assert behaviours(*done).get("friend_request_unanswered") == unanswered


def test_requests_are_unanswered_by_the_week_and_not_by_the_day() -> None:
    done = [did(DAY_1, "ann", "friend_request_sent", 2), did("2024-02-29", "ann", "friend_request_sent")]
    done += [did("2024-03-02", "ann", "friend_request_accepted")]
    assert behaviours(*done)["friend_request_unanswered"] == (2, 2)


@pytest.mark.parametrize(
    ("android", "ios", "web", "platform"),
    [(2, 1, 0, "ANDROID"), (1, 2, 0, "IOS"), (0, 1, 2, "WEB"), (1, 1, 1, "ANDROID"), (0, 1, 1, "IOS"), (0, 0, 0, None)],
)
def test_the_platform_is_that_of_most_events(android: int, ios: int, web: int, platform: str | None) -> None:
    done = [
        did(DAY_1, "ann", times=3, times_on_android=android, times_on_web=web),
        did(DAY_7, "ann", "search", times=3, times_on_ios=ios),
    ]
    assert weeks([joined(DAY_1, "ann")], done)["ann"]["platform"] == platform
