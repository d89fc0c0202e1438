"""What an erasure sends to BigQuery, without an id or a scan of all days, and what it does beside a run."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import sqlglot
from google.cloud import bigquery
from sqlglot import exp

from calback_assets.days import Stretch
from calback_assets.settings import DEVELOPMENT_KEY
from calback_assets.sources.bigquery.client import EMULATOR_HOST
from calback_assets.tables import TABLES, Table
from calback_assets.tables.core import USER_DAILY_ACTIVITY
from calback_assets.tables.raw import RAW_ACCESS_LOG, RAW_EVENTS, RAW_USERS
from calback_assets.warehouse.bigquery.jobs import Jobs, Purpose, QueryParameter
from calback_assets.warehouse.warehouse import Statement
from calback_assets_tests.bigquery.clients import Emulator
from calback_assets_tests.warehouse.ann import (
    ANN,
    DEPENDENTS,
    LATER,
    LEFT_IN_ORDER,
    NEXT,
    PHONE,
    STALE,
    STORED,
    TABLET,
    contents,
    erase,
    event,
    fill,
    give,
    source,
    stale,
)
from calback_assets_tests.warehouse.emulated import EmulatedWarehouse
from calback_assets_tests.warehouse.helpers import DAY

EXPORT = replace(RAW_EVENTS, name="export")
Sent = tuple[str, Purpose, Sequence[QueryParameter]]


@pytest.fixture(scope="module")
def sent(emulator: Emulator) -> list[Sent]:
    """Every statement of an erasure, and of a day that is read after it and shows the person on a new device."""
    found: list[Sent] = []
    send = Jobs.query

    def record(jobs: Jobs, sql: str, purpose: Purpose, parameters: Sequence[QueryParameter] = ()) -> bigquery.QueryJob:
        found.append((sql, purpose, parameters))
        return send(jobs, sql, purpose, parameters)

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(EMULATOR_HOST, emulator.url)
        warehouse = EmulatedWarehouse(emulator.url)
        fill(warehouse)
        warehouse.put(EXPORT, [event(LATER, ANN, "new-phone"), event(LATER, None, "new-phone")])
        patched.setattr(Jobs, "query", record)
        erase(warehouse)
        names = ", ".join(f"export.`{name}`" for name in EXPORT.column_names)
        read = Statement(f"SELECT {names} FROM {EXPORT.name} WHERE event_date = DATE '{LATER}'", is_from_outside=True)
        with warehouse.opened(DEPENDENTS).session() as session:
            assert session.replace_days(RAW_EVENTS, Stretch.on(LATER), read, "later").row_counts == {LATER: 0}
            assert session.suppressed({"new-phone"}) == {"new-phone"}
    return found


def test_no_statement_holds_an_id(sent: list[Sent]) -> None:
    assert sent
    for sql, purpose, parameters in sent:
        told = f"{sql} {purpose} {[parameter.to_api_repr() for parameter in parameters]}"
        assert not any(subject in told for subject in (ANN, PHONE, TABLET, "new-phone"))
        assert DEVELOPMENT_KEY.decode() not in told


def test_a_device_that_a_write_puts_on_the_list_itself_is_swept_for_once(sent: list[Sent]) -> None:
    sweeps = [sql for sql, *_ in sent if "AS touched_day" in sql and "FROM raw_events " in sql]
    assert len(sweeps) == 2  # That of the erasure, and that of the day with the new device.


def test_every_scan_and_change_of_a_daily_table_has_a_constant_range(sent: list[Sent]) -> None:
    seen: set[tuple[str, type]] = set()
    for sql, *_ in sent:
        tree = sqlglot.parse_one(sql, read="bigquery")
        for table in tree.find_all(exp.Table):
            is_target = isinstance(table.parent, exp.Merge)
            if is_target or table.name not in TABLES or not TABLES[table.name].is_partitioned:
                continue
            statement = table.find_ancestor(exp.Select) or tree
            where = statement.args["where"].this
            conditions = list(where.flatten()) if isinstance(where, exp.And) else [where]
            assert any(is_constant(condition) for condition in conditions), sql
            seen.add((table.name, type(statement)))
    people = {name for name, table in TABLES.items() if table.person and table.is_partitioned}
    assert seen == {(name, kind) for name in people for kind in (exp.Select, exp.Delete)} | {
        ("raw_events", exp.Update),
        ("unified_events", exp.Update),
    }


def is_constant(condition: exp.Expression) -> bool:
    """Whether it compares the day with constants alone."""
    is_of_day = isinstance(condition.this, exp.Column) and condition.this.name == "event_date"
    compared = condition.args.get("expressions") or [condition.args.get("expression")]
    return is_of_day and all(isinstance(day, exp.Cast) and isinstance(day.this, exp.Literal) for day in compared)


@pytest.fixture
def overtaken(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> EmulatedWarehouse:
    """A warehouse from which Ann is erased when the next write has read, and has not yet published."""
    monkeypatch.setenv(EMULATOR_HOST, emulator.url)
    warehouse = EmulatedWarehouse(emulator.url)
    fill(warehouse)
    send = Jobs.query

    def erase_before_it_is_published(
        jobs: Jobs, sql: str, purpose: Purpose, parameters: Sequence[QueryParameter] = ()
    ) -> bigquery.QueryJob:
        if purpose.step == "publish":
            monkeypatch.setattr(Jobs, "query", send)
            assert erase(warehouse)
        return send(jobs, sql, purpose, parameters)

    monkeypatch.setattr(Jobs, "query", erase_before_it_is_published)
    return warehouse


@pytest.mark.parametrize("table", [RAW_ACCESS_LOG, RAW_USERS], ids=lambda table: table.name)
def test_who_is_erased_while_a_source_is_written_is_erased_from_that_too(
    overtaken: EmulatedWarehouse, table: Table
) -> None:
    give(overtaken, table, [row for row in STORED[table.name] if row.get("event_date", DAY) == DAY])
    assert contents(overtaken) == LEFT_IN_ORDER


def test_what_is_made_of_rows_that_an_erasure_removes_meanwhile_is_built_anew(overtaken: EmulatedWarehouse) -> None:
    made = Statement(source(overtaken, USER_DAILY_ACTIVITY, STORED["user_daily_activity"][-1:]))
    assert LATER not in STALE["user_daily_activity"]
    with overtaken.opened(DEPENDENTS).session() as session:
        session.replace_days(USER_DAILY_ACTIVITY, Stretch.on(LATER), made, "a-run")
    assert contents(overtaken) == LEFT_IN_ORDER
    assert stale(overtaken) == STALE | {"user_daily_activity": [DAY, NEXT, LATER]}
