"""What does each insight asset take, of 100,000 people over 120 days, and its SQL of 10,000,000 active days?

The first is the sample, with ten people for three of its usual; all that comes before is built already. The second is
made by SQL: days of activity over a year, each with two behaviours; people join all the time, and newer people come
more often. Each asset runs by itself over all days, by Dagster, in a process of its own.
"""

import shutil
from datetime import date, timedelta
from pathlib import Path

from benchmarks.harness import Contestant, Cost, Scale, Work, in_child, in_turns
from benchmarks.platform_run import SCHEMA, TO_METRICS, WAREHOUSE, daily_job
from benchmarks.table import Row
from calback_assets.sample.timeline import START_DATE
from calback_assets.sample.writer import write_sample
from calback_assets.tables import TABLES
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse

_OF_PEOPLE = (
    "user_joined", "user_behaviour", "first_week", "first_week_features", "user_lifecycle", "power_curve",
    "retention_cohorts", "frequent_user_behaviour", "first_week_lift", "return_model", "return_propensity",
    "insight_report",
)  # fmt: skip
_OF_ACTIVITY = (
    "first_week", "first_week_features", "user_lifecycle", "power_curve", "retention_cohorts",
    "frequent_user_behaviour",
)  # fmt: skip
_DAYS, _YEAR = 120, 400
_BOUND_SECONDS, _BOUND_OF_A_YEAR, _BOUND_MEGABYTES = 60, 120, 2_500


def answer(work: Path, scale: Scale) -> list[Row]:
    """A hundred thousand people at full size, and ten million days of activity."""
    data, people, activity = work / "data", work / "people", work / "activity"
    write_sample(data, users=scale.users, days=_DAYS)
    people.mkdir()
    in_child(_one_run, lambda _: None, data=str(data))(people)
    activity.mkdir()
    _write_activity(activity / WAREHOUSE, scale.users * 100)
    active = scale.users * 100
    found = {f"{name}, {scale.users:,} people": _alone(people, data, name, _DAYS) for name in _OF_PEOPLE}
    found |= {f"{name}, {active:,} active days": _alone(activity, data, name, _YEAR) for name in _OF_ACTIVITY}
    rows = []
    for what, cost in in_turns(work, 1, found).items():
        bound = _BOUND_OF_A_YEAR if what.endswith("active days") else _BOUND_SECONDS
        rows.append(Row("l", what, "s", cost.seconds, bound, "the bound", 1))
        rows.append(Row("l", f"{what}, peak memory", "MB", cost.megabytes, _BOUND_MEGABYTES, "the bound", 1))
    return rows


def _one_run(data: str, folder: str) -> Work:
    """Everything, once."""
    everything = ",".join((*TO_METRICS, *_OF_PEOPLE))
    return daily_job(data, folder, str(START_DATE), str(START_DATE), str(_last(_DAYS)), everything)


def _last(days: int) -> date:
    return START_DATE + timedelta(days=days - 1)


def _alone(built: Path, data: Path, name: str, days: int) -> Contestant:
    one = in_child(
        daily_job,
        lambda _: None,
        data=str(data),
        data_first=str(START_DATE),
        first=str(START_DATE),
        last=str(_last(days)),
        selected=name,
    )

    def measure(folder: Path) -> Cost:
        shutil.copy(built / WAREHOUSE, folder)
        return one(folder)

    return measure


def _write_activity(path: Path, rows: int) -> None:
    """So many days on which somebody was active, and what hangs on them."""
    a_day, joined_a_day = rows // _YEAR, max(rows // _YEAR // 20, 1)
    day = f"DATE '{START_DATE}' + CAST(number AS INTEGER)"
    with DuckDBWarehouse(path).session() as session:
        for table in TABLES.values():
            session.ensure(table)
        for statement in (
            # Of those who have joined by then, the newer the likelier.
            "CREATE TEMP TABLE active AS "
            "SELECT DISTINCT number, CAST((1 - power(hash(number, nth) % 1000003 / 1000003, "
            f"2)) * (number + 1) * {joined_a_day} AS BIGINT) AS person FROM range({_YEAR}) AS days(number), "
            f"range({a_day * 3 // 2}) AS visits(nth)",
            f"INSERT INTO {SCHEMA}.user_daily_activity SELECT {day}, 'user-' || person, FALSE, 3, 1, 1, 0, "
            f"TIMESTAMPTZ '2024-01-01', TIMESTAMPTZ '2024-01-01', [] FROM active ORDER BY number",
            f"INSERT INTO {SCHEMA}.user_behaviour BY NAME SELECT {day} AS event_date, 'user-' || person AS user_id, "
            "'behaviour-' || (hash(person, number, nth) % 20) AS behaviour, 1 AS times, 1 AS times_on_android, "
            "0 AS times_on_ios, 0 AS times_on_web FROM active, range(2) AS twice(nth) "
            "QUALIFY row_number() OVER (PARTITION BY number, person, behaviour) = 1",
            f"INSERT INTO {SCHEMA}.user_joined SELECT DATE '{START_DATE}' + CAST(person // {joined_a_day} AS INTEGER), "
            f"'user-' || person, 'registration' FROM range({joined_a_day * _YEAR}) AS people(person)",
            f"INSERT INTO {SCHEMA}.user_first_seen SELECT MIN(event_date), user_id FROM {SCHEMA}.user_daily_activity "
            "GROUP BY user_id",
            f"INSERT INTO {SCHEMA}.frequent_users SELECT DATE '{_last(_YEAR)}', user_id, COUNT(*), 0, TRUE, FALSE "
            f"FROM {SCHEMA}.user_daily_activity WHERE event_date > DATE '{_last(_YEAR)}' - 30 "
            "GROUP BY user_id HAVING COUNT(*) > 2",
            *(
                f"INSERT INTO {SCHEMA}.partition_ledger SELECT '{table.name}', {day}, {a_day}, 'made', FALSE "
                f"FROM range({_YEAR}) AS days(number)"
                for table in TABLES.values()
                if table.is_partitioned
            ),
        ):
            session.execute(statement)
