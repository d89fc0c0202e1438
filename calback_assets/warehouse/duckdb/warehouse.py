"""The embedded warehouse: a DuckDB file, and who may open it when.

Opening, locking and letting go of the file belong here; what is done with it once it is open does not.
"""

import os
import random
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from functools import partial
from pathlib import Path
from typing import TypeVar

import duckdb

from calback_assets.errors import WarehouseError
from calback_assets.settings import DEVELOPMENT_KEY, Settings
from calback_assets.warehouse.duckdb.faults import (
    faults_of_the_machine,
    redacted,
    unmakeable,
    unwritable,
    why_unopenable,
)
from calback_assets.warehouse.duckdb.files import alone_in, opened, sync, wal
from calback_assets.warehouse.duckdb.files import copy as copy_file
from calback_assets.warehouse.duckdb.ledger import LEDGER
from calback_assets.warehouse.duckdb.read_copy import ReadCopy
from calback_assets.warehouse.duckdb.rewriting import Rewriting
from calback_assets.warehouse.duckdb.session import BOUND_MEMORY, DAYS_AT_ONCE, DuckDBSession
from calback_assets.warehouse.erasure import Subjects
from calback_assets.warehouse.googlesql.model import SCHEMA
from calback_assets.warehouse.ledger import Dependents
from calback_assets.warehouse.warehouse import (
    Address,
    AtOnce,
    Condition,
    Published,
    Warehouse,
    progress,
    under_way,
)

T = TypeVar("T")
LOCK_TIMEOUT_SECONDS = 10.0
_GLANCE_SECONDS = 1.0
"""How long somebody waits who only looks."""
_PATIENCE = 0.2
"""The share of the time to wait after which somebody who reads is no passer-by."""
_HEADER_BYTES = 3 * 4096
_OF_THE_FILE = (
    "SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET checkpoint_threshold = '256MB'; "
    "SET write_buffer_row_group_count = 1; "  # Else each thread holds five before it writes one.
    "SET max_vacuum_tasks = 1; " + BOUND_MEMORY  # See `DuckDBSession._leave_large`.
)
"""What DuckDB holds for all connections to a file that is open."""


