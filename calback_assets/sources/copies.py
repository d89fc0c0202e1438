"""Copies of what DuckDB does not read where it stands, for it to read.

Only where a copy stands and how long it lives belongs here; what is in it is for its maker to say.
"""

import os
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import IO

from calback_assets.errors import UnavailableError


class Copy:
    """A file that stands in no folder, and is gone with this object, however the process ends."""

    path: Path
    """Where this process reads it."""

    def __init__(self, write: Callable[[IO[bytes]], object], problem: str, remedy: str) -> None:
        """Write the copy.

        Args:
            write: writes it into a file.
            problem: how an error begins, which goes on with where nothing can be written.
            remedy: what else may be done than to make room.

        Raises:
            UnavailableError: there is no room for it.
        """
        try:
            with tempfile.TemporaryFile() as copy:
                write(copy)
                copy.flush()
                descriptor = os.dup(copy.fileno())
        except OSError as error:
            raise UnavailableError(
                f"{problem} be written to {tempfile.gettempdir()} ({error.strerror}). Make room there{remedy}."
            ) from None
        weakref.finalize(self, os.close, descriptor)
        self.path = Path(f"/proc/self/fd/{descriptor}")
