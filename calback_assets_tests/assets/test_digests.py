"""The tables of a small sample stay what they were when each was built one day at a time, by other queries.

`digests.json` holds the rows and a digest of every table and day as the last version made them that computed single
days, or the first that had the table. A change of it says that numbers which people have seen become others.
"""

import json
from datetime import date
from pathlib import Path

import pytest

from calback_assets.assets import SQL_ASSETS
from calback_assets.sample.writer import write_sample
from calback_assets.settings import SOURCES
from calback_assets.tables import TABLES
from calback_assets_tests.assets.worlds import Platform

COMPUTED = [declared.table.name for declared in SQL_ASSETS if not declared.refine]
"""Made by queries alone: the last digits of what is estimated are the machine's."""
FIRST, LAST = date(2024, 1, 1), date(2024, 2, 9)


@pytest.mark.parametrize("rows_at_once", [1, 1_000_000], ids=["single days", "at once"])
def test_every_table_and_day_is_what_it_was(tmp_path: Path, rows_at_once: int) -> None:
    platform = Platform(tmp_path, FIRST, LAST, more={"CALBACK_ROWS_AT_ONCE": str(rows_at_once)})
    write_sample(platform.data, users=200, days=40)
    assert platform.run(FIRST, LAST, *SOURCES, *COMPUTED).success
    expected = json.loads(Path(__file__).with_name("digests.json").read_text(encoding="utf-8"))
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
