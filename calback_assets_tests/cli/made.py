"""What a command makes of what does not change, made once where children come from: seconds of each command's time."""

from calback_assets.assets import SQL_ASSETS
from calback_assets.checks import CHECKS
from calback_assets.dashboard.page import pages_of
from calback_assets_tests.dashboard.given import world

_MODELS = [
    *(declared.model for declared in SQL_ASSETS),
    *(declared.ripple.model for declared in SQL_ASSETS if declared.ripple),
    *(check.model for check in CHECKS),
]
RENDERED = [(model.duckdb_template, model.lineage) for model in _MODELS]
PAGES = pages_of(world(), [], 3)
"""Of a dashboard: every other has the same pictures, and the script that draws them."""
