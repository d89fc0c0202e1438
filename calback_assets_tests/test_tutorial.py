"""The tutorial, followed word for word in a clean clone: it ends with the new metric on the lineage."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from calback_assets.sample import write_sample
from calback_assets_tests.documents import ROOT, blocks
from calback_assets_tests.test_house import files_of_the_tree

SERVER = "make ui"
LINEAGE = """
from calback_assets.definitions import defs
graph = defs.resolve_asset_graph()
(node,) = [node for node in graph.asset_nodes if node.key.path == ["meeting_makers"]]
print(node.group_name, sorted(key.path[-1] for key in node.parent_keys))
"""


@pytest.mark.slow
def test_the_tutorial_ends_with_the_new_metric_on_the_lineage(tmp_path: Path) -> None:
    clone, said = tmp_path / "calback_assets", []
    _make_repository(tmp_path / "REPOSITORY")
    environment = _a_readers(clone)
    for block in blocks("docs/tutorial.md"):
        if block.step:
            action, name = block.step
            with (clone / name).open("a" if action == "append to" else "w", encoding="utf-8") as file:
                file.write("\n\n" * (action == "append to") + block.statements)
        for command in () if block.step else block.commands:
            if command != SERVER:
                said.append(_done(command, clone if clone.is_dir() else tmp_path, environment))
            if command.startswith("git clone"):
                _installed(clone)

    assert "The last 5 days" in said[2]
    assert "makers" in said[-1]
    assert [f"2024-01-0{number}" in said[-1] for number in range(1, 6)] == [False, False, True, True, True]
    assert _done(f"python -c '{LINEAGE}'", clone, environment) == "4_metrics ['user_daily_activity']\n"


def _make_repository(folder: Path) -> None:
    """A repository of what git would keep of this working tree."""
    for path in files_of_the_tree():
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    author = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.invalid"]
    for words in (["init", "--quiet"], ["add", "--all"], [*author, "commit", "--quiet", "--message", "Everything"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


def _a_readers(clone: Path) -> Mapping[str, str]:
    """The environment of somebody who has followed the second block."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CALBACK_", "DAGSTER_", "GIT_"))}
    return kept | {"PATH": f"{clone / '.venv' / 'bin'}:{kept['PATH']}", "PYTHONPATH": str(clone)}


def _installed(clone: Path) -> None:
    """What `make` finds done: the installation, which is this test run's own, and a sample, which is a small one."""
    programs = clone / ".venv" / "bin"
    programs.mkdir(parents=True)
    _program(programs / "python", f'exec {sys.executable} "$@"')
    _program(programs / "calback", f'exec {sys.executable} -c "from calback_assets.cli import main; main()" "$@"')
    _program(programs / "uv", "exit 1")
    (clone / ".venv" / "runtime.stamp").touch()
    write_sample(clone / "data" / "sample", users=60, days=5, seed=7)


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def _done(command: str, folder: Path, environment: Mapping[str, str]) -> str:
    finished = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, f"{command}\n{finished.stdout}{finished.stderr}"
    return finished.stdout
