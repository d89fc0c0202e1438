"""What the platform consists of: assets, edges, checks, job and schedule, for several settings in one process."""

import json
import re
import subprocess
import sys
from difflib import unified_diff
from pathlib import Path

import pytest
from dagster import (
    AssetKey,
    DefaultScheduleStatus,
    Definitions,
    TimeWindowPartitionMapping,
    build_init_resource_context,
)
from dagster._core.remote_representation.external_data import ResourceConfigEnvVarSnap, ResourceSnap

from calback_assets.errors import SettingsError
from calback_assets.tables import TABLES
from calback_assets_tests import asset_graph
from calback_assets_tests.dagit.graph import APP, DAILY

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def defs(tmp_path_factory: pytest.TempPathFactory) -> Definitions:
    return platform(tmp_path_factory.mktemp("data"))


def platform(data: Path, **environment: str) -> Definitions:
    with pytest.MonkeyPatch.context() as patch:
        # The last line of the module builds definitions from the environment when it is first imported.
        patch.setenv("CALBACK_START_DATE", "2024-01-01")
        from calback_assets.definitions import build_defs
    from calback_assets.settings import Settings

    return build_defs(
        Settings.from_env({"CALBACK_START_DATE": "2024-01-01", "CALBACK_DATA_DIR": str(data)} | environment)
    )


@pytest.mark.parametrize("documents", ["files", "firestore", "bigquery"])
@pytest.mark.parametrize("events", ["files", "bigquery"])
@pytest.mark.parametrize("access_log", ["files", "bigquery"])
def test_each_source_is_read_from_where_it_was_chosen(
    tmp_path: Path, documents: str, events: str, access_log: str
) -> None:
    platform(tmp_path)
    from calback_assets.settings import Settings
    from calback_assets.warehouse.deployed_sources import sources_of

    chosen = {"CALBACK_DOCUMENTS": documents, "CALBACK_EVENTS": events, "CALBACK_ACCESS_LOG": access_log}
    needed = {
        "CALBACK_GCP_PROJECT": "calback",
        "CALBACK_GA4_DATASET": "analytics_1",
        "CALBACK_START_DATE": "2024-01-01",
    }
    needed |= {"CALBACK_ACCESS_LOG_TABLE": "kafka.opens", "CALBACK_PSEUDONYM_KEY": "a-key-of-the-tests"}
    found = sources_of(Settings.from_env({**chosen, **needed, "CALBACK_WAREHOUSE": "bigquery"}))
    assert {
        "CALBACK_DOCUMENTS": type(found.documents).__name__,
        "CALBACK_EVENTS": type(found.daily["raw_events"]).__name__,
        "CALBACK_ACCESS_LOG": type(found.daily["raw_access_log"]).__name__,
    } == {
        "CALBACK_DOCUMENTS": {
            "files": "FirestoreFiles",
            "firestore": "LiveFirestore",
            "bigquery": "FirestoreExport",
        }[documents],
        "CALBACK_EVENTS": {"files": "Ga4Files", "bigquery": "Ga4Export"}[events],
        "CALBACK_ACCESS_LOG": {"files": "AccessLogFiles", "bigquery": "AccessLogTable"}[access_log],
    }
    # The folder is looked at where any source reads files, and there in that source's alone.
    assert (found.folder is None) == ("files" not in chosen.values())


def test_the_graph_is_the_one_that_was_committed(defs: Definitions) -> None:
    found = asset_graph.described(defs)
    committed = asset_graph.PATH.read_text(encoding="utf-8")
    change = "\n".join(unified_diff(committed.splitlines(), found.splitlines(), "committed", "found", lineterm=""))
    assert found == committed, f"if this is meant, run {asset_graph.RENEWED_BY} and commit the file:\n{change}"


def test_groups_sort_in_the_order_in_which_data_flows(defs: Definitions) -> None:
    nodes = {node.key: node for node in defs.resolve_asset_graph().asset_nodes}
    assert [
        (parent.to_user_string(), node.key.to_user_string())
        for node in nodes.values()
        for parent in node.parent_keys
        if nodes[parent].group_name > node.group_name
    ] == []


def test_every_asset_has_an_owner_and_a_description(defs: Definitions) -> None:
    for node in defs.resolve_asset_graph().asset_nodes:
        assert node.owners == ["team:analytics"]
        assert node.description
        assert len(node.description) > 40, node.key


def test_every_asset_shows_its_columns_with_descriptions(defs: Definitions) -> None:
    tables = [node for node in defs.resolve_asset_graph().asset_nodes if node.key.path[-1] in TABLES]
    assert len(tables) == len(TABLES)
    for node in tables:
        schema = node.metadata["dagster/column_schema"]
        assert schema.columns
        assert [column.name for column in schema.columns if not column.description] == []


