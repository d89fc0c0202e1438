"""The environment as people set it: what each variable does, and what each mistake is answered with."""

import json
import os
import re
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import available_timezones

import pytest

from calback_assets.days import Stretch, day_bounds
from calback_assets.errors import SettingsError
from calback_assets.partitions import daily_partitions, trailing
from calback_assets.settings import (
    DEVELOPMENT_KEY,
    FIRST_DAY,
    LAST_DAY,
    LONGEST_WINDOW_DAYS,
    SOURCES,
    BigQueryPlace,
    BigQuerySettings,
    Export,
    ExtensionSettings,
    FirestoreEmulator,
    Settings,
    takes_files,
    ui_token,
)
from calback_assets.tables import Table, raw

KEY = "geheim, und lang genug"
DAY = {"CALBACK_START_DATE": "2024-01-01"}
GCP = {
    "CALBACK_DEPLOYMENT": "gcp",
    "CALBACK_GCP_PROJECT": "calback",
    "CALBACK_GA4_DATASET": "analytics_1",
    "CALBACK_ACCESS_LOG_TABLE": "kafka.opens",
    "CALBACK_PSEUDONYM_KEY": KEY,
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
        CALBACK_REPORT_DIR="pages",
        CALBACK_ANNOTATIONS="notes.csv",
        CALBACK_END_DATE="2024-02-29",
        CALBACK_TIMEZONE="Europe/Berlin",
        CALBACK_PSEUDONYM_KEY=KEY,
        CALBACK_FREQUENT_MIN_DAYS="2",
        CALBACK_FREQUENT_WINDOW_DAYS="7",
        CALBACK_MAX_REJECTED_SHARE="0.05",
        CALBACK_EXPECTED_SOURCES="raw_events, raw_users",
        CALBACK_MAX_LOST_SHARE="0.2",
        CALBACK_MAX_LINE_BYTES="1000",
        CALBACK_ROWS_AT_ONCE="250000",
        CALBACK_MODEL_EVERY_DAYS="14",
        CALBACK_EXPORTS="daily_active_users:xlsx, frequent_users:parquet",
        CALBACK_EXPORT_TO="gs://numbers/daily",
        CALBACK_ACCESS_LOG_USER_FIELD="사용자 id",
        CALBACK_ACCESS_LOG_DATE_FIELD="at",
    ) == Settings(
        data_dir=Path("exports"),
        duckdb_path=Path("tables.duckdb"),
        chosen_report_dir=Path("pages"),
        annotations=Path("notes.csv"),
        start_date=date(2024, 1, 1),
        end_date=date(2024, 2, 29),
        timezone="Europe/Berlin",
        pseudonym_key=b"geheim, und lang genug",
        frequent_min_days=2,
        frequent_window_days=7,
        max_rejected_share=0.05,
        expected_sources=frozenset({"raw_events", "raw_users"}),
        max_lost_share=0.2,
        max_line_bytes=1000,
        rows_at_once=250_000,
        model_every_days=14,
        exports=[Export("daily_active_users", "xlsx"), Export("frequent_users", "parquet")],
        export_to="gs://numbers/daily",
        access_log_user_field="사용자 id",
        access_log_date_field="at",
    )


def test_the_fields_of_the_log_are_two() -> None:
    with pytest.raises(SettingsError) as caught:
        settings(CALBACK_ACCESS_LOG_USER_FIELD="Date")
    assert str(caught.value) == (
        "CALBACK_ACCESS_LOG_USER_FIELD and CALBACK_ACCESS_LOG_DATE_FIELD are both 'Date'; set each to a field of its "
        "own"
    )


def test_sources_are_called_by_the_names_of_their_tables() -> None:
    assert [table.name for table in vars(raw).values() if isinstance(table, Table)] == list(SOURCES)


def test_firestore_is_read_where_an_emulator_is_named_or_everything_is_in_google_cloud() -> None:
    emulator = {"FIRESTORE_EMULATOR_HOST": "127.0.0.1:8080"}
    assert settings().firestore_project is None
    assert settings(**emulator).firestore_project == "demo-calback"
    assert settings(**emulator, CALBACK_GCP_PROJECT="calback").firestore_project == "calback"
    assert settings(**GCP).firestore_project == "calback"


