"""Dagit as one program: the guarded web application in this process, what stands beside it, and their end.

Beside it are Dagster's daemon, and one process that has loaded the definitions for both. What is said of it on a
terminal belongs to the command, and who may come in to the guard.
"""

import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

import uvicorn
from dagster import DagsterInstance
from dagster._cli.proxy_server_manager import ProxyServerManager
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget, WorkspaceFileTarget
from dagster._grpc.client import DagsterGrpcClient
from dagster_shared.serdes import serialize_value
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.cli import DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_MAX_OVERFLOW, DEFAULT_POOL_RECYCLE
from dagster_webserver.version import __version__

from calback_assets.automation.jobs import CODE_LOCATION
from calback_assets.errors import CalbackError
from calback_assets.web.guard import guarded
from calback_assets.web.newest import page_back_from_the_end

_POLL_MILLISECONDS = 2000
_LAST_ANSWERS_SECONDS = 3
_DAEMON_END_SECONDS = 30
_LOAD_SECONDS = 180
_LOOK_SECONDS = 5
"""Between two looks whether the definitions are there; Dagster looks as often whether their server is."""


def serve(
    instance: DagsterInstance,
    listener: socket.socket,
    *,
    token: str | None,
    hosts: Iterable[str],
    on_ready: Callable[[], None],
) -> None:
    """Serve the platform until an interrupt or SIGTERM; what was started ends with it, a run once it is through.

    Args:
        instance: Where Dagster keeps its runs.
        listener: The port.
        token: What a person must show to come in; None serves everybody an application that changes nothing, without a
            daemon, so that it stands beside another that has one.
        hosts: Names that browsers may know it by, besides those of this machine itself.
        on_ready: Called once the definitions are loaded.

    Raises:
        CalbackError: the daemon ended by itself.
    """
    # Both raise here: for a server either is the end that was meant, be it a person's or a service manager's.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    page_back_from_the_end()
    instance.optimize_for_webserver(DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_RECYCLE, DEFAULT_POOL_MAX_OVERFLOW)
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        shared = stack.enter_context(_definitions(instance))
        daemon = stack.enter_context(_daemon(instance, shared)) if token else None
        workspace = stack.enter_context(
            WorkspaceProcessContext(instance, WorkspaceFileTarget([str(shared)]), __version__, read_only=token is None)
        )
        application = create_app_from_workspace_process_context(workspace, live_data_poll_rate=_POLL_MILLISECONDS)
        server = uvicorn.Server(
            uvicorn.Config(
                guarded(application, token=token, port=listener.getsockname()[1], hosts=hosts),
                lifespan="off",
                log_level="warning",
                access_log=False,  # Its lines would hold the token.
                timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS,
            )
        )
        if daemon:
            threading.Thread(target=_end_with, args=(daemon, server), daemon=True).start()
        asked: list[int] = []

        def end(number: int, _frame: FrameType | None) -> None:
            asked.append(number)
            server.should_exit = True

        # An exception that a signal raises while the server starts may be lost in what it interrupts; a mark is not.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, end)
        on_ready()
        server.run(sockets=[listener])
        if daemon and not asked:
            raise CalbackError(
                f"Dagster's daemon ended by itself with {daemon.wait()}, and starts no run any more; its last lines "
                "above say why; start again"
            )


@contextmanager
def _definitions(instance: DagsterInstance) -> Iterator[Path]:
    """A workspace file that names one process with the definitions, for the application and the daemon alike.

    Left to itself each would start its own, and the daemon another one every minute.
    """
    here = ModuleTarget(CODE_LOCATION, None, None, None)
    with (
        ProxyServerManager(instance, here, code_server_log_level="WARNING") as servers,
        tempfile.TemporaryDirectory() as folder,
    ):
        (named,) = servers.get_code_server_specs()
        file = Path(folder, "workspace.yaml")
        file.write_text(json.dumps({"load_from": [named]}), encoding="utf-8")
        server, ended = named["grpc_server"], threading.Event()
        client = DagsterGrpcClient(host=server["host"], socket=server["socket"])
        looking = threading.Thread(target=_load_again, args=(client, ended))
        looking.start()
        try:
            yield file
        finally:
            ended.set()
            looking.join()


def _load_again(client: DagsterGrpcClient, ended: threading.Event) -> None:
    """Have the definitions loaded whenever the process that had them is gone, as if somebody clicked "Reload".

    Nobody does at midnight, and Dagster's server in front of that process only notices that nobody answers.
    """
    while not ended.wait(_LOOK_SECONDS):
        with suppress(DagsterUserCodeUnreachableError):
            try:
                client.ping("")
            except DagsterUserCodeUnreachableError:
                client.reload_code(_LOAD_SECONDS)


@contextmanager
def _daemon(instance: DagsterInstance, workspace: Path) -> Iterator[subprocess.Popen[bytes]]:
    """What starts the queued runs and the schedule."""
    command = [sys.executable, "-m", "dagster._daemon", "run", "--workspace", str(workspace)]
    # Dagster lets .env win, and would look for another instance where it names one.
    command += ["--instance-ref", serialize_value(instance.get_ref())]
    process = subprocess.Popen(command)  # noqa: S603 - of this project, without input
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_DAEMON_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_with(daemon: subprocess.Popen[bytes], server: uvicorn.Server) -> None:
    daemon.wait()
    server.should_exit = True
