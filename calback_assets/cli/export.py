"""`calback export`: days of a table as files, or in a database, where people work with them.

Only the front belongs here; formats and targets stand in `calback_assets.delivery`.
"""

from datetime import date, datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

from rich.console import Console

from calback_assets.cli.bar import bar
from calback_assets.cli.endings import interruptible
from calback_assets.cli.show import note_age
from calback_assets.days import days_between, span
from calback_assets.delivery.exports import EXPORTS, Asked, Pieces, deliver, written_days
from calback_assets.delivery.piece import Delivered
from calback_assets.delivery.targets import target_of
from calback_assets.settings import Settings
from calback_assets.warehouse.deployed import warehouse_of
from calback_assets.warehouse.warehouse import break_off


def export_days(
    settings: Settings, name: str, first: date, last: date, file_format: str | None, into: str, *, is_together: bool
) -> None:
    """Export the days of a table that were ever written, and say what was written where.

    Raises:
        CalbackError: the warehouse cannot be read, or the target cannot be written.
        Interrupted: a signal came.
    """
    target = target_of(settings, into, file_format)
    is_daily = EXPORTS[name].is_partitioned
    done: list[Delivered] = []

    def so_far() -> str:
        return f"written: {_count(len(done), is_daily=is_daily)} of {name}; run the same command again to finish"

    notes = []
    warehouse = warehouse_of(settings)
    with interruptible(so_far, break_off), warehouse.reading() as session:
        days = days_between(first, last) if is_daily else []
        written = written_days(session, name, days)
        asked = Asked(
            name=name,
            days=days,
            run_id=f"export-{uuid4().hex[:12]}",
            today=datetime.now(ZoneInfo(settings.timezone)).date(),
            pieces=Pieces.RANGE if is_together else Pieces.DAY,
        )
        with bar(f"export {name}", 1 if is_together else max(len(written), 1)) as shown:
            for piece, made in deliver(session, target, asked):
                done.append(made)
                notes += [f"{piece.name}: {note}" for note in made.notes]
                shown.advance(piece.name)
    out = Console(markup=False, highlight=False, soft_wrap=True)
    note_age(warehouse, Console(stderr=True, markup=False, highlight=False, soft_wrap=True))
    for note in notes:
        out.print(note)
    if missing := sorted(set(days) - set(written)):
        out.print(f"Never written, and so not exported: {span(missing)}")
    rows = sum(made.rows for made in done)
    of_days = f" of {span(written)}" if is_daily else ""
    out.print(f"{name}: {rows:,} rows{of_days} in {_named(done, is_file=target.takes_files)} in {target.where}")


def _named(done: list[Delivered], *, is_file: bool) -> str:
    names = [name for made in done for name in made.names]
    if not is_file:
        return f"table {names[0]}"
    return names[0] if len(names) == 1 else f"{len(names)} files, {names[0]} to {names[-1]},"


def _count(pieces: int, *, is_daily: bool) -> str:
    return f"{pieces} days" if is_daily else "nothing"
