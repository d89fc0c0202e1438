"""A world in which the model is learned and everybody is scored: first weeks as they would be written, and a real run.

Only what the tests of both warehouses share belongs here.
"""

import warnings
from datetime import timedelta
from functools import cached_property

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from dagster import (
    AssetsDefinition,
    BackfillPolicy,
    BetaWarning,
    DagsterInstance,
    DailyPartitionsDefinition,
    ExecuteInProcessResult,
    asset,
    materialize,
)

from calback_assets.assets.insight import return_model, return_propensity
from calback_assets.checks.drift import build_drift_check
from calback_assets.partitions import RANGE_END_TAG, RANGE_START_TAG, daily_partitions
from calback_assets.tables.insight import FIRST_WEEK, FIRST_WEEK_FEATURES, RETURN_MODEL, RETURN_PROPENSITY
from calback_assets.warehouse.io_manager import Calendar
from calback_assets.warehouse.output import TableRef
from calback_assets.warehouse.resources import io_manager_resource
from calback_assets.warehouse.warehouse import Warehouse
from calback_assets_tests.analysis.people import BEGIN, first_weeks

DAYS = 105
LAST = BEGIN + timedelta(days=DAYS + 5)
"""Day 7 of those who joined last."""


class World:
    """People, and what one run over all days makes of them in a warehouse."""

    def __init__(self, warehouse: Warehouse) -> None:
        """Run the two assets and the check."""
        self.warehouse = warehouse
        everybody = first_weeks(seed=3, users=6_000, days=DAYS)
        features = everybody.filter(pc.less_equal(everybody["event_date"], pa.scalar(LAST)))
        seventh = pc.add(everybody["joined_on"], pa.scalar(timedelta(days=6))).cast(pa.date32())
        self.weeks = everybody.set_column(0, "event_date", seventh).select(FIRST_WEEK.column_names)
        partitions = daily_partitions(BEGIN, LAST, "Asia/Seoul")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Parameter `allow_nonexistent_upstream_partitions`", BetaWarning)
            built = [declared.ASSET.build(partitions, {}) for declared in (return_model, return_propensity)]
        with DagsterInstance.ephemeral() as instance:
            self.result: ExecuteInProcessResult = materialize(
                [
                    _given(FIRST_WEEK.name, self.weeks, partitions),
                    _given(FIRST_WEEK_FEATURES.name, features, partitions),
                    *built,
                    build_drift_check(),
                ],
                instance=instance,
                tags={RANGE_START_TAG: str(BEGIN), RANGE_END_TAG: str(LAST)},
                resources={
                    "io_manager": io_manager_resource(warehouse, Calendar(BEGIN, LAST, "Asia/Seoul")),
                    "warehouse": warehouse,
                },
            )

    @cached_property
    def models(self) -> pd.DataFrame:
        """The rows of `return_model`."""
        with self.warehouse.session(read_only=True) as session:
            return session.read(TableRef(RETURN_MODEL, None, None)).to_pandas()

    @cached_property
    def scores(self) -> pa.Table:
        """The rows of `return_propensity`."""
        with self.warehouse.session(read_only=True) as session:
            return session.read(TableRef(RETURN_PROPENSITY, BEGIN, LAST + timedelta(days=1)))


def _given(name: str, rows: pa.Table, partitions: DailyPartitionsDefinition) -> AssetsDefinition:
    @asset(name=name, partitions_def=partitions, backfill_policy=BackfillPolicy.single_run())
    def table() -> pa.Table:
        return rows

    return table
