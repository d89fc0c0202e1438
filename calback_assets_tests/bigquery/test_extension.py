"""The tables of firestore-bigquery-export as the source of real runs, into either warehouse."""

from collections.abc import Iterator
from datetime import date, datetime

import pytest
from dagster import AssetKey, DagsterInstance
from google.cloud import bigquery

from calback_assets.automation.jobs import DAILY_JOB_NAME
from calback_assets.partitions import RANGE_END_TAG, RANGE_START_TAG
from calback_assets.settings import Settings
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets_tests.assets.worlds import build_defs
from calback_assets_tests.bigquery.clients import Client, Emulator, client
from calback_assets_tests.warehouse.helpers import Row, error_of

PROJECT = "extension-test"
DAY = date(2024, 1, 2)
COLUMNS = {"timestamp": "TIMESTAMP"} | dict.fromkeys(
    ("event_id", "document_name", "operation", "data", "old_data", "document_id"), "STRING"
)


def change(path: str, at: str, operation: str, data: str | None = None) -> Row:
    name = f"projects/calback/databases/(default)/documents/{path}"
    row = {"timestamp": f"2024-01-{at}:00:00 UTC", "event_id": "", "document_name": name, "operation": operation}
    return row | {"data": data, "old_data": None, "document_id": name.rpartition("/")[2]}


@pytest.fixture
def bigquery_client(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", emulator.url)
    with client(emulator.url, PROJECT) as connected:
        for name in ("calback", "firestore_export"):
            dataset = bigquery.Dataset(f"{PROJECT}.{name}")
            dataset.location = "asia-northeast3"
            connected.create_dataset(dataset)
        for name in ("users", "meetings"):
            schema = [
                bigquery.SchemaField(column, "TIMESTAMP" if column == "timestamp" else "STRING") for column in COLUMNS
            ]
            connected.create_table(bigquery.Table(f"{PROJECT}.firestore_export.{name}_raw_changelog", schema=schema))
        yield connected
        for name in ("calback", "firestore_export"):
            connected.delete_dataset(name, delete_contents=True)


@pytest.mark.parametrize("warehouse", ["duckdb", "bigquery"])
def test_what_the_changelog_says_is_written_and_what_it_deletes_gets_a_tombstone(
    bigquery_client: Client, tmp_path_factory: pytest.TempPathFactory, warehouse: str
) -> None:
    folder = tmp_path_factory.mktemp("world")
    settings = Settings.from_env(
        {
            "CALBACK_DATA_DIR": str(folder),
            "CALBACK_DUCKDB_PATH": str(folder / "warehouse.duckdb"),
            "CALBACK_START_DATE": str(DAY),
            "CALBACK_DOCUMENTS": "bigquery",
            "CALBACK_WAREHOUSE": warehouse,
            "CALBACK_GCP_PROJECT": PROJECT,
            "CALBACK_PSEUDONYM_KEY": "a-key-of-the-tests",
        }
    )
    job = build_defs(settings).resolve_job_def(DAILY_JOB_NAME)

    def take(**changes: list[Row]) -> None:
        for name, rows in changes.items():
            bigquery_client.load_table_from_json(rows, f"{PROJECT}.firestore_export.{name}_raw_changelog").result()
        with DagsterInstance.ephemeral() as instance:
            taken = job.execute_in_process(
                instance=instance,
                tags={RANGE_START_TAG: str(DAY), RANGE_END_TAG: str(DAY)},
                asset_selection=[AssetKey("raw_users"), AssetKey("raw_meetings")],
                raise_on_error=False,
            )
        assert taken.success, error_of(taken)

    def stored(table: str, key: str, column: str) -> list[tuple[object, object, datetime, bool]]:
        sql = f"SELECT {key}, {column}, created_at, deleted_at IS NULL FROM calback.{table} ORDER BY {key}"
        if warehouse == "bigquery":
            return [tuple(row) for row in bigquery_client.query(sql).result()]
        with DuckDBWarehouse(settings.duckdb_path).session(read_only=True) as session:
            return session.execute(sql)

    take(
        users=[
            change("userCollection/u1", "02 03", "CREATE", '{"flag": 1, "email": "u1@example.com"}'),
            change("userCollection/u2", "02 04", "CREATE", '{"flag": 2}'),
        ],
        meetings=[
            change("meetingsCollection/m1", "02 05", "CREATE", '{"owner": "u1"}'),
            change("meetingsCollection/m2", "02 06", "UPDATE", '{"owner": "u2"}'),
        ],
    )
    take(
        users=[
            change("userCollection/u2", "03 03", "DELETE"),
            change("userCollection/u1", "03 03", "UPDATE", '{"flag": 7}'),
        ],
        meetings=[change("meetingsCollection/m2", "03 04", "DELETE")],
    )

    def at(hour: int) -> datetime:
        return datetime.fromisoformat(f"2024-01-02T0{hour}:00:00Z")

    assert stored("raw_users", "user_id", "flag") == [("u1", 7, at(3), True), ("u2", 2, at(4), False)]
    assert stored("raw_meetings", "meeting_id", "owner_id") == [("m1", "u1", at(5), True), ("m2", "u2", at(6), False)]
