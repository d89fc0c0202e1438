"""What `calback doctor` says of each set-up that somebody may have, and that it writes nothing."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from click.testing import CliRunner, Result
from google.cloud import bigquery

from calback_assets.cli import main
from calback_assets.cli.findings import Comparison, Finding, State, of_daily, of_data, told
from calback_assets.errors import SourceError
from calback_assets.sample import write_sample
from calback_assets.settings import Settings, Understanding
from calback_assets.sources.access_log.log import FoundLog
from calback_assets.tables.raw import RAW_USERS
from calback_assets.warehouse.bigquery.jobs import Jobs, Limits
from calback_assets.warehouse.bigquery.ledger import DESCRIPTION, LEDGER, SCHEMA
from calback_assets.warehouse.deployed import warehouse_of
from calback_assets.warehouse.deployed_sources import sources_of
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets_tests.bigquery.clients import Emulator, client
from calback_assets_tests.bigquery.proxy import Fault, FaultProxy, Refusal, serving

if TYPE_CHECKING:
    from calback_assets_tests.firestore.server import Firestore

KEY = "geheim-und-lang-genug"
PROJECT = "doctor-project"
OTHERS = ("DAGSTER_HOME", "GOOGLE_APPLICATION_CREDENTIALS", "BIGQUERY_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST")
DENIED = Refusal(403, "PERMISSION_DENIED", "accessDenied", "Access Denied: User hong@example.com may not")
NEVER_THERE = "bring it there (docs/forms.md), or leave it: a source that was never there is taken as empty"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder and an environment without anything of ours; what `.env` adds goes again."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("CALBACK_") or name in OTHERS]:
        del os.environ[name]
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("world") / "sample"
    write_sample(data, users=60, days=5, seed=7)
    return data


def doctor() -> Result:
    return CliRunner().invoke(main, ["doctor"], prog_name="calback")


def told_of(result: Result, *whats: str) -> list[str]:
    """The lines of these parts, without the last, which counts."""
    lines = result.stdout.splitlines()
    return [line for line in lines if line.split(": ")[1] in whats]


def troubles(result: Result) -> list[str]:
    return [line.removeprefix("trouble: ") for line in result.stdout.splitlines()[:-1] if line.startswith("trouble: ")]


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Everything below a folder: when it was changed last, and what is in it."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in [folder, *folder.rglob("*")]
    }


def test_nothing_set_up(folder: Path) -> None:
    before = tree(folder)
    result = doctor()
    assert result.exit_code == 1
    assert troubles(result) == [
        "settings: CALBACK_START_DATE is not set and data/sample is no folder → set it to the first day of your data "
        "(YYYY-MM-DD), or write the sample data: calback sample data/sample",
        "data folder: data/sample is no folder, so there is no data to read → mount it, or set CALBACK_DATA_DIR to the "
        "folder of the exports",
    ]
    assert told_of(result, "raw_users", "raw_meetings", "raw_events", "raw_access_log", "warehouse") == [
        f"warning: raw_users: data/sample/firestore/userCollection.jsonl has nothing → {NEVER_THERE}",
        f"warning: raw_meetings: data/sample/firestore/meetingsCollection.jsonl has nothing → {NEVER_THERE}",
        f"warning: raw_events: data/sample/analytics has nothing → {NEVER_THERE}",
        f"warning: raw_access_log: data/sample/access_log has nothing → {NEVER_THERE}",
        "ok: warehouse: data/warehouse.duckdb: not there yet, the first run makes it",
    ]
    assert result.stdout.splitlines()[-1] == "trouble: 2, warnings: 5"
    assert result.stderr == ""
    assert tree(folder) == before


def test_the_sample(world: Path) -> None:
    shutil.copytree(world, "data/sample")
    result = doctor()
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[:10] == [
        "ok: settings: CALBACK_DEPLOYMENT = local (default)",
        "ok: settings: CALBACK_WAREHOUSE = duckdb (preset)",
        "ok: settings: CALBACK_DOCUMENTS = files (preset)",
        "ok: settings: CALBACK_EVENTS = files (preset)",
        "ok: settings: CALBACK_ACCESS_LOG = files (preset)",
        "ok: settings: CALBACK_DATA_DIR = data/sample (default)",
        "ok: settings: CALBACK_DUCKDB_PATH = data/warehouse.duckdb (default)",
        "ok: settings: CALBACK_REPORT_DIR = data/report (default)",
        "ok: settings: CALBACK_START_DATE = 2024-01-01 (manifest.json)",
        "ok: settings: CALBACK_END_DATE = 2024-01-05 (manifest.json)",
    ]
    days = "5 days, 2024-01-01 to 2024-01-05; in the warehouse: no day; to be read: 2024-01-01 to 2024-01-05"
    assert lines[-7:] == [
        "ok: data folder: all that looks like data is read by a source",
        "ok: raw_users: data/sample/firestore/userCollection.jsonl, read anew by every run",
        "ok: raw_meetings: data/sample/firestore/meetingsCollection.jsonl, read anew by every run",
        f"ok: raw_events: data/sample/analytics: {days}",
        f"ok: raw_access_log: data/sample/access_log: {days}",
        "ok: warehouse: data/warehouse.duckdb: not there yet, the first run makes it",
        "trouble: 0, warnings: 1",
    ]
    assert [line for line in lines if line.startswith("warning")] == [
        "warning: settings: CALBACK_PSEUDONYM_KEY is not set, and the published development key is no secret → for "
        "real data, set it to the output of: openssl rand -hex 32"
    ]
    assert not Path("data/warehouse.duckdb").exists()


def warehouse_with(days: dict[str, dict[str, int]], path: Path = Path("data/warehouse.duckdb")) -> None:
    """A warehouse that knows of these rows."""
    path.parent.mkdir(exist_ok=True)
    with DuckDBWarehouse(path).session() as session:
        session.ensure(RAW_USERS)
        for table, counts in days.items():
            for day, count in counts.items():
                session.execute(
                    f"INSERT INTO calback.partition_ledger VALUES ('{table}', DATE '{day}', {count}, 'a run', FALSE)"
                )


def test_what_the_warehouse_has_is_compared_and_nothing_is_written(world: Path, folder: Path) -> None:
    shutil.copytree(world, "data/sample")
    shutil.rmtree("data/sample/access_log/date=2024-01-02")
    shutil.rmtree("data/sample/access_log/date=2024-01-05")
    os.environ["DAGSTER_HOME"] = "data/dagster"
    Path("data/dagster").mkdir()
    day = {f"2024-01-0{number}": 20 for number in range(1, 4)}
    warehouse_with({"raw_access_log": day, "raw_events": day})
    size = Path("data/warehouse.duckdb").stat().st_size
    before = tree(folder)
    result = doctor()
    assert tree(folder) == before
    assert result.exit_code == 1
    assert told_of(result, "raw_events", "raw_access_log", "warehouse") == [
        "ok: raw_events: data/sample/analytics: 5 days, 2024-01-01 to 2024-01-05; in the warehouse: 3 days, 2024-01-01 "
        "to 2024-01-03; to be read: 2024-01-04 to 2024-01-05",
        "ok: raw_access_log: data/sample/access_log: 3 days, 2024-01-01 to 2024-01-04; in the warehouse: 2 days, "
        "2024-01-01 to 2024-01-03; to be read: 2024-01-04",
        "trouble: raw_access_log: data/sample/access_log has nothing of 2024-01-02, and the warehouse has 20 rows of "
        "it → bring it back, or accept that there is none: calback run --accept-empty raw_access_log, or accept_empty "
        "of the resource intake in Dagit's launchpad",
        "warning: raw_access_log: 2024-01-05 has not arrived, the source ends with 2024-01-04 → run it again when it "
        "is there, or accept that there is none: calback run --accept-empty raw_access_log, or accept_empty of the "
        "resource intake in Dagit's launchpad",
        f"ok: warehouse: data/warehouse.duckdb: {size:,} bytes",
    ]


def test_a_folder_with_files_of_every_wrong_kind(world: Path) -> None:
    data = Path("data/sample")
    shutil.copytree(world, data)
    os.mkfifo(data / "pipe")
    (data / "firestore" / "dead").symlink_to("nowhere")
    shutil.copy(data / "firestore/meetingsCollection.jsonl", data / "firestore/meetingsCollection.json")
    (data / "analytics/events_20240102.csv").touch()
    (data / "analytics/events_march.json").touch()
    (data / "analytics/events_20240203-000000000001.json").touch()
    parquet = data / "access_log/date=2024-01-03/truncated.parquet"
    parquet.write_bytes(b"PAR1")
    result = doctor()
    assert result.exit_code == 1
    mend, remove = "mend the link or the rights, or remove it", "remove it from the data folder"
    give = "give it a name and a place that a source reads (README, Your own data), or move it out of the data folder"
    assert troubles(result) == [
        f"data folder: {data}/pipe: neither a file nor a folder → {remove}",
        f"data folder: {data}/firestore/dead: cannot be looked at (No such file or directory) → {mend}",
        f"data folder: {data}/analytics/events_20240102.csv: looks like data, and no source reads it → {give}",
        "raw_users: the same as above",
        "raw_meetings: the same as above",
        f"raw_meetings: {data}/firestore: meetingsCollection.json and meetingsCollection.jsonl hold the same "
        "collection → remove one of them",
        f"raw_events: {data}/analytics/events_march.json: the name tells no export date, so no day would read it → "
        "name it events_YYYYMMDD, events_fresh_YYYYMMDD or events_intraday_YYYYMMDD, as its table is named",
        f"raw_events: {data}/analytics/events_20240203-000000000000.json: this shard is missing, and a later one of "
        "its table is there → fetch it from the bucket, or export the table again",
        f"raw_access_log: {parquet}: not a complete Parquet file → export the file again",
    ]


def test_a_warehouse_that_another_process_holds(world: Path) -> None:
    os.environ["CALBACK_DATA_DIR"] = str(world)
    hold = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, "held.duckdb"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        os.environ["CALBACK_DUCKDB_PATH"] = "held.duckdb"
        began = time.monotonic()
        result = doctor()
        assert time.monotonic() - began < 9  # A run waits for ten seconds.
        assert result.exit_code == 1
        assert troubles(result) == [
            f"warehouse: the warehouse held.duckdb is in use by process {holder.pid} → wait for that run to end, or "
            "stop it, and try again"
        ]
        assert told_of(result, "raw_events") == [
            f"ok: raw_events: {world}/analytics: 5 days, 2024-01-01 to 2024-01-05; in the warehouse: not known"
        ]
        holder.communicate()


@pytest.mark.parametrize(
    ("path", "trouble"),
    [
        (
            "notes.txt",
            "notes.txt is not a DuckDB file → set CALBACK_DUCKDB_PATH to a warehouse, or to a file that does not exist "
            "yet",
        ),
        (
            "notes.txt/warehouse.duckdb",
            "the warehouse notes.txt/warehouse.duckdb cannot be made: {folder}/notes.txt is no folder → set "
            "CALBACK_DUCKDB_PATH to a file in a folder that can be written",
        ),
    ],
)
def test_a_file_that_is_no_warehouse(world: Path, folder: Path, path: str, trouble: str) -> None:
    Path("notes.txt").write_text("mine\n" * 10_000)
    os.environ |= {"CALBACK_DATA_DIR": str(world), "CALBACK_DUCKDB_PATH": path}
    assert troubles(doctor()) == [f"warehouse: {trouble.format(folder=folder)}"]


def test_a_warehouse_with_hashes_of_another_key(world: Path) -> None:
    warehouse_with({})
    with duckdb.connect("data/warehouse.duckdb") as connection:
        connection.execute(
            "INSERT INTO calback.raw_users BY NAME SELECT 'u' AS user_id, 'hash' AS email_hash, "
            "now() AS created_at, now() AS updated_at, now() AS snapshot_at, false AS has_photo, "
            "false AS has_push_token, 0 AS friend_count, 0 AS blocked_count, 0 AS requests_received, 0 AS requests_sent"
        )
        connection.execute(
            "CREATE TABLE calback.pseudonym_key AS SELECT 'of another' AS fingerprint, now() AS entered_at"
        )
    os.environ |= {"CALBACK_DATA_DIR": str(world), "CALBACK_PSEUDONYM_KEY": KEY}
    (trouble,) = troubles(doctor())
    assert trouble.startswith(
        "warehouse: CALBACK_PSEUDONYM_KEY is not the key with which the hashes in this warehouse were made → "
    )


def test_every_wrong_variable_is_told_and_the_rest_is_looked_at(world: Path) -> None:
    shutil.copytree(world, "data/sample")
    Path(".env").write_text(f"CALBACK_TIMEZONE=Mars\nCALBACK_MAX_LOST_SHARE=0.2\nCALBACK_UI_TOKEN={KEY}-and-more\n")
    Path(".env").chmod(0o600)
    os.environ |= {"CALLBACK_DATA_DIR": "exports", "CALBACK_PSEUDONYM_KEY": "short", "CALBACK_END_DATE": "2024-01-04"}
    result = doctor()
    assert result.exit_code == 1
    assert [trouble.partition(" → ")[0] for trouble in troubles(result)] == [
        "settings: CALLBACK_DATA_DIR is no variable of calback, the nearest is CALBACK_DATA_DIR",
        "settings: CALBACK_TIMEZONE is 'Mars'",
        "settings: CALBACK_PSEUDONYM_KEY cannot be taken",
    ]
    settings = told_of(result, "settings")
    assert "ok: settings: CALBACK_MAX_LOST_SHARE = 0.2 (.env)" in settings
    assert "ok: settings: CALBACK_UI_TOKEN = set (.env)" in settings
    assert "ok: settings: CALBACK_END_DATE = 2024-01-04 (environment)" in settings
    assert told_of(result, "raw_access_log") == [
        "ok: raw_access_log: data/sample/access_log: 4 days, 2024-01-01 to 2024-01-04; in the warehouse: no day; to be "
        "read: 2024-01-01 to 2024-01-04"
    ]
    assert KEY not in result.output
    assert "short" not in result.output


def test_settings_that_leave_open_what_to_look_at() -> None:
    os.environ["CALBACK_DEPLOYMENT"] = "gcp"
    Path(".env").write_text("CALBACK_GCP_PROJECT my-project\n")
    Path(".env").chmod(0o600)
    result = doctor()
    assert result.exit_code == 1
    assert troubles(result) == [
        'settings: .env, line 1: cannot be read → write NAME=value, or NAME="value" where white space or # is in it',
        "settings: CALBACK_START_DATE is not set and data/sample is no folder → set it to the first day of your data "
        "(YYYY-MM-DD), or write the sample data: calback sample data/sample",
        "settings: CALBACK_PSEUDONYM_KEY is not set, and CALBACK_DEPLOYMENT is gcp → set it to a secret of your own of "
        "at least 16 characters, 8 of them different, for example the output of: openssl rand -hex 32",
        "settings: CALBACK_GCP_PROJECT is not set, and CALBACK_DEPLOYMENT is gcp → set it to the id of your project in "
        "Google's cloud, such as my-project-4711",
    ]
    assert told_of(result, "sources") == [
        "warning: sources: they and the warehouse were not looked at → mend the settings first"
    ]


def test_what_comes_of_the_environment_is_as_a_run_would_take_it() -> None:
    found = Understanding.of({"CALBACK_START_DATE": "2024-01-01", "FIRESTORE_EMULATOR_HOST": "127.0.0.1:8080"}, ())
    assert found.problems == []
    values = {variable.name: (variable.value, variable.origin) for variable in found.variables}
    assert values["CALBACK_DOCUMENTS"] == ("firestore", "FIRESTORE_EMULATOR_HOST")
    assert values["CALBACK_GCP_PROJECT"] == ("demo-calback", "FIRESTORE_EMULATOR_HOST")
    assert values["CALBACK_START_DATE"] == ("2024-01-01", "environment")
    assert values["CALBACK_BIGQUERY_DATASET"] == ("not set", "")


class Log(FoundLog):
    """A log in nobody's place."""

    def __init__(self, *days: int) -> None:
        super().__init__("the log", [date(2024, 1, day) for day in days])

    def day(self, day: date) -> None:
        raise SourceError(f"{day}: broken. Mend it.")


