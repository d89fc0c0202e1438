"""Files that take each other's place: whole or not at all, one process at a time, and under DuckDB's own locks.

How a file is copied, brought to the disk and kept from writers belongs here; what is in it does not.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from calback_assets.sources.coercion import literal

_PORTION = 2**23
"""So many bytes are copied in one call; a signal is heard between two."""


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time exchange files in a folder; the lock goes with the process."""
    with opened(folder) as directory:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A descriptor to read from.

    To close it lets go of every lock that this process has on the file, DuckDB's too: what is connected to the file is
    closed first.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def attach_settled(connection: duckdb.DuckDBPyConnection, path: Path, name: str) -> None:
    """Attach a file for reading, with nothing left in its log; that keeps writers out, and who reads may go on.

    Raises:
        duckdb.Error: somebody writes it; or it has a log, and somebody reads it, or there is no room.
    """
    connection.execute(f"ATTACH {literal(str(path))} AS {name} (READ_ONLY)")
    if not wal(path).exists():
        return
    # Somebody has died over the file.
    connection.execute(f"DETACH {name}")
    duckdb.connect(str(path)).close()
    connection.execute(f"ATTACH {literal(str(path))} AS {name} (READ_ONLY)")
    if wal(path).exists():
        raise duckdb.IOException(f'No space left on device: the log of file "{path}" cannot be brought into it')


def copy(descriptor: int, new: Path) -> None:
    """Copy a file that nobody writes, and bring the copy to the disk.

    Raises:
        OSError: there is no room; nothing stays of the copy.
    """
    size, done = os.fstat(descriptor).st_size, 0
    discard(new)
    try:
        with new.open("xb") as file:
            while done < size:
                done += os.sendfile(file.fileno(), descriptor, done, min(_PORTION, size - done))
            os.fsync(file.fileno())
    except BaseException:
        discard(new)
        raise


def discard(path: Path) -> None:
    """Remove a file and its log, where they are there."""
    for left in (path, wal(path)):
        left.unlink(missing_ok=True)


def wal(path: Path) -> Path:
    """DuckDB's log of what is not yet in the file."""
    return path.with_name(f"{path.name}.wal")


def sync(path: Path) -> None:
    """Bring a file or a folder to the disk."""
    with opened(path) as descriptor:
        os.fsync(descriptor)
