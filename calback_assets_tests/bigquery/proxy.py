"""A proxy between a BigQuery client and the emulator: it logs requests, injects faults, and refuses used job ids.

What goes wrong on the way to BigQuery belongs here, and what BigQuery refuses or takes its time for and the emulator
does not, as long as the request alone shows it. What the client or the warehouse should make of it does not.
"""

import http.client
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from email.message import Message
from enum import Enum, auto
from functools import partial
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import urlsplit

# What the end of a server waits at most.
_POLL_SECONDS = 0.01

# Requests by method and path below the project, ids as *, under the names of BigQuery's reference.
_KINDS = {
    "POST queries": "jobs.query",
    "GET queries/*": "jobs.getQueryResults",
    "POST jobs": "jobs.insert",
    "GET jobs": "jobs.list",
    "GET jobs/*": "jobs.get",
    "POST jobs/*/cancel": "jobs.cancel",
    "DELETE jobs/*/delete": "jobs.delete",
    "POST datasets": "datasets.insert",
    "GET datasets": "datasets.list",
    "GET datasets/*": "datasets.get",
    "PATCH datasets/*": "datasets.patch",
    "PUT datasets/*": "datasets.update",
    "DELETE datasets/*": "datasets.delete",
    "POST datasets/*/tables": "tables.insert",
    "GET datasets/*/tables": "tables.list",
    "GET datasets/*/tables/*": "tables.get",
    "PATCH datasets/*/tables/*": "tables.patch",
    "PUT datasets/*/tables/*": "tables.update",
    "DELETE datasets/*/tables/*": "tables.delete",
    "GET datasets/*/tables/*/data": "tabledata.list",
    "POST datasets/*/tables/*/insertAll": "tabledata.insertAll",
}

# Headers of one connection, not of the request or the answer: the proxy writes its own.
_OF_A_CONNECTION = {"host", "connection", "keep-alive", "transfer-encoding", "content-length"}


class Fault(Enum):
    """What can go wrong with a request."""

    DROPPED_BEFORE = auto()
    """The connection is closed and the upstream gets nothing."""
    DROPPED_AFTER = auto()
    """The upstream accepts the request, then the connection is closed without its answer."""
    RATE_LIMITED = auto()
    """429 `rateLimitExceeded`; the upstream gets nothing."""
    UNAVAILABLE = auto()
    """503 `backendError`; the upstream gets nothing."""
    TRUNCATED = auto()
    """The upstream accepts the request, and half of its answer's body arrives; of none, not even the head."""


@dataclass(frozen=True)
class SlowAnswer:
    """The fault that the upstream accepts the request, and its answer comes that much later."""

    seconds: float


@dataclass(frozen=True)
class Refusal:
    """The fault that BigQuery refuses the request for good; the upstream gets nothing."""

    code: int
    status: str
    reason: str
    message: str


AnyFault: TypeAlias = Fault | SlowAnswer | Refusal


@dataclass(frozen=True)
class Request:
    """A request that arrived: its number, counted from 1, what it asked for, and what was injected into it.

    The path is without its query, and `kind` is what BigQuery's reference calls it (`jobs.insert`, `tables.get`),
    or `upload` for every request of the upload protocols.
    """

    index: int
    method: str
    path: str
    kind: str
    fault: AnyFault | None = None


