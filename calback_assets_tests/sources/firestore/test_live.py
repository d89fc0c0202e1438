"""Tests of snapshots of a live Firestore: complete, of one time, and read to the end whatever breaks on the way."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import ServiceUnavailable
from google.api_core.retry import Retry, if_exception_type
from google.cloud.firestore_v1.types import Value

from calback_assets.errors import SourceError
from calback_assets.sources.firestore.client import Patience, connected
from calback_assets.sources.firestore.documents import Problem, Snapshot, collections
from calback_assets.sources.firestore.files import FirestoreFiles
from calback_assets.sources.firestore.live import LiveFirestore
from calback_assets_tests.firestore.faults import Fault
from calback_assets_tests.firestore.files import load_folder
from calback_assets_tests.firestore.server import Firestore
from calback_assets_tests.sources.helpers import MARK, write_lines

AT_ONCE = Patience(first_pause_seconds=0)
DECLARED = collections(b"key of a test", tolerated=1.0)
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


def live(firestore: Firestore, *, streams: int = 1, patience: Patience = AT_ONCE) -> LiveFirestore:
    return LiveFirestore(firestore.project, connected, DECLARED, patience, streams)


def users(source: LiveFirestore) -> Snapshot:
    return source.snapshots(["raw_users"], ignored)["raw_users"]


def ignored(_: str) -> None:
    """Nobody listens."""


def ids(snapshot: Snapshot) -> list[str]:
    return sorted(snapshot.rows.column("user_id").to_pylist())


def fill(firestore: Firestore, number: int) -> list[str]:
    """Users with ids of several scripts; returns the ids, sorted."""
    names = sorted(f"{script}{index:05d}" for index, script in zip(range(number), _scripts(), strict=False))
    for index, name in enumerate(names):
        firestore.store.put(f"userCollection/{name}", {"flag": index})
    return names


def _scripts() -> Iterator[str]:
    while True:
        yield from ("u", "사용자", "Zoë", "😀", "~")


def queries(firestore: Firestore) -> list[Any]:
    return [request.message.structured_query for request in firestore.requests if request.method == "RunQuery"]


@pytest.mark.parametrize("streams", [1, 8])
@pytest.mark.parametrize("number", [0, 1, 99, 100, 101, 500])
def test_every_document_is_read_once(firestore: Firestore, number: int, streams: int) -> None:
    names = fill(firestore, number)
    snapshot = users(live(firestore, streams=streams))
    assert ids(snapshot) == names
    assert snapshot.documents == number


def test_a_large_collection_is_read_in_parallel_parts(firestore: Firestore) -> None:
    firestore.documents_per_partition = 10
    names = fill(firestore, 500)
    assert ids(users(live(firestore, streams=4))) == names
    asked = queries(firestore)
    assert len(asked) == 4
    assert sum(query.HasField("start_at") for query in asked) == sum(query.HasField("end_at") for query in asked) == 3


def test_a_collection_of_the_same_name_elsewhere_is_not_read(firestore: Firestore) -> None:
    firestore.documents_per_partition = 10
    names = fill(firestore, 300)
    for index in range(300):
        firestore.store.put(f"userCollection/u00000/userCollection/{index}", {"flag": 1})
        firestore.store.put(f"archive/2023/userCollection/{index}", {"flag": 1})
    assert ids(users(live(firestore, streams=8))) == names


def test_the_files_of_an_export_and_the_database_give_equal_tables(firestore: Firestore, tmp_path: Path) -> None:
    user = {
        "name": MARK,
        "email": "Somebody@example.invalid",
        "photoUrl": "",
        "token": MARK,
        "flag": 3.0,
        "friends": ["a", "b", 7],
        "openPrivacy": "true",
        "reqSent": {"0": "a"},
    }
    meeting = {
        "owner": "u1",
        "content": "밥 먹자",
        "from": "2024-03-20T11:00:00+09:00",
        "to": "soon",
        "isAllDay": None,
        "recurrenceRule": "FREQ=DAILY",
        "involved": ["u1", "u2"],
        "background": "#ffffff",
    }
    times = {"create_time": "2024-03-14T01:02:03.456789Z", "update_time": "2024-03-14T10:02:04Z"}
    write_lines(
        tmp_path / "userCollection.jsonl", [{"id": "u1", "data": user, **times}, {"id": "u2", "data": {}, **times}]
    )
    write_lines(tmp_path / "meetingsCollection.jsonl", [{"id": "pending1", "data": meeting, **times}])
    load_folder(firestore.store, tmp_path)

    tables = ["raw_meetings", "raw_users"]
    exported = FirestoreFiles(tmp_path, DECLARED).snapshots(tables, ignored)
    read = live(firestore).snapshots(tables, ignored)
    for table in tables:
        ours, theirs = (snapshots[table].rows.drop_columns("snapshot_at") for snapshots in (read, exported))
        assert ours.sort_by(ours.column_names[0]).to_pylist() == theirs.sort_by(ours.column_names[0]).to_pylist()
    assert {(problem.document_id, problem.field) for problem in read["raw_users"].problems} == {
        *(("u1", "friends"), ("u1", "openPrivacy"), ("u1", "reqSent")),
    }


def test_only_the_declared_fields_are_asked_for(firestore: Firestore) -> None:
    firestore.store.put("userCollection/u1", {"flag": 1, "a_field_of_tomorrow": MARK})
    users(live(firestore))
    (query,) = queries(firestore)
    assert [field.field_path for field in query.select.fields] == list(DECLARED["raw_users"].fields)


def test_both_collections_are_of_one_time_whatever_is_written_meanwhile(firestore: Firestore) -> None:
    names = fill(firestore, 300)
    firestore.store.put("meetingsCollection/m1", {"owner": names[0]})

    def write() -> None:
        firestore.store.delete(f"userCollection/{names[-1]}")
        firestore.store.put(f"userCollection/{names[-2]}", {"flag": 4711})
        firestore.store.put("userCollection/~newcomer", {"flag": 1})
        firestore.store.put("meetingsCollection/m1", {"owner": "~newcomer"})
        firestore.store.put("meetingsCollection/m2", {"owner": "~newcomer"})

    firestore.faults.call(write, "RunQuery", after=100)
    read = live(firestore).snapshots(["raw_users", "raw_meetings"], ignored)
    assert ids(read["raw_users"]) == names
    flags = dict(zip(*(read["raw_users"].rows.column(name).to_pylist() for name in ("user_id", "flag")), strict=True))
    assert flags[names[-2]] == 298
    assert read["raw_meetings"].rows.column("owner_id").to_pylist() == [names[0]]
    assert read["raw_users"].snapshot_at == read["raw_meetings"].snapshot_at
    assert "~newcomer" in ids(users(live(firestore)))


@pytest.mark.parametrize(("streams", "number"), [(1, 200), (4, 300)])
@pytest.mark.parametrize("repeats", [1, 2, 3])
def test_a_stream_that_breaks_anywhere_ends_with_every_document_once(
    firestore: Firestore, streams: int, number: int, repeats: int
) -> None:
    """Each of the 201 or 301 boundaries between messages, twenty or so a snapshot, and so often in a row."""
    firestore.documents_per_partition = 10
    names = fill(firestore, number)
    source = live(firestore, streams=streams)
    users(source)
    inner = sorted(_name(query.start_at) for query in queries(firestore) if query.HasField("start_at"))
    bounds = [0, *(names.index(name) for name in inner), len(names)]
    assert len(bounds) == streams + 1
    apart = number // 20
    for offset in range(apart):
        faults = [
            fault
            for start, end in pairwise(bounds)
            for fault in broken_at(
                firestore, names, start, [at for at in range(offset, number + 1, apart) if start <= at <= end], repeats
            )
        ]
        assert ids(users(source)) == names, offset
        assert all(fault.fired == times for fault, times in faults), offset
        firestore.faults.clear()


def broken_at(
    firestore: Firestore, names: list[str], start: int, boundaries: list[int], repeats: int
) -> list[tuple[Fault, int]]:
    """Faults that break a part of the collection before these documents, and how often each is to happen."""
    added = []

    def add(begin: int, is_resumed: bool, at: int, times: int) -> None:
        def when(request: Any) -> bool:
            cursor = request.structured_query.start_at
            if is_resumed:
                return not cursor.before and bool(cursor.values) and _name(cursor) == names[begin - 1]
            return cursor.before and _name(cursor) == names[begin] if begin else not cursor.values

        if times:
            added.append(
                (firestore.faults.fail(UNAVAILABLE, "RunQuery", after=at - begin, times=times, when=when), times)
            )

    begin, is_resumed = start, False
    for at in boundaries:
        if at == begin:  # Nothing has come yet: every repetition begins where this one does.
            add(begin, is_resumed, at, repeats)
        else:
            add(begin, is_resumed, at, 1)
            begin, is_resumed = at, True
            add(begin, is_resumed, at, repeats - 1)
    return added


def _name(cursor: Any) -> str:
    return cursor.values[0].reference_value.rpartition("/")[2]


@pytest.mark.parametrize(
    "code", ["ABORTED", "CANCELLED", "DEADLINE_EXCEEDED", "INTERNAL", "RESOURCE_EXHAUSTED", "UNKNOWN"]
)
def test_whatever_passes_is_borne(firestore: Firestore, code: str) -> None:
    names = fill(firestore, 200)
    status = getattr(grpc.StatusCode, code)
    faults = [firestore.faults.fail(status, method, times=3) for method in ("RunAggregationQuery", "PartitionQuery")]
    broken = firestore.faults.fail(status, "RunQuery", after=7, times=20)
    assert ids(users(live(firestore, streams=2))) == names
    assert [fault.fired for fault in (*faults, broken)] == [3, 3, 20]


def test_a_stream_that_says_nothing_is_left_at_its_deadline_and_resumed(firestore: Firestore) -> None:
    names = fill(firestore, 50)
    stall = firestore.faults.stall("RunQuery", after=20, times=2)
    assert ids(users(live(firestore, patience=Patience(first_pause_seconds=0, request_seconds=0.5)))) == names
    assert stall.fired == 2


@pytest.mark.parametrize("streams", [1, 8])
def test_a_server_that_dies_for_good_is_an_error_within_the_bound(firestore: Firestore, streams: int) -> None:
    fill(firestore, 500)
    firestore.documents_per_partition = 10
    firestore.faults.call(firestore.stop, "RunQuery", after=40)
    patience = Patience(attempts=3, first_pause_seconds=0.01)
    with pytest.raises(SourceError) as caught:
        users(live(firestore, streams=streams, patience=patience))
    assert str(caught.value) == (
        "raw_users: Firestore did not answer (ServiceUnavailable); try again later; nothing was written"
    )


def test_a_server_that_comes_back_is_read_by_the_next_snapshot_at_once(firestore: Firestore) -> None:
    once = live(firestore, patience=Patience(attempts=1))
    firestore.stop()
    with pytest.raises(SourceError, match="did not answer"):
        users(once)
    with Firestore(firestore.project, port=int(firestore.host.rpartition(":")[2])) as back:
        names = fill(back, 3)
        assert ids(users(once)) == names


def test_attempts_that_bring_nothing_are_bounded(firestore: Firestore) -> None:
    fill(firestore, 20)
    fault = firestore.faults.fail(UNAVAILABLE, "RunQuery", times=None)
    with pytest.raises(SourceError):
        users(live(firestore, patience=Patience(attempts=5, first_pause_seconds=0)))
    assert fault.fired == 5


def test_pauses_double_up_to_a_bound_and_differ_from_stream_to_stream() -> None:
    patience = Patience(attempts=9, first_pause_seconds=1, longest_pause_seconds=10)
    error = ServiceUnavailable("away")  # type: ignore[no-untyped-call]
    for failures, longest in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (8, 10)):
        pauses = {patience.pause_after(error, failures) for _ in range(50)}
        assert longest / 2 <= min(pauses) < max(pauses) <= longest
    with pytest.raises(ServiceUnavailable):
        patience.pause_after(error, 9)


REMEDIES = {
    "UNAUTHENTICATED": (
        "Firestore does not accept the Google credentials (Unauthenticated); run gcloud auth application-default "
        "login, or set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account"
    ),
    "PERMISSION_DENIED": (
        "Firestore denies access to project calback-test (PermissionDenied); grant this account roles/datastore.viewer "
        "on it"
    ),
    "NOT_FOUND": (
        "project calback-test has no Firestore database (default); set CALBACK_GCP_PROJECT to the app's project"
    ),
    "FAILED_PRECONDITION": (
        "Firestore no longer has the documents as they were when the snapshot began (FailedPrecondition): it keeps "
        "them for an hour; run it again, or switch on point-in-time recovery, which keeps them for seven days"
    ),
    "INVALID_ARGUMENT": "Firestore refuses the request (InvalidArgument)",
}


@pytest.mark.parametrize("code", REMEDIES)
@pytest.mark.parametrize("after", [0, 10])
def test_what_will_not_pass_is_said_at_once_with_its_remedy(firestore: Firestore, code: str, after: int) -> None:
    fill(firestore, 20)
    fault = firestore.faults.fail(getattr(grpc.StatusCode, code), "RunQuery", after=after, times=None)
    with pytest.raises(SourceError) as caught:
        users(live(firestore, patience=Patience()))
    assert str(caught.value) == f"raw_users: {REMEDIES[code]}; nothing was written"
    assert fault.fired == 1


def test_a_quota_that_stays_used_up_is_named(firestore: Firestore) -> None:
    fill(firestore, 1)
    firestore.faults.fail(grpc.StatusCode.RESOURCE_EXHAUSTED, "RunQuery", times=None)
    with pytest.raises(SourceError) as caught:
        users(live(firestore))
    assert str(caught.value) == (
        "raw_users: Firestore's quota of project calback-test is used up (ResourceExhausted); run it again tomorrow, "
        "or enable billing; nothing was written"
    )


def test_a_count_that_differs_from_what_was_read_fails_the_snapshot(firestore: Firestore) -> None:
    now = datetime.now(UTC)
    firestore.store.put("userCollection/u1", {}, create_time=now - timedelta(minutes=9))

    def rewrite_the_past() -> None:
        firestore.store.put("userCollection/u2", {}, create_time=now - timedelta(minutes=9))

    firestore.faults.call(rewrite_the_past, "RunQuery")
    with pytest.raises(
        SourceError, match=r"^raw_users: Firestore counts 1 documents in userCollection at .*, and 2 were"
    ):
        users(live(firestore))


def test_no_credentials_are_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))
    with pytest.raises(SourceError) as caught:
        users(LiveFirestore("calback-test", connected, DECLARED))
    assert str(caught.value) == REMEDIES["UNAUTHENTICATED"].replace("Unauthenticated", "DefaultCredentialsError")


def test_neither_limit_nor_offset_is_asked_for_also_not_on_resuming(firestore: Firestore) -> None:
    fill(firestore, 300)
    firestore.faults.fail(UNAVAILABLE, "RunQuery", after=9, times=9)
    users(live(firestore, streams=2))
    asked = queries(firestore)
    assert len(asked) > 9
    assert not any(query.HasField("limit") or query.offset for query in asked)


def test_the_client_itself_reads_the_wrong_documents_when_it_resumes_with_limit_or_offset(firestore: Firestore) -> None:
    """Why the source asks for neither; when this fails, the client has been mended."""
    names = fill(firestore, 20)
    resuming = Retry(predicate=if_exception_type(ServiceUnavailable), initial=0.001)
    with connected(firestore.project) as client:
        ordered = client.collection("userCollection").order_by("__name__")
        firestore.faults.fail(UNAVAILABLE, "RunQuery", after=5)
        assert len(list(ordered.limit(10).stream(retry=resuming))) == 15
        firestore.faults.fail(UNAVAILABLE, "RunQuery", after=5)
        assert len(list(ordered.offset(4).stream(retry=resuming))) == len(names) - 4 - 4


def reported(firestore: Firestore, data: dict[str, object]) -> tuple[dict[str, object], dict[str, str]]:
    """The meeting's row, and for each field the reason for which it could not be taken."""
    firestore.store.put("meetingsCollection/m1", data)
    snapshot = live(firestore).snapshots(["raw_meetings"], ignored)["raw_meetings"]
    (row,) = snapshot.rows.to_pylist()
    return row, {problem.field: problem.reason for problem in snapshot.problems}


