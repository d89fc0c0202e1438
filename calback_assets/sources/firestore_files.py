"""Firestore collections from JSON lines: `{"id", "create_time", "update_time", "data"}`, a document a line.

Only the form of a line belongs here; what a document's fields become stands in `firestore`, shared with every
other way to read documents.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from calback_assets.settings import Settings
from calback_assets.sources.firestore import Document, DocumentCollection, FirestoreSource, Snapshot
from calback_assets.sources.json_lines import json_objects, line_error
from calback_assets.sources.schemaless import UnusableError, string, timestamp

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of a snapshot without a file; no row carries it, as there are no rows."""


class FirestoreFiles(FirestoreSource):
    """`userCollection.jsonl` and `meetingsCollection.jsonl` in one folder; without a file, no documents."""

    def __init__(
        self,
        folder: Path,
        collections: Mapping[str, DocumentCollection],
        max_line_bytes: int = Settings.max_line_bytes,
    ) -> None:
        """Reads nothing yet.

        Args:
            folder: holds the files; may be absent.
            collections: how documents become rows, by table.
            max_line_bytes: the longest line that is taken.
        """
        self._folder = folder
        self._max_line_bytes = max_line_bytes
        self._collections = collections

    def snapshots(self, tables: Collection[str], _report: Callable[[str], None], /) -> Mapping[str, Snapshot]:
        """Each as of its file's modification time, which stays the same however often it is read.

        Raises:
            SourceError: a line that is not a document, a document that occurs twice, or too much that cannot be taken.
        """
        found = {}
        for table in tables:
            path = self._folder / f"{self._collections[table].name}.jsonl"
            found[table] = self._collections[table].snapshot(_documents(path, self._max_line_bytes), _modified_at(path))
        return found


def _modified_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC) if path.exists() else _NEVER


def _documents(path: Path, max_bytes: int) -> Iterator[Document]:
    if not path.exists():
        return
    for number, line in json_objects(path, max_bytes, half_characters=True):
        field = ""
        try:
            if not (id_ := string(line.get(field := "id"))):
                raise UnusableError("an empty string")
            created_at = timestamp(line.get(field := "create_time"))
            updated_at = timestamp(line.get(field := "update_time"))
        except UnusableError as error:
            raise line_error(path, number, f"{field}: {error}") from None
        data = line.get("data")
        if not isinstance(data, dict):
            raise line_error(path, number, "data: expected an object with the document's fields")
        yield Document(id_, created_at, updated_at, data)