class DuckDBWarehouse(Warehouse):
    """A DuckDB file with the tables in schema `calback`."""

    kind = "duckdb"

    def __init__(
        self,
        path: Path,
        dependents: Dependents | None = None,
        lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS,
        pseudonym_key: bytes = DEVELOPMENT_KEY,
        rows_at_once: int = Settings.rows_at_once,
    ) -> None:
        """Name the file; nothing is opened.

        Args:
            path: the file, made when first written.
            dependents: for each table, the partitioned tables that read it and the days they read, so that replacing a
                day marks the days that it made stale.
            lock_timeout_seconds: how long to wait for another process to let go of the file.
            pseudonym_key: the secret of keyed hashes, under which the suppression list knows people.
            rows_at_once: how many may be read for the days that are written together; a day is never split.
        """
        self.path = path
        self._dependents = dependents or {}
        self._lock_timeout_seconds = lock_timeout_seconds
        self._subjects = Subjects(pseudonym_key)
        self._at_once = AtOnce(DAYS_AT_ONCE, rows_at_once)
        self._kept: list[duckdb.DuckDBPyConnection] | None = None
        self._is_prepared = False
        self._is_unpurged = False
        self._read_copy = ReadCopy(path)

    def address(self, table_name: str) -> Address:
        """The table's name in the file."""
        return Address(f"{SCHEMA}.{table_name}", f"duckdb:///{self.path.absolute()}#{SCHEMA}.{table_name}")

    def condition(self) -> Condition:
        """Look at the file, and wait a second at most for another process to let go of it.

        Raises:
            WarehouseError: it cannot be opened, or stays locked, or its hashes were made with another key.
        """
        where = str(self.path)
        if not os.path.lexists(self.path) or self._is_beginning():
            return Condition(where, ["not there yet, the first run makes it"], False, self._why_unmakeable())
        impatient = copy(self)
        impatient._lock_timeout_seconds = _GLANCE_SECONDS
        with impatient.session(read_only=True) as session:
            try:
                has_ledger = session.has(LEDGER)
                session.check_key()
            except session.failures as error:
                raise session.redact(error) from None
        troubles = () if _is_writable(self.path) and _is_writable(self.path.parent) else (unwritable(self.path),)
        return Condition(where, [f"{self.path.stat().st_size:,} bytes"], has_ledger, troubles)

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Leave the file open between the sessions inside, from the first on, and publish a read copy in the end.

        Opening and closing it costs a tenth of a second, as much as a small day of most tables. What was written is
        published however the work inside has ended.

        Raises:
            WarehouseError: somebody was erased, and there is no room to write the file anew.
        """
        kept: list[duckdb.DuckDBPyConnection] = []
        self._kept = kept
        try:
            yield
        finally:
            for connection in kept:
                connection.close()
            self._kept, self._is_prepared = None, False
            self._purge()
            if kept:
                self._publish()

    @contextmanager
    def session(self, *, read_only: bool = False) -> Iterator["DuckDBSession"]:
        """A connection that is closed whatever happens.

        Raises:
            WarehouseError: the file cannot be opened, is no DuckDB file, or stays locked by another process; or its
                disk is full.
            KeyboardInterrupt: a signal came during a statement.
        """
        with self._used(self._open(read_only=read_only)) as connection:
            session = DuckDBSession(connection, self.path, self._dependents, self._subjects, self._at_once)
            if not read_only and not self._is_prepared:
                session.prepare()
                self._is_prepared = self._kept is not None
            yield session
            if self._kept and session.days_written > 1:
                session.settle()
            self._is_unpurged |= session.is_unpurged
        if self._kept is None:
            self._purge()

    @contextmanager
    def _used(self, connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection as every session has it, closed whatever happens."""
        done, stop = partial(_share_done, connection), partial(_interrupt, connection)
        try:
            with faults_of_the_machine(self.path), under_way(done, stop):
                # See `_share_done`.
                connection.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
                yield connection
        finally:
            connection.close()

    @contextmanager
    def reading(self) -> Iterator["DuckDBSession"]:
        """A session of the read copy, where there is one, so that it waits for no run.

        Raises:
            WarehouseError: the copy cannot be opened; or, where there is none, the warehouse.
        """
        if self._kept is not None or not self._read_copy.is_there():
            with self.session(read_only=True) as session:
                yield session
            return
        with self._read_copy.opened() as connection, self._used(connection):
            connection.execute(_OF_THE_FILE)
            yield DuckDBSession(connection, self._read_copy.path, self._dependents, self._subjects, self._at_once)

    def published(self) -> Published | None:
        """The read copy; None where there is none.

        Raises:
            WarehouseError: it cannot be opened.
        """
        return self._read_copy.published()

    def _publish(self) -> None:
        """Publish what was written; without a copy people still read the warehouse, or the copy before."""
        try:
            self._read_copy.publish()
        except WarehouseError as error:
            progress.warning("warning: %s", error)
        except (OSError, duckdb.Error) as error:
            if _holder(error):
                return  # Who writes now publishes in the end.
            progress.warning(
                "warning: the tables are written, but the read copy %s stays as it was (%s); make room for a second "
                "file of its size beside it, and run any day again",
                self._read_copy.path,
                redacted(error),
            )

    def _purge(self) -> None:
        """Write the file and its read copies anew where they may still hold what was erased.

        Raises:
            WarehouseError: there is no room for it; there is no read copy then.
        """
        if self._is_unpurged:
            try:
                self._unlocked(lambda: Rewriting(self.path).run())
            except BaseException:
                self._read_copy.withdraw()
                raise
            self._is_unpurged = False

    def _open(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        if self._kept is None:
            return self._connect(read_only=read_only)
        if not self._kept:
            self._kept.append(self._connect(read_only=False))
        return self._kept[0].cursor()

    def _connect(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        if read_only and not self.path.exists():
            raise WarehouseError(
                f"there is no warehouse at {self.path}: materialize something first, or set CALBACK_DUCKDB_PATH"
            )
        if not read_only:
            self._make_folder()
        while True:
            before = self._file()
            connection = self._unlocked(
                lambda: self._attempt(read_only=read_only), None if read_only else self._leave_to_readers
            )
            if before in (None, self._file()):
                connection.execute(_OF_THE_FILE)
                return connection
            connection.close()  # Of a file that was just written anew: what is opened is the old one, perhaps.

    def _leave_to_readers(self) -> None:
        """Put a copy in the place of a file that somebody holds open to read: they keep theirs, and we write ours.

        Nothing happens where somebody writes it, or has died over it and left a log.

        Raises:
            OSError: there is no room.
        """
        path = self.path.resolve()
        # The order matters: a descriptor that is closed lets go of DuckDB's locks.
        with alone_in(path.parent), opened(path) as file, duckdb.connect(str(path), read_only=True):
            if wal(path).exists():
                return
            new = path.with_name(f"{path.name}.rewritten")
            copy_file(file, new)
            shutil.copystat(path, new)  # It is as old as what is in it.
            new.replace(path)
            sync(path.parent)

    def _attempt(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        try:
            return duckdb.connect(str(self.path), read_only=read_only)
        except duckdb.IOException as error:
            if read_only or not self._is_stillborn(error):
                raise
            self.path.unlink()
            return duckdb.connect(str(self.path))

    def _is_stillborn(self, error: duckdb.IOException) -> bool:
        """Whether the file is the beginning of one that never held a table: its disk was full, or its maker killed."""
        if not re.search("not read enough bytes|not a valid DuckDB", str(error)):
            return False  # Somebody is making it, perhaps.
        return self._is_beginning()

    def _is_beginning(self) -> bool:
        try:
            with self.path.open("rb") as file:
                head = file.read(_HEADER_BYTES)
        except OSError:
            return False  # DuckDB says why.
        return len(head) < _HEADER_BYTES and (not head or head[8:12] == b"DUCK")

    def _why_unmakeable(self) -> Sequence[WarehouseError]:
        """Nothing, where the file can be made in its folder, or in one that can be made for it."""
        folder = next(folder for folder in self.path.absolute().parents if os.path.lexists(folder))
        if os.path.isdir(folder) and _is_writable(folder):  # noqa: PTH112 - as in settings
            return ()
        problem = "cannot be written" if os.path.isdir(folder) else "is no folder"  # noqa: PTH112
        return (unmakeable(self.path, f"{folder} {problem}"),)

    def _make_folder(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unmakeable(self.path, error.strerror) from None

    def _file(self) -> int | None:
        """Tells the file under the path from another that has had its place."""
        try:
            return self.path.stat().st_ino
        except OSError:
            return None

    def _unlocked(self, attempt: Callable[[], T], go_round: Callable[[], None] | None = None) -> T:
        """Try what needs the file's lock until no other process has it.

        Args:
            attempt: what is tried.
            go_round: what may help against who stays for longer than a moment.

        Raises:
            WarehouseError: it is still locked after the time to wait, or is no file that DuckDB can open.
        """
        began = time.monotonic()
        while True:
            try:
                return attempt()
            except duckdb.Error as error:
                holder = _holder(error)
                if holder is None:
                    raise WarehouseError(why_unopenable(self.path, error)) from None
                waited = time.monotonic() - began
                if waited > self._lock_timeout_seconds:
                    raise WarehouseError(
                        f"the warehouse {self.path} is in use by process {holder}; wait for that run to end, or stop "
                        "it, and try again"
                    ) from None
            if go_round and waited > _PATIENCE * self._lock_timeout_seconds:
                try:
                    go_round()
                except duckdb.Error:
                    pass  # It is no reader.
                except OSError:
                    go_round = None  # There is no room: only waiting is left.
            # Jitter, so that several waiting runs do not knock at the same moment for ever.
            time.sleep(random.uniform(0.05, 0.25))  # noqa: S311 - not for secrets


def _share_done(connection: duckdb.DuckDBPyConnection) -> float:
    try:
        return connection.query_progress() / 100
    except duckdb.Error:  # It was closed meanwhile.
        return 0.0


def _interrupt(connection: duckdb.DuckDBPyConnection) -> None:
    with suppress(duckdb.ConnectionException):  # It was closed meanwhile.
        connection.interrupt()


def _holder(error: Exception) -> str | None:
    """The process that has the file's lock, if that is what is wrong."""
    found = re.search(r"lock is held in .*?\(PID (\d+)\)", str(error))
    return found[1] if found else None


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK)
