"""Asset `return_propensity`: the chance of each new person to return, at the end of their first week."""

from pathlib import Path

from calback_assets.analysis.propensity import scored
from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.partitions import SAME_DAY
from calback_assets.tables.insight import RETURN_PROPENSITY

ASSET = SqlAsset(
    RETURN_PROPENSITY,
    Path(__file__).with_suffix(".sql"),
    reads={"first_week": SAME_DAY, "return_model": None},
    refine=scored,
    beside=("return_model",),
)
