"""Both engines agree, whichever sources they read: the sample ends in the very tables that DuckDB makes of its files.

The guard of the whole bridge: sources, GoogleSQL, guards and publishing of every table at once. What the emulator
does not check is read off the statements that were sent: partition filters, and what BigQuery rejects.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from dagster import AssetKey, DagsterInstance, ExecuteInProcessResult
from google.cloud import bigquery
from sqlglot import exp

from calback_assets.assets import SQL_ASSETS
from calback_assets.automation.jobs import DAILY_JOB_NAME
from calback_assets.checks import CHECKS
from calback_assets.days import Stretch
from calback_assets.partitions import RANGE_END_TAG, RANGE_START_TAG
from calback_assets.sample.writer import write_sample
from calback_assets.settings import SOURCES, Settings
from calback_assets.tables import TABLES, Column, Table
from calback_assets.warehouse.bigquery.jobs import Jobs
from calback_assets.warehouse.duckdb.session import DuckDBSession
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets_tests.assets.worlds import Platform, build_defs, contents
from calback_assets_tests.bigquery.clients import Client, Emulator, client
from calback_assets_tests.dagit.graph import STORED
from calback_assets_tests.firestore.files import load_folder
from calback_assets_tests.firestore.server import Firestore
from calback_assets_tests.warehouse.helpers import Row, error_of

# The first test waits for all statements of the run.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

PROJECT, LOCATION = "both-engines", "asia-northeast3"
EXPORT, LOG, DOCUMENTS = "analytics_1", "access_log.opens", "firestore_export"
DAYS = 14
FIRST, LAST = date(2024, 1, 1), date(2024, 1, DAYS)
BUILT = [TABLES[name] for name in STORED]

_KINDS = {
    pa.int64(): "INT64",
    pa.int32(): "INT64",
    pa.float64(): "FLOAT64",
    pa.bool_(): "BOOL",
    pa.date32(): "DATE",
}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """The sample, and every table as DuckDB makes it."""
    platform = Platform(tmp_path_factory.mktemp("sample"), FIRST, LAST)
    write_sample(platform.data, users=100, days=DAYS)
    platform.build(FIRST, LAST)
    return platform


@pytest.fixture(scope="module")
def statements() -> list[str]:
    """Every statement that the run has sent, once `warehouse` is there."""
    return []


@pytest.fixture(scope="module")
def trees(warehouse: Client, statements: list[str]) -> dict[str, exp.Expression]:  # noqa: ARG001 - it sends them
    """What the statements say, by their texts."""
    return {sql: sqlglot.parse_one(sql, read="bigquery") for sql in statements}


def recording(send: Callable[..., Any], sent: list[str]) -> Callable[..., Any]:
    """The same method, which also keeps what it sends."""

    def record(jobs: Jobs, sql: str, *given: object) -> object:
        sent.append(sql)
        return send(jobs, sql, *given)

    return record


@pytest.fixture(scope="module")
def warehouse(local: Platform, statements: list[str], emulator: Emulator) -> Iterator[Client]:
    """BigQuery with the sample's exports in it, its documents in Firestore, and every table as it is made there."""
    with (
        client(emulator.url, PROJECT) as bigquery_client,
        Firestore(PROJECT) as firestore,
        pytest.MonkeyPatch.context() as patched,
    ):
        load_folder(firestore.store, local.data / "firestore")
        patched.setenv("FIRESTORE_EMULATOR_HOST", firestore.host)
        patched.setenv("BIGQUERY_EMULATOR_HOST", emulator.url)
        for name in ("calback", EXPORT, LOG.partition(".")[0], DOCUMENTS):
            dataset = bigquery.Dataset(f"{PROJECT}.{name}")
            dataset.location = LOCATION
            bigquery_client.create_dataset(dataset)
        load_exports(bigquery_client, local.data)
        load_changes(bigquery_client, local.data)
        with pytest.MonkeyPatch.context() as recorded:
            recorded.setattr(Jobs, "query", recording(Jobs.query, statements))
            recorded.setattr(Jobs, "columns", recording(Jobs.columns, statements))
            assert materialize(local, CALBACK_DEPLOYMENT="gcp").success
        yield bigquery_client


