"""What a table contract is: columns, types, keys, layout and privacy, said once per table.

The classes belong here; the tables themselves stand in the sibling modules, one declaration each. Nothing of an
engine belongs here: DDL, BigQuery schemas and Dagster's column schema are made from a contract by the warehouse.
"""

from dataclasses import dataclass
from enum import StrEnum

EVENT_DATE = "event_date"


class Privacy(StrEnum):
    """What happens to a source field before anything is written anywhere."""

    KEEP = "keep"
    HASH = "hash"
    """HMAC-SHA256 with the deployment's pseudonym key, hexadecimal."""
    DROP = "drop"
    """Never leaves the source; the column is declared so that the decision can be read, and is not stored."""


@dataclass(frozen=True)
class Column:
    """One column: its name, GoogleSQL type, and what a reader must know of it."""

    name: str
    type: str
    description: str
    required: bool = False
    privacy: Privacy = Privacy.KEEP
    wall_clock: bool = False
    """True for the few columns that may differ between two runs over the same input."""
    is_personal: bool = False
    """True where a value points at one person: it is stored, and shown in no message, log or preview."""


@dataclass(frozen=True)
class Table:
    """One table: what a row is, which columns it has, and how it is laid out."""

    name: str
    description: str
    grain: str
    key: tuple[str, ...]
    """Columns that identify a row; empty where copies are data (the raw tables keep what the source sent)."""
    declared: tuple[Column, ...]
    """Every declared field, also those whose privacy action is to be dropped."""
    is_partitioned: bool = True
    """Daily partitions on `event_date`; a snapshot otherwise."""
    clustering: tuple[str, ...] = ()
    tombstone: str | None = None
    """Snapshots only: the TIMESTAMP column that marks rows whose document has gone from the source."""
    person: tuple[str, ...] = ()
    """The columns that say whose row it is: the first that is not NULL. Erasing that person removes the row."""
    use: str = ""
    """How to use it, in a sentence or two."""
    caution: str = ""
    """What it is not, though a reader might take it for that."""
    defined_in: str = ""
    """The page of `docs` that says what it means, with its heading behind a `#` where it is not the whole page."""
    stands_alone: bool = False
    """True where a row is made of its own person's rows alone, so that without those of an erased person the table is
    what a rebuild would make of it; else a day that reads theirs is rebuilt."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The stored columns, in the order of the table."""
        return tuple(column for column in self.declared if column.privacy is not Privacy.DROP)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the stored columns."""
        return tuple(column.name for column in self.columns)

    @property
    def figures(self) -> tuple[str, ...]:
        """The numbers that a day comes to, of a table with one row a day; of any other table there are none."""
        if self.key != (EVENT_DATE,):
            return ()
        return tuple(column.name for column in self.columns if column.type in ("INT64", "FLOAT64"))

    def column(self, name: str) -> Column:
        """The stored column of that name.

        Raises:
            KeyError: the table stores no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name}")
