"""What every format has in common: the files that it makes, and how many rows a spreadsheet takes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from calback_assets.delivery.piece import Piece

SHEET_ROWS = 1_048_576
"""As many as Excel takes, the names of the columns among them."""


@dataclass(frozen=True)
class Made:
    """The files of a piece, in their order."""

    files: Sequence[tuple[Path, int]]
    """Each with how many rows are in it."""
    notes: Sequence[str] = ()


class Format(Protocol):
    """Makes files of rows."""

    suffix: str

    def write(self, piece: Piece, folder: Path) -> Made:
        """Write the rows of a piece into new files of a folder.

        Raises:
            OSError: there is no room for them.
        """


def cut(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The batches with the number, from 0, of the portion that each belongs to: so many rows, but for the last."""
    done = 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            part = batch.slice(start, min(rows - done % rows, batch.num_rows - start))
            yield done // rows, part
            start += part.num_rows
            done += part.num_rows