def materialize(local: Platform, *assets: str, **chosen: str) -> ExecuteInProcessResult:
    """All days in one run, of all assets or of these, in a deployment of these choices."""
    environ = {
        **local.environ,
        "CALBACK_GCP_PROJECT": PROJECT,
        "CALBACK_GA4_DATASET": EXPORT,
        "CALBACK_ACCESS_LOG_TABLE": LOG,
        # The key that the local deployment hashes with.
        "CALBACK_PSEUDONYM_KEY": "calback-development-key-not-a-secret",
        **chosen,
    }
    job = build_defs(Settings.from_env(environ)).resolve_job_def(DAILY_JOB_NAME)
    with DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(
            instance=instance,
            tags={RANGE_START_TAG: str(FIRST), RANGE_END_TAG: str(LAST)},
            asset_selection=[AssetKey(name) for name in assets] or None,
            raise_on_error=False,
        )


def load_exports(bigquery_client: Client, data: Path) -> None:
    """The files as the tables that they were extracted from."""
    analytics = sorted((data / "analytics").iterdir())
    template = next(path for path in analytics if path.suffix == ".parquet")
    for path in analytics:
        load(bigquery_client, f"{EXPORT}.{path.name.partition('.')[0]}", rows_of(path, template))
    log = duckdb.sql(
        f"SELECT CAST(userId AS VARCHAR) AS userId, CAST(date AS DATE) AS date, * EXCLUDE (userId, date) "
        f"FROM read_json('{data}/access_log/*/*.jsonl', format = 'newline_delimited', union_by_name = true, "
        "hive_partitioning = false)"
    ).to_arrow_table()
    load(bigquery_client, LOG, log, partitioned_by="date")


def load_changes(bigquery_client: Client, data: Path) -> None:
    """The documents as what firestore-bigquery-export keeps of them: each made, and changed when it was last."""
    for path in (data / "firestore").glob("*.jsonl"):
        changes = duckdb.sql(
            f"SELECT 'projects/p/databases/(default)/documents/{path.stem}/' || id AS document_name, operation, "
            "CAST(changed_at AS TIMESTAMPTZ) AS timestamp, CAST(data AS VARCHAR) AS data FROM (SELECT *, "
            "unnest(['CREATE', 'UPDATE']) AS operation, unnest([create_time, update_time]) AS changed_at "
            f"FROM read_json('{path}', format = 'newline_delimited', columns = {{'id': 'VARCHAR', "
            "'create_time': 'VARCHAR', 'update_time': 'VARCHAR', 'data': 'JSON'}))"
        ).to_arrow_table()
        load(bigquery_client, f"{DOCUMENTS}.{path.stem}_raw_changelog", changes)


def rows_of(path: Path, template: Path) -> pa.Table:
    """An export file with its own columns; JSON lines in the types that the Parquet files have."""
    if path.suffix == ".parquet":
        return pq.read_table(path)
    types = {name: kind for name, kind, *_ in duckdb.sql(f"DESCRIBE FROM '{template}'").fetchall()}
    held = set(duckdb.sql(f"SELECT * FROM read_json('{path}', format = 'newline_delimited')").columns)
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in types.items() if name in held)
    read = f"read_json('{path}', format = 'newline_delimited', columns = {{{columns}}})"
    return duckdb.sql(f"SELECT * FROM {read}").to_arrow_table()


def load(bigquery_client: Client, name: str, rows: pa.Table, partitioned_by: str | None = None) -> None:
    """A table with these rows."""
    schema = [field_of(field.name, field.type) for field in rows.schema]
    table = bigquery.Table(f"{PROJECT}.{name}", schema=schema)
    if partitioned_by:
        table.time_partitioning = bigquery.TimePartitioning(field=partitioned_by)
    bigquery_client.create_table(table)
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink)
    config = bigquery.LoadJobConfig(source_format="PARQUET", schema=schema)
    config.parquet_options = bigquery.ParquetOptions()
    config.parquet_options.enable_list_inference = True
    file = pa.BufferReader(sink.getvalue())
    bigquery_client.load_table_from_file(file, f"{PROJECT}.{name}", job_config=config).result()


