"""Dagster's event log in SQLite files, with one transaction for a batch of events instead of three for each.

A range of days in one run makes two events a partition, the plan and the materialization. Dagster hands them to its
storage in batches where `DAGSTER_EVENT_BATCH_SIZE` asks for it, and its SQLite storage takes each batch apart again and
opens its files anew for every statement. How events are laid out, read and migrated stays Dagster's own, so a plain
Dagster reads the same files. Named in `dagster.yaml`; nothing else of the platform knows it.

Dagit tells the materializations of a run apart by their milliseconds alone, and those of a batch are made in the same
few: here each has one of its own. And a check has one answer for all days of a run, so here it is planned once.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from dagster import AssetKey, DagsterEventType, EventLogEntry
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.events import ASSET_EVENTS
from dagster._core.storage.event_log import SqlEventLogStorageTable, SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import QueuePool

_BATCH_SIZE = "DAGSTER_EVENT_BATCH_SIZE"


class BatchedSqliteEventLogStorage(SqliteEventLogStorage):
    """Dagster's SQLite event log, storing a batch in one transaction a file."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Keep the files where Dagster keeps them under DAGSTER_HOME (`base_dir`), and ask Dagster for batches."""
        self._engines: dict[str, Engine] = {}
        self._open_run: str | None = None
        self._tables: set[str] = set()
        self._batch = threading.local()
        self._moments: dict[AssetKey | None, tuple[str, int]] = {}
        super().__init__(str(Path(base_dir, "history", "runs")), inst_data)
        # Within a batch one thread holds the run's file and the index open together.
        self._db_lock = threading.RLock()  # type: ignore[assignment]  # Declared as a plain lock, used as any.
        os.environ.setdefault(_BATCH_SIZE, "1000")

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "BatchedSqliteEventLogStorage":
        """Make the storage that `dagster.yaml` describes; Dagster's own method makes its own class."""
        return cls(inst_data=inst_data, **config_value)

    def store_event(self, event: EventLogEntry) -> None:
        """Store one event: a batch of one."""
        self.store_event_batch([event])

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events as `store_event` does, all of them or none."""
        with self._db_lock, ExitStack() as transactions:
            self._batch.transactions, self._batch.open, self._batch.newest = transactions, {}, {}
            try:
                for is_of_asset, entries in groupby(map(self._told_apart, events), _is_of_asset):
                    if is_of_asset:
                        self._store_asset_events(list(entries))
                    else:
                        for entry in entries:
                            super().store_event(entry)
                for entry, event_id in self._batch.newest.values():
                    with self.index_transaction() as index:
                        super()._store_asset_event(index, entry, event_id)
            finally:
                del self._batch.open
        for run_id in {entry.run_id for entry in events}:
            # Dagit follows a run by the changes of its file; with the file kept open they stand in the write-ahead log.
            os.utime(self.path_for_shard(run_id))

    def _store_asset_events(self, entries: Sequence[EventLogEntry]) -> None:
        """Store events of assets as `store_event` does each of them: in its run's file and in the index."""
        insertion = SqlEventLogStorageTable.insert()
        rows = [self._event_to_row(entry) for entry in entries]
        for run_id, of_run in groupby(rows, itemgetter("run_id")):
            with self.run_connection(run_id) as run:
                run.execute(insertion, list(of_run))
        with self.index_transaction() as index:
            numbered = insertion.returning(SqlEventLogStorageTable.c.id, sort_by_parameter_order=True)
            event_ids = index.scalars(numbered, rows).all()
            self._store_asset_event_tags(index, entries, event_ids)
            for entry, event_id in zip(entries, event_ids, strict=True):
                self._store_asset_event(index, entry, event_id)

    def _told_apart(self, entry: EventLogEntry) -> EventLogEntry:
        """The event, in the next free millisecond where its run has told of the asset in the same one or later.

        A range of 500 days so ends half a second later than it did, and its events stay in their order.
        """
        if entry.dagster_event_type is not DagsterEventType.ASSET_MATERIALIZATION:
            return entry
        asset = entry.get_dagster_event().asset_key
        run_id, last = self._moments.get(asset, ("", 0))
        moment = int(entry.timestamp * 1000)
        if run_id == entry.run_id and moment <= last:
            moment = last + 1
            # In the middle of the millisecond, where no rounding of a float moves it into another.
            entry = entry._replace(timestamp=(moment + 0.5) / 1000)
        self._moments[asset] = (entry.run_id, moment)
        return entry

    def _store_asset_event(self, _index: Connection, event: EventLogEntry, event_id: int, /) -> None:
        """Note the event for the asset's own row: each kind overwrites its last there, so one a batch is written."""
        key = (event.get_dagster_event().asset_key, event.dagster_event_type)
        self._batch.newest.pop(key, None)  # The kinds share columns, so the order of the last ones counts.
        self._batch.newest[key] = (event, event_id)

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        """Note once that a check is planned: ours answer for all days of a run at once.

        Dagster notes it for each of them, whatever the check is of, and no answer ever comes to these notes: in Dagit's
        history of the check each stands as skipped.
        """
        planned = event.get_dagster_event()
        check = planned.asset_check_planned_data
        of_all_days = AssetCheckEvaluationPlanned(asset_key=check.asset_key, check_name=check.check_name)
        entry = event._replace(dagster_event=planned._replace(event_specific_data=of_all_days))
        super()._store_asset_check_evaluation_planned(entry, event_id)

    def has_table(self, table_name: str) -> bool:
        """Whether the index has the table; asked for every event, and tables do not go away."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def wipe(self) -> None:
        """Delete all events, and with them the runs' files."""
        with self._db_lock:
            self._close()
            self._engines.clear()
            super().wipe()

    def dispose(self) -> None:
        """Let go of the files."""
        super().dispose()
        self._close()

    def _close(self) -> None:
        for engine in self._engines.values():
            engine.dispose()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        opened: dict[str, Connection] | None = getattr(self._batch, "open", None)
        if opened is None:
            with self._transaction(shard) as connection:
                yield connection
            return
        if shard not in opened:
            opened[shard] = self._batch.transactions.enter_context(self._transaction(shard))
        yield opened[shard]

    @contextmanager
    def _transaction(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            if shard not in self._engines:
                self._engines[shard] = self._engine(shard)
            if shard not in (INDEX_SHARD_NAME, self._open_run):
                # Beside the index, one run's file is kept open: the last one used.
                if self._open_run in self._engines:
                    self._engines[self._open_run].dispose()
                self._open_run = shard
            with self._engines[shard].begin() as connection:
                yield connection

    def _engine(self, shard: str) -> Engine:
        engine = create_engine(
            self.conn_string_for_shard(shard),
            poolclass=QueuePool,
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
        )

        @event.listens_for(engine, "connect")
        def relax(connection: DBAPIConnection, _: object) -> None:
            # With a write-ahead log this outlives every crash but the machine's, which may cost the last events.
            connection.cursor().execute("PRAGMA synchronous = NORMAL")

        self._initdb(engine)
        return engine


def _is_of_asset(entry: EventLogEntry) -> bool:
    return entry.is_dagster_event and entry.dagster_event_type in ASSET_EVENTS
