"""How a DuckDB file forgets: it is written anew without what was removed from it.

Only the exchange of the file belongs here; what is removed, and when, stands in `erasure` and `session`.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from calback_assets.errors import WarehouseError
from calback_assets.sources.coercion import literal
from calback_assets.warehouse.googlesql.model import SCHEMA

UNPURGED = "unpurged"
"""A table that stands while the file may still hold, in free blocks, the bytes of rows that an erasure removed."""


class Rewriting:
    """A new file in the place of an old one, with the same tables and without what was removed from them.

    DuckDB leaves removed rows in blocks that it will use again some time. The old file stands, and is locked, until the
    new one has taken its name: a process that dies on the way loses nothing, and the next one begins anew.
    """

    def __init__(self, path: Path) -> None:
        """Name the file, which nobody may have open for writing."""
        self.path = path.resolve()  # A link stays one.
        self.new = self.path.with_name(f"{self.path.name}.rewritten")
        self._connection = duckdb.connect()
        self._connection.execute(f"SET temp_directory = {literal(f'{self.path}.tmp')}")

    def run(self) -> None:
        """Rewrite the file.

        Raises:
            WarehouseError: there is no room, or the copy is not the same; the old file stands.
        """
        try:
            with _alone_in(self.path.parent):
                self.lock()
                try:
                    self.copy()
                    self.compare()
                    self.close_new()
                    self.replace()
                except (OSError, duckdb.Error) as error:
                    raise WarehouseError(
                        f"the rows are gone from the tables, but the file {self.path} cannot be written anew "
                        f"({type(error).__name__}) and may hold their bytes in free blocks; make room for a second "
                        "file of its size beside it, and erase the same person again"
                    ) from None
                finally:
                    self._connection.close()
                    self._discard()
        finally:
            self._connection.close()

    def lock(self) -> None:
        """Keep writers out; who reads may go on."""
        self._connection.execute(f"ATTACH {literal(str(self.path))} AS old (READ_ONLY)")
        while _wal(self.path).exists():
            # Somebody has died over the file. What is in the log would be read into the new file, too.
            self._connection.execute("DETACH old")
            duckdb.connect(str(self.path)).close()
            self._connection.execute(f"ATTACH {literal(str(self.path))} AS old (READ_ONLY)")

    def copy(self) -> None:
        """Write the new file."""
        self._discard()
        self._connection.execute("SET preserve_insertion_order = false")
        self._connection.execute(f"ATTACH {literal(str(self.new))} AS new")
        self._connection.execute("COPY FROM DATABASE old TO new")
        self._connection.execute(f"DROP TABLE IF EXISTS new.{SCHEMA}.{UNPURGED}")

    def compare(self) -> None:
        """See that every table has the same rows.

        Raises:
            WarehouseError: it has not.
        """
        tables = self._connection.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = 'old'"
        ).fetchall()
        for (table,) in tables:
            if table == f"{SCHEMA}.{UNPURGED}":
                continue
            old, new = (
                self._connection.execute(
                    f"SELECT COUNT(*), SUM(CAST(hash(kept) AS HUGEINT)) FROM {side}.{table} AS kept"
                ).fetchall()
                for side in ("old", "new")
            )
            if old != new:
                raise WarehouseError(f"the copy of {table} in {self.new} is not the same; the old file stands")

    def close_new(self) -> None:
        """Bring all of the new file to the disk."""
        self._connection.execute("DETACH new")
        shutil.copymode(self.path, self.new)
        _sync(self.new)

    def replace(self) -> None:
        """Give the new file the old one's name, in one step."""
        self.new.replace(self.path)
        _sync(self.path.parent)

    def _discard(self) -> None:
        for left in (self.new, _wal(self.new)):
            left.unlink(missing_ok=True)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time write files anew in a folder; the lock goes with the process."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
