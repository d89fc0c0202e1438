"""Firestore collections from the app's own database, all as they were at one time.

How a snapshot is asked for belongs here: one read time, parallel streams that resume, and the count that proves them
complete. What a document's fields become stands in `documents`, the connection in `client`.

The requests are Google's generated ones. The client above them decodes a document eight times slower, fails a whole
stream for one reference into another project, and its own resuming neither pauses nor ends.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from queue import Full, Queue
from threading import Event
from typing import Any, TypeAlias

from google.api_core import retry
from google.cloud.firestore import Client
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.types import RunQueryResponse

from calback_assets.errors import SourceError
from calback_assets.sources.firestore.client import FAILURES, Patience, explain, streaming
from calback_assets.sources.firestore.documents import Document, DocumentCollection, FirestoreSource, Snapshot
from calback_assets.sources.firestore.schemaless import Foreign

_STREAMS = 8
_DOCUMENTS_A_STREAM = 100
"""A collection of fewer is not divided further: a stream takes longer to begin than to send them."""
_CHUNK = 50
"""Documents handed from a stream to the reader at a time."""
_WAITING_CHUNKS = 2
"""For each stream; together with what it is collecting, all of a stream that stands in memory."""
_TICK_SECONDS = 0.1
"""How long a stream that waits for the reader takes to see that nobody reads any more."""
_REPORT_EVERY_SECONDS = 10.0
_IMPATIENCE = Patience(attempts=1, request_seconds=10.0)
"""Of somebody who only asks whether Firestore answers."""
_NEVER = retry.Retry(predicate=lambda _: False)
"""Google's default would repeat on its own what `Patience` counts."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME = "__name__"
_Item: TypeAlias = list[Document] | str
"""A chunk of a stream, or a sentence about it."""
_AS_IT_IS = frozenset({"boolean_value", "integer_value", "double_value", "string_value", "bytes_value"})


