"""The dashboard as an asset: pages of the stored tables, and what is said of a file of annotations that is wrong."""

from pathlib import Path

import pytest
from dagster import AssetSpec, DagsterInstance, materialize

from calback_assets.assets.delivery.dashboard import DASHBOARD, TABLES, dashboard_asset, read_annotations
from calback_assets.assets.pages import page_of
from calback_assets.dashboard.page import pages_of
from calback_assets.errors import SourceError
from calback_assets.partitions import daily_partitions
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.io_manager import WarehouseIOManager
from calback_assets_tests.dashboard.given import stored, world
from calback_assets_tests.report.given import AS_OF, MONDAY
from calback_assets_tests.warehouse.helpers import CALENDAR, SEOUL


def test_the_asset_writes_both_pages_of_the_stored_tables(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    stored(warehouse, world())
    notes = tmp_path / "notes.csv"
    notes.write_text("date,text\n2024-03-08,Version 2.0\n", encoding="utf-8")
    days = daily_partitions(MONDAY, AS_OF, SEOUL)
    with DagsterInstance.ephemeral() as instance:
        result = materialize(
            [
                dashboard_asset(tmp_path / "report", notes, 3),
                *(
                    AssetSpec(table.name, partitions_def=days if table.is_partitioned else None).with_io_manager_key(
                        "io_manager"
                    )
                    for table in TABLES.values()
                ),
            ],
            selection=[DASHBOARD],
            instance=instance,
            resources={"io_manager": WarehouseIOManager(warehouse, CALENDAR)},
        )
    (event,) = result.asset_materializations_for_node(DASHBOARD)
    for language, text in pages_of(world(), read_annotations(notes), 3).items():
        page = page_of(tmp_path / "report", DASHBOARD, language)
        assert event.metadata[f"page_{language}"].value == str(page)
        assert page.read_text(encoding="utf-8") == text


def test_a_file_of_annotations_that_is_wrong_is_named(tmp_path: Path) -> None:
    assert read_annotations(None) == []
    notes = tmp_path / "notes.csv"
    with pytest.raises(SourceError, match=r"notes\.csv cannot be read: No such file or directory; mend it, or unset"):
        read_annotations(notes)
    notes.write_bytes(b"date,text\n2024-03-08,\xff\n")
    with pytest.raises(SourceError, match=r"notes\.csv cannot be read: it is no text in UTF-8"):
        read_annotations(notes)
    notes.write_text("\ufeffdate,text\n8 March,Version 2.0\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"notes\.csv, line 2: its date is no day"):
        read_annotations(notes)
