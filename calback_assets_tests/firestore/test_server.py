"""Tests of the server as a whole: what it keeps of requests, what it refuses of them, and that it starts and ends."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import firebase_admin
import firebase_admin.firestore
import grpc
import pytest
from firebase_admin.credentials import Base as Credentials
from google.api_core.exceptions import InvalidArgument, MethodNotImplemented, NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import Client
from google.cloud.firestore_v1 import types

from calback_assets_tests.firestore.server import Firestore

ROOT = "projects/calback-test/databases/(default)/documents"
MILLION = {"string_value": "x" * 1_000_000}
USERS = {"from_": [{"collection_id": "users"}]}


class Anonymous(Credentials):
    def get_credential(self) -> AnonymousCredentials:
        return AnonymousCredentials()


def test_the_client_of_firebase_reaches_it(firestore: Firestore) -> None:
    firestore.store.put("users/a", {"flag": 1})
    app = firebase_admin.initialize_app(Anonymous(), {"projectId": firestore.project}, name="test")
    try:
        client = firebase_admin.firestore.client(app)
        assert [found.to_dict() for found in client.collection("users").stream()] == [{"flag": 1}]
        client.close()
    finally:
        firebase_admin.delete_app(app)


def test_requests_are_kept_with_their_metadata(firestore: Firestore, client: Client) -> None:
    list(client.collection("users").select(["flag"]).order_by("__name__").stream())
    client.collection("users").count().get()
    query, count = firestore.requests
    assert (query.method, count.method) == ("RunQuery", "RunAggregationQuery")
    asked = query.message.structured_query
    assert [field.field_path for field in asked.select.fields] == ["flag"]
    assert not asked.HasField("limit")
    assert dict(query.metadata)["google-cloud-resource-prefix"] == ROOT.removesuffix("/documents")


def test_documents_are_got_by_name_each_once(firestore: Firestore, client: Client) -> None:
    firestore.store.put("users/a", {"name": "x", "flag": 1})
    firestore.store.put("users/b", {"name": "y"})
    users = [client.document(f"users/{name}") for name in "cbab"]
    found = {found.id: found.to_dict() for found in client.get_all(users, ["name"])}
    assert found == {"a": {"name": "x"}, "b": {"name": "y"}, "c": None}
    answers = list(client._firestore_api.batch_get_documents(request("BatchGetDocuments", documents=names("cbab"))))
    assert len(answers) == 3


@pytest.mark.usefixtures("firestore")
@pytest.mark.parametrize("project", ["calback-other", "calback-test2"])
def test_another_project_has_no_database(project: str) -> None:
    client = Client(project=project, credentials=AnonymousCredentials())
    for read in (
        lambda: list(client.collection("users").stream()),
        lambda: client.collection("users").count().get(),
        lambda: list(client.collection_group("users").get_partitions(2)),
        lambda: client.document("users/a").get(),
        lambda: client.document("users/a").set({}),
    ):
        with pytest.raises(NotFound, match="does not exist"):
            read()
    client.close()


@pytest.mark.parametrize(
    ("method", "parts", "what"),
    [
        ("RunQuery", {"transaction": b"t"}, "RunQuery: transaction"),
        ("RunQuery", {"new_transaction": {"read_only": {}}}, "RunQuery: new_transaction"),
        ("RunQuery", {"explain_options": {"analyze": False}}, "RunQuery: explain_options"),
        ("RunQuery", {"structured_query": {"find_nearest": {"limit": 1}}}, "structured_query.find_nearest"),
        ("RunQuery", {"structured_query": {}}, "a query of other than one collection id"),
        ("RunQuery", {"structured_query": {"from_": [{"collection_id": ""}]}}, "a query of other than one"),
        ("RunQuery", {"structured_query": {"from_": [{"collection_id": "a"}] * 2}}, "a query of other than one"),
        ("BatchGetDocuments", {"transaction": b"t"}, "BatchGetDocuments: transaction"),
        ("BatchGetDocuments", {}, "a request for no documents"),
        ("Commit", {"transaction": b"t"}, "Commit: transaction"),
        ("Commit", {"request_options": {"request_tags": ["x"]}}, "Commit: request_options"),
        ("BatchWrite", {"labels": {"a": "b"}}, "BatchWrite: labels"),
    ],
)
def test_a_part_that_is_not_served_is_refused_by_its_name(
    client: Client, method: str, parts: dict[str, Any], what: str
) -> None:
    with pytest.raises(MethodNotImplemented) as refused:
        send(client, request(method, **parts))
    assert what in str(refused.value)


def test_a_field_that_the_library_does_not_know_is_refused(firestore: Firestore) -> None:
    with grpc.insecure_channel(firestore.host) as channel:
        call = channel.unary_stream("/google.firestore.v1.Firestore/RunQuery")
        # Field 99, a number: 99 << 3 as a varint, then 1.
        with pytest.raises(grpc.RpcError, match="field number 99"):
            list(call(bytes(types.RunQueryRequest.serialize(request("RunQuery"))) + b"\x98\x06\x01"))


def test_a_method_that_is_not_served_is_refused_by_its_name(firestore: Firestore) -> None:
    with grpc.insecure_channel(firestore.host) as channel:
        for method in ("/google.firestore.v1.Firestore/Listen", "/google.firestore.v1.Firestore/ListDocuments"):
            with pytest.raises(grpc.RpcError, match=f"{method} is not served by the Firestore of the tests") as refused:
                channel.unary_unary(method)(b"")
            assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("method", "parts"),
    [
        ("RunQuery", {"parent": ROOT.removesuffix("/documents"), "structured_query": USERS}),
        ("RunQuery", {"parent": f"{ROOT}/users", "structured_query": USERS}),
        ("RunQuery", {"read_time": {"seconds": 1, "nanos": 1}}),
        ("BatchGetDocuments", {"documents": [f"{ROOT}/users"]}),
        ("BatchGetDocuments", {"documents": [ROOT]}),
        ("BatchGetDocuments", {"documents": [f"{ROOT}/users/a"], "mask": {"field_paths": ["a..b"]}}),
        ("Commit", {"writes": [{"update": {"name": f"{ROOT}/users/a", "fields": {"a": MILLION}}}] * 11}),
    ],
)
def test_an_invalid_request_is_refused(client: Client, method: str, parts: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        send(client, request(method, **parts))


def test_many_streams_are_served_at_once(firestore: Firestore, client: Client) -> None:
    for number in range(20):
        firestore.store.put(f"users/{number}", {})
    together = threading.Barrier(16, timeout=30)
    firestore.faults.call(together.wait, "RunQuery", after=10, times=None)

    def read(_: int) -> int:
        return len(list(client.collection("users").stream()))

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(read, range(16))) == [20] * 16


def test_a_server_leaves_no_thread_and_its_port(firestore: Firestore) -> None:
    before = set(threading.enumerate())
    with Firestore("other") as server:
        client = Client(project="other", credentials=AnonymousCredentials(), client_options={})
        assert server.host != firestore.host
        assert client._emulator_host == os.environ["FIRESTORE_EMULATOR_HOST"] == firestore.host
        with grpc.insecure_channel(server.host) as channel:
            channel.unary_unary("/google.firestore.v1.Firestore/Commit")(
                types.CommitRequest.serialize(types.CommitRequest(database="projects/other/databases/(default)"))
            )
    for thread in set(threading.enumerate()) - before:
        # gRPC's own, which is done as soon as it sees that all calls are over.
        thread.join(10)
        assert not thread.is_alive()
    port = int(server.host.rpartition(":")[2])
    with Firestore(port=port) as again:
        assert again.host == server.host


def request(method: str, **parts: Any) -> Any:
    kind = getattr(types, f"{method}Request")
    where = {"parent": ROOT} if method == "RunQuery" else {"database": ROOT.removesuffix("/documents")}
    return kind(**{**where, **parts})


def send(client: Client, message: Any) -> None:
    api = client._firestore_api
    call = {
        types.RunQueryRequest: api.run_query,
        types.BatchGetDocumentsRequest: api.batch_get_documents,
        types.CommitRequest: api.commit,
        types.BatchWriteRequest: api.batch_write,
    }[type(message)]
    answer = call(message)
    if hasattr(answer, "__next__"):
        list(answer)


def names(ids: str) -> list[str]:
    return [f"{ROOT}/users/{name}" for name in ids]
