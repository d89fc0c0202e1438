"""A written sample, opened in DuckDB: what the tests of this folder read.

Only reading belongs here; what is expected of a sample stands in the tests.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from calback_assets.sample import SampleSummary, write_sample


@dataclass(frozen=True)
class Sample:
    """A sample on disk, and a connection with the views `daily`, `intraday`, `events` and `opens` of it.

    `events` are the rows that count: daily tables win. The two tables in JSON are not among them.
    """

    folder: Path
    summary: SampleSummary
    connection: duckdb.DuckDBPyConnection

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query over the views."""
        return self.connection.execute(sql).fetchall()

    def documents(self, collection: str) -> list[dict[str, Any]]:
        """The documents of a collection, in the order of the file."""
        lines = (self.folder / "firestore" / f"{collection}.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]


@contextmanager
def opened_sample(folder: Path, *, users: int, days: int, seed: int) -> Iterator[Sample]:
    """Write a sample and open the views of it."""
    summary = write_sample(folder, users=users, days=days, seed=seed)
    with duckdb.connect() as connection:
        connection.execute(f"""
            SET TimeZone = 'UTC';
            CREATE VIEW daily AS FROM read_parquet('{folder}/analytics/events_2*.parquet',
                union_by_name=true);
            CREATE VIEW intraday AS FROM read_parquet('{folder}/analytics/events_intraday_*.parquet');
            CREATE VIEW events AS FROM daily UNION ALL BY NAME
                FROM intraday WHERE event_date NOT IN (SELECT event_date FROM daily);
            CREATE VIEW opens AS FROM read_json('{folder}/access_log/*/*.jsonl', union_by_name=true);
        """)
        yield Sample(folder, summary, connection)
