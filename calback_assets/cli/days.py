"""Which days a command is about.

Only the choice of a range belongs here; what a partition is stands in `calback_assets.partitions`.
"""

from datetime import date, timedelta

from calback_assets.errors import CalbackError
from calback_assets.settings import Settings


def day_range(start: date | None, end: date | None, settings: Settings, today: date) -> tuple[date, date]:
    """The first and the last day that `--from` and `--to` ask for; either may be missing.

    Raises:
        CalbackError: the range leaves the days that there are, or runs backwards.
    """
    first = settings.start_date
    yesterday = today - timedelta(days=1)
    last = yesterday if settings.end_date is None else min(settings.end_date, yesterday)
    if last < first:
        raise CalbackError(
            f"the first day of the data, {first}, is not over yet; run it on a later day, or set CALBACK_START_DATE"
        )
    for option, day in (("--from", start), ("--to", end)):
        if day is not None and day < first:
            raise CalbackError(
                f"{option} {day} lies before the first day of the data; choose a day from {first} to {last}, or set "
                "CALBACK_START_DATE"
            )
        if day is not None and day > last:
            why = "is not over yet" if last == yesterday else "lies after the last day of the data"
            raise CalbackError(f"{option} {day} {why}; choose a day from {first} to {last}")
    if start is None and end is None and settings.end_date is None:
        return yesterday, yesterday
    chosen = start or first, end or last
    if chosen[0] > chosen[1]:
        raise CalbackError(f"--from {chosen[0]} lies after --to {chosen[1]}; swap them")
    return chosen
