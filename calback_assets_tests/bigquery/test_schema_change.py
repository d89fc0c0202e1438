"""A contract changes after its table was made: BigQuery gets a new nullable column, and refuses anything else."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from calback_assets.days import Stretch
from calback_assets.errors import ContractError
from calback_assets.sources.bigquery.client import EMULATOR_HOST
from calback_assets.tables import Column, Table
from calback_assets.warehouse.bigquery.session import BigQuerySession
from calback_assets.warehouse.bigquery.warehouse import BigQueryWarehouse
from calback_assets.warehouse.warehouse import Statement
from calback_assets_tests.bigquery.clients import Emulator
from calback_assets_tests.warehouse.emulated import EmulatedWarehouse
from calback_assets_tests.warehouse.helpers import DAY

DAY_COLUMN = Column("event_date", "DATE", "The day.", required=True)
NUMBER = Column("number", "INT64", "A number.", required=True)
THINGS = Table("things", "Things.", "thing", ("event_date",), (DAY_COLUMN, NUMBER))
WITH_NOTES = replace(THINGS, declared=(DAY_COLUMN, NUMBER, Column("notes", "STRING", "Notes.")))


@pytest.fixture
def warehouse(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> EmulatedWarehouse:
    monkeypatch.setenv(EMULATOR_HOST, emulator.url)
    return EmulatedWarehouse(emulator.url)


@pytest.fixture
def session(warehouse: EmulatedWarehouse) -> Iterator[BigQuerySession]:
    """A session in which a day of THINGS has been written."""
    with BigQueryWarehouse(warehouse.resource, warehouse.dataset).session() as opened:
        opened.ensure(THINGS)
        opened.replace_days(
            THINGS, Stretch.on(DAY), Statement(f"SELECT DATE '{DAY}' AS event_date, 1 AS number"), "run"
        )
        yield opened


def columns(warehouse: EmulatedWarehouse) -> list[tuple[str, str, str]]:
    stored = warehouse.client.get_table(f"{warehouse.dataset}.{THINGS.name}")
    return [(field.name, field.field_type, field.mode) for field in stored.schema]


def test_a_new_nullable_column_is_added_once_and_old_rows_have_none(session: BigQuerySession) -> None:
    # By a query: what the emulator lists of a table does not follow an ALTER TABLE.
    stored = f"SELECT number, notes FROM things WHERE event_date = DATE '{DAY}'"
    session.ensure(WITH_NOTES)
    session.ensure(WITH_NOTES)

    assert session.records(stored) == [{"number": 1, "notes": None}]
    noted = Statement(f"SELECT DATE '{DAY}' AS event_date, 2 AS number, 'new' AS notes")
    session.replace_days(WITH_NOTES, Stretch.on(DAY), noted, "run")
    assert session.records(stored) == [{"number": 2, "notes": "new"}]


@pytest.mark.parametrize(
    ("drifted", "message"),
    [
        (
            replace(THINGS, declared=(DAY_COLUMN, replace(NUMBER, type="STRING"))),
            "things.number: the contract says STRING NOT NULL, the warehouse has INT64 NOT NULL; only a new nullable "
            "column is added by itself: rename the old table away and materialize its days again",
        ),
        (
            replace(THINGS, declared=(DAY_COLUMN,)),
            "things: the warehouse has column number, which the contract lacks; declare it again, or drop it: ALTER "
            "TABLE things DROP COLUMN number",
        ),
    ],
    ids=["another type", "a column dropped"],
)
def test_any_other_change_is_an_error_that_says_how_to_migrate_and_the_table_stays(
    warehouse: EmulatedWarehouse, session: BigQuerySession, drifted: Table, message: str
) -> None:
    before = columns(warehouse)
    with pytest.raises(ContractError) as caught:
        session.ensure(drifted)
    assert str(caught.value) == message
    assert columns(warehouse) == before
    assert warehouse.rows(THINGS) == [{"event_date": DAY, "number": 1}]