def test_values_of_every_kind_are_taken_or_reported(firestore: Firestore) -> None:
    elsewhere = "projects/another/databases/(default)/documents/userCollection/u1"
    row, problems = reported(
        firestore,
        {
            "owner": Value.pb()(reference_value=elsewhere),
            "content": b"\xff\x00",
            "from": datetime(2024, 3, 20, 2, tzinfo=UTC),
            "to": "2024-03-20T12:00:00+09:00",
            "isAllDay": Value.pb()(geo_point_value={"latitude": 1.0, "longitude": 2.0}),
            "recurrenceRule": {"every": "day"},
            "involved": ["u1", ["u2"], None, "u3"],
            "pendingInvolved": float("nan"),
        },
    )
    assert row["starts_at"] == datetime(2024, 3, 20, 2, tzinfo=UTC)
    assert row["ends_at"] == datetime(2024, 3, 20, 3, tzinfo=UTC)
    assert row["involved_ids"] == ["u1", "u3"]
    assert row["involved_count"] == 2
    assert (row["owner_id"], row["content_length"], row["is_all_day"]) == (None, None, None)
    assert problems == {
        "owner": "expected a string, found reference",
        "content": "expected a string, found bytes",
        "isAllDay": "expected a boolean, found geo_point",
        "recurrenceRule": "expected a string, found map",
        "involved": "a list in which not every element is a string",
        "pendingInvolved": "expected a list, found float",
    }


