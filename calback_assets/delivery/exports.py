"""What can be exported, and how: every table of the contract as it is, and the wide table of who did what.

Reading the warehouse piece by piece belongs here; where the rows go does not.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
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
    is_together: bool = False
    """Whether all days are one piece."""
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


def deliver(session: Session, target: Target, asked: Asked) -> Iterator[tuple[Piece, Delivered]]:
    """Export piece by piece, each all or nothing, and tell of each what has come of it.

    Raises:
        DeliveryError: a piece cannot be written; those before it are.
        WarehouseError: the table was never written, or on none of the days.
    """
    if asked.name == WHO_DID_WHAT and not target.takes_files:
        raise DeliveryError(
            f"{WHO_DID_WHAT} has a column for each action of its days, and goes into files alone; a database takes "
            "user_behaviour, with a row for each action"
        )
    source = EXPORTS[asked.name]
    days = written_days(session, asked.name, asked.days)
    versions = session.versions(source) if source.is_partitioned else {}
    reading = _Reading(session, source)
    table, shape = reading.shape(asked.name, days)
    with Sorter.opened() as sorter, target.opened(table) as place:
        if asked.follows:
            there = place.versions()
            days = sorted({*days, *(day for day in there if there[day] != versions.get(day, there[day]))})
        for stretch in _stretches(days, asked):
            final = final_from(stretch.last) if stretch else None
            piece = Piece(
                table=table,
                days=stretch,
                version=" ".join(versions[day] for day in stretch.days if day in versions) if stretch else asked.run_id,
                run_id=asked.run_id,
                final_from=final,
                is_final=final is not None and asked.today >= final,
                nested=partial(_sorted, sorter, reading, shape, stretch),
                flatten=partial(sorter.flat, table=table),
            )
            yield piece, place.deliver(piece)


def _stretches(days: Sequence[date], asked: Asked) -> Sequence[Stretch | None]:
    if not days:
        return [None]
    return [Stretch(asked.days[0], asked.days[-1])] if asked.is_together else list(map(Stretch.on, days))


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
