"""The jobs that a person or the schedule starts."""

from dagster import AssetSelection, define_asset_job

DAILY_JOB_NAME = "daily_metrics"
CODE_LOCATION = "calback_assets.definitions"
"""The module that Dagster loads, and the name under which Dagit knows what is in it."""

daily_job = define_asset_job(
    DAILY_JOB_NAME,
    selection=AssetSelection.all(),
    description="Everything for a day or a range of days: raw data, unified events, active users, frequent users.",
)
