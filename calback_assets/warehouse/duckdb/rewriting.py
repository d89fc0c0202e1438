"""How a DuckDB file forgets: it is written anew without what was removed from it.

Only the exchange of the file belongs here; what is removed, and when, stands in `erasure` and `session`.
"""

import shutil
from pathlib import Path

import duckdb

from calback_assets.errors import WarehouseError
from calback_assets.sources.coercion import literal
from calback_assets.warehouse.duckdb.erasure import UNPURGED
from calback_assets.warehouse.duckdb.files import alone_in, attach_settled, discard, sync
from calback_assets.warehouse.duckdb.read_copy import ReadCopy
from calback_assets.warehouse.googlesql.model import SCHEMA


class Rewriting:
    """A new file in the place of an old one, with the same tables and without what was removed from them.

    DuckDB leaves removed rows in blocks that it will use again some time. The old file stands, and is locked, until the
    new one has taken its name: a process that dies on the way loses nothing, and the next one begins anew. The copies
    that people read are exchanged before that, while the old file still says that there is something to forget.
    """

    def __init__(self, path: Path) -> None:
        """Name the file, which nobody may have open for writing."""
        self.path = path.resolve()  # A link stays one.
        self.new = self.path.with_name(f"{self.path.name}.rewritten")
        self._read_copy = ReadCopy(self.path)
        self._connection = duckdb.connect()
        self._connection.execute(f"SET temp_directory = {literal(f'{self.path}.tmp')}")

    def run(self) -> None:
        """Rewrite the file.

        Raises:
            WarehouseError: there is no room, or the copy is not the same; the old file stands.
        """
        try:
            with alone_in(self.path.parent):
                self.lock()
                try:
                    self.copy()
                    self.compare()
                    self.close_new()
                    self.renew()
                    self.replace()
                except (OSError, duckdb.Error) as error:
                    raise WarehouseError(
                        f"the rows are gone from the tables, but the file {self.path} cannot be written anew "
                        f"({type(error).__name__}) and may hold their bytes in free blocks; make room for a second "
                        "file of its size beside it, and erase the same person again"
                    ) from None
                finally:
                    self._connection.close()
                    discard(self.new)
        finally:
            self._connection.close()

    def lock(self) -> None:
        """Keep writers out; who reads may go on."""
        # What is in a log would be read into the new file, too.
        attach_settled(self._connection, self.path, "old")

    def copy(self) -> None:
        """Write the new file."""
        discard(self.new)
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
        sync(self.new)

    def renew(self) -> None:
        """Put copies of the new file in the place of those that people read."""
        self._read_copy.renew(self.new)

    def replace(self) -> None:
        """Give the new file the old one's name, in one step."""
        self.new.replace(self.path)
        sync(self.path.parent)
