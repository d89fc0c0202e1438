"""Tests of the file that forgets: what an erasure has removed is in no byte of it, and nothing else is ever lost.

Real files and real processes; those that are killed come from a fork server that has imported everything.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from multiprocessing.context import ForkServerContext
from pathlib import Path

import duckdb
import pytest

from calback_assets.days import Stretch
from calback_assets.errors import WarehouseError
from calback_assets.settings import DEVELOPMENT_KEY
from calback_assets.tables.raw import RAW_ACCESS_LOG
from calback_assets.warehouse.duckdb.rewriting import Rewriting
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.erasure import Subjects
from calback_assets.warehouse.warehouse import Statement
from calback_assets_tests.forked import fork_server
from calback_assets_tests.warehouse.helpers import DAY, FIRST

ANN = "Zq7XodW-ann-Q99Kvh3T0urm2Lx"
# DuckDB writes a short text as it is where a few of them have nothing in common.
OTHERS = ("bM1-cat-0aHt55eLzR0ufWkXy8Np", "9dT-bob-kLs3VvC2mJ7oGqYw64Ei", "Uj4-eve-XnBx1ZrPf6QhDt80SaCc")
STAGES = ("lock", "copy", "compare", "close_new", "replace")


def rows_of_day(users: Sequence[str], day: date = DAY) -> Statement:
    listed = ", ".join(f"('{user}')" for user in users)
    return Statement(
        f'SELECT DATE \'{day}\' AS event_date, user_id, NULL AS topic, NULL AS "partition", NULL AS "offset" '
        f"FROM (VALUES {listed}) AS opened(user_id)"
    )


def written(path: Path) -> DuckDBWarehouse:
    """A warehouse with a day of Ann's and others'."""
    warehouse = DuckDBWarehouse(path, lock_timeout_seconds=0.5)
    with warehouse.session() as session:
        session.ensure(RAW_ACCESS_LOG)
        session.replace_days(RAW_ACCESS_LOG, Stretch.on(DAY), rows_of_day((ANN, *OTHERS)), "a-run")
    return warehouse


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


def erase(warehouse: DuckDBWarehouse, user: str = ANN) -> int:
    with warehouse.session() as session:
        return sum(done.removed for done in session.erase(Subjects(DEVELOPMENT_KEY).hash(user), "a-run"))


def holds(folder: Path, text: str = ANN) -> set[str]:
    """The files of a folder in whose bytes the text stands."""
    return {found.name for found in folder.iterdir() if found.is_file() and text.encode() in found.read_bytes()}


def users(path: Path) -> list[str]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return [
            user for (user,) in connection.execute("SELECT user_id FROM calback.raw_access_log ORDER BY 1").fetchall()
        ]


def is_marked(path: Path) -> bool:
    with duckdb.connect(str(path), read_only=True) as connection:
        return bool(connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'unpurged'").fetchall())


def test_what_is_erased_is_in_no_byte_of_the_file(path: Path) -> None:
    warehouse = written(path)
    assert holds(path.parent) == {path.name}

    assert erase(warehouse) == 1

    assert holds(path.parent) == set()
    assert holds(path.parent, OTHERS[0]) == {path.name}
    assert users(path) == sorted(OTHERS)
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    assert not is_marked(path)


def test_without_the_rewriting_the_bytes_would_still_be_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse = written(path)
    monkeypatch.setattr(Rewriting, "run", lambda _: None)

    erase(warehouse)

    assert users(path) == sorted(OTHERS)
    assert holds(path.parent) == {path.name}


def test_a_file_that_stays_open_for_a_run_is_written_anew_at_its_end(path: Path) -> None:
    warehouse = written(path)
    with warehouse.kept_open():
        erase(warehouse)
        assert holds(path.parent)
    assert not holds(path.parent)
    assert users(path) == sorted(OTHERS)


def test_an_erasure_of_nobody_leaves_the_file_as_it_is(path: Path) -> None:
    warehouse = written(path)
    file = path.stat().st_ino
    assert erase(warehouse, "nobody") == 0
    assert path.stat().st_ino == file


def test_a_link_and_the_rights_of_the_file_stay(path: Path, tmp_path: Path) -> None:
    written(path)
    path.chmod(0o640)
    link = tmp_path / "link.duckdb"
    link.symlink_to(path)

    erase(DuckDBWarehouse(link))

    assert link.is_symlink()
    assert users(link) == sorted(OTHERS)
    assert path.stat().st_mode & 0o777 == 0o640


def test_constraints_and_the_ledger_come_with_the_rows(path: Path) -> None:
    warehouse = written(path)
    with duckdb.connect(str(path), read_only=True) as connection:
        before = connection.execute("SELECT table_name, sql FROM duckdb_tables() ORDER BY 1").fetchall()
    erase(warehouse)
    with duckdb.connect(str(path), read_only=True) as connection:
        after = connection.execute("SELECT table_name, sql FROM duckdb_tables() ORDER BY 1").fetchall()
        assert connection.execute("SELECT event_date, row_count FROM calback.partition_ledger").fetchall() == [(DAY, 3)]
    assert [found for found in after if found[0] not in {"suppressed", "pseudonym_key"}] == before
    with warehouse.session() as session:
        session.replace_days(
            RAW_ACCESS_LOG, Stretch.on(FIRST), Statement(rows_of_day(OTHERS).sql.replace(str(DAY), str(FIRST))), "b"
        )
    assert users(path) == sorted(OTHERS * 2)


def test_without_room_for_a_second_file_the_rows_are_gone_and_the_next_erasure_ends_the_work(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Rewriting) -> None:
        raise OSError(28, "No space left on device")

    warehouse = written(path)
    with monkeypatch.context() as patched:
        patched.setattr(Rewriting, "close_new", full)
        with pytest.raises(WarehouseError, match=r"^the rows are gone from the tables, but the file .* make room"):
            erase(warehouse)
    assert users(path) == sorted(OTHERS)
    assert holds(path.parent) == {path.name}
    assert [found.name for found in path.parent.iterdir()] == [path.name]

    assert erase(DuckDBWarehouse(path)) == 0

    assert holds(path.parent) == set()


def test_a_copy_that_is_not_the_same_does_not_take_the_place_of_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Rewriting.copy

    def losing(rewriting: Rewriting) -> None:
        copy(rewriting)
        rewriting._connection.execute("DELETE FROM new.calback.raw_access_log WHERE user_id = ?", [OTHERS[0]])

    warehouse = written(path)
    monkeypatch.setattr(Rewriting, "copy", losing)
    with pytest.raises(WarehouseError, match=r"^the copy of calback\.raw_access_log in .* is not the same"):
        erase(warehouse)
    assert users(path) == sorted(OTHERS)


def test_who_reads_goes_on_and_who_writes_waits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compare = Rewriting.compare
    ended: list[int] = []

    def looked_at(rewriting: Rewriting) -> None:
        for is_read_only in (True, False):
            opening = f"import duckdb; duckdb.connect({str(path)!r}, read_only={is_read_only})"
            ended.append(subprocess.run([sys.executable, "-c", opening], capture_output=True, check=False).returncode)
        compare(rewriting)

    monkeypatch.setattr(Rewriting, "compare", looked_at)
    erase(written(path))
    assert ended[0] == 0
    assert ended[1] != 0


def test_a_writer_that_opened_the_old_file_too_late_opens_the_new_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its look for the file and its lock on it the file was written anew."""
    warehouse = written(path)
    erase(warehouse, OTHERS[0])
    old = path.with_name("old.duckdb")
    connect = duckdb.connect
    opened: list[str] = []

    def late(name: str, **options: object) -> duckdb.DuckDBPyConnection:
        if not opened:
            path.rename(old)
            connection = connect(str(old), **options)
            Path(f"{old}.copy").write_bytes(old.read_bytes())
            Path(f"{old}.copy").rename(path)
            opened.append("old")
            return connection
        opened.append("new")
        return connect(name, **options)

    monkeypatch.setattr(duckdb, "connect", late)
    with warehouse.session() as session:
        session.replace_days(RAW_ACCESS_LOG, Stretch.on(DAY), rows_of_day(OTHERS[:1]), "late")
    monkeypatch.undo()

    assert opened == ["old", "new"]
    assert users(path) == [OTHERS[0]]


def erase_and_die(path: Path, stage: str, moment: str) -> None:
    """Runs in the child: erases Ann, and dies before or after a stage of the rewriting."""
    step = getattr(Rewriting, stage)

    def dying(rewriting: Rewriting) -> None:
        if moment == "after":
            step(rewriting)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(Rewriting, stage, dying)
    erase(DuckDBWarehouse(path))


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    return fork_server(__name__, "sqlglot.dialects.bigquery", "sqlglot.dialects.duckdb", "sqlglot.typing")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_process_killed_at_any_stage_loses_nothing_and_the_next_erasure_ends_the_work(
    path: Path, processes: ForkServerContext, stage: str, moment: str
) -> None:
    written(path)
    child = processes.Process(target=erase_and_die, args=(path, stage, moment))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert users(path) == sorted(OTHERS)
    is_done = (stage, moment) == ("replace", "after")
    assert is_marked(path) == (not is_done)
    assert (path.name in holds(path.parent)) == (not is_done)

    assert erase(DuckDBWarehouse(path)) == 0

    assert users(path) == sorted(OTHERS)
    assert holds(path.parent) == set()
    assert [found.name for found in path.parent.iterdir()] == [path.name]
