"""Asset `power_curve`: how many people were active on how many of the last 30 days."""

from pathlib import Path

from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.partitions import trailing
from calback_assets.tables.insight import POWER_CURVE

ASSET = SqlAsset(POWER_CURVE, Path(__file__).with_suffix(".sql"), reads={"user_daily_activity": trailing(30)})