def test_documents_are_read_from_the_dataset_of_the_extension_whatever_the_warehouse() -> None:
    chosen = {"CALBACK_DOCUMENTS": "bigquery", "CALBACK_GCP_PROJECT": "calback", "CALBACK_PSEUDONYM_KEY": KEY}
    assert settings(**chosen).extension == ExtensionSettings("calback", "firestore_export")
    elsewhere = {"CALBACK_DOCUMENTS_DATASET": "other-project.export", "FIRESTORE_EMULATOR_HOST": "localhost:8080"}
    assert settings(**(GCP | chosen | elsewhere)).extension == ExtensionSettings("calback", "other-project.export")
    assert settings(**(GCP | chosen | elsewhere)).firestore_project is None
    assert settings(**GCP).extension is None
    # They are real people's, emulator of Firestore or not.
    without = {name: value for name, value in (chosen | elsewhere).items() if name != "CALBACK_PSEUDONYM_KEY"}
    with pytest.raises(SettingsError, match=r"^CALBACK_PSEUDONYM_KEY is not set, and CALBACK_DOCUMENTS is bigquery; "):
        settings(**without)
    with pytest.raises(SettingsError, match=r"^CALBACK_GCP_PROJECT is not set, and CALBACK_DOCUMENTS is bigquery; "):
        settings(CALBACK_DOCUMENTS="bigquery", CALBACK_PSEUDONYM_KEY=KEY)


def test_the_manifest_of_the_data_gives_the_days_that_the_environment_does_not(tmp_path: Path) -> None:
    environ = manifest_in(tmp_path, {"start_date": "2024-03-01", "end_date": "2024-03-31"})
    read = Settings.from_env(environ)
    assert (read.start_date, read.end_date) == (date(2024, 3, 1), date(2024, 3, 31))
    read = Settings.from_env(environ | {"CALBACK_START_DATE": "2024-03-05"})
    assert (read.start_date, read.end_date) == (date(2024, 3, 5), date(2024, 3, 31))


def test_one_day_is_a_data_set() -> None:
    assert settings(CALBACK_END_DATE="2024-01-01").end_date == date(2024, 1, 1)


def test_without_a_key_it_is_the_published_one() -> None:
    assert settings().uses_development_key
    assert not settings(CALBACK_PSEUDONYM_KEY=KEY).uses_development_key


def test_the_key_is_never_in_the_repr() -> None:
    assert "geheim" not in repr(settings(CALBACK_PSEUDONYM_KEY=KEY))
    assert DEVELOPMENT_KEY.decode() not in repr(settings())


@pytest.mark.parametrize(
    "key",
    ["k", "geheim", "zu kurz", "fünfzehn Zeich.", "x" * 64, "0123456" * 3, " " * 20, f" {KEY}", f"{KEY}\n", f"{KEY}\r"],
)
def test_a_key_that_is_no_secret_is_refused_and_not_quoted(key: str) -> None:
    with pytest.raises(SettingsError) as error:
        settings(CALBACK_PSEUDONYM_KEY=key)
    assert re.fullmatch(
        "CALBACK_PSEUDONYM_KEY (cannot be taken|has white space at an end, or a character in it that cannot be seen); "
        "set it to a secret of your own of at least 16 characters, 8 of them different, for example the output of: "
        "openssl rand -hex 32",
        str(error.value),
    )


@pytest.mark.parametrize("key", ["sechzehn Zeichen", "0123456789abcdef" * 4, "열여섯 글자가 넘는 비밀 열쇠 하나"])
def test_a_key_may_be_any_text_of_some_length(key: str) -> None:
    assert settings(CALBACK_PSEUDONYM_KEY=key).pseudonym_key == key.encode()


def test_who_only_reads_needs_no_key() -> None:
    without = {name: value for name, value in (DAY | GCP).items() if name != "CALBACK_PSEUDONYM_KEY"}
    assert Settings.from_env(without, is_reading=True).bigquery is not None
    assert Settings.from_env(DAY | {"CALBACK_PSEUDONYM_KEY": "k"}, is_reading=True).start_date == date(2024, 1, 1)


