"""Tests of the job that erases a person: what it takes, what it puts on record, and that nothing else starts it."""

from datetime import date
from pathlib import Path

import pytest
from dagster import DagsterInstance, Definitions, ExecuteInProcessResult

from calback_assets.automation.erasure import ERASE_JOB_NAME, ERASE_STEP, SUBJECT_HASH
from calback_assets.automation.jobs import DAILY_JOB_NAME
from calback_assets.definitions import build_defs
from calback_assets.settings import DEVELOPMENT_KEY, Settings
from calback_assets.tables.raw import RAW_ACCESS_LOG
from calback_assets.warehouse.erasure import Subjects
from calback_assets_tests.warehouse.helpers import EmbeddedWarehouse, Row

ANN, BOB = "ann-5d1f-9c", "bob-77e0-1a"
DAYS = (date(2024, 1, 10), date(2024, 1, 12))


def opened(day: date, user: str) -> Row:
    return {"event_date": day, "user_id": user, "topic": None, "partition": None, "offset": None}


@pytest.fixture
def warehouse(tmp_path: Path) -> EmbeddedWarehouse:
    made = EmbeddedWarehouse(tmp_path)
    made.put(RAW_ACCESS_LOG, [opened(day, user) for day in DAYS for user in (ANN, BOB)])
    return made


@pytest.fixture
def defs(warehouse: EmbeddedWarehouse, tmp_path: Path) -> Definitions:
    environ = {"CALBACK_START_DATE": "2024-01-01", "CALBACK_DATA_DIR": str(tmp_path)}
    return build_defs(Settings.from_env(environ | {"CALBACK_DUCKDB_PATH": str(warehouse.path)}))


def erase(defs: Definitions, instance: DagsterInstance, subject_hash: str) -> ExecuteInProcessResult:
    return defs.resolve_job_def(ERASE_JOB_NAME).execute_in_process(
        run_config={"ops": {ERASE_STEP: {"config": {SUBJECT_HASH: subject_hash}}}},
        instance=instance,
        raise_on_error=False,
    )


def test_the_job_erases_who_has_that_hash_and_says_per_table_what_it_touched(
    defs: Definitions, instance: DagsterInstance, warehouse: EmbeddedWarehouse
) -> None:
    result = erase(defs, instance, Subjects(DEVELOPMENT_KEY).hash(ANN))

    assert result.success
    assert warehouse.rows(RAW_ACCESS_LOG) == [opened(day, BOB) for day in DAYS]
    (seen,) = [
        event.asset_observation_data.asset_observation
        for event in result.filter_events(lambda event: event.is_asset_observation)
    ]
    assert seen.asset_key.to_user_string() == "raw_access_log"
    assert {name: value.value for name, value in seen.metadata.items()} == {
        "rows_removed": 2,
        "rows_unlinked": 0,
        "days": 2,
        "first_day": "2024-01-10",
        "last_day": "2024-01-12",
    }


def test_the_file_is_written_anew_before_the_job_ends(
    defs: Definitions, instance: DagsterInstance, warehouse: EmbeddedWarehouse
) -> None:
    assert ANN.encode() in warehouse.path.read_bytes()
    assert erase(defs, instance, Subjects(DEVELOPMENT_KEY).hash(ANN)).success
    assert ANN.encode() not in warehouse.path.read_bytes()


@pytest.mark.parametrize("given", [ANN, "", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "0" * 64 + "\n"])
def test_what_is_no_hash_is_refused_and_not_said_again(
    defs: Definitions, instance: DagsterInstance, warehouse: EmbeddedWarehouse, given: str
) -> None:
    before = warehouse.rows(RAW_ACCESS_LOG)

    result = erase(defs, instance, given)

    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    error = failure.step_failure_data.error
    assert error is not None
    assert "subject_hash is not what `calback erase USER_ID --print-hash` prints" in error.to_string()
    assert ANN not in error.to_string()
    assert warehouse.rows(RAW_ACCESS_LOG) == before
    assert not warehouse.select("SELECT 1 FROM duckdb_tables() WHERE table_name = 'suppressed'")


def test_nothing_but_a_person_starts_it(defs: Definitions) -> None:
    repository = defs.get_repository_def()
    assert {schedule.job_name for schedule in repository.schedule_defs} == {DAILY_JOB_NAME}
    assert repository.sensor_defs == []
    daily = defs.resolve_job_def(DAILY_JOB_NAME)
    assert ERASE_STEP not in {node.name for node in daily.nodes}
