"""`calback dashboard`: the pages made anew, and where they stand."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from calback_assets.cli import main
from calback_assets.dashboard.page import pages_of
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets_tests.dashboard.given import stored, world


def test_the_pages_are_made_of_the_stored_tables_and_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALBACK_START_DATE", "2024-01-01")
    monkeypatch.setenv("CALBACK_DUCKDB_PATH", str(tmp_path / "warehouse.duckdb"))
    monkeypatch.setattr(click, "launch", opened.append)
    stored(DuckDBWarehouse(tmp_path / "warehouse.duckdb"), world())
    result = CliRunner().invoke(main, ["dashboard", "--language", "ko", "--open"], prog_name="calback")
    page = tmp_path / "report" / "dashboard.ko.html"
    assert (result.stdout, result.exit_code) == (f"Dashboard: {page}\n", 0)
    assert page.read_text(encoding="utf-8") == pages_of(world(), [], 3)["ko"]
    assert opened == [page.as_uri()]


def test_without_the_tables_it_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALBACK_START_DATE", "2024-01-01")
    with DuckDBWarehouse(tmp_path / "data" / "warehouse.duckdb").session():
        pass
    result = CliRunner().invoke(main, ["dashboard"], prog_name="calback")
    assert result.stderr.startswith(
        "error: the dashboard is made of tables that were never written: daily_active_users, active_users_by, "
    )
    assert result.exit_code == 1
