"""The `calback` command as a person meets it: what it prints, where, and how it exits."""

import functools
import hmac
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import grpc
import pytest
from click.testing import CliRunner, Result
from dagster import DagsterInstance, DagsterRunStatus

from calback_assets.checks import CHECKS
from calback_assets.cli import main
from calback_assets.cli.days import day_range
from calback_assets.errors import CalbackError
from calback_assets.sample import write_sample
from calback_assets.settings import DEVELOPMENT_KEY, Settings
from calback_assets.tables import TABLES
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets_tests.dagit.graph import DAILY, GRAPH

if TYPE_CHECKING:
    from calback_assets_tests.firestore.server import Firestore

LAST_DAY = "2024-01-05"
LISTED_TABLES = ", ".join(TABLES)


class World(NamedTuple):
    """A small sample, its warehouse, and the first run of everything."""

    data: Path
    warehouse: Path
    first_run: Result

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()


def calback(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="calback")


def error_of(result: Result) -> str:
    """The only error line; what else stands on stderr are notes and the bar."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert lines[0] == result.stderr.splitlines()[-1]
    return lines[0].removeprefix("error: ")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    write_sample(folder / "sample", users=60, days=5, seed=7)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CALBACK_DATA_DIR", str(folder / "sample"))
        environment.setenv("CALBACK_DUCKDB_PATH", str(folder / "warehouse.duckdb"))
        environment.setenv("COLUMNS", "200")
        for name in ("CALBACK_START_DATE", "CALBACK_END_DATE", "CALBACK_PSEUDONYM_KEY", "DAGSTER_HOME"):
            environment.delenv(name, raising=False)
        # The definitions read the environment when they are imported, as in a process of their own.
        environment.delitem(sys.modules, "calback_assets.definitions", raising=False)
        yield World(folder / "sample", folder / "warehouse.duckdb", calback("run"))


@pytest.fixture
def instance(world: World) -> Iterator[DagsterInstance]:
    with DagsterInstance.from_config(str(world.warehouse.parent / "dagster")) as opened:
        yield opened


@pytest.fixture
def spoiled_line(world: World) -> Iterator[Path]:
    """A file of the access log whose last two lines cannot be parsed, for the length of a test; one may be so."""
    path = world.data / "access_log" / "date=2024-01-03" / "part-0.jsonl"
    good = path.read_text()
    path.write_text(good + '{"userId": secret\n' * 2)
    yield path
    path.write_text(good)


@pytest.mark.parametrize("command", ["sample", "run", "show", "export", "erase", "doctor", "ui"])
def test_the_help_of_every_command_has_an_example(command: str) -> None:
    result = calback(command, "--help")
    assert result.exit_code == 0
    assert re.search(rf"Example:\n    calback {command}\b", result.output)


def test_calback_alone_prints_its_help() -> None:
    result = calback()
    assert result.exit_code == 0
    assert set(main.commands) == {"sample", "run", "show", "export", "erase", "report", "dashboard", "doctor", "ui"}
    assert "Example:\n    calback sample data/sample\n    calback run\n" in result.output


def test_help_does_not_wait_for_dagster() -> None:
    imported = "import sys; import calback_assets.cli; print('dagster' in sys.modules, 'duckdb' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", imported], text=True) == "False False\n"


def test_a_sample_is_written_and_summed_up(tmp_path: Path) -> None:
    result = calback("sample", str(tmp_path / "s"), "--users", "20", "--days", "2", "--seed", "3")
    assert result.exit_code == 0
    assert "2/2" in result.stderr
    assert re.search(r"people +│ +20 ", result.stdout)
    assert result.stdout.endswith(f"Next: CALBACK_DATA_DIR={tmp_path / 's'} calback run\n")
    assert (tmp_path / "s" / "manifest.json").exists()


def test_an_impossible_sample_is_refused_in_one_line(tmp_path: Path) -> None:
    result = calback("sample", str(tmp_path / "s"), "--days", "0")
    assert result.exit_code == 1
    assert error_of(result) == "a sample of 0 days is impossible: ask for 1 to 800"


@pytest.fixture
def firestore(monkeypatch: pytest.MonkeyPatch) -> "Iterator[Firestore]":
    """An emulator that the environment names."""
    from calback_assets_tests.firestore.server import Firestore  # Seconds, which most tests here do not need.

    monkeypatch.delenv("CALBACK_GCP_PROJECT", raising=False)
    with Firestore("demo-calback") as serving:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", serving.host)
        yield serving


def test_a_sample_fills_a_firestore_emulator(tmp_path: Path, firestore: "Firestore") -> None:
    firestore.store.put("userCollection/strange", {"name": "not of the sample"})
    result = calback("sample", str(tmp_path / "s"), "--users", "20", "--days", "2", "--firestore")
    assert result.exit_code == 0, result.output
    total, now = 0, firestore.store.snapshot(None)
    for name in ("userCollection", "meetingsCollection"):
        lines = (tmp_path / "s" / "firestore" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        entries = firestore.store.entries("", name, all_descendants=False)
        assert {entry.path for entry in entries if entry.at(now)} == {
            f"{name}/{json.loads(line)['id']}" for line in lines
        }
        total += len(lines)
    assert "2/2" in result.stderr
    assert re.search(rf"^documents to Firestore .* {total}/{total} ", result.stderr, re.MULTILINE)
    assert re.search(rf"documents in Firestore +│ +{total} ", result.stdout)
    assert re.search(r"others removed there +│ +1 ", result.stdout)
    assert result.stdout.endswith(
        f"Next: CALBACK_DATA_DIR={tmp_path / 's'} FIRESTORE_EMULATOR_HOST={firestore.host} "
        "CALBACK_GCP_PROJECT=demo-calback calback run\n"
    )


def test_the_project_in_the_emulator_can_be_chosen(
    tmp_path: Path, firestore: "Firestore", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALBACK_GCP_PROJECT", "demo-other")
    result = calback("sample", str(tmp_path / "s"), "--users", "1", "--days", "1", "--firestore")
    assert result.exit_code == 1
    # The server has one project, another one.
    assert error_of(result).startswith(f"the Firestore emulator at {firestore.host} answered NotFound; ")
    assert [request.message.parent for request in firestore.requests] == [
        "projects/demo-other/databases/(default)/documents"
    ]


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        (None, "is not set, and sample documents are written to an emulator only; set it to"),
        ("", "is empty; unset it, or set it to"),
    ],
)
def test_sample_documents_never_go_to_a_real_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str | None, problem: str
) -> None:
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
    if address is not None:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", address)
    monkeypatch.setenv("CALBACK_GCP_PROJECT", "a-real-project")
    result = calback("sample", str(tmp_path / "s"), "--firestore")
    assert result.exit_code == 1
    assert result.output == (
        f"error: FIRESTORE_EMULATOR_HOST {problem} the host and port of an emulator, such as 127.0.0.1:8080\n"
    )
    assert not (tmp_path / "s").exists()


def test_nobody_waits_for_a_sample_to_learn_that_the_emulator_is_not_there(
    tmp_path: Path, firestore: "Firestore"
) -> None:
    firestore.stop()
    began = time.monotonic()
    result = calback("sample", str(tmp_path / "s"), "--firestore")
    assert time.monotonic() - began < 30  # Left alone, the client would try for a minute.
    assert result.exit_code == 1
    assert result.output == (
        f"error: no Firestore emulator answers at {firestore.host}; start one there, or set FIRESTORE_EMULATOR_HOST to "
        "the host and port of one that runs, and try again\n"
    )
    assert not (tmp_path / "s").exists()


def test_a_sample_in_files_alone_does_not_wait_for_the_libraries_of_google(tmp_path: Path) -> None:
    written = (
        "import sys; from calback_assets.cli.sample import write; from pathlib import Path\n"
        "write(Path(sys.argv[1]), 1, 1, 1, None); print('google' in sys.modules, 'firebase_admin' in sys.modules)"
    )
    output = subprocess.check_output([sys.executable, "-c", written, str(tmp_path / "s")], text=True)
    assert output.endswith("calback run\nFalse False\n")


def test_a_run_without_a_range_is_the_whole_closed_data_set(world: World) -> None:
    result = world.first_run
    assert result.exit_code == 0, result.output
    assert f"2024-01-01 to {LAST_DAY} materialized, Dagit run " in result.stdout
    assert world.rows("SELECT COUNT(*) FROM calback.partition_ledger") == [(len(DAILY) * 5,)]


def test_a_run_ends_with_the_last_days_and_what_to_open_next(world: World) -> None:
    expected = world.rows(
        "SELECT event_date, dau, wau, mau, format('{:.3f}', stickiness), new_users, "
        "(SELECT COUNT(*) FILTER (is_frequent) FROM calback.frequent_users AS f WHERE f.event_date = d.event_date) "
        "FROM calback.daily_active_users AS d ORDER BY event_date"
    )
    shown = [
        tuple(cell.strip() for cell in line.strip("│").split("│"))
        for line in world.first_run.stdout.splitlines()
        if line.startswith("│")
    ]
    assert shown == [tuple(str(cell) for cell in row) for row in expected]
    assert len(shown) == 5
    assert world.first_run.stdout.endswith("Next: make ui opens Dagit on it; or calback show daily_active_users\n")


def test_a_run_that_made_the_report_and_the_dashboard_ends_with_the_sentences_and_both_pages(world: World) -> None:
    first, second, third, page, dashboard, _ = world.first_run.stdout.splitlines()[-6:]
    assert [first[:3], second[:3], third[:3]] == ["1. ", "2. ", "3. "]
    assert page == f"Report: {world.warehouse.parent / 'report' / 'insight.en.html'}"
    assert Path(page.removeprefix("Report: ")).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert dashboard == f"Dashboard: {world.warehouse.parent / 'report' / 'dashboard.en.html'}"
    assert Path(dashboard.removeprefix("Dashboard: ")).read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_progress_of_a_run_ends_at_its_total(world: World) -> None:
    without_days = len(GRAPH) - len(DAILY)
    total = without_days + len(DAILY) * 5 + len({check.table for check in CHECKS})
    assert f" {total}/{total} " in world.first_run.stderr


def test_without_dagster_home_the_instance_lives_beside_the_warehouse(world: World) -> None:
    home = world.warehouse.parent / "dagster"
    assert f"DAGSTER_HOME is not set: runs are recorded in {home}\n" in world.first_run.stderr
    assert "telemetry:\n  enabled: false" in (home / "dagster.yaml").read_text()


def test_a_warning_says_that_the_key_is_the_published_one(world: World) -> None:
    assert world.first_run.stderr.startswith(
        "warning: personal data is hashed with the published development key; for real data, set "
        "CALBACK_PSEUDONYM_KEY\n"
    )


def test_the_log_of_dagster_stays_in_the_instance(world: World, instance: DagsterInstance) -> None:
    assert len(world.first_run.stderr.splitlines()) == 3
    (run,) = instance.get_runs(limit=1)
    assert len(instance.all_logs(run.run_id)) > 100


def test_a_run_is_one_run_of_the_job_over_its_range_that_dagit_knows(world: World, instance: DagsterInstance) -> None:
    from calback_assets.definitions import defs

    first = next(run for run in instance.get_runs() if run.run_id in world.first_run.stdout)
    assert first.job_name == "daily_metrics"
    assert first.status is DagsterRunStatus.SUCCESS
    assert first.tags["dagster/asset_partition_range_start"] == "2024-01-01"
    assert first.tags["dagster/asset_partition_range_end"] == LAST_DAY
    # Dagit takes a run for one of its job when it ran the same job: same assets, resources and executor.
    assert first.job_snapshot_id == defs.resolve_job_def("daily_metrics").get_job_snapshot_id()
    # It lists a run under its job by the definitions that the run says it is of.
    assert first.tags_for_storage()[".dagster/repository"] == "__repository__@calback_assets.definitions"


@pytest.mark.usefixtures("world")
def test_a_selection_and_a_range_run_nothing_else() -> None:
    result = calback("run", "--from", "2024-01-02", "--to", "2024-01-03", "--select", "raw_access_log,raw_events")
    assert result.exit_code == 0, result.output
    assert " 4/4 " in result.stderr
    assert "2024-01-02 to 2024-01-03 materialized" in result.stdout


@pytest.mark.usefixtures("world")
def test_a_snapshot_can_be_run_alone() -> None:
    result = calback("run", "--select", "raw_users")
    assert result.exit_code == 0, result.output
    assert " 1/1 " in result.stderr


@pytest.mark.parametrize("selection", ["nope", "(((", "tag:nope", "", "firestore/userCollection"])
@pytest.mark.usefixtures("world")
def test_a_selection_of_nothing_names_the_assets(selection: str) -> None:
    result = calback("run", "--select", selection)
    assert result.exit_code == 1
    assert error_of(result) == (
        f"--select {selection!r} selects no asset; write it in Dagster's selection syntax, with the assets "
        f"{LISTED_TABLES}"
    )


def test_a_run_that_waits_for_firestore_says_so(
    tmp_path: Path, firestore: "Firestore", monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "CALBACK_DATA_DIR": tmp_path,
        "CALBACK_DUCKDB_PATH": tmp_path / "warehouse.duckdb",
        "CALBACK_GCP_PROJECT": firestore.project,
        "CALBACK_START_DATE": "2024-01-01",
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.delitem(sys.modules, "calback_assets.definitions", raising=False)
    firestore.store.put("userCollection/u1", {"flag": 1})
    firestore.faults.fail(grpc.StatusCode.UNAVAILABLE, "RunQuery")
    result = calback("run", "--to", "2024-01-01", "--select", "raw_users")
    assert result.exit_code == 0, result.output
    notes = [line for line in result.stderr.splitlines() if line.startswith("raw_users: ")]
    assert [re.sub(r"\d\.\d s$", "a moment", note) for note in notes] == [
        "raw_users: Firestore broke off (ServiceUnavailable): attempt 2 of 8 in a moment",
        "raw_users: 1 of 1 documents read",
    ]


def test_days_that_a_changed_day_made_stale_are_rebuilt_and_said(world: World) -> None:
    path = world.data / "access_log" / "date=2024-01-01" / "part-0.jsonl"
    lines = path.read_text()
    path.write_text("")
    selected = ("--select", "*daily_active_users")
    result = calback("run", "--to", "2024-01-01", *selected, "--accept-empty", "raw_access_log")
    path.write_text(lines)
    assert result.exit_code == 0, result.output
    assert re.search(
        r"^Also rebuilt days whose input has changed: .*4 of daily_active_users", result.stdout, re.MULTILINE
    )
    done, total = re.findall(r" (\d+)/(\d+) ", result.stderr)[-1]
    assert done == total


def test_days_that_have_not_arrived_are_left_out_and_said_and_the_run_is_no_success(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALBACK_END_DATE", "2024-01-07")
    monkeypatch.delitem(sys.modules, "calback_assets.definitions")
    result = calback("run", "--from", "2024-01-05", "--select", "raw_access_log")
    assert "2024-01-05 materialized, Dagit run " in result.stdout
    assert result.exit_code == 1
    assert error_of(result).startswith(
        "raw_access_log: 2024-01-06 to 2024-01-07 has not arrived, the source ends with 2024-01-05; nothing was "
        "written of it. "
    )
    result = calback("run", "--from", "2024-01-06", "--select", "raw_access_log")
    assert result.exit_code == 1
    assert "materialized" not in result.stdout
    assert error_of(result).startswith("raw_access_log: 2024-01-06 to 2024-01-07 has not arrived, ")
    accepting = ("--select", "raw_access_log", "--accept-empty", "raw_access_log")
    result = calback("run", "--from", "2024-01-06", *accepting)
    assert result.exit_code == 0, result.output
    counted = "SELECT row_count FROM calback.partition_ledger WHERE table_name = 'raw_access_log' ORDER BY event_date"
    assert [count for (count,) in world.rows(counted)][-2:] == [0, 0]


@pytest.mark.usefixtures("world")
def test_a_source_that_is_accepted_as_empty_is_one_of_the_four() -> None:
    result = calback("run", "--accept-empty", "ga4")
    assert result.exit_code == 2
    assert "'ga4' is not one of 'raw_users', 'raw_meetings', 'raw_events', 'raw_access_log'" in error_of(result)


def test_what_is_read_by_nobody_is_told_above_the_bar(world: World) -> None:
    (world.data / "NOTES.md").touch()
    result = calback("run", "--from", "2024-01-05", "--select", "raw_events,raw_access_log")
    (world.data / "NOTES.md").unlink()
    assert result.exit_code == 0, result.output
    told = [line for line in result.stderr.splitlines() if "NOTES.md" in line]
    assert told == [f"warning: {world.data}: no source reads NOTES.md"]


def test_an_unusual_number_of_rows_is_a_warning_and_no_failure(world: World) -> None:
    path = world.data / "access_log" / "date=2024-01-05" / "part-0.jsonl"
    good = path.read_text()
    path.write_text('{"userId": 1}\n' * 1_000)
    with duckdb.connect(str(world.warehouse)) as connection:
        connection.execute(
            "INSERT INTO calback.partition_ledger VALUES "
            + ", ".join(f"('raw_access_log', DATE '2023-12-{day}', 20, 'a run', FALSE)" for day in (15, 22, 29))
        )
    result = calback("run", "--from", "2024-01-05", "--select", "raw_access_log")
    path.write_text(good)
    with duckdb.connect(str(world.warehouse)) as connection:
        connection.execute("DELETE FROM calback.partition_ledger WHERE event_date < DATE '2024-01-01'")
    assert result.exit_code == 0, result.output
    assert ("warning: raw_access_log: Friday 2024-01-05 has 1,000 rows, usual are 20\n") in result.stderr


def test_a_line_that_cannot_be_parsed_fails_the_run_in_one_line(world: World, spoiled_line: Path) -> None:
    before = world.rows("SELECT * FROM calback.raw_access_log ORDER BY ALL")
    result = calback("run", "--from", "2024-01-03", "--to", "2024-01-03", "--select", "raw_access_log+")
    lines = len(spoiled_line.read_text().splitlines())
    assert result.exit_code == 1
    assert re.fullmatch(
        rf"raw_access_log: {re.escape(str(spoiled_line))}, line {lines - 1}: not valid JSON from character 12 on\. "
        rf"2 of {lines} lines of 2024-01-03 cannot be taken, more than 1\.0%; correct or remove them, or export the "
        r"file again; to do without them, raise CALBACK_MAX_REJECTED_SHARE; details: Dagit run [0-9a-f-]{36}",
        error_of(result),
    )
    assert "Traceback" not in result.output
    assert "secret" not in result.output
    assert world.rows("SELECT * FROM calback.raw_access_log ORDER BY ALL") == before


def test_a_check_that_fails_is_named_with_its_first_violation(world: World) -> None:
    with duckdb.connect(str(world.warehouse)) as connection:
        # Somebody who is first seen twice is counted twice.
        connection.execute(
            "INSERT INTO calback.user_first_seen FROM calback.user_first_seen WHERE event_date = '2024-01-01' LIMIT 1"
        )
    result = calback("run", "--to", "2024-01-01", "--select", "daily_active_users")
    assert result.exit_code == 1
    assert re.fullmatch(
        r"daily_active_users breaks its check dau_is_everyone_active: event_date 2024-01-01, .*; nothing that reads it "
        r"was written; correct its input or its query, and run it again; details: Dagit run [0-9a-f-]{36}",
        error_of(result),
    )
    assert calback("run", "--to", "2024-01-01", "--select", "user_first_seen").exit_code == 0
    assert calback("run", "--to", "2024-01-01", "--select", "daily_active_users").exit_code == 0


@pytest.mark.parametrize("arguments", [("--debug", "run"), ("run", "--debug")])
@pytest.mark.usefixtures("world", "spoiled_line")
def test_debug_before_or_after_the_command_adds_the_traceback(arguments: tuple[str, ...]) -> None:
    result = calback(*arguments, "--from", "2024-01-03", "--to", "2024-01-03", "--select", "raw_access_log")
    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert "handle_output" in result.stderr
    assert "not valid JSON" in error_of(result)


@pytest.mark.usefixtures("world")
def test_a_warehouse_in_use_names_the_process_that_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "warehouse.duckdb"
    monkeypatch.setenv("CALBACK_DUCKDB_PATH", str(path))
    impatient = functools.partial(DuckDBWarehouse, lock_timeout_seconds=0)
    monkeypatch.setattr("calback_assets.warehouse.deployed.DuckDBWarehouse", impatient)
    hold = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        result = calback("run")
        assert result.exit_code == 1
        assert error_of(result) == (
            f"the warehouse {path} is in use by process {holder.pid}; wait for that run to end, or stop it, "
            "and try again"
        )
        holder.communicate()


def test_another_key_than_that_of_the_warehouse_is_refused_before_a_run_is_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = world.warehouse.read_bytes()
    monkeypatch.setenv("CALBACK_PSEUDONYM_KEY", "a key of one's own")
    result = calback("run", "--select", "raw_access_log")
    assert result.exit_code == 1
    assert error_of(result) == (
        "CALBACK_PSEUDONYM_KEY is not the key with which the hashes in this warehouse were made; unset it, since that "
        "was the published one, or begin a new warehouse as docs/privacy.md says; nothing was written"
    )
    assert "the run is recorded in" not in result.stderr
    assert world.warehouse.read_bytes() == stored
    for key in ("a key of one's own", "k", ""):
        monkeypatch.setenv("CALBACK_PSEUDONYM_KEY", key)
        assert calback("show", "raw_users").exit_code == 0


@pytest.mark.parametrize(("parent", "reason"), [("a-file", "Not a directory"), ("/proc", "No such file or directory")])
@pytest.mark.usefixtures("world")
def test_a_warehouse_that_cannot_be_made_is_refused_before_a_run_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parent: str, reason: str
) -> None:
    (tmp_path / "a-file").touch()
    path = tmp_path / parent / "calback" / "warehouse.duckdb"
    monkeypatch.setenv("CALBACK_DUCKDB_PATH", str(path))
    result = calback("run")
    assert result.exit_code == 1
    assert error_of(result) == (
        f"the warehouse {path} cannot be made: {reason}; set CALBACK_DUCKDB_PATH to a file in a folder that can "
        "be written"
    )
    assert "runs are recorded in" not in result.stderr


def test_a_dagster_home_that_is_no_folder_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(world.data / "nowhere"))
    result = calback("run")
    assert result.exit_code == 1
    assert error_of(result) == (
        f"DAGSTER_HOME is '{world.data / 'nowhere'}', which is no folder; make it, or unset DAGSTER_HOME"
    )


def test_records_of_dagster_that_cannot_be_used_are_said_with_the_reason(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(world.warehouse.parent / "dagster" / "dagster.yaml", tmp_path)
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / "runs.db").write_bytes(b"no database" * 1000)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    result = calback("run")
    assert result.exit_code == 1
    assert error_of(result) == (
        f"Dagster's records in {tmp_path} cannot be used: file is not a database; run it again, and if that does not "
        "help, set DAGSTER_HOME to another folder"
    )


def test_the_instance_of_dagster_home_is_used(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(world.warehouse.parent / "dagster" / "dagster.yaml", tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    result = calback("run", "--select", "raw_users")
    assert result.exit_code == 0, result.output
    assert "DAGSTER_HOME" not in result.stderr
    with DagsterInstance.from_config(str(tmp_path)) as own:
        assert own.get_runs_count() == 1


def test_an_unknown_deployment_lists_the_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALBACK_DEPLOYMENT", "cloud")
    result = calback("run")
    assert result.exit_code == 1
    assert result.output == "error: CALBACK_DEPLOYMENT is 'cloud'; set it to one of: local, gcp\n"


def test_a_data_set_that_ends_before_it_starts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALBACK_START_DATE", "2024-02-01")
    monkeypatch.setenv("CALBACK_END_DATE", "2024-01-31")
    result = calback("run")
    assert result.exit_code == 1
    assert result.output == (
        "error: CALBACK_START_DATE 2024-02-01 lies after CALBACK_END_DATE 2024-01-31; the first day must not be later "
        "than the last\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--from", "2023-12-31"),
            "--from 2023-12-31 lies before the first day of the data; choose a day from 2024-01-01 to 2024-01-05, or "
            "set CALBACK_START_DATE",
        ),
        (
            ("--to", "2024-01-06"),
            "--to 2024-01-06 lies after the last day of the data; choose a day from 2024-01-01 to 2024-01-05",
        ),
        (("--from", "2024-01-04", "--to", "2024-01-02"), "--from 2024-01-04 lies after --to 2024-01-02; swap them"),
    ],
)
@pytest.mark.usefixtures("world")
def test_a_range_outside_the_data_is_refused(arguments: tuple[str, ...], message: str) -> None:
    result = calback("run", *arguments)
    assert result.exit_code == 1
    assert result.output == f"error: {message}\n"


@pytest.mark.parametrize("text", ["2024-02-30", "yesterday", "20240101", ""])
def test_a_day_that_is_none_is_wrong_usage(text: str) -> None:
    result = calback("run", "--from", text)
    assert result.exit_code == 2
    assert result.output == (
        f"error: Invalid value for '--from': {text!r} is no day; write it as YYYY-MM-DD; see calback run --help\n"
    )


def day(number: int) -> date:
    return date(2024, 1, number)


@pytest.mark.parametrize(
    ("start", "end", "is_closed", "expected"),
    [
        (None, None, True, (day(1), day(5))),
        (None, None, False, (day(9), day(9))),
        (day(3), None, True, (day(3), day(5))),
        (day(3), None, False, (day(3), day(9))),
        (None, day(3), True, (day(1), day(3))),
        (None, day(3), False, (day(1), day(3))),
        (day(2), day(2), False, (day(2), day(2))),
    ],
)
def test_a_missing_end_of_the_range_is_that_of_the_data(
    start: date | None, end: date | None, is_closed: bool, expected: tuple[date, date]
) -> None:
    assert day_range(start, end, data_from(day(1), day(5) if is_closed else None), today=day(10)) == expected


@pytest.mark.parametrize(
    ("first", "last", "start", "message"),
    [
        (
            day(1),
            None,
            day(10),
            "--from 2024-01-10 is not over yet; choose a day from 2024-01-01 to 2024-01-09",
        ),
        (
            day(10),
            None,
            None,
            "the first day of the data, 2024-01-10, is not over yet; run it on a later day, or set CALBACK_START_DATE",
        ),
    ],
)
def test_a_day_that_is_not_over_cannot_be_run(first: date, last: date | None, start: date | None, message: str) -> None:
    with pytest.raises(CalbackError) as error:
        day_range(start, None, data_from(first, last), today=day(10))
    assert str(error.value) == message


def data_from(first: date, last: date | None) -> Settings:
    return Settings(Path("data"), Path("warehouse"), first, last, "Asia/Seoul", b"key")


@pytest.mark.usefixtures("world")
def test_the_newest_rows_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    result = calback("show", "daily_active_users", "--limit", "2")
    assert result.exit_code == 0
    assert re.findall(r"^│ (\S+) │", result.stdout, re.MULTILINE) == [LAST_DAY, "2024-01-04"]
    assert "meetings_created" in result.stdout


@pytest.mark.parametrize("limit", ["0", "1000000001", "9223372036854775808"])
def test_a_number_of_rows_that_nobody_reads_is_wrong_usage(limit: str) -> None:
    result = calback("show", "daily_active_users", "--limit", limit)
    assert result.exit_code == 2
    assert error_of(result) == (
        f"Invalid value for '--limit': {limit} is not in the range 1<=x<=1000000000; see calback show --help"
    )


def test_the_version_is_that_of_the_package() -> None:
    result = calback("--version")
    assert (result.exit_code, result.output) == (0, f"calback {importlib.metadata.version('calback-assets')}\n")


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.usefixtures("world")
def test_every_table_can_be_shown(table: str) -> None:
    result = calback("show", table, "--limit", "1")
    assert result.exit_code == 0, result.output
    assert TABLES[table].columns[0].name in result.stdout


def test_an_unknown_table_lists_the_tables() -> None:
    result = calback("show", "nope")
    assert result.exit_code == 2
    assert (
        result.output == f"error: there is no table 'nope'; choose one of: {LISTED_TABLES}; see calback show --help\n"
    )


@pytest.mark.usefixtures("world")
def test_a_table_that_was_never_written_says_how_to_write_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "warehouse.duckdb"
    monkeypatch.setenv("CALBACK_DUCKDB_PATH", str(path))
    result = calback("show", "frequent_users")
    assert result.exit_code == 1
    assert error_of(result) == (
        f"there is no warehouse at {path}: materialize something first, or set CALBACK_DUCKDB_PATH"
    )
    duckdb.connect(str(path)).close()
    result = calback("show", "frequent_users")
    assert result.exit_code == 1
    assert error_of(result) == "table frequent_users does not exist yet: materialize frequent_users first"


@pytest.fixture
def person(world: World) -> str:
    """Somebody who has done something on several days, and was seen on a device."""
    ((found,),) = world.rows(
        "SELECT user_id FROM calback.device_identity JOIN calback.user_daily_activity USING (user_id) "
        "GROUP BY ALL ORDER BY COUNT(*) DESC, user_id LIMIT 1"
    )
    return str(found)


def test_an_erasure_is_not_begun_without_a_terminal_or_yes(world: World, person: str) -> None:
    result = calback("erase", person)
    assert result.exit_code == 1
    assert error_of(result) == "there is no terminal to ask for confirmation; nothing was erased; add --yes to go on"
    assert world.rows(f"SELECT COUNT(*) FROM calback.device_identity WHERE user_id = '{person}'") != [(0,)]


def test_an_erasure_says_what_it_will_do_and_takes_no_for_an_answer(
    world: World, person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True)
    result = CliRunner().invoke(main, ["erase", person], prog_name="calback", input="n\n")
    assert result.exit_code == 1
    assert (
        "from all tables, and keeps them out of every later run. It cannot be undone.\nErase? [y/N]: " in result.stderr
    )
    assert error_of(result) == "the answer was no; nothing was erased"
    assert world.rows(f"SELECT COUNT(*) FROM calback.device_identity WHERE user_id = '{person}'") != [(0,)]


@pytest.mark.usefixtures("world")
def test_an_empty_id_is_refused() -> None:
    result = calback("erase", " ", "--yes")
    assert result.exit_code == 2
    assert error_of(result).startswith("USER_ID is empty; give the id of the person's document in userCollection")


@pytest.mark.usefixtures("world")
def test_the_hash_of_a_person_can_be_printed_for_dagit(person: str) -> None:
    result = calback("erase", person, "--print-hash")
    assert result.exit_code == 0
    key = hmac.digest(DEVELOPMENT_KEY, b"calback suppression list", "sha256")
    assert result.stdout == hmac.new(key, person.encode(), "sha256").hexdigest() + "\n"


def test_an_erasure_lists_what_it_touched_and_is_on_record_without_the_id(
    world: World, person: str, instance: DagsterInstance
) -> None:
    expected = {
        table: world.rows(f"SELECT COUNT(*) FROM calback.{table} WHERE user_id = '{person}'")[0][0]
        for table in ("raw_users", "raw_access_log", "device_identity", "user_first_seen", "user_daily_activity")
    }
    home = world.warehouse.parent

    result = calback("erase", person, "--yes")

    assert result.exit_code == 0, result.output
    listed = dict(re.findall(r"^│ (\w+) +│ +(\d+) │", result.stdout, re.MULTILINE))
    assert {table: int(listed[table]) for table in expected} == expected
    assert "They stay suppressed: no later run stores anything of them.\n" in result.stdout
    ((days,),) = world.rows(
        "SELECT COUNT(*) FROM calback.partition_ledger WHERE table_name = 'daily_active_users' AND is_stale"
    )
    assert days > 0
    told = rf"^Days that the next run rebuilds without them: .*{days} of daily_active_users(,|$)"
    assert re.search(told, result.stdout, re.MULTILINE)
    (run,) = instance.get_runs(limit=1)
    assert (run.job_name, run.status) == ("erase_person", DagsterRunStatus.SUCCESS)
    assert run.run_id in result.stdout
    assert re.fullmatch("[0-9a-f]{64}", run.run_config["ops"]["erase"]["config"]["subject_hash"])
    assert person not in result.output
    # What is left of the person are the files that came from outside.
    holding = {path.relative_to(home).parts[0] for path in home.rglob("*") if path.is_file() and holds(path, person)}
    assert holding == {world.data.name}


def holds(path: Path, text: str) -> bool:
    return text.encode() in path.read_bytes()


def test_erasing_somebody_unknown_says_that_nothing_is_stored_and_suppresses_them(world: World) -> None:
    result = calback("erase", "nobody-of-this-name", "--yes")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Nothing is stored of this person.\nThey stay suppressed: ")
    assert world.rows("SELECT COUNT(*) FROM calback.suppressed WHERE kind = 'user'")[0][0] >= 1


def test_the_next_run_rebuilds_the_days_without_the_person_and_brings_nothing_back(world: World, person: str) -> None:
    assert calback("erase", person, "--yes").exit_code == 0
    result = calback("run", "--from", LAST_DAY)
    assert result.exit_code == 0, result.output
    assert re.search(
        r"^Also rebuilt days whose input has changed: .*of daily_active_users", result.stdout, re.MULTILINE
    )
    assert calback("run").exit_code == 0
    assert (
        world.rows(
            f"SELECT table_name FROM calback.partition_ledger WHERE is_stale UNION ALL "
            f"SELECT user_id FROM calback.raw_access_log WHERE user_id = '{person}' UNION ALL "
            f"SELECT user_id FROM calback.raw_users WHERE user_id = '{person}' UNION ALL "
            f"SELECT user_id FROM calback.unified_events WHERE user_id = '{person}'"
        )
        == []
    )
