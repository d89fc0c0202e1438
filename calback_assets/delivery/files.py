"""Exports as files, in whatever keeps files: a day is one file, replaced at once, and its manifest after it.

What the files are called, in which order they are replaced and what is swept away belong here; how a file comes to its
place stands in `folder` and `bucket`, and what is in it in `formats`.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

from calback_assets.days import parse_day
from calback_assets.delivery.formats import Format
from calback_assets.delivery.manifest import File, as_text, manifest_of
from calback_assets.delivery.piece import Delivered, Piece
from calback_assets.tables import Table

MANIFESTS = "_manifest/"


class Shelf(Protocol):
    """The files of one export; a name may have a folder before it."""

    @property
    def workshop(self) -> Path:
        """A folder on this machine in which new files are made; empty at first, and gone at the end."""

    def put(self, made: Path, name: str) -> None:
        """Bring a file from the workshop to its place, whole or not at all."""

    def names(self) -> list[str]:
        """Of all files."""

    def read(self, name: str) -> bytes:
        """What is in a file."""

    def remove(self, name: str) -> None:
        """Take a file away."""


class Store(Protocol):
    """Keeps files."""

    @property
    def where(self) -> str:
        """As a person is told."""

    def opened(self, name: str) -> AbstractContextManager[Shelf]:
        """The shelf of an export, which nobody else writes meanwhile.

        Raises:
            DeliveryError: it cannot be written, also later on.
        """


class FilesTarget:
    """A store of files in one format."""

    takes_files = True

    def __init__(self, store: Store, file_format: Format) -> None:
        """Write into this store; nothing is opened yet."""
        self._store = store
        self._format = file_format

    @property
    def where(self) -> str:
        """As a person is told."""
        return self._store.where

    @contextmanager
    def opened(self, table: Table) -> Iterator["_Files"]:
        """The place of an export.

        Raises:
            DeliveryError: it cannot be written.
        """
        with self._store.opened(table.name) as shelf:
            yield _Files(shelf, self._format, table.name)


@dataclass(frozen=True)
class _Files:
    """The files of one export in one format."""

    shelf: Shelf
    format: Format
    export: str

    def versions(self) -> dict[date, str]:
        """The days that lie there each for itself, with the version that each was made of."""
        pattern = re.compile(rf"{MANIFESTS}{self.export}_(\d{{4}}-\d\d-\d\d)\.{self.format.suffix}\.json")
        return {
            parse_day(found[1]): _version_in(self.shelf.read(name))
            for name in self.shelf.names()
            if (found := pattern.fullmatch(name))
        }

    def deliver(self, piece: Piece) -> Delivered:
        """Replace the files of a piece, then its manifest, then sweep away what the manifest does not name."""
        made = self.format.write(piece, self.shelf.workshop)
        files = []
        for number, (path, rows) in enumerate(made.files, start=1):
            with path.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            files.append(File(self._name(piece, number, len(made.files), digest), rows, path.stat().st_size, digest))
        for (path, _), file in zip(made.files, files, strict=True):
            self.shelf.put(path, file.name)
        rows = sum(file.rows for file in files)
        manifest = self.shelf.workshop / "manifest.json"
        manifest.write_text(as_text(manifest_of(piece, rows, files, made.notes)), encoding="utf-8")
        self.shelf.put(manifest, f"{MANIFESTS}{piece.name}.{self.format.suffix}.json")
        names = [file.name for file in files]
        own = re.compile(rf"{re.escape(piece.name)}(\.part-\d+-of-\d+\.\w+)?\.{self.format.suffix}")
        for name in self.shelf.names():
            if own.fullmatch(name) and name not in names:
                self.shelf.remove(name)
        return Delivered(rows, names, made.notes)

    def _name(self, piece: Piece, number: int, count: int, digest: str) -> str:
        # A single file takes the place of the old one in one step. Several cannot: their names tell new from old.
        part = "" if count == 1 else f".part-{number}-of-{count}.{digest[:8]}"
        return f"{piece.name}{part}.{self.format.suffix}"


def _version_in(manifest: bytes) -> str:
    """The version that a manifest tells; none where somebody has changed it."""
    try:
        return str(json.loads(manifest)["version"])
    except (ValueError, KeyError, TypeError):
        return ""
