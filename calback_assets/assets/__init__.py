"""The software-defined assets: a thin declaration each, and its SQL beside it.

`SQL_ASSETS` lists the declarations; raw assets are built in `raw`. Folders are the groups that Dagit shows.
"""

from calback_assets.assets.cohorts import frequent_users
from calback_assets.assets.core import device_identity, unified_events, user_daily_activity, user_first_seen
from calback_assets.assets.metrics import daily_active_users
from calback_assets.assets.sql_asset import SqlAsset

SQL_ASSETS: tuple[SqlAsset, ...] = (
    device_identity.ASSET,
    unified_events.ASSET,
    user_daily_activity.ASSET,
    user_first_seen.ASSET,
    daily_active_users.ASSET,
    frequent_users.ASSET,
)