A_DAY = "a day from 1970-01-01 to 2200-12-31, written YYYY-MM-DD"
A_PATH = (
    "the path of a file, with ~ written out, not named calback like the schema in it; no folder, no address such as "
    "md: or :memory:"
)
A_SHARE = "a share from 0 to 1.0, such as 0.01 for one per cent"
DAYS = "a whole number of days from 1 to 31"
A_ZONE = "an IANA time zone, such as Asia/Seoul"
A_HOST = "the host and port of an emulator, such as 127.0.0.1:8080"
SOME_SOURCES = "some of these, with commas between them: raw_users, raw_meetings, raw_events, raw_access_log"
EXPECTED = {
    "CALBACK_DEPLOYMENT": ("one of: local, gcp", ["cloud", "Local", "local|gcp", "local,"]),
    "CALBACK_WAREHOUSE": ("one of: duckdb, bigquery", ["local", "DuckDB", "duckdb, bigquery"]),
    "CALBACK_DOCUMENTS": ("one of: files, firestore, bigquery", ["extension", "file"]),
    "CALBACK_EVENTS": ("one of: files, bigquery", ["firestore", "ga4"]),
    "CALBACK_ACCESS_LOG": ("one of: files, bigquery", ["table", "files|bigquery"]),
    "CALBACK_DATA_DIR": ("the path of a folder, with ~ written out", ["~/exports", "~"]),
    "CALBACK_ANNOTATIONS": ("the path of a CSV file, with ~ written out", ["~/notes.csv"]),
    "CALBACK_REPORT_DIR": ("the path of a folder, with ~ written out", ["~/pages"]),
    "CALBACK_DUCKDB_PATH": (
        A_PATH,
        [
            ":memory:",
            "./:memory:",
            ":memory:calback",
            "md:",
            "md:calback",
            "motherduck:calback",
            "duckdb:w.duckdb",
            "sqlite:w.db",
            "postgres:dbname=w",
            "file:w.duckdb",
            "s3://bucket/w.duckdb",
            "https://example.com/w.duckdb",
            "C:/w.duckdb",
            "~/w.duckdb",
            "calback.duckdb",
            "data/Calback.v2.db",
            ".",
            "..",
            "/",
            "folder",
            "folder/",
            "not-yet/",
            "/dev/null",
        ],
    ),
    "CALBACK_START_DATE": (
        A_DAY,
        [
            "2024-02-30",
            "20240101",
            "2024-1-5",
            "2024-01-01T00:00",
            "2024-W01-1",
            "\uff12\uff10\uff12\uff14-01-01",
            "0001-01-01",
            "1969-12-31",
            "2201-01-01",
            "9999-12-31",
        ],
    ),
    "CALBACK_END_DATE": (A_DAY, ["yesterday", "2024-01", "9999-12-31"]),
    "CALBACK_TIMEZONE": (
        A_ZONE,
        [
            "Korea/Seoul",
            "asia/seoul",
            "Asia",
            "Asia/",
            "../../etc/passwd",
            "/etc/localtime",
            "localtime",
            "Factory",
            "KST",
        ],
    ),
    "CALBACK_FREQUENT_MIN_DAYS": (DAYS, ["0", "-1", "+3", "03", "3.0", "1_0", "\uff13", "\u00b3", "32", "9" * 5000]),
    "CALBACK_FREQUENT_WINDOW_DAYS": (DAYS, ["a month", "0", "32", "30d"]),
    "CALBACK_MODEL_EVERY_DAYS": ("a whole number of days from 1 to 90", ["0", "91", "weekly", "7d"]),
    "CALBACK_MAX_REJECTED_SHARE": (
        A_SHARE,
        ["1 %", "1%", "1", "-0.1", "1.1", "10", "nan", "inf", "1e-2", "0.0_1", "0,1"],
    ),
    "CALBACK_MAX_LOST_SHARE": (A_SHARE, ["1", "0x1", "\uff10.5", ".", "1.", "1.01"]),
    "CALBACK_EXPECTED_SOURCES": (
        SOME_SOURCES,
        ["ga4", "raw_events,ga4", "raw_events;raw_users", "raw_events,", "RAW_EVENTS"],
    ),
    "CALBACK_ACCESS_LOG_USER_FIELD": (
        "the name of the field that tells who opened the app, such as userId",
        ["a`b", "it's", 'a"b', "a\\b", "Topic", "a" * 301],
    ),
    "CALBACK_ACCESS_LOG_DATE_FIELD": (
        "the name of the field that tells the day or the time, such as date",
        ["a`b", "partition", "offset"],
    ),
    "CALBACK_MAX_LINE_BYTES": ("a whole number of bytes from 1 to 1073741824", ["0", "64MB", "1e6", "1073741825"]),
    "CALBACK_ROWS_AT_ONCE": ("a whole number of rows from 1 to 1000000000000", ["0", "-1", "1e6", "1_000_000", "1M"]),
    "FIRESTORE_EMULATOR_HOST": (
        A_HOST,
        ["localhost", ":8080", "http://127.0.0.1:8080", "127.0.0.1:", "127.0.0.1:8080/"],
    ),
    "CALBACK_EXPORTS": (
        "tables with commas between them, each with : and one of csv, xlsx, parquet where they become files, such as "
        "daily_active_users:xlsx",
        ["frequent_users:xls", "frequent_users:", "a b", "frequent_users,", "raw_users:csv, raw_users:csv"],
    ),
    "CALBACK_GCP_PROJECT": (
        "the id of your project in Google's cloud, such as my-project-4711",
        ["Calback", "my_project", "1234", "my-project-", "my project", "p", "https://console.cloud.google.com"],
    ),
    "CALBACK_BIGQUERY_DATASET": (
        "the name of a dataset, of letters, digits and underscores",
        ["my-project.calback", "calback.", "cal-back", "cal`back", "달력"],
    ),
    "CALBACK_BIGQUERY_LOCATION": (
        "where the dataset and both sources lie, such as asia-northeast3 or EU",
        ["asia northeast3", "EU,US", "asia-northeast3-", "3"],
    ),
    "CALBACK_BIGQUERY_TIMEOUT_SECONDS": (
        "a whole number of seconds from 1 to 86400",
        ["0", "-1", "1.5", "much", "86401", "30m"],
    ),
    "CALBACK_BIGQUERY_MAX_BYTES_BILLED": (
        "a whole number of bytes from 1 to 1152921504606846976",
        ["0", "1.5", "10GB", "1152921504606846977"],
    ),
}
"""What each variable is to be set to, as an error says it, and values that it cannot have."""


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, (_, values) in EXPECTED.items() for value in values]
)
def test_a_value_that_cannot_be_meant_is_answered_with_what_to_set(tmp_path: Path, name: str, value: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(SettingsError) as error:
        settings(**(GCP | {"FIRESTORE_EMULATOR_HOST": "localhost:8080"} | {name: value}))
    assert str(error.value) == f"{name} is {value!r}; set it to {EXPECTED[name][0]}"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("name", EXPECTED)
def test_an_empty_variable_is_not_one_that_is_not_set(name: str) -> None:
    with pytest.raises(SettingsError) as error:
        settings(**(GCP | {name: ""}))
    assert str(error.value) == f"{name} is empty; unset it, or set it to {EXPECTED[name][0]}"


@pytest.mark.parametrize(
    "value", [" {}", "{} ", "{}\n", "{}\r", "\t{}", "\ufeff{}", "{}\u200b", "\u00a0{}", "{}\udcff"]
)
@pytest.mark.parametrize(("name", "good"), [("CALBACK_DEPLOYMENT", "gcp"), ("CALBACK_DATA_DIR", "exports")])
def test_what_cannot_be_seen_is_no_part_of_a_value(name: str, good: str, value: str) -> None:
    with pytest.raises(SettingsError) as error:
        settings(**(GCP | {name: value.format(good)}))
    assert str(error.value) == (
        f"{name} has white space at an end, or a character in it that cannot be seen; set it to {EXPECTED[name][0]}"
    )


A_TARGET = (
    "a folder, with ~ written out, gs://bucket/prefix, bigquery://project/dataset, or the URL of a database such as "
    "postgresql+psycopg://user:password@host/database"
)


@pytest.mark.parametrize(
    "target",
    [
        "~/out",
        "gs://",
        "gs:///daily",
        "gs://Bucket",
        "bigquery://project",
        "bigquery://p/d/t",
        "Postgresql://x",
        "://x",
    ],
)
def test_a_target_that_is_none_is_refused_and_not_quoted(target: str) -> None:
    with pytest.raises(SettingsError) as error:
        settings(CALBACK_EXPORT_TO=target)
    assert str(error.value) == f"CALBACK_EXPORT_TO cannot be taken; set it to {A_TARGET}"


@pytest.mark.parametrize(
    ("target", "are_files"),
    [
        ("out", True),
        ("내보내기/매일", True),
        ("gs://my-bucket", True),
        ("gs://my.bucket/a/b/", True),
        ("bigquery://my-project/readers", False),
        ("postgresql+psycopg://a:geheim@host:5432/db?sslmode=require", False),
        ("sqlite:///people.db", False),
    ],
)
def test_a_target_takes_files_or_rows_and_is_never_in_the_repr(target: str, are_files: bool) -> None:
    good, wrong = ("daily_active_users:csv", "daily_active_users")[:: 1 if are_files else -1]
    read = settings(CALBACK_EXPORTS=good, CALBACK_EXPORT_TO=target)

    assert (read.export_to, takes_files(target)) == (target, are_files)
    assert target not in repr(read)
    with pytest.raises(SettingsError, match="CALBACK_EXPORTS names daily_active_users") as error:
        settings(CALBACK_EXPORTS=wrong, CALBACK_EXPORT_TO=target)
    assert "geheim" not in str(error.value)


def test_exports_need_a_place_to_go_to() -> None:
    with pytest.raises(SettingsError) as error:
        settings(CALBACK_EXPORTS="daily_active_users:csv")
    assert str(error.value) == f"CALBACK_EXPORT_TO is not set, and CALBACK_EXPORTS is; set it to {A_TARGET}"


def test_the_report_stands_beside_the_warehouse_unless_another_folder_is_named() -> None:
    assert settings(CALBACK_DUCKDB_PATH="here/w.duckdb").report_dir == Path("here/report")
    assert settings(CALBACK_DUCKDB_PATH="here/w.duckdb", CALBACK_REPORT_DIR="pages").report_dir == Path("pages")


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("CALBACK_DATA_DIR", "달력 내보내기", Path("달력 내보내기")),
        ("CALBACK_DUCKDB_PATH", "not-yet/w:1.duckdb", Path("not-yet/w:1.duckdb")),
        ("CALBACK_DUCKDB_PATH", "/data/:memory:", Path("/data/:memory:")),
        ("CALBACK_START_DATE", "1970-01-01", FIRST_DAY),
        ("CALBACK_END_DATE", "2200-12-31", LAST_DAY),
        ("CALBACK_TIMEZONE", "UTC", "UTC"),
        ("CALBACK_MAX_LOST_SHARE", "0", 0.0),
        ("CALBACK_MAX_LOST_SHARE", "1.0", 1.0),
        ("CALBACK_MAX_LOST_SHARE", ".25", 0.25),
        ("CALBACK_FREQUENT_MIN_DAYS", "30", 30),
        ("CALBACK_FREQUENT_WINDOW_DAYS", "31", 31),
        ("CALBACK_MODEL_EVERY_DAYS", "1", 1),
        ("CALBACK_MODEL_EVERY_DAYS", "90", 90),
    ],
)
def test_a_value_at_the_bounds_is_taken(name: str, value: str, read: object) -> None:
    assert getattr(settings(**{name: value}), name.removeprefix("CALBACK_").lower()) == read


