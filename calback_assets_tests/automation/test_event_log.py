"""The batched event log keeps the same records as Dagster's own, where a plain Dagster finds them."""

import queue
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetExecutionContext,
    AssetKey,
    BackfillPolicy,
    DagsterInstance,
    DailyPartitionsDefinition,
    Definitions,
    asset,
    asset_check,
    in_process_executor,
)
from dagster._core.storage.event_log import SqliteEventLogStorage

import calback_assets
from calback_assets.automation.event_log import BatchedSqliteEventLogStorage

SETTINGS = Path(calback_assets.__file__).parent / "dagster.yaml"
RANGE = {"dagster/asset_partition_range_start": "2024-01-01", "dagster/asset_partition_range_end": "2024-01-05"}
VISITS = AssetKey("visits")
IS_RIGHT = AssetCheckKey(VISITS, "is_right")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the platform's own instance settings."""
    shutil.copy(SETTINGS, tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "3")
    return tmp_path


@pytest.fixture
def instance(home: Path) -> Iterator[DagsterInstance]:
    with DagsterInstance.from_config(str(home)) as opened:
        yield opened


def five_days(instance: DagsterInstance, *, fails: bool = False) -> str:
    """One run over five days of an asset with a check, which is not reached where the asset fails."""

    @asset(
        name=VISITS.path[-1],
        partitions_def=DailyPartitionsDefinition("2024-01-01", end_date="2024-01-10"),
        backfill_policy=BackfillPolicy.single_run(),
    )
    def visits(context: AssetExecutionContext) -> None:
        assert not fails
        context.add_output_metadata({"row_count": 7})

    @asset_check(name=IS_RIGHT.name, asset=visits)
    def is_right() -> AssetCheckResult:
        return AssetCheckResult(passed=True)

    definitions = Definitions(assets=[visits], asset_checks=[is_right], executor=in_process_executor)
    job = definitions.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=instance, tags=RANGE, raise_on_error=not fails).run_id


def shown(instance: DagsterInstance, run_id: str) -> dict[str, object]:
    """What Dagit shows of the run, the asset and its partitions."""
    log = instance.event_log_storage
    materialized = instance.fetch_materializations(VISITS, limit=100).records
    checks = log.get_asset_check_execution_history(IS_RIGHT, limit=10)
    (asset_record,) = log.get_asset_records([VISITS])
    newest = asset_record.asset_entry.last_materialization_record
    return {
        "events": [record.event_log_entry.dagster_event_type for record in log.get_records_for_run(run_id).records],
        "partitions": [record.partition_key for record in materialized],
        "metadata": [record.asset_materialization and record.asset_materialization.metadata for record in materialized],
        "materialized": log.get_materialized_partitions(VISITS),
        "newest partition": newest and newest.partition_key,
        "newest is of this run": asset_record.asset_entry.last_run_id == run_id == (newest and newest.run_id),
        "runs of the asset": {record.run_id for record in materialized} == {run_id},
        "checks": [check.status.name for check in checks if check.status.name != "PLANNED"],
    }


def test_a_range_of_days_is_recorded_as_by_dagster_itself(
    instance: DagsterInstance, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert isinstance(instance.event_log_storage, BatchedSqliteEventLogStorage)
    recorded = shown(instance, five_days(instance))
    with DagsterInstance.local_temp(str(tmp_path_factory.mktemp("plain"))) as plain:
        assert recorded == shown(plain, five_days(plain))
    assert recorded["materialized"] == {f"2024-01-0{day}" for day in range(1, 6)}


def test_every_materialization_of_a_run_has_a_millisecond_of_its_own(instance: DagsterInstance) -> None:
    five_days(instance)
    log = instance.event_log_storage
    days = [record.event_log_entry for record in reversed(instance.fetch_materializations(VISITS, limit=5).records)]
    # As fast as a machine may ever be, in two batches, and the last of another run.
    again = [day._replace(run_id="again", timestamp=days[0].timestamp) for day in days]
    log.store_event_batch(again[:3])
    log.store_event_batch([*again[3:], again[0]._replace(run_id="a third time")])
    stored = [record.event_log_entry for record in reversed(instance.fetch_materializations(VISITS, limit=6).records)]
    first = int(days[0].timestamp * 1000)
    # As Dagit's GraphQL rounds them.
    assert [int(entry.timestamp * 1000) - first for entry in stored] == [0, 1, 2, 3, 4, 0]
    assert [entry.asset_materialization.partition for entry in stored if entry.asset_materialization] == [
        *(f"2024-01-0{day}" for day in range(1, 6)),
        "2024-01-01",
    ]


def test_in_the_history_of_a_check_each_run_stands_once_whether_it_came_to_the_check_or_not(
    instance: DagsterInstance,
) -> None:
    runs = [five_days(instance, fails=fails) for fails in (False, True)]
    history = instance.event_log_storage.get_asset_check_execution_history(IS_RIGHT, limit=10)
    assert [(check.run_id, check.status.name, check.partition) for check in reversed(history)] == [
        (runs[0], "SUCCEEDED", None),
        (runs[1], "PLANNED", None),
    ]


def test_a_plain_dagster_reads_the_same_files(instance: DagsterInstance, home: Path) -> None:
    run_id = five_days(instance)
    recorded = shown(instance, run_id)
    (home / SETTINGS.name).unlink()
    with DagsterInstance.from_config(str(home)) as plain:
        assert type(plain.event_log_storage) is SqliteEventLogStorage
        assert shown(plain, run_id) == recorded


def test_of_a_batch_all_events_are_stored_or_none(instance: DagsterInstance) -> None:
    log = instance.event_log_storage
    run_id = five_days(instance)
    before = log.get_records_for_run(run_id).records
    again = [record.event_log_entry for record in before]

    with pytest.raises(AttributeError):
        log.store_event_batch([again[0], "no event"])  # type: ignore[list-item]
    assert log.get_records_for_run(run_id).records == before


def test_who_watches_a_run_is_told_of_every_event(instance: DagsterInstance, home: Path) -> None:
    run_id = five_days(instance)
    log = instance.event_log_storage
    first = log.get_records_for_run(run_id).records[0].event_log_entry
    seen: queue.Queue[str | None] = queue.Queue()

    with DagsterInstance.from_config(str(home)) as dagit:
        newest = dagit.event_log_storage.get_records_for_run(run_id).cursor
        dagit.watch_event_logs(run_id, newest, lambda entry, _: seen.put(entry.message))
        for message in ("one", "two", "three"):
            log.store_event(first._replace(user_message=message, dagster_event=None))
            assert seen.get(timeout=10) == message


def test_events_after_a_wipe_are_kept(instance: DagsterInstance, home: Path) -> None:
    run_id = five_days(instance)
    log = instance.event_log_storage
    first = log.get_records_for_run(run_id).records[0].event_log_entry
    log.wipe()
    log.store_event(first)
    with DagsterInstance.from_config(str(home)) as other:
        assert [record.event_log_entry for record in other.event_log_storage.get_records_for_run(run_id).records] == [
            first
        ]


def test_of_many_runs_one_file_is_kept_open(instance: DagsterInstance) -> None:
    log = instance.event_log_storage
    runs = [five_days(instance) for _ in range(3)]
    for run_id in (*runs, *reversed(runs)):
        assert log.get_records_for_run(run_id).records
    left_open = {f.readlink().name for f in Path("/proc/self/fd").iterdir() if f.is_symlink()}
    assert [run_id for run_id in runs if f"{run_id}.db" in left_open] == [runs[0]]
