"""Tests of `unified_events`: whose an event is, which copies fall away, and what the other sources add."""

import pytest

from calback_assets.assets.core.unified_events import ASSET
from calback_assets_tests.assets.given import Row, Tables, at, event, opened, params, rows_of, seen

DAY = "2024-03-14"


def unified(tables: Tables) -> list[Row]:
    """The day's rows by time, then id."""
    return sorted(rows_of(ASSET, DAY, tables), key=lambda row: (row["event_timestamp"], row["event_id"]))


def people(*events: Row, identity: tuple[Row, ...] = ()) -> list[tuple[str | None, bool]]:
    """Whose each event is, by time, and whether the device stands in."""
    rows = unified({"raw_events": events, "device_identity": identity})
    return [(row["user_id"], row["is_anonymous"]) for row in rows]


def test_an_event_belongs_to_its_own_user_whoever_held_the_device() -> None:
    carried = seen("phone", "ann", "2024-03-13 09:00")
    assert people(event(f"{DAY} 09:00", "phone", "bob"), identity=(carried,)) == [("bob", False)]


def test_an_event_without_user_belongs_to_the_last_one_seen_on_the_device_through_the_day() -> None:
    assert people(
        event(f"{DAY} 08:00", "phone"),
        event(f"{DAY} 09:00", "phone", "ann"),
        event(f"{DAY} 10:00", "phone"),
        event(f"{DAY} 11:00", "phone", "bob"),
        event(f"{DAY} 12:00", "phone"),
        event(f"{DAY} 13:00", "phone", "ann"),
        event(f"{DAY} 14:00", "phone"),
    ) == [
        ("ann", False),  # nobody before: the first one seen later that day
        ("ann", False),
        ("ann", False),
        ("bob", False),
        ("bob", False),
        ("ann", False),
        ("ann", False),
    ]


def test_the_holder_carried_from_before_has_the_device_until_somebody_else_is_seen_on_it() -> None:
    assert people(
        event(f"{DAY} 08:00", "phone"),
        event(f"{DAY} 09:00", "phone", "bob"),
        event(f"{DAY} 10:00", "phone"),
        identity=(seen("phone", "ann", "2024-03-13 23:00"), seen("phone", "bob", "2024-03-13 22:00")),
    ) == [("ann", False), ("bob", False), ("bob", False)]


def test_the_holder_seen_again_keeps_the_device() -> None:
    assert (
        people(
            event(f"{DAY} 08:00", "phone"),
            event(f"{DAY} 09:00", "phone", "ann"),
            event(f"{DAY} 10:00", "phone"),
            identity=(seen("phone", "ann", "2024-03-13 09:00"),),
        )
        == [("ann", False)] * 3
    )


@pytest.mark.parametrize(
    ("last_seen", "user", "is_anonymous"),
    [
        # The 30 days that end with 14 March begin with 14 February: 29 days before (2024 has a 29 February).
        ("2024-02-14 00:00", "ann", False),
        ("2024-02-13 23:59:59.999999", "phone", True),
    ],
)
def test_a_user_is_carried_from_29_days_before_and_not_from_30(last_seen: str, user: str, is_anonymous: bool) -> None:
    identity = (seen("phone", "ann", last_seen),)
    assert people(event(f"{DAY} 09:00", "phone"), identity=identity) == [(user, is_anonymous)]


def test_the_latest_of_the_users_carried_counts_not_the_latest_day_of_the_first() -> None:
    identity = (
        seen("phone", "ann", "2024-03-10 08:00", "2024-03-10 20:00"),
        seen("phone", "bob", "2024-03-10 09:00", "2024-03-10 21:00"),
        seen("phone", "cho", "2024-03-09 23:00"),
    )
    assert people(event(f"{DAY} 09:00", "phone"), identity=identity) == [("bob", False)]


def test_nothing_from_after_the_day_is_used() -> None:
    identity = (seen("phone", "ann", "2024-03-15 00:00"),)
    tomorrow = event("2024-03-15 00:00", "phone", "ann")
    assert people(event(f"{DAY} 09:00", "phone"), tomorrow, identity=identity) == [("phone", True)]


