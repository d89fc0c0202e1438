"""Documents in memory, with all their versions: what each was at any time since the store was made.

What a request may ask for and what a write may change stands beside it; here a document can also be put as no
client could: with times of its own, and with values that Firestore refuses.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from threading import Lock
from time import time_ns
from typing import Any

import grpc

from calback_assets_tests.firestore.names import Key, sort_key
from calback_assets_tests.firestore.refusal import Refusal, invalid
from calback_assets_tests.firestore.values import Document, encode_fields, from_microseconds, microseconds


@dataclass(slots=True)
class Entry:
    """A name and what stood under it; the newest version is the last."""

    path: str
    key: Key
    versions: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Commit time and document, which is None from a deletion on. Bytes: a fifth of a message's memory."""

    def at(self, time: int) -> bytes | None:
        """The document at a time, as it is sent."""
        for committed, document in reversed(self.versions):
            if committed <= time:
                return document
        return None


class Store:
    """The one database of a server, safe to use from several threads.

    Times are microseconds since 1970. Whatever was read at a time reads the same ever after: no later commit gets
    that time or an earlier one. `put` alone can add to the past.

    Attributes:
        root: the full name that all documents' names begin with.
        retention: how far back a read may reach.
    """

    def __init__(self, project: str) -> None:
        self.root = f"projects/{project}/databases/(default)/documents"
        self.retention = timedelta(hours=1)
        self._lock = Lock()
        self._last = 0
        self._collections: dict[str, _Collection] = {}

    def put(
        self,
        path: str,
        data: Mapping[str, object],
        *,
        create_time: datetime | None = None,
        update_time: datetime | None = None,
    ) -> datetime:
        """Stores a document as it is given, without any of Firestore's limits; returns its update time.

        Args:
            path: `userCollection/u1`.
            data: Python values, or values of the protocol.
            create_time: by default that of the document which is there, else the update time.
            update_time: from when on the document is seen, no later than now and after what is there. By default
                the chosen create time of a document that is not there, else now.

        Raises:
            ValueError: the times contradict each other, the clock, or the document's history.
        """
        document = Document()
        encode_fields(document.fields, data)
        with self.commit() as commit:
            commit.set(path, document, create_time, update_time)
        return from_microseconds(document.update_time.ToMicroseconds())

    def delete(self, path: str) -> datetime:
        """Deletes a document, now; returns the time from which on it is gone."""
        with self.commit() as commit:
            commit.delete(path)
        return from_microseconds(commit.time)

    def snapshot(self, read_time: int | None) -> int:
        """The time that a read is of: the asked one, or now.

        Raises:
            Refusal: the asked time is not one that can be read.
        """
        with self._lock:
            latest = self._tick(0)
            if read_time is None:
                return latest
            if read_time > latest:
                raise invalid("read_time cannot be in the future.")
            if read_time < latest - self.retention // timedelta(microseconds=1):
                raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, "The requested snapshot version is too old.")
            return read_time

    def get(self, path: str, time: int) -> bytes | None:
        """A document at a time, as it is sent."""
        entry = self._entry(path)
        return entry.at(time) if entry else None

    def entries(self, parent: str, collection_id: str, *, all_descendants: bool) -> "list[Entry]":
        """The names of a collection in their order, or of all collections of that id below the parent.

        The list is nobody else's and does not grow: later documents are not for a read that has begun.
        """
        path = f"{parent}/{collection_id}" if parent else collection_id
        with self._lock:
            if not all_descendants:
                return self._collections[path].ordered() if path in self._collections else []
            below = f"{parent}/" if parent else ""
            collections = [
                collection.ordered()
                for name, collection in self._collections.items()
                if name.startswith(below) and name.rpartition("/")[2] == collection_id
            ]
        if len(collections) == 1:
            return collections[0]
        return sorted((entry for entries in collections for entry in entries), key=attrgetter("key"))

    @contextmanager
    def commit(self) -> "Iterator[Commit]":
        """Changes that are seen together, and at once after the block; none when it raises."""
        with self._lock:
            commit = Commit(self, self._tick(1))
            yield commit
            for path, (time, document) in commit.changes.items():
                collection = self._collections.setdefault(path.rpartition("/")[0], _Collection())
                collection.entry(path).versions.append((time, document))

    def _tick(self, step: int) -> int:
        """Now, and at least a step after what was last given out."""
        self._last = max(time_ns() // 1000, self._last + step)
        return self._last

    def _entry(self, path: str) -> "Entry | None":
        collection = self._collections.get(path.rpartition("/")[0])
        return collection.entries.get(path) if collection else None


class Commit:
    """One commit while it is made; what it sets can be got from it.

    Attributes:
        time: its time, the update time of what it changes.
        changes: by path, from when on which document is there, None for none.
    """

    def __init__(self, store: Store, time: int) -> None:
        self.time = time
        self.changes: dict[str, tuple[int, bytes | None]] = {}
        self._store = store

    def get(self, path: str) -> Any:
        """The document as this commit sees it, a message of its own, or None."""
        if path in self.changes:
            encoded = self.changes[path][1]
        else:
            entry = self._store._entry(path)
            encoded = entry.versions[-1][1] if entry else None
        return None if encoded is None else Document.FromString(encoded)

    def set(
        self, path: str, document: Any, create_time: datetime | None = None, update_time: datetime | None = None
    ) -> None:
        """Stores a document under a path; its name and times are set in it."""
        existing = self.get(path)
        updated = self._chosen_time(path, update_time or (None if existing else create_time))
        if create_time is not None:
            created = microseconds(create_time)
        else:
            created = existing.create_time.ToMicroseconds() if existing else updated
        if created > updated:
            raise ValueError(f"{path}: a document is not created after it was updated")
        document.name = f"{self._store.root}/{path}"
        document.create_time.FromMicroseconds(created)
        document.update_time.FromMicroseconds(updated)
        self.changes[path] = (updated, document.SerializeToString(deterministic=True))

    def delete(self, path: str) -> None:
        """Deletes a document; nothing happens where there is none."""
        if self.get(path) is not None:
            self.changes[path] = (self.time, None)

    def _chosen_time(self, path: str, time: datetime | None) -> int:
        if time is None:
            return self.time
        chosen = microseconds(time)
        if chosen > self.time:
            raise ValueError(f"{path}: the chosen time is in the future, and no read would see the document")
        entry = self._store._entry(path)
        if entry and entry.versions[-1][0] >= chosen:
            raise ValueError(f"{path}: the document already has a version of the chosen time or after it")
        return chosen


class _Collection:
    """The documents of one collection, also those that are gone."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._ordered: list[Entry] = []

    def entry(self, path: str) -> Entry:
        if path not in self.entries:
            self.entries[path] = Entry(path, sort_key(path))
        return self.entries[path]

    def ordered(self) -> list[Entry]:
        # Names are only ever added, and a list that was given out stays as it is.
        if len(self._ordered) < len(self.entries):
            self._ordered = sorted(self.entries.values(), key=attrgetter("key"))
        return self._ordered


def first_from(entries: list[Entry], key: Key) -> int:
    """Where the names begin that are not before the key."""
    return bisect_left(entries, key, key=attrgetter("key"))


def first_after(entries: list[Entry], key: Key) -> int:
    """Where the names begin that are after the key."""
    return bisect_right(entries, key, key=attrgetter("key"))
