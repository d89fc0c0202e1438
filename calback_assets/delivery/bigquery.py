"""A dataset of BigQuery for readers: the tables with the warehouse's own contract, a day replaced in one statement.

Only what an export needs besides the warehouse's own way of writing belongs here: the manifest.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date

import pyarrow as pa
from google.cloud import bigquery
from sqlglot import exp

from calback_assets.delivery.manifest import columns_of
from calback_assets.delivery.piece import Delivered, Piece, as_csv
from calback_assets.errors import CalbackError, DeliveryError
from calback_assets.tables import Table
from calback_assets.warehouse.bigquery.jobs import resource_of
from calback_assets.warehouse.bigquery.session import BigQuerySession
from calback_assets.warehouse.bigquery.warehouse import BigQueryWarehouse
from calback_assets.warehouse.rows import ConformedRows
from calback_assets.warehouse.warehouse import Statement

MANIFEST = "calback_manifest"
_SCHEMA = [
    bigquery.SchemaField("export", "STRING", "REQUIRED", description="The table."),
    bigquery.SchemaField("first_day", "DATE", description="NULL for a table without days."),
    bigquery.SchemaField("last_day", "DATE"),
    bigquery.SchemaField("row_count", "INT64", "REQUIRED"),
    bigquery.SchemaField("sha256", "STRING", "REQUIRED", description="Of the rows as CSV, in the order of the key."),
    bigquery.SchemaField("is_final", "BOOL", "REQUIRED", description="Whether the day changes no more by itself."),
    bigquery.SchemaField("final_from", "DATE"),
    bigquery.SchemaField("columns", "STRING", "REQUIRED", description="The schema, as JSON."),
    bigquery.SchemaField("version", "STRING", "REQUIRED"),
    bigquery.SchemaField("run_id", "STRING", "REQUIRED"),
    bigquery.SchemaField("exported_at", "TIMESTAMP", "REQUIRED"),
]
_DESCRIPTION = "What was exported into this dataset, and from which run; the last entry of a table's day holds."


class DatasetTarget:
    """A dataset with one table for each export."""

    takes_files = False

    def __init__(self, project: str, dataset: str) -> None:
        """Name the dataset, which must be there; nothing is called yet."""
        self._dataset = f"{project}/{dataset}"
        self._warehouse = BigQueryWarehouse(resource_of(project, None), dataset)

    @property
    def where(self) -> str:
        """Project and dataset."""
        return f"bigquery://{self._dataset}"

    @contextmanager
    def opened(self, table: Table) -> Iterator["_Rows"]:
        """The table of an export, which is made where it is missing.

        Raises:
            DeliveryError: the dataset is not there, or may not be written.
            ContractError: it has another table of that name.
        """
        # Whose document is gone from a source is to be gone here, too.
        table = replace(table, tombstone=None)
        try:
            with self._warehouse.kept_open(), self._warehouse.session() as session:
                try:
                    session.create(MANIFEST, _SCHEMA, _DESCRIPTION)
                    session.ensure(table)
                    yield _Rows(session, table)
                except session.failures as error:
                    raise session.redact(error) from None
        except CalbackError as error:
            raise DeliveryError(f"{table.name}: {self.where}: {error}") from None


@dataclass(frozen=True)
class _Rows:
    """One table of the dataset."""

    session: BigQuerySession
    table: Table

    def versions(self) -> dict[date, str]:
        """The days that the manifest knows, with the version that each was made of."""
        found = self.session.records(
            f"SELECT first_day, version FROM {MANIFEST} WHERE export = '{self.table.name}' AND first_day IS NOT NULL "
            "QUALIFY ROW_NUMBER() OVER (PARTITION BY first_day ORDER BY exported_at DESC) = 1"
        )
        return {entry["first_day"]: entry["version"] for entry in found}

    def deliver(self, piece: Piece) -> Delivered:
        """Replace the rows of a piece in one statement, then enter it in the manifest."""
        digest = hashlib.sha256()

        def rows() -> Iterator[pa.RecordBatch]:
            for batch in piece.nested():
                for flat in piece.flatten([batch]):
                    digest.update(as_csv(flat))
                yield batch

        with self.session.incoming(ConformedRows(rows, self.table), piece.run_id) as name:
            sql = f"SELECT * FROM {name}"
            if piece.days is None:
                written = self.session.replace_snapshot(self.table, sql, piece.run_id)
            else:
                written = self.session.replace_days(self.table, piece.days, Statement(sql), piece.run_id)
        count = sum(written.row_counts.values())
        self._enter(piece, count, digest.hexdigest())
        return Delivered(count, [self.table.name])

    def _enter(self, piece: Piece, rows: int, sha256: str) -> None:
        days = piece.days
        values = (
            _text(piece.table.name),
            _day(days.first if days else None),
            _day(days.last if days else None),
            str(rows),
            _text(sha256),
            str(piece.is_final).upper(),
            _day(piece.final_from),
            _text(json.dumps(columns_of(piece), ensure_ascii=False)),
            _text(piece.version),
            _text(piece.run_id),
            "CURRENT_TIMESTAMP()",
        )
        names = ", ".join(field.name for field in _SCHEMA)
        self.session.records(f"INSERT INTO {MANIFEST} ({names}) VALUES ({', '.join(values)})")


def _text(value: str) -> str:
    return exp.Literal.string(value).sql("bigquery")


def _day(value: date | None) -> str:
    return "NULL" if value is None else f"DATE '{value}'"
