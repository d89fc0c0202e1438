"""Firestore documents as rows of `raw_users` and `raw_meetings`, wherever the documents come from.

What each field of a document becomes belongs here, personal fields first: names, titles, addresses of
pictures and tokens are looked at for the facts derived from them and go no further. Reading documents does
not belong here.

Documents are schemaless: a missing or null field is nothing special, a field of another type becomes NULL and
a `Problem`. No single document fails a snapshot; many of them do, as then it is the app that has changed.
"""

import hmac
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from calback_assets.errors import SourceError
from calback_assets.sources.firestore.schemaless import (
    UnusableError,
    boolean,
    count,
    integer,
    is_filled,
    length,
    string,
    strings,
    timestamp,
)
from calback_assets.tables.contract import Table
from calback_assets.tables.raw import RAW_MEETINGS, RAW_USERS

_CHUNK = 250
"""Documents held as Python objects at a time."""
_SHOWN_REASONS = 5
_NAME = re.compile(r"projects/[^/]+/databases/[^/]+/documents/(?P<collection>[^/]+)/(?P<id>[^/]+)", re.DOTALL)
_ARROW_TYPES: Mapping[str, pa.DataType] = {
    "STRING": pa.string(),
    "INT64": pa.int64(),
    "BOOL": pa.bool_(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    "ARRAY<STRING>": pa.list_(pa.string()),
}


@dataclass(frozen=True, slots=True)
class Document:
    """One document as a source delivers it; the times carry their zone."""

    id: str
    created_at: datetime
    updated_at: datetime
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Problem:
    """A field that could not be taken, or not wholly; quotes no value."""

    document_id: str
    field: str
    reason: str


@dataclass(frozen=True)
class Snapshot:
    """One collection at one time."""

    rows: pa.Table
    """The stored columns of the table's contract; `deleted_at` is NULL, as these documents exist."""
    problems: tuple[Problem, ...]
    documents: int
    snapshot_at: datetime
    """When the collection was read: what it lacks was gone by then. Known also where there are no rows."""


@dataclass(frozen=True)
class _Field:
    """Where a column comes from: a field of the document's data, and how its value is taken."""

    name: str
    take: Callable[[object], object]
    absent: object = None


@dataclass(frozen=True)
class DocumentCollection:
    """A collection of Firestore, and how its documents become rows of a table."""

    name: str
    table: Table
    own: Mapping[str, Callable[[Document], object]]
    """Columns that follow from the document itself."""
    declared: Mapping[str, _Field]
    """Columns that follow from one field of the document's data."""
    tolerated: float
    """The share of documents, of which something could not be taken, that a snapshot may hold."""

    @property
    def fields(self) -> Collection[str]:
        """The fields of a document that are looked at, and no others: all that a source needs to ask for."""
        return sorted({field.name for field in self.declared.values()})

    def id_in(self, name: object) -> str:
        """The id in the full name of one of its documents.

        Raises:
            UnusableError: it is no such name.
        """
        found = _NAME.fullmatch(string(name))
        if not found or found["collection"] != self.name:
            raise UnusableError(f"not the name of a document of {self.name}")
        return found["id"]

    def snapshot(self, documents: Iterable[Document], snapshot_at: datetime) -> Snapshot:
        """Build the table chunk by chunk, so that a collection's documents never stand in memory together.

        Raises:
            SourceError: two documents with one id, or more than the tolerated share with what cannot be taken.
        """
        of_every_document: Mapping[str, Callable[[Document], object]] = {
            "created_at": lambda document: document.created_at,
            "updated_at": lambda document: document.updated_at,
            "deleted_at": lambda _: None,
            "snapshot_at": lambda _: snapshot_at,
        }
        own = {**of_every_document, **self.own}
        schema = pa.schema([pa.field(column.name, _ARROW_TYPES[column.type]) for column in self.table.columns])
        batches = []
        problems: dict[Problem, None] = {}  # A set that keeps the order: two columns may come from one field.
        remaining = iter(documents)
        while chunk := list(islice(remaining, _CHUNK)):
            columns = [
                _column(chunk, self.declared[name], problems) if name in self.declared else list(map(own[name], chunk))
                for name in self.table.column_names
            ]
            arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
            batches.append(pa.record_batch(arrays, schema=schema))
        rows = pa.Table.from_batches(batches, schema=schema)
        _refuse_duplicates(self.table, rows.column(self.table.key[0]))
        _refuse_too_many(self, tuple(problems), rows.num_rows)
        return Snapshot(rows=rows, problems=tuple(problems), documents=rows.num_rows, snapshot_at=snapshot_at)


class FirestoreSource(Protocol):
    """Where the documents are: files, or the app's own database."""

    def where(self, table: str) -> str:
        """The place of the documents of a table, as a person would name it."""

    def has(self, table: str) -> bool:
        """Whether there is anything that may hold documents of a table.

        Raises:
            SourceError: it cannot be told which of two it is.
        """

    def count(self, _table: str, /) -> int | None:
        """How many documents of a table there are, by one request; None where only reading them would tell.

        Raises:
            SourceError: there is no answer within seconds, or it is a refusal.
        """
        return None

    def snapshots(self, tables: Collection[str], report: Callable[[str], None], /) -> Mapping[str, Snapshot]:
        """The collections of these tables, by table, as they were at one time.

        Args:
            tables: names of the tables.
            report: told in a sentence how far a long reading has come.

        Raises:
            SourceError: the documents cannot be read, or break what `DocumentCollection.snapshot` demands.
        """


def collection_in(name: object) -> str | None:
    """The collection in the full name of a document, which no other document holds; None where it is no such name."""
    found = _NAME.fullmatch(name) if isinstance(name, str) else None
    return found["collection"] if found else None


def collections(pseudonym_key: bytes, tolerated: float) -> Mapping[str, DocumentCollection]:
    """Both collections, by the names of their tables.

    Args:
        pseudonym_key: key of the hash that stands for an e-mail address.
        tolerated: see `DocumentCollection`.
    """
    return {declared.table.name: declared for declared in (_users(pseudonym_key, tolerated), _meetings(tolerated))}


def _users(pseudonym_key: bytes, tolerated: float) -> DocumentCollection:
    """`userCollection` as `raw_users`.

    Lists that are absent count 0: the app writes them with the first entry. A picture or token that is absent
    is not set.
    """

    def email_hash(value: object) -> str | None:
        address = string(value).strip().lower()
        return hmac.digest(pseudonym_key, address.encode(), "sha256").hex() if address else None

    fields = {
        "email_hash": _Field("email", email_hash),
        "has_photo": _Field("photoUrl", is_filled, absent=False),
        "has_push_token": _Field("token", is_filled, absent=False),
        "flag": _Field("flag", integer),
        "friend_count": _Field("friends", count, absent=0),
        "blocked_count": _Field("blockedUsers", count, absent=0),
        "requests_received": _Field("reqReceived", count, absent=0),
        "requests_sent": _Field("reqSent", count, absent=0),
        "open_privacy": _Field("openPrivacy", boolean),
    }
    return DocumentCollection("userCollection", RAW_USERS, {"user_id": _document_id}, fields, tolerated)


def _meetings(tolerated: float) -> DocumentCollection:
    """`meetingsCollection` as `raw_meetings`.

    The counts and the list of people are NULL where absent: such a document predates the field. No recurrence
    rule means that the meeting does not recur.
    """
    fields = {
        "owner_id": _Field("owner", string),
        "starts_at": _Field("from", timestamp),
        "ends_at": _Field("to", timestamp),
        "is_all_day": _Field("isAllDay", boolean),
        "is_recurring": _Field("recurrenceRule", is_filled, absent=False),
        "content_length": _Field("content", length),
        "involved_ids": _Field("involved", strings),
        "involved_count": _Field("involved", count),
        "pending_involved_count": _Field("pendingInvolved", count),
    }
    own = {"meeting_id": _document_id, "is_pending": _is_pending}
    return DocumentCollection("meetingsCollection", RAW_MEETINGS, own, fields, tolerated)


def _column(documents: Sequence[Document], field: _Field, problems: dict[Problem, None]) -> list[object]:
    name, take, absent = field.name, field.take, field.absent
    found = [document.data.get(name) for document in documents]
    try:
        return [absent if value is None else take(value) for value in found]
    except UnusableError:
        pass  # Rare: once more, now to find which and why.
    values: list[object] = []
    for document, value in zip(documents, found, strict=True):
        try:
            values.append(absent if value is None else take(value))
        except UnusableError as unusable:
            values.append(unusable.instead)
            problems[Problem(document.id, name, unusable.reason)] = None
    return values


def _refuse_duplicates(table: Table, ids: pa.ChunkedArray) -> None:
    if len(pc.unique(ids)) == len(ids):
        return
    counts = pc.value_counts(ids)
    repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    raise SourceError(
        f"{table.name}: document {repeated[0].as_py()} occurs more than once in one snapshot. "
        "Export the collection again, in one piece."
    )


def _refuse_too_many(collection: DocumentCollection, problems: Sequence[Problem], documents: int) -> None:
    rejected = len({problem.document_id for problem in problems})
    if rejected <= max(1, collection.tolerated * documents):
        return
    reasons = Counter(f"{problem.field}: {problem.reason}" for problem in problems).most_common(_SHOWN_REASONS)
    listed = "; ".join(f"{reason} ({count:,} times)" for reason, count in reasons)
    raise SourceError(
        f"{collection.table.name}: {rejected:,} of {documents:,} documents ({rejected / documents:.1%}) hold what "
        f"cannot be taken, more than {collection.tolerated:.1%}: {listed}. Nothing was written. See what the app "
        "writes there now; to take the documents without these values, raise CALBACK_MAX_REJECTED_SHARE"
    )


def _document_id(document: Document) -> str:
    return document.id


def _is_pending(document: Document) -> bool:
    return document.id.startswith("pending")
