"""Asset `device_identity`: which signed-in users were seen on which device."""

from pathlib import Path

from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.partitions import SAME_DAY
from calback_assets.tables.core import DEVICE_IDENTITY

ASSET = SqlAsset(DEVICE_IDENTITY, Path(__file__).with_suffix(".sql"), reads={"raw_events": SAME_DAY})
