"""`calback show` and the table that closes a run: rows of the warehouse on a terminal.

Only printing belongs here; nothing is computed that a table does not hold. Rows for programs stand in `formats`.
"""

import difflib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import click
import pyarrow as pa
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid

from calback_assets.cli.formats import FORMATS, write
from calback_assets.days import Stretch
from calback_assets.errors import WarehouseError
from calback_assets.settings import FIRST_DAY, LAST_DAY, Settings
from calback_assets.tables import EVENT_DATE, Table
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS, FREQUENT_USERS
from calback_assets.warehouse.deployed import warehouse_of
from calback_assets.warehouse.output import TableRef
from calback_assets.warehouse.rows import arrow_schema
from calback_assets.warehouse.warehouse import Session, Warehouse

TABLE = "table"
MOST_ROWS = 10_000
"""As many as somebody may scroll through; they are in memory together."""
_ROWS = 20
_CLOSING_DAYS = 7
_CLOSING_COLUMNS = (EVENT_DATE, "dau", "wau", "mau", "stickiness", "new_users")
_LONGEST = 40
"""Characters of a text in a grid."""
_LONGEST_ALONE = 400
"""Characters of a text that has a line of its own."""
_FRAME = 3


@dataclass(frozen=True)
class Asked:
    """What somebody wants to see of a table."""

    table: Table
    columns: Sequence[str] = ()
    """In this order; none for all."""
    first: date | None = None
    last: date | None = None
    limit: int | None = None
    form: str = TABLE

    def check(self) -> None:
        """See that it can be shown.

        Raises:
            click.UsageError: it cannot.
        """
        for name in self.columns:
            if name not in self.table.column_names:
                near = difflib.get_close_matches(name, self.table.column_names, n=1)
                hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(self.table.column_names)}"
                raise click.UsageError(f"{self.table.name} has no column {name!r}; {hint}")
        if (self.first or self.last) and not self.table.is_partitioned:
            raise click.UsageError(f"{self.table.name} has no days; leave out --from and --to")
        if self.first and self.last and self.first > self.last:
            raise click.UsageError(f"--from {self.first} lies after --to {self.last}; swap them")
        if self.form == TABLE and (self.limit or 0) > MOST_ROWS:
            raise click.UsageError(
                f"--limit {self.limit} is more than the {MOST_ROWS} rows of a table that somebody reads; take another "
                "--format, or fewer"
            )
        if self.form == "parquet" and sys.stdout.isatty():
            raise click.UsageError("Parquet is nothing for a terminal; send it to a file: > rows.parquet")

    @property
    def days(self) -> Stretch | None:
        """The days; None for all."""
        return Stretch(self.first or FIRST_DAY, self.last or LAST_DAY) if self.first or self.last else None

    def rows(self, session: Session) -> Iterator[pa.RecordBatch]:
        """The rows, the newest day first."""
        limit = self.limit or (_ROWS if self.form == TABLE else None)
        return session.newest(self.table, self.columns or None, self.days, limit)


def show_rows(settings: Settings, asked: Asked) -> None:
    """Print the newest rows of a table, or the first of a snapshot.

    Raises:
        CalbackError: the warehouse cannot be read, or the table was never written.
    """
    notes = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    warehouse = warehouse_of(settings)
    with warehouse.reading() as session:
        try:
            schema = arrow_schema(asked.table, asked.columns or None)
            if asked.form in FORMATS:
                write(asked.form, asked.table, pa.RecordBatchReader.from_batches(schema, asked.rows(session)))
            else:
                found = [row for batch in asked.rows(session) for row in batch.to_pylist()]
                _print(asked.table.name, found, schema.names, is_chosen=bool(asked.columns))
            if missed := _why_nothing(asked, session):
                notes.print(f"note: {missed}")
        except session.failures as error:
            raise session.redact(error) from None
    note_age(warehouse, notes)


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
    _print(f"The last {len(rows)} days", rows, (*_CLOSING_COLUMNS, "frequent_users"), is_chosen=True)


def _why_nothing(asked: Asked, session: Session) -> str | None:
    """What to say where the days that were asked for are not there."""
    if asked.days is None:
        return None
    stored = session.row_counts([asked.table.name])[asked.table.name]
    if any(count for day, count in stored.items() if day in asked.days):
        return None
    days = [day for day, count in stored.items() if count]
    there = f"it has {min(days)} to {max(days)}" if days else "it has no day with rows"
    return f"{asked.table.name} has no rows from {asked.days.first} to {asked.days.last}; {there}"


def note_age(warehouse: Warehouse, notes: Console) -> None:
    """Say where a run has written more than the read copy holds.

    Raises:
        WarehouseError: the copy cannot be opened.
    """
    published = warehouse.published()
    if published and published.is_behind:
        notes.print(
            f"note: this is what the read copy of {published.at:%Y-%m-%d %H:%M} UTC holds; a run has written since, or "
            "writes now, and publishes at its end"
        )


def _print(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, is_chosen: bool) -> None:
    """A grid of as many columns as there is room for; or, where all of these are wanted, one record below the other."""
    console = Console(markup=False)  # Data may hold square brackets.
    if not rows:
        console.print(f"{title} has no rows; its columns are {', '.join(columns)}", soft_wrap=True)
        return
    texts = [{name: _text(row[name]) for name in columns} for row in rows]
    cells = [{name: _cut(text, _LONGEST) for name, text in row.items()} for row in texts]
    widths = [_FRAME + max(map(cell_len, [name, *(row[name] for row in cells)])) for name in columns]
    fitting = len(columns)
    while fitting > 1 and sum(widths[:fitting]) + 1 > console.width:
        fitting -= 1
    if is_chosen and fitting < len(columns):
        _print_records(console, title, texts)
        return
    grid = Grid(title=title, title_justify="left")
    for name in columns[:fitting]:
        grid.add_column(name, justify="right" if any(_is_number(row[name]) for row in rows) else "left", no_wrap=True)
    for row in cells:
        grid.add_row(*(row[name] for name in columns[:fitting]))
    console.print(grid)
    if fitting < len(columns):
        _note(console, f"No room for: {', '.join(columns[fitting:])}; choose with --columns")
    if any(row[name] != cell[name] for row, cell in zip(texts, cells, strict=True) for name in columns[:fitting]):
        _note(console, "Long values end with …; whole: --format json")


def _print_records(console: Console, title: str, rows: Sequence[Mapping[str, str]]) -> None:
    for number, row in enumerate(rows, start=1):
        record = Grid(title=f"{title}, row {number}", title_justify="left", show_header=False)
        record.add_column(no_wrap=True)
        record.add_column(overflow="fold")
        for name, text in row.items():
            record.add_row(name, _cut(text, _LONGEST_ALONE))
        console.print(record)
    if any(len(text) > _LONGEST_ALONE for row in rows for text in row.values()):
        _note(console, "Long values end with …; whole: --format json")


def _note(console: Console, sentence: str) -> None:
    console.print(sentence, soft_wrap=True, highlight=False)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:,.3f}" if isinstance(value, float) else " ".join(str(value).split("\n"))


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