def test_a_whole_double_is_an_integer_and_a_broken_one_is_not(firestore: Firestore) -> None:
    firestore.store.put("userCollection/whole", {"flag": 3.0})
    firestore.store.put("userCollection/broken", {"flag": 3.5})
    snapshot = users(live(firestore))
    flags = {row["user_id"]: row["flag"] for row in snapshot.rows.to_pylist()}
    assert flags == {"whole": 3, "broken": None}
    assert snapshot.problems == (Problem("broken", "flag", "expected an integer, found float"),)


def test_a_document_of_a_mebibyte_is_read(firestore: Firestore) -> None:
    firestore.store.put("meetingsCollection/m1", {"content": "x" * 1_048_000, "background": "y" * 100})
    snapshot = live(firestore).snapshots(["raw_meetings"], ignored)["raw_meetings"]
    assert snapshot.rows.column("content_length").to_pylist() == [1_048_000]


@pytest.mark.parametrize("name", ["a%2Fb", "사용자 1", "Ωmega", "a.b~c", "😀", "__reserved", "with space"])
def test_an_id_of_any_script_is_the_documents_own(firestore: Firestore, name: str) -> None:
    firestore.store.put(f"userCollection/{name}", {"flag": 1})
    assert ids(users(live(firestore))) == [name]