@pytest.mark.parametrize("project", ["calback", "demo-calback", "example.com:calback-4711"])
@pytest.mark.parametrize("host", ["localhost:8080", "[::1]:8080", "firestore.local:443"])
def test_projects_and_hosts_come_in_several_forms(project: str, host: str) -> None:
    read = FirestoreEmulator.from_env({"FIRESTORE_EMULATOR_HOST": host, "CALBACK_GCP_PROJECT": project})
    assert (read.address, read.project) == (host, project)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("CALBACK_STRAT_DATE", "CALBACK_START_DATE"),
        ("CALBACK_PSEUDONYM_KEYS", "CALBACK_PSEUDONYM_KEY"),
        ("CALBACK_DUCKDB", "CALBACK_DUCKDB_PATH"),
        ("calback_data_dir", "CALBACK_DATA_DIR"),
        ("Calback_Timezone", "CALBACK_TIMEZONE"),
        ("CALLBACK_DATA_DIR", "CALBACK_DATA_DIR"),
        ("CALBACK_DATA", "CALBACK_DATA_DIR"),
    ],
)
def test_a_variable_that_is_unknown_is_answered_with_the_nearest(name: str, nearest: str) -> None:
    message = f"{name} is no variable of calback, the nearest is {nearest}; rename it or unset it"
    for read in (Settings.from_env, FirestoreEmulator.from_env):
        with pytest.raises(SettingsError) as error:
            read(DAY | {"FIRESTORE_EMULATOR_HOST": "localhost:8080", name: "x"})
        assert str(error.value) == message


