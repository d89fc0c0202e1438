"""Asset `user_daily_activity`: who was active on a day, and how much."""

from pathlib import Path

from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.partitions import SAME_DAY
from calback_assets.tables.core import USER_DAILY_ACTIVITY

ASSET = SqlAsset(USER_DAILY_ACTIVITY, Path(__file__).with_suffix(".sql"), reads={"unified_events": SAME_DAY})
