"""Asset `dashboard`: how the app is used, day by day, as a page in each language."""

from pathlib import Path
from typing import Any

import pandas as pd
from dagster import AssetIn, AssetsDefinition, MaterializeResult, MetadataValue, asset

from calback_assets.assets.owners import OWNERS
from calback_assets.assets.pages import write_pages
from calback_assets.dashboard.annotations import Annotation, annotations_of
from calback_assets.dashboard.figures import Rows
from calback_assets.dashboard.page import pages_of
from calback_assets.errors import SourceError
from calback_assets.report.findings import TABLES as INSIGHT
from calback_assets.report.findings import Insight, columns_of
from calback_assets.tables import Table
from calback_assets.tables.metrics import ACTIVE_USERS_BY, DAILY_ACTIVE_USERS
from calback_assets.warehouse.warehouse import progress

DASHBOARD = "dashboard"
TABLES: dict[str, Table] = {"active": DAILY_ACTIVE_USERS, "by": ACTIVE_USERS_BY, **INSIGHT}
"""The tables that a dashboard is made of, by their part in it."""


def dashboard_asset(folder: Path, annotations: Path | None, frequent_min_days: int) -> AssetsDefinition:
    """The Dagster asset.

    Args:
        folder: where its pages are written, beside those of the report.
        annotations: the file of what happened on which day; None for none.
        frequent_min_days: active days that make a user frequent.
    """

    @asset(
        name=DASHBOARD,
        group_name="delivery",
        description="How many people use Calback, how often, and with what: a page in English and in Korean that opens "
        "without a server, with a choice of days, tables and CSV under every picture. It holds counts alone, and none "
        "of fewer than ten people in a breakdown.",
        owners=OWNERS,
        kinds={"python"},
        ins={table.name: AssetIn(metadata={"columns": columns_of(table)}) for table in TABLES.values()},
    )
    def dashboard(
        daily_active_users: pd.DataFrame,
        active_users_by: pd.DataFrame,
        retention_cohorts: pd.DataFrame,
        user_lifecycle: pd.DataFrame,
        power_curve: pd.DataFrame,
        frequent_user_behaviour: pd.DataFrame,
        first_week_lift: pd.DataFrame,
        return_model: pd.DataFrame,
    ) -> MaterializeResult[None]:
        insight = Insight(
            retention=retention_cohorts,
            lifecycle=user_lifecycle,
            power=power_curve,
            behaviour=frequent_user_behaviour,
            lift=first_week_lift,
            models=return_model,
        )
        rows = Rows(insight=insight, active=daily_active_users, by=active_users_by)
        pages = write_pages(pages_of(rows, read_annotations(annotations), frequent_min_days), folder, DASHBOARD)
        progress.info("%s: written", DASHBOARD, extra={"table": DASHBOARD, "day": None})
        metadata: dict[str, MetadataValue[Any]] = {
            f"page_{language}": MetadataValue.path(page.absolute()) for language, page in pages.items()
        }
        return MaterializeResult(metadata=metadata)

    return dashboard


def read_annotations(file: Path | None) -> list[Annotation]:
    """What the file of annotations says; nothing without one.

    Raises:
        SourceError: it cannot be read, or a line of it is none; names the file and the line.
    """
    if file is None:
        return []
    try:
        content = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise SourceError(f"{file} cannot be read: {why}; mend it, or unset CALBACK_ANNOTATIONS") from None
    return [*annotations_of(content, str(file))]