def test_progress_is_told_in_documents(firestore: Firestore) -> None:
    fill(firestore, 120)
    told: list[str] = []
    live(firestore).snapshots(["raw_users"], told.append)
    assert told == ["raw_users: 120 of 120 documents read"]


GROWTH = """
import re, sys
from pathlib import Path
from calback_assets.sources.firestore.documents import collections
from calback_assets.sources.firestore.client import connected
from calback_assets.sources.firestore.live import LiveFirestore

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

live = LiveFirestore("calback-test", connected, collections(b"key of a test", tolerated=0.01))
live.snapshots(["raw_meetings"], str)  # So few that only what eight streams and a first table take is taken.
before = peak()
print(live.snapshots(["raw_users"], str)["raw_users"].documents, peak() - before)
"""


def test_memory_grows_by_rows_and_not_by_documents(firestore: Firestore) -> None:
    """A fifth of the 100,000 documents that may take 300 MB, each ten times its row: they would take 68 MB together."""
    people = [f"friend {number:022}" for number in range(30)]
    user = {"friends": people, "email": "somebody@example.invalid", "flag": 1}
    for index in range(1_000):
        firestore.store.put(f"meetingsCollection/m{index:07d}", {"involved": people})
    for index in range(20_000):
        firestore.store.put(f"userCollection/u{index:07d}", user)
    printed = subprocess.check_output([sys.executable, "-c", GROWTH], text=True)
    documents, kilobytes = map(int, printed.split())
    assert documents == 20_000
    assert kilobytes < 40_000