def test_every_column_is_followed_back_to_fields_of_the_app(defs: Definitions) -> None:
    metadata = {node.key: node.metadata for node in defs.resolve_asset_graph().asset_nodes}
    app = {AssetKey.from_user_string(name) for name in APP}
    fields = {key: {field.name for field in metadata[key]["dagster/column_schema"].columns} for key in app}

    def begins(key: AssetKey, column: str) -> set[AssetKey]:
        if key in app:
            assert column in fields[key]
            return {key}
        steps = metadata[key]["dagster/column_lineage"].deps_by_column[column]
        return set().union(*(begins(step.asset_key, step.column_name) for step in steps))

    for table in TABLES.values():
        schema = metadata[AssetKey(table.name)]["dagster/column_schema"]
        assert [column.name for column in schema.columns] == list(table.column_names)
        for column in schema.columns:
            assert begins(AssetKey(table.name), column.name), f"{table.name}.{column.name}"
            assert "**From** " in column.description


@pytest.mark.parametrize(
    ("table", "column", "said"),
    [
        (
            "daily_active_users",
            "dau",
            "People active on the day.\n\n**From** user_daily_activity (`event_date`, `user_id`)\n\n**In the app** "
            "access_log/opens (`date`, `userId`), analytics/events (`event_timestamp`, `user_id`, `user_pseudo_id`), "
            "firestore/meetingsCollection (`owner`), firestore/userCollection (`__name__`)",
        ),
        (
            "daily_active_users",
            "mau",
            "People active in the 30 days that end with the day.\n\n**From** the same as `dau`",
        ),
        (
            "raw_users",
            "email_hash",
            "Keyed hash of the e-mail address.\n\n**From** firestore/userCollection (`email`)",
        ),
    ],
)
def test_a_column_says_where_it_comes_from(defs: Definitions, table: str, column: str, said: str) -> None:
    schema = defs.resolve_asset_graph().get(AssetKey(table)).metadata["dagster/column_schema"]
    assert [found.description for found in schema.columns if found.name == column] == [said]


def test_the_app_says_what_becomes_of_every_field(defs: Definitions) -> None:
    users = defs.resolve_asset_graph().get(AssetKey(["firestore", "userCollection"]))
    fields = {field.name: field.description for field in users.metadata["dagster/column_schema"].columns}
    assert fields["token"].startswith("The device's push token, a secret. Dropped.")
    assert fields["email"] == "`raw_users.email_hash`, hashed: Keyed hash of the e-mail address."
    assert users.metadata["where"].value.endswith("firestore")


def test_a_table_is_shown_with_its_full_name_its_query_and_where_it_is_defined(tmp_path: Path) -> None:
    for environment, name, uri in (
        (
            {"CALBACK_DUCKDB_PATH": "/data/w.duckdb"},
            "calback.daily_active_users",
            "duckdb:////data/w.duckdb#calback.daily_active_users",
        ),
        (
            {
                "CALBACK_WAREHOUSE": "bigquery",
                "CALBACK_GCP_PROJECT": "calback-1",
                "CALBACK_PSEUDONYM_KEY": "a-key-of-the-tests",
            },
            "calback-1.calback.daily_active_users",
            "https://console.cloud.google.com/bigquery?p=calback-1&d=calback&t=daily_active_users&page=table",
        ),
    ):
        node = platform(tmp_path, **environment).resolve_asset_graph().get(AssetKey("daily_active_users"))
        assert node.metadata["dagster/table_name"] == name
        assert node.metadata["dagster/uri"].value == uri
        assert node.tags["dagster/storage_kind"] in node.kinds
        assert "INNER JOIN user_daily_activity" in node.metadata["query"].value
        opened = [Path(found.file_path) for found in node.metadata["dagster/code_references"].code_references]
        assert [path.name for path in opened] == ["daily_active_users.sql", "metrics.md"]
        assert all(path.is_file() for path in opened)


