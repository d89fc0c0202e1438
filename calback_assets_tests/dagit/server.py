"""A running `dagster dev`, and the questions that tests ask it over GraphQL."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[2]
READY_SECONDS = 120
RUN_SECONDS = 180
POLL_SECONDS = 0.3
Found = TypeVar("Found")


@dataclass(frozen=True)
class Dagit:
    """A `dagster dev` that answers."""

    port: int
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """The data that a GraphQL query returns."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            body = json.dumps({"query": query, "variables": variables})
            connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    def wait_for(self, what: str, seconds: float, look: Callable[[], Found | None]) -> Found:
        """What `look` finds, once it finds something."""
        deadline = time.monotonic() + seconds
        while (found := look()) is None:
            output = self.log.read_text(encoding="utf-8", errors="replace")[-4000:]
            assert self.process.poll() is None, f"dagster dev ended while the test waited for {what}:\n{output}"
            assert time.monotonic() < deadline, f"no {what} after {seconds} seconds:\n{output}"
            time.sleep(POLL_SECONDS)
        return found

    def finished_run(self, run_id: str) -> str:
        """The status that a run ends with."""
        return self.wait_for(f"end of run {run_id}", RUN_SECONDS, lambda: self._final_status(run_id))

    def _final_status(self, run_id: str) -> str | None:
        query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
        status: str = self.ask(query, id=run_id)["runOrError"]["status"]
        return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None

    def is_ready(self) -> bool | None:
        """True once the definitions are loaded."""
        query = """{ workspaceOrError { ... on Workspace { locationEntries {
            loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } } }"""
        try:
            entries = self.ask(query)["workspaceOrError"]["locationEntries"]
        except OSError:
            return None
        if not entries or entries[0]["loadStatus"] != "LOADED":
            return None
        assert entries[0]["locationOrLoadError"]["__typename"] == "RepositoryLocation", entries
        return True


@contextmanager
def dagster_dev(home: Path, environment: Mapping[str, str]) -> Iterator[Dagit]:
    """`dagster dev` on our workspace and instance settings; it and all its children are gone afterwards."""
    home.mkdir(exist_ok=True)
    shutil.copy(ROOT / "calback_assets" / "dagster.yaml", home)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CALBACK_", "DAGSTER_"))}
    log = home / "dagster-dev.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)],
            cwd=ROOT,
            env={**inherited, **environment, "DAGSTER_HOME": str(home)},
            stdout=output,
            stderr=subprocess.STDOUT,
            # A process group of its own is what can be ended as a whole.
            start_new_session=True,
        )
        try:
            dagit = Dagit(port, log, process)
            dagit.wait_for("answer from Dagit", READY_SECONDS, dagit.is_ready)
            yield dagit
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=20)
    # The leader may be gone while a child lives on; the group exists as long as any of them does.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