def test_variables_of_others_are_none_of_ours() -> None:
    assert settings(CALLBACK_URL="x", MY_CALBACK_DATA_DIR="x", DAGSTER_HOME="x", PATH="").start_date == date(2024, 1, 1)


def test_every_variable_that_the_project_speaks_of_is_known() -> None:
    root = Path(__file__).parents[1]
    read = [*root.glob("*.md"), root / "Makefile", *(root / "docs").glob("*.md")]
    read += [path for folder in ("calback_assets", "benchmarks") for path in (root / folder).rglob("*.py")]
    spoken_of = {
        name for path in read for name in re.findall(r"\bCALBACK_[A-Z0-9_]+\b", path.read_text(encoding="utf-8"))
    }
    assert {"CALBACK_DATA_DIR", "CALBACK_BIGQUERY_DATASET"} <= spoken_of
    for name in sorted(spoken_of):
        with pytest.raises(SettingsError, match=rf"^{name} is empty; |^CALBACK_START_DATE is not set"):
            Settings.from_env(GCP | {name: ""})


def test_a_window_is_not_shorter_than_its_minimum() -> None:
    with pytest.raises(SettingsError) as error:
        settings(CALBACK_FREQUENT_MIN_DAYS="8", CALBACK_FREQUENT_WINDOW_DAYS="7")
    assert str(error.value) == (
        "CALBACK_FREQUENT_WINDOW_DAYS 7 is less than CALBACK_FREQUENT_MIN_DAYS 8, and nobody is active on more days "
        "than there are; the window must not be shorter than the minimum"
    )
    assert settings(CALBACK_FREQUENT_MIN_DAYS="7", CALBACK_FREQUENT_WINDOW_DAYS="7").frequent_window_days == 7


