"""The sample's documents into a Firestore emulator, so that its collections hold the sample and nothing else.

Only writing through a given client belongs here: what the documents are is decided in `firestore`, and which
emulator and project the client is of, by the caller. A client cannot set `create_time` and `update_time`; the server
does, so here everything was created now.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

import orjson
from google.api_core.exceptions import DeadlineExceeded, GoogleAPICallError, ServiceUnavailable
from google.cloud.firestore import Client, CollectionReference

from calback_assets.errors import CalbackError

_TIMES = {"userCollection": (), "meetingsCollection": ("from", "to", "recurrenceExceptionDates")}
"""The collections, users first because meetings name them; and which of their fields hold times."""

_BATCH = 250
"""Documents a request: a tenth of a megabyte, where an emulator takes four."""

_ANSWERS_WITHIN, _WRITES_WITHIN, _LISTS_WITHIN = 10.0, 60.0, 600.0
"""Seconds for a first sign of life, for a batch, and for all ids of a collection.

Nothing is tried again: the emulator is on this machine or beside it, and what it does not do at once it does not do.
"""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Upload:
    """What an upload has changed."""

    written: int
    removed: int
    """Documents of the two collections that are not in the sample."""


class FirestoreUpload:
    """Writes samples into one emulator."""

    def __init__(self, client: Client, address: str) -> None:
        """Connects to nothing yet.

        Args:
            client: of the emulator and the project to write to.
            address: of the emulator, for messages.
        """
        self._client = client
        self._address = address

    def check(self) -> None:
        """See that the emulator is there, before work is done that needs it.

        Raises:
            CalbackError: it is not.
        """
        with self._one_line_errors():
            self._client.collection("userCollection").limit(1).get(retry=None, timeout=_ANSWERS_WITHIN)

    def replace(self, folder: Path, report: Callable[[str, int], None]) -> Upload:
        """Let the two collections hold the documents of a sample's files, and no other.

        Args:
            folder: the sample's `firestore`.
            report: called with what is being done, and how many more documents of the sample have been written.

        Raises:
            CalbackError: the emulator does not answer or refuses; what it has taken by then it keeps.
        """
        with self._one_line_errors():
            ids = {name: self._write(folder / f"{name}.jsonl", report) for name in _TIMES}
            report("looking for other documents", 0)
            removed = sum(self._remove_all_but(ids[name], self._client.collection(name)) for name in _TIMES)
        return Upload(sum(map(len, ids.values())), removed)

    def _write(self, path: Path, report: Callable[[str, int], None]) -> set[str]:
        """Returns the ids of the documents."""
        collection = self._client.collection(path.stem)
        ids: set[str] = set()
        with path.open("rb") as lines:
            for documents in _chunks(map(orjson.loads, lines)):
                # Not BulkWriter, which keeps errors to itself and writes 500 documents a second.
                batch = self._client.batch()
                for document in documents:
                    ids.add(document["id"])
                    data = _with_times(document["data"], _TIMES[path.stem])
                    batch.set(collection.document(document["id"]), data)
                batch.commit(retry=None, timeout=_WRITES_WITHIN)
                report(f"{path.stem} to Firestore", len(documents))
        return ids

    def _remove_all_but(self, ids: set[str], collection: CollectionReference) -> int:
        number = collection.count()  # type: ignore[no-untyped-call]
        [[counted]] = number.get(retry=None, timeout=_WRITES_WITHIN)
        if counted.value == len(ids):
            return 0  # As almost always; the client takes as long to list documents as to write them.
        keys = collection.select(["__name__"]).stream(retry=None, timeout=_LISTS_WITHIN)
        others = [found.id for found in keys if found.id not in ids]
        for chunk in _chunks(others):
            batch = self._client.batch()
            for id_ in chunk:
                batch.delete(collection.document(id_))
            batch.commit(retry=None, timeout=_WRITES_WITHIN)
        return len(others)

    @contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        try:
            yield
        except (ServiceUnavailable, DeadlineExceeded) as error:
            raise CalbackError(
                f"no Firestore emulator answers at {self._address}; start one there, or set FIRESTORE_EMULATOR_HOST to "
                "the host and port of one that runs, and try again"
            ) from error
        except GoogleAPICallError as error:
            # Its text may quote a document.
            raise CalbackError(
                f"the Firestore emulator at {self._address} answered {type(error).__name__}; see its own log, or set "
                "FIRESTORE_EMULATOR_HOST to the host and port of another, and try again"
            ) from error


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, _BATCH)):
        yield chunk


def _with_times(data: dict[str, object], fields: Iterable[str]) -> dict[str, object]:
    """JSON has no timestamps: those of a document as Firestore's own, and its flaws as they are."""
    return data | {field: _time(data[field]) for field in fields if field in data}


def _time(value: object) -> object:
    if isinstance(value, list):
        return [_time(item) for item in value]
    if not isinstance(value, str):
        return value
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return value
    return value if time.tzinfo is None else time
