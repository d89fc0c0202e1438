"""A person whose every personal field is a mark: whatever runs, fails or is erased, no file and no output holds one.

The files are searched byte by byte, and the databases row by row as well: DuckDB compresses what it stores, and SQLite
divides a long text among pages.
"""

import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest

from calback_assets_tests.cli.terminal import Terminal
from calback_assets_tests.forked import be_calback
from calback_assets_tests.sources.helpers import write_lines

MARK = "kanarienvogel"
"""Lower case, as an address is before it is hashed."""
CANARY = "canary-1f9c7e52d08b4a63"
USER = {
    "name": f"name {MARK}",
    "email": f"email.{MARK}@example.invalid",
    "photoUrl": f"https://example.invalid/{MARK}.png",
    "token": f"token-{MARK}",
    "flag": f"flag {MARK}",
    "friends": [7, {"name": MARK}],
    "openPrivacy": MARK,
    f"field {MARK}": MARK,
}
MEETING = {
    "owner": CANARY,
    "content": f"title {MARK}",
    "background": MARK,
    "from": f"from {MARK}",
    "isAllDay": MARK,
    "recurrenceRule": f"RRULE {MARK}",
    "involved": [CANARY, "u1"],
}
EVENT = {
    "event_date": "20240102",
    "event_timestamp": "1704164400000000",
    "event_name": "screen_view",
    "event_params": [],
    "user_id": CANARY,
    "user_pseudo_id": "device-of-canary-5d1b",
    "user_properties": [{"key": "name", "value": {"string_value": MARK}}],
}
TIMES = {"create_time": "2024-01-02T03:00:00Z", "update_time": "2024-01-02T03:00:00Z"}


@dataclass
class Deployment:
    """A folder with everything that the platform writes, and everything that it has said."""

    home: Path
    environ: dict[str, str]
    said: list[str] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def written(self) -> Path:
        return self.home / "written"

    def calback(self, *arguments: str) -> int | None:
        """Run a command in a process of its own, as a person does; returns how it exits."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CALBACK_", "DAGSTER_"))}
        streams = [self.home / f"{number}" for number in (1, 2)]
        child = Terminal(self.environ).context.Process(
            target=_command, args=(streams, {**inherited, **self.environ}, arguments)
        )
        child.start()
        child.join()
        self.said += [stream.read_text(encoding="utf-8") for stream in streams]
        return child.exitcode

    def places_of(self, text: str) -> list[str]:
        """Where a text stands, in any case: files by name, tables, and `output`."""
        needle = text.lower()
        files = [path for path in self.written.rglob("*") if path.is_file()]
        found = [path.name for path in files if needle.encode() in path.read_bytes().lower()]
        found += [path.name for path in files if path.suffix == ".db" and needle in _rows_of(path)]
        with duckdb.connect(str(self.written / "warehouse.duckdb"), read_only=True) as warehouse:
            for (table,) in warehouse.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                query = f"SELECT COUNT(*) FROM calback.{table} AS stored WHERE CAST(stored AS VARCHAR) ILIKE '%{text}%'"
                found += [table] if warehouse.execute(query).fetchall() != [(0,)] else []
        return found + ["output" for said in self.said if needle in said.lower()]


def _command(streams: Sequence[Path], environment: Mapping[str, str], arguments: Sequence[str]) -> None:
    """Runs in the child, whose output goes to these files and is no terminal's."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in enumerate(streams, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    be_calback(environment, arguments)


def _rows_of(database: Path) -> str:
    """All rows of Dagster's SQLite database, in lower case."""
    with closing(sqlite3.connect(database)) as opened:
        tables = opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return "".join(str(opened.execute(f'SELECT * FROM "{table}"').fetchall()) for (table,) in tables).lower()


@pytest.fixture(params=["files", "firestore"])
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Deployment:
    environ = {
        "CALBACK_DATA_DIR": str(tmp_path / "data"),
        "CALBACK_DUCKDB_PATH": str(tmp_path / "written" / "warehouse.duckdb"),
        "CALBACK_START_DATE": "2024-01-01",
        "CALBACK_END_DATE": "2024-01-03",
        "CALBACK_PSEUDONYM_KEY": "the key of this test",
        "CALBACK_MAX_REJECTED_SHARE": "0.5",
        "CALBACK_GCP_PROJECT": "calback-test",
        "TMPDIR": str(tmp_path / "written"),
    }
    made = Deployment(tmp_path, environ)
    made.written.mkdir()
    write_lines(made.data / "analytics" / "events_20240102.jsonl", [EVENT])
    write_lines(
        made.data / "access_log" / "date=2024-01-02" / "part-0.jsonl", [{"userId": CANARY, "date": "2024-01-02"}]
    )
    # Both sources have come to the last day.
    write_lines(made.data / "analytics" / "events_20240103.jsonl", [])
    write_lines(made.data / "access_log" / "date=2024-01-03" / "part-0.jsonl", [])
    if request.param == "firestore":
        firestore = request.getfixturevalue("firestore")
        environ["FIRESTORE_EMULATOR_HOST"] = firestore.host
        for collection, name, data in _documents():
            firestore.store.put(f"{collection}/{name}", data)
    else:
        for collection in ("userCollection", "meetingsCollection"):
            lines = [{"id": name, "data": data, **TIMES} for place, name, data in _documents() if place == collection]
            write_lines(made.data / "firestore" / f"{collection}.jsonl", lines)
    return made


def _documents() -> Iterable[tuple[str, str, dict[str, object]]]:
    yield "userCollection", CANARY, USER
    yield "meetingsCollection", "m1", MEETING
    for index in range(1, 4):
        flaw = {"flag": MARK, "from": MARK} if index == 1 else {}
        yield "userCollection", f"u{index}", {"flag": index, "name": f"name of {MARK}", **flaw}
        yield (
            "meetingsCollection",
            f"of u{index}",
            {"owner": f"u{index}", "content": MARK, "involved": [CANARY], **flaw},
        )


@pytest.mark.slow
def test_no_mark_of_a_person_is_left_by_a_run_a_failed_run_or_an_erasure(deployment: Deployment) -> None:
    assert deployment.calback("run") == 0
    assert deployment.places_of(MARK) == []
    # The search finds what is there: an id, which is stored.
    assert {"warehouse.duckdb", "raw_users", "unified_events", "device_identity"} <= set(deployment.places_of(CANARY))

    deployment.environ["CALBACK_MAX_REJECTED_SHARE"] = "0"
    write_lines(deployment.data / "analytics" / "events_20240103.jsonl", [EVENT | {"event_timestamp": MARK}])
    assert deployment.calback("run", "--debug") == 1
    for reason in ("documents (50.0%) hold what cannot be taken", "events_20240103.jsonl, line 1"):
        assert deployment.places_of(reason) != []
    assert deployment.places_of(MARK) == []

    assert deployment.calback("erase", CANARY, "--yes") == 0
    assert deployment.places_of(MARK) == []
    # What could not be taken of the document was reported by its id, which the instance keeps with its runs.
    reports = {path.name for path in (deployment.written / "dagster").rglob("*")}
    assert set(deployment.places_of(CANARY)) <= reports
