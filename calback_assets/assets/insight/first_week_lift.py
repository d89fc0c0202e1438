"""Asset `first_week_lift`: what in the first week goes together with coming back."""

from pathlib import Path

from calback_assets.analysis.lift import lifts
from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.partitions import INSIGHT_DAYS, trailing
from calback_assets.tables.insight import FIRST_WEEK_LIFT

ASSET = SqlAsset(
    FIRST_WEEK_LIFT,
    Path(__file__).with_suffix(".sql"),
    reads={"first_week_features": trailing(INSIGHT_DAYS)},
    refine=lifts,
)
