"""Asset `first_week_features`: the first week of each person, and whether they came back after it."""

from pathlib import Path

from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.partitions import Reach, trailing
from calback_assets.tables.insight import FIRST_WEEK_FEATURES

ASSET = SqlAsset(
    FIRST_WEEK_FEATURES,
    Path(__file__).with_suffix(".sql"),
    reads={"first_week": Reach(-30, -30), "user_daily_activity": trailing(30)},
    parameters=("frequent_min_days",),
)
