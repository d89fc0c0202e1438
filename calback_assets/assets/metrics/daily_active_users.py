"""Asset `daily_active_users`: DAU, WAU, MAU and who is new, returning or back."""

from pathlib import Path

from calback_assets.assets.metrics.plots import draw_active_users
from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.partitions import SAME_DAY, trailing
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS
from calback_assets.warehouse.output import Plot

ASSET = SqlAsset(
    DAILY_ACTIVE_USERS,
    Path(__file__).with_suffix(".sql"),
    # 31 days: whether someone returns hangs on the 30 days before the day.
    reads={"user_daily_activity": trailing(31), "user_first_seen": SAME_DAY},
    plot=Plot(draw_active_users, days=90),
)
