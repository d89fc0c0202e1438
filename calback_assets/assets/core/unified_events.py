"""Asset `unified_events`: everything that happened on a day, from all sources."""

from pathlib import Path

from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.partitions import SAME_DAY, trailing
from calback_assets.tables.core import UNIFIED_EVENTS

ASSET = SqlAsset(
    UNIFIED_EVENTS,
    Path(__file__).with_suffix(".sql"),
    reads={
        "raw_events": SAME_DAY,
        "raw_access_log": SAME_DAY,
        "raw_users": None,
        "raw_meetings": None,
        "device_identity": trailing(30),
    },
)
