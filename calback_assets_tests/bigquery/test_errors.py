"""What is wrong with a set-up is said in one line that says what to do, by the command that a person has typed."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from google.cloud import bigquery

from calback_assets.cli import main
from calback_assets.sample.writer import write_sample
from calback_assets_tests.bigquery.clients import Emulator, client
from calback_assets_tests.bigquery.proxy import FaultProxy, Refusal

PROJECT, SEOUL = "set-up", "asia-northeast3"
DENIED = Refusal(
    403, "PERMISSION_DENIED", "accessDenied", "Access Denied: User hong@example.com does not have bigquery.datasets.get"
)
NO_PROJECT = Refusal(404, "NOT_FOUND", "notFound", f"Not found: Project {PROJECT}")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, users=20, days=2)
    return folder


@pytest.fixture(autouse=True)
def gcp(monkeypatch: pytest.MonkeyPatch, data: Path, tmp_path: Path) -> pytest.MonkeyPatch:
    """The `gcp` deployment in a process of its own, as far as the environment makes it one; no credentials."""
    for name, value in {
        "CALBACK_DEPLOYMENT": "gcp",
        "CALBACK_DATA_DIR": str(data),
        "CALBACK_DUCKDB_PATH": str(tmp_path / "unused.duckdb"),
        "CALBACK_GCP_PROJECT": PROJECT,
        "CALBACK_GA4_DATASET": "analytics_1",
        "CALBACK_ACCESS_LOG_TABLE": "access_log.opens",
        "CALBACK_PSEUDONYM_KEY": "a-key-of-the-tests",
        "CLOUDSDK_CONFIG": str(tmp_path),
        "COLUMNS": "300",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "BIGQUERY_EMULATOR_HOST", "CALBACK_BIGQUERY_LOCATION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "calback_assets.definitions", raising=False)
    return monkeypatch


@pytest.fixture
def proxy(gcp: pytest.MonkeyPatch, emulator: Emulator) -> Iterator[FaultProxy]:
    with FaultProxy(emulator.url) as between:
        gcp.setenv("BIGQUERY_EMULATOR_HOST", between.url)
        yield between


@pytest.fixture
def dataset(emulator: Emulator) -> Iterator[None]:
    with client(emulator.url, PROJECT) as connected:
        made = bigquery.Dataset(f"{PROJECT}.calback")
        made.location = SEOUL
        connected.create_dataset(made)
        yield
        connected.delete_dataset("calback", delete_contents=True)


def error_of(*arguments: str) -> str:
    result = CliRunner().invoke(main, arguments, prog_name="calback")
    assert result.exit_code == 1, result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert "hong" not in result.output
    return line.removeprefix("error: ")


def test_missing_credentials() -> None:
    assert error_of("run") == (
        "no Google credentials were found; run gcloud auth application-default login, or set "
        "GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account"
    )


def test_a_wrong_project(proxy: FaultProxy) -> None:
    proxy.arm(NO_PROJECT)
    assert error_of("run") == f"there is no project {PROJECT}; set CALBACK_GCP_PROJECT to the id of yours"


@pytest.mark.usefixtures("proxy")
def test_a_missing_dataset() -> None:
    assert error_of("run") == (
        f"there is no dataset calback in project {PROJECT}; make it with bq mk --location={SEOUL} {PROJECT}:calback, "
        "or set CALBACK_BIGQUERY_DATASET"
    )


@pytest.mark.usefixtures("proxy", "dataset")
def test_a_dataset_in_another_location(gcp: pytest.MonkeyPatch) -> None:
    gcp.setenv("CALBACK_BIGQUERY_LOCATION", "EU")
    assert error_of("run") == (
        f"dataset calback lies in {SEOUL}, and CALBACK_BIGQUERY_LOCATION says EU; set it to {SEOUL}"
    )


@pytest.mark.usefixtures("dataset")
def test_a_denied_permission(proxy: FaultProxy) -> None:
    proxy.arm(DENIED)
    assert error_of("run") == (
        f"BigQuery denies access to dataset calback in project {PROJECT} (accessDenied); grant this account "
        "roles/bigquery.jobUser on the project and roles/bigquery.dataEditor on the dataset"
    )


@pytest.mark.usefixtures("proxy", "dataset")
def test_an_analytics_dataset_that_does_not_exist() -> None:
    assert error_of("run", "--select", "raw_events") == (
        f"CALBACK_GA4_DATASET: dataset analytics_1 does not exist in project {PROJECT}; set it to "
        "analytics_<property id>"
    )


@pytest.mark.usefixtures("proxy", "dataset")
def test_a_table_that_was_never_written(gcp: pytest.MonkeyPatch) -> None:
    gcp.delenv("CALBACK_PSEUDONYM_KEY")  # Who reads needs none.
    assert error_of("show", "daily_active_users") == (
        "table daily_active_users does not exist yet: materialize daily_active_users first"
    )