def test_a_last_day_lies_not_before_the_first() -> None:
    with pytest.raises(SettingsError) as error:
        settings(CALBACK_END_DATE="2023-12-31")
    assert str(error.value) == (
        "CALBACK_START_DATE 2024-01-01 lies after CALBACK_END_DATE 2023-12-31; the first day must not be later than "
        "the last"
    )


EVERY_DAY = [FIRST_DAY + timedelta(days=age) for age in range((LAST_DAY - FIRST_DAY).days + 1)]


def test_every_day_that_can_be_set_has_its_windows() -> None:
    window = trailing(LONGEST_WINDOW_DAYS)
    for day in EVERY_DAY:
        assert window.of(Stretch.on(day), date.min, date.max - timedelta(days=1)) == (
            day - timedelta(days=30),
            day + timedelta(days=1),
        )
        assert window.dependents(Stretch.on(day)) == (day, day + timedelta(days=31))


@pytest.mark.parametrize("timezone", ["Asia/Seoul", "Pacific/Kiritimati", "Etc/GMT+12", "America/New_York"])
def test_every_day_that_can_be_set_ends_where_the_next_begins(timezone: str) -> None:
    midnights = [day_bounds(day, timezone) for day in EVERY_DAY]
    assert all(end == start for (_, end), (start, _) in pairwise(midnights))
    # Not more than 0: who moves the date line leaves a day out.
    assert all(timedelta(0) <= end - start < timedelta(hours=26) for start, end in midnights)


def test_the_first_and_the_last_day_are_days_in_every_time_zone() -> None:
    for timezone in sorted(available_timezones() - {"Factory", "localtime"}):
        for day in (FIRST_DAY, LAST_DAY):
            start, end = day_bounds(day, timezone)
            assert start < end
            window = daily_partitions(day, day, timezone).time_window_for_partition_key(str(day))
            assert (window.start.timestamp(), window.end.timestamp()) == (start.timestamp(), end.timestamp())


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
        ({"start_date": 20240101}, f"start_date in manifest.json is 20240101; set it to {A_DAY}"),
        (
            {"start_date": "2024-01-01", "end_date": "9999-12-31"},
            f"end_date in manifest.json is '9999-12-31'; set it to {A_DAY}",
        ),
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


def test_a_manifest_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "manifest.json")
    with pytest.raises(SettingsError) as error:
        Settings.from_env({"CALBACK_DATA_DIR": str(tmp_path)})
    assert str(error.value) == f"{tmp_path}/manifest.json is no file; write it again or remove it"


