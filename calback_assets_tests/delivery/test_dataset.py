"""Rows in a dataset of BigQuery for readers, on the emulator."""

from datetime import UTC, datetime

import pytest

from calback_assets.delivery.bigquery import DatasetTarget
from calback_assets.errors import DeliveryError
from calback_assets.tables.core import USER_DAILY_ACTIVITY
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets_tests.bigquery.clients import Emulator
from calback_assets_tests.delivery.world import DAY, FORMULA, KOREAN, NEXT, delivered
from calback_assets_tests.warehouse.emulated import EmulatedWarehouse

ACTIVITY = USER_DAILY_ACTIVITY.name


def test_readers_find_days_with_descriptions_and_a_manifest(
    stored: DuckDBWarehouse, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", emulator.url)
    readers = EmulatedWarehouse(emulator.url)
    target = DatasetTarget(readers.client.project, readers.dataset)
    delivered(stored, target, ACTIVITY, [DAY, NEXT], run_id="one")
    delivered(stored, target, ACTIVITY, [DAY], run_id="two")

    rows = readers.rows(USER_DAILY_ACTIVITY)
    assert [(row["event_date"], row["user_id"], row["events"]) for row in rows] == [
        (day, user, events) for day in (DAY, NEXT) for user, events in (("-1", 0), (FORMULA, 1), (KOREAN, 3))
    ]
    assert rows[2]["actions"][0] == {"event_name": "일정_보기", "events": 2}
    assert rows[2]["first_event_at"] == datetime(2024, 1, 9, 15, 0, 0, 123456, tzinfo=UTC)
    made = readers.client.get_table(f"calback.{ACTIVITY}")
    assert made.schema[3].description == "Activity events of the day."
    assert made.time_partitioning.field == "event_date"
    with target.opened(USER_DAILY_ACTIVITY) as place:
        assert place.versions() == {DAY: "first/3", NEXT: "first/3"}
    entries = readers.client.list_rows(readers.client.get_table("calback.calback_manifest"))
    found = sorted((entry["run_id"], entry["first_day"], entry["row_count"], entry["sha256"]) for entry in entries)
    assert [entry[:3] for entry in found] == [("one", DAY, 3), ("one", NEXT, 3), ("two", DAY, 3)]
    assert found[0][3] == found[2][3]


def test_a_dataset_that_is_not_there_is_said(
    stored: DuckDBWarehouse, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", emulator.url)
    project = EmulatedWarehouse(emulator.url).client.project
    with pytest.raises(DeliveryError, match=f"{ACTIVITY}: bigquery://{project}/nowhere: there is no dataset nowhere"):
        delivered(stored, DatasetTarget(project, "nowhere"), ACTIVITY)
