"""The sample in a Firestore: what is there afterwards, over the real protocol, and what is said when it cannot be."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import Client

from calback_assets.errors import CalbackError
from calback_assets.sample import firestore_upload, write_sample
from calback_assets.sample.firestore_upload import FirestoreUpload, Upload
from calback_assets_tests.firestore.server import Firestore

PROJECT = "demo-calback"
COLLECTIONS = ("userCollection", "meetingsCollection")


@pytest.fixture
def firestore() -> Iterator[Firestore]:
    with Firestore(PROJECT) as serving:
        yield serving


@pytest.fixture
def client(firestore: Firestore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore.host)
    connected = Client(project=PROJECT, credentials=AnonymousCredentials())
    yield connected
    connected.close()


@pytest.fixture
def upload(firestore: Firestore, client: Client) -> FirestoreUpload:
    return FirestoreUpload(client, firestore.host)


def replace(upload: FirestoreUpload, sample: Path) -> Upload:
    return upload.replace(sample / "firestore", lambda *_: None)


def stored(client: Client, collection: str) -> dict[str, dict[str, Any]]:
    return {found.id: found.to_dict() or {} for found in client.collection(collection).stream(retry=None)}


def in_file(sample: Path, collection: str) -> dict[str, dict[str, Any]]:
    """What the file of a written sample says; its times are the only texts of their form."""

    def value(item: Any) -> Any:
        if isinstance(item, list):
            return [value(each) for each in item]
        try:
            return datetime.strptime(item, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
        except (TypeError, ValueError):
            return item

    lines = (sample / "firestore" / f"{collection}.jsonl").read_text(encoding="utf-8").splitlines()
    documents = [json.loads(line) for line in lines]
    return {one["id"]: {name: value(item) for name, item in one["data"].items()} for one in documents}


def typed(item: Any) -> Any:
    """A value with its type, so that true is not 1 and a time not its text."""
    if isinstance(item, dict):
        return {name: typed(inner) for name, inner in item.items()}
    if isinstance(item, list):
        return [typed(inner) for inner in item]
    return (datetime if isinstance(item, datetime) else type(item), item)


def test_firestore_holds_the_documents_of_the_files_with_their_times(
    tmp_path: Path, upload: FirestoreUpload, client: Client
) -> None:
    summary = write_sample(tmp_path / "data", users=700, days=4)
    replaced = replace(upload, tmp_path / "data")
    assert replaced == Upload(summary.users + summary.meetings, removed=0)
    users, meetings = (typed(stored(client, collection)) for collection in COLLECTIONS)
    assert users == typed(in_file(tmp_path / "data", "userCollection"))
    assert meetings == typed(in_file(tmp_path / "data", "meetingsCollection"))
    assert sum(meeting["from"][0] is datetime for meeting in meetings.values()) > 0.99 * len(meetings) > 300


def test_a_text_becomes_a_time_only_where_it_says_which(
    tmp_path: Path, upload: FirestoreUpload, client: Client
) -> None:
    seoul = timezone(timedelta(hours=9))
    given: dict[str, Any] = {
        "from": "2024-03-01T09:00:00+09:00",
        "to": "2024-03-01T09:00:00",
        "recurrenceExceptionDates": ["2024-03-08T00:00:00.000001Z", None, "never", 1_690_000_000_000],
        "content": "2024-03-01T09:00:00+09:00",
    }
    (tmp_path / "firestore").mkdir()
    for collection in COLLECTIONS:
        line = json.dumps({"id": "one", "data": given})
        (tmp_path / "firestore" / f"{collection}.jsonl").write_text(f"{line}\n", encoding="utf-8")
    replace(upload, tmp_path)
    expected = given | {
        "from": datetime(2024, 3, 1, 9, tzinfo=seoul),
        "recurrenceExceptionDates": [datetime(2024, 3, 8, 0, 0, 0, 1, tzinfo=UTC), None, "never", 1_690_000_000_000],
    }
    assert typed(stored(client, "meetingsCollection")["one"]) == typed(expected)
    assert stored(client, "userCollection") == {"one": given}


def test_afterwards_the_collections_hold_the_sample_alone(
    tmp_path: Path, firestore: Firestore, upload: FirestoreUpload, client: Client
) -> None:
    for name, seed in (("old", 1), ("new", 2)):
        write_sample(tmp_path / name, users=300, days=3, seed=seed)
    replace(upload, tmp_path / "old")
    firestore.store.put("otherCollection/kept", {"of": "somebody else"})
    firestore.store.put("userCollection/a/own/kept", {"below": "a user"})
    replaced = replace(upload, tmp_path / "new")
    assert replaced.removed == sum(len(in_file(tmp_path / "old", collection)) for collection in COLLECTIONS) > 300
    for collection in COLLECTIONS:
        assert stored(client, collection) == in_file(tmp_path / "new", collection)
    assert stored(client, "otherCollection") == {"kept": {"of": "somebody else"}}
    assert stored(client, "userCollection/a/own") == {"kept": {"below": "a user"}}


def test_a_second_upload_mends_what_has_changed(
    tmp_path: Path, firestore: Firestore, upload: FirestoreUpload, client: Client
) -> None:
    write_sample(tmp_path / "data", users=5, days=3)
    replace(upload, tmp_path / "data")
    changed, deleted, *_ = in_file(tmp_path / "data", "userCollection")
    firestore.store.put(f"userCollection/{changed}", {"flag": 1, "surplus": True})
    firestore.store.delete(f"userCollection/{deleted}")
    firestore.store.put("userCollection/strange", {})
    assert replace(upload, tmp_path / "data").removed == 1
    assert stored(client, "userCollection") == in_file(tmp_path / "data", "userCollection")


def test_requests_are_small_and_each_is_reported(tmp_path: Path, firestore: Firestore, upload: FirestoreUpload) -> None:
    write_sample(tmp_path / "data", users=600, days=2)
    reported: list[tuple[str, int]] = []
    upload.replace(tmp_path / "data" / "firestore", lambda doing, count: reported.append((doing, count)))
    written = [len(request.message.writes) for request in firestore.requests if request.method == "Commit"]
    assert [count for _, count in reported] == [*written, 0]
    assert reported[:3] == [("userCollection to Firestore", count) for count in (250, 250, 100)]
    assert [doing for doing, _ in reported[3:-1]] == ["meetingsCollection to Firestore"] * (len(written) - 3)
    assert reported[-1][0] == "looking for other documents"
    assert max(request.message.ByteSize() for request in firestore.requests) < 2**20


def test_an_emulator_that_is_not_there_is_said_at_once(firestore: Firestore, upload: FirestoreUpload) -> None:
    # Nothing has connected yet: in one process, gRPC now and then loses a call on a connection that is just closing.
    firestore.stop()
    began = time.monotonic()
    with pytest.raises(CalbackError) as error:
        upload.check()
    assert time.monotonic() - began < 30  # Left alone, the client would try for a minute.
    assert str(error.value) == (
        f"no Firestore emulator answers at {firestore.host}; start one there, or set FIRESTORE_EMULATOR_HOST to the "
        "host and port of one that runs, and try again"
    )


def test_an_emulator_that_stays_silent_is_not_waited_for(
    firestore: Firestore, upload: FirestoreUpload, monkeypatch: pytest.MonkeyPatch
) -> None:
    firestore.faults.stall("RunQuery")
    monkeypatch.setattr(firestore_upload, "_ANSWERS_WITHIN", 0.2)
    with pytest.raises(CalbackError, match=f"^no Firestore emulator answers at {firestore.host}; "):
        upload.check()


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, "the Firestore emulator at {host} answered PermissionDenied; see its own"),
        (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "the Firestore emulator at {host} answered ResourceExhausted; see its own",
        ),
        (grpc.StatusCode.UNAVAILABLE, "no Firestore emulator answers at {host}; start one there"),
    ],
)
@pytest.mark.parametrize("method", ["Commit", "RunAggregationQuery", "RunQuery"])
def test_a_refusal_is_one_line_without_its_text(
    tmp_path: Path, firestore: Firestore, upload: FirestoreUpload, method: str, code: grpc.StatusCode, answer: str
) -> None:
    write_sample(tmp_path / "data", users=5, days=1)
    firestore.store.put("userCollection/strange", {})
    firestore.faults.fail(code, method, times=None)
    with pytest.raises(CalbackError) as error:
        replace(upload, tmp_path / "data")
    assert str(error.value).startswith(answer.format(host=firestore.host))
    assert "injected" not in str(error.value)
    assert sum(request.method == method for request in firestore.requests) == 1


def test_what_was_written_before_a_failure_stays_and_the_next_upload_completes_it(
    tmp_path: Path, firestore: Firestore, upload: FirestoreUpload, client: Client
) -> None:
    write_sample(tmp_path / "data", users=300, days=1)
    firestore.store.put("userCollection/strange", {})
    firestore.faults.fail(
        grpc.StatusCode.UNAVAILABLE, "Commit", times=None, when=lambda request: len(request.writes) < 250
    )
    with pytest.raises(CalbackError):
        replace(upload, tmp_path / "data")
    assert len(stored(client, "userCollection")) == 251
    firestore.faults.clear()
    replace(upload, tmp_path / "data")
    assert stored(client, "userCollection") == in_file(tmp_path / "data", "userCollection")
