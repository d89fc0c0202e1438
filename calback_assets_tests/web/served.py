"""Web applications on a port of this process, and requests by hand, with the heads that a test wants."""

import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from starlette.types import ASGIApp


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """By names in lower case."""
    body: bytes


@dataclass(frozen=True)
class Request:
    """A request by hand."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None = None

    def to(self, port: int, **more: str) -> Answer:
        """Send it, with more headers; a `_` in a name is a hyphen."""
        headers = {**self.headers, **{name.replace("_", "-"): value for name, value in more.items()}}
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request(self.method, self.target, self.body, headers)
            response = connection.getresponse()
            given = response.headers
            named = {name.lower(): ", ".join(given.get_all(name, [])) for name in given}
            return Answer(response.status, named, response.read())
        finally:
            connection.close()


def get(target: str, **headers: str) -> Request:
    """A request that sends nothing."""
    return Request("GET", target, {name.replace("_", "-"): value for name, value in headers.items()})


@contextmanager
def dagster_app(instance: DagsterInstance, *, read_only: bool = False) -> Iterator[ASGIApp]:
    """Dagster's own application, of an instance and no definitions."""
    from dagster_webserver.app import create_app_from_workspace_process_context  # Slow to import.

    with WorkspaceProcessContext(instance, EmptyWorkspaceTarget(), read_only=read_only) as workspace:
        yield create_app_from_workspace_process_context(workspace)


@contextmanager
def listener() -> Iterator[socket.socket]:
    """A free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        yield free


@contextmanager
def served(app: ASGIApp, on: socket.socket) -> Iterator[int]:
    """The port on which the application answers."""
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [on]})
    port: int = on.getsockname()[1]
    thread.start()
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join()
