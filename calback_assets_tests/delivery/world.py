"""A warehouse of few rows that everything may go wrong with, and exports of it as a run makes them.

Only what several tests of deliveries share belongs here.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from calback_assets.days import Stretch
from calback_assets.delivery.exports import Asked, Pieces, deliver
from calback_assets.delivery.files import FilesTarget
from calback_assets.delivery.folder import FolderStore
from calback_assets.delivery.formats import FORMATS
from calback_assets.delivery.piece import Delivered, Piece, Target
from calback_assets.tables import Table
from calback_assets.tables.core import USER_DAILY_ACTIVITY
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.warehouse import Statement, Warehouse

DAY, NEXT = date(2024, 1, 10), date(2024, 1, 11)
TODAY = date(2024, 1, 14)
"""The night from which on DAY is final, and NEXT is not."""
FORMULA, KOREAN = """=HYPERLINK("http://evil","click")""", "홍길동"
NASTY = "=cmd|' /C calc'!A0"
"""A name that somebody has given an event."""
_AT = "TIMESTAMPTZ '2024-01-09 15:00:00.123456+00'"
_ACTIVITY = f"""
SELECT DATE '{{day}}' AS event_date, user_id, is_anonymous, events, 1 AS sessions, opens AS app_opens,
  0 AS meetings_created, {_AT} AS first_event_at, {_AT} + INTERVAL 1 HOUR AS last_event_at, actions
FROM (VALUES
  ('{KOREAN}', FALSE, 3, 0, [{{{{'event_name': '일정_보기', 'events': 2}}}}, {{{{'event_name': '{NASTY.replace("'", "''")}', 'events': 1}}}}]),
  ('{FORMULA}', FALSE, 1, 0, [{{{{'event_name': 'search', 'events': 1}}}}]),
  ('-1', TRUE, 0, 2, NULL)
) AS people(user_id, is_anonymous, events, opens, actions)
"""  # noqa: E501
_METRICS = f"""
SELECT DATE '{{day}}' AS event_date, {
    ", ".join(
        "CAST(0.25 AS DOUBLE) AS stickiness" if column.type == "FLOAT64" else f"CAST(-3 AS BIGINT) AS {column.name}"
        for column in DAILY_ACTIVE_USERS.columns[1:]
    )
}
"""


def put(warehouse: Warehouse, table: Table, days: Stretch, sql: str, run_id: str) -> None:
    """Replace days of a table by the rows of a query, in which `{day}` is each of them."""
    with warehouse.session() as session:
        session.ensure(table)
        rows = " UNION ALL ".join(f"({sql.format(day=day)})" for day in days.days)
        session.replace_days(table, days, Statement(rows), run_id)


def filled(path: Path) -> DuckDBWarehouse:
    """A warehouse with two days of two tables."""
    warehouse = DuckDBWarehouse(path)
    put(warehouse, USER_DAILY_ACTIVITY, Stretch(DAY, NEXT), _ACTIVITY, "first")
    put(warehouse, DAILY_ACTIVE_USERS, Stretch(DAY, NEXT), _METRICS, "first")
    return warehouse


def files(folder: Path, suffix: str) -> FilesTarget:
    """A folder that takes files of a format."""
    return FilesTarget(FolderStore(folder), FORMATS[suffix])


def delivered(
    warehouse: Warehouse,
    target: Target,
    name: str,
    days: Sequence[date] = (DAY,),
    *,
    pieces: Pieces = Pieces.DAY,
    follows: bool = False,
    run_id: str = "a run",
) -> list[tuple[Piece, Delivered]]:
    """Export days of a table."""
    asked = Asked(name, days, run_id, TODAY, pieces, follows)
    with warehouse.session(read_only=True) as session:
        return list(deliver(session, target, asked))
