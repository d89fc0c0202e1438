"""The report as an asset: pages that are whole, both or neither, and what Dagit shows of them."""

import re
from pathlib import Path

import pytest
from dagster import AssetSpec, DagsterInstance, materialize

from calback_assets.assets.insight.insight_report import PAGE, SENTENCES, insight_report_asset
from calback_assets.assets.pages import page_of, write_pages
from calback_assets.errors import CalbackError
from calback_assets.partitions import daily_partitions
from calback_assets.report.findings import TABLES, Insight
from calback_assets.report.page import reports_of
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.io_manager import WarehouseIOManager
from calback_assets_tests.report.given import AS_OF, MONDAY, null, plain, stored
from calback_assets_tests.warehouse.helpers import CALENDAR, SEOUL


def test_the_asset_writes_both_pages_and_shows_the_sentences_and_pictures(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    stored(warehouse, plain())
    days = daily_partitions(MONDAY, AS_OF, SEOUL)
    with DagsterInstance.ephemeral() as instance:
        result = materialize(
            [
                insight_report_asset(tmp_path / "report"),
                *(
                    AssetSpec(table.name, partitions_def=days if table.is_partitioned else None).with_io_manager_key(
                        "io_manager"
                    )
                    for table in TABLES.values()
                ),
            ],
            selection=["insight_report"],
            instance=instance,
            resources={"io_manager": WarehouseIOManager(warehouse, CALENDAR)},
        )
    (event,) = result.asset_materializations_for_node("insight_report")
    reports = reports_of(plain())
    for language, report in reports.items():
        page = page_of(tmp_path / "report", PAGE, language)
        assert event.metadata[f"page_{language}"].value == str(page)
        assert page.read_text(encoding="utf-8") == report.page()
        assert [event.metadata[f"{name}_{language}"].value for name in SENTENCES] == report.answer
    pictures = {name: str(value.value) for name, value in event.metadata.items() if "svg" in str(value.value)}
    assert pictures.keys() == {"rates", "power", "forest", "calibration", "retention", "lifecycle"}
    assert all(re.match(r"!\[[^]]+\]\(data:image/svg\+xml;base64,", picture) for picture in pictures.values())


def texts(insight: Insight) -> dict[str, str]:
    return {language: report.page() for language, report in reports_of(insight).items()}


def test_pages_that_cannot_be_written_leave_both_old_ones_whole(tmp_path: Path) -> None:
    old = {language: page.read_bytes() for language, page in write_pages(texts(plain()), tmp_path, PAGE).items()}
    blocked = tmp_path / "insight.ko.html.new"
    blocked.mkdir()
    with pytest.raises(CalbackError, match=r"cannot be written to .* \(Is a directory\); the old ones stand"):
        write_pages(texts(null()), tmp_path, PAGE)
    assert {language: page_of(tmp_path, PAGE, language).read_bytes() for language in old} == old
    blocked.rmdir()
    assert {path.name for path in tmp_path.iterdir()} == {"insight.en.html", "insight.ko.html"}


def test_the_report_reads_the_tables_that_it_names_and_no_model_itself() -> None:
    declared = insight_report_asset(Path())
    assert {key.path[-1] for key in declared.dependency_keys} == {table.name for table in TABLES.values()}
    assert "content" not in declared.node_def.input_dict["return_model"].metadata["columns"]
