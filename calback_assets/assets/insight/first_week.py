"""Asset `first_week`: what each new person did in their first week, and nothing later."""

from pathlib import Path

from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.partitions import Reach, trailing
from calback_assets.tables.insight import FIRST_WEEK

ASSET = SqlAsset(
    FIRST_WEEK,
    Path(__file__).with_suffix(".sql"),
    reads={"user_joined": Reach(-6, -6), "user_behaviour": trailing(7), "user_daily_activity": trailing(7)},
)
