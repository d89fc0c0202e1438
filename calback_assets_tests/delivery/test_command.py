"""`calback export` as a person meets it: what it prints, where, and how it exits."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from calback_assets.cli import main
from calback_assets.delivery.exports import EXPORTS
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets_tests.delivery.world import DAY, NEXT


@pytest.fixture
def calback(stored: DuckDBWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALBACK_DUCKDB_PATH", str(stored.path))
    monkeypatch.setenv("CALBACK_START_DATE", "2024-01-01")
    monkeypatch.setenv("CALBACK_END_DATE", "2024-01-31")
    return lambda *arguments: CliRunner().invoke(main, ["export", *arguments], prog_name="calback")


def test_the_last_line_says_what_was_written_where(calback: Callable[..., Result]) -> None:
    done = calback("user_daily_activity", "--from", str(DAY), "--to", "2024-01-12", "--into", "out")

    assert done.exit_code == 0, done.stderr
    assert "2/2" in done.stderr
    assert done.stdout.splitlines() == [
        "Never written, and so not exported: 2024-01-12",
        f"user_daily_activity: 6 rows of {DAY} to {NEXT} in 2 files, user_daily_activity_{DAY}.csv to "
        f"user_daily_activity_{NEXT}.csv, in out",
    ]
    assert sorted(path.name for path in Path("out/user_daily_activity").glob("*.csv")) == [
        f"user_daily_activity_{day}.csv" for day in (DAY, NEXT)
    ]


def test_all_days_may_be_one_file(calback: Callable[..., Result]) -> None:
    done = calback("who_did_what", "--format", "xlsx", "--one-file", "--into", "out")

    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[-1] == (
        f"who_did_what: 6 rows of {DAY} to {NEXT} in who_did_what_2024-01-01_to_2024-01-31.xlsx in out"
    )


def test_the_setting_names_the_target_and_its_password_stays_out_of_sight(
    calback: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'people.db'}"
    monkeypatch.setenv("CALBACK_EXPORT_TO", url)
    done = calback("daily_active_users")
    assert done.stdout.splitlines()[-1] == (
        f"daily_active_users: 2 rows of {DAY} to {NEXT} in table daily_active_users in {url}"
    )

    monkeypatch.setenv("CALBACK_EXPORT_TO", f"postgresql+psycopg://someone:geheim@/calback?host={tmp_path}")
    failed = calback("daily_active_users", "--debug")
    assert failed.exit_code == 1
    assert failed.stderr.splitlines()[-1].startswith(
        "error: daily_active_users: the database postgresql+psycopg:///calback did not take it (OperationalError)"
    )
    assert "geheim" not in failed.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["daily_active_users"], "it is not said where to; give --into, or set CALBACK_EXPORT_TO"),
        (["dau", "--into", "out"], f"there is no table 'dau'; choose one of: {', '.join(EXPORTS)}"),
        (
            ["daily_active_users", "--into", "sqlite:///x", "--format", "csv"],
            "a database takes rows and no files; leave --format and --one-file out",
        ),
    ],
)
def test_a_wrong_use_says_what_is_right(calback: Callable[..., Result], arguments: list[str], said: str) -> None:
    done = calback(*arguments)
    assert (done.exit_code, done.stderr) == (2, f"error: {said}; see calback export --help\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["daily_active_users", "--into", "gs://"],
            "there is no such target; name a folder, with ~ written out, gs://",
        ),
        (
            ["daily_active_users", "--into", "~/out"],
            "there is no such target; name a folder, with ~ written out, gs://",
        ),
        (["who_did_what", "--into", "sqlite:///x"], "who_did_what has a column for each action of its days, and goes"),
        (["frequent_users", "--into", "out"], "table frequent_users does not exist yet: materialize frequent_users"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(calback: Callable[..., Result], arguments: list[str], said: str) -> None:
    done = calback(*arguments)
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].startswith(f"error: {said}")
    assert not Path("out").exists()
