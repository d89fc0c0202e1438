"""Asset `user_joined`: who joined on a day."""

from pathlib import Path

from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.partitions import SAME_DAY
from calback_assets.tables.core import USER_JOINED

ASSET = SqlAsset(
    USER_JOINED,
    Path(__file__).with_suffix(".sql"),
    reads={"unified_events": SAME_DAY, "user_first_seen": SAME_DAY, "raw_users": None},
    parameters=("start_date",),
)
