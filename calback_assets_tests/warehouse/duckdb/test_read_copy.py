"""Tests of the read copy: who opens it is never refused, finds a whole state, and waits for nobody who writes.

Real files and real processes; those come from a fork server that has imported everything.
"""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path

import duckdb
import pytest

from calback_assets.days import Stretch
from calback_assets.errors import WarehouseError
from calback_assets.settings import DEVELOPMENT_KEY
from calback_assets.tables.core import USER_FIRST_SEEN
from calback_assets.tables.insight import FIRST_WEEK_LIFT, USER_LIFECYCLE
from calback_assets.tables.raw import RAW_ACCESS_LOG
from calback_assets.warehouse.duckdb import read_copy
from calback_assets.warehouse.duckdb.read_copy import ReadCopy
from calback_assets.warehouse.duckdb.session import DuckDBSession
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.erasure import Subjects
from calback_assets.warehouse.warehouse import Statement
from calback_assets_tests.forked import fork_server
from calback_assets_tests.warehouse.helpers import DAY

ANN = "Zq7XodW-ann-Q99Kvh3T0urm2Lx"
OTHERS = ("bM1-cat-0aHt55eLzR0ufWkXy8Np", "9dT-bob-kLs3VvC2mJ7oGqYw64Ei", "Uj4-eve-XnBx1ZrPf6QhDt80SaCc")
MANY = 200
"""Rows of a day that make few changes a small share of the whole."""
OPENINGS = 60


def write(session: DuckDBSession, generation: int, day: date = DAY, rows: int = 3) -> None:
    """A day of which every row says by which generation it was written."""
    session.ensure(RAW_ACCESS_LOG)
    sql = (
        f"SELECT DATE '{day}' AS event_date, 'u' || i AS user_id, 'g{generation}' AS topic, NULL AS \"partition\", "
        f'NULL AS "offset" FROM range({rows}) AS numbers(i)'
    )
    session.replace_days(RAW_ACCESS_LOG, Stretch.on(day), Statement(sql), f"run-{generation}")


def run(path: Path, generation: int, *days: date) -> None:
    """What a run does: it keeps the file open, and publishes at its end."""
    warehouse = DuckDBWarehouse(path, lock_timeout_seconds=2)
    with warehouse.kept_open():
        for day in days or (DAY,):
            with warehouse.session() as session:
                write(session, generation, day)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


@pytest.fixture(scope="module")
def large_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a warehouse with a copy and the one before, and ten days in it; nobody writes there."""
    path = tmp_path_factory.mktemp("large") / "warehouse.duckdb"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(read_copy, "SMALL_BYTES", 0)
        warehouse = DuckDBWarehouse(path)
        with warehouse.kept_open(), warehouse.session() as session:
            for age in range(10):
                write(session, 0, DAY + timedelta(days=age), MANY)
        run(path, 1)
    return path.parent


@pytest.fixture
def large(path: Path, large_files: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same for a test to write, copied by its days."""
    monkeypatch.setattr(read_copy, "SMALL_BYTES", 0)
    shutil.copytree(large_files, path.parent, dirs_exist_ok=True)
    return path


def copy_of(path: Path) -> Path:
    return path.with_name("warehouse.read.duckdb")


def names(path: Path) -> set[str]:
    return {found.name.removeprefix("warehouse.") for found in path.parent.iterdir()}


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, our own among them."""
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute("SELECT schema_name || '.' || table_name FROM duckdb_tables()").fetchall()
        return {name: connection.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for (name,) in tables}


def generations(path: Path) -> list[tuple[str, int]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute("SELECT topic, COUNT(*) FROM calback.raw_access_log GROUP BY 1 ORDER BY 1").fetchall()


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    return fork_server(__name__, "sqlglot.dialects.bigquery", "sqlglot.dialects.duckdb", "sqlglot.typing")


def hold(path: Path, signals: Connection) -> None:
    """Runs in a child: opens a file, and says at the end which generations it sees."""
    with duckdb.connect(str(path), read_only=True) as connection:
        signals.send("open")
        signals.recv()
        signals.send(connection.execute("SELECT DISTINCT topic FROM calback.raw_access_log ORDER BY 1").fetchall())


@dataclass
class Reader:
    signals: Connection

    def sees(self) -> list[str]:
        self.signals.send("look")
        return [topic for (topic,) in self.signals.recv()]


@pytest.fixture
def reader(processes: ForkServerContext) -> Callable[[Path], "contextmanager[Reader]"]:
    @contextmanager
    def opened(path: Path) -> Iterator[Reader]:
        ours, theirs = multiprocessing.Pipe()
        child = processes.Process(target=hold, args=(path, theirs))
        child.start()
        assert ours.recv() == "open"
        try:
            yield Reader(ours)
        finally:
            child.kill()
            child.join()

    return opened


def test_a_run_publishes_what_it_has_written(path: Path) -> None:
    run(path, 1)
    run(path, 2)
    assert content(copy_of(path)) == content(path)
    assert names(path) == {"duckdb", "read.duckdb"}
    published = DuckDBWarehouse(path).published()
    assert published is not None
    assert (published.path, published.run_id, published.is_behind) == (copy_of(path), "run-2", False)


def test_nobody_opens_the_copy_for_writing_by_mistake(path: Path) -> None:
    path.touch(0o640)
    path.unlink()
    run(path, 1)
    assert copy_of(path).stat().st_mode & 0o222 == 0


def test_a_run_that_fails_or_is_interrupted_publishes_as_far_as_it_got(path: Path) -> None:
    run(path, 1)

    def interrupted() -> None:
        warehouse = DuckDBWarehouse(path)
        with warehouse.kept_open(), warehouse.session() as session:
            write(session, 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert generations(copy_of(path)) == [("g2", 3)]


def file_of(session: DuckDBSession) -> object:
    (opened,) = session.records("SELECT path FROM duckdb_databases() WHERE path IS NOT NULL")
    return opened["path"]


def test_who_reads_looks_into_the_copy_and_a_run_into_what_it_has_written(path: Path) -> None:
    warehouse = DuckDBWarehouse(path)
    with warehouse.session() as session:
        write(session, 1)
    with warehouse.reading() as session:  # There is no copy yet.
        assert file_of(session) == str(path)
    assert warehouse.published() is None
    with warehouse.kept_open():
        with warehouse.session() as session:
            write(session, 2)
        with warehouse.reading() as session:
            assert session.records("SELECT DISTINCT topic FROM calback.raw_access_log") == [{"topic": "g2"}]
    with warehouse.reading() as session:
        assert file_of(session) == str(copy_of(path))


def test_a_copy_that_the_warehouse_has_left_behind_says_so(path: Path) -> None:
    run(path, 1)
    warehouse = DuckDBWarehouse(path)
    with warehouse.session():
        pass
    published = warehouse.published()
    assert published is not None
    assert not published.is_behind
    with warehouse.session() as session:
        write(session, 2)
        during_the_write = warehouse.published()
    published = warehouse.published()
    assert during_the_write is not None
    assert published is not None
    assert during_the_write.is_behind
    assert published.is_behind
    assert published.run_id == "run-1"


def test_a_broken_copy_says_what_to_do_and_the_next_run_makes_it_anew(path: Path) -> None:
    run(path, 1)
    copy_of(path).chmod(0o600)
    copy_of(path).write_bytes(b"no database")
    with pytest.raises(WarehouseError, match=r"^the read copy .* cannot be opened .*; delete it: the next run"):
        DuckDBWarehouse(path).published()
    run(path, 2)
    assert generations(copy_of(path)) == [("g2", 3)]


def test_of_a_large_warehouse_only_what_was_written_is_copied(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert names(large) == {"duckdb", "read.duckdb", "read.duckdb.standby"}
    executed: list[str] = []
    execute = read_copy._Engine.execute

    def heard(engine: read_copy._Engine, sql: str) -> list[tuple[object, ...]]:
        executed.append(sql)
        return execute(engine, sql)

    monkeypatch.setattr(read_copy._Engine, "execute", heard)
    for generation in (2, 3, 4):
        executed.clear()
        run(large, generation, DAY + timedelta(days=generation))
        assert content(copy_of(large)) == content(large)
        assert names(large) == {"duckdb", "read.duckdb", "read.duckdb.standby"}
        days = {sql.partition(" WHERE ")[2] for sql in executed if "INSERT" in sql and "raw_access_log" in sql}
        # What this run and the one before it have written: the standby is older than the copy.
        assert [age for age in range(1, 9) if f">= DATE '{DAY + timedelta(days=age)}'" in "".join(days)] == [
            age for age in (generation - 1, generation) if age > 1
        ]


def test_tables_without_days_new_tables_and_tables_of_others_come_along(large: Path) -> None:
    warehouse = DuckDBWarehouse(large)
    nulls = ", ".join(f"NULL AS {name}" for name in FIRST_WEEK_LIFT.column_names)
    with warehouse.kept_open(), warehouse.session() as session:
        for table in (FIRST_WEEK_LIFT, USER_LIFECYCLE):
            session.ensure(table)
        session.replace_snapshot(FIRST_WEEK_LIFT, f"SELECT {nulls} WHERE FALSE", "run-2")
        session.execute("CREATE TABLE mine AS SELECT 1 AS one")
    assert content(copy_of(large)) == content(large)
    with warehouse.kept_open(), warehouse.session() as session:
        session.execute("INSERT INTO mine VALUES (2)")
        write(session, 3)
    assert content(copy_of(large)) == content(large)
    with warehouse.kept_open(), warehouse.session() as session:
        session.ensure(USER_FIRST_SEEN)
        write(session, 4)
    assert content(copy_of(large)) == content(large)


def test_most_of_a_warehouse_is_copied_as_a_file(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[Path] = []
    copy = ReadCopy.copy
    monkeypatch.setattr(ReadCopy, "copy", lambda self, file: (copied.append(self.new), copy(self, file))[1])
    warehouse = DuckDBWarehouse(large)
    with warehouse.kept_open(), warehouse.session() as session:
        for age in range(10):
            write(session, 2, DAY + timedelta(days=age), MANY)
    assert len(copied) == 1
    assert content(copy_of(large)) == content(large)


def test_a_backup_that_was_restored_is_not_taken_for_the_file_that_was_copied(large: Path) -> None:
    backup = large.read_bytes()
    for generation in (2, 3):
        run(large, generation)
    large.write_bytes(backup)
    for generation in (4, 5, 6):
        run(large, generation, DAY + timedelta(days=generation))
        assert content(copy_of(large)) == content(large)


def test_who_holds_a_copy_keeps_it_and_the_next_ones_are_published_all_the_same(
    large: Path, reader: Callable[[Path], "contextmanager[Reader]"]
) -> None:
    with reader(copy_of(large)) as first, reader(copy_of(large)) as second:
        for generation in (2, 3, 4):
            run(large, generation)
            assert content(copy_of(large)) == content(large)
        assert first.sees() == second.sees() == ["g0", "g1"]
    run(large, 5)
    assert names(large) == {"duckdb", "read.duckdb", "read.duckdb.standby"}


def test_a_copy_that_this_process_reads_is_not_written_either(large: Path) -> None:
    warehouse = DuckDBWarehouse(large)
    with warehouse.reading() as session:
        for generation in (2, 3):
            run(large, generation)
        assert session.records("SELECT DISTINCT topic FROM calback.raw_access_log ORDER BY 1") == [
            {"topic": "g0"},
            {"topic": "g1"},
        ]
    assert content(copy_of(large)) == content(large)


def test_without_room_the_copy_before_stays_and_the_run_is_warned(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_: ReadCopy, __: int) -> None:
        raise OSError(28, "No space left on device")

    run(path, 1)
    monkeypatch.setattr(ReadCopy, "copy", full)
    run(path, 2)
    assert generations(path) == [("g2", 3)]
    assert generations(copy_of(path)) == [("g1", 3)]
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert said == (
        f"warning: the tables are written, but the read copy {copy_of(path)} stays as it was ([Errno 28] No space left "
        "on device …); make room for a second file of its size beside it, and run any day again"
    )


def test_who_is_erased_is_in_no_byte_of_any_copy(large: Path) -> None:
    def holds() -> set[str]:
        return {found.name for found in large.parent.iterdir() if ANN.encode() in found.read_bytes()}

    warehouse = DuckDBWarehouse(large)
    listed = ", ".join(f"('{user}')" for user in (ANN, *OTHERS))
    for generation in (2, 3):
        with warehouse.kept_open(), warehouse.session() as session:
            session.replace_days(
                RAW_ACCESS_LOG,
                Stretch.on(DAY),
                Statement(
                    f"SELECT DATE '{DAY}' AS event_date, user_id, 'g{generation}' AS topic, NULL AS \"partition\", "
                    f'NULL AS "offset" FROM (VALUES {listed}) AS opened(user_id)'
                ),
                f"run-{generation}",
            )
    assert holds() == {"warehouse.duckdb", "warehouse.read.duckdb", "warehouse.read.duckdb.standby"}
    with warehouse.kept_open(), warehouse.session() as session:
        session.erase(Subjects(DEVELOPMENT_KEY).hash(ANN), "an-erasure")
    assert holds() == set()
    assert content(copy_of(large)) == content(large)
    assert names(large) == {"duckdb", "read.duckdb"}


def test_without_room_for_an_erasure_no_copy_stays_that_shows_the_person(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: ReadCopy, __: int) -> None:
        raise OSError(28, "No space left on device")

    def erase() -> None:
        with warehouse.kept_open(), warehouse.session() as session:
            session.erase(Subjects(DEVELOPMENT_KEY).hash("u1"), "an-erasure")

    run(path, 1)
    warehouse = DuckDBWarehouse(path)
    with monkeypatch.context() as patched:
        patched.setattr(ReadCopy, "copy", full)
        with pytest.raises(WarehouseError, match=r"^the rows are gone from the tables, but the file .* make room"):
            erase()
    assert names(path) == {"duckdb"}
    erase()
    assert content(copy_of(path)) == content(path)


def run_and_die(path: Path, stage: str, moment: str, generation: int) -> None:
    """Runs in the child: dies before or after a stage of publishing."""
    owner, name = (Path, "replace") if stage == "replace" else (ReadCopy, stage)
    step = getattr(owner, name)

    def dying(*args: object, **options: object) -> object:
        result = step(*args, **options) if moment == "after" else None
        os.kill(os.getpid(), signal.SIGKILL)
        return result

    read_copy.SMALL_BYTES = 0
    setattr(owner, name, dying)
    run(path, generation, DAY + timedelta(days=1))


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("stage", ["bring_up", "exchange", "replace"])
def test_a_publisher_that_is_killed_leaves_a_whole_copy_and_the_next_run_publishes(
    large: Path, processes: ForkServerContext, stage: str, moment: str
) -> None:
    run(large, 2)
    old = content(copy_of(large))
    child = processes.Process(target=run_and_die, args=(large, stage, moment, 3))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    new = content(large)
    assert content(copy_of(large)) == (new if (stage, moment) in {("replace", "after"), ("exchange", "after")} else old)
    for generation in (4, 5):
        run(large, generation)
        assert content(copy_of(large)) == content(large)
        assert names(large) == {"duckdb", "read.duckdb", "read.duckdb.standby"}


def run_over_and_over(path: Path, first: int, ended: Connection) -> None:
    """Runs in the child, until it is told to end."""
    read_copy.SMALL_BYTES = 0
    generation = first
    while not ended.poll():
        run(path, generation, *(DAY + timedelta(days=age) for age in range(3)))
        generation += 1
    ended.send(generation)


def test_who_opens_the_copy_while_runs_write_is_never_refused_and_finds_no_half_a_run(
    large: Path, processes: ForkServerContext
) -> None:
    ours, theirs = multiprocessing.Pipe()
    child = processes.Process(target=run_over_and_over, args=(large, 2, theirs))
    child.start()
    seen: list[list[tuple[str, int]]] = []
    while len(seen) < OPENINGS or len({str(found) for found in seen}) < 4:
        seen.append(generations(copy_of(large)))
        assert child.is_alive()
    ours.send("end")
    assert ours.recv() > 2
    child.join()
    for found in seen:
        # Three days of a run, and the seven of none of them; before the first such run, one and nine.
        assert [count for _, count in found] in ([7 * MANY, 9], [9 * MANY, 3])


def keep_writing(path: Path, signals: Connection) -> None:
    """Runs in a child: has the warehouse to itself until it is told to end."""
    with duckdb.connect(str(path)):
        signals.send("open")
        signals.recv()


def test_nobody_who_reads_waits_for_who_writes(path: Path, processes: ForkServerContext) -> None:
    run(path, 1)
    ours, theirs = multiprocessing.Pipe()
    child = processes.Process(target=keep_writing, args=(path, theirs))
    child.start()
    assert ours.recv() == "open"
    warehouse = DuckDBWarehouse(path, lock_timeout_seconds=0)
    with warehouse.reading() as session:
        assert session.records("SELECT DISTINCT topic FROM calback.raw_access_log") == [{"topic": "g1"}]
    with pytest.raises(WarehouseError, match="is in use by process"), warehouse.session(read_only=True):
        pass
    ours.send("end")
    child.join()


def test_who_holds_the_warehouse_itself_keeps_it_and_the_run_goes_on(
    path: Path, reader: Callable[[Path], "contextmanager[Reader]"]
) -> None:
    run(path, 1)
    path.chmod(0o640)
    with reader(path) as held:
        run(path, 2)
        assert held.sees() == ["g1"]
        run(path, 3)
    assert generations(path) == generations(copy_of(path)) == [("g3", 3)]
    assert path.stat().st_mode & 0o777 == 0o640
    assert names(path) == {"duckdb", "read.duckdb"}


def test_who_holds_a_warehouse_with_a_log_is_waited_for(
    path: Path, reader: Callable[[Path], "contextmanager[Reader]"]
) -> None:
    run(path, 1)
    with reader(path):
        path.with_name(f"{path.name}.wal").touch()
        with pytest.raises(WarehouseError, match=r"is in use by process \d+; wait for that run to end"):
            run(path, 2)
    path.with_name(f"{path.name}.wal").unlink()
    assert generations(path) == [("g1", 3)]


def test_without_room_for_a_copy_of_the_warehouse_who_holds_it_is_waited_for(
    path: Path, reader: Callable[[Path], "contextmanager[Reader]"], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int, __: Path) -> None:
        raise OSError(28, "No space left on device")

    run(path, 1)
    monkeypatch.setattr("calback_assets.warehouse.duckdb.warehouse.copy_file", full)
    with reader(path), pytest.raises(WarehouseError, match=r"is in use by process \d+; wait for that run to end"):
        run(path, 2)