def test_the_row_of_the_day_itself_in_device_identity_says_nothing_that_the_events_do_not() -> None:
    identity = (seen("phone", "bob", f"{DAY} 10:00"), seen("phone", "ann", f"{DAY} 07:00", f"{DAY} 12:00"))
    assert people(
        event(f"{DAY} 07:00", "phone", "ann"),
        event(f"{DAY} 08:00", "phone"),
        event(f"{DAY} 10:00", "phone", "bob"),
        event(f"{DAY} 11:00", "phone"),
        event(f"{DAY} 12:00", "phone", "ann"),
        identity=identity,
    ) == [("ann", False), ("ann", False), ("bob", False), ("bob", False), ("ann", False)]


def test_a_user_seen_on_one_device_has_no_part_in_another() -> None:
    assert people(event(f"{DAY} 08:00", "tablet"), event(f"{DAY} 09:00", "phone", "ann")) == [
        ("tablet", True),
        ("ann", False),
    ]


def test_an_event_at_the_very_time_of_a_sighting_belongs_to_the_user_sighted() -> None:
    assert people(
        event(f"{DAY} 08:00", "phone", "ann"),
        event(f"{DAY} 09:00", "phone", "bob"),
        event(f"{DAY} 09:00", "phone", name="swipe"),
    ) == [("ann", False), ("bob", False), ("bob", False)]


def test_of_two_users_at_the_very_same_time_the_greater_id_holds_the_device_whatever_the_order() -> None:
    together = [event(f"{DAY} 09:00", "phone", "bob"), event(f"{DAY} 09:00", "phone", "ann", name="swipe")]
    later = event(f"{DAY} 10:00", "phone")
    assert people(*together, later)[-1] == people(*reversed(together), later)[-1] == ("bob", False)


def test_an_event_with_no_id_at_all_is_kept_and_is_nobodys_activity() -> None:
    (row,) = unified({"raw_events": [event(f"{DAY} 09:00", None)]})
    assert (row["user_id"], row["is_activity"], row["session_id"]) == (None, False, None)


def test_an_event_with_a_user_and_no_device_is_the_users() -> None:
    (row,) = unified({"raw_events": [event(f"{DAY} 09:00", None, "ann", params={"ga_session_id": 7})]})
    assert (row["user_id"], row["is_anonymous"], row["is_activity"], row["session_id"]) == ("ann", False, True, None)


def test_an_event_keeps_what_the_export_says_of_it() -> None:
    told = event(
        f"{DAY} 09:00", "phone", "ann", name="open_meeting", is_active_user=True, platform="IOS",
        country="South Korea", app_version="1.2",
        params={"ga_session_id": 7, "screen": "home", "score": 0.5},
    )  # fmt: skip
    (row,) = unified({"raw_events": [told]})
    assert len(row.pop("event_id")) == 32
    assert row == {
        "event_date": told["event_date"],
        "event_timestamp": at(f"{DAY} 09:00"),
        "user_id": "ann",
        "is_anonymous": False,
        "source": "analytics",
        "event_name": "open_meeting",
        "is_activity": True,
        "is_active_user": True,
        "session_id": "phone.7",
        "platform": "IOS",
        "country": "South Korea",
        "app_version": "1.2",
        "properties": params(ga_session_id=7, screen="home", score=0.5),
    }


def test_the_last_microsecond_of_an_event_is_kept() -> None:
    (row,) = unified({"raw_events": [event(f"{DAY} 23:59:59.999999")]})
    assert row["event_timestamp"] == at(f"{DAY} 23:59:59.999999")


@pytest.mark.parametrize("parameters", [None, []])
@pytest.mark.parametrize("index", [None, 1])
def test_an_event_without_parameters_is_an_event(parameters: list[Row] | None, index: int | None) -> None:
    told = event(f"{DAY} 09:00", batch_event_index=index) | {"event_params": parameters}
    (row,) = unified({"raw_events": [told, told]})
    assert row["session_id"] is None


def test_an_event_without_session_has_no_session_id() -> None:
    (row,) = unified({"raw_events": [event(f"{DAY} 09:00", params={"screen": "home"})]})
    assert row["session_id"] is None


def test_events_that_fire_without_a_person_are_no_activity_and_all_others_are() -> None:
    silent = [
        "app_remove", "app_update", "app_clear_data", "os_update", "app_exception", "notification_receive",
        "notification_dismiss", "firebase_campaign",
    ]  # fmt: skip
    acts = ["session_start", "notification_open", "first_open", "screen_view", "user_engagement"]
    rows = unified({"raw_events": [event(f"{DAY} 09:00", "phone", name=name) for name in silent + acts]})
    assert {row["event_name"]: row["is_activity"] for row in rows} == {name: name in acts for name in silent + acts}
    assert {row["user_id"] for row in rows} == {"phone"}


