"""The read copy: a second file beside the warehouse, which people read while a run writes the first.

How it is brought up to date and takes the place of the one before belongs here; when that is done stands in
`warehouse`. A file under the copy's name is never written: who has it open keeps what was opened, and who opens it next
opens a whole one.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from calback_assets.days import Stretch
from calback_assets.errors import WarehouseError
from calback_assets.sources.coercion import literal
from calback_assets.tables import TABLES
from calback_assets.warehouse.duckdb.catalog import has
from calback_assets.warehouse.duckdb.changes import Change, Changes
from calback_assets.warehouse.duckdb.erasure import UNPURGED
from calback_assets.warehouse.duckdb.faults import redacted
from calback_assets.warehouse.duckdb.files import alone_in, attach_settled, copy, discard, opened, sync, wal
from calback_assets.warehouse.duckdb.ledger import LEDGER
from calback_assets.warehouse.googlesql.model import SCHEMA
from calback_assets.warehouse.ledger import during
from calback_assets.warehouse.warehouse import Published

SMALL_BYTES = 2**30
"""A file up to this is copied whole in less time than the changed days of it."""
_SHARE = 20
"""A row that is copied costs as much as so many that come with their file."""

_read_here: Counter[int] = Counter()
"""The files that this process reads. Its own locks do not keep it from writing them."""


class _Engine:
    """A connection, and what is attached to it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        return self.connection.execute(sql).fetchall()

    def has(self, database: str, table_name: str) -> bool:
        """Whether an attached file has a table of ours."""
        return has(self.connection, f"{database}.{SCHEMA}.{table_name}")


