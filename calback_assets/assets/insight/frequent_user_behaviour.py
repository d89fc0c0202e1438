"""Asset `frequent_user_behaviour`: what frequent users do that other active people do not."""

from pathlib import Path

from calback_assets.analysis.behaviour import compared
from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.partitions import SAME_DAY, trailing
from calback_assets.tables.insight import FREQUENT_USER_BEHAVIOUR

ASSET = SqlAsset(
    FREQUENT_USER_BEHAVIOUR,
    Path(__file__).with_suffix(".sql"),
    reads={"frequent_users": SAME_DAY, "user_daily_activity": trailing(30), "user_behaviour": trailing(30)},
    refine=compared,
)
