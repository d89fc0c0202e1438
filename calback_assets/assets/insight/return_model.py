"""Asset `return_model`: who will come back, learned from the first week and judged on the newest people."""

from pathlib import Path

from calback_assets.analysis.return_model import learned
from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.partitions import INSIGHT_DAYS, trailing
from calback_assets.report.model_card import model_card
from calback_assets.tables.insight import RETURN_MODEL
from calback_assets.warehouse.output import Plot

ASSET = SqlAsset(
    RETURN_MODEL,
    Path(__file__).with_suffix(".sql"),
    reads={"first_week_features": trailing(INSIGHT_DAYS)},
    plot=Plot(model_card),
    refine=learned,
)
