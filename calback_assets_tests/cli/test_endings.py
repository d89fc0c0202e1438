"""Tests of commands that somebody interrupts, at random moments, by keys and by signals."""

import random
import re
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from calback_assets.tables.core import DEVICE_IDENTITY
from calback_assets_tests.cli.conftest import SELECTED, UP_TO_ACTIVE_USERS, Undisturbed, environment
from calback_assets_tests.cli.terminal import CTRL_C, Ended, Press, Terminal, moments, tables
from calback_assets_tests.dagit.graph import STORED

TIMES = 4
TERM, KILL = signal.SIGTERM, signal.SIGKILL
SELECTION = ("--select", UP_TO_ACTIVE_USERS)
FINISHED = "Next: make ui opens Dagit on it; or calback show daily_active_users"
DAYS = r"2024-01-0\d( to 2024-01-0\d)? of \w+"
WRITTEN = rf"nothing|{DAYS}|\d+ of ({len(STORED)}|{len(SELECTED)}) tables( and {DAYS})?"
SENTENCE = re.compile(rf"interrupted; (nothing was begun|written: ({WRITTEN}); run the same command again to finish)")


def recorded(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[DagsterRun]:
    """All runs, the newest first."""
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with DagsterInstance.from_config(str(home)) as instance:
        return list(instance.get_runs())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("presses", "code", "selection"),
    [((CTRL_C,), 130, ()), ((TERM,), 143, SELECTION), ((CTRL_C, CTRL_C), 130, SELECTION)],
    ids=["ctrl-c", "sigterm", "ctrl-c twice"],
)
@pytest.mark.parametrize("seed", [1], ids="seed {}".format)
def test_a_run_interrupted_at_any_moment_says_so_and_the_next_one_finishes(
    tmp_path: Path,
    undisturbed: Undisturbed,
    presses: tuple[bytes | signal.Signals, ...],
    code: int,
    selection: tuple[str, ...],
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    terminal = Terminal(environment(undisturbed.data, warehouse))
    at = moments(seed, TIMES * len(presses), undisturbed.seconds / (2 if selection else 1))
    endings: list[Ended] = []
    for first, *gaps in zip(*[iter(at)] * len(presses), strict=True):
        after = [first, *(gap / 10 for gap in gaps)]
        endings.append(terminal.run("run", *selection, presses=list(map(Press, after, presses))))
    interrupted = [ended for ended in endings if ended.lines[-1] != FINISHED]  # The others were too quick.
    assert {ended.code for ended in interrupted} == {code}
    assert [ended.error for ended in interrupted if not SENTENCE.fullmatch(ended.error)] == []

    assert terminal.run("run", *selection).code == 0
    if selection:
        assert tables(warehouse, SELECTED) == undisturbed.selected
    else:
        assert tables(warehouse) == undisturbed.tables
    last, *runs = recorded(tmp_path / "dagster", monkeypatch)
    assert last.status is DagsterRunStatus.SUCCESS
    assert {run.status for run in runs} <= {DagsterRunStatus.FAILURE, DagsterRunStatus.SUCCESS}


def test_what_is_said_to_be_written_is(tmp_path: Path, undisturbed: Undisturbed) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    # One day at a time, so that there is something left to interrupt.
    terminal = Terminal(environment(undisturbed.data, warehouse) | {"CALBACK_ROWS_AT_ONCE": "1"})
    at_work = Press(0, CTRL_C, once="raw_events 2024")
    said = re.fullmatch(
        r"interrupted; written: (?:(?:2024-01-01 to )?(2024-01-0\d) of raw_events|1 of 1 tables); run the same command "
        "again to finish",
        terminal.run("run", "--select", "raw_events", presses=[at_work]).error,
    )
    assert said
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        ((last,),) = connection.execute("SELECT max(event_date) FROM calback.partition_ledger").fetchall()
    # The moment after a day is written belongs to it.
    assert str(last - timedelta(days=1)) <= (said[1] or "2024-01-05") <= str(last)


def test_after_its_work_a_command_says_nothing_more(tmp_path: Path, undisturbed: Undisturbed) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from calback_assets.cli import main; main()", "run", "--select", "raw_events"],
        env=environment(undisturbed.data, tmp_path / "warehouse.duckdb"),
        capture_output=True,
        text=True,
        check=True,
    )
    # Nor does DuckDB, which counts at the end of the interpreter what somebody still holds.
    assert done.stderr.splitlines()[-1].startswith("daily_metrics 2024-01-01 to ")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (TERM, 143)])
def test_a_command_is_interrupted_while_it_imports(
    tmp_path: Path, undisturbed: Undisturbed, number: signal.Signals, code: int
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "from calback_assets.cli import main; main()", "run"],
        env=environment(undisturbed.data, tmp_path / "warehouse.duckdb"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not listens(process.pid):
            time.sleep(0.001)
        time.sleep(random.Random(number).uniform(0, 0.5))  # noqa: S311 - not for secrets
        process.send_signal(number)
        assert process.communicate() == ("", "error: interrupted; nothing was begun\n")
    assert process.returncode == code
    assert list(tmp_path.iterdir()) == []


def listens(process: int) -> bool:
    """Whether it handles SIGTERM, which Python leaves alone until it is told to."""
    caught = re.search(r"^SigCgt:\s*(\w+)$", Path("/proc", str(process), "status").read_text(), re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (TERM - 1) & 1)


@pytest.mark.slow
def test_an_interrupted_erasure_says_to_erase_again_which_then_erases(tmp_path: Path, undisturbed: Undisturbed) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    warehouse.write_bytes(undisturbed.warehouse.read_bytes())
    terminal = Terminal(environment(undisturbed.data, warehouse))
    person = str(undisturbed.tables["device_identity"][0][DEVICE_IDENTITY.column_names.index("user_id")])
    assert person.encode() in warehouse.read_bytes()
    for at in moments(5, TIMES, undisturbed.seconds / 2):
        ended = terminal.run("erase", person, "--yes", presses=[Press(at, CTRL_C)])
        if ended.code != 0:
            assert ended.code == 130
            assert ended.error in (
                "interrupted; nothing was begun",
                "interrupted; the person may not be erased yet; run the same command again: erasing twice does no harm",
            )
    assert terminal.run("erase", person, "--yes").code == 0
    assert person.encode() not in warehouse.read_bytes()


def test_an_interrupted_sample_leaves_nothing_half(tmp_path: Path) -> None:
    terminal = Terminal(environment(tmp_path / "s", tmp_path / "warehouse.duckdb"))
    ended = terminal.run("sample", str(tmp_path / "s"), "--users", "5000", presses=[Press(0.5, CTRL_C)])
    assert ended.code == 130
    assert ended.error == "interrupted; run the same command again to finish"
    assert list(tmp_path.iterdir()) == []


def test_a_run_whose_process_was_killed_is_recorded_as_failed_by_the_next(
    tmp_path: Path, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal(environment(undisturbed.data, tmp_path / "warehouse.duckdb"))
    ended = terminal.run("run", presses=[Press(0, KILL, once="raw_")])
    assert ended.code == -KILL
    assert terminal.run("run", "--select", "raw_users").code == 0
    statuses = [run.status for run in recorded(tmp_path / "dagster", monkeypatch)]
    assert statuses == [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE]
