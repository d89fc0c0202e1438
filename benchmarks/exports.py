"""A million rows as a file of each format, from the warehouse to the disk.

The peer is what a person types into a notebook: the rows as a DataFrame, and pandas' own writer.
"""

from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
from python_calamine import CalamineWorkbook

from benchmarks.harness import Scale, Work, in_child, in_turns
from benchmarks.rewrite import REWRITTEN
from benchmarks.table import Row
from calback_assets.days import Stretch
from calback_assets.delivery.exports import EXPORTS, Asked, deliver
from calback_assets.delivery.files import FilesTarget
from calback_assets.delivery.folder import FolderStore
from calback_assets.delivery.formats import FORMATS
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.output import TableRef
from calback_assets.warehouse.warehouse import Statement

_DAYS = Stretch.on(date(2024, 1, 10))
_STORED = "stored.duckdb"


def answer(work: Path, scale: Scale) -> list[Row]:
    """A million rows of eight columns, at full size."""
    rows = scale.rewritten_rows
    _fill(work / _STORED, rows)
    told = []
    for suffix in FORMATS:
        contestants = {
            name: in_child(subject, _rows_made, suffix=suffix, stored=str(work / _STORED))
            for name, subject in (("ours", ours), ("pandas", in_pandas))
        }
        costs = in_turns(work, scale.runs, contestants)
        assert costs["ours"].made == costs["pandas"].made == rows, "rows are missing"
        what = f"export of {rows:,} × {len(REWRITTEN.columns)} as {suffix}"
        told += [
            Row("n", what, "s", costs["ours"].seconds, costs["pandas"].seconds, "pandas", None),
            Row("n", f"{what}, peak memory", "MB", costs["ours"].megabytes, 1_000, "the bound", 1),
            Row(
                "n",
                "the same, against pandas",
                "MB",
                costs["ours"].megabytes,
                costs["pandas"].megabytes,
                "pandas",
                None,
            ),
        ]
    return told


def ours(suffix: str, stored: str, folder: str) -> Work:
    """The export as a run makes it."""
    EXPORTS[REWRITTEN.name] = REWRITTEN
    target = FilesTarget(FolderStore(Path(folder)), FORMATS[suffix])

    def work() -> None:
        with DuckDBWarehouse(Path(stored)).session(read_only=True) as session:
            list(deliver(session, target, Asked(REWRITTEN.name, [_DAYS.first], "a run", _DAYS.last)))

    return work


def in_pandas(suffix: str, stored: str, folder: str) -> Work:
    """The rows as a DataFrame, and from there to the file."""
    path = Path(folder) / f"{REWRITTEN.name}.{suffix}"

    def work() -> None:
        with DuckDBWarehouse(Path(stored)).session(read_only=True) as session:
            frame = session.read(TableRef(REWRITTEN, _DAYS.first, _DAYS.until)).to_pandas()
        if suffix == "csv":
            frame.to_csv(path, index=False)
        elif suffix == "parquet":
            frame.to_parquet(path, index=False)
        else:
            frame["first_event_at"] = frame["first_event_at"].dt.tz_localize(None)  # Which Excel does not know.
            with pd.ExcelWriter(path, engine="xlsxwriter") as writer:
                frame.to_excel(writer, index=False)

    return work


def _fill(path: Path, rows: int) -> None:
    sql = (
        f"SELECT DATE '{_DAYS.first}' AS event_date, 'user-' || hash(i) % 100000 AS user_id, "
        "'screen_view' AS event_name, CAST(hash(i + 1) % 100 AS BIGINT) AS events, "
        "CAST(hash(i + 2) % 1000000000 AS BIGINT) AS bytes, "
        "CAST(hash(i + 3) % 1000 AS DOUBLE) / 7 AS score, i % 2 = 0 AS is_new, "
        "TIMESTAMPTZ '2024-01-09 15:00:00+00' + to_microseconds(CAST(hash(i + 4) % 86400000000 AS BIGINT)) "
        f"AS first_event_at FROM range({rows}) AS numbers(i)"
    )
    with DuckDBWarehouse(path).session() as session:
        session.ensure(REWRITTEN)
        session.replace_days(REWRITTEN, _DAYS, Statement(sql), "a run")


def _rows_made(folder: Path) -> int:
    (path,) = (found for suffix in FORMATS for found in folder.rglob(f"*.{suffix}"))
    if path.suffix == ".xlsx":
        return int(CalamineWorkbook.from_path(path).get_sheet_by_index(0).height) - 1
    with duckdb.connect() as connection:
        ((rows,),) = connection.execute(f"SELECT COUNT(*) FROM '{path}'").fetchall()
    return int(rows)