def field_of(name: str, kind: pa.DataType, mode: str = "NULLABLE") -> bigquery.SchemaField:
    if pa.types.is_list(kind):
        return field_of(name, kind.value_type, "REPEATED")
    if pa.types.is_struct(kind):
        return bigquery.SchemaField(name, "STRUCT", mode, fields=[field_of(part.name, part.type) for part in kind])
    return bigquery.SchemaField(name, _KINDS.get(kind, "STRING"), mode)


@pytest.mark.parametrize("table", BUILT, ids=[table.name for table in BUILT])
def test_a_table_is_the_same_row_for_row(local: Platform, warehouse: Client, table: Table) -> None:
    with local.warehouse.session(read_only=True) as session:
        made = session.arrow(f"SELECT * FROM calback.{table.name}").to_pylist()
    assert comparable(stored(warehouse, table), table) == comparable(made, table)


COMBINATIONS = [
    ("files", "files", "bigquery"),
    ("files", "bigquery", "files"),
    ("firestore", "files", "files"),
    ("firestore", "bigquery", "bigquery"),
    ("bigquery", "files", "files"),
    ("bigquery", "bigquery", "bigquery"),
]
"""Every pair of two sources' places: a raw table is made of one source, so a third spoils nothing that two do not."""


@pytest.mark.usefixtures("warehouse")
@pytest.mark.parametrize(("documents", "events", "log"), COMBINATIONS)
def test_every_pair_of_sources_ends_in_the_same_raw_tables_of_duckdb_and_the_last_in_the_same_of_all(
    local: Platform, tmp_path: Path, documents: str, events: str, log: str
) -> None:
    path = tmp_path / "warehouse.duckdb"
    is_last = (documents, events, log) == COMBINATIONS[-1]
    run = materialize(
        local,
        *(() if is_last else SOURCES),
        CALBACK_DUCKDB_PATH=str(path),
        CALBACK_DOCUMENTS=documents,
        CALBACK_EVENTS=events,
        CALBACK_ACCESS_LOG=log,
    )
    assert run.success, error_of(run)
    with DuckDBWarehouse(path).session(read_only=True) as made, local.warehouse.session(read_only=True) as expected:
        assert raw(made) == raw(expected)
        if is_last:
            assert contents(made) == contents(expected)


def raw(session: DuckDBSession) -> dict[str, list[tuple[object, ...]]]:
    """Every row of the raw tables, and of the ledger what it says of them."""
    found = contents(session, SOURCES)
    return found | {"partition_ledger": [row for row in found["partition_ledger"] if row[0] in SOURCES]}


@pytest.mark.parametrize(
    ("documents", "events", "log"), [("files", "files", "files"), ("bigquery", "bigquery", "files")]
)
def test_sources_apart_end_in_the_same_raw_tables_of_bigquery(
    local: Platform, warehouse: Client, documents: str, events: str, log: str
) -> None:
    dataset = f"made_of_{documents}_{events}_{log}"
    made = bigquery.Dataset(f"{PROJECT}.{dataset}")
    made.location = LOCATION
    warehouse.create_dataset(made)
    run = materialize(
        local,
        *SOURCES,
        CALBACK_WAREHOUSE="bigquery",
        CALBACK_BIGQUERY_DATASET=dataset,
        CALBACK_DOCUMENTS=documents,
        CALBACK_EVENTS=events,
        CALBACK_ACCESS_LOG=log,
    )
    assert run.success, error_of(run)
    for name in SOURCES:
        rows = stored(warehouse, TABLES[name], dataset)
        assert comparable(rows, TABLES[name]) == comparable(stored(warehouse, TABLES[name]), TABLES[name])


def test_every_scan_of_a_daily_table_has_a_constant_range_no_wider_than_its_readers_reach(
    trees: dict[str, exp.Expression],
) -> None:
    widest = {name: max(widths) for name, widths in reaches().items()}
    scanned = set()
    for sql, tree in trees.items():
        for name, days in scans(tree):
            assert days is not None, f"{name} is read without a constant range: {sql}"
            assert days <= widest[name], f"{days} days of {name}: {sql}"
            scanned.add(name)
    assert scanned == {table.name for table in BUILT if table.is_partitioned}


