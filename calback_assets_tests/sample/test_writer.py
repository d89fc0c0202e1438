"""The folder as a whole: the same bytes again, what is refused, and what a failure leaves behind."""

import hashlib
import json
from pathlib import Path

import pytest

from calback_assets.errors import SettingsError, SourceError
from calback_assets.sample import write_sample
from calback_assets_tests.sample.helpers import Sample


def digests(folder: Path) -> dict[str, str]:
    """Every file's digest, by its path in the folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        write_sample(tmp_path / name, users=200, days=10, seed=seed)
    one, again, other = (digests(tmp_path / name) for name in ("one", "again", "other"))
    assert one == again
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] == other[name]] == []


def test_the_manifest_says_what_the_sample_holds(sample: Sample) -> None:
    assert json.loads((sample.folder / "manifest.json").read_text(encoding="utf-8")) == {
        "kind": "calback-sample",
        "format_version": 1,
        "start_date": "2024-01-01",
        "end_date": "2024-02-14",
        "timezone": "Asia/Seoul",
        "users": 4000,
        "days": 45,
        "seed": 7,
    }


def test_the_summary_counts_what_is_in_the_files(sample: Sample) -> None:
    files = [path for path in sample.folder.rglob("*") if path.is_file()]
    assert sample.summary.files == len(files)
    assert sample.summary.bytes == sum(path.stat().st_size for path in files)
    assert sample.summary.users == len(sample.documents("userCollection")) == 4000
    assert sample.summary.meetings == len(sample.documents("meetingsCollection"))
    assert sample.query("SELECT count(*) FROM opens") == [(sample.summary.access_rows,)]


def test_each_finished_day_is_reported(tmp_path: Path) -> None:
    finished: list[int] = []
    write_sample(tmp_path / "data", users=1, days=4, on_day=finished.append)
    assert finished == [1, 2, 3, 4]


@pytest.mark.parametrize(("users", "days"), [(1, 1), (1, 40), (2, 2), (3, 3)])
def test_the_smallest_worlds_are_possible(tmp_path: Path, users: int, days: int) -> None:
    assert write_sample(tmp_path / "data", users=users, days=days).users == users
    assert len(list((tmp_path / "data" / "access_log").iterdir())) == days


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"users": 0}, "a sample of 0 users is impossible: ask for 1 or more"),
        ({"days": 0}, "a sample of 0 days is impossible: ask for 1 to 800"),
        ({"days": 801}, "a sample of 801 days is impossible: ask for 1 to 800"),
        ({"seed": -1}, "the seed -1 is negative: take 0 or more"),
    ],
)
def test_impossible_numbers_are_refused(tmp_path: Path, arguments: dict[str, int], message: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        write_sample(tmp_path / "data", **arguments)
    assert str(refusal.value) == message


@pytest.mark.parametrize("manifest", [None, '{"start_date": "2024-01-01"}', "[]", "{"])
def test_a_folder_that_holds_something_else_is_refused_and_left_alone(tmp_path: Path, manifest: str | None) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest, encoding="utf-8")
    before = digests(tmp_path)
    with pytest.raises(SourceError) as refusal:
        write_sample(tmp_path, users=1, days=1)
    assert str(refusal.value) == (
        f"{tmp_path} holds files that are not a sample: name an empty folder, or empty this one"
    )
    assert digests(tmp_path) == before


def test_a_file_in_the_place_of_the_folder_or_of_its_parent_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    with pytest.raises(SourceError, match=r"file is a file: name a folder for the sample$"):
        write_sample(file, users=1, days=1)
    with pytest.raises(SourceError, match=r"^cannot write the sample to .*what was there is unchanged"):
        write_sample(file / "data", users=1, days=1)


def test_an_earlier_sample_is_replaced_without_leftovers(tmp_path: Path) -> None:
    write_sample(tmp_path / "data", users=20, days=9)
    write_sample(tmp_path / "data", users=20, days=3)
    write_sample(tmp_path / "fresh", users=20, days=3)
    assert digests(tmp_path / "data") == digests(tmp_path / "fresh")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "fresh"]


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt])
def test_a_write_that_fails_leaves_the_old_sample_whole(tmp_path: Path, interruption: type[BaseException]) -> None:
    write_sample(tmp_path / "data", users=20, days=5, seed=1)
    before = digests(tmp_path / "data")

    def fail(finished_days: int) -> None:
        if finished_days == 3:
            raise interruption

    with pytest.raises(interruption):
        write_sample(tmp_path / "data", users=20, days=5, seed=2, on_day=fail)
    assert digests(tmp_path / "data") == before
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
