"""Firestore collections from JSON files, one for each.

Which file holds which collection belongs here. The forms of the documents in it stand in `forms`; what a
document's fields become in `documents`, shared with every other way to read documents.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from calback_assets.errors import SourceError
from calback_assets.settings import Settings
from calback_assets.sources.data_folder import named, refuse_two, sound_entries
from calback_assets.sources.firestore.documents import DocumentCollection, FirestoreSource, Snapshot
from calback_assets.sources.firestore.forms import collection_of, rows_of

_SUFFIXES = tuple(f"{ending}{packed}" for ending in (".jsonl", ".json", ".ndjson") for packed in ("", ".gz"))
_OF_THE_EXTENSION = tuple(f"{table}{suffix}" for table in ("_raw_changelog", "_raw_latest") for suffix in _SUFFIXES)
"""End the names of the tables of firestore-bigquery-export, which begin with anything."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of a snapshot without a file; no row carries it, as there are no rows."""


class FirestoreFiles(FirestoreSource):
    """`userCollection.jsonl` and `meetingsCollection.jsonl`, or other endings, in one folder, whatever their case.

    A file that is named like a table of the extension firestore-bigquery-export tells its collection itself. Without a
    file there are no documents.
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
        is_named = any(parts[0] in _names(declared) for declared in self._collections.values())
        return len(parts) == 1 and (is_named or parts[0].endswith(_OF_THE_EXTENSION))

    def where(self, table: str) -> str:
        """The file that holds, or would hold, the collection of a table."""
        return str(self._path(table))

    def has(self, table: str) -> bool:
        """Whether the collection of a table has a file.

        Raises:
            SourceError: it has two, or a changelog does not say whose it is.
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
            rows = rows_of(path, declared, self._max_line_bytes) if path.exists() else ()
            found[table] = declared.joined(rows, _modified_at(path))
        return found

    def _path(self, table: str) -> Path:
        declared = self._collections[table]
        folder = named(self._folder.parent, self._folder.name)
        wrong: list[SourceError] = []
        found = [path for path in sound_entries(folder, wrong) if self._holds(path, declared)]
        try:
            refuse_two(found, "collection")
        except SourceError as error:
            wrong.append(error)
        SourceError.refuse(wrong)
        return found[0] if found else folder / f"{declared.name}{_SUFFIXES[0]}"

    def _holds(self, path: Path, declared: DocumentCollection) -> bool:
        if not path.name.lower().endswith(_OF_THE_EXTENSION):
            return path.name.lower() in _names(declared)
        name, names = collection_of(path, self._max_line_bytes), [known.name for known in self._collections.values()]
        if name not in names:
            raise SourceError(
                f"{path}: its first row has no document_name of {' or '.join(names)}. Give the file the name of its "
                "collection, or move it out of the data folder."
            )
        return name == declared.name


def _names(declared: DocumentCollection) -> list[str]:
    """The names of its file, in small letters."""
    return [f"{declared.name}{suffix}".lower() for suffix in _SUFFIXES]


def _modified_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC) if path.exists() else _NEVER
