"""`calback show` and the table that closes a run: rows of the warehouse on a terminal.

Only printing belongs here; nothing is computed that a table does not hold.
"""

import sys
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from rich.console import Console
from rich.table import Table as Grid

from calback_assets.errors import WarehouseError
from calback_assets.settings import Settings
from calback_assets.tables import EVENT_DATE, Table
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS, FREQUENT_USERS
from calback_assets.warehouse.deployed import warehouse_of
from calback_assets.warehouse.output import TableRef
from calback_assets.warehouse.warehouse import Session

_CLOSING_DAYS = 7
_CLOSING_COLUMNS = (EVENT_DATE, "dau", "wau", "mau", "stickiness", "new_users")


def newest_rows(settings: Settings, table: Table, limit: int) -> None:
    """Print the newest rows of a table, or the first of a snapshot.

    Raises:
        CalbackError: the warehouse cannot be read, or the table was never written.
    """
    with warehouse_of(settings).session(read_only=True) as session:
        rows = session.newest(table, limit)
    _print(table.name, rows, table.column_names)


def closing_table(session: Session, last: date) -> None:
    """Print the metrics of the days that end with `last`, as far as both of their tables have been written."""
    start, end = last - timedelta(days=_CLOSING_DAYS - 1), last + timedelta(days=1)
    try:
        metrics = session.read(TableRef(DAILY_ACTIVE_USERS, start, end), _CLOSING_COLUMNS).to_pylist()
        users = session.read(TableRef(FREQUENT_USERS, start, end), (EVENT_DATE, "is_frequent"))
    except WarehouseError:
        return  # One of them is still to be written.
    counted = users.group_by(EVENT_DATE).aggregate([("is_frequent", "sum")]).to_pylist()
    frequent = {day[EVENT_DATE]: day["is_frequent_sum"] for day in counted}
    rows = [
        {**day, "frequent_users": frequent.get(day[EVENT_DATE], 0)}
        for day in sorted(metrics, key=lambda day: day[EVENT_DATE])
    ]
    _print(f"The last {len(rows)} days", rows, (*_CLOSING_COLUMNS, "frequent_users"))


def _print(title: str, rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> None:
    console = Console(markup=False)  # Data may hold square brackets.
    if not rows:
        console.print(f"{title} has no rows; its columns are {', '.join(columns)}", soft_wrap=True)
        return
    grid = Grid(title=title, title_justify="left")
    for name in columns:
        grid.add_column(name, justify="right" if any(_is_number(row[name]) for row in rows) else "left", no_wrap=True)
    for row in rows:
        grid.add_row(*(_cell(row[name]) for name in columns))
    unbounded = console.options.update(max_width=sys.maxsize)
    if console.measure(grid, options=unbounded).maximum <= console.width:
        console.print(grid)
        return
    # Too wide for the terminal: one record below the other.
    for number, row in enumerate(rows, start=1):
        record = Grid(title=f"{title}, row {number}", title_justify="left", show_header=False)
        for name in columns:
            record.add_row(name, _cell(row[name]))
        console.print(record)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:,.3f}" if isinstance(value, float) else str(value)