@pytest.mark.parametrize(
    ("stored", "so"),
    [
        (None, "the log: 3 days, 2024-01-04 to 2024-01-07; not read: 1 day outside of 2024-01-03 to 2024-01-08; in the "
         "warehouse: not known"),
        ({}, "the log: 3 days, 2024-01-04 to 2024-01-07; not read: 1 day outside of 2024-01-03 to 2024-01-08; in the "
         "warehouse: no day; to be read: 2024-01-04, 2024-01-06 to 2024-01-07"),
    ],
)  # fmt: skip
def test_days_that_are_missing_and_days_that_have_not_arrived(stored: dict[date, int] | None, so: str) -> None:
    found = Log(1, 4, 6, 7)
    days = Comparison.of(found, stored, date(2024, 1, 3), date(2024, 1, 8), date(2024, 1, 9))
    findings = of_daily("raw_access_log", found, days, 0.1)
    assert [(finding.state, finding.so) for finding in findings] == [
        (State.WELL, so),
        (State.WARNING, "the log has nothing of 2024-01-03, 2024-01-05, and has later days"),
        (State.WARNING, "2024-01-08 has not arrived, the source ends with 2024-01-07"),
    ]


def test_an_error_is_taken_apart_with_all_that_was_found_beside_it() -> None:
    error = SourceError("raw_events: a.json, line 2: not valid JSON; nothing was written. Mend it.")
    error.others = [SourceError("b.json is a pipe; remove it")]
    assert told("raw_events", error) == [
        Finding("raw_events", State.TROUBLE, "a.json, line 2: not valid JSON", "mend it"),
        Finding("raw_events", State.TROUBLE, "b.json is a pipe", "remove it"),
    ]


