"""Tests of the forms in which tools write documents into files."""

import gzip
import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calback_assets.errors import SourceError
from calback_assets.sources.firestore.documents import Problem, Snapshot, collections
from calback_assets.sources.firestore.files import FirestoreFiles
from calback_assets_tests.sources.helpers import MARK, write_lines

DECLARED = collections(b"key of a test", tolerated=1.0)
REMEDY = "Correct or remove the line, or export the file again."
MODIFIED = datetime(2024, 4, 1, tzinfo=UTC)
USERS = "projects/calback/databases/(default)/documents/userCollection"
MEETINGS = "projects/calback/databases/(default)/documents/meetingsCollection"


def read(folder: Path, table: str = "raw_users") -> Snapshot:
    for path in folder.iterdir():
        os.utime(path, (MODIFIED.timestamp(), MODIFIED.timestamp()))
    return FirestoreFiles(folder, DECLARED).snapshots([table], pytest.fail)[table]


def facts(snapshot: Snapshot, *columns: str) -> list[tuple[object, ...]]:
    return [tuple(row[column] for column in columns) for row in snapshot.rows.to_pylist()]


def failure(folder: Path) -> str:
    with pytest.raises(SourceError) as caught:
        read(folder)
    assert MARK not in str(caught.value)
    return str(caught.value)


PLAIN = {"id": "p", "create_time": "2024-03-01T10:00:00Z", "update_time": "2024-03-01T10:00:00Z", "data": {}}
REST: dict[str, object] = {
    "name": f"{MEETINGS}/m1",
    "fields": {
        "owner": {"stringValue": "u1"},
        "content": {"stringValue": "lunch"},
        "from": {"timestampValue": "2024-03-20T01:00:00.500Z"},
        "to": {"timestampValue": "2024-03-20T02:00:00.000000001Z"},
        "isAllDay": {"booleanValue": False},
        "recurrenceRule": {"nullValue": None},
        "involved": {"arrayValue": {"values": [{"stringValue": "u1"}, {"stringValue": "u2"}]}},
        "pendingInvolved": {"arrayValue": {}},
        "a_field_of_tomorrow": {"mapValue": {"fields": {"a": {"stringValue": MARK}}}},
    },
    "createTime": "2024-03-14T01:02:03.456789Z",
    "updateTime": "2024-03-15T01:02:03.456789Z",
}


def test_times_of_a_plain_document_are_taken_as_tools_write_them(tmp_path: Path) -> None:
    made = {"_seconds": 1_709_287_200, "_nanoseconds": 500_000_000}
    changed = "2024-03-01 10:00:00.75 UTC"
    write_lines(tmp_path / "userCollection.ndjson.gz", [PLAIN | {"create_time": made, "update_time": changed}])
    half_past, later = (datetime(2024, 3, 1, 10, 0, 0, micros, UTC) for micros in (500_000, 750_000))
    assert facts(read(tmp_path), "user_id", "created_at", "updated_at") == [("p", half_past, later)]


def test_a_byte_order_mark_and_windows_lines_and_blank_ones_are_nothing(tmp_path: Path) -> None:
    lines = f"\ufeff\r\n{json.dumps(PLAIN)}\r\n\r\n{json.dumps(PLAIN | {'id': 'q'})}\r\n"
    (tmp_path / "userCollection.json").write_bytes(lines.encode())
    assert facts(read(tmp_path), "user_id") == [("p",), ("q",)]


def test_an_array_of_documents_over_many_lines_is_read(tmp_path: Path) -> None:
    (tmp_path / "userCollection.json").write_text(json.dumps([PLAIN, PLAIN | {"id": "q"}], indent=2))
    assert facts(read(tmp_path), "user_id", "snapshot_at") == [("p", MODIFIED), ("q", MODIFIED)]


def test_a_meeting_in_firestore_s_rest_form_becomes_a_row(tmp_path: Path) -> None:
    write_lines(tmp_path / "meetingsCollection.jsonl", [REST])
    snapshot = read(tmp_path, "raw_meetings")
    assert snapshot.rows.to_pylist() == [
        {
            "meeting_id": "m1",
            "owner_id": "u1",
            "starts_at": datetime(2024, 3, 20, 1, 0, 0, 500_000, UTC),
            "ends_at": datetime(2024, 3, 20, 2, tzinfo=UTC),
            "is_all_day": False,
            "is_pending": False,
            "is_recurring": False,
            "content_length": 5,
            "involved_ids": ["u1", "u2"],
            "involved_count": 2,
            "pending_involved_count": 0,
            "created_at": datetime(2024, 3, 14, 1, 2, 3, 456_789, UTC),
            "updated_at": datetime(2024, 3, 15, 1, 2, 3, 456_789, UTC),
            "deleted_at": None,
            "snapshot_at": MODIFIED,
        }
    ]
    assert snapshot.problems == ()


