"""What the rows of the extension firestore-bigquery-export say of the documents that there are.

A row stands for one change of one document. Which change holds and when a document was made belong here, wherever the
rows come from: `forms` has them from files, `extension` from BigQuery.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from calback_assets.sources.firestore.documents import Document, DocumentCollection
from calback_assets.sources.firestore.schemaless import UnusableError, string, timestamp

COLUMNS = ("document_name", "timestamp", "operation", "data")
"""All of a row that is looked at."""
_CREATE, _DELETE = "CREATE", "DELETE"
_OPERATIONS = ("IMPORT", _CREATE, "UPDATE", _DELETE)
"""What a row stands for; of two rows of one moment the later in this order holds."""


class Change(NamedTuple):
    """One change of a document; of two, the greater holds."""

    at: datetime
    rank: int
    """Where its operation stands in `_OPERATIONS`."""
    text: str
    """The document's fields after it, as JSON."""
    number: int
    """Of its row, where rows are numbered."""
    document_id: str


class Latest(NamedTuple):
    """The change of a document that holds."""

    change: Change
    created_at: datetime

    def document(self, collection: DocumentCollection) -> Document:
        """The document, of whose fields only those are kept that are looked at.

        Raises:
            UnusableError: the change does not hold a document's fields.
        """
        try:
            data = json.loads(self.change.text)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            raise UnusableError("data: expected an object with the document's fields, as text")
        kept = {name: data[name] for name in collection.fields if name in data}
        return Document(self.change.document_id, self.created_at, self.change.at, kept)


def change_in(row: Mapping[str, object], collection: DocumentCollection, number: int = 0) -> Change:
    """The change that a row stands for.

    Args:
        row: has at least `COLUMNS`.
        collection: whose documents change.
        number: of the row.

    Raises:
        UnusableError: it is no row of the extension, or one of another collection; says which field.
    """
    field = ""
    try:
        document_id = collection.id_in(row.get(field := "document_name"))
        at = timestamp(row.get(field := "timestamp"))
        operation = string(row.get(field := "operation"))
        if operation not in _OPERATIONS:
            raise UnusableError(f"none of {', '.join(_OPERATIONS)}")
        text = "" if operation == _DELETE else string(row.get(field := "data"))
    except UnusableError as error:
        raise UnusableError(f"{field}: {error}") from None
    return Change(at, _OPERATIONS.index(operation), text, number, document_id)


def latest_of(changes: Iterable[Change]) -> Iterator[Latest]:
    """The last change of each document, unless it is a deletion.

    Changes of one moment are taken in the order of `_OPERATIONS`, then of their data: not in that of the rows, which
    BigQuery does not keep. The texts of all documents stand in memory together, however many changes there are.
    """
    latest: dict[str, Change] = {}
    made: dict[str, tuple[bool, datetime]] = {}
    for change in changes:
        id_ = change.document_id
        latest[id_] = max(change, latest.get(id_, change))
        # What is known of a document begins with its creation; only without one with the first that is heard of it.
        beginning = (_OPERATIONS[change.rank] != _CREATE, change.at)
        made[id_] = min(beginning, made.get(id_, beginning))
    for id_, change in latest.items():
        if _OPERATIONS[change.rank] != _DELETE:
            yield Latest(change, made[id_][1])
