"""Tests of Firestore documents as `raw_users` and `raw_meetings`."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calback_assets.errors import SourceError
from calback_assets.sources.firestore.documents import Document, Problem, Snapshot, collections
from calback_assets.tables.raw import RAW_MEETINGS, RAW_USERS
from calback_assets_tests.sources.helpers import MARK

CREATED = datetime(2024, 3, 14, 1, 2, 3, 456789, tzinfo=UTC)
UPDATED = CREATED + timedelta(days=1)
READ = CREATED + timedelta(days=2)
KEY = b"key of a test"
TAKEN_AS_THEY_ARE = collections(KEY, tolerated=1.0)


def users(*documents: Document) -> Snapshot:
    return TAKEN_AS_THEY_ARE["raw_users"].snapshot(documents, READ)


def meetings(*documents: Document) -> Snapshot:
    return TAKEN_AS_THEY_ARE["raw_meetings"].snapshot(documents, READ)


def document(data: Mapping[str, object], id_: str = "id1") -> Document:
    return Document(id_, CREATED, UPDATED, data)


def only(snapshot: Snapshot) -> dict[str, Any]:
    (row,) = snapshot.rows.to_pylist()
    return row


TIMES = {"created_at": CREATED, "updated_at": UPDATED, "deleted_at": None, "snapshot_at": READ}
USER = {
    "name": MARK,
    "email": f" {MARK.upper()}\n",
    "photoUrl": f"https://example.com/{MARK}",
    "token": MARK,
    "flag": 3,
    "friends": ["a", "b"],
    "blockedUsers": [],
    "reqReceived": ["a", "mid:b"],
    "reqSent": ["c"],
    "openPrivacy": True,
    "a_field_of_tomorrow": MARK,
}
MEETING = {
    "owner": "u1",
    "content": f"{MARK}!",
    "from": datetime(2024, 3, 20, 10, tzinfo=timezone(timedelta(hours=9))),
    "to": "2024-03-20T11:00:00+09:00",
    "background": "#ffffff",
    "isAllDay": False,
    "id": "x",
    "recurrenceId": None,
    "recurrenceRule": "FREQ=DAILY",
    "recurrenceExceptionDates": None,
    "MID": "id1",
    "involved": ["u1", "u2"],
    "pendingInvolved": ["u3"],
}


def test_a_user_becomes_a_row_without_anything_personal() -> None:
    snapshot = users(document(USER))
    assert only(snapshot) == {
        "user_id": "id1",
        "email_hash": hmac.new(KEY, MARK.encode(), hashlib.sha256).hexdigest(),
        "has_photo": True,
        "has_push_token": True,
        "flag": 3,
        "friend_count": 2,
        "blocked_count": 0,
        "requests_received": 2,
        "requests_sent": 1,
        "open_privacy": True,
        **TIMES,
    }
    assert (snapshot.problems, snapshot.documents, snapshot.snapshot_at) == ((), 1, READ)
    assert snapshot.rows.column_names == list(RAW_USERS.column_names)


def test_a_meeting_becomes_a_row_without_its_title() -> None:
    snapshot = meetings(document(MEETING))
    assert only(snapshot) == {
        "meeting_id": "id1",
        "owner_id": "u1",
        "starts_at": datetime(2024, 3, 20, 1, tzinfo=UTC),
        "ends_at": datetime(2024, 3, 20, 2, tzinfo=UTC),
        "is_all_day": False,
        "is_pending": False,
        "is_recurring": True,
        "content_length": len(MARK) + 1,
        "involved_ids": ["u1", "u2"],
        "involved_count": 2,
        "pending_involved_count": 1,
        **TIMES,
    }
    assert snapshot.problems == ()
    assert snapshot.rows.column_names == list(RAW_MEETINGS.column_names)


@pytest.mark.parametrize("data", [{}, dict.fromkeys(USER), {"email": " ", "photoUrl": "", "token": ""}])
def test_what_a_user_lacks_is_no_problem(data: dict[str, object]) -> None:
    snapshot = users(document(data))
    assert only(snapshot) == {
        "user_id": "id1",
        "email_hash": None,
        "has_photo": False,
        "has_push_token": False,
        "flag": None,
        "friend_count": 0,
        "blocked_count": 0,
        "requests_received": 0,
        "requests_sent": 0,
        "open_privacy": None,
        **TIMES,
    }
    assert snapshot.problems == ()


@pytest.mark.parametrize("data", [{}, dict.fromkeys(MEETING)])
def test_what_a_meeting_lacks_is_no_problem(data: dict[str, object]) -> None:
    snapshot = meetings(document(data, "pending-1"))
    known = {"meeting_id": "pending-1", "is_pending": True, "is_recurring": False}
    assert only(snapshot) == dict.fromkeys(RAW_MEETINGS.column_names) | known | TIMES
    assert snapshot.problems == ()


@pytest.mark.parametrize(
    ("field", "value", "column", "taken", "reason"),
    [
        ("flag", 4.0, "flag", 4, None),
        ("flag", 4.5, "flag", None, "expected an integer, found float"),
        ("flag", float("inf"), "flag", None, "expected an integer, found float"),
        ("flag", MARK, "flag", None, "expected an integer, found str"),
        ("flag", True, "flag", None, "expected an integer, found bool"),
        ("flag", 2**63, "flag", None, "an integer beyond 64 bits"),
        ("email", 5, "email_hash", None, "expected a string, found int"),
        ("email", "\ud800", "email_hash", None, "a string that is not valid Unicode"),
        ("photoUrl", {"url": MARK}, "has_photo", None, "expected a string, found dict"),
        ("token", [MARK], "has_push_token", None, "expected a string, found list"),
        ("friends", MARK, "friend_count", None, "expected a list, found str"),
        ("friends", ["a", None, 5], "friend_count", 1, "a list in which not every element is a string"),
        ("openPrivacy", 1, "open_privacy", None, "expected a boolean, found int"),
    ],
)
def test_a_wrong_field_of_a_user_costs_only_itself(
    field: str, value: object, column: str, taken: object, reason: str | None
) -> None:
    snapshot = users(document(USER), document(USER | {field: value}, "id2"))
    whole, partly = snapshot.rows.to_pylist()
    assert partly == whole | {"user_id": "id2", column: taken}
    assert snapshot.problems == ((Problem("id2", field, reason),) if reason else ())


@pytest.mark.parametrize(
    ("field", "value", "taken", "reason"),
    [
        ("owner", 7, {"owner_id": None}, "expected a string, found int"),
        ("content", 7, {"content_length": None}, "expected a string, found int"),
        ("from", 1710460800, {"starts_at": None}, "expected a timestamp, found int"),
        ("from", MARK, {"starts_at": None}, "a string that is no RFC 3339 timestamp"),
        ("from", "2024-03-14T00:00:00", {"starts_at": None}, "a timestamp without a time zone"),
        ("from", "9999-12-31T23:59:59-01:00", {"starts_at": None}, "a timestamp outside the years 1 to 9999"),
        ("isAllDay", "yes", {"is_all_day": None}, "expected a boolean, found str"),
        ("recurrenceRule", 1, {"is_recurring": None}, "expected a string, found int"),
        (
            "involved",
            {"u1": True},
            {"involved_ids": None, "involved_count": None},
            "expected a list, found dict",
        ),
        (
            "involved",
            ["u1", 2, "\ud800"],
            {"involved_ids": ["u1"], "involved_count": 1},
            "a list in which not every element is a string",
        ),
    ],
)
def test_a_wrong_field_of_a_meeting_costs_only_itself(
    field: str, value: object, taken: dict[str, object], reason: str
) -> None:
    snapshot = meetings(document(MEETING), document(MEETING | {field: value}, "id2"))
    whole, partly = snapshot.rows.to_pylist()
    assert partly == whole | {"meeting_id": "id2"} | taken
    assert snapshot.problems == (Problem("id2", field, reason),)


HALF_PAST = datetime(2024, 3, 1, 10, 0, 0, 500_000, tzinfo=UTC)
"""1,709,287,200.5 seconds after 1970: 19,783 days of 86,400 seconds, and 10 hours."""


@pytest.mark.parametrize(
    "written",
    [
        {"_seconds": 1_709_287_200, "_nanoseconds": 500_000_999},
        {"seconds": 1_709_287_200, "nanoseconds": 500_000_000},
        {"seconds": 1_709_287_200.0, "nanoseconds": 5e8},
        {"seconds": 1_709_287_200, "nanoseconds": 500_000_000, "type": "firestore/timestamp/1.0"},
        {"__datatype__": "timestamp", "value": {"_seconds": 1_709_287_200, "_nanoseconds": 500_000_000}},
        {"__datatype__": "timestamp", "value": {"seconds": 1_709_287_200, "nanoseconds": 500_000_000}},
        "2024-03-01 10:00:00.5 UTC",
        "2024-03-01 10:00:00.500000 UTC",
        "2024-03-01 10:00:00.500000999 UTC",
        "2024-03-01 10:00:00.5+00",
        "2024-03-01T10:00:00.5Z",
        "2024-03-01T19:00:00.500+09:00",
    ],
)
def test_a_timestamp_is_taken_as_tools_write_it(written: object) -> None:
    snapshot = meetings(document(MEETING | {"from": written}))
    assert (only(snapshot)["starts_at"], snapshot.problems) == (HALF_PAST, ())


def test_a_timestamp_before_1970_has_negative_seconds_and_a_fraction_that_is_added() -> None:
    snapshot = meetings(document({"from": {"_seconds": -1, "_nanoseconds": 250_000_000}}))
    assert only(snapshot)["starts_at"] == datetime(1969, 12, 31, 23, 59, 59, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("2024-03-01 10:00:00", "a timestamp without a time zone"),
        ("2024-03-01 UTC", "a timestamp without a time zone"),
        ("2024-03-01 10:00:00 KST", "a string that is no RFC 3339 timestamp"),
        ("2024-03-01 ", "a string that is no RFC 3339 timestamp"),
        (" UTC", "a string that is no RFC 3339 timestamp"),
        ({"_seconds": 1_709_287_200}, "expected a timestamp, found dict"),
        ({"_seconds": 1, "nanoseconds": 0}, "expected a timestamp, found dict"),
        ({"seconds": 1, "nanoseconds": 0, "zone": MARK}, "expected a timestamp, found dict"),
        ({"seconds": 1, "nanoseconds": 0, "type": MARK}, "expected a timestamp, found dict"),
        ({"seconds": MARK, "nanoseconds": 0}, "expected an integer, found str"),
        ({"seconds": 1.5, "nanoseconds": 0}, "expected an integer, found float"),
        ({"seconds": 1, "nanoseconds": 10**9}, "a timestamp with nanoseconds that are no part of a second"),
        ({"seconds": 1, "nanoseconds": -1}, "a timestamp with nanoseconds that are no part of a second"),
        ({"seconds": 253_402_300_800, "nanoseconds": 0}, "a timestamp outside the years 1 to 9999"),
        ({"__datatype__": "geopoint", "value": {"_seconds": 1, "_nanoseconds": 0}}, "expected a timestamp, found dict"),
        ({"__datatype__": "timestamp", "value": MARK}, "expected a timestamp, found dict"),
    ],
)
def test_what_only_looks_like_a_timestamp_costs_the_field(written: object, reason: str) -> None:
    snapshot = meetings(document({"from": written}))
    assert only(snapshot)["starts_at"] is None
    assert snapshot.problems == (Problem("id1", "from", reason),)


def test_an_empty_collection_has_the_contract_s_columns_and_types() -> None:
    empty = meetings()
    assert (empty.rows.num_rows, empty.documents, empty.snapshot_at) == (0, 0, READ)
    assert empty.rows.schema == meetings(document(MEETING)).rows.schema
    assert empty.rows.schema.field("involved_ids").type == pa.list_(pa.string())
    assert empty.rows.schema.field("starts_at").type == pa.timestamp("us", tz="UTC")


def test_a_collection_of_many_chunks_keeps_every_document_in_order() -> None:
    ids = [f"u{number}" for number in range(25_000)]
    snapshot = users(*(document({}, id_) for id_ in ids))
    assert snapshot.rows.column("user_id").to_pylist() == ids


def test_a_document_that_occurs_twice_is_an_error_that_names_it() -> None:
    with pytest.raises(SourceError) as caught:
        users(document({}, "a"), document(USER, "b"), document(USER, "b"))
    assert str(caught.value) == (
        "raw_users: document b occurs more than once in one snapshot. Export the collection again, in one piece."
    )


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.binary()
    | st.datetimes(timezones=st.sampled_from([None, UTC, ZoneInfo("Asia/Seoul")]))
    | st.sampled_from([MARK, f"x{MARK}", "2024-03-14T00:00:00Z"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    user=st.fixed_dictionaries({}, optional=dict.fromkeys(USER, ANYTHING)),
    meeting=st.fixed_dictionaries({}, optional=dict.fromkeys(MEETING, ANYTHING)),
)
def test_no_document_fails_a_snapshot(user: dict[str, object], meeting: dict[str, object]) -> None:
    assert users(document(user)).rows.validate(full=True) is None
    assert meetings(document(meeting)).rows.validate(full=True) is None


STORED_ID_FIELDS = {"owner", "involved"}
"""Fields whose strings are user ids, which are kept."""


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    user=st.fixed_dictionaries({}, optional=dict.fromkeys(USER, st.sampled_from([MARK, [MARK, 1], {MARK: MARK}]))),
    meeting=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(sorted(MEETING.keys() - STORED_ID_FIELDS), st.sampled_from([MARK, [MARK], {MARK: 1}])),
    ),
)
def test_nothing_personal_comes_out(user: dict[str, object], meeting: dict[str, object]) -> None:
    for snapshot in (users(document(user)), meetings(document(meeting))):
        assert MARK not in json.dumps(snapshot.rows.to_pylist(), default=str)
        assert MARK not in repr(snapshot.problems)


def flagged(number: int, *, wrong: int) -> list[Document]:
    return [document({"flag": "many" if index < wrong else 1}, f"{MARK}{index}") for index in range(number)]


def test_one_per_cent_of_documents_with_what_cannot_be_taken_is_reported_and_more_fail() -> None:
    strict = collections(KEY, tolerated=0.01)["raw_users"]
    snapshot = strict.snapshot(flagged(200, wrong=2), READ)
    assert [problem.document_id for problem in snapshot.problems] == [f"{MARK}0", f"{MARK}1"]
    with pytest.raises(SourceError) as caught:
        strict.snapshot(flagged(200, wrong=3), READ)
    assert str(caught.value) == (
        "raw_users: 3 of 200 documents (1.5%) hold what cannot be taken, more than 1.0%: flag: expected an integer, "
        "found str (3 times). Nothing was written. See what the app writes there now; to take the documents without "
        "these values, raise CALBACK_MAX_REJECTED_SHARE"
    )


def test_no_single_document_fails_a_small_collection() -> None:
    strict = collections(KEY, tolerated=0.01)["raw_users"]
    assert len(strict.snapshot(flagged(3, wrong=1), READ).problems) == 1


def test_several_flaws_of_one_document_count_once() -> None:
    strict = collections(KEY, tolerated=0.01)["raw_users"]
    flawed = document({"flag": "many", "openPrivacy": "yes", "friends": "all"}, MARK)
    assert len(strict.snapshot([flawed, *flagged(10, wrong=0)], READ).problems) == 3


def test_only_fields_that_become_columns_are_asked_for() -> None:
    declared = collections(KEY, tolerated=0.01)
    assert list(declared["raw_users"].fields) == [
        *("blockedUsers", "email", "flag", "friends", "openPrivacy", "photoUrl", "reqReceived", "reqSent", "token"),
    ]
    assert list(declared["raw_meetings"].fields) == [
        *("content", "from", "involved", "isAllDay", "owner", "pendingInvolved", "recurrenceRule", "to"),
    ]
