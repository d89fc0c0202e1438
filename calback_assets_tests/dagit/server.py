"""A running `calback ui`, and the questions that tests ask it over GraphQL."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

ROOT = Path(__file__).parents[2]
LOCATION = "calback_assets.definitions"
REPOSITORY = "__repository__"
READY_SECONDS = 120
RUN_SECONDS = 180
END_SECONDS = 60
POLL_SECONDS = 1.0
Found = TypeVar("Found")


@dataclass(frozen=True)
class Dagit:
    """A `calback ui` that answers."""

    port: int
    token: str | None
    """None where there is only to look."""
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def way_in(self) -> str:
        """The address that was printed."""
        return f"{self.address}/?token={self.token}" if self.token else f"{self.address}/"

    @property
    def cookie(self) -> str:
        """What a browser that came that way sends along."""
        return f"calback_{self.port}={self.token}" if self.token else ""

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """The data that a GraphQL query returns."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            body = json.dumps({"query": query, "variables": variables})
            headers = {"Content-Type": "application/json", "Cookie": self.cookie}
            connection.request("POST", "/graphql", body, headers)
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    def wait_for(self, what: str, seconds: float, look: Callable[[], Found | None]) -> Found:
        """What `look` finds, once it finds something."""
        return wait_for(self.process, self.log, what, seconds, look)

    def finished_run(self, run_id: str) -> str:
        """The status that a run ends with."""
        return self.wait_for(f"end of run {run_id}", RUN_SECONDS, lambda: self._final_status(run_id))

    def _final_status(self, run_id: str) -> str | None:
        query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
        status: str = self.ask(query, id=run_id)["runOrError"]["status"]
        return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None

    def has_definitions(self) -> bool:
        query = """{ workspaceOrError { ... on Workspace { locationEntries {
            loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } } }"""
        (entry,) = self.ask(query)["workspaceOrError"]["locationEntries"]
        assert entry["locationOrLoadError"]["__typename"] == "RepositoryLocation", entry
        return bool(entry["loadStatus"] == "LOADED")


def wait_for(
    process: subprocess.Popen[bytes], log: Path, what: str, seconds: float, look: Callable[[], Found | None]
) -> Found:
    """What `look` finds, once it finds something, while the process lives."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        output = log.read_text(encoding="utf-8", errors="replace")[-4000:]
        assert process.poll() is None, f"the program ended while the test waited for {what}:\n{output}"
        assert time.monotonic() < deadline, f"no {what} after {seconds} seconds:\n{output}"
        time.sleep(POLL_SECONDS)
    return found


def environment_of(home: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """That of a command on an instance with our settings, which is made where it is missing."""
    home.mkdir(exist_ok=True)
    shutil.copy(ROOT / "calback_assets" / "dagster.yaml", home)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CALBACK_", "DAGSTER_"))}
    return {**inherited, **environment, "DAGSTER_HOME": str(home)}


@contextmanager
def calback_ui(home: Path, environment: Mapping[str, str], *options: str) -> Iterator[Dagit]:
    """What `make ui` starts, on our instance settings; it and all its children are gone afterwards."""
    own_environment = environment_of(home, environment)
    log = home / f"calback-ui{''.join(options)}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "from calback_assets.cli import main; main()", "ui", "--port", "0", *options],
            cwd=ROOT,
            env=own_environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A process group of its own is what can be ended as a whole.
            start_new_session=True,
        )

        def printed() -> re.Match[str] | None:
            return re.search(r"^Dagit.*: http://127\.0\.0\.1:(\d+)/(?:\?token=(\S+))?\n", log.read_text("utf-8"), re.M)

        try:
            port, token = wait_for(process, log, "address", READY_SECONDS, printed).groups()
            dagit = Dagit(int(port), token, log, process)
            assert dagit.has_definitions()
            yield dagit
            children = psutil.Process(process.pid).children(recursive=True)
            os.killpg(process.pid, signal.SIGINT)  # As Ctrl-C does.
            assert process.wait(END_SECONDS) == 0
            assert psutil.wait_procs(children, END_SECONDS)[1] == []
        finally:
            # The leader may be gone while a child lives on; the group exists as long as any of them does.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
