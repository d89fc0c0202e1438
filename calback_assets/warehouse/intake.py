"""What a run may take from the sources: absence is not zero.

Whether a source is expected, whether a day has arrived, and how many rows must come where rows are, belong here, as
does what a person accepts by name. How a source is read stands in `sources`, how rows are replaced in each engine.
"""

import logging
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from dagster import Array, Enum, EnumValue, Field, InitResourceContext, ResourceDefinition

from calback_assets.days import span
from calback_assets.errors import SourceError
from calback_assets.sources.daily import DailySource, Found
from calback_assets.sources.data_folder import DataFolder
from calback_assets.sources.firestore.documents import FirestoreSource
from calback_assets.tables import TABLES
from calback_assets.warehouse.output import Files, Least, Snapshot, TableRef
from calback_assets.warehouse.warehouse import ACCEPT_EMPTY, ACCEPTING, Session, Warehouse

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sources:
    """Where the raw tables come from."""

    documents: FirestoreSource
    collections: Collection[str]
    """The tables that are made of documents."""
    daily: Mapping[str, DailySource]
    """By table."""
    folder: DataFolder | None = None
    """Where any of them reads files."""


@dataclass(frozen=True)
class Policy:
    """What must be there, and how much of it may go."""

    expected: frozenset[str] = frozenset()
    """Tables whose sources must be there; those that have rows are expected anyhow."""
    max_lost_share: float = 0.1
    """The share of its rows above which a source may not lose them at once."""


class Intake:
    """The sources as one run sees them; each is looked at once."""

    def __init__(self, sources: Sources, policy: Policy, warehouse: Warehouse, accepted: Collection[str]) -> None:
        """Nothing is looked at yet.

        Args:
            sources: where the raw tables come from.
            policy: what must be there.
            warehouse: knows of what there were rows.
            accepted: tables whose absence a person has accepted.
        """
        self._sources = sources
        self._policy = policy
        self._warehouse = warehouse
        self._accepted = frozenset(accepted)
        self._found: dict[str, Found] = {}
        self._is_checked = False

    def files(self, table: str, days: Sequence[date], report: Callable[[str], None]) -> Files:
        """The daily rows of a table, and how many of them there must be.

        Raises:
            SourceError: a source that must be there is not, or the data folder holds what nobody reads.
        """
        self._check(min(days), report)
        found = self._look(table, min(days))
        without = [day for day in days if not found.has(day)]
        if without and found.last:
            report(f"{table}: {len(without)} of {len(days)} days are not in {found.where}: {span(without)}")
        if table in self._accepted:
            return Files(found.read, found.rows)
        share = self._policy.max_lost_share
        return Files(found.read, found.rows, lambda days, stored: demanded(table, found, days, stored, share))

    def snapshots(
        self, tables: Collection[str], since: date | None, report: Callable[[str], None]
    ) -> dict[str, Snapshot]:
        """All documents of these tables, as they were at one time, and what share of the rows may be gone.

        Args:
            tables: by name.
            since: the first day of the run's daily tables; None where it has none.
            report: told what a person should know of the sources.

        Raises:
            SourceError: a source that must be there is not, or the documents cannot be read.
        """
        self._check(since, report)
        read = self._sources.documents.snapshots(tables, report)
        return {
            name: Snapshot(
                snapshot.rows,
                {"documents": snapshot.documents, "read_at": snapshot.snapshot_at.isoformat()},
                snapshot.problems,
                None if name in self._accepted else self._policy.max_lost_share,
            )
            for name, snapshot in read.items()
        }

    def _look(self, table: str, since: date) -> Found:
        if table not in self._found:
            self._found[table] = self._sources.daily[table].look(since)
        return self._found[table]

    def _check(self, since: date | None, report: Callable[[str], None]) -> None:
        """Before the first table of a run is written, see that every source is there which must be.

        Raises:
            SourceError: one is not, or the data folder holds what nobody reads.
        """
        if self._is_checked:
            return
        if self._sources.folder and (unread := self._sources.folder.check()):
            report(f"warning: {unread}")
        if since:
            for table in self._sources.daily:
                self._look(table, since)
        documents = self._sources.documents
        absent = {name: documents.where(name) for name in self._sources.collections if not documents.has(name)}
        absent |= {name: found.where for name, found in self._found.items() if found.last is None}
        if missed := absent.keys() - self._accepted:
            with self._warehouse.session() as session:
                known = with_rows(session, missed)
            for name in sorted(missed):
                if name in known | self._policy.expected:
                    raise missed_source(name, absent[name], is_known=name in known)
        for name, where in absent.items():
            report(f"{name}: {where} has nothing; taken as empty")
        self._is_checked = True


