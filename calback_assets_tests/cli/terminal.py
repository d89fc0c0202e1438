"""Running the `calback` command as a process in a terminal of its own, and interrupting it.

Children come from a fork server that has imported everything, so that dozens of them take seconds; a child is otherwise
the process that somebody's shell starts: its terminal sends it, and all that it starts, the signals of its keys.
"""

import os
import pty
import random
import re
import select
import signal
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import duckdb

from calback_assets.tables import TABLES
from calback_assets_tests.dagit.graph import STORED
from calback_assets_tests.forked import be_calback, fork_server

CTRL_C = b"\x03"
_PROMPT = b"$ calback\n"
_PRELOADED = (
    "calback_assets.assets.raw",
    "calback_assets.automation.event_log",
    "calback_assets.cli.erase",
    "calback_assets.cli.run",
    "calback_assets.cli.sample",
    # What `calback_assets.definitions` imports: itself it reads the environment, and is each child's own.
    "calback_assets.assets.delivery.exports",
    "calback_assets.automation.schedules",
    "calback_assets.sources.access_log.files",
    "calback_assets.sources.access_log.table",
    "calback_assets.sources.firestore.files",
    "calback_assets.sources.ga4.tables",
    "calback_assets.sources.ga4.files",
    "calback_assets.warehouse.duckdb.session",
    "calback_assets.warehouse.io_manager",
    "calback_assets.warehouse.resources",
    "calback_assets_tests.cli.made",
    # What is loaded late.
    "alembic.command",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
    "dagster._core.storage.legacy_storage",
    "dagster._core.storage.noop_compute_log_manager",
    "dagster._core.storage.runs",
    "dagster._core.storage.sqlite_storage",
    "dagster._utils.test.definitions",
    "matplotlib.figure",
    "sqlalchemy.dialects.sqlite",
    "sqlglot.dialects.bigquery",
    "sqlglot.dialects.duckdb",
    "sqlglot.typing",
    "statsmodels.stats.proportion",
    "tabulate",
    "upath.core",
)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int | None
    screen: str
    seconds: float

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, without the terminal's own codes and the ^C that it shows."""
        plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.screen).replace("^C", "")
        return [line for line in plain.splitlines() if line.strip()]

    @property
    def error(self) -> str:
        """The only error, the last line."""
        assert [line for line in self.lines if line.startswith("error: ")] == self.lines[-1:], self.screen
        assert "Traceback" not in self.screen, self.screen
        return self.lines[-1].removeprefix("error: ")


@dataclass(frozen=True)
class Press:
    """A key, or a signal from elsewhere, so many seconds after the screen shows something."""

    after: float
    what: bytes | signal.Signals
    once: str = ""


@dataclass
class Terminal:
    """Where commands run, on one warehouse."""

    environment: Mapping[str, str]
    context: ForkServerContext = field(default_factory=lambda: _warmed_up())

    def run(self, *arguments: str, presses: Sequence[Press] = ()) -> Ended:
        """Run a command to its end."""
        screen, keyboard = pty.openpty()
        try:
            child = self.context.Process(
                target=_command, args=(os.ttyname(keyboard), dict(self.environment), arguments)
            )
            child.start()
            assert os.read(screen, len(_PROMPT) + 1) == _PROMPT.replace(b"\n", b"\r\n")
            began = time.monotonic()
            shown = _watched(child, screen, presses)
            seconds = time.monotonic() - began
            child.join()
        finally:
            os.close(screen)
            os.close(keyboard)
        return Ended(child.exitcode, shown, seconds)


def _warmed_up() -> ForkServerContext:
    return fork_server(__name__, *_PRELOADED)


def _command(terminal: str, environment: Mapping[str, str], arguments: Sequence[str]) -> None:
    """Runs in the child."""
    os.login_tty(os.open(terminal, os.O_RDWR))
    os.write(1, _PROMPT)
    be_calback(environment, arguments)


def _watched(child: ForkServerProcess, screen: int, presses: Sequence[Press]) -> str:
    """What came to the screen until the child had ended; presses what is to be pressed, one after the other."""
    shown, due, seen_at = b"", list(presses), None
    while True:
        wait = None if seen_at is None else max(0, seen_at + due[0].after - time.monotonic())
        ready, _, _ = select.select([screen, child.sentinel], [], [], wait)
        if screen in ready:
            shown += os.read(screen, 65_536)
        elif child.sentinel in ready:
            return shown.decode()
        if seen_at is None and due and due[0].once.encode() in shown:
            seen_at = time.monotonic()
        if seen_at is not None and time.monotonic() - seen_at >= due[0].after:
            seen_at, what = None, due.pop(0).what
            if isinstance(what, bytes):
                os.write(screen, what)
            else:
                os.kill(child.pid or 0, what)


def moments(seed: int, times: int, until: float) -> list[float]:
    """Random moments; a failure shows the seed by the name of its test."""
    generator = random.Random(seed)  # noqa: S311 - not for secrets
    return [generator.uniform(0, until) for _ in range(times)]


def tables(path: Path, names: Collection[str] = STORED) -> dict[str, list[tuple[object, ...]]]:
    """All rows of these tables, and which of their days are known, but for when and by which run they were written."""
    found = {}
    with duckdb.connect(str(path), read_only=True) as connection:
        for table in (TABLES[name] for name in names):
            columns = ", ".join(f'"{column.name}"' for column in table.columns if not column.wall_clock)
            found[table.name] = connection.execute(
                f"SELECT {columns} FROM calback.{table.name} ORDER BY ALL"
            ).fetchall()
        found["days"] = connection.execute(
            "SELECT table_name, event_date, row_count, is_stale FROM calback.partition_ledger "
            "WHERE list_contains(?, table_name) ORDER BY ALL",
            [list(names)],
        ).fetchall()
    return found