class ReadCopy:
    """The file that people read, the one before it that is brought up to date next, and what is on the way."""

    def __init__(self, warehouse: Path) -> None:
        """Name the files; nothing is opened."""
        self._warehouse = warehouse.resolve()
        self.path = self._warehouse.with_name(f"{self._warehouse.stem}.read{self._warehouse.suffix}")
        self.standby = self.path.with_name(f"{self.path.name}.standby")
        self.former = self.path.with_name(f"{self.path.name}.former")
        self.new = self.path.with_name(f"{self.path.name}.new")

    def is_there(self) -> bool:
        """Whether there is a copy to read."""
        return self.path.exists()

    @contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that only reads.

        Raises:
            WarehouseError: the file cannot be opened.
        """
        try:
            file = self.path.stat().st_ino
            connection = duckdb.connect(str(self.path), read_only=True)
        except (OSError, duckdb.Error) as error:
            raise WarehouseError(
                f"the read copy {self.path} cannot be opened ({redacted(error)}); delete it: the next run makes it anew"
            ) from None
        _read_here[file] += 1
        try:
            yield connection
        finally:
            connection.close()
            _read_here[file] -= 1

    def published(self) -> Published | None:
        """Which copy there is, and whether it still tells what the warehouse does; None where there is none.

        Raises:
            WarehouseError: it cannot be opened.
        """
        if not self.is_there():
            return None
        last = self._last()
        made = self.path.stat().st_mtime
        files = [file for file in (self._warehouse, wal(self._warehouse)) if file.exists()]
        return Published(
            self.path,
            datetime.fromtimestamp(made, UTC),
            last.run_id if last else None,
            any(file.stat().st_mtime > made for file in files),
        )

    def publish(self) -> None:
        """Bring a copy up to date and give it the name; until then the one before is there.

        Raises:
            OSError: there is no room.
            duckdb.Error: nor any, or somebody writes the warehouse.
            WarehouseError: the warehouse still holds bytes of an erased person, and so no copy is to stay.
        """
        # The order matters: a descriptor that is closed lets go of DuckDB's locks.
        with alone_in(self.path.parent), opened(self._warehouse) as file, self._engine() as engine:
            attach_settled(engine.connection, self._warehouse, "warehouse")
            if engine.has("warehouse", UNPURGED):
                self.withdraw()
                raise WarehouseError(
                    f"{self._warehouse} may still hold, in free blocks, what an erasure removed, so no copy of it is "
                    "made; make room for a second file of its size beside it, and erase the same person again"
                )
            self._tidy()
            if self._is_current(engine):
                os.utime(self.path)
                return
            is_small = os.fstat(file).st_size <= SMALL_BYTES
            if is_small:
                discard(self.standby)
            if not self.bring_up(engine):
                self.copy(file)
            self.exchange(keeps_former=not is_small)

    def renew(self, rewritten: Path) -> None:
        """Put copies of a file from which somebody was erased in the place of all that there are.

        Raises:
            OSError: there is no room.
        """
        discard(self.standby)
        discard(self.former)
        if not self.is_there():
            return
        with opened(rewritten) as file:
            self.copy(file)
        self.exchange(keeps_former=False)

    def withdraw(self) -> None:
        """Leave no copy."""
        for file in (self.path, self.standby, self.former, self.new):
            discard(file)

    def copy(self, file: int) -> None:
        """Copy the whole warehouse."""
        copy(file, self.new)

    def bring_up(self, engine: _Engine) -> bool:
        """Copy what was written since the standby into it; False where the whole is to be copied instead."""
        if not self.standby.exists():
            return False
        if _read_here[self.standby.stat().st_ino]:
            discard(self.standby)
            return False
        self.standby.chmod(self.standby.stat().st_mode | 0o200)
        try:
            engine.execute(f"ATTACH {literal(str(self.standby))} AS standby")
        except duckdb.Error:
            discard(self.standby)  # A reader has it open since it was the newest, or it is broken.
            return False
        statements = _statements(engine)
        if statements is not None:
            engine.execute("BEGIN TRANSACTION")
            for statement in statements:
                engine.execute(statement)
            engine.execute("COMMIT")
            engine.execute("CHECKPOINT standby")
        engine.execute("DETACH standby")
        if statements is None:
            discard(self.standby)
        return statements is not None

    def exchange(self, *, keeps_former: bool) -> None:
        """Give the new file the name, in one step."""
        fresh = self.new if self.new.exists() else self.standby
        fresh.chmod(self._warehouse.stat().st_mode & ~0o222)  # Who opens it for writing would lock readers out.
        sync(fresh)
        if keeps_former and self.is_there():
            with suppress(OSError):  # Where there are no hard links every copy is a whole one.
                self.former.hardlink_to(self.path)
        fresh.replace(self.path)
        if self.former.exists():
            self.former.replace(self.standby)
        sync(self.path.parent)

    def _last(self) -> Change | None:
        with self.opened() as connection:
            return Changes(_Engine(connection)).last()

    def _is_current(self, engine: "_Engine") -> bool:
        last = Changes(engine, "warehouse").last()
        with suppress(WarehouseError):  # A broken one is exchanged.
            return last is not None and self.is_there() and self._last() == last
        return False

    def _tidy(self) -> None:
        """Take up what somebody has left who was killed on the way."""
        discard(self.new)
        wal(self.path).unlink(missing_ok=True)
        if self.former.exists():
            if self.is_there() and self.former.samefile(self.path):
                self.former.unlink()
            else:
                discard(self.standby)
                self.former.replace(self.standby)

    @contextmanager
    def _engine(self) -> Iterator[_Engine]:
        """One without a file of its own."""
        with duckdb.connect() as connection:
            engine = _Engine(connection)
            engine.execute(f"SET temp_directory = {literal(f'{self._warehouse}.tmp')}")
            engine.execute("SET preserve_insertion_order = false; SET write_buffer_row_group_count = 1")
            engine.execute("SET threads = 1")  # Others only cost where there is little to copy.
            yield engine


def _statements(engine: _Engine) -> list[str] | None:
    """What brings the standby up to date; None where to copy the whole is less, or the only way."""
    shapes = {
        side: {
            (schema, name): sql
            for schema, name, sql in engine.execute(
                f"SELECT schema_name, table_name, sql FROM duckdb_tables() WHERE database_name = '{side}'"
            )
        }
        for side in ("warehouse", "standby")
    }
    if shapes["warehouse"] != shapes["standby"] or not engine.has("warehouse", LEDGER):
        return None
    known = Changes(engine, "standby").last()
    written = Changes(engine, "warehouse").since(known) if known else None
    if written is None:
        return None
    sizes = {
        (schema, name): int(rows)
        for schema, name, rows in engine.execute(
            "SELECT schema_name, table_name, estimated_size FROM duckdb_tables() WHERE database_name = 'warehouse'"
        )
    }
    copied = 0
    statements = []
    for schema, name in shapes["warehouse"]:
        if schema == SCHEMA and name in TABLES:
            if name not in written:
                continue
            days = _days(written[name])
        else:
            days = None  # Of our own, and small; what is in it is in no log.
        copied += _rows(engine, name, days) if days else sizes[schema, name]
        where = f" WHERE {days}" if days else ""
        table = f'"{schema}"."{name}"'
        statements += [
            f"DELETE FROM standby.{table}{where}",
            f"INSERT INTO standby.{table} SELECT * FROM warehouse.{table}{where}",
        ]
    return statements if copied * _SHARE <= sum(sizes.values()) else None


def _days(stretches: Sequence[Stretch | None]) -> str | None:
    """The condition for the days; None for all rows."""
    known = [stretch for stretch in stretches if stretch]
    return " OR ".join(during(stretch) for stretch in known) if len(known) == len(stretches) else None


def _rows(engine: _Engine, name: str, days: str) -> int:
    ((rows,),) = engine.execute(
        f"SELECT COALESCE(SUM(row_count), 0) FROM warehouse.{SCHEMA}.{LEDGER} WHERE table_name = '{name}' AND ({days})"
    )
    return int(rows)
