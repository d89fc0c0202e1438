"""Asset `user_behaviour`: what each person did on a day."""

from pathlib import Path

from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.partitions import SAME_DAY
from calback_assets.tables.core import USER_BEHAVIOUR

ASSET = SqlAsset(
    USER_BEHAVIOUR, Path(__file__).with_suffix(".sql"), reads={"unified_events": SAME_DAY, "raw_meetings": None}
)