def test_every_page_and_heading_that_a_table_is_defined_in_is_there() -> None:
    for table in TABLES.values():
        page, _, anchor = table.defined_in.partition("#")
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        headings = re.findall("^#+ (.*)$", text, re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not anchor or anchor in anchors, table.defined_in
        assert table.use, table.name
        assert table.caution, table.name


def test_resources_tell_what_they_were_set_to_and_no_secret(tmp_path: Path) -> None:
    secret = "a-key-of-the-tests"  # noqa: S105
    found = platform(tmp_path, CALBACK_PSEUDONYM_KEY=secret).get_repository_def().get_top_level_resources()
    shown = {name: ResourceSnap.from_def(found[name], name, {}, {}, {}, {}, {}, {}) for name in found}
    assert {name: snap.resource_type.rpartition(".")[2] for name, snap in shown.items()} == {
        "io_manager": "WarehouseIOManager",
        "warehouse": "DuckDBWarehouse",
        "intake": "Intake",
    }
    assert all(snap.resource_snapshot.description for snap in shown.values())
    values = shown["warehouse"].configured_values
    assert values["pseudonym_key"] == ResourceConfigEnvVarSnap(name="CALBACK_PSEUDONYM_KEY")
    assert json.loads(values["path"]) == "data/warehouse.duckdb"
    assert secret not in str(shown)


def test_a_run_cannot_set_what_the_environment_sets(defs: Definitions) -> None:
    warehouse = defs.get_repository_def().get_top_level_resources()["warehouse"]
    assert warehouse(build_init_resource_context()).address("raw_users").name == "calback.raw_users"
    other = {"path": "elsewhere.duckdb", "rows_at_once": 1, "pseudonym_key": "the published development key"}
    with pytest.raises(SettingsError, match="CALBACK_DUCKDB_PATH is set by the environment alone"):
        warehouse(build_init_resource_context(config=other))


def test_the_daily_assets_share_one_partition_a_day(defs: Definitions) -> None:
    nodes = {node.key.to_user_string(): node for node in defs.resolve_asset_graph().asset_nodes}
    assert len({nodes[name].partitions_def for name in DAILY}) == 1


@pytest.mark.parametrize(
    ("name", "upstream", "first", "last"),
    [
        ("unified_events", "raw_events", 0, 0),
        ("unified_events", "device_identity", -29, 0),
        ("daily_active_users", "user_daily_activity", -30, 0),
        ("daily_active_users", "user_first_seen", 0, 0),
        ("frequent_users", "user_daily_activity", -30, 0),
        ("first_week", "user_joined", -6, -6),
        ("first_week", "user_behaviour", -6, 0),
        ("first_week", "user_daily_activity", -6, 0),
        ("first_week_features", "first_week", -30, -30),
        ("first_week_features", "user_daily_activity", -29, 0),
        ("user_lifecycle", "user_daily_activity", -30, 0),
        ("power_curve", "user_daily_activity", -29, 0),
    ],
)
def test_a_day_reads_the_window_of_its_input(
    defs: Definitions, name: str, upstream: str, first: int, last: int
) -> None:
    mapping = defs.resolve_asset_graph().get(AssetKey(name)).partition_mappings[AssetKey(upstream)]
    assert isinstance(mapping, TimeWindowPartitionMapping)
    assert (mapping.start_offset, mapping.end_offset) == (first, last)


def test_every_check_stops_what_is_downstream_of_wrong_data(defs: Definitions) -> None:
    graph = defs.resolve_asset_graph()
    every = {(key.asset_key.to_user_string(), key.name): graph.get(key) for key in graph.asset_check_keys}
    warning = {key for key in every if key[1] in ("volume_is_usual", "people_are_as_learned")}
    assert {table for table, _ in warning} == {
        "raw_users",
        "raw_meetings",
        "raw_events",
        "raw_access_log",
        "return_propensity",
    }
    assert not any(every[key].blocking for key in warning)
    checks = {key: check for key, check in every.items() if key not in warning}
    assert set(checks) == {
        ("user_daily_activity", "events_add_up"),
        ("user_first_seen", "first_day_is_active_and_only"),
        ("daily_active_users", "windows_are_nested"),
        ("daily_active_users", "lifecycle_adds_up"),
        ("daily_active_users", "dau_is_everyone_active"),
        ("frequent_users", "frequent_users_are_active"),
        ("first_week", "first_weeks_are_of_who_joined"),
        ("first_week_features", "features_are_first_weeks"),
        ("user_lifecycle", "flows_add_up"),
        ("power_curve", "power_curve_is_everyone_active"),
        ("retention_cohorts", "retained_had_the_chance"),
        ("first_week_lift", "lift_counts_are_people"),
    }
    assert all(check.blocking and check.description for check in checks.values())


def test_there_are_two_jobs_and_a_schedule_that_runs_the_daily_one_every_night(tmp_path: Path) -> None:
    defs = platform(tmp_path, CALBACK_TIMEZONE="Europe/Berlin")
    repository = defs.get_repository_def()
    jobs = sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__"))
    assert jobs == ["daily_metrics", "erase_person"]
    (nightly,) = repository.schedule_defs
    assert (nightly.name, nightly.job_name) == ("nightly", "daily_metrics")
    assert (nightly.cron_schedule, nightly.execution_timezone) == ("0 0 * * *", "Europe/Berlin")
    assert nightly.default_status == DefaultScheduleStatus.RUNNING


def test_two_settings_make_two_platforms_in_one_process(tmp_path: Path) -> None:
    def last_day(defs: Definitions) -> str | None:
        partitions = defs.resolve_asset_graph().get(AssetKey("daily_active_users")).partitions_def
        assert partitions is not None
        return partitions.get_last_partition_key()

    assert last_day(platform(tmp_path, CALBACK_END_DATE="2024-02-29")) == "2024-02-29"
    assert last_day(platform(tmp_path, CALBACK_END_DATE="2024-01-31")) == "2024-01-31"


def test_the_definitions_load_in_a_fresh_interpreter_without_a_warning_a_word_or_a_file(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    program = "from calback_assets.definitions import defs; from dagster import Definitions; "
    loaded = subprocess.run(
        [sys.executable, "-W", "error", "-c", program + "Definitions.validate_loadable(defs)"],
        cwd=home,
        env={"PYTHONPATH": str(ROOT), "CALBACK_START_DATE": "2024-01-01", "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (loaded.returncode, loaded.stdout, loaded.stderr) == (0, "", "")
    assert list(home.iterdir()) == []
