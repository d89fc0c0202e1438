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
from calback_assets.settings import DEVELOPMENT_KEY, Export, Settings
from calback_assets.tables.core import USER_DAILY_ACTIVITY
from calback_assets.warehouse.erasure import Subjects
from calback_assets_tests.assets.worlds import build_defs
from calback_assets_tests.delivery.world import DAY, KOREAN, NEXT, delivered, files, filled

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


def run(given: Settings, *names: str, is_raising: bool = True) -> ExecuteInProcessResult:
    with DagsterInstance.ephemeral() as instance:
        return (
            build_defs(given)
            .resolve_job_def(DAILY_JOB_NAME)
            .execute_in_process(
                instance=instance,
                tags={RANGE_START_TAG: str(NEXT), RANGE_END_TAG: str(NEXT)},
                asset_selection=[AssetKey(name) for name in names or [DELIVERED]],
                raise_on_error=is_raising,
            )
        )


def test_a_run_delivers_its_days_in_each_format(tmp_path: Path) -> None:
    filled(tmp_path / "warehouse.duckdb")
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


def test_who_was_erased_is_in_no_file_after_the_next_run_of_any_day(tmp_path: Path) -> None:
    warehouse = filled(tmp_path / "warehouse.duckdb")
    given = settings(tmp_path, Export(ACTIVITY, "csv"))
    delivered(warehouse, files(tmp_path / "out", "csv"), ACTIVITY, [DAY, NEXT])
    with warehouse.session() as session:
        session.erase(Subjects(DEVELOPMENT_KEY).hash(KOREAN), "an erasure")
    days = [tmp_path / "out" / ACTIVITY / f"{ACTIVITY}_{day}.csv" for day in (DAY, NEXT)]
    assert [KOREAN in day.read_text() for day in days] == [True, True]

    run(given)

    assert [KOREAN in day.read_text() for day in days] == [False, False]


def test_a_table_of_counts_is_one_file_of_all_days_that_each_run_brings_up_to_date(tmp_path: Path) -> None:
    filled(tmp_path / "warehouse.duckdb")
    run(settings(tmp_path, Export("daily_active_users", "csv")), "delivered_daily_active_users")

    folder = tmp_path / "out" / "daily_active_users"
    assert [path.name for path in folder.glob("*.csv")] == ["daily_active_users.csv"]
    rows = (folder / "daily_active_users.csv").read_text(encoding="utf-8-sig").splitlines()[1:]
    assert [row.partition(",")[0] for row in rows] == [str(DAY), str(NEXT)]
    manifest = json.loads((folder / "_manifest" / "daily_active_users.csv.json").read_text())
    assert (manifest["first_day"], manifest["last_day"], manifest["rows"]) == (str(DAY), str(NEXT), 2)


def test_what_changed_in_another_day_has_its_actions_in_columns(tmp_path: Path) -> None:
    warehouse = filled(tmp_path / "warehouse.duckdb")
    given = settings(tmp_path, Export("who_did_what", "csv"))
    with warehouse.session() as session:
        session.execute(
            "UPDATE calback.user_daily_activity SET actions = [{'event_name': 'new', 'events': 9}] "
            f"WHERE event_date = DATE '{DAY}' AND user_id = '-1'"
        )
    run(given, "delivered_who_did_what")
    folder = tmp_path / "out" / "who_did_what"
    manifest = json.loads((folder / "_manifest" / f"who_did_what_{NEXT}.csv.json").read_text())
    (folder / "_manifest" / f"who_did_what_{DAY}.csv.json").write_text(json.dumps({**manifest, "version": "other"}))
    run(given, "delivered_who_did_what")

    head, first, *_ = (folder / f"who_did_what_{DAY}.csv").read_text(encoding="utf-8-sig").splitlines()
    assert dict(zip(head.split(","), first.split(","), strict=True))['"new"'] == "9"


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
        (Export("who_did_what", None), "sqlite:///people.db", "CALBACK_EXPORT_TO: who_did_what has a column for each"),
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
