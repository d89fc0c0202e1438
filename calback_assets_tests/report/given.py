"""Rows of the insight tables, written by hand in the shape of their contracts.

Each builder has the figures of a plain case; a test names what it is about.
"""

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from math import exp, log, sqrt
from typing import Any

import pandas as pd
import pyarrow as pa

from calback_assets.days import Stretch
from calback_assets.report.findings import TABLES, Insight
from calback_assets.tables import Table
from calback_assets.warehouse.rows import ConformedRows, arrow_schema
from calback_assets.warehouse.warehouse import Statement, Warehouse

AS_OF = date(2024, 4, 29)
MONDAY = date(2024, 1, 1)

Row = dict[str, Any]


def frame(table: Table, rows: Sequence[Row]) -> pd.DataFrame:
    """The rows as the warehouse hands them on; what is not named is NULL."""
    return pa.Table.from_pylist([*rows], arrow_schema(table)).to_pandas()


def insight(**parts: Sequence[Row]) -> Insight:
    """All tables, by their part in the report; those that are not named are empty."""
    return Insight(**{name: frame(table, parts.get(name, ())) for name, table in TABLES.items()})


def rate(behaviour: str, ratio: tuple[float, float, float], did: tuple[int, int] = (400, 500), **more: Any) -> Row:
    """A row of `frequent_user_behaviour`, of 1,000 frequent users and 2,000 others."""
    frequent, other = did
    return {
        "as_of": AS_OF,
        "behaviour": behaviour,
        "frequent_users": 1000,
        "other_users": 2000,
        "frequent_did": frequent,
        "other_did": other,
        "frequent_share": frequent / 1000,
        "frequent_share_low": frequent / 1000 - 0.03,
        "frequent_share_high": frequent / 1000 + 0.03,
        "other_share": other / 2000,
        "other_share_low": other / 2000 - 0.02,
        "other_share_high": other / 2000 + 0.02,
        "frequent_per_person": 3.21,
        "other_per_person": 1.23,
        "frequent_per_active_day": 0.4,
        "other_per_active_day": 0.4 / ratio[0],
        **dict(zip(("rate_ratio", "rate_ratio_low", "rate_ratio_high"), ratio, strict=True)),
        **more,
    }


def lift(
    behaviour: str,
    adjusted: tuple[float, float, float] = (1.0, 0.9, 1.1),
    counts: tuple[int, int, int, int] = (1000, 400, 3000, 750),
    **more: Any,
) -> Row:
    """A row of `first_week_lift`: who did it, who of them came back; others, and who of them came back."""
    did, did_back, others, others_back = counts
    cells = (did_back, did - did_back, others_back, others - others_back)
    low = high = value = None
    if all(cells):
        value = cells[0] * cells[3] / (cells[1] * cells[2])
        error = 1.96 * sqrt(sum(1 / cell for cell in cells))
        low, high = exp(log(value) - error), exp(log(value) + error)
    is_found = adjusted[1] > 1 or adjusted[2] < 1
    return {
        "behaviour": behaviour,
        "at_least": 1,
        "outcome": "returned",
        "period": "all",
        "joined_from": MONDAY,
        "joined_to": date(2024, 3, 24),
        "people": did + others,
        "did": did,
        "did_came_back": did_back,
        "others_came_back": others_back,
        "share_did": did_back / did if did else None,
        "share_others": others_back / others if others else None,
        "odds_ratio": value,
        "odds_ratio_low": low,
        "odds_ratio_high": high,
        "q_value": 0.001 if low and (low > 1 or (high or 0) < 1) else 0.8,
        "adjusted_odds_ratio": adjusted[0],
        "adjusted_low": adjusted[1],
        "adjusted_high": adjusted[2],
        "adjusted_q": 0.001 if is_found else 0.8,
        "adjustment": "logistic regression",
        "e_value": 2.05,
        "e_value_limit": 1.55,
        "detectable_odds_ratio": 1.25,
        "is_supported": True,
        "is_found": is_found,
        **more,
    }


def model(name: str, auc: tuple[float, float, float], *, is_promoted: bool = False, **more: Any) -> Row:
    """A row of `return_model`."""
    deciles = [
        {
            "decile": number,
            "people": 280,
            "came_back": 20 + 15 * number,
            "mean_score": 0.05 + 0.06 * number,
            "share": (20 + 15 * number) / 280,
            "lift": (20 + 15 * number) / 102.5,
            "lift_low": 0.9 * (20 + 15 * number) / 102.5,
            "lift_high": 1.1 * (20 + 15 * number) / 102.5,
        }
        for number in range(1, 11)
    ]
    return {
        "model": name,
        "version": "0123456789ab",
        "is_promoted": is_promoted,
        "verdict": "Promoted." if is_promoted else "Not promoted.",
        "learned_from": MONDAY,
        "learned_to": date(2024, 2, 11),
        "learned_people": 4376,
        "judged_from": date(2024, 3, 11),
        "judged_to": date(2024, 3, 24),
        "judged_people": 2800,
        "base_rate": 0.366,
        **dict(zip(("auc", "auc_low", "auc_high"), auc, strict=True)),
        **dict(zip(("pr_auc", "pr_auc_low", "pr_auc_high"), (0.53, 0.49, 0.57), strict=True)),
        **dict(zip(("brier", "brier_low", "brier_high"), (0.181, 0.174, 0.189), strict=True)),
        "calibration_slope": 1.01,
        "calibration_offset": -0.01,
        "deciles": deciles,
        "importance": [{"feature": "meeting_with_others", "auc_lost": 0.036, "auc_lost_sd": 0.001}],
        "worst_served": [
            {"group_name": "platform IOS", "people": 1240, "base_rate": 0.27, "mean_score": 0.29, "auc": 0.7}
        ],
        "parameters": "{}",
        **more,
    }