def test_each_daily_table_is_changed_by_one_statement_of_all_days_and_of_no_other(
    statements: list[str], trees: dict[str, exp.Expression]
) -> None:
    changed = Counter[str]()
    for tree in (trees[sql] for sql in statements):
        assert not isinstance(tree, exp.Update | exp.Delete | exp.Command)
        if isinstance(tree, exp.Insert):
            assert tree.this.this.name in {"partition_ledger", "pseudonym_key"}
        if isinstance(tree, exp.Merge) and TABLES[tree.this.name].is_partitioned:
            (deleted,) = [when for when in tree.find_all(exp.When) if when.args.get("source")]
            assert range_of(deleted.args["condition"], tree.this.name) == DAYS
            changed[tree.this.name] += 1
    assert changed == {table.name: 1 for table in BUILT if table.is_partitioned}


def test_no_statement_uses_what_bigquery_rejects(trees: dict[str, exp.Expression]) -> None:
    for sql, tree in trees.items():
        assert not any(window.find(exp.Distinct) for window in tree.find_all(exp.Window)), sql
        assert not any(cast.to.is_type("json") for cast in tree.find_all(exp.Cast)), sql
        assert "$" not in sql.replace("'", "").split("WHERE")[0].split("SELECT")[0], sql
        assert all(unnest.args.get("alias") for unnest in tree.find_all(exp.Unnest)), sql


def reaches() -> dict[str, list[int]]:
    """How many days of each table the readers of all days may read, themselves included."""
    days: dict[str, list[int]] = {name: [DAYS] for name, table in TABLES.items() if table.is_partitioned}
    models = [declared.model for declared in SQL_ASSETS] + [check.model for check in CHECKS]
    models += [declared.ripple.model for declared in SQL_ASSETS if declared.ripple]
    for model in models:
        for source in model.inputs.values():
            if source.reach is not None:
                start, end = source.reach.of(Stretch(FIRST, LAST), FIRST, LAST)
                days[source.table.name].append((end - start).days)
    # A plot shows three months.
    days["daily_active_users"].append(90)
    return days


def scans(tree: exp.Expression) -> Iterator[tuple[str, int | None]]:
    """The daily tables that a statement reads, each with how many days; None without a constant range."""
    for table in tree.find_all(exp.Table):
        is_target = isinstance(table.parent, exp.Merge) and table.parent.this is table
        if is_target or table.name not in TABLES or not TABLES[table.name].is_partitioned:
            continue
        select = table.find_ancestor(exp.Select)
        where = select.args.get("where") if select else None
        yield table.name, range_of(where.this, table.name) if where else None


def range_of(condition: exp.Expression, name: str) -> int | None:
    """How many days a condition leaves of a table; None where it is no constant range."""
    bounds: dict[type, date] = {}
    for comparison in condition.flatten() if isinstance(condition, exp.And) else [condition]:
        side = comparison.args.get("this")
        if isinstance(side, exp.Column) and side.name == "event_date" and side.table in ("", name, "target"):
            bounds[type(comparison)] = date.fromisoformat(comparison.expression.find(exp.Literal).name)
    if exp.EQ in bounds:
        return 1
    return (bounds[exp.LT] - bounds[exp.GTE]).days if bounds.keys() >= {exp.LT, exp.GTE} else None


def stored(warehouse: Client, table: Table, dataset: str = "calback") -> list[Row]:
    return [dict(row.items()) for row in warehouse.list_rows(warehouse.get_table(f"{dataset}.{table.name}"))]


def comparable(rows: list[Row], table: Table) -> list[str]:
    """The rows in one order and one spelling, without the columns that tell the time of the run.

    In BigQuery an array is never NULL: what DuckDB keeps as NULL is stored as an empty one.
    """
    columns = [column for column in table.columns if not column.wall_clock]

    def value(row: Row, column: Column) -> object:
        return row[column.name] or [] if column.type.startswith("ARRAY") else row[column.name]

    spelled = ([value(row, column) for column in columns] for row in rows)
    return sorted(json.dumps(values, default=lambda moment: moment.isoformat()) for values in spelled)
