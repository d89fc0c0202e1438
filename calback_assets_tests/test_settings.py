"""The environment as people set it: what each variable does, and what each mistake is answered with."""

import json
from datetime import date
from pathlib import Path

import pytest

from calback_assets.errors import SettingsError
from calback_assets.settings import DEVELOPMENT_KEY, SOURCES, BigQuerySettings, Settings, ui_token
from calback_assets.tables import Table, raw

DAY = {"CALBACK_START_DATE": "2024-01-01"}
GCP = {
    "CALBACK_DEPLOYMENT": "gcp",
    "CALBACK_GCP_PROJECT": "calback",
    "CALBACK_GA4_DATASET": "analytics_1",
    "CALBACK_ACCESS_LOG_TABLE": "kafka.opens",
    "CALBACK_PSEUDONYM_KEY": "geheim",
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default data folder is relative, and `make demo` may have filled it here."""
    monkeypatch.chdir(tmp_path)


def settings(**environ: str) -> Settings:
    return Settings.from_env(DAY | environ)


def manifest_in(folder: Path, content: object) -> dict[str, str]:
    (folder / "manifest.json").write_text(json.dumps(content))
    return {"CALBACK_DATA_DIR": str(folder)}


def test_everything_but_the_first_day_has_a_default() -> None:
    assert settings() == Settings(
        data_dir=Path("data/sample"),
        duckdb_path=Path("data/warehouse.duckdb"),
        start_date=date(2024, 1, 1),
        end_date=None,
        timezone="Asia/Seoul",
        pseudonym_key=DEVELOPMENT_KEY,
        frequent_min_days=3,
        frequent_window_days=30,
    )


def test_every_variable_is_read() -> None:
    assert settings(
        CALBACK_DEPLOYMENT="local",
        CALBACK_DATA_DIR="exports",
        CALBACK_DUCKDB_PATH="tables.duckdb",
        CALBACK_END_DATE="2024-02-29",
        CALBACK_TIMEZONE="Europe/Berlin",
        CALBACK_PSEUDONYM_KEY="geheim",
        CALBACK_FREQUENT_MIN_DAYS="2",
        CALBACK_FREQUENT_WINDOW_DAYS="7",
        CALBACK_MAX_REJECTED_SHARE="0.05",
        CALBACK_EXPECTED_SOURCES="raw_events, raw_users",
        CALBACK_MAX_LOST_SHARE="0.2",
        CALBACK_MAX_LINE_BYTES="1000",
    ) == Settings(
        data_dir=Path("exports"),
        duckdb_path=Path("tables.duckdb"),
        start_date=date(2024, 1, 1),
        end_date=date(2024, 2, 29),
        timezone="Europe/Berlin",
        pseudonym_key=b"geheim",
        frequent_min_days=2,
        frequent_window_days=7,
        max_rejected_share=0.05,
        expected_sources=frozenset({"raw_events", "raw_users"}),
        max_lost_share=0.2,
        max_line_bytes=1000,
    )


def test_sources_are_called_by_the_names_of_their_tables() -> None:
    assert [table.name for table in vars(raw).values() if isinstance(table, Table)] == list(SOURCES)
    with pytest.raises(SettingsError) as caught:
        settings(CALBACK_EXPECTED_SOURCES="raw_events,ga4")
    assert str(caught.value) == (
        "CALBACK_EXPECTED_SOURCES names 'ga4', which is no source; choose from: raw_users, raw_meetings, raw_events, "
        "raw_access_log"
    )


def test_firestore_is_read_where_an_emulator_is_named_or_everything_is_in_google_cloud() -> None:
    emulator = {"FIRESTORE_EMULATOR_HOST": "127.0.0.1:8080"}
    assert settings().firestore_project is None
    assert settings(**emulator).firestore_project == "demo-calback"
    assert settings(**emulator, CALBACK_GCP_PROJECT="calback").firestore_project == "calback"
    assert settings(**GCP).firestore_project == "calback"


def test_an_empty_address_of_an_emulator_is_no_address() -> None:
    with pytest.raises(SettingsError, match=r"^FIRESTORE_EMULATOR_HOST is empty; unset it, or set it to "):
        settings(FIRESTORE_EMULATOR_HOST="")


@pytest.mark.parametrize("value", ["", "1 %", "-0.1", "1.1", "nan"])
def test_a_share_is_between_zero_and_one(value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(CALBACK_MAX_REJECTED_SHARE=value)
    assert str(caught.value) == (
        f"CALBACK_MAX_REJECTED_SHARE is {value!r}; set it to a share from 0 to 1, such as 0.01 for one per cent"
    )


def test_the_manifest_of_the_data_gives_the_days_that_the_environment_does_not(tmp_path: Path) -> None:
    environ = manifest_in(tmp_path, {"start_date": "2024-03-01", "end_date": "2024-03-31"})
    read = Settings.from_env(environ)
    assert (read.start_date, read.end_date) == (date(2024, 3, 1), date(2024, 3, 31))
    read = Settings.from_env(environ | {"CALBACK_START_DATE": "2024-03-05"})
    assert (read.start_date, read.end_date) == (date(2024, 3, 5), date(2024, 3, 31))


def test_one_day_is_a_data_set() -> None:
    assert settings(CALBACK_END_DATE="2024-01-01").end_date == date(2024, 1, 1)


@pytest.mark.parametrize(("key", "is_published"), [(None, True), ("", True), ("geheim", False)])
def test_an_absent_or_empty_key_is_the_development_key(key: str | None, is_published: bool) -> None:
    read = settings() if key is None else settings(CALBACK_PSEUDONYM_KEY=key)
    assert read.uses_development_key is is_published


def test_the_key_is_never_in_the_repr() -> None:
    assert "geheim" not in repr(settings(CALBACK_PSEUDONYM_KEY="geheim"))
    assert DEVELOPMENT_KEY.decode() not in repr(settings())


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"CALBACK_DEPLOYMENT": "cloud"},
            "CALBACK_DEPLOYMENT is 'cloud', which is unknown; set it to one of: local, gcp",
        ),
        (
            {"CALBACK_START_DATE": "2024-02-30"},
            "CALBACK_START_DATE is '2024-02-30', which is no day; write it as YYYY-MM-DD",
        ),
        (
            {"CALBACK_START_DATE": "20240101"},
            "CALBACK_START_DATE is '20240101', which is no day; write it as YYYY-MM-DD",
        ),
        ({"CALBACK_START_DATE": ""}, "CALBACK_START_DATE is '', which is no day; write it as YYYY-MM-DD"),
        (
            {"CALBACK_END_DATE": "yesterday"},
            "CALBACK_END_DATE is 'yesterday', which is no day; write it as YYYY-MM-DD",
        ),
        (
            {"CALBACK_END_DATE": "2023-12-31"},
            "CALBACK_START_DATE 2024-01-01 lies after CALBACK_END_DATE 2023-12-31; the first day must not be later "
            "than the last",
        ),
        (
            {"CALBACK_TIMEZONE": "Korea/Seoul"},
            "CALBACK_TIMEZONE is 'Korea/Seoul', which is no IANA time zone, such as Asia/Seoul",
        ),
        ({"CALBACK_TIMEZONE": ""}, "CALBACK_TIMEZONE is '', which is no IANA time zone, such as Asia/Seoul"),
        (
            {"CALBACK_FREQUENT_MIN_DAYS": "0"},
            "CALBACK_FREQUENT_MIN_DAYS is '0'; set it to a whole number of days from 1 to 31",
        ),
        (
            {"CALBACK_FREQUENT_WINDOW_DAYS": "a month"},
            "CALBACK_FREQUENT_WINDOW_DAYS is 'a month'; set it to a whole number of days from 1 to 31",
        ),
    ],
)
def test_a_value_that_cannot_be_is_answered_with_what_to_set(environ: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.from_env(DAY | environ)
    assert str(error.value) == message


def test_without_a_first_day_one_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.from_env({"CALBACK_DATA_DIR": str(tmp_path)})
    assert str(error.value) == (
        f"CALBACK_START_DATE is not set and {tmp_path}/manifest.json names no start_date; set it to the first day of "
        "your data (YYYY-MM-DD), or write the sample data: calback sample data/sample"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"start_date": 20240101}, "start_date in manifest.json is 20240101, which is no day; write it as YYYY-MM-DD"),
        ([], "{path} is not a JSON object; write it again or remove it"),
    ],
)
def test_a_manifest_that_says_nonsense_is_named(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.from_env(manifest_in(tmp_path, content))
    assert str(error.value) == message.format(path=tmp_path / "manifest.json")


def test_a_manifest_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(SettingsError) as error:
        Settings.from_env({"CALBACK_DATA_DIR": str(tmp_path)})
    assert str(error.value) == (
        f"{tmp_path}/manifest.json cannot be read as JSON: JSONDecodeError; write it again or remove it"
    )


def test_the_gcp_deployment_has_a_warehouse_with_defaults() -> None:
    assert settings(**GCP).bigquery == BigQuerySettings(
        project="calback",
        dataset="calback",
        location="asia-northeast3",
        ga4_dataset="analytics_1",
        access_log_table="kafka.opens",
        timeout_seconds=1800,
        maximum_bytes_billed=None,
    )


def test_every_variable_of_the_gcp_deployment_is_read() -> None:
    named = settings(
        **GCP,
        CALBACK_BIGQUERY_DATASET="metrics",
        CALBACK_BIGQUERY_LOCATION="EU",
        CALBACK_BIGQUERY_TIMEOUT_SECONDS="60",
        CALBACK_BIGQUERY_MAX_BYTES_BILLED="1000000000",
    ).bigquery

    assert named is not None
    assert (named.dataset, named.location) == ("metrics", "EU")
    assert (named.timeout_seconds, named.maximum_bytes_billed) == (60, 1_000_000_000)


@pytest.mark.parametrize("missing", [name for name in GCP if name != "CALBACK_DEPLOYMENT"])
def test_what_the_gcp_deployment_needs_is_named_where_it_is_missing(missing: str) -> None:
    environ = {name: value for name, value in GCP.items() if name != missing}

    with pytest.raises(SettingsError, match=f"^{missing} is not set, and CALBACK_DEPLOYMENT is gcp; set it to "):
        settings(**environ)


@pytest.mark.parametrize("name", ["CALBACK_BIGQUERY_TIMEOUT_SECONDS", "CALBACK_BIGQUERY_MAX_BYTES_BILLED"])
@pytest.mark.parametrize("value", ["0", "-1", "1.5", "much"])
def test_a_bound_is_a_whole_number_above_zero(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is '{value}'; set it to a whole number above 0$"):
        settings(**GCP, **{name: value})


def test_without_a_token_of_ones_own_each_start_of_dagit_makes_one() -> None:
    assert ui_token({}) is None
    assert ui_token({"CALBACK_UI_TOKEN": "0123456789-abcdef_ABC"}) == "0123456789-abcdef_ABC"


@pytest.mark.parametrize(
    "token", ["", "short", "0123456789 0123456789", "0123456789;0123456789", "0123456789012345678é"]
)
def test_a_token_that_can_be_guessed_or_stands_in_no_address_is_refused_and_not_quoted(token: str) -> None:
    with pytest.raises(SettingsError) as error:
        ui_token({"CALBACK_UI_TOKEN": token})
    assert str(error.value) == (
        "CALBACK_UI_TOKEN must be 20 or more letters, digits, - and _; set it to the output of: openssl rand -hex 32, "
        "or unset it, and each start makes a token"
    )
