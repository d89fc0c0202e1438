"""Exports as assets: they follow the tables that the settings name, in every job and night, and say what they wrote."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance, ExecuteInProcessResult

from calback_assets.automation.jobs import DAILY_JOB_NAME
from calback_assets.errors import DeliveryError, SettingsError
from calback_assets.partitions import RANGE_END_TAG, RANGE_START_TAG
from calback_assets.settings import Export, Settings
from calback_assets.tables.core import USER_DAILY_ACTIVITY
from calback_assets_tests.assets.worlds import build_defs
from calback_assets_tests.delivery.world import DAY, NEXT, filled

ACTIVITY = USER_DAILY_ACTIVITY.name
DELIVERED = f"delivered_{ACTIVITY}"


def settings(folder: Path, *exports: Export, to: str | None = None) -> Settings:
    return Settings(
        data_dir=folder,
        duckdb_path=folder / "warehouse.duckdb",
        start_date=date(2024, 1, 1),
        end_date=date(2024, 1, 31),
        timezone="Asia/Seoul",
        pseudonym_key=b"",
        exports=exports,
        export_to=to or str(folder / "out"),
    )


def run(given: Settings, *, is_raising: bool = True) -> ExecuteInProcessResult:
    with DagsterInstance.ephemeral() as instance:
        return (
            build_defs(given)
            .resolve_job_def(DAILY_JOB_NAME)
            .execute_in_process(
                instance=instance,
                tags={RANGE_START_TAG: str(NEXT), RANGE_END_TAG: str(NEXT)},
                asset_selection=[AssetKey(DELIVERED)],
                raise_on_error=is_raising,
            )
        )


def test_a_run_delivers_its_days_and_those_that_have_changed_since(tmp_path: Path) -> None:
    warehouse = filled(tmp_path / "warehouse.duckdb")
    given = settings(
        tmp_path, Export(ACTIVITY, "csv"), Export(ACTIVITY, "parquet"), Export("daily_active_users", "csv")
    )
    first = run(given)

    out = tmp_path / "out" / ACTIVITY
    names = {f"{ACTIVITY}_{NEXT}.{suffix}" for suffix in ("csv", "parquet")}
    assert {path.name for path in out.iterdir() if path.is_file()} == {*names, ".lock"}
    (event,) = first.get_asset_materialization_events()
    assert event.partition == str(NEXT)
    said = {name: value.value for name, value in event.materialization.metadata.items()}
    assert said["row_count"] == 6
    assert said["delivered"] == f"{ACTIVITY}_{NEXT}.csv, {ACTIVITY}_{NEXT}.parquet"
    assert said["dagster/uri"] == str(tmp_path / "out")
    manifest = json.loads((out / "_manifest" / f"{ACTIVITY}_{NEXT}.csv.json").read_text())
    assert (manifest["run_id"], manifest["is_final"]) == (first.run_id, True)

    # A day that lies there, and of which a person was erased in the meantime.
    (out / "_manifest" / f"{ACTIVITY}_{DAY}.csv.json").write_text(json.dumps({**manifest, "version": "before/4"}))
    run(given)
    assert (out / f"{ACTIVITY}_{DAY}.csv").exists()
    assert not (out / f"{ACTIVITY}_{DAY}.parquet").exists()
    with warehouse.session(read_only=True) as session:
        assert set(session.versions(USER_DAILY_ACTIVITY)) == {DAY, NEXT}


def test_exports_belong_to_the_job_and_to_every_night(tmp_path: Path) -> None:
    given = settings(tmp_path, Export(ACTIVITY, "xlsx"), Export("retention_cohorts", "xlsx"))
    defs = build_defs(given)
    graph, job = defs.resolve_asset_graph(), defs.resolve_job_def(DAILY_JOB_NAME)

    node = graph.get(AssetKey(DELIVERED))
    assert node.parent_keys == {AssetKey(ACTIVITY)}
    assert (node.group_name, node.partitions_def) == ("7_delivery", graph.get(AssetKey(ACTIVITY)).partitions_def)
    assert graph.get(AssetKey("delivered_retention_cohorts")).partitions_def is None
    assert {AssetKey(DELIVERED), AssetKey("delivered_retention_cohorts")} <= job.asset_layer.selected_asset_keys
    without = build_defs(replace(given, exports=())).resolve_asset_graph()
    assert graph.get_all_asset_keys() - without.get_all_asset_keys() == {
        AssetKey(DELIVERED),
        AssetKey("delivered_retention_cohorts"),
    }


def test_a_target_that_cannot_be_written_fails_the_export_alone_and_says_no_secret(tmp_path: Path) -> None:
    filled(tmp_path / "warehouse.duckdb")
    failed = run(
        settings(tmp_path, Export(ACTIVITY, None), to=f"postgresql+psycopg://someone:geheim@/calback?host={tmp_path}"),
        is_raising=False,
    )

    assert not failed.success
    (failure,) = [event for event in failed.all_events if event.is_step_failure]
    error = failure.step_failure_data.error
    assert error is not None
    assert error.cause is not None
    assert error.cause.cls_name == DeliveryError.__name__
    assert all("geheim" not in str(event) for event in failed.all_events)


@pytest.mark.parametrize(
    ("export", "to", "said"),
    [
        (Export("nobody", "csv"), None, "CALBACK_EXPORTS names nobody, and there is no such table"),
        (Export(ACTIVITY, None), "nosuch://someone:geheim@host/x", "CALBACK_EXPORT_TO: the address of the database"),
    ],
)
def test_settings_that_cannot_be_are_said_when_definitions_load(
    tmp_path: Path, export: Export, to: str | None, said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        build_defs(settings(tmp_path, export, to=to))
    assert str(caught.value).startswith(said)
    assert "geheim" not in str(caught.value)
