"""Tests of tables without days that a query makes of tables that have them: as of the newest day, through Dagster."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from calback_assets.partitions import trailing
from calback_assets.tables.insight import RETENTION_COHORTS
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS
from calback_assets.tables.raw import RAW_ACCESS_LOG
from calback_assets.warehouse.googlesql.model import Input
from calback_assets.warehouse.output import Query
from calback_assets_tests.warehouse.helpers import DAY, Desk, Row, error_of, metadata, metrics, query

MONDAY = date(2024, 1, 8)
INPUTS = {
    "raw_access_log": Input(RAW_ACCESS_LOG, trailing(3)),
    "daily_active_users": Input(DAILY_ACTIVE_USERS, trailing(3)),
}
COUNTED = """
SELECT
  days.event_date AS as_of, DATE '2024-01-08' AS cohort_week, 'registration' AS basis, 'day' AS measure, 1 AS period,
  COUNT(*) AS cohort_size, COUNT(*) AS eligible, COUNT(*) AS retained{more}
FROM days
INNER JOIN raw_access_log ON raw_access_log.event_date <= days.event_date
LEFT JOIN daily_active_users ON daily_active_users.event_date = raw_access_log.event_date
GROUP BY days.event_date
"""
WHOLE = (
    ", CAST(NULL AS FLOAT64) AS share, CAST(NULL AS FLOAT64) AS share_low, CAST(NULL AS FLOAT64) AS share_high, "
    "TRUE AS is_complete"
)


def opens(*days: date) -> list[Row]:
    """One row of the access log a day."""
    return [dict.fromkeys(RAW_ACCESS_LOG.column_names) | {"event_date": day, "user_id": "u"} for day in days]


def given(desk: Desk, opened: Sequence[date], measured: Sequence[date]) -> None:
    desk.warehouse.put(RAW_ACCESS_LOG, opens(*opened))
    if measured:
        desk.warehouse.put(DAILY_ACTIVE_USERS, [metrics(day) for day in measured])


def days(*ages: int) -> list[date]:
    return [DAY + timedelta(days=age) for age in ages]


def counted(folder: Path) -> Query:
    return query(COUNTED.format(more=WHOLE), INPUTS, folder)


def refined(found: pa.Table) -> pd.DataFrame:
    """What the query found, and a share that only Python knows."""
    return found.to_pandas().assign(share=0.5, share_low=None, share_high=None, is_complete=True)


def test_it_is_written_as_of_the_last_day_on_which_all_that_it_reads_has_been_written(
    desk: Desk, tmp_path: Path
) -> None:
    given(desk, days(0, 1, 2, 3), days(0, 1, 2))

    result = desk.give(RETENTION_COHORTS, counted(tmp_path), ())

    assert result.success
    (row,) = desk.warehouse.rows(RETENTION_COHORTS)
    assert (row["as_of"], row["retained"]) == (DAY + timedelta(days=2), 3)
    told = metadata(result)
    assert (told["data_from"], told["data_to"]) == ("2024-01-10", "2024-01-12")


def test_days_before_a_hole_are_not_counted(desk: Desk, tmp_path: Path) -> None:
    given(desk, days(0, 2, 3), days(0, 1, 2, 3))

    assert desk.give(RETENTION_COHORTS, counted(tmp_path), ()).success

    (row,) = desk.warehouse.rows(RETENTION_COHORTS)
    assert (row["as_of"], row["retained"]) == (DAY + timedelta(days=3), 2)


def test_it_may_be_refined_in_python_and_still_shows_its_query(desk: Desk, tmp_path: Path) -> None:
    given(desk, days(0), days(0))
    made = query(COUNTED.format(more=""), INPUTS, tmp_path)

    result = desk.give(RETENTION_COHORTS, Query(made.model, refine=refined), ())

    assert result.success
    (row,) = desk.warehouse.rows(RETENTION_COHORTS)
    assert (row["retained"], row["share"], row["is_complete"]) == (1, 0.5, True)
    assert "raw_access_log" in metadata(result)["sql"]


def test_what_python_makes_of_it_is_held_to_the_contract(desk: Desk, tmp_path: Path) -> None:
    given(desk, days(0), days(0))
    made = query(COUNTED.format(more=""), INPUTS, tmp_path)
    assert desk.give(RETENTION_COHORTS, Query(made.model, refine=refined), ()).success
    before = desk.warehouse.rows(RETENTION_COHORTS)

    result = desk.give(
        RETENTION_COHORTS, Query(made.model, refine=lambda found: refined(found).drop(columns="share")), ()
    )

    assert not result.success
    assert desk.warehouse.rows(RETENTION_COHORTS) == before


@pytest.mark.parametrize("measured", [[], days(1)])
def test_without_a_day_that_has_all_it_reads_nothing_is_written(
    desk: Desk, tmp_path: Path, measured: Sequence[date]
) -> None:
    given(desk, days(0), measured)

    result = desk.give(RETENTION_COHORTS, counted(tmp_path), ())

    assert not result.success
    assert error_of(result) == (
        "WarehouseError: retention_cohorts: there is no day for which daily_active_users and raw_access_log have been "
        "written; nothing was written; materialize daily_active_users and raw_access_log first"
    )
    assert desk.warehouse.rows(RETENTION_COHORTS) == []
