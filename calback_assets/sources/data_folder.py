"""The data folder of the file sources: what lies in it, and whether anybody reads it.

Names and kinds of files belong here, for all sources alike: case does not matter, hidden files are nobody's business,
and what looks like data is read or refused. What is in the files does not belong here.
"""

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from calback_assets.errors import SourceError

Reads: TypeAlias = Callable[[Sequence[str]], bool]
"""Whether a source reads a file, by the lower-case parts of its path below the source's folder."""

MANIFEST = "manifest.json"
_SHOWN = 3
_LOOKS_LIKE_DATA = re.compile(
    r".*\.(json|jsonl|ndjson|csv|tsv|log|parquet|avro|orc|xlsx?|gz|zst|bz2|xz|zip|tar|tgz|snappy|lz4)"
)
_NAMED_LIKE_DATA = re.compile(r"(events_|date=|usercollection|meetingscollection).*")
_NOBODY: Reads = lambda _: False  # noqa: E731
_MARKER = "_"
"""Begins the names of the files that tools leave to say that they are done."""


class DataFolder:
    """The folder that `CALBACK_DATA_DIR` names."""

    def __init__(self, path: Path, readers: Mapping[str, Reads | None]) -> None:
        """Reads nothing yet.

        Args:
            path: the folder.
            readers: for each folder in it, which of its files a source reads; None where that source is read elsewhere.
        """
        self._path = path
        self._readers = readers

    def check(self) -> str | None:
        """See that everything which looks like data is read by some source.

        Returns:
            What else is there and is read by none, in a sentence; None where there is nothing.

        Raises:
            SourceError: the folder is not there, or holds data that nobody reads, or what is neither file nor folder.
        """
        if not self._path.is_dir():
            raise SourceError(
                f"{self._path} is no folder, so there is no data to read; mount it, or set CALBACK_DATA_DIR to the "
                "folder of the exports"
            )
        wrong: list[SourceError] = []
        unread = [(path, parts) for path, parts in _files(self._path, (), wrong) if not self._is_read(parts)]
        wrong += (
            SourceError(
                f"{path}: looks like data, and no source reads it. Give it a name and a place that a source reads "
                "(README, Your own data), or move it out of the data folder."
            )
            for path, parts in unread
            if _is_data(parts) and self._readers.get(parts[0], _NOBODY) is not None
        )
        SourceError.refuse(wrong)
        if not unread:
            return None
        names = ", ".join(str(path.relative_to(self._path)) for path, _ in unread[:_SHOWN])
        more = f" and {len(unread) - _SHOWN} more" if len(unread) > _SHOWN else ""
        return f"{self._path}: no source reads {names}{more}"

    def _is_read(self, parts: Sequence[str]) -> bool:
        top, *below = parts
        reads = self._readers.get(top) or _NOBODY
        return (top == MANIFEST and not below) or bool(below and reads(below))


def entries(folder: Path) -> list[Path]:
    """What stands in a folder and is not hidden, in the order of the names; nothing where there is no folder.

    Raises:
        SourceError: one of them is a pipe, a device or a link that leads nowhere; it would be waited for, or missed.
    """
    wrong: list[SourceError] = []
    found = sound_entries(folder, wrong)
    SourceError.refuse(wrong)
    return found


def sound_entries(folder: Path, wrong: list[SourceError]) -> list[Path]:
    """The same without those that are wrong, which are entered as such: for who looks for all that is."""
    if not folder.is_dir():
        return []
    return _sound([path for path in folder.iterdir() if not path.name.startswith(".")], wrong)


def named(folder: Path, name: str) -> Path:
    """The entry of that name, whatever its case; the name as it is where there is none.

    Raises:
        SourceError: two of them differ in case alone, or it is neither a file nor a folder.
    """
    wrong: list[SourceError] = []
    is_folder = folder.is_dir()
    found = _sound([path for path in folder.iterdir() if path.name.lower() == name.lower()] if is_folder else [], wrong)
    SourceError.refuse(wrong)
    refuse_two(found, "data")
    return found[0] if found else folder / name


def refuse_two(paths: Sequence[Path], what: str) -> None:
    """See that not more than one file is for the same thing.

    Raises:
        SourceError: there are several.
    """
    if len(paths) > 1:
        folder = os.path.commonpath([path.parent for path in paths])
        names = " and ".join(str(path.relative_to(folder)) for path in paths)
        raise SourceError(f"{folder}: {names} hold the same {what}. Remove one of them.")


def pattern(path: Path) -> str:
    """The path where DuckDB takes a pattern: what would mean something in one stands for itself."""
    return re.sub(r"[*?\[]", r"[\g<0>]", str(path))


def size(path: Path) -> int:
    """The bytes of a file; none of one that has gone meanwhile, which is told when it is read."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _files(
    folder: Path,
    parts: tuple[str, ...],
    wrong: list[SourceError],
    seen: frozenset[tuple[int, int]] = frozenset(),
) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Every file below a folder, with the lower-case parts of its path; a link back up is not followed twice."""
    status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in seen:
        return
    for path in sound_entries(folder, wrong):
        below = (*parts, path.name.lower())
        if path.is_dir():
            yield from _files(path, below, wrong, seen | {here})
        else:
            yield path, below


def _sound(paths: Iterable[Path], wrong: list[SourceError]) -> list[Path]:
    found = []
    for path in sorted(paths):
        if problem := _why_no_file(path):
            wrong.append(problem)
        else:
            found.append(path)
    return found


def _why_no_file(path: Path) -> SourceError | None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return SourceError(
            f"{path}: cannot be looked at ({error.strerror}). Mend the link or the rights, or remove it."
        )
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return SourceError(f"{path}: neither a file nor a folder. Remove it from the data folder.")
    return None


def _is_data(parts: Sequence[str]) -> bool:
    is_named = any(_NAMED_LIKE_DATA.fullmatch(part) for part in parts)
    return bool(_LOOKS_LIKE_DATA.fullmatch(parts[-1])) or (is_named and not parts[-1].startswith(_MARKER))
