"""What can be exported, and how: every table of the contract as it is, and the wide table of who did what.

Reading the warehouse piece by piece belongs here; where the rows go does not.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum, auto
from functools import partial
from typing import TypeAlias

import pyarrow as pa

from calback_assets.days import Stretch, span
from calback_assets.delivery.ordering import Sorter
from calback_assets.delivery.piece import Delivered, Piece, Target
from calback_assets.delivery.who_did_what import READ, WHO_DID_WHAT, WhoDidWhat
from calback_assets.errors import DeliveryError, WarehouseError
from calback_assets.partitions import final_from
from calback_assets.tables import TABLES, Table
from calback_assets.tables.core import USER_DAILY_ACTIVITY
from calback_assets.warehouse.output import TableRef
from calback_assets.warehouse.rows import arrow_schema
from calback_assets.warehouse.warehouse import Session, never_written

EXPORTS: dict[str, Table] = {**TABLES, WHO_DID_WHAT: USER_DAILY_ACTIVITY}
"""Everything that can be exported, by name, with the table that it is made of."""

_Rows: TypeAlias = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


class Pieces(Enum):
    """What is replaced at once."""

    DAY = auto()
    """Each day, and so a file a day."""
    RANGE = auto()
    """All days that are asked for, under a name that tells them."""
    TABLE = auto()
    """All days that there are, under the name of the table."""


@dataclass(frozen=True)
class Asked:
    """What is to be exported."""

    name: str
    """One of `EXPORTS`."""
    days: Sequence[date]
    """Those that were asked for, in their order; none for a table without days."""
    run_id: str
    today: date
    """Where the deployment is."""
    pieces: Pieces = Pieces.DAY
    follows: bool = False
    """Whether days that lie in the target are made anew as well that have changed in the warehouse since."""


def written_days(session: Session, name: str, days: Sequence[date]) -> list[date]:
    """Those of the days that the table of an export has ever been written of; none for one without days.

    Raises:
        WarehouseError: it was never written, or on none of the days.
    """
    source = EXPORTS[name]
    if not session.exists(source):
        raise never_written(source.name)
    if not source.is_partitioned:
        return []
    written = sorted(set(days) & session.versions(source).keys())
    if not written:
        raise WarehouseError(
            f"{source.name}: nothing was ever written of {span(days)}: materialize {source.name} for these days first"
        )
    return written


def refuse_unsuited(name: str, target: Target) -> None:
    """See that a target can take an export at all.

    Raises:
        DeliveryError: it cannot.
    """
    if name == WHO_DID_WHAT and not target.takes_files:
        raise DeliveryError(
            f"{WHO_DID_WHAT} has a column for each action of its days, and goes into files alone; a database takes "
            "user_behaviour, with a row for each action"
        )


def deliver(session: Session, target: Target, asked: Asked) -> Iterator[tuple[Piece, Delivered]]:
    """Export piece by piece, each all or nothing, and tell of each what has come of it.

    Raises:
        DeliveryError: a piece cannot be written; those before it are.
        WarehouseError: the table was never written, or on none of the days.
    """
    refuse_unsuited(asked.name, target)
    source = EXPORTS[asked.name]
    days = written_days(session, asked.name, asked.days)
    versions = session.versions(source) if source.is_partitioned else {}
    reading = _Reading(session, source)
    with Sorter.opened() as sorter, target.opened(replace(source, name=asked.name)) as place:
        if asked.pieces is Pieces.TABLE:
            days = sorted(versions)
        elif asked.follows:
            there = place.versions()
            days = sorted({*days, *(day for day in there if there[day] != versions.get(day, there[day]))})
        table, shape = reading.shape(asked.name, days)
        for name, stretch in _named(days, asked):
            final = final_from(stretch.last) if stretch else None
            piece = Piece(
                name=name,
                table=table,
                days=stretch,
                version=_version(versions, stretch) if stretch else asked.run_id,
                run_id=asked.run_id,
                final_from=final,
                is_final=final is not None and asked.today >= final,
                nested=partial(_sorted, sorter, reading, shape, stretch),
                flatten=partial(sorter.flat, table=table),
            )
            yield piece, place.deliver(piece)


def _named(days: Sequence[date], asked: Asked) -> Sequence[tuple[str, Stretch | None]]:
    """The names and days of the pieces."""
    if not days:
        return [(asked.name, None)]
    if asked.pieces is Pieces.TABLE:
        return [(asked.name, Stretch(days[0], days[-1]))]
    stretches = [Stretch(asked.days[0], asked.days[-1])] if asked.pieces is Pieces.RANGE else map(Stretch.on, days)
    return [(f"{asked.name}_{str(stretch).replace(' ', '_')}", stretch) for stretch in stretches]


def _version(versions: Mapping[date, str], stretch: Stretch) -> str:
    if stretch.first == stretch.last:
        return versions.get(stretch.first, "")
    every = [f"{day} {versions[day]}" for day in stretch.days if day in versions]
    return hashlib.sha256("\n".join(every).encode()).hexdigest()


def _sorted(sorter: Sorter, reading: "_Reading", shape: _Rows, stretch: Stretch | None) -> Iterator[pa.RecordBatch]:
    return shape(sorter.in_order(reading.rows(stretch), reading.schema, reading.source.key))


class _Reading:
    """Rows of one table."""

    def __init__(self, session: Session, source: Table) -> None:
        self._session = session
        self.source = source
        self._columns: Sequence[str] = source.column_names

    @property
    def schema(self) -> pa.Schema:
        """Of what is read."""
        return arrow_schema(self.source, self._columns)

    def shape(self, name: str, days: Sequence[date]) -> tuple[Table, _Rows]:
        """The shape of an export, and what brings rows into it."""
        if name != WHO_DID_WHAT:
            return self.source, lambda rows: rows
        self._columns = READ
        wide = WhoDidWhat.of(batch for day in days for batch in self.rows(Stretch.on(day)))
        return wide.table, wide.rows

    def rows(self, stretch: Stretch | None) -> Iterator[pa.RecordBatch]:
        """The rows of some days.

        Raises:
            CalbackError: they cannot be read.
        """
        bounds = (stretch.first, stretch.until) if stretch else (None, None)
        try:
            yield from self._session.batches(TableRef(self.source, *bounds), self._columns)
        except self._session.failures as error:
            raise self._session.redact(error) from None
        except OSError as error:  # Arrow's reader says it with an error of the system's.
            raise WarehouseError(f"{self.source.name}: its rows cannot be read ({type(error).__name__})") from None