def rest_user(id_: str, fields: Mapping[str, object] | None = None) -> dict[str, object]:
    times = {"createTime": "2024-03-01T10:00:00Z", "updateTime": "2024-03-01T10:00:00Z"}
    return {"name": f"{USERS}/{id_}", **times} | ({} if fields is None else {"fields": fields})


@pytest.mark.parametrize(
    ("value", "flag", "reason"),
    [
        ({"integerValue": "-7"}, -7, None),
        ({"doubleValue": 4}, 4, None),
        ({"doubleValue": 4.0}, 4, None),
        ({"nullValue": None}, None, None),
        ({"doubleValue": "NaN"}, None, "expected an integer, found float"),
        ({"booleanValue": True}, None, "expected an integer, found bool"),
        ({"stringValue": MARK}, None, "expected an integer, found str"),
        ({"timestampValue": "2024-03-01T10:00:00Z"}, None, "expected an integer, found datetime"),
        ({"arrayValue": {"values": [{"integerValue": "1"}]}}, None, "expected an integer, found list"),
        ({"bytesValue": "AAE="}, None, "expected an integer, found bytes"),
        ({"referenceValue": f"{USERS}/a"}, None, "expected an integer, found reference"),
        ({"geoPointValue": {"latitude": 1, "longitude": 2}}, None, "expected an integer, found geo_point"),
        ({"mapValue": {"fields": {}}}, None, "expected an integer, found map"),
        ({"arrayValue": {"values": None}}, None, "expected an integer, found no value of Firestore's REST form"),
        ({"integerValue": MARK}, None, "expected an integer, found no value of Firestore's REST form"),
        ({"timestampValue": MARK}, None, "expected an integer, found no value of Firestore's REST form"),
        (
            {"integerValue": "1", "stringValue": "1"},
            None,
            "expected an integer, found no value of Firestore's REST form",
        ),
        ({}, None, "expected an integer, found no value of Firestore's REST form"),
        (MARK, None, "expected an integer, found no value of Firestore's REST form"),
    ],
)
def test_each_kind_of_value_of_the_rest_form_is_what_it_is(
    tmp_path: Path, value: object, flag: int | None, reason: str | None
) -> None:
    write_lines(tmp_path / "userCollection.json", [rest_user("a", {"flag": value, "friends": {"arrayValue": {}}})])
    snapshot = read(tmp_path)
    assert facts(snapshot, "flag", "friend_count") == [(flag, 0)]
    assert snapshot.problems == ((Problem("a", "flag", reason),) if reason else ())


def test_pages_of_a_rest_list_are_one_collection(tmp_path: Path) -> None:
    pages = [
        {"documents": [rest_user("a", {"flag": {"integerValue": "1"}}), rest_user("b")], "nextPageToken": "x"},
        {"documents": [rest_user("c", {})], "nextPageToken": "y"},
        {},
    ]
    text = "\n".join(json.dumps(page, indent=2) for page in pages)
    (tmp_path / "userCollection.json").write_text(text)
    assert facts(read(tmp_path), "user_id", "flag") == [("a", 1), ("b", None), ("c", None)]


def test_the_answers_of_a_rest_query_are_one_collection(tmp_path: Path) -> None:
    read_at = {"readTime": "2024-03-02T10:00:00Z"}
    answers = [
        {"transaction": "AAE="},
        {"document": rest_user("a", {"flag": {"integerValue": "1"}}), **read_at},
        {"skippedResults": 1, **read_at},
        {"document": rest_user("b"), **read_at},
        {**read_at, "done": True},
    ]
    (tmp_path / "userCollection.json").write_text(json.dumps(answers, indent=2))
    assert facts(read(tmp_path), "user_id", "flag") == [("a", 1), ("b", None)]


@pytest.mark.parametrize("content", ["{}", "[]", '[{"readTime": "2024-03-02T10:00:00Z"}]'])
def test_a_collection_without_documents_is_empty_as_rest_says_it(tmp_path: Path, content: str) -> None:
    (tmp_path / "userCollection.json").write_text(content)
    assert facts(read(tmp_path), "user_id") == []


def test_a_rest_list_without_its_last_pages_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "userCollection.json", [{"documents": [rest_user("a")], "nextPageToken": "x"}])
    assert failure(tmp_path) == (
        f"{path}: the last page has a nextPageToken, so documents are missing. Ask for the pages that follow, and "
        "append them to the file."
    )


