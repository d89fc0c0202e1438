"""The sample's events as the files of a GA4 BigQuery export, with the dirt that real exports have.

Which table a row lands in, copies of rows, and file formats belong here; the columns are in `ga4_rows`.
The property's time zone is UTC, so that no table is a Seoul day: each Seoul day lies in two of them.
"""

import gzip
import json
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from calback_assets.sample.ga4_rows import BATCH_COLUMNS, RowShape
from calback_assets.sample.people import Devices, People
from calback_assets.sample.randomness import generator
from calback_assets.sample.records import EventRows
from calback_assets.sample.timeline import DAY, SECOND, SEOUL_OFFSET, date_of, day_start

_DUPLICATED = 0.0005
_LATE, _LATEST = 0.001, 17 * DAY
_INTRADAY_PART = 0.6
"""How much of its day the intraday table holds that stands beside a daily one."""


class Ga4Export:
    """Writes the tables as the Seoul days come in, and holds back what belongs to an unfinished table.

    Table n is that of the UTC date on which Seoul day n begins: table 0 is the date before the sample's first
    day, and the one numbered `days` is not complete when the sample ends.
    """

    def __init__(self, folder: Path, seed: int, people: People, devices: Devices, days: int) -> None:
        """`folder` exists and is empty."""
        self._folder = folder
        self._seed = seed
        self._days = days
        self._shape = RowShape(people, devices)
        self._held: list[EventRows] = []

    def add(self, day: int, events: EventRows) -> int:
        """Take a Seoul day and write the table that it completes; returns the rows written."""
        utc_midnight = day_start(day) + SEOUL_OFFSET
        earlier = events.time < utc_midnight
        rows = self._write(day, EventRows.joined([*self._held, events.picked(earlier)]))
        self._held = [events.picked(~earlier)]
        return rows

    def close(self) -> int:
        """Write the last, incomplete date as an intraday table; returns the rows written."""
        rest = EventRows.joined(self._held)
        return self._write(self._days, rest.picked(rest.time < day_start(self._days)))

    def _write(self, number: int, events: EventRows) -> int:
        date = f"{date_of(number - 1):%Y%m%d}"
        table = self._table(number, events, date)
        provisional = table.drop_columns(["is_active_user"])
        if number == self._days:
            self._save(provisional, number, f"events_intraday_{date}")
        else:
            self._save(table, number, f"events_{date}")
        if number == self._days - 1:
            begun = provisional.slice(0, int(table.num_rows * _INTRADAY_PART))
            _write_parquet(begun, self._folder / f"events_intraday_{date}.parquet")
        rows: int = table.num_rows
        return rows

    def _table(self, number: int, events: EventRows, date: str) -> pa.Table:
        """The rows of one date, some of them uploaded late, and some of them twice."""
        rng = generator(self._seed, "ga4 export", number)
        count = len(events.time)
        order = np.argsort(events.time, kind="stable")
        uploaded_after = rng.integers(SECOND // 10, 3 * SECOND, size=count)
        is_late = rng.random(count) < _LATE
        uploaded_after[is_late] = rng.integers(DAY, _LATEST, size=int(is_late.sum()))
        copies = 1 + (rng.random(count) < _DUPLICATED)
        table = self._shape.table(events.picked(np.repeat(order, copies)), np.repeat(uploaded_after, copies), date)
        is_old = number < (self._days + 1) // 3
        return table.drop_columns(BATCH_COLUMNS) if is_old else table

    def _save(self, table: pa.Table, number: int, name: str) -> None:
        """The first two tables are JSON, compressed and plain, so that every way of reading is used."""
        if number == 0:
            path = self._folder / f"{name}.jsonl.gz"
            # No name and no time in the gzip header: the bytes depend on the rows alone.
            with path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
                _write_json(table, file)
        elif number == 1:
            with (self._folder / f"{name}.jsonl").open("wb") as file:
                _write_json(table, file)
        else:
            _write_parquet(table, self._folder / f"{name}.parquet")


def _write_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd", store_schema=False)


def _write_json(table: pa.Table, file: BinaryIO | gzip.GzipFile) -> None:
    """JSON lines as BigQuery extracts them."""
    encode = json.JSONEncoder(separators=(",", ":")).encode
    for batch in table.to_batches(max_chunksize=1000):
        file.write("".join(f"{encode(_extracted(row))}\n" for row in batch.to_pylist()).encode())


def _extracted(value: Any) -> Any:
    """As BigQuery writes it to JSON: integers become strings, and nulls are left out."""
    match value:
        case dict():
            return {key: _extracted(item) for key, item in value.items() if item is not None}
        case list():
            return [_extracted(item) for item in value]
        case bool():
            return value
        case int():
            return str(value)
        case _:
            return value
