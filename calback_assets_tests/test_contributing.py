"""The worked example of CONTRIBUTING.md, followed word for word."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
STEP = re.compile(r"^ *```(?:python|sql)\n *(?:#|--) (append to|write) (\S+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_worked_example_adds_a_metric_that_can_be_materialized_and_shown(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "calback_assets", tmp_path / "calback_assets")
    steps = STEP.findall((REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert [action for action, _, _ in steps] == ["append to", "write", "write"]
    for action, name, text in steps:
        with (tmp_path / name).open("a" if action == "append to" else "w", encoding="utf-8") as file:
            file.write("\n\n" * (action == "append to") + textwrap.dedent(text))

    _calback(tmp_path, "sample", "data/sample", "--users", "400", "--days", "2")
    _calback(tmp_path, "run", "--select", "*unified_events")
    _calback(tmp_path, "run", "--select", "platform_users")
    shown = _calback(tmp_path, "show", "platform_users")

    assert "ANDROID" in shown
    assert "2024-01-02" in shown


def _calback(folder: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CALBACK_", "DAGSTER_"))}
    finished = subprocess.run(
        [sys.executable, "-c", "from calback_assets.cli import main; main()", *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout
