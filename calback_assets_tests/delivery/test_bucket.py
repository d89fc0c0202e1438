"""Files in a bucket of Google Cloud Storage, by Google's own client against a small server of its protocol."""

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from calback_assets.delivery.bucket import BucketStore
from calback_assets.delivery.exports import Pieces
from calback_assets.delivery.files import FilesTarget
from calback_assets.delivery.formats import FORMATS
from calback_assets.errors import DeliveryError
from calback_assets.tables.core import USER_DAILY_ACTIVITY
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets_tests.delivery.storage import Storage, running_storage
from calback_assets_tests.delivery.world import DAY, NEXT, delivered

ACTIVITY = USER_DAILY_ACTIVITY.name
LARGE = 20_000_000
"""Sent in two requests."""


@pytest.fixture(autouse=True)
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    with running_storage() as serving:
        serving.buckets["calback"] = {}
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", serving.url)
        yield serving


def bucket(name: str = "calback", suffix: str = "parquet") -> FilesTarget:
    return FilesTarget(BucketStore(name, "numbers/daily"), FORMATS[suffix])


def test_days_are_objects_with_their_manifests(stored: DuckDBWarehouse, storage: Storage, tmp_path: Path) -> None:
    for _ in range(2):
        delivered(stored, bucket(), ACTIVITY, [DAY, NEXT])

    objects, folder = storage.buckets["calback"], f"numbers/daily/{ACTIVITY}"
    assert sorted(objects) == [
        *(f"{folder}/_manifest/{ACTIVITY}_{day}.parquet.json" for day in (DAY, NEXT)),
        *(f"{folder}/{ACTIVITY}_{day}.parquet" for day in (DAY, NEXT)),
    ]
    (file,) = json.loads(objects[f"{folder}/_manifest/{ACTIVITY}_{DAY}.parquet.json"])["files"]
    content = objects[f"{folder}/{file['name']}"]
    assert (file["rows"], file["bytes"]) == (3, len(content))
    (tmp_path / "read").write_bytes(content)
    with duckdb.connect() as engine:
        assert engine.read_parquet(str(tmp_path / "read")).fetchall()[2][1] == "홍길동"
    assert bucket().where == "gs://calback/numbers/daily"


def test_what_the_manifest_does_not_name_is_swept_away(stored: DuckDBWarehouse, storage: Storage) -> None:
    of_day = f"numbers/daily/{ACTIVITY}/{ACTIVITY}_{DAY}"
    another = f"numbers/daily/{ACTIVITY}/{ACTIVITY}_{NEXT}.part-1-of-2.0a1b2c3d.csv"
    storage.buckets["calback"] = {f"{of_day}.part-1-of-2.0a1b2c3d.csv": b"old", another: b"of another day"}
    delivered(stored, bucket(suffix="csv"), ACTIVITY)

    left = [name for name in storage.buckets["calback"] if name.endswith(".csv")]
    assert sorted(left) == [f"{of_day}.csv", another]


def test_days_that_lie_there_are_known_with_their_versions(stored: DuckDBWarehouse) -> None:
    delivered(stored, bucket(), ACTIVITY, [DAY, NEXT])
    delivered(stored, bucket(), ACTIVITY, [DAY, NEXT], pieces=Pieces.RANGE)

    with bucket().opened(USER_DAILY_ACTIVITY) as place:
        assert place.versions() == {DAY: "first/3", NEXT: "first/3"}


def test_an_object_is_the_old_one_until_the_new_one_is_whole(storage: Storage, tmp_path: Path) -> None:
    storage.buckets["calback"]["numbers/daily/any/any.csv"] = b"old"
    store = BucketStore("calback", "numbers/daily")
    made = tmp_path / "large"
    made.write_bytes(b"n" * LARGE)
    with store.opened("any") as shelf:
        shelf.put(made, "any.csv")
    assert storage.uploads == ["resumable"]
    assert storage.buckets["calback"]["numbers/daily/any/any.csv"] == b"n" * LARGE

    storage.buckets["calback"]["numbers/daily/any/any.csv"] = b"old"
    storage.broken = True
    made.write_bytes(b"n" * LARGE)
    with pytest.raises(DeliveryError) as caught, store.opened("any") as shelf:
        shelf.put(made, "any.csv")
    assert str(caught.value) == (
        "any: bucket calback may not be written; grant this account roles/storage.objectUser on it; the old files stand"
    )
    assert storage.buckets["calback"]["numbers/daily/any/any.csv"] == b"old"


def test_a_bucket_that_is_not_there_is_said(stored: DuckDBWarehouse) -> None:
    with pytest.raises(DeliveryError) as caught:
        delivered(stored, bucket("nowhere"), ACTIVITY)
    assert str(caught.value) == (
        f"{ACTIVITY}: there is no bucket nowhere; make it, or name another; the old files stand"
    )
