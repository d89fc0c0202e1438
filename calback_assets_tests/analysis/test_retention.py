"""Intervals of retention, against published figures and scipy's own."""

from datetime import date

import pandas as pd
import pyarrow as pa
import pytest

from calback_assets.analysis.retention import with_intervals
from calback_assets.tables.insight import RETENTION_COHORTS
from calback_assets.warehouse.rows import arrow_schema, conform


def cohorts(*counts: tuple[int, int, int]) -> pd.DataFrame:
    """One row for each cohort size, eligible and retained."""
    rows = [
        {
            "as_of": date(2024, 4, 29),
            "cohort_week": date(2024, 1, 1),
            "basis": "registration",
            "measure": "week",
            "period": period,
            "cohort_size": size,
            "eligible": eligible,
            "retained": retained,
        }
        for period, (size, eligible, retained) in enumerate(counts)
    ]
    return with_intervals(pa.Table.from_pylist(rows))


def test_the_interval_is_wilsons() -> None:
    from scipy.stats import binomtest  # Slow to import.

    # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3.
    published = [(263, 81, 0.2553, 0.3662), (148, 15, 0.0624, 0.1605), (20, 0, 0, 0.1611), (29, 1, 0.0061, 0.1718)]
    found = cohorts(*((trials, trials, successes) for trials, successes, *_ in published))
    for row, (trials, successes, low, high) in zip(found.itertuples(), published, strict=True):
        assert (row.share_low, row.share_high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
        # scipy computes it in another way.
        expected = binomtest(successes, trials).proportion_ci(method="wilson")
        assert (row.share_low, row.share_high) == (pytest.approx(expected.low), pytest.approx(expected.high))


def test_the_cookie_cats_players_come_out_as_published() -> None:
    # 90,189 players of the A/B test "Cookie Cats" (DataCamp, Kaggle): gate at level 30, then at level 40; day 1, day 7.
    published = [(44_700, 20_034, 44.82), (45_489, 20_119, 44.23), (44_700, 8_502, 19.02), (45_489, 8_279, 18.20)]
    found = cohorts(*((players, players, retained) for players, retained, _ in published))
    assert [round(100 * share, 2) for share in found["share"]] == [percent for *_, percent in published]
    assert ((found["share_low"] < found["share"]) & (found["share"] < found["share_high"])).all()
    # Day 7 is told apart by the intervals, day 1 is not: the experiment's own conclusion.
    assert found["share_low"][0] < found["share_high"][1]
    assert found["share_low"][2] > found["share_high"][3]


def test_nobody_eligible_is_no_share_and_part_of_a_cohort_is_not_complete() -> None:
    nobody, part, whole = cohorts((50, 0, 0), (50, 20, 0), (50, 50, 50)).itertuples()
    assert pd.isna([nobody.share, nobody.share_low, nobody.share_high]).all()
    assert (part.share, part.share_low) == (0, 0)
    assert part.share_high == pytest.approx(0.1611, abs=5e-5)
    assert (whole.share, whole.share_high) == (1, 1)
    assert [nobody.is_complete, part.is_complete, whole.is_complete] == [False, False, True]


def test_the_rows_are_those_of_the_contract() -> None:
    assert conform(cohorts((50, 0, 0), (50, 20, 3)), RETENTION_COHORTS).num_rows == 2
    counted = RETENTION_COHORTS.column_names[:8]
    no_rows = with_intervals(arrow_schema(RETENTION_COHORTS, counted).empty_table())
    assert conform(no_rows, RETENTION_COHORTS).num_rows == 0
