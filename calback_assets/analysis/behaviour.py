"""Rows of `frequent_user_behaviour`: what frequent users do more of than others, also for each day they are there.

Who is counted, and over which days, stands in the asset's query.
"""

import numpy as np
import pandas as pd
import pyarrow as pa

from calback_assets.analysis.arrays import Floats
from calback_assets.analysis.proportions import Z, wilson
from calback_assets.tables.insight import FREQUENT_USER_BEHAVIOUR


def compared(rows: pa.Table) -> pd.DataFrame:
    """The table's rows, of the sums that its query finds.

    A rate is that of a group, all its times over all its active days. People, not days, are the unit of its variance:
    what one person does on two days is no two observations.

    Args:
        rows: a row a behaviour: `as_of`, `behaviour`, and with each of the prefixes `frequent_` and `other_` the
            number of `users` and of those who `did` it, and sums over all users of the group: `times`, `active_days`,
            `times_squared`, `active_days_squared`, `times_by_active_days`.
    """
    sums: pd.DataFrame = rows.to_pandas()
    found = sums.copy()
    rates, variances = {}, {}
    for group in ("frequent", "other"):
        users, times = sums[f"{group}_users"].to_numpy(), sums[f"{group}_times"].to_numpy()
        share, low, high = wilson(sums[f"{group}_did"].to_numpy(), users)
        found[f"{group}_share"], found[f"{group}_share_low"], found[f"{group}_share_high"] = share, low, high
        found[f"{group}_per_person"] = _over(times, users)
        rates[group] = found[f"{group}_per_active_day"] = _over(times, sums[f"{group}_active_days"].to_numpy())
        variances[group] = _log_rate_variance(sums, group, rates[group])
    ratio = _over(rates["frequent"], rates["other"])
    ratio[ratio == 0] = np.nan
    spread = np.exp(Z * np.sqrt(variances["frequent"] + variances["other"]))
    found = found.assign(rate_ratio=ratio, rate_ratio_low=ratio / spread, rate_ratio_high=ratio * spread)
    return found.loc[:, list(FREQUENT_USER_BEHAVIOUR.column_names)]


def _over(numerator: Floats, denominator: Floats) -> Floats:
    """The quotients; NaN where there is nothing to divide by."""
    quotients = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=quotients, where=denominator > 0)
    return quotients


def _log_rate_variance(sums: pd.DataFrame, group: str, rate: Floats) -> Floats:
    """Variance of the logarithm of a ratio estimator, times per active day (Cochran, Sampling Techniques, 6.3)."""
    users, times = sums[f"{group}_users"].to_numpy(), sums[f"{group}_times"].to_numpy(dtype=float)
    residuals = (
        sums[f"{group}_times_squared"].to_numpy(dtype=float)
        - 2 * rate * sums[f"{group}_times_by_active_days"].to_numpy(dtype=float)
        + rate**2 * sums[f"{group}_active_days_squared"].to_numpy(dtype=float)
    )
    # Where all have the same rate, what is left of the sums is rounding, of either sign.
    return _over(np.maximum(residuals, 0) * _over(users, users - 1), times**2)
