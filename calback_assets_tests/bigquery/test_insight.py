"""The insight tables of 46 days are the same of both engines, people with a whole outcome window among them.

What other tables hold is compared in `test_both_engines`, over days too few for any outcome: here those that the
insight is made of are put into BigQuery as DuckDB has them.
"""

from collections.abc import Iterator
from datetime import date

import pyarrow as pa
import pytest

from calback_assets.days import Stretch
from calback_assets.sample.writer import write_sample
from calback_assets.tables import TABLES, Table
from calback_assets.warehouse.bigquery.jobs import EmulatedBigQuery
from calback_assets.warehouse.rows import ConformedRows, arrow_schema
from calback_assets.warehouse.warehouse import Statement
from calback_assets_tests.assets.worlds import Platform
from calback_assets_tests.bigquery.clients import Emulator
from calback_assets_tests.bigquery.test_both_engines import comparable, stored
from calback_assets_tests.bigquery.worlds import World, beside_bigquery
from calback_assets_tests.dagit.graph import GRAPH, STORED
from calback_assets_tests.warehouse.emulated import LOCATION, BigQueryUnderTest
from calback_assets_tests.warehouse.helpers import Row, error_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

FIRST, LAST = date(2024, 1, 1), date(2024, 2, 15)
INSIGHT = [name for name in STORED if GRAPH[name].group.endswith("_insight")]
MADE = ["user_joined", "user_behaviour", *INSIGHT]
READ = sorted({read for name in MADE for read in GRAPH[name].upstream}.difference(MADE))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, emulator: Emulator) -> Iterator[World]:
    """A sample, every table of it in DuckDB, and in BigQuery the insight and what it is made of."""
    local = Platform(tmp_path_factory.mktemp("sample"), FIRST, LAST)
    write_sample(local.data, users=40, days=46)
    local.build(FIRST, LAST)
    with beside_bigquery(local, emulator, "insight") as both:
        resource = EmulatedBigQuery(project=both.client.project, location=LOCATION)
        for name in READ:
            put(BigQueryUnderTest(both.client, resource, "calback"), TABLES[name], local.rows(name))
        copied = both.run(*MADE)
        assert copied.success, error_of(copied)
        yield both


def put(warehouse: BigQueryUnderTest, table: Table, rows: list[Row]) -> None:
    """All days of a table, those without a row among them, or a whole snapshot."""
    if not table.is_partitioned:
        warehouse.put(table, rows)
        return
    given = ConformedRows(pa.Table.from_pylist(rows, arrow_schema(table)), table)
    with warehouse.opened().session() as session:
        session.ensure(table)
        with session.incoming(given, "put") as name:
            session.replace_days(table, Stretch(FIRST, LAST), Statement(f"SELECT * FROM {name}"), "put")


# Of so few people no behaviour has the support for a row of lift: `test_first_week_lift` compares those of more.
@pytest.mark.parametrize("name", [name for name in MADE if name != "first_week_lift"])
def test_a_table_is_the_same_row_for_row(world: World, name: str) -> None:
    table = TABLES[name]
    made = world.local.rows(name)
    assert made
    assert comparable(stored(world.client, table), table) == comparable(made, table)
