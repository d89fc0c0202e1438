"""Tests of queries: order, cursors, masks, filters, counts and partitions, as the client library asks for them."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from google.api_core.exceptions import FailedPrecondition, InvalidArgument, MethodNotImplemented
from google.cloud.firestore import And, Client, FieldFilter, Or, Query
from google.cloud.firestore_v1 import types

from calback_assets_tests.firestore.server import Firestore

# As Firestore sorts them: numbered ids first, by number; then texts by their UTF-8 bytes. UTF-16 would put the
# picture, which is two halves there, before the full-width letter.
IN_ORDER = [
    "__id-3__",
    "__id7__",
    "__id12__",
    "10",
    "9",
    "A",
    "Z",
    "_a",
    "a",
    "a!",
    "aa",
    "é",
    "가",
    "나",
    "\uff21",
    "📅",
]


def put_all(firestore: Firestore, collection: str = "users") -> None:
    for name in IN_ORDER[1::2] + IN_ORDER[-2::-2]:
        firestore.store.put(f"{collection}/{name}", {"id": name})


def ids(query: Any) -> list[str]:
    return [found.id for found in query.stream()]


def test_documents_come_in_the_order_of_their_names(firestore: Firestore, client: Client) -> None:
    put_all(firestore)
    users = client.collection("users")
    assert ids(users) == IN_ORDER
    assert ids(users.order_by("__name__")) == IN_ORDER
    assert ids(users.order_by("__name__", direction=Query.DESCENDING)) == IN_ORDER[::-1]


def test_a_query_of_a_collection_leaves_out_those_below_and_beside_it(firestore: Firestore, client: Client) -> None:
    for path in ("users/a", "users/a/users/b", "users/a/other/c", "users2/d", "team/x/users/e"):
        firestore.store.put(path, {})
    assert ids(client.collection("users")) == ["a"]
    assert ids(client.collection("users", "a", "users")) == ["b"]
    assert ids(client.collection("nobody")) == []


def test_a_collection_group_sorts_by_the_whole_path(firestore: Firestore, client: Client) -> None:
    for path in ("users/b", "users/a!/users/c", "users/a/users/z", "users/a", "team/x/users/y", "users/a/other/o"):
        firestore.store.put(path, {})
    found = [found.reference.path for found in client.collection_group("users").stream()]
    assert found == ["team/x/users/y", "users/a", "users/a/users/z", "users/a!/users/c", "users/b"]


def test_a_collection_group_can_be_of_what_is_below_a_document(firestore: Firestore, client: Client) -> None:
    for path in ("users/a", "teams/x/users/b", "teams/x/deep/y/users/c", "teams/x!/users/d", "teams/xx/users/e"):
        firestore.store.put(path, {})
    request = query_request(from_=[{"collection_id": "users", "all_descendants": True}])
    request.parent += "/teams/x"
    found = [answer.document.name.rpartition("/")[2] for answer in client._firestore_api.run_query(request)]
    assert found == ["c", "b"]


@pytest.mark.parametrize("position", [0, 3, len(IN_ORDER) - 1])
def test_cursors_cut_before_or_after_a_document(firestore: Firestore, client: Client, position: int) -> None:
    put_all(firestore)
    users = client.collection("users")
    cut = {"__name__": users.document(IN_ORDER[position])}
    rising, falling = users.order_by("__name__"), users.order_by("__name__", direction=Query.DESCENDING)
    assert ids(rising.start_at(cut)) == IN_ORDER[position:]
    assert ids(rising.start_after(cut)) == IN_ORDER[position + 1 :]
    assert ids(rising.end_before(cut)) == IN_ORDER[:position]
    assert ids(rising.end_at(cut)) == IN_ORDER[: position + 1]
    assert ids(falling.start_at(cut)) == IN_ORDER[position::-1]
    assert ids(falling.start_after(cut)) == IN_ORDER[:position][::-1]
    assert ids(falling.end_before(cut)) == IN_ORDER[:position:-1]
    assert ids(falling.end_at(cut)) == IN_ORDER[position:][::-1]


def test_a_cursor_need_not_be_a_document_that_is_there(firestore: Firestore, client: Client) -> None:
    put_all(firestore)
    users = client.collection("users").order_by("__name__")
    begin, end = {"__name__": "aaa"}, {"__name__": "다"}
    assert ids(users.start_at(begin).end_before(end)) == ["é", "가", "나"]
    assert ids(users.start_at(end).end_before(begin)) == []


def test_a_cursor_without_an_order_is_refused(client: Client) -> None:
    user = types.Value(reference_value="projects/calback-test/databases/(default)/documents/users/a")
    request = query_request(start_at=types.Cursor(values=[user], before=True))
    with pytest.raises(InvalidArgument, match="more values than the query has orders"):
        list(client._firestore_api.run_query(request))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["name"], {"name": "x"}),
        (["name", "nobody"], {"name": "x"}),
        (["nobody"], {}),
        ([], {}),
        (["__name__"], {}),
        (["map.a"], {"map": {"a": 1}}),
        (["map.a", "map.c.d"], {"map": {"a": 1, "c": {"d": 2}}}),
        (["map.a", "map"], {"map": {"a": 1, "b": 0, "c": {"d": 2, "e": 3}}}),
        (["map.nobody", "name.a", "list.a"], {}),
        (["list"], {"list": []}),
        (["`a.b`", "name"], {"a.b": 4, "name": "x"}),
    ],
)
def test_a_mask_lets_only_its_fields_through(
    firestore: Firestore, client: Client, fields: list[str], expected: dict[str, Any]
) -> None:
    data = {"name": "x", "token": "y", "map": {"a": 1, "b": 0, "c": {"d": 2, "e": 3}}, "list": [], "a.b": 4}
    made = firestore.store.put("users/a", data)
    [found] = client.collection("users").select(fields).stream()
    assert (found.to_dict(), found.create_time, found.update_time) == (expected, made, made)
    if fields != [] and fields != ["__name__"]:
        assert (client.document("users/a").get(fields).to_dict() or {}) == expected


def test_without_a_mask_every_field_arrives(firestore: Firestore, client: Client) -> None:
    firestore.store.put("users/a", {"name": "x", "map": {"a": 1}})
    assert [found.to_dict() for found in client.collection("users").stream()] == [{"name": "x", "map": {"a": 1}}]


def test_limit_and_offset_count_after_cursors(firestore: Firestore, client: Client) -> None:
    put_all(firestore)
    users = client.collection("users").order_by("__name__")
    assert ids(users.limit(3)) == IN_ORDER[:3]
    assert ids(users.offset(3)) == IN_ORDER[3:]
    assert ids(users.start_after({"__name__": "9"}).offset(1).limit(2)) == ["Z", "_a"]
    assert ids(users.limit(0)) == []
    assert ids(users.offset(100)) == []
    assert [found.id for found in users.limit_to_last(2).get()] == IN_ORDER[-2:]


def test_the_skipped_documents_are_told(firestore: Firestore, client: Client) -> None:
    put_all(firestore)
    answers = list(client._firestore_api.run_query(query_request(offset=14)))
    assert [(answer.skipped_results, answer.document.name[-1:]) for answer in answers] == [(14, "\uff21"), (0, "📅")]
    [empty] = client._firestore_api.run_query(query_request(offset=100))
    assert (empty.skipped_results, "document" in empty) == (16, False)


def test_an_empty_result_tells_its_time(firestore: Firestore, client: Client) -> None:
    before = firestore.store.snapshot(None)
    [answer] = client._firestore_api.run_query(query_request())
    assert "document" not in answer
    assert answer.read_time.timestamp_pb().ToMicroseconds() >= before


def test_all_answers_of_a_query_are_of_one_time(firestore: Firestore, client: Client) -> None:
    put_all(firestore)
    asked = datetime.now(UTC)
    assert {found.read_time for found in client.collection("users").stream(read_time=asked)} == {asked}
    assert len({found.read_time for found in client.collection("users").stream()}) == 1


VALUES: dict[str, Any] = {
    "text": "가",
    "whole": 3,
    "fraction": 0.5,
    "yes": True,
    "time": datetime(2024, 1, 1, tzinfo=UTC),
    "list": ["a", 1],
    "map": {"b": {"c": 1}},
}


@pytest.mark.parametrize("field", VALUES)
def test_an_equality_finds_the_documents_that_hold_the_value(firestore: Firestore, client: Client, field: str) -> None:
    firestore.store.put("users/a", VALUES)
    firestore.store.put("users/b", dict.fromkeys(VALUES, "other"))
    firestore.store.put("users/c", {})
    assert ids(client.collection("users").where(filter=FieldFilter(field, "==", VALUES[field]))) == ["a"]


def test_equalities_can_be_joined_and_look_into_maps(firestore: Firestore, client: Client) -> None:
    firestore.store.put("users/a", VALUES)
    firestore.store.put("users/b", VALUES | {"whole": 4})
    inner, whole = FieldFilter("map.b.c", "==", 1), FieldFilter("whole", "==", 3.0)
    users = client.collection("users")
    assert ids(users.where(filter=inner)) == ["a", "b"]
    assert ids(users.where(filter=inner).where(filter=whole)) == ["a"]
    assert ids(users.where(filter=And([inner, whole]))) == ["a"]
    assert users.where(filter=inner).count().get()[0][0].value == 2


@pytest.mark.parametrize(
    ("operator", "expected"),
    [("==", ["a"]), ("<", IN_ORDER[:8]), ("<=", IN_ORDER[:9]), (">", IN_ORDER[9:]), (">=", IN_ORDER[8:])],
)
def test_names_are_compared(firestore: Firestore, client: Client, operator: str, expected: list[str]) -> None:
    put_all(firestore)
    users = client.collection("users")
    assert ids(users.where(filter=FieldFilter("__name__", operator, users.document("a")))) == expected


def test_a_filter_on_names_and_cursors_cut_together(firestore: Firestore, client: Client) -> None:
    put_all(firestore)
    users = client.collection("users")
    between = users.where(filter=FieldFilter("__name__", ">", users.document("Z"))).where(
        filter=FieldFilter("__name__", "<", users.document("aa"))
    )
    ordered = between.order_by("__name__")
    assert ids(ordered) == ["_a", "a", "a!"]
    assert ids(ordered.start_at({"__name__": "10"}).end_at({"__name__": "나"})) == ["_a", "a", "a!"]
    assert ids(ordered.start_at({"__name__": "a"}).end_before({"__name__": "a!"})) == ["a"]


@pytest.mark.parametrize(
    "unserved",
    [
        lambda users: users.order_by("flag"),
        lambda users: users.order_by("__name__").order_by("flag"),
        lambda users: users.where(filter=FieldFilter("flag", ">", 1)),
        lambda users: users.where(filter=FieldFilter("flag", "==", None)),
        lambda users: users.where(filter=FieldFilter("flag", "in", [1])),
        lambda users: users.where(filter=FieldFilter("__name__", "in", [users.document("a")])),
        lambda users: users.where(filter=Or([FieldFilter("a", "==", 1), FieldFilter("b", "==", 1)])),
        lambda users: users.recursive(),
    ],
)
def test_other_queries_are_refused(firestore: Firestore, client: Client, unserved: Callable[[Any], Any]) -> None:
    put_all(firestore)
    with pytest.raises(MethodNotImplemented, match="is not served by the Firestore of the tests"):
        ids(unserved(client.collection("users")))


def test_other_aggregations_are_refused(client: Client) -> None:
    with pytest.raises(MethodNotImplemented, match=r"aggregations.sum is not served"):
        client.collection("users").sum("flag").get()


@pytest.mark.parametrize("part", [{"limit": -1}, {"offset": -1}])
def test_a_negative_number_is_refused(client: Client, part: dict[str, int]) -> None:
    with pytest.raises(InvalidArgument, match="cannot be negative"):
        list(client._firestore_api.run_query(query_request(**part)))


def test_counts_have_names_and_bounds(firestore: Firestore, client: Client) -> None:
    put_all(firestore)
    users = client.collection("users").order_by("__name__")
    [counts] = users.start_at({"__name__": "a"}).count().count(alias="all").count().get()
    assert {count.alias: count.value for count in counts} == {"field_1": 8, "all": 8, "field_2": 8}
    [[limited]] = users.limit(5).count().get()
    assert limited.value == 5
    bounded = types.RunAggregationQueryRequest(
        parent=query_request().parent,
        structured_aggregation_query=types.StructuredAggregationQuery(
            structured_query=query_request().structured_query,
            aggregations=[{"count": {"up_to": 7}, "alias": "few"}, {"count": {"up_to": 70}, "alias": "many"}],
        ),
    )
    [answer] = client._firestore_api.run_aggregation_query(bounded)
    assert {name: value.integer_value for name, value in answer.result.aggregate_fields.items()} == {
        "few": 7,
        "many": 16,
    }


BY_NAME = [{"field": {"field_path": "__name__"}, "direction": "ASCENDING"}]
SCRIPTS = ["{}", "가{}", "é{}", "__id{}__", "📅{}", "A{}", "z/users/{}", "가/deep/x/users/{}"]


def many(count: int) -> list[str]:
    return [f"users/{SCRIPTS[number % len(SCRIPTS)].format(number)}" for number in range(count)]


@pytest.mark.parametrize(("documents", "asked"), [(0, 3), (1, 1), (39, 3), (40, 3), (41, 1), (400, 16), (997, 7)])
def test_partitions_cover_every_document_once(firestore: Firestore, client: Client, documents: int, asked: int) -> None:
    firestore.documents_per_partition = 10
    for path in many(documents):
        firestore.store.put(path, {})
    for path in many(documents)[::3]:
        firestore.store.delete(path)
    there = {path for number, path in enumerate(many(documents)) if number % 3}
    partitions = list(client.collection_group("users").get_partitions(asked))
    found = [[found.reference.path for found in partition.query().stream()] for partition in partitions]
    assert sorted(path for paths in found for path in paths) == sorted(there)
    assert len(found) == min(asked + 1, max(1, len(there) // 10))
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert [partition._start_at for partition in partitions[1:]] == [partition._end_at for partition in partitions[:-1]]


def test_partitions_are_of_the_time_that_is_asked_for(firestore: Firestore, client: Client) -> None:
    firestore.documents_per_partition = 10
    for path in many(40):
        before = firestore.store.put(path, {})
    for path in many(40):
        firestore.store.delete(path)
    users = client.collection_group("users")
    assert len(list(users.get_partitions(3, read_time=before))) == 4
    assert len(list(users.get_partitions(3))) == 1


def test_a_small_collection_is_one_partition(firestore: Firestore, client: Client) -> None:
    for path in many(255):
        firestore.store.put(path, {})
    assert len(list(client.collection_group("users").get_partitions(8))) == 1
    firestore.store.put("users/one-more", {})
    assert len(list(client.collection_group("users").get_partitions(8))) == 2


def test_partitions_come_in_pages_of_one_time(firestore: Firestore, client: Client) -> None:
    firestore.documents_per_partition = 10
    for path in many(100):
        firestore.store.put(path, {})
    whole = partition_request(7)
    cursors = list(client._firestore_api.partition_query(whole))
    assert len(cursors) == 7
    names = [cursor.values[0].reference_value for cursor in cursors]
    # Whatever happens after the first page is not of its time.
    firestore.faults.call(lambda: firestore.store.put("users/0!", {}), "PartitionQuery", after=1, times=None)
    paged = partition_request(7, page_size=3)
    assert [cursor.values[0].reference_value for cursor in client._firestore_api.partition_query(paged)] == names
    assert len([request for request in firestore.requests if request.method == "PartitionQuery"]) == 1 + 3


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ({"partition_count": 0}, InvalidArgument),
        ({"page_size": -1}, InvalidArgument),
        ({"page_token": "3"}, InvalidArgument),
        ({"page_token": "0@1"}, FailedPrecondition),
        ({"page_token": "0@1", "read_time": datetime.now(UTC)}, InvalidArgument),
        ({"structured_query": {"from_": [{"collection_id": "users"}], "order_by": BY_NAME}}, InvalidArgument),
        ({"structured_query": {"from_": [{"collection_id": "users", "all_descendants": True}]}}, InvalidArgument),
        ({"parent": "projects/calback-test/databases/(default)/documents/users/a"}, InvalidArgument),
    ],
)
def test_a_query_that_cannot_be_partitioned_is_refused(
    client: Client, part: dict[str, Any], error: type[Exception]
) -> None:
    request = types.PartitionQueryRequest.to_dict(partition_request(3)) | part
    with pytest.raises(error):
        list(client._firestore_api.partition_query(request))


def test_a_partitioned_query_takes_no_cursor_and_no_limit(client: Client) -> None:
    request = partition_request(3)
    request.structured_query.limit = 5
    with pytest.raises(MethodNotImplemented, match=r"structured_query.limit is not served"):
        list(client._firestore_api.partition_query(request))


def test_the_splits_of_a_group_are_in_its_order(firestore: Firestore, client: Client) -> None:
    firestore.documents_per_partition = 1
    put_all(firestore)
    cursors = client._firestore_api.partition_query(partition_request(100))
    split = [cursor.values[0].reference_value.rpartition("/")[2] for cursor in cursors]
    assert split == IN_ORDER[1:]
    assert all(IN_ORDER.index(one) < IN_ORDER.index(two) for one, two in pairwise(split))


def query_request(**parts: Any) -> types.RunQueryRequest:
    return types.RunQueryRequest(
        parent="projects/calback-test/databases/(default)/documents",
        structured_query={"from_": [{"collection_id": "users"}]} | parts,
    )


def partition_request(count: int, **parts: Any) -> types.PartitionQueryRequest:
    return types.PartitionQueryRequest(
        parent="projects/calback-test/databases/(default)/documents",
        structured_query={
            "from_": [{"collection_id": "users", "all_descendants": True}],
            "order_by": BY_NAME,
        },
        partition_count=count,
        **parts,
    )
