"""`first_week_lift` through Dagster: what people did comes out of every warehouse as the statistics read it."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from calback_assets.analysis.lift import lifts
from calback_assets.assets.insight.first_week_lift import ASSET
from calback_assets.tables.insight import FIRST_WEEK_FEATURES, FIRST_WEEK_LIFT
from calback_assets.warehouse.output import Query
from calback_assets_tests.analysis.first_week_rows import first_week_rows
from calback_assets_tests.warehouse.helpers import DAY, Desk, metadata

PEOPLE = 160


def first_weeks() -> pa.Table:
    """The last person did nothing at all."""
    did = {
        "meeting": np.arange(PEOPLE) % 3 == 0,
        "search": np.arange(PEOPLE) % 5 % 2,
        "start": np.minimum(np.arange(PEOPLE)[::-1], 3),
    }
    returned = np.arange(PEOPLE) % 7 + 2 * did["meeting"] > 4
    return first_week_rows(did, returned, frequent=returned, joined_on=np.full(PEOPLE, np.datetime64(DAY, "D")))


def test_the_rows_are_those_of_the_statistics_whichever_warehouse_they_come_from(desk: Desk) -> None:
    stored = {
        "event_date": DAY + timedelta(days=36), "basis": "registration", "events": 1, "app_opens": 1, "platform": None,
        "outcome_active_days": 0,
    }  # fmt: skip
    people = [{**row, **stored, "user_id": f"u{n}"} for n, row in enumerate(first_weeks().to_pylist())]
    desk.warehouse.put(FIRST_WEEK_FEATURES, people)

    result = desk.give(FIRST_WEEK_LIFT, Query(ASSET.model, refine=ASSET.refine), ())

    assert result.success
    expected = lifts(first_weeks())
    found = pd.DataFrame(desk.warehouse.rows(FIRST_WEEK_LIFT))[list(FIRST_WEEK_LIFT.column_names)]
    key = list(FIRST_WEEK_LIFT.key)
    pd.testing.assert_frame_equal(
        found.sort_values(key, ignore_index=True),
        expected.sort_values(key, ignore_index=True),
        check_exact=True,
        check_dtype=False,
    )
    assert found["is_found"].any()
    assert metadata(result)["data_to"] == str(DAY + timedelta(days=36))
