"""Firestore collections from JSON lines: `{"id", "create_time", "update_time", "data"}`, a document a line.

Only the form of a line belongs here; what a document's fields become stands in `firestore`, shared with every
other way to read documents.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from calback_assets.settings import Settings
from calback_assets.sources.data_folder import entries, named, refuse_two
from calback_assets.sources.firestore import Document, DocumentCollection, FirestoreSource, Snapshot
from calback_assets.sources.json_lines import json_objects, line_error
from calback_assets.sources.schemaless import UnusableError, string, timestamp

_SUFFIXES = (".jsonl", ".jsonl.gz")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of a snapshot without a file; no row carries it, as there are no rows."""


class FirestoreFiles(FirestoreSource):
    """`userCollection.jsonl` and `meetingsCollection.jsonl`, or `.jsonl.gz`, in one folder, whatever their case.

    Without a file there are no documents.
    """

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

    def reads(self, parts: Sequence[str]) -> bool:
        """Whether a file below the folder holds one of the collections, by its name in small letters."""
        return len(parts) == 1 and any(parts[0] in _names(declared) for declared in self._collections.values())

    def where(self, table: str) -> str:
        """The file that holds, or would hold, the collection of a table."""
        return str(self._path(table))

    def has(self, table: str) -> bool:
        """Whether the collection of a table has a file.

        Raises:
            SourceError: it has two.
        """
        return self._path(table).exists()

    def snapshots(self, tables: Collection[str], _report: Callable[[str], None], /) -> Mapping[str, Snapshot]:
        """Each as of its file's modification time, which stays the same however often it is read.

        Raises:
            SourceError: a line that is not a document, a document that occurs twice, or too much that cannot be taken.
        """
        found = {}
        for table in tables:
            path, declared = self._path(table), self._collections[table]
            found[table] = declared.snapshot(_documents(path, self._max_line_bytes), _modified_at(path))
        return found

    def _path(self, table: str) -> Path:
        declared = self._collections[table]
        folder = named(self._folder.parent, self._folder.name)
        found = [path for path in entries(folder) if path.name.lower() in _names(declared)]
        refuse_two(found, "collection")
        return found[0] if found else folder / f"{declared.name}{_SUFFIXES[0]}"


def _names(declared: DocumentCollection) -> list[str]:
    """The names of its file, in small letters."""
    return [f"{declared.name}{suffix}".lower() for suffix in _SUFFIXES]


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
