"""Rows of the tables that a dashboard is made of, with figures that can be told by hand.

Those of the insight tables are the report's own.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from calback_assets.dashboard.figures import Rows
from calback_assets.report.findings import Insight
from calback_assets.tables.metrics import ACTIVE_USERS_BY, DAILY_ACTIVE_USERS
from calback_assets.warehouse.warehouse import Warehouse
from calback_assets_tests.report.given import AS_OF, MONDAY, Row, frame, insight, plain, power, store
from calback_assets_tests.report.given import stored as stored_insight

DAYS = [MONDAY + timedelta(days=number) for number in range((AS_OF - MONDAY).days + 1)]
"""120, of which the last is 29 April 2024."""


def active(day: date, dau: int, **more: Any) -> Row:
    """A row of `daily_active_users`."""
    figures = dict.fromkeys(DAILY_ACTIVE_USERS.column_names, 0)
    figures |= {"wau": 4 * dau, "mau": 10 * dau, "new_users": dau // 5, "stickiness": 0.1 if dau else None, **more}
    return {**figures, "event_date": day, "dau": dau}


def used(day: date, value: str, dau: int, dimension: str = "platform", *, is_final: bool | None = True) -> Row:
    """A row of `active_users_by`."""
    return {
        "event_date": day,
        "dimension": dimension,
        "value": value,
        "dau": dau,
        "new_users": 0,
        "is_final": is_final,
    }


def rows(days: Iterable[Row], by: Iterable[Row] = (), found: Insight | None = None) -> Rows:
    """Rows of both daily tables, beside those of the insight tables or none."""
    return Rows(found or insight(), frame(DAILY_ACTIVE_USERS, [*days]), frame(ACTIVE_USERS_BY, [*by]))


def dau_of(day: date) -> int:
    """200 on the first day and one more on each that follows."""
    return 200 + (day - MONDAY).days


def world(names: Sequence[str] = ("South Korea", "Japan")) -> Rows:
    """120 days of which the last is not final; 4 March is missing, and on 5 March hardly anybody uses the web."""
    missing, few = date(2024, 3, 4), date(2024, 3, 5)
    days = [day for day in DAYS if day != missing]
    by = [
        row
        for day in days
        for row in (
            used(day, "ANDROID", dau_of(day) - 90, is_final=day != AS_OF),
            used(day, "WEB", 4 if day == few else 60, is_final=day != AS_OF),
            *(used(day, name, 20 + len(names) - place, "country") for place, name in enumerate(names)),
            *(used(day, name, 30 + len(names) - place, "app_version") for place, name in enumerate(names)),
        )
    ]
    report = plain()
    curve = [row for day in days for row in power(day, [700, 800, 300, 150, 50])]
    found = Insight(**{**vars(report), "power": insight(power=curve).power})
    return rows([active(day, dau_of(day)) for day in days], by, found)


def stored(warehouse: Warehouse, found: Rows) -> None:
    """Write the tables as runs would have written them."""
    stored_insight(warehouse, found.insight)
    store(warehouse, DAILY_ACTIVE_USERS, found.active)
    store(warehouse, ACTIVE_USERS_BY, found.by)
