"""Asset `insight_report`: the answer to the question, as a page in each language."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from dagster import AssetIn, AssetsDefinition, MaterializeResult, MetadataValue, asset

from calback_assets.assets.owners import OWNERS
from calback_assets.assets.pages import write_pages
from calback_assets.report.findings import TABLES, Insight, columns_of
from calback_assets.report.page import Report, reports_of
from calback_assets.warehouse.warehouse import progress

INSIGHT_REPORT = "insight_report"
PAGE = "insight"
"""What the names of its pages begin with."""
SENTENCES = ("who_keeps_coming_back", "what_goes_with_coming_back", "can_the_first_week_tell")
"""The three main sentences in the metadata, each with its language behind it."""


def insight_report_asset(folder: Path) -> AssetsDefinition:
    """The Dagster asset, which writes its pages into this folder."""

    @asset(
        name=INSIGHT_REPORT,
        group_name="insight",
        description="The answer to the question, as a page in English and in Korean: what the people who keep coming "
        "back do, what in the first week goes together with coming back, and whether it tells who will.",
        owners=OWNERS,
        kinds={"python"},
        ins={table.name: AssetIn(metadata={"columns": columns_of(table)}) for table in TABLES.values()},
    )
    def insight_report(
        retention_cohorts: pd.DataFrame,
        user_lifecycle: pd.DataFrame,
        power_curve: pd.DataFrame,
        frequent_user_behaviour: pd.DataFrame,
        first_week_lift: pd.DataFrame,
        return_model: pd.DataFrame,
    ) -> MaterializeResult[None]:
        reports = reports_of(
            Insight(
                retention=retention_cohorts,
                lifecycle=user_lifecycle,
                power=power_curve,
                behaviour=frequent_user_behaviour,
                lift=first_week_lift,
                models=return_model,
            )
        )
        pages = write_pages({language: report.page() for language, report in reports.items()}, folder, PAGE)
        progress.info("%s: written", INSIGHT_REPORT, extra={"table": INSIGHT_REPORT, "day": None})
        return MaterializeResult(metadata=_metadata(reports, pages))

    return insight_report


def _metadata(reports: Mapping[str, Report], pages: Mapping[str, Path]) -> dict[str, MetadataValue[Any]]:
    """What Dagit shows: the sentences as plain text, which it does not read as Markdown, the pages and the pictures."""
    metadata: dict[str, MetadataValue[Any]] = {}
    for language, report in reports.items():
        metadata[f"page_{language}"] = MetadataValue.path(pages[language].absolute())
        for name, sentence in zip(SENTENCES, report.answer, strict=True):
            metadata[f"{name}_{language}"] = MetadataValue.text(sentence)
    for picture in reports["en"].pictures:
        if picture.svg:
            metadata[picture.name] = MetadataValue.md(picture.markdown)
    return metadata