def change(
    id_: str, at: str, operation: str, data: Mapping[str, object] | None = None, **more: object
) -> dict[str, object]:
    return {
        "document_name": f"{USERS}/{id_}",
        "document_id": id_,
        "timestamp": at,
        "event_id": "",
        "operation": operation,
        "data": None if data is None else json.dumps(data),
        "old_data": None,
        **more,
    }


def march(day: int, hour: int = 0) -> datetime:
    return datetime(2024, 3, day, hour, tzinfo=UTC)


CHANGELOG = [
    change("a", "2024-03-03 00:00:00 UTC", "UPDATE", {"flag": 3}),
    change("b", "2024-03-02 00:00:00 UTC", "CREATE", {"flag": 1, "friends": ["a"]}),
    change("a", "2024-03-01 00:00:00 UTC", "CREATE", {"flag": 1}),
    change("c", "1970-01-01 00:00:00 UTC", "IMPORT", {"flag": 9}),
    change("b", "2024-03-04 00:00:00 UTC", "DELETE"),
    change("d", "2024-03-05 06:00:00 UTC", "UPDATE", {"flag": 5}),
    change("a", "1970-01-01 00:00:00 UTC", "IMPORT", {"flag": 0}),
    change("d", "2024-03-05 05:00:00 UTC", "UPDATE", {"flag": 4}),
    change("a", "2024-03-02 00:00:00 UTC", "UPDATE", {"flag": 2}),
]
CHANGELOG_ROWS = [
    ("a", 3, march(1), march(3), MODIFIED),
    ("c", 9, datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), MODIFIED),
    ("d", 5, march(5, 5), march(5, 6), MODIFIED),
]
COLUMNS = ("user_id", "flag", "created_at", "updated_at", "snapshot_at")


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("name", ["userCollection.json.gz", "App_raw_changelog.json", "users_raw_latest.ndjson"])
def test_of_a_changelog_the_latest_row_of_each_document_holds(tmp_path: Path, name: str, order: int) -> None:
    write_lines(tmp_path / name, CHANGELOG[::order])
    assert sorted(facts(read(tmp_path), *COLUMNS)) == CHANGELOG_ROWS


def test_a_document_that_is_made_again_was_first_made_when_it_was_first_made(tmp_path: Path) -> None:
    rows = [
        change("a", "2024-03-01 00:00:00 UTC", "CREATE", {"flag": 1}),
        change("a", "2024-03-02 00:00:00 UTC", "DELETE"),
        change("a", "2024-03-03 00:00:00 UTC", "CREATE", {"flag": 2}),
    ]
    write_lines(tmp_path / "userCollection.jsonl", rows)
    assert facts(read(tmp_path), *COLUMNS) == [("a", 2, march(1), march(3), MODIFIED)]


@pytest.mark.parametrize("order", [1, -1])
def test_rows_of_one_moment_are_taken_in_a_known_order(tmp_path: Path, order: int) -> None:
    at = "2024-03-01 00:00:00 UTC"
    rows = [
        change("deleted", at, "UPDATE", {"flag": 1}),
        change("deleted", at, "DELETE"),
        change("updated", at, "UPDATE", {"flag": 1}),
        change("updated", at, "CREATE", {"flag": 2}),
        change("made", at, "CREATE", {"flag": 3}),
        change("made", at, "IMPORT", {"flag": 4}),
        change("twice", at, "UPDATE", {"flag": 5}),
        change("twice", at, "UPDATE", {"flag": 6}),
        change("twice", at, "UPDATE", {"flag": 6}),
    ]
    write_lines(tmp_path / "userCollection.jsonl", rows[::order])
    assert sorted(facts(read(tmp_path), "user_id", "flag")) == [("made", 3), ("twice", 6), ("updated", 1)]


def test_a_changelog_names_its_collection_itself(tmp_path: Path) -> None:
    path = tmp_path / "app_raw_changelog.jsonl"
    name = f"{MEETINGS}/m1"
    write_lines(path, [change("m1", "2024-03-01 00:00:00 UTC", "CREATE", {"owner": "u1"}, document_name=name)])
    write_lines(tmp_path / "userCollection.jsonl", [PLAIN])
    assert facts(read(tmp_path, "raw_meetings"), "meeting_id", "owner_id") == [("m1", "u1")]
    assert facts(read(tmp_path), "user_id") == [("p",)]


