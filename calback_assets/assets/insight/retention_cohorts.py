"""Asset `retention_cohorts`: how many of those who joined in a week came back."""

from pathlib import Path

from calback_assets.analysis.retention import with_intervals
from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.partitions import INSIGHT_DAYS, trailing
from calback_assets.tables.insight import RETENTION_COHORTS

ASSET = SqlAsset(
    RETENTION_COHORTS,
    Path(__file__).with_suffix(".sql"),
    reads={"user_joined": trailing(INSIGHT_DAYS), "user_daily_activity": trailing(INSIGHT_DAYS)},
    refine=with_intervals,
)
