"""Tests of a disk that is full, the warehouse's or that of Dagster's folder: small file systems of their own."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import calback_assets
from calback_assets_tests.cli.conftest import SELECTED, UP_TO_ACTIVE_USERS, Undisturbed, environment
from calback_assets_tests.cli.terminal import Terminal, moments, tables
from calback_assets_tests.dagit.graph import STORED

TIMES = 3
ENOUGH = 2**26
Disk = Callable[[int], Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A file system of so many bytes; asked again, it has the new size."""
    where = tmp_path / "disk"
    where.mkdir()

    def sized(size: int) -> Path:
        again = "remount," if where.is_mount() else ""
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"{again}size={size}", "tmpfs", str(where)], capture_output=True, text=True
        )
        if done.returncode != 0:
            reason = f"no file system can be mounted here: {done.stderr.strip()}"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        return where

    yield sized
    if where.is_mount():
        subprocess.run(["umount", str(where)], check=True)


def home_in(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    shutil.copy(Path(calback_assets.__file__).with_name("dagster.yaml"), folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1], ids="seed {}".format)
def test_a_full_disk_of_the_warehouse_is_said_and_the_old_rows_stand(
    tmp_path: Path, undisturbed: Undisturbed, disk: Disk, seed: int
) -> None:
    """The run writes what is there already, as a night that looks back does."""
    written = undisturbed.warehouse.stat().st_size
    failed = 0
    for room in moments(seed, TIMES, written / 2):
        warehouse = disk(ENOUGH) / "warehouse.duckdb"
        warehouse.with_name("warehouse.read.duckdb").unlink(missing_ok=True)
        shutil.copy(undisturbed.warehouse, warehouse)
        disk(int(written + room))
        terminal = Terminal(environment(undisturbed.data, warehouse, home_in(tmp_path / "home")))
        ended = terminal.run("run", "--select", UP_TO_ACTIVE_USERS)
        if ended.code != 0:
            failed += 1
            assert ended.code == 1
            full, written_down = ended.error.split("; details: ")
            assert re.fullmatch(r"Dagit run [0-9a-f-]{36}", written_down)
            assert re.fullmatch(
                rf"(\w+: )?the disk of {warehouse}[.\w]* is full; every table is as it was before the day that was "
                "being written; make room there, or set CALBACK_DUCKDB_PATH to a copy of the warehouse on another "
                "disk, and run it again",
                full,
            )
        disk(ENOUGH)
        stands = tables(warehouse)
        assert {name: stands[name] for name in STORED} == {name: undisturbed.tables[name] for name in STORED}
        assert terminal.run("run", "--select", UP_TO_ACTIVE_USERS).code == 0
        assert tables(warehouse, SELECTED) == undisturbed.selected
        shutil.rmtree(tmp_path / "home")
    assert failed


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1], ids="seed {}".format)
def test_a_full_disk_of_dagsters_folder_is_said_and_the_next_run_ends_right(
    tmp_path: Path, undisturbed: Undisturbed, disk: Disk, seed: int
) -> None:
    failed = 0
    for number, size in enumerate(moments(seed, TIMES, 2**21)):
        warehouse = tmp_path / f"{number}.duckdb"
        home = home_in(disk(int(size) + 2**15))
        terminal = Terminal(environment(undisturbed.data, warehouse, home))
        ended = terminal.run("run", "--select", UP_TO_ACTIVE_USERS)
        if ended.code != 0:
            failed += 1
            assert ended.code == 1
            assert ended.error == (
                f"the disk of Dagster's folder {home} is full, and the run is not on record to its end; the days that "
                "were written stay written; make room there, or set DAGSTER_HOME to a folder on another disk, and run "
                "it again"
            )
        disk(ENOUGH)
        assert terminal.run("run", "--select", UP_TO_ACTIVE_USERS).code == 0
        assert tables(warehouse, SELECTED) == undisturbed.selected
        for left in home.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    assert failed


@pytest.mark.slow
@pytest.mark.parametrize("pages", [0, 1, 2, 3, 5, 12])
def test_a_run_that_found_no_room_to_begin_leaves_nothing_in_the_way_of_the_next(
    undisturbed: Undisturbed, disk: Disk, pages: int
) -> None:
    """Half a header of the warehouse, half of Dagster's settings."""
    folder, settings = disk(2**17), Path(calback_assets.__file__).with_name("dagster.yaml")
    (folder / "filling").write_bytes(b"x" * (2**17 - pages * 2**12))
    terminal = Terminal(environment(undisturbed.data, folder / "warehouse.duckdb"))
    ended = terminal.run("run", "--select", "raw_users")
    assert ended.code == 1
    assert f"the disk of {folder / 'warehouse.duckdb'}" in ended.error or "the disk of Dagster's folder" in ended.error
    disk(ENOUGH)
    assert terminal.run("run", "--select", "raw_users").code == 0
    assert (folder / "dagster" / "dagster.yaml").read_text() == settings.read_text()
