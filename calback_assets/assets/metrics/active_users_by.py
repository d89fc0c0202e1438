"""Asset `active_users_by`: DAU and new people by platform, country and version of the app."""

from pathlib import Path

from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.partitions import SAME_DAY
from calback_assets.tables.metrics import ACTIVE_USERS_BY

ASSET = SqlAsset(
    ACTIVE_USERS_BY,
    Path(__file__).with_suffix(".sql"),
    reads={"unified_events": SAME_DAY, "user_first_seen": SAME_DAY, "raw_events": SAME_DAY},
)
