"""`calback report`: the answer on a terminal, and where the page stands."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from calback_assets.cli import main
from calback_assets.report.findings import TABLES
from calback_assets.report.page import reports_of
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets_tests.report.given import plain, stored


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DuckDBWarehouse:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALBACK_START_DATE", "2024-01-01")
    monkeypatch.setenv("CALBACK_DUCKDB_PATH", str(tmp_path / "warehouse.duckdb"))
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb")


def report(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["report", *arguments], prog_name="calback")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_answer_is_made_anew_from_the_stored_tables(
    warehouse: DuckDBWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(click, "launch", opened.append)
    stored(warehouse, plain())
    result = report("--language", language, "--open")
    page = tmp_path / "report" / f"insight.{language}.html"
    answer = reports_of(plain())[language].answer
    assert result.stdout.splitlines() == [
        *(f"{number}. {sentence}" for number, sentence in enumerate(answer, start=1)),
        f"Report: {page}",
    ]
    assert page.read_text(encoding="utf-8") == reports_of(plain())[language].page()
    assert opened == [page.as_uri()]
    assert result.exit_code == 0


def test_the_pages_stand_where_the_setting_says(
    warehouse: DuckDBWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(warehouse, plain())
    monkeypatch.setenv("CALBACK_REPORT_DIR", str(tmp_path / "elsewhere"))
    assert f"Report: {tmp_path / 'elsewhere' / 'insight.en.html'}" in report().stdout


def test_without_the_tables_it_says_what_to_run(warehouse: DuckDBWarehouse) -> None:
    stored(warehouse, plain(), {"power", "lift"})
    result = report()
    missing = [table.name for name, table in TABLES.items() if name not in ("power", "lift")]
    assert result.stderr == (
        f"error: the report is made of tables that were never written: {', '.join(missing)}; make them: calback run, "
        f"or only them: calback run --select '{','.join(missing)}'\n"
    )
    assert result.exit_code == 1
