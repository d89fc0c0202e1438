"""Asset `return_propensity`: the chance of each new person to return, at the end of their first week."""

import pandas as pd
import pyarrow as pa
from dagster import AssetsDefinition, BackfillPolicy, DailyPartitionsDefinition, asset

from calback_assets.analysis.propensity import scored
from calback_assets.assets.owners import OWNERS
from calback_assets.tables.insight import RETURN_PROPENSITY
from calback_assets.warehouse.metadata import contract_metadata


def return_propensity_asset(partitions: DailyPartitionsDefinition) -> AssetsDefinition:
    """The Dagster asset: a row for everybody whose first week ended on the day."""

    @asset(
        name=RETURN_PROPENSITY.name,
        group_name="insight",
        description=RETURN_PROPENSITY.description,
        owners=OWNERS,
        kinds={"python"},
        partitions_def=partitions,
        backfill_policy=BackfillPolicy.single_run(),
        metadata=contract_metadata(RETURN_PROPENSITY),
    )
    def return_propensity(first_week: pa.Table, return_model: pd.DataFrame) -> pa.Table:
        return scored(first_week, return_model)

    return return_propensity
