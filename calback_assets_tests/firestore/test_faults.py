"""Tests of what goes wrong on purpose: when, how often, to which calls, and what a client sees of it."""

from threading import Thread

import grpc
import pytest
from google.api_core.exceptions import (
    DeadlineExceeded,
    InternalServerError,
    PermissionDenied,
    ServiceUnavailable,
    Unknown,
)
from google.api_core.retry import Retry, if_exception_type
from google.cloud.firestore import Client
from grpc import StatusCode

from calback_assets_tests.firestore.server import Firestore

RESUMING = Retry(predicate=if_exception_type(ServiceUnavailable), initial=0.001, maximum=0.001)
NEVER = Retry(predicate=lambda _: False)


@pytest.fixture(autouse=True)
def documents(firestore: Firestore) -> None:
    for number in range(100):
        firestore.store.put(f"users/{number:03}", {})
        firestore.store.put(f"meetings/{number:03}", {})


def read(client: Client, collection: str = "users", *, retry: Retry = NEVER, timeout: float = 60) -> list[str]:
    found: list[str] = []
    read_into(found, client, collection, retry, timeout)
    return found


def read_into(found: list[str], client: Client, collection: str, retry: Retry, timeout: float = 60) -> None:
    query = client.collection(collection).order_by("__name__")
    for document in query.stream(retry=retry, timeout=timeout):
        found.append(document.id)


ALL = [f"{number:03}" for number in range(100)]


@pytest.mark.parametrize("after", [0, 1, 57, 99, 100])
def test_a_stream_ends_with_the_status_after_so_many_messages(firestore: Firestore, client: Client, after: int) -> None:
    fault = firestore.faults.fail(StatusCode.INTERNAL, "RunQuery", after=after)
    found: list[str] = []
    with pytest.raises(InternalServerError, match="an injected fault"):
        read_into(found, client, "users", NEVER)
    assert found == ALL[:after]
    assert fault.fired == 1
    assert read(client) == ALL


def test_a_stream_that_is_too_short_does_not_meet_the_fault(firestore: Firestore, client: Client) -> None:
    fault = firestore.faults.fail(StatusCode.INTERNAL, "RunQuery", after=101)
    assert read(client) == ALL
    assert fault.fired == 0


def test_a_client_that_resumes_gets_every_document_once(firestore: Firestore, client: Client) -> None:
    fault = firestore.faults.fail(StatusCode.UNAVAILABLE, "RunQuery", after=30, times=3)
    assert read(client, retry=RESUMING) == ALL
    assert fault.fired == 3
    starts = [
        request.message.structured_query.start_at.values[0].reference_value[-3:]
        for request in firestore.requests
        if request.message.structured_query.HasField("start_at")
    ]
    assert starts == ["029", "059", "089"]


def test_a_fault_can_be_for_one_collection(firestore: Firestore, client: Client) -> None:
    fault = firestore.faults.fail(
        StatusCode.PERMISSION_DENIED,
        "RunQuery",
        times=None,
        when=lambda request: request.structured_query.from_[0].collection_id == "meetings",
    )
    assert read(client) == ALL
    for _ in range(3):
        with pytest.raises(PermissionDenied):
            read(client, "meetings")
    assert fault.fired == 3
    firestore.faults.clear()
    assert read(client, "meetings") == ALL


def test_a_fault_can_be_for_one_method_or_for_every_one(firestore: Firestore, client: Client) -> None:
    users = client.collection("users")
    firestore.faults.fail(StatusCode.UNAVAILABLE, "RunAggregationQuery", times=None)
    assert read(client) == ALL
    with pytest.raises(ServiceUnavailable):
        users.count().get(retry=NEVER)
    firestore.faults.fail(StatusCode.UNAVAILABLE, times=None)
    with pytest.raises(ServiceUnavailable):
        read(client)
    with pytest.raises(ServiceUnavailable):
        users.document("a").set({}, retry=NEVER)
    with pytest.raises(ServiceUnavailable):
        list(client.collection_group("users").get_partitions(2, retry=NEVER))


