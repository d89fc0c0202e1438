"""Files into BigQuery: a folder of exports ends there in the raw tables that DuckDB makes of it."""

from collections.abc import Iterator
from datetime import date

import pytest

from calback_assets.sample.writer import write_sample
from calback_assets.settings import SOURCES
from calback_assets.tables import TABLES
from calback_assets.tables.raw import RAW_ACCESS_LOG, RAW_EVENTS
from calback_assets.warehouse.deployed import warehouse_of
from calback_assets.warehouse.erasure import Subjects
from calback_assets_tests.assets.worlds import Platform, write_lines
from calback_assets_tests.bigquery.clients import Emulator
from calback_assets_tests.bigquery.test_both_engines import comparable, stored
from calback_assets_tests.bigquery.worlds import World, beside_bigquery
from calback_assets_tests.warehouse.helpers import error_of

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 3)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, emulator: Emulator) -> Iterator[World]:
    local = Platform(tmp_path_factory.mktemp("files"), FIRST, LAST)
    write_sample(local.data, users=40, days=3)
    local.build(FIRST, LAST, *SOURCES)
    with beside_bigquery(local, emulator, "files-into-bigquery") as made:
        assert made.run(*SOURCES).success
        yield made


@pytest.mark.parametrize("table", SOURCES)
def test_a_raw_table_is_the_same_row_for_row(world: World, table: str) -> None:
    with world.local.warehouse.session(read_only=True) as session:
        made = session.arrow(f"SELECT * FROM calback.{table}").to_pylist()
    assert made
    assert comparable(stored(world.client, TABLES[table]), TABLES[table]) == comparable(made, TABLES[table])


def test_nothing_that_was_staged_is_left(world: World) -> None:
    assert [name for name in world.tables() if name.startswith("staging_")] == []


def log_of(world: World) -> list[str]:
    return comparable(stored(world.client, RAW_ACCESS_LOG), RAW_ACCESS_LOG)


def test_a_wrong_line_is_named_and_the_day_stands(world: World) -> None:
    analytics = world.local.data / "analytics"
    kept = {path: path.read_bytes() for path in analytics.glob(f"events_*{LAST:%Y%m%d}.*")}
    for path in kept:
        path.unlink()
    wrong = analytics / f"events_{LAST:%Y%m%d}.jsonl"
    write_lines(wrong, [{"event_timestamp": "today", "event_name": "tap"}])
    before = comparable(stored(world.client, RAW_EVENTS), RAW_EVENTS)
    refused = world.run("raw_events")
    wrong.unlink()
    for path, content in kept.items():
        path.write_bytes(content)
    assert error_of(refused) == (
        f"SourceError: {wrong}, line 1: event_timestamp is not an INT64. Correct or remove the line, or export the "
        "file again; the day that broke is 2024-01-02"
    )
    assert comparable(stored(world.client, RAW_EVENTS), RAW_EVENTS) == before
    assert [name for name in world.tables() if name.startswith("staging_")] == []


def test_fewer_rows_than_there_must_be_replace_nothing(world: World) -> None:
    before = log_of(world)
    (path,) = (world.local.data / "access_log" / f"date={FIRST}").iterdir()
    rows = path.read_text(encoding="utf-8")
    path.write_text("", encoding="utf-8")
    refused = world.run("raw_access_log")
    assert f"raw_access_log: 0 rows were read of {FIRST}, and the warehouse has {rows.count(chr(10))}; " in error_of(
        refused
    )
    path.write_text(rows, encoding="utf-8")
    assert log_of(world) == before


def test_who_was_erased_stays_out_of_what_is_read_again(world: World) -> None:
    user = stored(world.client, RAW_ACCESS_LOG)[0]["user_id"]
    with warehouse_of(world.settings).session() as session:
        session.erase(Subjects(world.settings.pseudonym_key).hash(user), "erasure")
    again = world.run("raw_access_log")
    assert again.success, error_of(again)
    assert user not in {row["user_id"] for row in stored(world.client, RAW_ACCESS_LOG)}