class FaultProxy:
    """A server on the loopback interface that hands every request on to an upstream, except where told otherwise.

    A context manager: it serves at `url` inside the block, and leaves no thread behind. Bodies and headers pass
    unchanged, but for those headers that belong to a connection (a chunked body goes on in one piece) and for a
    `Location` at the upstream, which is turned into one at the proxy.

    As on BigQuery, and unlike on the emulator, the id of a job can be used once: an insert with a used one is
    answered 409 and not handed on. A resumable upload makes its job, and so uses the id, with its last chunk. The
    emulator runs an upload under an id of its own: a `jobs.get` of the id that was asked for is turned into one of it.
    """

    url: str

    def __init__(self, upstream_url: str) -> None:
        self._upstream = upstream_url.rstrip("/")
        self._stack = ExitStack()
        self._closing = Event()
        self._holding = Event()
        self._lock = Lock()
        self._log: list[Request] = []
        self._fault: AnyFault | None = None
        self._faulty = range(0)
        self._running: _Running | None = None
        self._jobs: set[_Job] = set()
        self._sessions: dict[str, _Job] = {}
        self._paths: dict[str, str] = {}

    def __enter__(self) -> Self:
        self.url = self._stack.enter_context(serving(partial(_Handler, self)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.set()
        self._stack.close()

    @property
    def log(self) -> list[Request]:
        """Every request so far, in the order of arrival."""
        with self._lock:
            return list(self._log)

    def arm(self, fault: AnyFault, *, at: int = 1, times: int = 1) -> None:
        """Injects a fault from the `at`-th request from now on, `times` times in a row, in place of what was armed."""
        with self._lock:
            first = len(self._log) + at
            self._holding.clear()
            self._fault, self._faulty = fault, range(first, first + times)

    def disarm(self) -> None:
        """Injects nothing any more."""
        with self._lock:
            self._faulty = range(0)

    def prolong(self, part: str, samples: Iterable[Mapping[str, int]]) -> None:
        """Lets the query with this part in its id seem to run on, for as many `jobs.get` as there are samples.

        Each adds one to its timeline, and is answered when the iterable gives it; the emulator has run it at once.
        """
        self._running = _Running(part, iter(samples))

    def wait_until_held(self, seconds: float = 60) -> None:
        """Waits until the upstream has done what an armed slow answer is about to be the answer to."""
        if not self._holding.wait(seconds):
            raise TimeoutError(f"no request met the armed fault within {seconds} s")

    def _answer(self, call: "_Call") -> "_Answer | None":
        """What a client gets, or None where its connection just ends."""
        fault = self._arrived(call)
        if fault is Fault.DROPPED_BEFORE:
            return None
        if isinstance(fault, Refusal):
            return _error(fault.code, fault.status, fault.reason, fault.message)
        if fault is Fault.RATE_LIMITED:
            return _error(429, "RESOURCE_EXHAUSTED", "rateLimitExceeded", "Exceeded rate limits")
        if fault is Fault.UNAVAILABLE:
            return _error(503, "UNAVAILABLE", "backendError", "Error encountered during execution. Retrying may help.")
        answer = self._upstream_answer(call)
        if self._running:
            answer = self._running.answer(call, answer)
        if fault is Fault.DROPPED_AFTER:
            return None
        if fault is Fault.TRUNCATED:
            return answer.cut() if answer.body else None
        if isinstance(fault, SlowAnswer):
            self._holding.set()
            # Nobody waits for the rest once the test is over.
            self._closing.wait(fault.seconds)
        return answer

    def _arrived(self, call: "_Call") -> AnyFault | None:
        with self._lock:
            index = len(self._log) + 1
            fault = self._fault if index in self._faulty else None
            self._log.append(Request(index, call.method, call.path, call.kind, fault))
        return fault

    def _upstream_answer(self, call: "_Call") -> "_Answer":
        job = self._sessions.get(call.target) or call.job()
        if job is None:
            return self._forwarded(call)
        with self._lock:
            if job in self._jobs:
                return _error(409, "ALREADY_EXISTS", "duplicate", f"Already Exists: Job {job}")
            # Used from here on: the emulator runs the job before it answers, and an insert meanwhile is the second.
            if not call.begins_session:
                self._jobs.add(job)
        answer = self._forwarded(call)
        accepted = 200 <= answer.status < 300
        with self._lock:
            if call.begins_session:
                if accepted:
                    self._sessions[answer.headers["Location"].removeprefix(self.url)] = job
            elif not accepted:
                self._jobs.remove(job)
            elif call.kind == "upload":
                self._sessions.pop(call.target, None)
                self._paths[job.path] = replace(job, id=json.loads(answer.body)["jobReference"]["jobId"]).path
        return answer

    def _forwarded(self, call: "_Call") -> "_Answer":
        host = urlsplit(self._upstream).netloc
        target = self._paths.get(call.path, call.path) + call.target.removeprefix(call.path)
        with closing(http.client.HTTPConnection(host)) as connection:
            connection.putrequest(call.method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in [("Host", host), ("Content-Length", str(len(call.body))), *_passing(call.headers)]:
                connection.putheader(name, value)
            connection.endheaders(call.body)
            response = connection.getresponse()
            answer = _Answer(response.status, response.headers, response.read())
        location = answer.headers.get("Location", "")
        if location.startswith(self._upstream):
            answer.headers.replace_header("Location", self.url + location.removeprefix(self._upstream))
        return answer


@contextmanager
def serving(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of an HTTP server on the loopback interface; with the block, it and its threads end."""
    # Not an HTTPServer, which looks up the name of its host.
    with ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(_POLL_SECONDS,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class _Job:
    """What names a job: its id is unique within a project and a location."""

    project: str
    location: str
    id: str

    def __str__(self) -> str:
        return f"{self.project}:{self.location}.{self.id}"

    @property
    def path(self) -> str:
        return f"/bigquery/v2/projects/{self.project}/jobs/{self.id}"


@dataclass(frozen=True)
class _Call:
    """A request as it came over the wire."""

    method: str
    target: str
    headers: Message
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def kind(self) -> str:
        if self.path.startswith(("/upload/", "/resumable/")):
            return "upload"
        steps = self.path.partition("/projects/")[2].split("/")[1:]
        route = "/".join("*" if number % 2 else step for number, step in enumerate(steps))
        return _KINDS.get(f"{self.method} {route}", f"{self.method} {self.path}")

    @property
    def begins_session(self) -> bool:
        """Whether it starts a resumable upload: then it is the job alone, as a plain insert is."""
        return self.method == "POST" and self.kind == "upload" and self.headers.get_boundary() is None

    def job(self) -> "_Job | None":
        """The job that the request describes, if it describes one and names it."""
        if self.method != "POST" or self.kind not in ("jobs.insert", "upload"):
            return None
        job = self._job_resource()
        reference = job.get("jobReference", {})
        # A dry run makes no job.
        if "jobId" not in reference or job.get("configuration", {}).get("dryRun"):
            return None
        project = self.path.partition("/projects/")[2].partition("/")[0]
        return _Job(project, reference.get("location", "US"), reference["jobId"])

    def _job_resource(self) -> dict[str, Any]:
        text = self.body
        if boundary := self.headers.get_boundary():
            # A multipart upload: the job is the first part, the rows are the second.
            text = text.split(b"--" + boundary.encode(), 2)[1].partition(b"\r\n\r\n")[2]
        resource: dict[str, Any] = json.loads(text)
        return resource


@dataclass(frozen=True)
class _Answer:
    """An answer, and the length that it announces when that is not the length of its body."""

    status: int
    headers: Message
    body: bytes
    announced: int | None = None

    def cut(self) -> "_Answer":
        return _Answer(self.status, self.headers, self.body[: len(self.body) // 2], len(self.body))


@dataclass
class _Running:
    """A query that the upstream has run, and that runs on for who looks."""

    part: str
    samples: Iterator[Mapping[str, int]]
    timeline: list[Mapping[str, str]] = field(default_factory=list)
    is_over: bool = False

    def answer(self, call: _Call, answer: _Answer) -> _Answer:
        """What BigQuery answers while it runs, and the upstream's own answer to all else."""
        inserted = call.job()
        if self.is_over or self.part not in (inserted.id if inserted else call.path):
            return answer
        if call.kind == "jobs.get":
            sample = next(self.samples, None)
            if sample is None:
                self.is_over = True
                return answer
            self.timeline.append({name: str(number) for name, number in sample.items()})
        resource = json.loads(answer.body)
        if call.kind == "jobs.getQueryResults":
            # BigQuery says so after ten seconds.
            resource = {"jobReference": resource["jobReference"], "jobComplete": False}
        else:
            resource |= {"status": {"state": "RUNNING"}, "statistics": {"query": {"timeline": self.timeline}}}
        return replace(answer, body=json.dumps(resource).encode())


def _error(code: int, status: str, reason: str, message: str) -> _Answer:
    """An error, as BigQuery words it."""
    detail = {"message": message, "domain": "global", "reason": reason}
    error = {"code": code, "message": message, "errors": [detail], "status": status}
    headers = Message()
    headers["Content-Type"] = "application/json; charset=UTF-8"
    return _Answer(code, headers, json.dumps({"error": error}).encode())


def _passing(headers: Message) -> Iterable[tuple[str, str]]:
    return [(name, value) for name, value in headers.items() if name.lower() not in _OF_A_CONNECTION]


class _Handler(BaseHTTPRequestHandler):
    """One connection, which is one request: a client that keeps none open leaves none to close."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, proxy: FaultProxy, *connection: Any) -> None:
        self._proxy = proxy
        super().__init__(*connection)

    def _serve(self) -> None:
        # The whole request is read before anything is done, so that a connection that is dropped ends the same way
        # each time: closed, not reset.
        chunked = self.headers.get("Transfer-Encoding") == "chunked"
        body = b"".join(self._chunks()) if chunked else self._read(int(self.headers.get("Content-Length", 0)))
        self.close_connection = True
        answer = self._proxy._answer(_Call(self.command, self.path, self.headers, body))
        # A client that did not wait for the answer is what a slow one is for.
        with suppress(ConnectionError):
            if answer:
                self._send(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815, the names that the base class looks for

    def _read(self, size: int) -> bytes:
        read = self.rfile.read(size)
        if len(read) < size:
            raise EOFError("the client left in the middle of its request, which is not handed on")
        return read

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self._read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _send(self, answer: _Answer) -> None:
        self.send_response_only(answer.status)
        length = len(answer.body) if answer.announced is None else answer.announced
        for name, value in [*_passing(answer.headers), ("Content-Length", str(length)), ("Connection", "close")]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)