NUMBERED: Row = {"event_bundle_sequence_id": 5, "batch_event_index": 1}


def count(*events: Row) -> int:
    """How many events are left of these, all ids distinct."""
    rows = unified({"raw_events": events})
    assert len({row["event_id"] for row in rows}) == len(rows)
    return len(rows)


@pytest.mark.parametrize("ids", [NUMBERED, {"event_bundle_sequence_id": 5}, {"batch_event_index": 1}, {}])
def test_an_exact_copy_is_dropped(ids: Row) -> None:
    copy = event(f"{DAY} 09:00", params={"screen": "home", "score": 0.5}, **ids)
    assert count(copy, copy, copy) == 1


def test_copies_without_a_device_are_dropped_too() -> None:
    copy = event(f"{DAY} 09:00", None, **NUMBERED)
    assert count(copy, copy) == 1


@pytest.mark.parametrize(
    "difference",
    [
        {"user_pseudo_id": "tablet"},
        {"user_pseudo_id": None},
        {"event_timestamp": 1},
        {"event_name": "swipe"},
        {"event_bundle_sequence_id": 6},
        {"batch_event_index": 2},
        {"batch_event_index": 0},
    ],
)
def test_events_that_differ_in_any_part_of_the_key_are_two(difference: Row) -> None:
    one = event(f"{DAY} 09:00", **NUMBERED)
    assert count(one, one | difference) == 2


def test_a_batch_index_that_is_null_is_0() -> None:
    one = event(f"{DAY} 09:00", event_bundle_sequence_id=5)
    assert count(one | {"batch_event_index": None}, one | {"batch_event_index": 0}) == 1


def test_parameters_do_not_tell_numbered_events_apart() -> None:
    assert count(
        event(f"{DAY} 09:00", params={"screen": "home"}, **NUMBERED),
        event(f"{DAY} 09:00", params={"screen": "calendar"}, **NUMBERED),
    ) == 1  # fmt: skip


@pytest.mark.parametrize("ids", [{"event_bundle_sequence_id": 5}, {}])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"screen": "home"}, {"screen": "calendar"}),
        ({"screen": "home"}, {"view": "home"}),
        ({"count": 1}, {"count": 2}),
        ({"score": 0.5}, {"score": 0.25}),
        ({"screen": "home"}, {}),
    ],
)
def test_parameters_tell_events_apart_that_are_not_numbered(ids: Row, one: Row, other: Row) -> None:
    assert count(event(f"{DAY} 09:00", params=one, **ids), event(f"{DAY} 09:00", params=other, **ids)) == 2


def test_the_order_of_parameters_does_not_tell_events_apart() -> None:
    assert count(
        event(f"{DAY} 09:00", params={"screen": "home", "count": 1}),
        event(f"{DAY} 09:00", params={"count": 1, "screen": "home"}),
    ) == 1  # fmt: skip


def test_of_two_copies_the_one_that_says_who_it_was_is_kept() -> None:
    silent, telling = event(f"{DAY} 09:00", **NUMBERED), event(f"{DAY} 09:00", user="ann", **NUMBERED)
    for copies in ([silent, telling], [telling, silent]):
        assert [row["user_id"] for row in unified({"raw_events": copies})] == ["ann"]


@pytest.mark.parametrize(
    "difference", [{"event_params": params(screen="calendar")}, {"platform": "WEB"}, {"is_active_user": False}]
)
def test_which_of_two_copies_is_kept_does_not_hang_on_their_order(difference: Row) -> None:
    one = event(f"{DAY} 09:00", platform="IOS", is_active_user=True, params={"screen": "home"}, **NUMBERED)
    copies = [one, one | difference]
    assert unified({"raw_events": copies}) == unified({"raw_events": copies[::-1]})


def test_event_ids_are_the_same_every_time() -> None:
    tables = {"raw_events": [event(f"{DAY} 09:00")], "raw_access_log": [opened(DAY, "ann"), opened(DAY, "ann")]}
    assert unified(tables) == unified(tables)


MESSAGE: Row = {"topic": "opens", "partition": 0, "offset": 12}


