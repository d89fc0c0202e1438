"""Tests of names from strangers where Dagit reads Markdown."""

from pathlib import Path

import pandas as pd
import pytest
from dagster import DagsterInstance
from hypothesis import given
from hypothesis import strategies as some
from markdown_it import MarkdownIt

from calback_assets.report.marked import as_markdown
from calback_assets.tables.insight import RETENTION_COHORTS
from calback_assets_tests.warehouse.helpers import DAY, EmbeddedWarehouse, asset_of, metadata, run

MARKDOWN = MarkdownIt("commonmark").enable("table")
HOSTILE = ["![a](http://stranger.invalid/a.png)", "[a](http://b)", "<img src=//b>", "<http://b>", "a|b`c`", "\\[a](b)"]


def cell(name: str) -> str:
    """How a table's cell is shown that holds the name."""
    shown: str = MARKDOWN.render(f"| name |\n|---|\n| {as_markdown(name)} |")
    assert shown.count("<td>") == 1, shown
    return shown.partition("<td>")[2].partition("</td>")[0]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_no_link_no_picture_and_no_html(name: str) -> None:
    assert "<" not in cell(name)


@given(some.text("![]()<>`|\\ab", min_size=1, max_size=12))
def test_no_name_becomes_anything_but_text(name: str) -> None:
    assert "<" not in cell(f"a{name}a")


def test_the_preview_of_a_table_shows_names_as_text(tmp_path: Path) -> None:
    rows = {
        "as_of": [DAY], "cohort_week": [DAY], "basis": [HOSTILE[0]], "measure": ["day"], "period": [1],
        "cohort_size": [1], "eligible": [1], "retained": [1], "share": [1.0], "share_low": [1.0], "share_high": [1.0],
        "is_complete": [True],
    }  # fmt: skip
    frame = pd.DataFrame(rows)
    with DagsterInstance.ephemeral() as instance:
        made = run(asset_of(RETENTION_COHORTS, lambda: frame), EmbeddedWarehouse(tmp_path).io_manager(), instance)
    assert "<img" not in MARKDOWN.render(metadata(made)["preview"])
    assert "stranger" in metadata(made)["preview"]
