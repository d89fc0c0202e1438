"""`calback ui` as a program: its port, its end, and that nothing it started outlives it."""

import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import TextIO

import psutil
import pytest

from calback_assets.errors import CalbackError
from calback_assets.web.port import listening
from calback_assets_tests.forked import be_calback, fork_server

TOKEN = "a-token-that-nobody-prints"  # noqa: S105
START_SECONDS = 120
END_SECONDS = 60
PRELOADED = (
    __name__,
    "calback_assets.cli.ui",
    # What is loaded late.
    "alembic.command",
    "dagster._core.instance.factory",
    "dagster._core.storage.runs",
    "dagster._core.storage.sqlite_storage",
)


def test_a_port_is_taken_while_it_is_listened_on() -> None:
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
        with pytest.raises(CalbackError) as error, listening("127.0.0.1", port):
            pass
    assert str(error.value) == (
        f"port {port} of 127.0.0.1 is taken, perhaps by another Dagit; end it, or choose another with --port"
    )
    with listening("127.0.0.1", port):
        pass


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(CalbackError) as error, listening("192.0.2.1", 0):
        pass
    assert str(error.value) == (
        "192.0.2.1 cannot be listened on at port 0: Cannot assign requested address; give an address of this machine "
        "with --host, and a port that you may use with --port"
    )


@dataclass(frozen=True)
class Program:
    """`calback ui`, and what it and all that it started print."""

    process: ForkServerProcess
    output: TextIO

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def code(self, seconds: float) -> int | None:
        """What it ends with."""
        self.process.join(seconds)
        return self.process.exitcode


@contextmanager
def started(folder: Path, port: int) -> Iterator[Program]:
    """`calback ui` in a session of its own, of which nothing is left afterwards."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CALBACK_", "DAGSTER_"))}
    settings = {
        "CALBACK_UI_TOKEN": TOKEN,
        "CALBACK_DATA_DIR": str(folder),
        "CALBACK_DUCKDB_PATH": str(folder / "warehouse.duckdb"),
        "CALBACK_START_DATE": "2024-01-01",
    }
    reading, writing = Pipe(duplex=False)
    with reading, open(reading.fileno(), encoding="utf-8", closefd=False) as output:
        with writing:
            process = fork_server(*PRELOADED).Process(target=ui, args=(writing, inherited | settings, port))
            process.start()
        try:
            yield Program(process, output)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid or 0, signal.SIGKILL)
            process.join()


def ui(output: Connection, environment: Mapping[str, str], port: int) -> None:
    """Runs in the child."""
    os.setsid()
    for number in (1, 2):
        os.dup2(output.fileno(), number)
    output.close()
    be_calback(environment, ["ui", "--port", str(port)])


def children_once_it_is_open(program: Program) -> list[psutil.Process]:
    for line in program.output:
        assert TOKEN not in line
        if line.startswith("Dagit: http://127.0.0.1:"):
            return psutil.Process(program.pid).children(recursive=True)
    raise AssertionError("calback ui ended before it was open")


def ended(children: list[psutil.Process]) -> bool:
    return psutil.wait_procs(children, timeout=END_SECONDS)[1] == []


@pytest.mark.slow
def test_definitions_whose_process_is_killed_are_loaded_again_and_a_service_managers_signal_ends_all(
    tmp_path: Path,
) -> None:
    with started(tmp_path, 0) as program:
        children = children_once_it_is_open(program)
        assert any("dagster._daemon" in child.cmdline() for child in children)
        # The web application and the daemon share it.
        (definitions,) = [child for child in children if "grpc" in child.cmdline()]
        definitions.kill()
        assert any("LOCATION_UPDATED" in line for line in program.output)
        children = psutil.Process(program.pid).children(recursive=True)
        os.kill(program.pid, signal.SIGTERM)  # To it alone, where Ctrl-C goes to all: `dagit` ends that way.
        assert program.code(END_SECONDS) == 0
        assert ended(children)
        assert "Traceback" not in program.output.read()


@pytest.mark.slow
def test_it_does_not_go_on_without_the_daemon(tmp_path: Path) -> None:
    with started(tmp_path, 0) as program:
        children = children_once_it_is_open(program)
        next(child for child in children if "dagster._daemon" in child.cmdline()).kill()
        assert program.code(END_SECONDS) == 1
        assert ended(children)
        (error,) = [line for line in program.output if line.startswith("error: ")]
        assert error.startswith("error: Dagster's daemon ended by itself with -9, and starts no run any more; ")


def test_a_taken_port_is_said_in_one_line_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, started(tmp_path, taken.getsockname()[1]) as program:
        output = program.output.read()
        assert program.code(START_SECONDS) == 1
    assert output.startswith("error: port ")
    assert output.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