def missed_source(table: str, where: str, *, is_known: bool) -> SourceError:
    """The error for a source that must be there and has nothing at all.

    Args:
        table: what it fills.
        where: the place that was looked at.
        is_known: whether it was there before; else it is expected by setting.
    """
    why = "the warehouse has rows of it" if is_known else "CALBACK_EXPECTED_SOURCES names it"
    return SourceError(
        f"{table}: {where} has nothing, and {why}; nothing was written. Bring it back, or accept that there is none: "
        f"{ACCEPTING.format(table)}"
    )


def arrived(sources: Sources, tables: Collection[str], since: date) -> dict[str, date]:
    """The last day of each source of these tables that has any.

    Raises:
        SourceError: a source cannot be looked at.
    """
    looked = {name: source.look(since).last for name, source in sources.daily.items() if name in tables}
    return {name: last for name, last in looked.items() if last}


def arrived_everywhere(sources: Sources, since: date) -> date | None:
    """The last day that every source has which has any; None where there is none, or a source cannot be looked at.

    For a plan alone: what is wrong with a source, the run says that meets it.
    """
    try:
        return min(arrived(sources, sources.daily, since).values(), default=None)
    except Exception as error:  # Whatever it is, a night on which nothing is tried would be worse.
        _log.warning("sources cannot be looked at before the run (%s)", type(error).__name__)
        return None


def with_rows(session: Session, tables: Iterable[str]) -> frozenset[str]:
    """Those of the tables that have ever had rows, as far as they are still known."""
    counts = session.row_counts(tables)
    return frozenset(
        name
        for name in tables
        if (
            any(counts[name].values())
            if TABLES[name].is_partitioned
            else session.exists(TABLES[name])
            and session.read(TableRef(TABLES[name], None, None), TABLES[name].key, limit=1).num_rows
        )
    )


def demanded(
    table: str, found: Found, days: Sequence[date], stored: Mapping[date, int], max_lost_share: float
) -> dict[date, Least]:
    """How many rows must be read of each day, lest absence be taken for zero.

    Args:
        table: what is written.
        found: what its source has.
        days: what is asked for.
        stored: rows of the days that are in the warehouse.
        max_lost_share: how much of a day may go where something is missing that may hold a part of it.

    Raises:
        SourceError: the source has nothing of a day that has rows, or has not come as far as a day yet.
    """
    gone = [day for day in days if stored.get(day) and not found.has(day)]
    if gone:
        raise SourceError(
            f"{table}: {found.where} has nothing of {span(gone)}, and the warehouse has "
            f"{sum(stored[day] for day in gone):,} rows of it; nothing was written. Bring it back, or accept that "
            f"there is none: {ACCEPTING.format(table)}"
        )
    if late := [day for day in days if found.last and day > found.last]:
        raise SourceError(not_arrived(table, late, found.last))
    least = {}
    for day in days:
        if rows := stored.get(day):
            lacks = found.lacks(day)
            least[day] = Least(max(1, math.ceil(rows * (1 - max_lost_share))) if lacks else 1, rows, lacks)
    return least


def not_arrived(table: str, days: Sequence[date], last: date | None) -> str:
    """The sentence for days that a source has not come to yet."""
    return (
        f"{table}: {span(days)} has not arrived, the source ends with {last}; nothing was written of it. Run it again "
        f"when it is there, or accept that there is none: {ACCEPTING.format(table)}"
    )


def intake_resource(sources: Sources, policy: Policy, warehouse: Warehouse) -> ResourceDefinition:
    """The intake as Dagster makes it for each run; what a person accepts is its configuration."""
    names = Enum("Source", [EnumValue(name) for name in (*sources.collections, *sources.daily)])

    def made_for_run(context: InitResourceContext) -> Intake:
        given = context.resource_config
        of_run = Policy(frozenset(given["expected_sources"]), given["max_lost_share"])
        return Intake(sources, of_run, warehouse, given[ACCEPT_EMPTY])

    made_for_run.__name__ = Intake.__name__
    return ResourceDefinition(
        made_for_run,
        config_schema={
            ACCEPT_EMPTY: Field(
                Array(names),
                default_value=[],
                description="Sources that this run may find empty, or without most of what they had: what is gone from "
                "them is then gone from the warehouse's days too.",
            ),
            "expected_sources": Field(
                Array(names),
                default_value=sorted(policy.expected),
                description="CALBACK_EXPECTED_SOURCES, unless a run says otherwise: sources that must be there.",
            ),
            "max_lost_share": Field(
                float,
                default_value=policy.max_lost_share,
                description="CALBACK_MAX_LOST_SHARE, unless a run says otherwise: the share of its rows above which a "
                "source may not lose them at once.",
            ),
        },
        description="What a run may take from the sources: whether they are there, and which days have arrived.",
    )