def test_a_write_is_not_done_before_its_fault_and_done_before_its_lost_answer(
    firestore: Firestore, client: Client
) -> None:
    user = client.document("users/new")
    firestore.faults.fail(StatusCode.UNAVAILABLE, "Commit")
    with pytest.raises(ServiceUnavailable):
        user.set({}, retry=NEVER)
    assert not user.get().exists
    firestore.faults.fail(StatusCode.UNAVAILABLE, "Commit", after=1)
    with pytest.raises(ServiceUnavailable):
        user.set({}, retry=NEVER)
    assert user.get().exists


def test_a_stall_lasts_until_the_deadline(firestore: Firestore, client: Client) -> None:
    fault = firestore.faults.stall("RunQuery", after=10)
    with pytest.raises(DeadlineExceeded):
        read(client, timeout=0.2)
    assert fault.fired == 1
    assert read(client) == ALL


def test_a_stall_ends_with_the_client(firestore: Firestore, client: Client) -> None:
    fault = firestore.faults.stall("RunQuery", after=10)
    stream = client.collection("users").stream(retry=NEVER)
    assert next(stream).id == "000"
    fault.wait_until_fired()
    stream.close()
    # The server's end, in the fixture, waits for the stalled stream.


def test_a_stall_ends_with_the_server(firestore: Firestore, client: Client) -> None:
    fault = firestore.faults.stall("RunQuery", after=10)
    failed: list[BaseException] = []

    def reading() -> None:
        try:
            read(client)
        except ServiceUnavailable as error:
            failed.append(error)

    reader = Thread(target=reading)
    reader.start()
    fault.wait_until_fired()
    firestore.stop()
    reader.join()
    assert len(failed) == 1


def test_a_server_that_dies_in_the_middle_stays_dead(firestore: Firestore, client: Client) -> None:
    firestore.faults.call(firestore.stop, "RunQuery", after=50)
    found: list[str] = []
    with pytest.raises(ServiceUnavailable):
        read_into(found, client, "users", NEVER)
    assert found == ALL[: len(found)]
    assert len(found) <= 51
    with pytest.raises(ServiceUnavailable):
        read(client)


def test_a_test_can_write_while_a_collection_is_read(firestore: Firestore, client: Client) -> None:
    def meanwhile() -> None:
        client.document("users/050!").set({})
        client.document("users/099").delete()
        firestore.store.put("users/zzz", {})

    firestore.faults.call(meanwhile, "RunQuery", after=50)
    assert read(client) == ALL
    assert read(client) == sorted([*ALL[:-1], "050!", "zzz"])


def test_what_a_hook_writes_before_the_first_message_is_read(firestore: Firestore, client: Client) -> None:
    firestore.faults.call(lambda: firestore.store.delete("users/000"), "RunQuery")
    assert read(client) == ALL[1:]


def test_several_faults_meet_one_stream(firestore: Firestore, client: Client) -> None:
    seen: list[int] = []
    for after in (3, 5):
        firestore.faults.call(lambda after=after: seen.append(after), "RunQuery", after=after)
    firestore.faults.fail(StatusCode.UNAVAILABLE, "RunQuery", after=7)
    assert read(client, retry=RESUMING) == ALL
    assert seen == [3, 5]


def test_a_fault_for_good_happens_to_every_stream_once(firestore: Firestore, client: Client) -> None:
    fault = firestore.faults.call(lambda: None, "RunQuery", after=5, times=None)
    for fired in (1, 2, 3):
        assert read(client) == ALL
        assert fault.fired == fired


def test_a_hook_that_fails_fails_the_call(firestore: Firestore, client: Client) -> None:
    firestore.faults.call(lambda: 1 / 0, "RunQuery", after=5)
    with pytest.raises(Unknown, match="division by zero"):
        read(client)


def test_a_fault_that_no_call_met_is_not_waited_for_for_ever(firestore: Firestore) -> None:
    with pytest.raises(TimeoutError, match="no call met the fault"):
        firestore.faults.fail(grpc.StatusCode.ABORTED).wait_until_fired(0.01)