@pytest.mark.parametrize("colour", [True, False])
def test_a_terminal_of_80_columns_shows_a_table(world: Path, monkeypatch: pytest.MonkeyPatch, *, colour: bool) -> None:
    shutil.copytree(world, "data/sample")
    Path("data/sample/NOTES.md").touch()
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR" if colour else "TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm" if colour else "dumb")
    shown = doctor().stdout
    assert ("\x1b[33mwarning" in shown) is colour
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    assert {len(line) for line in lines[:-1]} == {80}
    first = lines.index(next(line for line in lines if line.startswith("│ data folder")))
    assert [line.rstrip(" │") for line in lines[first : first + 4]] == [
        "│ data folder    │ warning │ data/sample: no source reads NOTES.md",
        "│                │         │ → give it a name that a source reads",
        "│                │         │ (docs/forms.md), or leave it, or move it away",
        "├────────────────┼─────────┼───────────────────────────────────────────────────┤",
    ]


class Silent:
    """A source that does not answer."""

    def __init__(self) -> None:
        self.end = Event()

    def look(self, _since: date) -> Log:
        self.end.wait()
        return Log()


def test_an_answer_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calback_assets.cli.findings.SECONDS", 0.1)
    settings = Settings.from_env({"CALBACK_START_DATE": "2024-01-01"})
    silent = Silent()
    sources = replace(sources_of(settings), daily={"raw_events": silent})
    found = of_data(settings, sources, warehouse_of(settings), date(2024, 1, 3))
    silent.end.set()
    assert [finding for finding in found if finding.what == "raw_events"] == [
        Finding(
            "raw_events",
            State.TROUBLE,
            "no answer within 0 seconds",
            "see that the network, or the disk, lets this machine through",
        )
    ]


