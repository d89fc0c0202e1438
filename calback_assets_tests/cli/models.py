"""What a command makes of the `.sql` files, made once where children come from: a second of each command's own time."""

from calback_assets.assets import SQL_ASSETS
from calback_assets.checks import CHECKS

MODELS = [
    *(declared.model for declared in SQL_ASSETS),
    *(declared.ripple.model for declared in SQL_ASSETS if declared.ripple),
    *(check.model for check in CHECKS),
]
