"""Tests of the proxy, between BigQuery's client and a server that records what reaches it."""

import gzip
import io
import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler
from threading import Barrier, Event
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import Conflict, GoogleAPICallError, ServiceUnavailable, TooManyRequests
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.resumable_media.requests import ResumableUpload

from calback_assets_tests.bigquery.proxy import Fault, FaultProxy, Request, SlowAnswer, serving

JOBS = "/bigquery/v2/projects/p/jobs"
UPLOAD = "/upload" + JOBS
TABLE = "/bigquery/v2/projects/p/datasets/d/tables/t"
CHUNK = 256 * 1024
NEVER = Retry(predicate=lambda _: False)

# What a table, a load job and the upload of one are answered alike.
RESOURCE: dict[str, Any] = {
    "tableReference": {"projectId": "p", "datasetId": "d", "tableId": "t"},
    "jobReference": {"projectId": "p", "jobId": "j", "location": "US"},
    "configuration": {"load": {"destinationTable": {"projectId": "p", "datasetId": "d", "tableId": "t"}}},
    "status": {"state": "DONE"},
}


@dataclass(frozen=True)
class Arrival:
    """A request as the upstream got it."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = json.dumps(RESOURCE).encode()
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Upstream:
    """A server that keeps what it gets, and answers as it is told."""

    answer: Callable[[Arrival], Answer]
    url: str = ""
    arrivals: list[Arrival] = field(default_factory=list)


class Recorder(BaseHTTPRequestHandler):
    def __init__(self, upstream: Upstream, *connection: Any) -> None:
        self.upstream = upstream
        super().__init__(*connection)

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        arrival = Arrival(self.command, self.path, dict(self.headers), body)
        self.upstream.arrivals.append(arrival)
        answer = self.upstream.answer(arrival)
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815, the names that the base class looks for


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream(lambda _: Answer())
    with serving(partial(Recorder, upstream)) as upstream.url:
        yield upstream


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[FaultProxy]:
    with FaultProxy(upstream.url) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[bigquery.Client]:
    credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
    options = ClientOptions(api_endpoint=proxy.url)
    with closing(bigquery.Client("p", credentials, location="US", client_options=options)) as client:
        yield client


def get_table(client: bigquery.Client, timeout: float = 30) -> bigquery.Table:
    return client.get_table("p.d.t", retry=NEVER, timeout=timeout)


def insert(client: bigquery.Client, job_id: str) -> None:
    client.load_table_from_uri("gs://bucket/rows", "p.d.t", job_id=job_id, retry=NEVER, timeout=30)


def upload_in_one_part(client: bigquery.Client, job_id: str) -> None:
    client.load_table_from_file(io.BytesIO(b"rows"), "p.d.t", size=4, job_id=job_id, num_retries=0, timeout=30)


def upload_in_a_session(client: bigquery.Client, job_id: str) -> None:
    client.load_table_from_file(io.BytesIO(b"rows"), "p.d.t", job_id=job_id, num_retries=0, timeout=30)


INSERTS = pytest.mark.parametrize("make", [insert, upload_in_one_part, upload_in_a_session])


def resumable(upstream: Upstream) -> Callable[[Arrival], Answer]:
    """Answers as the upload protocol does: a session at the start, 308 for a chunk, the job for the last one."""

    def answer(arrival: Arrival) -> Answer:
        if arrival.target.endswith("uploadType=resumable"):
            session = len(upstream.arrivals)
            return Answer(body=b"", headers={"Location": f"{upstream.url}{arrival.target}&upload_id={session}"})
        content_range = arrival.headers.get("content-range", "")
        if content_range.endswith("/*"):
            end = content_range.removesuffix("/*").partition("-")[2]
            return Answer(308, b"", {"Range": f"bytes=0-{end}"})
        return Answer()

    return answer


def test_a_request_and_its_answer_pass_unchanged(proxy: FaultProxy, upstream: Upstream) -> None:
    body, packed = bytes(range(256)) * 1000, gzip.compress(b"answer")
    upstream.answer = lambda _: Answer(418, packed, {"Content-Encoding": "gzip", "ETag": '"e"'})
    headers = {"Content-Type": "application/x", "Accept-Encoding": "gzip", "X-Any": "a, b", "User-Agent": "someone"}
    answer = requests.patch(f"{proxy.url}{TABLE}?a=%2F&a=b+c", data=body, headers=headers, timeout=30)

    (arrival,) = upstream.arrivals
    assert (arrival.method, arrival.target, arrival.body) == ("PATCH", f"{TABLE}?a=%2F&a=b+c", body)
    assert headers.items() <= arrival.headers.items()
    assert arrival.headers["Host"] == urlsplit(upstream.url).netloc
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (418, b"answer", '"e"')
    assert answer.headers["Content-Length"] == str(len(packed))


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_every_method_of_the_api_passes(proxy: FaultProxy, upstream: Upstream, method: str) -> None:
    assert requests.request(method, proxy.url + "/any", timeout=30).ok
    assert [(arrival.method, arrival.body) for arrival in upstream.arrivals] == [(method, b"")]


def test_a_chunked_body_arrives_whole(proxy: FaultProxy, upstream: Upstream) -> None:
    pieces = [b"a", b"\r\n" * 1000, b"\0" * 100_000]
    requests.post(proxy.url, data=iter(pieces), timeout=30)
    assert upstream.arrivals[0].body == b"".join(pieces)


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 9\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n9\r\nhalf"],
    ids=["in one piece", "chunked"],
)
def test_a_request_that_breaks_off_is_not_handed_on(proxy: FaultProxy, upstream: Upstream, head: bytes) -> None:
    address = urlsplit(proxy.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=30) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\n" + head)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert upstream.arrivals == []
    assert proxy.log == []


def test_bigquerys_client_gets_its_table(client: bigquery.Client) -> None:
    assert get_table(client).table_id == "t"


def test_a_connection_dropped_before_leaves_the_upstream_unasked(
    client: bigquery.Client, proxy: FaultProxy, upstream: Upstream
) -> None:
    proxy.arm(Fault.DROPPED_BEFORE)
    with pytest.raises(requests.ConnectionError):
        get_table(client)
    assert upstream.arrivals == []


def test_a_connection_dropped_after_loses_the_answer_of_what_the_upstream_did_once(
    client: bigquery.Client, proxy: FaultProxy, upstream: Upstream
) -> None:
    proxy.arm(Fault.DROPPED_AFTER)
    with pytest.raises(requests.ConnectionError):
        get_table(client)
    assert len(upstream.arrivals) == 1


@pytest.mark.parametrize(
    ("fault", "error", "reason"),
    [
        (Fault.RATE_LIMITED, TooManyRequests, "rateLimitExceeded"),
        (Fault.UNAVAILABLE, ServiceUnavailable, "backendError"),
    ],
)
def test_a_refusal_is_what_the_client_knows_from_bigquery(
    client: bigquery.Client,
    proxy: FaultProxy,
    upstream: Upstream,
    fault: Fault,
    error: type[GoogleAPICallError],
    reason: str,
) -> None:
    proxy.arm(fault)
    with pytest.raises(error) as caught:
        get_table(client)
    assert [detail["reason"] for detail in caught.value.errors] == [reason]
    assert upstream.arrivals == []
    proxy.arm(fault)
    assert client.get_table("p.d.t", retry=bigquery.DEFAULT_RETRY.with_delay(0.01), timeout=30).table_id == "t"


def test_a_truncated_answer_is_an_error_and_not_a_short_answer(
    client: bigquery.Client, proxy: FaultProxy, upstream: Upstream
) -> None:
    proxy.arm(Fault.TRUNCATED)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        get_table(client)
    assert len(upstream.arrivals) == 1


def test_truncation_leaves_nothing_of_an_answer_without_a_body(proxy: FaultProxy, upstream: Upstream) -> None:
    upstream.answer = lambda _: Answer(204, b"")
    proxy.arm(Fault.TRUNCATED)
    with pytest.raises(requests.ConnectionError):
        requests.delete(proxy.url + TABLE, timeout=30)
    assert len(upstream.arrivals) == 1


def test_a_slow_answer_outlasts_the_client_and_not_the_test(upstream: Upstream) -> None:
    begin = time.monotonic()
    with FaultProxy(upstream.url) as proxy:
        proxy.arm(SlowAnswer(seconds=60))
        with pytest.raises(requests.Timeout):
            requests.get(proxy.url, timeout=0.1)
    assert len(upstream.arrivals) == 1
    assert time.monotonic() - begin < 30


def test_bigquerys_client_runs_into_its_timeout(client: bigquery.Client, proxy: FaultProxy) -> None:
    proxy.arm(SlowAnswer(seconds=60))
    with pytest.raises(requests.Timeout):
        get_table(client, timeout=0.1)


def test_a_slow_answer_comes_in_the_end(client: bigquery.Client, proxy: FaultProxy) -> None:
    proxy.arm(SlowAnswer(seconds=0.1))
    begin = time.monotonic()
    assert get_table(client).table_id == "t"
    assert time.monotonic() - begin >= 0.1


def test_a_fault_hits_as_many_requests_as_it_is_armed_for_from_the_one_on_that_it_is_armed_at(
    proxy: FaultProxy,
) -> None:
    requests.get(proxy.url, timeout=30)
    proxy.arm(Fault.UNAVAILABLE, at=2, times=2)
    assert [requests.get(proxy.url, timeout=30).status_code for _ in range(5)] == [200, 503, 503, 200, 200]
    faults = [None, None, Fault.UNAVAILABLE, Fault.UNAVAILABLE, None, None]
    assert [(request.index, request.fault) for request in proxy.log] == list(enumerate(faults, start=1))


def test_arming_replaces_what_was_armed(proxy: FaultProxy) -> None:
    proxy.arm(Fault.UNAVAILABLE, times=9)
    proxy.arm(Fault.RATE_LIMITED)
    assert [requests.get(proxy.url, timeout=30).status_code for _ in range(2)] == [429, 200]


def test_nothing_is_injected_once_disarmed(proxy: FaultProxy) -> None:
    proxy.arm(Fault.UNAVAILABLE, times=9)
    assert requests.get(proxy.url, timeout=30).status_code == 503
    proxy.disarm()
    assert [requests.get(proxy.url, timeout=30).status_code for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", JOBS, "jobs.insert"),
        ("GET", JOBS + "/j", "jobs.get"),
        ("POST", JOBS + "/j/cancel", "jobs.cancel"),
        ("POST", "/bigquery/v2/projects/p/queries", "jobs.query"),
        ("GET", "/bigquery/v2/projects/p/queries/j", "jobs.getQueryResults"),
        ("GET", "/bigquery/v2/projects/p/datasets/d", "datasets.get"),
        ("POST", "/bigquery/v2/projects/p/datasets/d/tables", "tables.insert"),
        ("GET", TABLE, "tables.get"),
        ("PATCH", TABLE, "tables.patch"),
        ("DELETE", TABLE, "tables.delete"),
        ("GET", TABLE + "/data", "tabledata.list"),
        ("POST", UPLOAD, "upload"),
        ("PUT", "/resumable" + UPLOAD, "upload"),
        ("GET", "/elsewhere", "GET /elsewhere"),
    ],
)
def test_the_log_calls_a_request_as_bigquerys_reference_does(
    proxy: FaultProxy, method: str, path: str, kind: str
) -> None:
    requests.request(method, f"{proxy.url}{path}?location=US", data=b"{}", timeout=30)
    assert proxy.log == [Request(1, method, path, kind)]


def test_requests_in_parallel_are_all_logged_with_numbers_of_their_own(proxy: FaultProxy) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: requests.get(f"{proxy.url}/{number}", timeout=30), range(40)))
    assert [request.index for request in proxy.log] == list(range(1, 41))
    assert {request.path for request in proxy.log} == {f"/{number}" for number in range(40)}


@INSERTS
def test_a_job_id_can_be_used_once(
    client: bigquery.Client, proxy: FaultProxy, upstream: Upstream, make: Callable[[bigquery.Client, str], None]
) -> None:
    upstream.answer = resumable(upstream)
    make(client, "first")
    accepted = len(upstream.arrivals)
    for again in (insert, upload_in_one_part, upload_in_a_session):
        with pytest.raises(Conflict, match=r"Already Exists: Job p:US\.first") as caught:
            again(client, "first")
        assert [detail["reason"] for detail in caught.value.errors] == ["duplicate"]
    assert len(upstream.arrivals) == accepted
    make(client, "second")
    assert len(upstream.arrivals) == 2 * accepted
    assert len(proxy.log) == 2 * accepted + 3


@pytest.mark.parametrize("make", [upload_in_one_part, upload_in_a_session])
def test_the_job_of_an_upload_is_found_by_its_id_though_the_upstream_gave_it_another(
    client: bigquery.Client, proxy: FaultProxy, upstream: Upstream, make: Callable[[bigquery.Client, str], None]
) -> None:
    upstream.answer = resumable(upstream)
    make(client, "first")
    client.get_job("first", retry=NEVER, timeout=30)
    asked = urlsplit(upstream.arrivals[-1].target)
    assert asked.path == f"{JOBS}/{RESOURCE['jobReference']['jobId']}"
    assert "location=US" in asked.query.split("&")
    assert proxy.log[-1].path == f"{JOBS}/first"


@INSERTS
def test_an_id_whose_insert_was_refused_can_be_used(
    client: bigquery.Client, upstream: Upstream, make: Callable[[bigquery.Client, str], None]
) -> None:
    upstream.answer = lambda _: Answer(400, b"{}")
    for _ in range(2):
        with pytest.raises(GoogleAPICallError) as caught:
            make(client, "first")
        assert caught.value.code == 400
    assert len(upstream.arrivals) == 2


@pytest.mark.parametrize("fault", [Fault.DROPPED_BEFORE, Fault.RATE_LIMITED, Fault.UNAVAILABLE])
def test_an_insert_that_did_not_reach_the_upstream_can_be_repeated(
    client: bigquery.Client, proxy: FaultProxy, fault: Fault
) -> None:
    proxy.arm(fault)
    with pytest.raises((requests.ConnectionError, GoogleAPICallError)):
        insert(client, "first")
    insert(client, "first")


@pytest.mark.parametrize("fault", [Fault.DROPPED_AFTER, Fault.TRUNCATED])
def test_an_insert_whose_answer_was_lost_has_used_its_id(
    client: bigquery.Client, proxy: FaultProxy, upstream: Upstream, fault: Fault
) -> None:
    proxy.arm(fault)
    with pytest.raises(requests.RequestException):
        insert(client, "first")
    with pytest.raises(Conflict):
        insert(client, "first")
    assert len(upstream.arrivals) == 1


def test_an_insert_while_the_first_one_still_runs_is_the_second(
    client: bigquery.Client, proxy: FaultProxy, upstream: Upstream
) -> None:
    runs, end = Event(), Event()

    def slowly(_: Arrival) -> Answer:
        runs.set()
        end.wait(30)
        return Answer()

    upstream.answer = slowly
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(insert, client, "first")
        assert runs.wait(30)
        try:
            with pytest.raises(Conflict):
                insert(client, "first")
        finally:
            end.set()
        first.result()
    assert [request.kind for request in proxy.log] == ["jobs.insert", "jobs.insert"]


@pytest.mark.parametrize(
    ("path", "reference"),
    [
        (JOBS, {"jobId": "other", "location": "US"}),
        (JOBS, {"jobId": "first", "location": "EU"}),
        (JOBS.replace("/p/", "/q/"), {"jobId": "first", "location": "US"}),
        (JOBS, {}),
    ],
)
def test_an_id_belongs_to_a_project_and_a_location(
    client: bigquery.Client, proxy: FaultProxy, path: str, reference: dict[str, str]
) -> None:
    insert(client, "first")
    job: dict[str, Any] = {"jobReference": reference, "configuration": {"load": {}}}
    assert requests.post(proxy.url + path, json=job, timeout=30).ok


def test_a_dry_run_uses_no_id(proxy: FaultProxy, client: bigquery.Client) -> None:
    configuration = {"query": {"query": "SELECT 1"}, "dryRun": True}
    job: dict[str, Any] = {"jobReference": {"jobId": "first", "location": "US"}, "configuration": configuration}
    assert requests.post(proxy.url + JOBS, json=job, timeout=30).ok
    insert(client, "first")


def test_rows_that_look_like_a_job_are_not_taken_for_one(client: bigquery.Client, upstream: Upstream) -> None:
    insert(client, "first")
    rows = json.dumps({"jobReference": {"jobId": "first", "location": "US"}, "configuration": {}}).encode()
    client.load_table_from_file(io.BytesIO(rows), "p.d.t", size=len(rows), job_id="second", num_retries=0, timeout=30)
    assert len(upstream.arrivals) == 2


def test_a_query_that_is_prolonged_runs_on_for_who_looks_at_it(proxy: FaultProxy) -> None:
    proxy.prolong("first", [{"completedUnits": 1}, {"completedUnits": 2}])
    first, second, again, ended = (
        requests.get(f"{proxy.url}{JOBS}/{job_id}", timeout=30).json()
        for job_id in ("first", "second", "first", "first")
    )
    assert [job["status"]["state"] for job in (first, second, again, ended)] == ["RUNNING", "DONE", "RUNNING", "DONE"]
    assert again["statistics"]["query"]["timeline"] == [{"completedUnits": "1"}, {"completedUnits": "2"}]


def begun_upload(proxy: FaultProxy, job_id: str, rows: bytes) -> Any:
    """An upload in small chunks, none of them sent yet. Any, for the library has no types."""
    untyped: Any = ResumableUpload
    upload = untyped(f"{proxy.url}{UPLOAD}?uploadType=resumable", CHUNK)
    job = {"jobReference": {"jobId": job_id, "location": "US"}, "configuration": {"load": {}}}
    with requests.Session() as session:
        upload.initiate(session, io.BytesIO(rows), job, "*/*", stream_final=False)
    return upload


def test_an_upload_in_chunks_comes_back_to_the_proxy_and_arrives_whole(proxy: FaultProxy, upstream: Upstream) -> None:
    upstream.answer = resumable(upstream)
    rows = bytes(range(256)) * (CHUNK // 128) + b"end"
    upload = begun_upload(proxy, "first", rows)
    assert upload.resumable_url == f"{proxy.url}{UPLOAD}?uploadType=resumable&upload_id=1"
    with requests.Session() as session:
        while not upload.finished:
            upload.transmit_next_chunk(session)
    assert [(request.method, request.kind) for request in proxy.log] == [("POST", "upload"), *[("PUT", "upload")] * 3]
    assert b"".join(arrival.body for arrival in upstream.arrivals[1:]) == rows


def test_an_upload_uses_its_id_with_its_last_chunk(
    client: bigquery.Client, proxy: FaultProxy, upstream: Upstream
) -> None:
    upstream.answer = resumable(upstream)
    rows = b"r" * (CHUNK + 1)
    late, early = begun_upload(proxy, "first", rows), begun_upload(proxy, "first", rows)
    with requests.Session() as session:
        late.transmit_next_chunk(session)
        while not early.finished:
            early.transmit_next_chunk(session)
        arrivals = len(upstream.arrivals)
        last = requests.put(late.resumable_url, b"r", headers={"Content-Range": f"bytes {CHUNK}-{CHUNK}/*"}, timeout=30)
    assert last.status_code == 409
    with pytest.raises(Conflict):
        insert(client, "first")
    assert len(upstream.arrivals) == arrivals


def test_two_uploads_of_one_id_can_begin_at_the_same_time(proxy: FaultProxy, upstream: Upstream) -> None:
    both = Barrier(2, timeout=30)

    def together(arrival: Arrival) -> Answer:
        both.wait()
        return resumable(upstream)(arrival)

    upstream.answer = together
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda rows: begun_upload(proxy, "first", rows), [b"one", b"two"]))


def test_an_upload_that_has_made_its_job_can_still_be_asked_how_far_it_came(
    proxy: FaultProxy, upstream: Upstream
) -> None:
    upstream.answer = resumable(upstream)
    upload = begun_upload(proxy, "first", b"rows")
    with requests.Session() as session:
        upload.transmit_next_chunk(session)
    assert requests.put(upload.resumable_url, headers={"Content-Range": "bytes */4"}, timeout=30).ok


def test_a_location_elsewhere_is_left_as_it_is(proxy: FaultProxy, upstream: Upstream) -> None:
    upstream.answer = lambda _: Answer(201, b"", {"Location": "https://example.com/there"})
    assert requests.get(proxy.url, timeout=30).headers["Location"] == "https://example.com/there"
