"""The file `.env` of the working folder: what it completes, what it is refused for, and that Dagster agrees."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from calback_assets.cli import main
from calback_assets.errors import SettingsError
from calback_assets.settings import environment

HIDDEN = "geheim-und-lang-genug"


@pytest.fixture(autouse=True)
def _in_a_folder_and_an_environment_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)  # make sets it.
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def write(content: str | bytes) -> Path:
    path = Path(".env")
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(0o600)
    return path


def added(before: Mapping[str, str]) -> dict[str, str]:
    """What the file has put into the environment, but for what is handed on to other processes."""
    return {name: value for name, value in environment().items() if before.get(name) != value and name[0] != "_"}


def test_without_the_file_the_environment_is_as_it_was() -> None:
    before = dict(os.environ)
    assert environment() == before


def test_it_completes_the_environment_for_everybody_who_reads_it() -> None:
    write(
        "# settings of this folder\n\nexport CALBACK_TIMEZONE=Europe/Berlin\r\nCALBACK_DATA_DIR='my exports'  # all\n"
        'GOOGLE_APPLICATION_CREDENTIALS="key #1.json"\nDAGSTER_HOME=${CALBACK_TIMEZONE}/dagster'
    )
    assert added(dict(os.environ)) == {
        "CALBACK_TIMEZONE": "Europe/Berlin",
        "CALBACK_DATA_DIR": "my exports",
        "GOOGLE_APPLICATION_CREDENTIALS": "key #1.json",
        "DAGSTER_HOME": "Europe/Berlin/dagster",
    }
    assert os.environ["GOOGLE_APPLICATION_CREDENTIALS"] == "key #1.json"


def test_what_is_set_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALBACK_TIMEZONE", "Asia/Seoul")
    write("CALBACK_TIMEZONE=UTC\nCALBACK_END_DATE=2024-03-01\n")
    assert environment()["CALBACK_TIMEZONE"] == "Asia/Seoul"
    assert environment()["CALBACK_END_DATE"] == "2024-03-01"


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ("\n\n# a\nCALBACK_PSEUDONYM_KEY\n", 4, "sets no variable"),
        (f"A=1\nCALBACK_PSEUDONYM_KEY: {HIDDEN}\n", 2, "cannot be read"),
        (f"A=1\n\n\nCALBACK_PSEUDONYM_KEY='{HIDDEN}\n", 4, "cannot be read"),
        (f'A="{HIDDEN}" {HIDDEN}\n', 1, "cannot be read"),
        (f"CALBACK-KEY={HIDDEN}\n", 1, "sets no variable"),
        (f"A=1\nB={HIDDEN}\0\n", 2, "cannot be read"),
        (b"A=1\nB=\xe9\n", 2, "is no text in UTF-8"),
    ],
)
def test_a_line_that_sets_nothing_is_named_and_not_quoted(content: str | bytes, line: int, problem: str) -> None:
    write(content)
    before = dict(os.environ)
    with pytest.raises(SettingsError) as error:
        environment()
    assert str(error.value) == (
        f'.env, line {line}: {problem}; write NAME=value, or NAME="value" where white space or # is in it'
    )
    assert dict(os.environ) == before


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_refused(mode: int) -> None:
    write(f"CALBACK_PSEUDONYM_KEY={HIDDEN}\n").chmod(mode)
    with pytest.raises(SettingsError) as error:
        environment()
    assert str(error.value) == (
        ".env is not yours alone to write, and its variables would be taken; see that it is what you want, then: "
        'chown "$USER" .env && chmod go-w .env'
    )
    assert "CALBACK_PSEUDONYM_KEY" not in os.environ


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("is_link", [False, True])
def test_a_file_or_a_link_of_somebody_else_is_refused(is_link: bool) -> None:
    path = write("CALBACK_DATA_DIR=elsewhere\n")
    if is_link:
        path.rename("mine")
        path.symlink_to("mine")
    os.chown(path, 4711, 4711, follow_symlinks=False)
    with pytest.raises(SettingsError, match=r"^\.env is not yours alone to write"):
        environment()


def test_what_is_no_file_is_refused_and_not_waited_for() -> None:
    os.mkfifo(".env")
    with pytest.raises(SettingsError, match=r"^\.env is no file; remove it"):
        environment()


def test_the_command_says_what_is_wrong_with_the_file_in_one_line() -> None:
    write("CALBACK_START_DATE 2024-01-01\n")
    result = CliRunner().invoke(main, ["run"])
    assert result.exit_code == 1
    assert result.output == (
        'error: .env, line 1: cannot be read; write NAME=value, or NAME="value" where white space or # is in it\n'
    )


FIRST = """
import subprocess, sys
from calback_assets.settings import environment
environment()
print(subprocess.run([sys.executable, "-c", sys.argv[1]], capture_output=True, text=True, check=True).stdout)
"""
# As each process of Dagster's does before it loads the definitions.
NEXT = """
import json, logging
from dagster._cli.utils import _inject_local_env_file
with _inject_local_env_file(logging.getLogger()):
    from calback_assets.settings import environment
    print(json.dumps({name: environment()[name] for name in ("CALBACK_TIMEZONE", "DAGSTER_HOME", "CALBACK_END_DATE")}))
"""


def test_the_processes_that_dagster_starts_take_what_the_first_one_took() -> None:
    write("CALBACK_TIMEZONE=UTC\nDAGSTER_HOME=elsewhere\nCALBACK_END_DATE=2024-03-01\n")
    given = {**os.environ, "CALBACK_TIMEZONE": "Asia/Seoul", "DAGSTER_HOME": "here"}
    started = [sys.executable, "-c", FIRST, NEXT]
    found = subprocess.run(started, env=given, capture_output=True, text=True, check=True).stdout
    assert json.loads(found) == {
        "CALBACK_TIMEZONE": "Asia/Seoul",
        "DAGSTER_HOME": "here",
        "CALBACK_END_DATE": "2024-03-01",
    }