def test_a_stream_that_breaks_is_told_with_its_next_attempt(firestore: Firestore) -> None:
    fill(firestore, 10)
    firestore.faults.fail(UNAVAILABLE, "RunAggregationQuery")
    firestore.faults.fail(UNAVAILABLE, "RunQuery", after=4, times=2)
    told: list[str] = []
    live(firestore).snapshots(["raw_users"], told.append)
    broken = "Firestore broke off (ServiceUnavailable): attempt 2 of 8 in 0.0 s"
    assert told == [broken, f"raw_users: {broken}", f"raw_users: {broken}", "raw_users: 10 of 10 documents read"]


def test_a_reader_that_stops_leaves_no_stream_behind(firestore: Firestore) -> None:
    fill(firestore, 500)
    firestore.documents_per_partition = 10
    firestore.faults.stall("RunQuery", after=100, times=None)
    firestore.faults.fail(grpc.StatusCode.PERMISSION_DENIED, "RunQuery", after=60, when=_is_first_part)
    with pytest.raises(SourceError, match="PermissionDenied"):
        finished(lambda: users(live(firestore, streams=4)))


def _is_first_part(request: Any) -> bool:
    return not request.structured_query.HasField("start_at")


def finished(work: Callable[[], object]) -> None:
    """Do it in less than the deadline of a request, which a stream that is left alone would take."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except SourceError as error:
            errors.append(error)

    thread = Thread(target=run)
    thread.start()
    thread.join(timeout=Patience().request_seconds / 2)
    assert not thread.is_alive()
    raise errors[0]
