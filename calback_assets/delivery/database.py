"""A table in PostgreSQL, or in any database that SQLAlchemy knows: a day is deleted and inserted in one transaction.

Types, statements and a database's errors belong here. The URL holds a password: it is shown in no text, and neither is
what a database says, which may quote rows.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from calback_assets.delivery.manifest import columns_of
from calback_assets.delivery.piece import Delivered, Piece, as_csv
from calback_assets.errors import DeliveryError
from calback_assets.tables import EVENT_DATE, Table
from calback_assets.warehouse.rows import arrow_type

MANIFEST = "calback_manifest"
_ROWS_AT_ONCE = 1_000
_COPIES = ("postgresql", "psycopg")
_JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "STRING": sa.Text(),
    "INT64": sa.BigInteger(),
    "FLOAT64": sa.Double(),
    "BOOL": sa.Boolean(),
    "DATE": sa.Date(),
    "TIMESTAMP": sa.DateTime(timezone=True),
}

_manifest = sa.Table(
    MANIFEST,
    sa.MetaData(),
    sa.Column("export", sa.String(255), nullable=False, comment="The table."),
    sa.Column("first_day", sa.Date, comment="NULL for a table without days."),
    sa.Column("last_day", sa.Date),
    sa.Column("row_count", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False, comment="Of the rows as CSV, in the order of the key."),
    sa.Column("is_final", sa.Boolean, nullable=False, comment="Whether the day changes no more by itself."),
    sa.Column("final_from", sa.Date),
    sa.Column("columns", _JSON, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("exported_at", sa.DateTime(timezone=True), nullable=False),
    comment="What was exported into this database, and from which run: a row for each day of a table.",
)


class DatabaseTarget:
    """A database with one table for each export."""

    takes_files = False

    def __init__(self, url: str) -> None:
        """Name the database; nothing is opened yet.

        Raises:
            DeliveryError: the URL is none, or there is no driver for it.
        """
        try:
            self._engine = sa.create_engine(sa.make_url(url), poolclass=sa.NullPool, hide_parameters=True)
        except (ArgumentError, NoSuchModuleError, ImportError, ValueError):
            raise DeliveryError(
                "the address of the database cannot be used, or its driver is not installed; write it as "
                "postgresql+psycopg://user:password@host/database"
            ) from None

    @property
    def where(self) -> str:
        """Driver, host and database; nothing else of the URL, which may be a secret."""
        url = self._engine.url
        port = f":{url.port}" if url.port else ""
        return f"{url.drivername}://{url.host or ''}{port}/{url.database or ''}"

    @contextmanager
    def opened(self, table: Table) -> Iterator["_Rows"]:
        """The table of an export, which is made where it is missing.

        Raises:
            DeliveryError: the database cannot be reached, refuses, or has another table of that name.
        """
        stored = _table_of(table)
        try:
            with self._engine.begin() as connection:
                _manifest.create(connection, checkfirst=True)
                stored.create(connection, checkfirst=True)
                found = {column["name"] for column in sa.inspect(connection).get_columns(table.name)}
            if found != set(table.column_names):
                differing = ", ".join(sorted(found ^ set(table.column_names)))
                raise DeliveryError(
                    f"{table.name}: the table in the database has other columns ({differing}); rename it away, and "
                    "export its days again"
                )
            yield _Rows(self._engine, stored)
        except SQLAlchemyError as error:
            raise self._redacted(table, error) from None
        except Exception as error:
            if type(error).__module__.partition(".")[0] != "psycopg":
                raise
            raise self._redacted(table, error) from None  # Of a COPY, which goes past SQLAlchemy.

    def _redacted(self, table: Table, error: Exception) -> DeliveryError:
        cause = getattr(error, "orig", None) or error
        state = getattr(cause, "sqlstate", None)
        kind = f"{type(cause).__name__}, SQLSTATE {state}" if state else type(cause).__name__
        return DeliveryError(
            f"{table.name}: the database {self.where} did not take it ({kind}); the old rows stand; see that it can be "
            "reached, and that the user may create and write tables in it"
        )


@dataclass(frozen=True)
class _Rows:
    """One table of the database."""

    engine: sa.Engine
    stored: sa.Table

    def versions(self) -> dict[date, str]:
        """The days that the manifest knows, with the version that each was made of."""
        asked = sa.select(_manifest.c.first_day, _manifest.c.version).where(
            _manifest.c.export == self.stored.name, _manifest.c.first_day.is_not(None)
        )
        with self.engine.connect() as connection:
            return {day: version for day, version in connection.execute(asked)}  # noqa: C416 - mypy wants pairs

    def deliver(self, piece: Piece) -> Delivered:
        """Replace the rows of a piece and its entry in the manifest in one transaction."""
        days = piece.days
        digest, rows = hashlib.sha256(), 0
        is_copied = (self.engine.dialect.name, self.engine.dialect.driver) == _COPIES
        with self.engine.begin() as connection:
            if self.engine.dialect.name == "postgresql":
                # Of two that export a day at once, neither would see the rows of the other, and delete them.
                connection.execute(sa.text(f"LOCK TABLE {self._quoted(self.stored.name)} IN SHARE ROW EXCLUSIVE MODE"))
            where = sa.true() if days is None else self.stored.c[EVENT_DATE].between(days.first, days.last)
            connection.execute(self.stored.delete().where(where))
            for batch in piece.flat():
                text = as_csv(batch)
                digest.update(text)
                rows += batch.num_rows
                if is_copied:
                    self._copy(connection, text)
                else:
                    self._insert(connection, batch)
            same = _manifest.c.first_day.is_(None) if days is None else _manifest.c.first_day == days.first
            connection.execute(_manifest.delete().where(_manifest.c.export == piece.table.name, same))
            connection.execute(
                _manifest.insert().values(
                    export=piece.table.name,
                    first_day=days.first if days else None,
                    last_day=days.last if days else None,
                    row_count=rows,
                    sha256=digest.hexdigest(),
                    is_final=piece.is_final,
                    final_from=piece.final_from,
                    columns=columns_of(piece),
                    version=piece.version,
                    run_id=piece.run_id,
                    exported_at=datetime.now(UTC),
                )
            )
        return Delivered(rows, [piece.table.name])

    def _copy(self, connection: sa.Connection, text: bytes) -> None:
        names = ", ".join(self._quoted(column.name) for column in self.stored.columns)
        driver: Any = connection.connection.driver_connection
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY {self._quoted(self.stored.name)} ({names}) FROM STDIN (FORMAT csv)") as copy,
        ):
            copy.write(text)

    def _quoted(self, name: str) -> str:
        return self.engine.dialect.identifier_preparer.quote(name)

    def _insert(self, connection: sa.Connection, batch: pa.RecordBatch) -> None:
        nested = [column.name for column in self.stored.columns if isinstance(column.type, sa.JSON)]
        for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
            rows = batch.slice(start, _ROWS_AT_ONCE).to_pylist()
            for row in rows:
                row.update({name: None if row[name] is None else json.loads(row[name]) for name in nested})
            connection.execute(self.stored.insert(), rows)


def _table_of(table: Table) -> sa.Table:
    columns = [
        sa.Column(
            column.name,
            _JSON if pa.types.is_nested(arrow_type(column.type)) else _TYPES[column.type],
            nullable=not column.required,
            comment=column.description,
        )
        for column in table.columns
    ]
    indexes = [sa.Index(f"{table.name}_{EVENT_DATE}", EVENT_DATE)] if table.is_partitioned else []
    return sa.Table(table.name, sa.MetaData(), *columns, *indexes, comment=table.description)
