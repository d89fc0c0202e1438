"""The tables of a small sample stay what they were when each was built one day at a time, by other queries.

`digests.json` holds the rows and a digest of every table and day as the last version made them that computed single
days, or the first that had the table. A change of it says that numbers which people have seen become others.
"""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from calback_assets.assets import SQL_ASSETS
from calback_assets.days import days_between
from calback_assets.sample.writer import write_sample
from calback_assets.settings import SOURCES
from calback_assets.tables import TABLES
from calback_assets_tests.assets.worlds import Platform, materializations

COMPUTED = [declared.table.name for declared in SQL_ASSETS if not declared.refine]
"""Made by queries alone: the last digits of what is estimated are the machine's."""
DAILY = [name for name in (*SOURCES, *COMPUTED) if TABLES[name].is_partitioned]
FIRST, LAST = date(2024, 1, 1), date(2024, 2, 9)
SINGLE = days_between(date(2024, 1, 29), date(2024, 2, 3))


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """All days, built at once."""
    platform = Platform(tmp_path_factory.mktemp("sample") / "at_once", FIRST, LAST)
    write_sample(platform.data, users=200, days=40)
    platform.build(FIRST, LAST, *SOURCES, *COMPUTED)
    return platform


@pytest.fixture(scope="module")
def expected() -> Any:
    return json.loads(Path(__file__).with_name("digests.json").read_text(encoding="utf-8"))


def test_every_table_and_day_is_what_it_was(at_once: Platform, expected: Any) -> None:
    assert digests(at_once) == expected


def test_days_that_are_written_one_by_one_are_what_they_were(at_once: Platform, expected: Any, tmp_path: Path) -> None:
    """Days whose windows begin before the first day, with it, and after it, on both sides of a month's end."""
    platform = replace(at_once.copied(tmp_path / "copy"), more={"CALBACK_ROWS_AT_ONCE": "1"})
    result = platform.build(SINGLE[0], SINGLE[-1], *SOURCES, *COMPUTED)
    for name in DAILY:
        written = materializations(result, name)
        assert [found.partition for found in written] == [str(day) for day in SINGLE]
        assert not any("written_at_once" in found.metadata for found in written)
    assert digests(platform) == expected


def digests(platform: Platform) -> dict[str, dict[str, list[object]]]:
    """Of every table, by day: how many rows, and a sum over what they hold that knows no order."""
    found: dict[str, dict[str, list[object]]] = {}
    with platform.warehouse.session(read_only=True) as session:
        for name in (*SOURCES, *COMPUTED):
            table = TABLES[name]
            columns = ", ".join(f'"{column.name}"' for column in table.columns if not column.wall_clock)
            day = "CAST(event_date AS VARCHAR)" if table.is_partitioned else "'all'"
            row = f"substr(md5(CAST(ROW({columns}) AS VARCHAR)), 1, 12)"
            rows = session.execute(
                f"SELECT {day}, COUNT(*), CAST(SUM(CAST('0x' || {row} AS BIGINT)) AS VARCHAR) FROM calback.{name} "
                "GROUP BY ALL"
            )
            found[name] = {of_day: [count, digest] for of_day, count, digest in rows}
    return found
