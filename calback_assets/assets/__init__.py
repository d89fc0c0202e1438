"""The software-defined assets: a thin declaration each, and its SQL beside it.

`SQL_ASSETS` holds every `ASSET` that a module of a group declares; raw assets are built in `raw`. Folders are the
groups that Dagit shows, in the order of `GROUPS`.
"""

from importlib import import_module
from pkgutil import iter_modules

from calback_assets.assets import cohorts, core, insight, metrics
from calback_assets.assets.sql_asset import SqlAsset

GROUPS = ("app", "raw", "core", "metrics", "cohorts", "insight", "delivery")
"""In the order in which data flows."""

SQL_ASSETS: tuple[SqlAsset, ...] = tuple(
    module.ASSET
    for group in (core, metrics, cohorts, insight)
    for found in iter_modules(group.__path__, f"{group.__name__}.")
    if hasattr(module := import_module(found.name), "ASSET")
)
