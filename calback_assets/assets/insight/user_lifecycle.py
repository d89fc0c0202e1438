"""Asset `user_lifecycle`: where active people come from and where they go."""

from pathlib import Path

from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.partitions import SAME_DAY, trailing
from calback_assets.tables.insight import USER_LIFECYCLE

ASSET = SqlAsset(
    USER_LIFECYCLE,
    Path(__file__).with_suffix(".sql"),
    # 31 days: whoever was last active 30 days before the day goes dormant on it.
    reads={"user_daily_activity": trailing(31), "user_first_seen": SAME_DAY},
)
