"""A folder on this machine, or one that is mounted here.

How a file is brought to its place so that a crash leaves the old or the new, and who may write when, belong here.
"""

import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from calback_assets.errors import DeliveryError
from calback_assets.warehouse.duckdb.files import sync

_WORKSHOP = ".new"
_LOCK = ".lock"
_PATIENCE_SECONDS = 60.0


class FolderStore:
    """A folder, with one in it for each export."""

    def __init__(self, folder: Path) -> None:
        """Name the folder, which is made where it is not there."""
        self._folder = folder

    @property
    def where(self) -> str:
        """The folder."""
        return str(self._folder)

    @contextmanager
    def opened(self, name: str) -> Iterator["FolderShelf"]:
        """The shelf of an export; what a killed process has left in the workshop is swept away.

        Raises:
            DeliveryError: the folder cannot be written, is full, or is being written by another process.
        """
        folder = self._folder / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(folder / _LOCK):
                workshop = folder / _WORKSHOP
                shutil.rmtree(workshop, ignore_errors=True)
                workshop.mkdir()
                try:
                    yield FolderShelf(folder, workshop)
                finally:
                    shutil.rmtree(workshop, ignore_errors=True)
        except OSError as error:
            raise DeliveryError(
                f"{name}: nothing can be written to {folder} ({error.strerror or type(error).__name__}); the old files "
                "stand; make room or mend the rights there, or choose another folder"
            ) from None


@dataclass(frozen=True)
class FolderShelf:
    """The files of one export."""

    folder: Path
    workshop: Path

    def put(self, made: Path, name: str) -> None:
        """Bring a file from the workshop to its place: on the disk first, then under its name in one step."""
        place = self.folder / name
        place.parent.mkdir(exist_ok=True)
        sync(made)  # It may say only now that it is full.
        made.replace(place)
        sync(place.parent)

    def names(self) -> list[str]:
        """Of all files, those in the workshop left out."""
        return [
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if path.is_file() and not path.relative_to(self.folder).parts[0].startswith(".")
        ]

    def read(self, name: str) -> bytes:
        """What is in a file."""
        return (self.folder / name).read_bytes()

    def remove(self, name: str) -> None:
        """Take a file away."""
        (self.folder / name).unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, however that ends.

    Raises:
        DeliveryError: another process holds it.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with path.open("wb") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise DeliveryError(
                        f"{path.parent} is being written by another export; wait for it to end, or stop it, and try "
                        "again"
                    ) from None
                time.sleep(0.1)
        yield
