"""Firestore collections from JSON lines: `{"id", "create_time", "update_time", "data"}`, a document a line.

Only the form of a line belongs here; what a document's fields become stands in `firestore`, shared with every
other way to read documents.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from calback_assets.sources.firestore import Document, Snapshot, meetings_snapshot, users_snapshot
from calback_assets.sources.json_lines import json_objects, line_error
from calback_assets.sources.schemaless import UnusableError, string, timestamp

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of a snapshot without a file; no row carries it, as there are no rows."""


class FirestoreFiles:
    """`userCollection.jsonl` and `meetingsCollection.jsonl` in one folder; without a file, no documents."""

    def __init__(self, folder: Path, pseudonym_key: bytes) -> None:
        """Reads nothing yet.

        Args:
            folder: holds the files; may be absent.
            pseudonym_key: key of the hash that stands for an e-mail address.
        """
        self._users = folder / "userCollection.jsonl"
        self._meetings = folder / "meetingsCollection.jsonl"
        self._pseudonym_key = pseudonym_key

    def users(self) -> Snapshot:
        """`userCollection` as of the file's modification time, which stays the same however often it is read.

        Raises:
            SourceError: a line that is not a document, or a document that occurs twice.
        """
        return users_snapshot(
            _documents(self._users), snapshot_at=_modified_at(self._users), pseudonym_key=self._pseudonym_key
        )

    def meetings(self) -> Snapshot:
        """`meetingsCollection` as of the file's modification time.

        Raises:
            SourceError: a line that is not a document, or a document that occurs twice.
        """
        return meetings_snapshot(_documents(self._meetings), snapshot_at=_modified_at(self._meetings))


def _modified_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC) if path.exists() else _NEVER


def _documents(path: Path) -> Iterator[Document]:
    if not path.exists():
        return
    for number, line in json_objects(path):
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