def cohort(week: date, sizes: Sequence[int], size: int = 200, weeks: int = 4) -> list[Row]:
    """The weekly rows of a cohort: so many are back after one week, two, and so on; the rest is not over."""
    return [
        {
            "as_of": AS_OF,
            "cohort_week": week,
            "basis": "registration",
            "measure": "week",
            "period": period,
            "cohort_size": size,
            "eligible": size if period <= len(sizes) else 0,
            "retained": sizes[period - 1] if period <= len(sizes) else 0,
            "share": sizes[period - 1] / size if size and period <= len(sizes) else None,
            "is_complete": period <= len(sizes),
        }
        for period in range(1, weeks + 1)
    ]


def days_since(week: date, period: int, retained: int, eligible: int = 200, measure: str = "day") -> Row:
    """A row of a cohort's days."""
    return {
        "as_of": AS_OF,
        "cohort_week": week,
        "basis": "registration",
        "measure": measure,
        "period": period,
        "cohort_size": 200,
        "eligible": eligible,
        "retained": retained,
        "share": retained / eligible,
        "is_complete": eligible == 200,
    }


def flows(day: date, new: int = 50, returning: int = 300, resurrected: int = 20, dormant: int = 40) -> Row:
    """A row of `user_lifecycle`."""
    return {
        "event_date": day,
        "current_users": 1500,
        "new_users": new,
        "returning_users": returning,
        "resurrected_users": resurrected,
        "dormant_users": dormant,
        "active_to_active": 0,
        "idle_to_active": returning,
        "active_to_idle": 0,
        "idle_to_idle": 1000,
    }


def power(day: date, users: Sequence[int]) -> list[Row]:
    """Rows of `power_curve`: so many on one active day, on two, and so on."""
    return [
        {"event_date": day, "active_days": days, "users": count} for days, count in enumerate(users, start=1) if count
    ]


def plain() -> Insight:
    """A world in which something is found of everything."""
    days = [MONDAY + timedelta(days=number) for number in range(120)]
    months = [
        lift("meeting_with_others", (2.2, 1.7, 2.9), (300, 130, 1000, 250), period=month)
        for month in ("2024-01", "2024-02")
    ]
    return insight(
        retention=[
            *cohort(MONDAY, [64, 52, 41, 30]),
            *cohort(MONDAY + timedelta(days=7), [61, 48]),
            days_since(MONDAY, 1, 62),
            days_since(MONDAY + timedelta(days=7), 1, 58),
            days_since(MONDAY, 7, 31, measure="unbounded"),
        ],
        lifecycle=[flows(day) for day in days],
        power=[*power(days[-1], [500, 300, 120, 60, 20]), *power(days[-31], [400, 250, 100, 50])],
        behaviour=[
            rate("meeting_open", (1.45, 1.31, 1.6)),
            rate("screen_view", (1.9, 1.8, 2.0)),
            rate("theme_change", (1.02, 0.9, 1.15)),
            rate("meeting_with_others", (0.75, 0.66, 0.85), (330, 250)),
        ],
        lift=[
            lift("meeting_with_others", (2.35, 2.13, 2.6)),
            lift("app_exception", (0.57, 0.49, 0.66), (900, 150, 3100, 1000)),
            lift("notification_open", (1.03, 0.93, 1.13), (1300, 480, 2700, 670)),
            lift("search", (0.99, 0.9, 1.09), (1000, 290, 3000, 860)),
            *months,
        ],
        models=[
            model("base_rate", (0.5, 0.5, 0.5), deciles=[]),
            model("logistic", (0.714, 0.693, 0.734), is_promoted=True),
        ],
    )


def null() -> Insight:
    """A world in which nothing goes with anything."""
    return insight(
        behaviour=[rate("meeting_open", (1.01, 0.95, 1.07))],
        lift=[lift(name, (1.02, 0.91, 1.14), (1000, 290, 3000, 860)) for name in ("search", "meeting_with_others")],
        models=[model("base_rate", (0.5, 0.5, 0.5), deciles=[]), model("logistic", (0.51, 0.47, 0.55))],
    )


def stored(warehouse: Warehouse, world: Insight, parts: Collection[str] = TABLES.keys()) -> None:
    """Write the tables, or some of them, as runs would have written them."""
    for part in parts:
        store(warehouse, TABLES[part], getattr(world, part))


def store(warehouse: Warehouse, table: Table, rows: pd.DataFrame) -> None:
    """Write a table as a run would have written it."""
    with warehouse.session() as session:
        session.ensure(table)
        with session.incoming(ConformedRows(rows, table), "run") as name:
            if not table.is_partitioned:
                session.replace_snapshot(table, f"SELECT * FROM {name}", "run")
                return
            stretch = Stretch(rows["event_date"].min(), rows["event_date"].max())
            session.replace_days(table, stretch, Statement(f"SELECT * FROM {name}"), "run")
