"""`calback ui` as a program: its port, its end, and that nothing it started outlives it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from calback_assets.errors import CalbackError
from calback_assets.web.server import listening

TOKEN = "a-token-that-nobody-prints"  # noqa: S105
START_SECONDS = 120
END_SECONDS = 60


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


@contextmanager
def started(folder: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """`calback ui` in a session of its own, of which nothing is left afterwards."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CALBACK_", "DAGSTER_"))}
    settings = {
        "CALBACK_UI_TOKEN": TOKEN,
        "CALBACK_DATA_DIR": str(folder),
        "CALBACK_DUCKDB_PATH": str(folder / "warehouse.duckdb"),
        "CALBACK_START_DATE": "2024-01-01",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", "from calback_assets.cli import main; main()", "ui", "--port", str(port)],
        env={**inherited, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def children_once_it_is_open(process: subprocess.Popen[str]) -> list[psutil.Process]:
    assert process.stdout is not None
    for line in process.stdout:
        assert TOKEN not in line
        if line.startswith("Dagit: http://127.0.0.1:"):
            return psutil.Process(process.pid).children(recursive=True)
    raise AssertionError("calback ui ended before it was open")


def ended(children: list[psutil.Process]) -> bool:
    return psutil.wait_procs(children, timeout=END_SECONDS)[1] == []


@pytest.mark.slow
def test_a_service_managers_signal_ends_all_that_was_started(tmp_path: Path) -> None:
    with started(tmp_path, 0) as process:
        children = children_once_it_is_open(process)
        assert len(children) >= 2  # The daemon, and a process with the definitions.
        process.send_signal(signal.SIGTERM)  # To it alone, where Ctrl-C goes to all: `dagit` ends that way.
        output, _ = process.communicate(timeout=END_SECONDS)
        assert process.returncode == 0
        assert "Traceback" not in output
        assert ended(children)


@pytest.mark.slow
def test_it_does_not_go_on_without_the_daemon(tmp_path: Path) -> None:
    with started(tmp_path, 0) as process:
        children = children_once_it_is_open(process)
        next(child for child in children if "dagster._daemon" in child.cmdline()).kill()
        output, _ = process.communicate(timeout=END_SECONDS)
        assert process.returncode == 1
        (error,) = [line for line in output.splitlines() if line.startswith("error: ")]
        assert error.startswith("error: Dagster's daemon ended by itself with -9, and starts no run any more; ")
        assert ended(children)


def test_a_taken_port_is_said_in_one_line_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, started(tmp_path, taken.getsockname()[1]) as process:
        output, _ = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 1
    assert output.startswith("error: port ")
    assert output.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