def test_an_app_open_stands_at_the_start_of_its_day() -> None:
    (row,) = unified({"raw_access_log": [opened(DAY, "7")]})
    assert row.pop("event_id")
    assert {name: value for name, value in row.items() if value is not None} == {
        "event_date": at(f"{DAY} 09:00").date(),
        "event_timestamp": at(f"{DAY} 00:00"),
        "user_id": "7",
        "is_anonymous": False,
        "source": "access_log",
        "event_name": "app_open",
        "is_activity": True,
    }


def test_a_message_that_kafka_delivered_twice_is_one_open() -> None:
    log = [opened(DAY, "7", **MESSAGE)] * 3 + [opened(DAY, "7", **MESSAGE | {"offset": 13})]
    assert len(unified({"raw_access_log": log})) == 2


@pytest.mark.parametrize("other", [{"topic": "other"}, {"partition": 1}, {"offset": 13}])
def test_a_message_is_known_by_topic_partition_and_offset_together(other: Row) -> None:
    log = [opened(DAY, "7", **MESSAGE), opened(DAY, "7", **MESSAGE | other)]
    assert len(unified({"raw_access_log": log})) == 2


@pytest.mark.parametrize("lost", ["topic", "partition", "offset"])
def test_a_row_that_is_not_fully_keyed_counts_however_often_it_repeats(lost: str) -> None:
    log = [opened(DAY, "7", **MESSAGE | {lost: None})] * 3
    rows = unified({"raw_access_log": log})
    assert len(rows) == len({row["event_id"] for row in rows}) == 3


def test_two_users_open_the_app_at_different_ids() -> None:
    rows = unified({"raw_access_log": [opened(DAY, "7"), opened(DAY, "8"), opened(DAY, "7")]})
    assert len({row["event_id"] for row in rows}) == 3


def user(name: str, created: str, **more: object) -> Row:
    return {"user_id": name, "created_at": at(created), **more}


def meeting(name: str, owner: str | None, created: str, **more: object) -> Row:
    return {"meeting_id": name, "owner_id": owner, "created_at": at(created), **more}


@pytest.mark.parametrize(
    ("created", "is_that_day"),
    [
        ("2024-03-13 23:59:59.999999", False),
        ("2024-03-14 00:00", True),
        ("2024-03-14 23:59:59.999999", True),
        ("2024-03-15 00:00", False),
    ],
)
def test_documents_are_events_of_the_day_on_which_they_were_created(created: str, is_that_day: bool) -> None:
    rows = unified({"raw_users": [user("ann", created)], "raw_meetings": [meeting("m", "ann", created)]})
    assert sorted(row["event_name"] for row in rows) == (["meeting_created", "user_registered"] if is_that_day else [])


def test_a_registration_is_the_users_own_act() -> None:
    (row,) = unified({"raw_users": [user("ann", f"{DAY} 09:00")]})
    assert row.pop("event_id")
    assert {name: value for name, value in row.items() if value is not None} == {
        "event_date": at(f"{DAY} 09:00").date(),
        "event_timestamp": at(f"{DAY} 09:00"),
        "user_id": "ann",
        "is_anonymous": False,
        "source": "users",
        "event_name": "user_registered",
        "is_activity": True,
    }


def test_a_meeting_is_its_owners_act_and_a_proposal_is_told_from_it() -> None:
    rows = unified(
        {
            "raw_meetings": [
                meeting("m1", "ann", f"{DAY} 09:00"),
                meeting("pending1", "bob", f"{DAY} 10:00", is_pending=True),
            ]
        }
    )
    assert [(row["user_id"], row["source"], row["event_name"], row["is_activity"]) for row in rows] == [
        ("ann", "meetings", "meeting_created", True),
        ("bob", "meetings", "meeting_proposed", True),
    ]


def test_a_meeting_without_owner_is_kept_and_is_nobodys_activity() -> None:
    (row,) = unified({"raw_meetings": [meeting("m1", None, f"{DAY} 09:00")]})
    assert (row["user_id"], row["is_activity"]) == (None, False)


def test_documents_that_were_deleted_later_still_count() -> None:
    gone = {"deleted_at": at("2024-06-01 00:00")}
    rows = unified(
        {
            "raw_users": [user("ann", f"{DAY} 09:00", **gone)],
            "raw_meetings": [meeting("m1", "ann", f"{DAY} 10:00", **gone)],
        }
    )
    assert [row["event_name"] for row in rows] == ["user_registered", "meeting_created"]


def test_a_day_without_anything_is_empty() -> None:
    assert unified({}) == []
