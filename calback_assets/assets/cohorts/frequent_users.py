"""Asset `frequent_users`: the people who keep coming back."""

from pathlib import Path

from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.partitions import trailing
from calback_assets.settings import LONGEST_WINDOW_DAYS
from calback_assets.tables.metrics import FREQUENT_USERS

ASSET = SqlAsset(
    FREQUENT_USERS,
    Path(__file__).with_suffix(".sql"),
    # 31 days: the longest window, and the month to date on the last day of a long month.
    reads={"user_daily_activity": trailing(LONGEST_WINDOW_DAYS)},
    parameters=("frequent_min_days", "frequent_window_days"),
)
