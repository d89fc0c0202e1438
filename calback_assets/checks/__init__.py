"""What must be true of the data: one GoogleSQL query a check, which returns the rows that break it.

Declarations and their assembly belong here; the queries stand beside them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial
from operator import itemgetter
from pathlib import Path

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    MetadataValue,
    ResourceParam,
    multi_asset_check,
)

from calback_assets.checks.days import days_to_check
from calback_assets.partitions import EARLIER, LATER, SAME_DAY, Reach, trailing
from calback_assets.settings import LONGEST_WINDOW_DAYS
from calback_assets.tables import EVENT_DATE, TABLES, Table
from calback_assets.tables.core import USER_DAILY_ACTIVITY, USER_FIRST_SEEN
from calback_assets.tables.insight import (
    FIRST_WEEK,
    FIRST_WEEK_FEATURES,
    FIRST_WEEK_LIFT,
    POWER_CURVE,
    RETENTION_COHORTS,
    USER_LIFECYCLE,
)
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS, FREQUENT_USERS
from calback_assets.warehouse.googlesql.model import Input, Model
from calback_assets.warehouse.io_manager import Calendar
from calback_assets.warehouse.warehouse import Session, Warehouse

_SHOWN_VIOLATIONS = 5
STEP_SUFFIX = "_invariants"
"""The step of a run that checks a table bears the table's name and this."""


@dataclass(frozen=True)
class Check:
    """An invariant of a table: its query returns `event_date` and figures for every violation on a day of a stretch.

    Of a table without days it returns figures alone.
    """

    table: Table
    name: str
    description: str
    reads: Mapping[str, tuple[str, Reach | None]]
    """By the name that the query reads them under: a table and its days, seen from each day that is checked; None for
    a table without days."""

    @cached_property
    def model(self) -> Model:
        """The parsed and checked query."""
        inputs = {alias: Input(TABLES[name], reach) for alias, (name, reach) in self.reads.items()}
        return Model(Path(__file__).with_name(f"{self.name}.sql"), inputs)


def _same_day(*names: str) -> dict[str, tuple[str, Reach]]:
    return {name: (name, SAME_DAY) for name in names}


CHECKS: tuple[Check, ...] = (
    Check(
        USER_DAILY_ACTIVITY,
        "events_add_up",
        "The events of all people add up to the activity rows of unified_events.",
        _same_day("user_daily_activity", "unified_events"),
    ),
    Check(
        USER_FIRST_SEEN,
        "first_day_is_active_and_only",
        "Everyone first seen on the day is active on it, and first seen on no other day.",
        {
            "user_first_seen": ("user_first_seen", SAME_DAY),
            "user_daily_activity": ("user_daily_activity", SAME_DAY),
            "seen_earlier": ("user_first_seen", EARLIER),
            "seen_later": ("user_first_seen", LATER),
        },
    ),
    Check(
        DAILY_ACTIVE_USERS,
        "windows_are_nested",
        "dau ≤ wau ≤ mau.",
        _same_day("daily_active_users"),
    ),
    Check(
        DAILY_ACTIVE_USERS,
        "lifecycle_adds_up",
        "new + returning + resurrected = dau, and identified + anonymous = dau.",
        _same_day("daily_active_users"),
    ),
    Check(
        DAILY_ACTIVE_USERS,
        "dau_is_everyone_active",
        "dau is the number of people in user_daily_activity.",
        _same_day("daily_active_users", "user_daily_activity"),
    ),
    Check(
        FREQUENT_USERS,
        "frequent_users_are_active",
        "Every frequent user is active within the last 31 days, and on as many days of the last 30 and of the month as "
        "the row says.",
        {
            "frequent_users": ("frequent_users", SAME_DAY),
            "user_daily_activity": ("user_daily_activity", trailing(LONGEST_WINDOW_DAYS)),
        },
    ),
    Check(
        FIRST_WEEK,
        "first_weeks_are_of_who_joined",
        "Everyone who joined six days before has a first week, and nobody else; it has 0 to 7 active days.",
        {"first_week": ("first_week", SAME_DAY), "user_joined": ("user_joined", Reach(-6, -6))},
    ),
    Check(
        FIRST_WEEK_FEATURES,
        "features_are_first_weeks",
        "The first weeks are those that ended 30 days before, and what followed them had 0 to 30 active days.",
        {"first_week_features": ("first_week_features", SAME_DAY), "first_week": ("first_week", Reach(-30, -30))},
    ),
    Check(
        USER_LIFECYCLE,
        "flows_add_up",
        "The flows add up to the people who are active on the day and were on the day before, and current users are "
        "those of the day before with the new and the resurrected, without the dormant.",
        {
            "user_lifecycle": ("user_lifecycle", SAME_DAY),
            "lifecycle_before": ("user_lifecycle", Reach(-1, -1)),
            "user_daily_activity": ("user_daily_activity", SAME_DAY),
            "active_before": ("user_daily_activity", Reach(-1, -1)),
        },
    ),
    Check(
        POWER_CURVE,
        "power_curve_is_everyone_active",
        "The people of the curve are those who were active in the 30 days, which is mau.",
        {"power_curve": ("power_curve", SAME_DAY), "user_daily_activity": ("user_daily_activity", trailing(30))},
    ),
    Check(
        RETENTION_COHORTS,
        "retained_had_the_chance",
        "retained ≤ eligible ≤ cohort_size, and every period has had somebody who could have come back in it.",
        {"retention_cohorts": ("retention_cohorts", None)},
    ),
    Check(
        FIRST_WEEK_LIFT,
        "lift_counts_are_people",
        "Nobody is counted who is not among the people compared, and what is found has support and passes correction.",
        {"first_week_lift": ("first_week_lift", None)},
    ),
)


