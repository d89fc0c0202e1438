"""Rows of `retention_cohorts`: how sure each share is.

Who is counted stands in the asset's query.
"""

import pandas as pd
import pyarrow as pa

from calback_assets.analysis.proportions import wilson
from calback_assets.tables.insight import RETENTION_COHORTS


def with_intervals(rows: pa.Table) -> pd.DataFrame:
    """The table's rows, of the counts that its query finds.

    Args:
        rows: the columns of the table up to `retained`, in any order.
    """
    counts: pd.DataFrame = rows.to_pandas()
    share, low, high = wilson(counts["retained"].to_numpy(), counts["eligible"].to_numpy())
    complete: pd.DataFrame = counts.assign(
        share=share, share_low=low, share_high=high, is_complete=counts["eligible"] == counts["cohort_size"]
    )
    return complete.loc[:, list(RETENTION_COHORTS.column_names)]