@pytest.mark.parametrize("row", ["", {"document_name": f"projects/p/databases/d/documents/other/{MARK}"}, {"id": MARK}])
def test_a_changelog_that_does_not_say_whose_it_is_is_refused(tmp_path: Path, row: object) -> None:
    path = write_lines(tmp_path / "app_raw_changelog.jsonl", [row])
    assert failure(tmp_path) == (
        f"{path}: its first row has no document_name of userCollection or meetingsCollection. Give the file the name "
        "of its collection, or move it out of the data folder."
    )


def test_two_files_of_a_collection_are_refused_whatever_their_form(tmp_path: Path) -> None:
    write_lines(tmp_path / "userCollection.jsonl", [PLAIN])
    write_lines(tmp_path / "app_raw_latest.jsonl", CHANGELOG)
    assert failure(tmp_path) == (
        f"{tmp_path}: app_raw_latest.jsonl and userCollection.jsonl hold the same collection. Remove one of them."
    )


PAGE = {"documents": [rest_user("a")]}
ANSWER = {"document": rest_user("a"), "readTime": "2024-03-02T10:00:00Z"}
FORMS: dict[str, dict[str, object]] = {
    '{"id", "create_time", "update_time", "data"}': PLAIN,
    '{"name", "fields", "createTime", "updateTime"}': rest_user("r"),
    '{"documents"}': PAGE,
    '{"document", "readTime"}': ANSWER,
    '{"document_name", "timestamp", "operation", "data"}': CHANGELOG[0],
}


@pytest.mark.parametrize(("form", "other"), list(permutations(FORMS, 2)))
def test_a_file_that_mixes_forms_is_refused_with_the_line(tmp_path: Path, form: str, other: str) -> None:
    path = write_lines(tmp_path / "userCollection.jsonl", [FORMS[form], "", FORMS[other]])
    assert failure(tmp_path) == (
        f"{path}, line 3: of the form {other}, and what stands before it of the form {form}: a file has one form. "
        f"{REMEDY}"
    )


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (rest_user(""), "name: not the name of a document of userCollection"),
        (rest_user(f"a/private/{MARK}"), "name: not the name of a document of userCollection"),
        (rest_user("a") | {"name": f"{MEETINGS}/{MARK}"}, "name: not the name of a document of userCollection"),
        (rest_user("a") | {"name": 7}, "name: expected a string, found int"),
        (rest_user("a") | {"createTime": MARK}, "createTime: a string that is no RFC 3339 timestamp"),
        (rest_user("a") | {"updateTime": None}, "updateTime: expected a timestamp, found NoneType"),
        (rest_user("a") | {"fields": MARK}, "fields: expected an object with the document's fields"),
        (PAGE | {"documents": MARK}, "not a page of documents and nothing else"),
        (PAGE | {"error": MARK}, "not a page of documents and nothing else"),
        (PAGE | {"documents": [MARK]}, "documents[0]: expected an object"),
        (ANSWER | {"error": MARK}, "not an answer of runQuery and nothing else"),
        (ANSWER | {"document": MARK}, "document: expected an object"),
        (
            {"documents": [rest_user("a"), rest_user("b") | {"name": MARK}]},
            "documents[1]: name: not the name of a document of userCollection",
        ),
        (CHANGELOG[0] | {"document_name": MARK}, "document_name: not the name of a document of userCollection"),
        (CHANGELOG[0] | {"timestamp": "2024-03-01 10:00:00"}, "timestamp: a timestamp without a time zone"),
        (CHANGELOG[0] | {"operation": MARK}, "operation: none of IMPORT, CREATE, UPDATE, DELETE"),
        (CHANGELOG[0] | {"data": None}, "data: expected a string, found NoneType"),
        (CHANGELOG[0] | {"data": MARK}, "data: expected an object with the document's fields, as text"),
        (CHANGELOG[0] | {"data": f'["{MARK}"]'}, "data: expected an object with the document's fields, as text"),
        (CHANGELOG[0] | {"data": "[" * 100_000}, "data: expected an object with the document's fields, as text"),
    ],
)
def test_what_is_no_document_of_its_form_is_named_and_not_quoted(tmp_path: Path, line: object, problem: str) -> None:
    path = write_lines(tmp_path / "userCollection.jsonl", ["", line])
    assert failure(tmp_path) == f"{path}, line 2: {problem}. {REMEDY}"


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIELDS: Mapping[str, Mapping[str, st.SearchStrategy[Any]]] = {
    "raw_users": {
        "flag": st.integers(-(2**63), 2**63 - 1),
        "email": st.text(max_size=9),
        "photoUrl": st.text(max_size=9),
        "friends": st.lists(st.text(max_size=5), max_size=3),
        "openPrivacy": st.booleans(),
    },
    "raw_meetings": {
        "owner": st.text(max_size=5),
        "content": st.text(max_size=9),
        "from": st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
        "isAllDay": st.booleans(),
        "involved": st.lists(st.text(max_size=5), max_size=3),
    },
}
Documents: TypeAlias = dict[str, tuple[datetime, dict[str, Any]]]
ids = st.text(st.characters(blacklist_characters="/", blacklist_categories=["Cs"]), min_size=1, max_size=5)