def test_the_gcp_deployment_has_a_warehouse_with_defaults() -> None:
    assert settings(**GCP).bigquery == BigQuerySettings(
        project="calback",
        dataset="calback",
        location="asia-northeast3",
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


LIVE = {"CALBACK_DOCUMENTS": "firestore", "CALBACK_GCP_PROJECT": "calback", "CALBACK_PSEUDONYM_KEY": KEY}


def test_documents_come_from_a_live_firestore_into_a_file_without_an_emulator() -> None:
    read = settings(**LIVE)
    assert (read.firestore_project, read.bigquery, read.ga4_dataset, read.access_log_table) == (
        "calback",
        None,
        None,
        None,
    )


@pytest.mark.parametrize("missing", ["CALBACK_GCP_PROJECT", "CALBACK_PSEUDONYM_KEY"])
def test_a_choice_asks_for_what_it_needs_and_says_so(missing: str) -> None:
    with pytest.raises(SettingsError, match=f"^{missing} is not set, and CALBACK_DOCUMENTS is firestore; set it to "):
        settings(**{name: value for name, value in LIVE.items() if name != missing})


def test_the_documents_of_an_emulator_need_neither_a_project_nor_a_key() -> None:
    emulated = {"FIRESTORE_EMULATOR_HOST": "127.0.0.1:8080"}
    assert settings(**emulated, CALBACK_DOCUMENTS="firestore").firestore_project == "demo-calback"
    assert settings(**emulated, CALBACK_DOCUMENTS="files").firestore_project is None


def test_a_choice_goes_before_the_preset() -> None:
    read = settings(**GCP, CALBACK_DOCUMENTS="files")
    assert (read.firestore_project, read.ga4_dataset, read.access_log_table) == (None, "analytics_1", "kafka.opens")
    preset = {name: value for name, value in GCP.items() if name != "CALBACK_DEPLOYMENT"}
    one_by_one = {"CALBACK_WAREHOUSE": "bigquery", "CALBACK_DOCUMENTS": "firestore", "CALBACK_EVENTS": "bigquery"}
    assert settings(**preset, **one_by_one, CALBACK_ACCESS_LOG="bigquery") == settings(**GCP)
    local = {"CALBACK_WAREHOUSE": "duckdb", "CALBACK_EVENTS": "files", "CALBACK_ACCESS_LOG": "files"}
    assert settings(**GCP, **local, CALBACK_DOCUMENTS="files") == settings(CALBACK_PSEUDONYM_KEY=KEY)


@pytest.mark.parametrize("source", ["CALBACK_EVENTS", "CALBACK_ACCESS_LOG"])
def test_a_source_in_bigquery_goes_into_duckdb_and_needs_to_know_where_bigquery_is_asked(source: str) -> None:
    kept = {
        "CALBACK_DOCUMENTS": "files",
        "CALBACK_EVENTS": "files",
        "CALBACK_ACCESS_LOG": "files",
        "CALBACK_WAREHOUSE": "duckdb",
    }
    given = GCP | kept | {source: "bigquery"}
    read = settings(**given)
    assert read.bigquery is None
    assert read.bigquery_sources == BigQueryPlace(GCP["CALBACK_GCP_PROJECT"], "asia-northeast3")
    for missing in ("CALBACK_GCP_PROJECT", "CALBACK_PSEUDONYM_KEY"):
        with pytest.raises(SettingsError, match=f"^{missing} is not set, and {source} is bigquery; set it to"):
            settings(**{name: value for name, value in given.items() if name != missing})


def test_without_a_token_of_ones_own_each_start_of_dagit_makes_one() -> None:
    assert ui_token({}) is None
    assert ui_token({"CALBACK_UI_TOKEN": "0123456789-abcdef_ABC"}) == "0123456789-abcdef_ABC"


@pytest.mark.parametrize(
    "token", ["", "short", "0123456789 0123456789", "0123456789;0123456789", "0123456789012345678é"]
)
def test_a_token_that_can_be_guessed_or_stands_in_no_address_is_refused_and_not_quoted(token: str) -> None:
    with pytest.raises(SettingsError) as error:
        ui_token({"CALBACK_UI_TOKEN": token})
    assert str(error.value).startswith("CALBACK_UI_TOKEN ")
    assert "20 or more letters, digits, - and _" in str(error.value)
    assert not token or token not in str(error.value)
