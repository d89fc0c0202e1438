"""The pages that are made of the code, held to it; and the one table of settings, which people write."""

import re
from pathlib import Path

import pytest

from calback_assets.cli import main
from calback_assets.settings import Understanding
from docs import write_reference

DOCS = Path(__file__).parents[1] / "docs"
ANEW = "is not what the code makes of it; run: make docs"


def test_the_catalog_is_what_the_contracts_and_assets_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALBACK_START_DATE", "2024-01-01")
    from calback_assets.definitions import build_defs  # It reads the environment when it is imported.

    made = write_reference.catalog(build_defs(write_reference.settings()))
    assert (DOCS / "catalog.md").read_text(encoding="utf-8") == made, f"docs/catalog.md {ANEW}"


@pytest.mark.parametrize(
    ("table", "before"),
    [
        ("raw_events", "a day, with that day of the source"),
        ("device_identity", "a day, with that day of the source"),
        ("unified_events", "a day, with it and the 29 days before it"),  # the devices of 30 days
        ("frequent_users", "a day, with it and the 59 days before it"),  # 30 days back, and from there 29
        ("daily_active_users", "a day, with any day before it"),  # who is new hangs on all of them
        ("user_first_seen", "a day, with any day before it"),
        ("first_week", "a day, with any day before it"),  # joining may hang on who was seen first
        ("retention_cohorts", "every row, with each run"),
        ("raw_users", "every row, as its document does; a document that has gone keeps its row, with `deleted_at`"),
    ],
)
def test_the_catalog_tells_which_days_a_day_hangs_on(table: str, before: str) -> None:
    page = (DOCS / "catalog.md").read_text(encoding="utf-8").partition(f"## {table}\n")[2].partition("\n## ")[0]
    assert f"- **May change:** {before}\n" in page


def test_the_page_of_commands_is_what_their_help_says() -> None:
    made = write_reference.commands(main)
    assert (DOCS / "commands.md").read_text(encoding="utf-8") == made, f"docs/commands.md {ANEW}"


def test_the_page_of_settings_has_each_variable_once_with_its_default(tmp_path: Path) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", (DOCS / "settings.md").read_text(encoding="utf-8"), re.MULTILINE)
    given = {"CALBACK_DATA_DIR": str(tmp_path), "CALBACK_START_DATE": "2024-01-01"}
    found = [*Understanding.of(given, ()).variables, *Understanding.of(given | _IN_THE_CLOUD, ()).variables]
    assert sorted(name for name, _ in rows) == sorted({variable.name for variable in found} | _OF_OTHERS)
    defaults = {variable.name: variable.value for variable in found if variable.origin == "default"}
    shown = {name: text.strip("`") for name, text in rows if name in defaults}
    # The folder of the report is said by the warehouse's, which it lies beside.
    assert shown | {"CALBACK_REPORT_DIR": defaults["CALBACK_REPORT_DIR"]} == defaults


_IN_THE_CLOUD = {
    "CALBACK_DEPLOYMENT": "gcp",
    "CALBACK_DOCUMENTS": "bigquery",
    "CALBACK_GCP_PROJECT": "my-project",
    "CALBACK_GA4_DATASET": "analytics_1",
    "CALBACK_ACCESS_LOG_TABLE": "access_log.opens",
    "CALBACK_PSEUDONYM_KEY": "0123456789abcdef",
}
_OF_OTHERS = {"DAGSTER_HOME", "GOOGLE_APPLICATION_CREDENTIALS", "BIGQUERY_EMULATOR_HOST"}
"""Variables of Dagster's and Google's, which a person sets as well."""
