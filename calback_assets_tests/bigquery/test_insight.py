"""The insight tables of 46 days are the same of both engines, people with a whole outcome window among them.

What other tables hold is compared in `test_both_engines`, over days too few for any outcome.
"""

from collections.abc import Iterator
from datetime import date

import pytest

from calback_assets.sample.writer import write_sample
from calback_assets.tables import TABLES
from calback_assets_tests.assets.worlds import Platform
from calback_assets_tests.bigquery.emulator import Emulator
from calback_assets_tests.bigquery.test_both_engines import comparable, stored
from calback_assets_tests.bigquery.worlds import World, beside_bigquery
from calback_assets_tests.dagit.graph import GRAPH, STORED
from calback_assets_tests.warehouse.helpers import error_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

FIRST, LAST = date(2024, 1, 1), date(2024, 2, 15)
# Of so few people no behaviour has the support for a row of lift: `test_first_week_lift` compares those of more.
INSIGHT = [name for name in STORED if GRAPH[name].group.endswith("_insight") and name != "first_week_lift"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, emulator: Emulator) -> Iterator[World]:
    """A sample, and every table of it in both warehouses."""
    local = Platform(tmp_path_factory.mktemp("sample"), FIRST, LAST)
    write_sample(local.data, users=40, days=46)
    made = local.run(FIRST, LAST)
    assert made.success, error_of(made)
    with beside_bigquery(local, emulator, "insight") as both:
        copied = both.run(*GRAPH)
        assert copied.success, error_of(copied)
        yield both


@pytest.mark.parametrize("name", ["user_joined", "user_behaviour", *INSIGHT])
def test_a_table_is_the_same_row_for_row(world: World, name: str) -> None:
    table = TABLES[name]
    made = world.local.rows(name)
    assert made
    assert comparable(stored(world.client, table), table) == comparable(made, table)
