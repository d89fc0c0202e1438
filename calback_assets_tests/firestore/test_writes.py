"""Tests of writes: what they change, when their preconditions hold, and what the service would not store."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core.exceptions import (
    AlreadyExists,
    FailedPrecondition,
    GoogleAPICallError,
    InvalidArgument,
    MethodNotImplemented,
    NotFound,
)
from google.cloud.firestore import DELETE_FIELD, SERVER_TIMESTAMP, Client, DocumentReference, Increment
from google.cloud.firestore_v1 import types

ROOT = "projects/calback-test/databases/(default)/documents"


@pytest.fixture
def user(client: Client) -> DocumentReference:
    return client.document("users/a")


def test_a_set_replaces_and_keeps_the_create_time(user: DocumentReference) -> None:
    made = user.set({"name": "x", "flag": 1}).update_time
    changed = user.set({"flag": 2}).update_time
    found = user.get()
    assert (found.to_dict(), found.create_time, found.update_time) == ({"flag": 2}, made, changed)
    assert made < changed


def test_a_merge_leaves_other_fields_and_deletes_those_without_a_value(user: DocumentReference) -> None:
    user.set({"name": "x", "map": {"a": 1, "b": 2}, "gone": 1})
    user.set({"map": {"b": 3}, "gone": DELETE_FIELD}, merge=True)
    assert user.get().to_dict() == {"name": "x", "map": {"a": 1, "b": 3}}
    user.update({"map.a": DELETE_FIELD, "map.c.d": 4, "name": DELETE_FIELD, "nobody.x": DELETE_FIELD})
    assert user.get().to_dict() == {"map": {"b": 3, "c": {"d": 4}}}


def test_a_merge_makes_the_document(user: DocumentReference) -> None:
    user.set({"map": {"b": 3}}, merge=True)
    assert user.get().to_dict() == {"map": {"b": 3}}


def test_a_write_that_changes_nothing_leaves_the_update_time(user: DocumentReference) -> None:
    data = {"flag": 1, "fraction": float("nan"), "list": []}
    made = user.set(data).update_time
    assert user.set(data).update_time == made
    assert user.update({"flag": 1}).update_time == made
    assert user.get().update_time == made


def test_a_document_is_gone_after_its_deletion(user: DocumentReference) -> None:
    user.set({"flag": 1})
    user.delete()
    assert not user.get().exists
    user.delete()


def test_the_server_sets_its_time_in_milliseconds(user: DocumentReference) -> None:
    result = user.set({"at": SERVER_TIMESTAMP, "map": {"at": SERVER_TIMESTAMP}, "name": "x"})
    expected = result.update_time.replace(microsecond=result.update_time.microsecond // 1000 * 1000)
    assert user.get().to_dict() == {"at": expected, "map": {"at": expected}, "name": "x"}
    assert [value.timestamp_value for value in result.transform_results] == [expected, expected]


def test_a_timestamp_is_cut_to_microseconds(client: Client, user: DocumentReference) -> None:
    value = types.Value.pb()()
    value.timestamp_value.seconds, value.timestamp_value.nanos = 1, 2_999
    commit(client, {"update": {"name": f"{ROOT}/users/a", "fields": {"at": value}}})
    assert user.get().to_dict() == {"at": datetime(1970, 1, 1, 0, 0, 1, 2, UTC)}


def test_preconditions_hold_or_refuse_the_write(client: Client, user: DocumentReference) -> None:
    with pytest.raises(NotFound, match="No document to update"):
        user.update({"flag": 1})
    with pytest.raises(NotFound):
        user.delete(client.write_option(exists=True))
    with pytest.raises(NotFound):
        user.delete(client.write_option(last_update_time=datetime.now(UTC)))
    made = user.create({"flag": 1}).update_time
    with pytest.raises(AlreadyExists, match="Document already exists"):
        user.create({"flag": 2})
    with pytest.raises(FailedPrecondition, match="does not match the required base version"):
        user.update({"flag": 2}, client.write_option(last_update_time=made - timedelta(microseconds=1)))
    assert user.get().to_dict() == {"flag": 1}
    user.update({"flag": 3}, client.write_option(last_update_time=made))
    assert user.get().to_dict() == {"flag": 3}


def test_a_commit_is_all_or_nothing_and_of_one_time(client: Client, user: DocumentReference) -> None:
    batch = client.batch()
    batch.set(user, {"flag": 1})
    batch.update(user, {"flag": 2})
    batch.set(client.document("users/b"), {})
    batch.create(client.document("users/c"), {})
    batch.delete(client.document("users/c"))
    results = batch.commit()
    assert [len({result.update_time for result in results[:4]}), "update_time" in results[4]] == [1, False]
    assert {found.id: found.to_dict() for found in client.collection("users").stream()} == {"a": {"flag": 2}, "b": {}}
    batch = client.batch()
    batch.set(user, {"flag": 9})
    batch.update(client.document("users/c"), {"flag": 9})
    with pytest.raises(NotFound):
        batch.commit()
    assert user.get().to_dict() == {"flag": 2}


def test_each_write_of_a_bulk_succeeds_or_fails_alone(client: Client, user: DocumentReference) -> None:
    failed: list[tuple[str, int]] = []

    def note(failure: Any, _: Any) -> bool:
        failed.append((failure.operation.reference.id, failure.code))
        return False

    user.set({"flag": 1})
    writer = client.bulk_writer()
    writer.on_write_error(note)
    writer.set(client.document("users/b"), {"flag": 1})
    writer.create(user, {"flag": 2})
    writer.update(client.document("users/c"), {"flag": 3})
    writer.delete(client.document("users/d"))
    writer.close()
    assert sorted(failed) == [("a", 6), ("c", 5)]
    assert {found.id: found.to_dict() for found in client.collection("users").stream()} == {
        "a": {"flag": 1},
        "b": {"flag": 1},
    }


def test_a_bulk_is_limited(client: Client) -> None:
    def write(number: int) -> dict[str, str]:
        return {"delete": f"{ROOT}/users/{number}"}

    database = ROOT.removesuffix("/documents")
    answer = client._firestore_api.batch_write({"database": database, "writes": [write(n) for n in range(500)]})
    assert {status.code for status in answer.status} == {0}
    with pytest.raises(InvalidArgument, match="maximum 500 writes"):
        client._firestore_api.batch_write({"database": database, "writes": [write(n) for n in range(501)]})
    with pytest.raises(InvalidArgument, match="more than once"):
        client._firestore_api.batch_write({"database": database, "writes": [write(1), write(1)]})


def deep(levels: int) -> Any:
    return {"a": deep(levels - 1)} if levels else 1


def test_a_document_of_a_mebibyte_is_stored_and_one_byte_more_is_not(user: DocumentReference) -> None:
    # Counted by hand: name 16 + 6 + 2, document 32, field 2, and the text with its end.
    text = "x" * (1_048_576 - 24 - 32 - 2 - 1)
    user.set({"t": text})
    with pytest.raises(InvalidArgument, match=r"its size \(1,048,577 bytes\) exceeds the maximum"):
        user.set({"t": text + "x"})
    assert len(user.get().get("t")) == len(text)


def test_every_kind_of_value_is_counted(user: DocumentReference) -> None:
    # By the documentation: name, document, field, and then the values in their order.
    values = [
        {"가": 3},
        0.5,
        True,
        None,
        datetime(2024, 1, 1, tzinfo=UTC),
        {"a": "한"},
        {"bc": 7},
        user,
        b"12345678",
        b"",
    ]
    counted = 24 + 32 + 2 + (4 + 8) + 8 + 1 + 1 + 8 + (2 + 4) + (3 + 8) + 24 + 8 + 0
    text = "x" * (1_048_576 - counted - 2 - 1)
    user.set({"v": values, "t": text})
    with pytest.raises(InvalidArgument, match="1,048,577"):
        user.set({"v": values, "t": text + "x"})


@pytest.mark.parametrize(
    "data",
    [
        {"list": [[1]]},
        {"list": [{"inner": [[]]}]},
        {"__name__": 1},
        {"map": {"__x__": 1}},
        {"": 1},
        {"x" * 1501: 1},
        deep(21),
    ],
)
def test_what_no_document_holds_is_refused(user: DocumentReference, client: Client, data: dict[str, Any]) -> None:
    encoded = types.Document.pb()()
    from_python(encoded.fields, data)
    with pytest.raises(InvalidArgument):
        commit(client, {"update": {"name": f"{ROOT}/users/a", "fields": dict(encoded.fields)}})
    assert not user.get().exists


def test_what_a_document_just_holds_is_stored(user: DocumentReference) -> None:
    data = {"list": [{"inner": [1]}], "__half": 1, "x" * 1500: 1, **deep(20)}
    user.set(data)
    assert user.get().to_dict() == data


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"field_reference_value": "name"},
        {"timestamp_value": {"seconds": 253_402_300_800}},
        {"timestamp_value": {"nanos": -1}},
    ],
)
def test_a_value_that_is_none_is_refused(client: Client, value: dict[str, Any]) -> None:
    pb = types.Value.pb()(**value)
    with pytest.raises(InvalidArgument):
        commit(client, {"update": {"name": f"{ROOT}/users/a", "fields": {"x": pb}}})


@pytest.mark.parametrize(
    "name", [".", "..", "__x__", "____", "__id7", "x" * 1501, "가" * 501, "__id9999999999999999999__"]
)
def test_an_id_that_firestore_keeps_to_itself_is_refused(client: Client, name: str) -> None:
    write = {"update": {"name": f"{ROOT}/users/{name}"}}
    if name == "__id7":
        commit(client, write)
        return
    with pytest.raises(InvalidArgument):
        commit(client, write)


def test_ids_of_any_script_and_numbered_ones_are_stored(client: Client) -> None:
    names = ["가" * 500, "a b", "a.b", "...", "_", "__", "__id-9223372036854775808__", "📅", "a\nb", "%2F"]
    for name in names:
        client.document("users", name).set({})
    assert {found.id for found in client.collection("users").stream()} == set(names)


@pytest.mark.parametrize(
    ("write", "error"),
    [
        ({}, MethodNotImplemented),
        ({"delete": f"{ROOT}/users"}, InvalidArgument),
        ({"delete": f"{ROOT}/users//a/b"}, InvalidArgument),
        ({"delete": "projects/other/databases/(default)/documents/users/a"}, InvalidArgument),
        ({"delete": f"{ROOT}/users/a", "update_mask": {"field_paths": ["a"]}}, InvalidArgument),
        ({"update": {"name": f"{ROOT}/users/a", "create_time": {"seconds": 1}}}, MethodNotImplemented),
        (
            {
                "update": {"name": f"{ROOT}/users/a", "fields": {"a": {"string_value": ""}}},
                "update_mask": {"field_paths": ["b"]},
            },
            MethodNotImplemented,
        ),
        ({"transform": {"document": f"{ROOT}/users/a"}}, MethodNotImplemented),
        ({"delete": f"{ROOT}/users/a", "current_document": {"update_time": {"nanos": 1}}}, InvalidArgument),
    ],
)
def test_another_write_is_refused(client: Client, write: dict[str, Any], error: type[GoogleAPICallError]) -> None:
    with pytest.raises(error):
        commit(client, write)


@pytest.mark.parametrize(
    "act",
    [
        lambda client: client.document("users/a").set({"flag": Increment(1)}),
        lambda client: list(client.collection("users").list_documents()),
        lambda client: list(client.collections()),
        lambda client: client.document("users/a").get(transaction=begun(client)),
    ],
)
def test_what_is_not_served_is_refused_by_its_name(client: Client, act: Callable[[Client], object]) -> None:
    with pytest.raises(MethodNotImplemented, match="is not served by the Firestore of the tests"):
        act(client)


def begun(client: Client) -> Any:
    transaction = client.transaction()
    transaction._begin()
    return transaction


def commit(client: Client, write: dict[str, Any]) -> None:
    client._firestore_api.commit({"database": ROOT.removesuffix("/documents"), "writes": [write]})


def from_python(fields: Any, data: dict[str, Any]) -> None:
    """The protocol's values, without what the client library refuses by itself."""
    for name, value in data.items():
        set_value(fields[name], value)


def set_value(target: Any, value: Any) -> None:
    if isinstance(value, dict):
        target.map_value.SetInParent()
        from_python(target.map_value.fields, value)
    elif isinstance(value, list):
        target.array_value.SetInParent()
        for item in value:
            set_value(target.array_value.values.add(), item)
    else:
        target.integer_value = value