class Rights(BaseHTTPRequestHandler):
    """A BigQuery that knows rights, and nothing else."""

    def __init__(self, granted: list[str], *connection: Any) -> None:
        self._granted = granted
        super().__init__(*connection)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"permissions": self._granted}).encode()
        self.send_response_only(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.mark.parametrize("may", [True, False])
def test_whether_a_table_may_be_written_is_asked_for(*, may: bool) -> None:
    granted = ["bigquery.tables.getData", "bigquery.tables.updateData"]
    table = bigquery.Table("p.calback.partition_ledger")
    with serving(partial(Rights, granted if may else granted[:1])) as url, client(url, "p") as connected:
        assert Jobs(connected, "calback", Limits()).may_write(table) is may


def cloud(data: Path) -> None:
    os.environ |= {
        "CALBACK_DEPLOYMENT": "gcp",
        "CALBACK_DATA_DIR": str(data),
        "CALBACK_GCP_PROJECT": PROJECT,
        "CALBACK_GA4_DATASET": "analytics_1",
        "CALBACK_ACCESS_LOG_TABLE": "access_log.opens",
        "CALBACK_PSEUDONYM_KEY": KEY,
    }


def test_a_key_file_of_garbage(world: Path) -> None:
    cloud(world)
    Path("key.json").write_text("garbage")
    os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = "key.json"
    result = doctor()
    assert result.exit_code == 1
    remedy = (
        "run gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service "
        "account"
    )
    assert troubles(result) == [
        "settings: GOOGLE_APPLICATION_CREDENTIALS: key.json is not JSON → set it to the key file of a service account, "
        "as it was downloaded, or unset it",
        f"raw_users: Firestore does not accept the Google credentials (DefaultCredentialsError) → {remedy}",
        "raw_meetings: the same as above",
        f"raw_events: no Google credentials were found → {remedy}",
        "raw_access_log: the same as above",
        "warehouse: the same as above",
    ]


@pytest.fixture
def proxy(emulator: Emulator, firestore: "Firestore", world: Path) -> Iterator[FaultProxy]:
    """Everything in emulated clouds."""
    cloud(world)
    os.environ["FIRESTORE_EMULATOR_HOST"] = firestore.host
    os.environ["CALBACK_DOCUMENTS"] = "files"
    with FaultProxy(emulator.url) as between:
        os.environ["BIGQUERY_EMULATOR_HOST"] = between.url
        yield between


def test_datasets_that_are_missing(proxy: FaultProxy) -> None:
    result = doctor()
    assert result.exit_code == 1
    assert troubles(result) == [
        f"raw_events: CALBACK_GA4_DATASET: dataset analytics_1 does not exist in project {PROJECT} → set it to "
        "analytics_<property id>",
        f"raw_access_log: CALBACK_ACCESS_LOG_TABLE: dataset access_log does not exist in project {PROJECT} → set it to "
        "<dataset>.<table> of a table with a column userId, partitioned by its column date",
        f"warehouse: there is no dataset calback in project {PROJECT} → make it with bq mk --location=asia-northeast3 "
        f"{PROJECT}:calback, or set CALBACK_BIGQUERY_DATASET",
    ]
    assert {request.method for request in proxy.log} == {"GET"}


def test_a_service_that_denies_everything(proxy: FaultProxy) -> None:
    proxy.arm(DENIED, times=1000)
    result = doctor()
    assert result.exit_code == 1
    assert troubles(result) == [
        f"raw_events: CALBACK_GA4_DATASET: dataset analytics_1 in project {PROJECT} may not be read, or does not exist "
        "→ grant the platform's account roles/bigquery.dataViewer on it",
        f"raw_access_log: CALBACK_ACCESS_LOG_TABLE: dataset access_log in project {PROJECT} may not be read, or does "
        "not exist → grant the platform's account roles/bigquery.dataViewer on it",
        f"warehouse: BigQuery denies access to dataset calback in project {PROJECT} (accessDenied) → grant this "
        "account roles/bigquery.jobUser on the project and roles/bigquery.dataEditor on the dataset",
    ]
    assert "hong" not in result.output


@pytest.fixture
def into_duckdb(proxy: FaultProxy) -> FaultProxy:
    """Every source in BigQuery, and the warehouse a file."""
    os.environ |= {"CALBACK_WAREHOUSE": "duckdb", "CALBACK_DOCUMENTS": "bigquery", "CALBACK_START_DATE": "2024-01-01"}
    return proxy


def test_sources_in_bigquery_for_a_warehouse_in_a_file_are_asked_and_no_row_is_fetched(
    into_duckdb: FaultProxy, emulator: Emulator
) -> None:
    name = "projects/p/databases/(default)/documents/userCollection/ann"
    tables = {
        "analytics_1.events_20240102": "event_timestamp INT64, event_name STRING",
        "access_log.opens": "userId INT64, date DATE",
        "firestore_export.u_raw_changelog": (
            "document_name STRING, document_id STRING, timestamp TIMESTAMP, operation STRING, data STRING"
        ),
    }
    with client(emulator.url, PROJECT) as connected:
        for table, columns in tables.items():
            connected.create_dataset(table.partition(".")[0])
            connected.query(f"CREATE TABLE `{PROJECT}.{table}` ({columns})").result()
        connected.load_table_from_json([{"userId": 7, "date": "2024-01-03"}], f"{PROJECT}.access_log.opens").result()
        connected.load_table_from_json(
            [{"document_name": name, "document_id": "ann", "timestamp": "2024-01-02 00:00:00 UTC"}],
            f"{PROJECT}.firestore_export.u_raw_changelog",
        ).result()
        result = doctor()
        for table in tables:
            connected.delete_dataset(table.partition(".")[0], delete_contents=True)
    assert result.exit_code == 0, result.stdout
    in_project = f"in project {PROJECT}"
    lines = told_of(result, "raw_users", "raw_meetings", "raw_events", "raw_access_log")
    assert [line for line in lines if "has nothing of" not in line and "has not arrived" not in line] == [
        f"ok: raw_users: table firestore_export.u_raw_changelog {in_project}, read anew by every run",
        f"warning: raw_meetings: dataset firestore_export {in_project} has nothing → {NEVER_THERE}",
        f"ok: raw_events: dataset analytics_1 {in_project}: 2024-01-02; in the warehouse: no day; to be read: "
        "2024-01-02",
        f"ok: raw_access_log: table access_log.opens {in_project}: 2024-01-03; in the warehouse: no day; to be read: "
        "2024-01-03",
    ]
    # The one query is that for the days of the log.
    assert [request.kind for request in into_duckdb.log if request.method == "POST"] == ["jobs.insert"]
    assert not Path("data").exists()


@pytest.mark.usefixtures("into_duckdb")
def test_missing_datasets_of_sources_for_a_file() -> None:
    assert troubles(doctor()) == [
        f"raw_users: CALBACK_DOCUMENTS_DATASET: dataset firestore_export does not exist in project {PROJECT} → set it "
        "to the dataset of the extension firestore-bigquery-export",
        "raw_meetings: the same as above",
        f"raw_events: CALBACK_GA4_DATASET: dataset analytics_1 does not exist in project {PROJECT} → set it to "
        "analytics_<property id>",
        f"raw_access_log: CALBACK_ACCESS_LOG_TABLE: dataset access_log does not exist in project {PROJECT} → set it to "
        "<dataset>.<table> of a table with a column userId, partitioned by its column date",
    ]


def test_denied_sources_for_a_file(into_duckdb: FaultProxy) -> None:
    into_duckdb.arm(DENIED, times=1000)
    result = doctor()
    assert [trouble.partition(": ")[0] for trouble in troubles(result)] == [
        "raw_users", "raw_meetings", "raw_events", "raw_access_log"
    ]  # fmt: skip
    assert result.stdout.count("grant the platform's account roles/bigquery.dataViewer on it") == 3
    assert "hong" not in result.output


def test_a_bigquery_that_does_not_answer_is_given_up(into_duckdb: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calback_assets.sources.bigquery.client.LOOK_SECONDS", 0.5)
    into_duckdb.arm(Fault.UNAVAILABLE, times=1000)
    assert troubles(doctor()) == [
        "raw_users: BigQuery did not answer (ServiceUnavailable) → what was there before stands; try again later",
        "raw_meetings: the same as above",
        "raw_events: the same as above",
        "raw_access_log: the same as above",
    ]


@pytest.mark.usefixtures("proxy")
def test_a_dataset_that_is_there_and_what_may_be_done_with_it(emulator: Emulator, world: Path) -> None:
    os.environ |= {"CALBACK_EVENTS": "files", "CALBACK_ACCESS_LOG": "files"}
    with client(emulator.url, PROJECT) as connected:
        made = bigquery.Dataset(f"{PROJECT}.calback")
        made.location = "asia-northeast3"
        connected.create_dataset(made)
        empty = doctor()
        ledger = bigquery.Table(f"{PROJECT}.calback.{LEDGER}", SCHEMA)
        ledger.description = DESCRIPTION
        connected.create_table(ledger)
        connected.query(
            f"INSERT INTO `{PROJECT}.calback.{LEDGER}` VALUES "
            "('raw_events', DATE '2024-01-01', 20, 'a run', FALSE, 'c', CURRENT_TIMESTAMP())"
        ).result()
        written = doctor()
        connected.delete_dataset("calback", delete_contents=True)
    assert (empty.exit_code, written.exit_code) == (0, 0)
    where = f"dataset calback in project {PROJECT}: the dataset is there"
    assert told_of(empty, "warehouse") == [f"ok: warehouse: {where}, nothing is in it yet"]
    assert told_of(written, "warehouse") == [
        f"ok: warehouse: {where}, whether its tables may be written cannot be told"
    ]
    assert told_of(written, "raw_events") == [
        f"ok: raw_events: {world}/analytics: 5 days, 2024-01-01 to 2024-01-05; in the warehouse: 2024-01-01; to be "
        "read: 2024-01-02 to 2024-01-05"
    ]


def test_firestore_is_asked_for_its_count(firestore: "Firestore", world: Path) -> None:
    os.environ |= {"CALBACK_DATA_DIR": str(world), "CALBACK_DOCUMENTS": "firestore"}
    os.environ |= {"CALBACK_GCP_PROJECT": firestore.project, "FIRESTORE_EMULATOR_HOST": firestore.host}
    firestore.store.put("userCollection/ann", {})
    place = f"in the Firestore of project {firestore.project}"
    assert told_of(doctor(), "raw_users", "raw_meetings") == [
        f"ok: raw_users: userCollection {place}: 1 document, read anew by every run",
        f"ok: raw_meetings: meetingsCollection {place}: 0 documents, read anew by every run",
    ]
    firestore.stop()
    assert troubles(doctor()) == [
        "raw_users: Firestore did not answer (ServiceUnavailable) → try again later",
        "raw_meetings: the same as above",
    ]


def test_the_copy_that_people_read_and_how_they_open_it(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALBACK_DATA_DIR", str(world))
    warehouse_with({})
    warehouse = DuckDBWarehouse(Path("data/warehouse.duckdb"))
    with warehouse.kept_open(), warehouse.session():
        pass
    published = warehouse.published()
    assert published is not None
    path, when = published.path, f"{published.at:%Y-%m-%d %H:%M} UTC"
    state, *lines = told_of(doctor(), "read copy")
    assert state == f"ok: read copy: {path}: published {when}"
    shell, python, sql = (line.removeprefix("ok: read copy: open it: ") for line in lines)
    assert shell == f"duckdb -readonly {path} 'FROM calback.daily_active_users'"
    with duckdb.connect(str(path), read_only=True) as connection:
        assert python == (
            f"python -c \"import duckdb; print(duckdb.connect('{path}', read_only=True)"
            ".sql('FROM calback.daily_active_users'))\""
        )
        assert connection.execute("SELECT COUNT(*) FROM calback.partition_ledger").fetchone() == (0,)
    with duckdb.connect() as connection:
        connection.execute(sql.partition("; ")[0])
        assert connection.execute("SELECT COUNT(*) FROM copy.calback.partition_ledger").fetchone() == (0,)
    with warehouse.session() as session:
        session.execute("CREATE TABLE calback.later (x INT)")
    assert told_of(doctor(), "read copy")[0] == (
        f"warning: read copy: {path}: published {when}; the warehouse has been written since → let the run that writes "
        "end; or run any day, which publishes"
    )
