"""The limit: the same SQL typed by hand into DuckDB.

The script holds the SQL text that the platform renders, printed once and untimed. It is run on one connection: delete
the day, insert the day. No Dagster, no contract, no ledger, no check, no metadata. Firestore documents are taken by the
platform's own converter on both sides.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from benchmarks.harness import Work
from benchmarks.platform_run import SCHEMA, TO_METRICS, WAREHOUSE
from benchmarks.workload import TIMEZONE
from calback_assets.days import Stretch
from calback_assets.settings import DEVELOPMENT_KEY
from calback_assets.sources.firestore.documents import collections
from calback_assets.sources.firestore.files import FirestoreFiles
from calback_assets.tables import TABLES
from calback_assets.warehouse.ledger import during


def write_script(path: Path, data: Path, first: date, last: date, *, at_once: bool = False) -> None:
    """Print the statements of the days `first` to `last`, the whole data set, to a JSON file.

    Args:
        path: the file.
        data: folder of the exports.
        first: the first day.
        last: the last day.
        at_once: one statement a table for all days, instead of one for each.
    """
    from calback_assets.assets import SQL_ASSETS
    from calback_assets.sources.access_log.files import AccessLogFiles
    from calback_assets.sources.ga4.files import Ga4Files
    from calback_assets.warehouse.duckdb.schema import duckdb_type
    from calback_assets.warehouse.io_manager import Calendar

    ga4 = Ga4Files(data / "analytics", TIMEZONE, lambda: datetime.now(UTC)).look(first)
    access_log = AccessLogFiles(data / "access_log", TIMEZONE).look(first)
    calendar = Calendar(first, last, TIMEZONE)
    thresholds = {"frequent_min_days": 3, "frequent_window_days": 30}

    def queries(stretch: Stretch) -> Iterator[tuple[str, str]]:
        yield "raw_events", ga4.read(stretch).sql
        yield "raw_access_log", access_log.read(stretch).sql
        for declared in (declared for declared in SQL_ASSETS if declared.table.name in TO_METRICS):
            filled = declared.model.duckdb_template.fill({**thresholds, **calendar.parameters(declared.model, stretch)})
            yield declared.table.name, filled

    whole = Stretch(first, last)
    written = [whole] if at_once else [Stretch.on(day) for day in whole.days]
    columns = {
        table.name: ", ".join(f'"{column.name}" {duckdb_type(column.type)}' for column in table.columns)
        for table in TABLES.values()
    }
    script = {
        "tables": [f"CREATE TABLE {SCHEMA}.{name} ({declared})" for name, declared in columns.items()],
        "statements": [
            statement
            for stretch in written
            for name, query in queries(stretch)
            for statement in (
                "BEGIN TRANSACTION",
                f"DELETE FROM {SCHEMA}.{name} WHERE {during(stretch)}",
                f"INSERT INTO {SCHEMA}.{name} BY NAME {query}",
                "COMMIT",
            )
        ],
    }
    path.write_text(json.dumps(script), encoding="utf-8")


def run_script(script: str, data: str, folder: str) -> Work:
    """The script, from an empty warehouse to the metrics."""
    typed = json.loads(Path(script).read_text(encoding="utf-8"))

    def work() -> None:
        firestore = FirestoreFiles(Path(data) / "firestore", collections(DEVELOPMENT_KEY, tolerated=1.0))
        with duckdb.connect(str(Path(folder) / WAREHOUSE)) as connection:
            connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
            connection.execute(f"CREATE SCHEMA {SCHEMA}")
            for statement in typed["tables"]:
                connection.execute(statement)
            for name in ("raw_users", "raw_meetings"):
                connection.register("documents", firestore.snapshots([name], print)[name].rows)
                connection.execute(f"INSERT INTO {SCHEMA}.{name} BY NAME SELECT * FROM documents")
                connection.unregister("documents")
            for statement in typed["statements"]:
                connection.execute(statement)

    return work