def build_checks(checks: Iterable[Check], calendar: Calendar) -> list[AssetChecksDefinition]:
    """One Dagster check definition a table; a failed check is an error and stops what is downstream."""
    by_table: dict[str, list[Check]] = defaultdict(list)
    for check in checks:
        by_table[check.table.name].append(check)
    return [_build(TABLES[name], group, calendar) for name, group in by_table.items()]


def _build(table: Table, checks: Sequence[Check], calendar: Calendar) -> AssetChecksDefinition:
    models = {check.name: check.model for check in checks}

    @multi_asset_check(
        name=f"{table.name}{STEP_SUFFIX}",
        specs=[
            AssetCheckSpec(check.name, asset=table.name, description=check.description, blocking=True)
            for check in checks
        ],
        can_subset=True,
    )
    def invariants(
        context: AssetCheckExecutionContext, warehouse: ResourceParam[Warehouse]
    ) -> Iterator[AssetCheckResult]:
        with warehouse.session() as session:
            days = days_to_check(session, table, context.run)
            for name in sorted(key.name for key in context.selected_asset_check_keys):
                yield _result(table, name, list(_violations(session, models[name], calendar, days)), days)

    return invariants


def _violations(session: Session, model: Model, calendar: Calendar, days: Sequence[date]) -> Iterator[str]:
    """The rows that the check's query finds, in the order of their days."""
    template, due = session.template(model), set(days)
    if not any(source.reach for source in model.inputs.values()):
        yield from map(_shown, session.records(template.fill({})))
    rows = partial(model.rows_read, session.row_counts(sorted(model.reads)))
    while due:
        stretch = session.at_once.of(due, rows)
        found = session.records(template.fill(calendar.parameters(model, stretch)))
        for row in sorted(found, key=itemgetter(EVENT_DATE)):
            yield _shown(row)
        due.difference_update(stretch.days)


def _shown(row: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())


def _result(table: Table, name: str, violations: Sequence[str], days: Sequence[date]) -> AssetCheckResult:
    return AssetCheckResult(
        asset_key=table.name,
        check_name=name,
        passed=not violations,
        severity=AssetCheckSeverity.ERROR,
        metadata={
            **({"days": MetadataValue.int(len(days))} if table.is_partitioned else {}),
            "violations": MetadataValue.int(len(violations)),
            "first_violations": MetadataValue.text("; ".join(violations[:_SHOWN_VIOLATIONS]) or "none"),
        },
    )
