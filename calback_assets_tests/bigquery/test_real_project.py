"""What only BigQuery itself can show: a refused scan, the bytes of a dry run, and writers of different days at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest
from dagster import DagsterInstance
from google.api_core.exceptions import BadRequest
from google.cloud import bigquery

from calback_assets.assets import SQL_ASSETS
from calback_assets.days import Stretch
from calback_assets.tables import TABLES
from calback_assets.tables.core import USER_DAILY_ACTIVITY
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS
from calback_assets.warehouse.bigquery.warehouse import BigQueryWarehouse
from calback_assets.warehouse.warehouse import Statement
from calback_assets_tests.warehouse.emulated import BigQueryUnderTest, real_warehouse
from calback_assets_tests.warehouse.helpers import CALENDAR, DAY, Desk, metrics

pytestmark = pytest.mark.gcp

WRITERS = 8


@pytest.fixture
def warehouse(project: str) -> Iterator[BigQueryUnderTest]:
    with real_warehouse(project) as made:
        yield made


@pytest.fixture
def desk(warehouse: BigQueryUnderTest, tmp_path: Path) -> Iterator[Desk]:
    with DagsterInstance.ephemeral() as instance:
        yield Desk(warehouse, instance, tmp_path)


def test_a_scan_without_a_partition_filter_is_refused(desk: Desk, warehouse: BigQueryUnderTest) -> None:
    assert desk.write(DAILY_ACTIVE_USERS, [metrics()]).success
    with pytest.raises(BadRequest, match="without a filter over column"):
        warehouse.client.query_and_wait(f"SELECT dau FROM {warehouse.dataset}.daily_active_users")


def test_a_day_processes_the_same_bytes_however_long_the_history(warehouse: BigQueryUnderTest) -> None:
    (dau,) = [asset for asset in SQL_ASSETS if asset.table is DAILY_ACTIVE_USERS]
    day = date(2024, 3, 10)
    sql = dau.model.bigquery_template.fill(CALENDAR.parameters(dau.model, Stretch.on(day)))

    def processed() -> int:
        config = bigquery.QueryJobConfig(
            dry_run=True, use_query_cache=False, default_dataset=f"{warehouse.client.project}.{warehouse.dataset}"
        )
        return warehouse.client.query(sql, job_config=config).total_bytes_processed

    opened = BigQueryWarehouse(warehouse.resource, warehouse.dataset)
    with opened.session() as session:
        for name in dau.reads:
            session.ensure(TABLES[name])
        for back in range(32):
            write_activity(opened, day - timedelta(days=back))
        of_a_month = processed()
        for back in range(32, 64):
            write_activity(opened, day - timedelta(days=back))
    assert processed() == of_a_month > 0


def test_writers_of_different_days_do_not_stop_each_other(warehouse: BigQueryUnderTest) -> None:
    opened = BigQueryWarehouse(warehouse.resource, warehouse.dataset)
    with opened.session() as session:
        session.ensure(USER_DAILY_ACTIVITY)
    days = [DAY + timedelta(days=after) for after in range(WRITERS)]
    for _ in range(2):
        with ThreadPoolExecutor(WRITERS) as writers:
            list(writers.map(lambda day: write_activity(opened, day), days))
    assert [row["event_date"] for row in warehouse.rows(USER_DAILY_ACTIVITY)] == days


def write_activity(opened: BigQueryWarehouse, day: date) -> None:
    """One person on that day."""
    at = f"TIMESTAMP '{day} 00:00:00+00'"
    sql = (
        f"SELECT DATE '{day}' AS event_date, 'u1' AS user_id, FALSE AS is_anonymous, 1 AS events, 1 AS sessions, "
        f"1 AS app_opens, 1 AS meetings_created, {at} AS first_event_at, {at} AS last_event_at, "
        f"CAST([] AS {USER_DAILY_ACTIVITY.column('actions').type}) AS actions"
    )
    with opened.session() as session:
        session.replace_days(USER_DAILY_ACTIVITY, Stretch.on(day), Statement(sql), f"run-{day}")
