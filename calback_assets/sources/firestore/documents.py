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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice
from operator import itemgetter
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
NAME = "__name__"
"""The name of a document, which ends with its id."""
_TOLD = {
    "created_at": "createTime",
    "updated_at": "updateTime",
    "deleted_at": NAME,  # That a snapshot lacks it.
    "snapshot_at": "readTime",
}
"""Columns that follow from what Firestore tells of every document, by its own words."""
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
class Rows:
    """What some documents of a collection have become, in their order."""

    table: pa.Table
    """The columns that follow from the documents."""
    problems: Sequence[Problem] = ()
    """Document for document, and in the order of the columns."""


@dataclass(frozen=True)
class Field:
    """Where a column comes from: a field of the document's data, and how its value is taken."""

    name: str
    take: Callable[[object], object]
    absent: object = None


@dataclass(frozen=True)
class DocumentCollection:
    """A collection of Firestore, and how its documents become rows of a table."""

    name: str
    table: Table
    own: Mapping[str, Callable[[pa.Array], pa.Array]]
    """Columns that follow from the ids of the documents."""
    declared: Mapping[str, Field]
    """Columns that follow from one field of the document's data."""
    tolerated: float
    """The share of documents, of which something could not be taken, that a snapshot may hold."""

    @cached_property
    def fields(self) -> Collection[str]:
        """The fields of a document that are looked at, and no others: all that a source needs to ask for."""
        return sorted({field.name for field in self.declared.values()})

    @property
    def origins(self) -> Mapping[str, str]:
        """What each stored column follows from: a field of the data, or what Firestore itself tells of a document."""
        of_data = {column: field.name for column, field in self.declared.items()}
        return dict.fromkeys(self.own, NAME) | of_data | _TOLD

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
        """The documents by the rules, chunk by chunk, so that they never stand in memory together.

        Raises:
            SourceError: as `joined`.
        """
        return self.joined(self.rows(documents), snapshot_at)

    def rows(self, documents: Iterable[Document]) -> Iterator[Rows]:
        """What the documents become by the rules, a chunk at a time."""
        remaining = iter(documents)
        while chunk := list(islice(remaining, _CHUNK)):
            found: list[tuple[int, Problem]] = []
            ids, created_at, updated_at = zip(*((it.id, it.created_at, it.updated_at) for it in chunk), strict=True)
            times = {"created_at": created_at, "updated_at": updated_at}
            declared = {name: _column(chunk, field, found) for name, field in self.declared.items()}
            columns = {name: pa.array(values, self._type(name)) for name, values in {**times, **declared}.items()}
            # A set that keeps the order: two columns may come from one field.
            problems = dict.fromkeys(problem for _, problem in sorted(found, key=itemgetter(0)))
            yield Rows(self.table_of(pa.array(ids, pa.string()), columns), tuple(problems))

    def table_of(self, ids: pa.Array, columns: Mapping[str, pa.Array]) -> pa.Table:
        """The columns that follow from documents: those of the ids, and all others as they are given."""
        found = {**columns, **{name: follows(ids) for name, follows in self.own.items()}}
        return pa.table({name: found[name] for name in self.table.column_names if name in found})

    def joined(self, parts: Iterable[Rows], snapshot_at: datetime) -> Snapshot:
        """The rows of all documents as one snapshot.

        Raises:
            SourceError: two documents with one id, or more than the tolerated share with what cannot be taken.
        """
        tables: list[pa.Table] = []
        problems: list[Problem] = []
        for part in parts:
            tables.append(part.table)
            problems.extend(part.problems)
        documents = sum(table.num_rows for table in tables)
        schema = pa.schema([(name, self._type(name)) for name in self.table.column_names])
        at_one_time = {
            name: pa.repeat(pa.scalar(time, schema.field(name).type), documents)
            for name, time in (("deleted_at", None), ("snapshot_at", snapshot_at))
        }
        found = pa.concat_tables(tables) if tables else schema.empty_table()
        rows = pa.table(
            [at_one_time[name] if name in at_one_time else found.column(name) for name in schema.names], schema=schema
        )
        _refuse_duplicates(self.table, rows.column(self.table.key[0]))
        _refuse_too_many(self, tuple(problems), documents)
        return Snapshot(rows=rows, problems=tuple(problems), documents=documents, snapshot_at=snapshot_at)

    def _type(self, column: str) -> pa.DataType:
        return _ARROW_TYPES[self.table.column(column).type]


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
        "email_hash": Field("email", email_hash),
        "has_photo": Field("photoUrl", is_filled, absent=False),
        "has_push_token": Field("token", is_filled, absent=False),
        "flag": Field("flag", integer),
        "friend_count": Field("friends", count, absent=0),
        "blocked_count": Field("blockedUsers", count, absent=0),
        "requests_received": Field("reqReceived", count, absent=0),
        "requests_sent": Field("reqSent", count, absent=0),
        "open_privacy": Field("openPrivacy", boolean),
    }
    return DocumentCollection("userCollection", RAW_USERS, {"user_id": _as_it_is}, fields, tolerated)


def _meetings(tolerated: float) -> DocumentCollection:
    """`meetingsCollection` as `raw_meetings`.

    The counts and the list of people are NULL where absent: such a document predates the field. No recurrence
    rule means that the meeting does not recur.
    """
    fields = {
        "owner_id": Field("owner", string),
        "starts_at": Field("from", timestamp),
        "ends_at": Field("to", timestamp),
        "is_all_day": Field("isAllDay", boolean),
        "is_recurring": Field("recurrenceRule", is_filled, absent=False),
        "content_length": Field("content", length),
        "involved_ids": Field("involved", strings),
        "involved_count": Field("involved", count),
        "pending_involved_count": Field("pendingInvolved", count),
    }
    own = {"meeting_id": _as_it_is, "is_pending": _is_pending}
    return DocumentCollection("meetingsCollection", RAW_MEETINGS, own, fields, tolerated)


def _column(documents: Sequence[Document], field: Field, problems: list[tuple[int, Problem]]) -> list[object]:
    """A column's values; adds the problems, each with the number of its document."""
    name, take, absent = field.name, field.take, field.absent
    found = [document.data.get(name) for document in documents]
    try:
        return [absent if value is None else take(value) for value in found]
    except UnusableError:
        pass  # Rare: once more, now to find which and why.
    values: list[object] = []
    for number, (document, value) in enumerate(zip(documents, found, strict=True)):
        try:
            values.append(absent if value is None else take(value))
        except UnusableError as unusable:
            values.append(unusable.instead)
            problems.append((number, Problem(document.id, name, unusable.reason)))
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


def _as_it_is(ids: pa.Array) -> pa.Array:
    return ids


def _is_pending(ids: pa.Array) -> pa.Array:
    return pc.starts_with(ids, "pending")
