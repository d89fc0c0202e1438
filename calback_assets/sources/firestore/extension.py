"""Firestore collections from the tables that the extension firestore-bigquery-export keeps in BigQuery.

Which table holds which collection, and as of which moment they are read, belongs here. What a row means stands in
`changes`, what a document's fields become in `documents`.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from calback_assets.errors import SourceError
from calback_assets.sources.bigquery.query import Dataset
from calback_assets.sources.firestore.changes import COLUMNS, Change, change_in, latest_of
from calback_assets.sources.firestore.documents import (
    Document,
    DocumentCollection,
    FirestoreSource,
    Snapshot,
    collection_in,
)
from calback_assets.sources.firestore.schemaless import UnusableError

_NAME = COLUMNS[0]
_CHANGELOG, _LATEST = "_raw_changelog", "_raw_latest"
"""End the names of the extension's tables, which begin with anything."""
_SLICE_ROWS = 1000
"""Rows that stand in memory as Python objects at a time."""
_REPORT_EVERY_SECONDS = 10.0


class ChangeTables(Protocol):
    """Tells which tables there are, and what time it is."""

    def tables(self, dataset: Dataset) -> Collection[str]:
        """The names of all tables of a dataset."""

    def columns(self, dataset: Dataset, table: str) -> Mapping[str, str] | None:
        """The columns of a table and their types; None where there is no such table."""

    def is_view(self, dataset: Dataset, table: str) -> bool:
        """Whether a table is a view."""

    def any_of(self, dataset: Dataset, table: str, column: str) -> object:
        """What any one row of a table has in a column; None where there is no row."""

    def now(self, dataset: Dataset) -> datetime:
        """The time as of which tables can be read."""


class ChangeRows(Protocol):
    """Reads the rows of tables."""

    def batches(
        self, dataset: Dataset, table: str, columns: Sequence[str], where: str = "", at: datetime | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a table as of a moment, or now."""


class FirestoreExport(FirestoreSource):
    """`<anything>_raw_changelog` and, for collections that have none, `<anything>_raw_latest`, in one dataset.

    A table's rows tell its collection. The changelog knows when each document was made and which are gone; the other is
    a view of it, and has the last change alone. Tables of other collections are nobody's business.
    """

    def __init__(
        self,
        catalog: ChangeTables,
        rows: ChangeRows,
        project: str,
        dataset: str,
        collections: Mapping[str, DocumentCollection],
    ) -> None:
        """Asks nothing yet.

        Args:
            catalog: tells which tables there are.
            rows: reads them.
            project: that of the dataset, where the dataset names none.
            dataset: as `CALBACK_DOCUMENTS_DATASET` names it: `dataset` or `project.dataset`.
            collections: how documents become rows, by table.

        Raises:
            SettingsError: `dataset` names no dataset.
        """
        self._catalog = catalog
        self._rows = rows
        self._dataset = Dataset.named(
            dataset,
            project,
            setting="CALBACK_DOCUMENTS_DATASET",
            expected="the dataset of the extension firestore-bigquery-export",
        )
        self._collections = collections
        self._known: dict[str, str] = {}
        """The collection of each table that has rows, which stays the same."""

    def where(self, table: str) -> str:
        """The table of the extension that holds a collection, or the dataset that lacks it."""
        name = self._table(self._collections[table])
        place = f"table {self._dataset.name}.{name}" if name else f"dataset {self._dataset.name}"
        return f"{place} in project {self._dataset.project}"

    def has(self, table: str) -> bool:
        """Whether a table of the extension holds anything of the collection.

        Raises:
            SourceError: the dataset cannot be read, or two tables hold the collection.
        """
        return self._table(self._collections[table]) is not None

    def snapshots(self, tables: Collection[str], report: Callable[[str], None], /) -> Mapping[str, Snapshot]:
        """All as of one moment of BigQuery's clock, that before the first is read.

        A view has no past: it is read as it is when its turn comes.

        Raises:
            SourceError: a table that cannot be read to its end, a row that is none of the extension's, or too much that
                cannot be taken.
        """
        at = self._catalog.now(self._dataset)
        found = {}
        for table in tables:
            declared = self._collections[table]
            name = self._table(declared)
            documents = self._documents(name, declared, at, report) if name else ()
            found[table] = declared.snapshot(documents, at)
        return found

    def _table(self, declared: DocumentCollection) -> str | None:
        names = sorted(self._catalog.tables(self._dataset))
        for ending in (_CHANGELOG, _LATEST):
            found = [
                name for name in names if name.lower().endswith(ending) and self._collection_of(name) == declared.name
            ]
            if len(found) > 1:
                raise SourceError(
                    f"{self._dataset.name}: {' and '.join(found)} hold the same collection, {declared.name}. Keep one, "
                    f"or set {self._dataset.setting} to a dataset that has one."
                )
            if found:
                return found[0]
        return None

    def _collection_of(self, name: str) -> str | None:
        if name not in self._known:
            columns = self._catalog.columns(self._dataset, name)
            if lacking := [column for column in COLUMNS if columns is not None and column not in columns]:
                raise self._dataset.problem(name, f"has no column {lacking[0]}")
            found = None if columns is None else collection_in(self._catalog.any_of(self._dataset, name, _NAME))
            if found is None:
                return None
            self._known[name] = found
        return self._known[name]

    def _documents(
        self, name: str, declared: DocumentCollection, at: datetime, report: Callable[[str], None]
    ) -> Iterator[Document]:
        for latest in latest_of(self._changes(name, declared, at, report)):
            try:
                yield latest.document(declared)
            except UnusableError as error:
                raise self._cannot(name, latest.change.document_id, error.reason) from None

    def _changes(
        self, name: str, declared: DocumentCollection, at: datetime, report: Callable[[str], None]
    ) -> Iterator[Change]:
        moment = None if self._catalog.is_view(self._dataset, name) else at
        come, reported_at = 0, time.monotonic()
        for batch in self._rows.batches(self._dataset, name, COLUMNS, at=moment):
            for start in range(0, batch.num_rows, _SLICE_ROWS):
                for row in batch.slice(start, _SLICE_ROWS).to_pylist():
                    try:
                        yield change_in(row, declared)
                    except UnusableError as error:
                        raise self._cannot(name, _id_in(row, declared), error.reason) from None
            come += batch.num_rows
            if time.monotonic() - reported_at > _REPORT_EVERY_SECONDS:
                reported_at = time.monotonic()
                report(f"{declared.table.name}: {come:,} changes read")
        report(f"{declared.table.name}: {come:,} changes read")

    def _cannot(self, name: str, document_id: str | None, problem: str) -> SourceError:
        """The error for one row, which names the document and never quotes the row."""
        which = "a row" if document_id is None else f"document {document_id}"
        return SourceError(
            f"{self._dataset.name}.{name}, {which}: {problem}. Correct or delete what the extension did not write."
        )


def _id_in(row: Mapping[str, object], declared: DocumentCollection) -> str | None:
    try:
        return declared.id_in(row[_NAME])
    except UnusableError:
        return None