def documents(table: str) -> st.SearchStrategy[Documents]:
    data = st.fixed_dictionaries({}, optional={name: st.none() | field for name, field in FIELDS[table].items()})
    made = st.datetimes(datetime(2024, 1, 1), datetime(2025, 1, 1), timezones=st.just(UTC))
    return st.dictionaries(ids, st.tuples(made, data), max_size=4)


def rfc_3339(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def bigquery(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S.%f UTC")


def seconds(prefix: str, time: datetime) -> dict[str, int]:
    whole = (time - EPOCH) // timedelta(seconds=1)
    return {f"{prefix}seconds": whole, f"{prefix}nanoseconds": time.microsecond * 1000}


def typed(time: datetime) -> dict[str, object]:
    return {"__datatype__": "timestamp", "value": seconds("_", time)}


def plainly(found: Documents, write: Callable[[datetime], object]) -> list[dict[str, object]]:
    return [
        {"id": id_, "create_time": write(made), "update_time": write(made), "data": written(data, write)}
        for id_, (made, data) in found.items()
    ]


def written(data: Mapping[str, Any], write: Callable[[datetime], object]) -> dict[str, object]:
    return {name: write(value) if isinstance(value, datetime) else value for name, value in data.items()}


def as_rest(found: Documents, collection: str) -> list[dict[str, object]]:
    return [
        {
            "name": f"projects/calback/databases/(default)/documents/{collection}/{id_}",
            "fields": {name: rest_value(value) for name, value in data.items()},
            "createTime": rfc_3339(made),
            "updateTime": rfc_3339(made),
        }
        for id_, (made, data) in found.items()
    ]


def rest_value(value: object) -> dict[str, object]:
    match value:
        case bool():
            return {"booleanValue": value}
        case int():
            return {"integerValue": str(value)}
        case datetime():
            return {"timestampValue": rfc_3339(value)}
        case list():
            return {"arrayValue": {"values": [rest_value(item) for item in value]} if value else {}}
        case str():
            return {"stringValue": value}
    return {"nullValue": None}


def as_changelog(found: Documents, collection: str) -> list[dict[str, object]]:
    rows = []
    for id_, (made, data) in found.items():
        name = f"projects/calback/databases/(default)/documents/{collection}/{id_}"
        text = json.dumps(written(data, lambda time: seconds("_", time)))
        rows += [change("", bigquery(made), "CREATE", document_name=name) | {"data": text}]
    return rows


def in_every_form(found: Documents, collection: str) -> dict[str, str]:
    """The same documents as the content of a file, by how they are written."""
    plain = plainly(found, rfc_3339)
    rest = as_rest(found, collection)
    objects = {
        "plain": plain,
        "bigquery": plainly(found, bigquery),
        "admin sdk": plainly(found, lambda time: seconds("_", time)),
        "client sdk": plainly(found, lambda time: seconds("", time)),
        "typed": plainly(found, typed),
        "rest": rest,
        "pages": [{"documents": [one], "nextPageToken": "x"} for one in rest] + ([{}] if rest else []),
        "query": [{"document": one, "readTime": rfc_3339(EPOCH)} for one in rest],
        "changelog": as_changelog(found, collection),
    }
    lines = {name: "\r\n".join(map(json.dumps, written)) for name, written in objects.items()}
    arrays = {f"{name}, an array": json.dumps(written, indent=1) for name, written in objects.items()}
    return lines | arrays | {"marked": f"\ufeff{lines['plain']}"}


@pytest.mark.parametrize("table", DECLARED)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_same_documents_in_every_form_are_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, table: str, data: st.DataObject
) -> None:
    found = data.draw(documents(table))
    collection = DECLARED[table].name
    folder = tmp_path_factory.mktemp("forms")
    path = folder / f"{collection}.json.gz"
    tables: dict[str, pa.Table] = {}
    for name, content in in_every_form(found, collection).items():
        path.write_bytes(gzip.compress(content.encode(), 1))
        tables[name] = read(folder, table).rows
    assert tables["plain"].num_rows == len(found)
    assert [name for name, rows in tables.items() if rows != tables["plain"]] == []
