"""What is replaced at once in a target: a day of an export, some days together, or all rows of one without days.

Only what every target needs to know of it belongs here.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import pyarrow as pa
from pyarrow import csv

from calback_assets.days import Stretch
from calback_assets.tables import Table


@dataclass(frozen=True)
class Piece:
    """Rows, and what there is to say of them."""

    name: str
    """Of the export and the days; a file's begins with it."""
    table: Table
    """The shape of the rows, under the name of the export."""
    days: Stretch | None
    """None for an export without days."""
    version: str
    """Of the rows in the warehouse: another one once they may have changed."""
    run_id: str
    final_from: date | None
    """The night from which on none of the days changes by itself; None for rows that each run makes anew."""
    is_final: bool
    nested: Callable[[], Iterator[pa.RecordBatch]]
    """The rows in the order of the key, in the contract's types."""
    flatten: Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]
    """From rows to the same with JSON in place of nested columns."""

    def flat(self) -> Iterator[pa.RecordBatch]:
        """The rows in the order of the key, for what knows no nesting."""
        return self.flatten(self.nested())


@dataclass(frozen=True)
class Delivered:
    """What has come of a piece."""

    rows: int
    names: Sequence[str]
    """Of files, or of the table."""
    notes: Sequence[str] = ()
    """What a reader has to know: rows that were split, cells that were cut."""


def as_csv(batch: pa.RecordBatch) -> bytes:
    """Flat rows as text, without a head: what a database copies, and what the checksum of a table is of."""
    written = io.BytesIO()
    csv.write_csv(batch, written, csv.WriteOptions(include_header=False))
    return written.getvalue()


class Place(Protocol):
    """Where one export lies in a target."""

    def versions(self) -> dict[date, str]:
        """The days that lie there each for itself, with the version that each was made of."""

    def deliver(self, piece: Piece) -> Delivered:
        """Replace what is there of the piece, all or nothing.

        Raises:
            DeliveryError: it cannot be replaced; the old stands.
        """


class Target(Protocol):
    """Where exports go to."""

    @property
    def where(self) -> str:
        """As a person is told, without any secret."""

    @property
    def takes_files(self) -> bool:
        """Whether several days may lie there together, under a name of their own."""

    def opened(self, table: Table) -> AbstractContextManager[Place]:
        """The place of an export, which nobody else writes meanwhile.

        Raises:
            DeliveryError: it cannot be written.
        """