class LiveFirestore(FirestoreSource):
    """The collections of one project."""

    def __init__(
        self,
        project: str,
        connect: Callable[[str], AbstractContextManager[Client]],
        collections: Mapping[str, DocumentCollection],
        patience: Patience | None = None,
        streams: int = _STREAMS,
    ) -> None:
        """Name the project; nothing is called yet.

        Args:
            project: its id.
            connect: makes a client of it.
            collections: how documents become rows, by table.
            patience: with requests that fail for a passing reason.
            streams: how many parts of a collection are read at the same time.
        """
        self._project = project
        self._connect = connect
        self._collections = collections
        self._patience = patience or Patience()
        self._streams = streams

    def where(self, table: str) -> str:
        """The collection of a table."""
        return f"{self._collections[table].name} in the Firestore of project {self._project}"

    def has(self, _table: str) -> bool:
        """Always: a collection without documents is not there in Firestore, and still is the app's."""
        return True

    def count(self, table: str, /) -> int:
        """How many documents Firestore counts now.

        Raises:
            SourceError: there is no answer within seconds, or it is a refusal.
        """
        with self._connect(self._project) as client, streaming(client) as api:
            try:
                return _Database(api, client, _IMPATIENCE, lambda _: None).count(self._collections[table].name, None)[0]
            except FAILURES as error:
                raise explain(error, self._project) from None

    def snapshots(self, tables: Collection[str], report: Callable[[str], None], /) -> Mapping[str, Snapshot]:
        """All as they were at the time at which the first was counted.

        Raises:
            SourceError: Firestore cannot be read to the end, its count differs from what was read, or the documents
                hold too much that cannot be taken.
        """
        found: dict[str, Snapshot] = {}
        at = None
        with self._connect(self._project) as client, streaming(client) as api:
            database = _Database(api, client, self._patience, report)
            for table in tables:
                collection = self._collections[table]
                try:
                    expected, at = database.count(collection.name, at)
                    found[table] = self._snapshot(database, collection, expected, at, report)
                except FAILURES as error:
                    raise SourceError(f"{table}: {explain(error, self._project)}; nothing was written") from None
        return found

    def _snapshot(
        self,
        database: "_Database",
        collection: DocumentCollection,
        expected: int,
        at: datetime,
        report: Callable[[str], None],
    ) -> Snapshot:
        parts = min(self._streams, expected // _DOCUMENTS_A_STREAM + 1)
        streams = [
            partial(database.stream, collection, part, at) for part in database.divided(collection.name, parts, at)
        ]
        with _merged(streams) as items:
            documents = _reported(items, collection.table.name, expected, report)
            snapshot = collection.snapshot(documents, at)
        if snapshot.documents != expected:
            raise SourceError(
                f"{collection.table.name}: Firestore counts {expected:,} documents in {collection.name} at "
                f"{at.isoformat()}, and {snapshot.documents:,} were read; nothing was written; run it again"
            )
        return snapshot


@dataclass(frozen=True)
class _Part:
    """Documents of a collection from one name to before another, in the order of their names."""

    start: str | None = None
    end: str | None = None


@dataclass
class _Cancellation:
    """Ends all streams of a collection, also those that wait for Firestore."""

    _event: Event = field(default_factory=Event)
    _calls: set[Any] = field(default_factory=set)

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until streams are to end; tells whether they are."""
        return self._event.wait(seconds)

    @contextmanager
    def over(self, call: Any) -> Iterator[None]:
        """Cancel this call, too, if it comes to that."""
        self._calls.add(call)
        if self._event.is_set():
            call.cancel()
        try:
            yield
        finally:
            self._calls.discard(call)
            call.cancel()

    def ask(self) -> None:
        """End all streams."""
        self._event.set()
        for call in tuple(self._calls):
            call.cancel()


class _Database:
    """What is asked of Firestore, each request repeated as long as patience allows."""

    def __init__(self, api: FirestoreClient, client: Client, patience: Patience, report: Callable[[str], None]) -> None:
        self._api = api
        self._root = f"{client._database_string}/documents"
        # Which database a request is for stands in its headers, too.
        self._options: Mapping[str, Any] = {
            "metadata": client._rpc_metadata,
            "retry": _NEVER,
            "timeout": patience.request_seconds,
        }
        self._patience = patience
        self._report = report

    def count(self, name: str, at: datetime | None) -> tuple[int, datetime]:
        """How many documents the collection has, and when; now, where no time is given."""
        request = {
            "parent": self._root,
            "structured_aggregation_query": {
                "structured_query": {"from_": [{"collection_id": name}]},
                "aggregations": [{"alias": "documents", "count": {}}],
            },
            "read_time": at,
        }
        ask = partial(self._api.run_aggregation_query, request, **self._options)
        (answer,) = self._patience.ask(lambda: list(ask()), self._report)
        return answer.result.aggregate_fields["documents"].integer_value, at or _time(answer._pb.read_time)

    def divided(self, name: str, parts: int, at: datetime) -> list[_Part]:
        """About so many parts of a collection, which together are all of it."""
        if parts == 1:
            return [_Part()]
        request = {
            "parent": self._root,
            "structured_query": {
                "from_": [{"collection_id": name, "all_descendants": True}],
                "order_by": [{"field": {"field_path": _NAME}, "direction": "ASCENDING"}],
            },
            "partition_count": parts - 1,
            "read_time": at,
        }
        ask = partial(self._api.partition_query, request, **self._options)
        cursors = self._patience.ask(lambda: list(ask()), self._report)
        # Only collections of one name in the whole database can be divided: a cursor may stand in another of them.
        inside = f"{self._root}/{name}/"
        found = {cursor.values[0].reference_value for cursor in cursors}
        ids = {path.removeprefix(inside).split("/")[0] for path in found if path.startswith(inside)}
        # Pages of cursors come in no order. Python sorts by code points, Firestore by UTF-8: the same order.
        bounds = [None, *(inside + id_ for id_ in sorted(ids)), None]
        return [_Part(start, end) for start, end in pairwise(bounds)]

    def stream(
        self, collection: DocumentCollection, part: _Part, at: datetime, cancellation: _Cancellation
    ) -> "Iterator[_Item]":
        """The documents of a part in chunks, with the fields that are looked at alone, and what there is to say.

        A stream that breaks goes on after the last document that came. Neither limit nor offset is used, which would
        count from there anew.
        """
        start = {"values": [{"reference_value": part.start}], "before": True} if part.start else None
        failures = 0
        while True:
            request = {"parent": self._root, "structured_query": _query(collection, start, part.end), "read_time": at}
            chunk: list[Document] = []
            try:
                answers = self._api.run_query(request, **self._options)
                with cancellation.over(answers):
                    for answer in answers:
                        if not answer._pb.HasField("document"):
                            continue  # It tells only how far Firestore has come.
                        chunk.append(_document(answer))
                        start = {"values": [{"reference_value": answer._pb.document.name}], "before": False}
                        failures = 0
                        if len(chunk) == _CHUNK:
                            yield chunk
                            chunk = []
                yield chunk
                return
            except FAILURES as error:
                yield chunk
                failures += 1
                pause = self._patience.pause_after(error, failures)
                yield self._patience.told(error, failures, pause)
                if cancellation.wait(pause):
                    return


def _query(collection: DocumentCollection, start: Mapping[str, object] | None, end: str | None) -> dict[str, object]:
    return {
        "select": {"fields": [{"field_path": name} for name in collection.fields]},
        "from_": [{"collection_id": collection.name}],
        "order_by": [{"field": {"field_path": _NAME}, "direction": "ASCENDING"}],
        "start_at": start,
        "end_at": {"values": [{"reference_value": end}], "before": True} if end else None,
    }


@contextmanager
def _merged(
    streams: Sequence[Callable[[_Cancellation], Iterator[_Item]]],
) -> Iterator[Iterator[_Item]]:
    """What all streams give as it comes, each stream read by a thread; the first error ends all of them."""
    cancellation = _Cancellation()
    queue: Queue[_Item | Exception | None] = Queue(len(streams) * _WAITING_CHUNKS)

    def offer(item: _Item | Exception | None) -> None:
        while not cancellation.wait(0):
            with suppress(Full):
                queue.put(item, timeout=_TICK_SECONDS)
                return

    def read(stream: Callable[[_Cancellation], Iterator[_Item]]) -> None:
        try:
            for item in stream(cancellation):
                offer(item)
            offer(None)
        except Exception as error:
            offer(error)

    def items() -> Iterator[_Item]:
        running = len(streams)
        while running:
            item = queue.get()
            if isinstance(item, Exception):
                raise item
            if item is None:
                running -= 1
            else:
                yield item

    with ThreadPoolExecutor(len(streams), "firestore") as threads:
        for stream in streams:
            threads.submit(read, stream)
        try:
            yield items()
        finally:
            cancellation.ask()


def _reported(items: Iterator[_Item], table: str, expected: int, report: Callable[[str], None]) -> Iterator[Document]:
    """The documents, with a word every ten seconds on how many have come, and at once on what a stream has to say."""
    come, reported_at = 0, time.monotonic()
    for item in items:
        if isinstance(item, str):
            report(f"{table}: {item}")
            continue
        yield from item
        come += len(item)
        if time.monotonic() - reported_at > _REPORT_EVERY_SECONDS:
            reported_at = time.monotonic()
            report(f"{table}: {come:,} of {expected:,} documents read")
    report(f"{table}: {come:,} of {expected:,} documents read")


def _document(answer: RunQueryResponse) -> Document:
    document = answer._pb.document
    return Document(
        document.name.rpartition("/")[2],
        _time(document.create_time),
        _time(document.update_time),
        {name: _value(value) for name, value in document.fields.items()},
    )


def _value(value: Any) -> object:
    """A value of Firestore as Python has it; what Python has not is told by its kind alone."""
    kind = value.WhichOneof("value_type")
    if kind in _AS_IT_IS:
        return getattr(value, kind)
    match kind:
        case "null_value" | None:
            return None
        case "timestamp_value":
            return _time(value.timestamp_value)
        case "array_value":
            return [_value(item) for item in value.array_value.values]
    return Foreign(kind.removesuffix("_value"))


def _time(timestamp: Any) -> datetime:
    return _EPOCH + timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1000)
