"""Every request of a write fails once, in every way: the partition is all old or all new, and never twice.

The answer is lost at every request that the I/O manager sends; the other ways meet the requests of the warehouse's
session, among which are all kinds that the I/O manager sends.
"""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest
from dagster import DagsterInstance

from calback_assets.days import Stretch
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS
from calback_assets.warehouse.bigquery.jobs import Limits
from calback_assets.warehouse.bigquery.warehouse import BigQueryWarehouse
from calback_assets.warehouse.io_manager import WarehouseIOManager
from calback_assets.warehouse.ledger import Dependents
from calback_assets.warehouse.output import TableRef
from calback_assets.warehouse.rows import ConformedRows
from calback_assets.warehouse.warehouse import Statement
from calback_assets_tests.bigquery.clients import Emulator
from calback_assets_tests.bigquery.proxy import Fault, FaultProxy, Request, SlowAnswer
from calback_assets_tests.warehouse.emulated import EmulatedWarehouse
from calback_assets_tests.warehouse.helpers import CALENDAR, DAY, Desk, error_of, metrics

PATIENT = Limits()
HASTY = Limits(request_seconds=1)
"""Gives a slow answer up and asks again."""
SOON_GIVES_UP = Limits(patience_seconds=1)
PEOPLE = 3
"""Rows of the partition, so that half of it would be seen."""


class ProxiedWarehouse(EmulatedWarehouse):
    """BigQuery behind a line that can be cut; what is stored is read past it."""

    limits = PATIENT

    def opened(self, dependents: Dependents | None = None) -> BigQueryWarehouse:
        return BigQueryWarehouse(self.resource, self.dataset, dependents, self.limits)

    def io_manager(self, dependents: Dependents | None = None) -> WarehouseIOManager:
        return WarehouseIOManager(self.opened(dependents), CALENDAR)


@pytest.fixture
def warehouse(emulator: Emulator) -> ProxiedWarehouse:
    return ProxiedWarehouse(emulator.url)


@pytest.fixture
def desk(warehouse: ProxiedWarehouse, tmp_path: Path) -> Iterator[Desk]:
    with DagsterInstance.ephemeral() as instance:
        yield Desk(warehouse, instance, tmp_path)


def dau(desk: Desk) -> list[int]:
    return [row["dau"] for row in desk.warehouse.rows(DAILY_ACTIVE_USERS)]


def materialize(desk: Desk, value: int) -> None:
    """Write the partition as an asset does."""
    result = desk.write(DAILY_ACTIVE_USERS, [metrics(dau=value)] * PEOPLE)
    assert result.success, error_of(result)


def write(desk: Desk, value: int) -> None:
    """Write the partition as the I/O manager does it, and look at it as its report does."""
    rows = ConformedRows(pa.Table.from_pylist([metrics(dau=value)] * PEOPLE), DAILY_ACTIVE_USERS)
    run_id = f"run-{value}"
    with desk.warehouse.opened().session() as session:
        session.ensure(DAILY_ACTIVE_USERS)
        with session.incoming(rows, run_id) as name:
            statement = Statement(f"SELECT * FROM {name}", is_from_outside=True)
            session.check_query(DAILY_ACTIVE_USERS, statement.sql)
            session.replace_days(DAILY_ACTIVE_USERS, Stretch(DAY, DAY), statement, run_id)
        assert session.read(TableRef(DAILY_ACTIVE_USERS, DAY, None), ["dau"], limit=1).num_rows == 1


FAULTS = [
    (Fault.DROPPED_AFTER, PATIENT, materialize),
    *((fault, PATIENT, write) for fault in Fault if fault is not Fault.DROPPED_AFTER),
    (SlowAnswer(1.5), HASTY, write),
]


def requests_of(desk: Desk, proxy: FaultProxy, way: Callable[[Desk, int], None]) -> list[Request]:
    """What a write of a partition that is there sends."""
    way(desk, 0)
    before = len(proxy.log)
    way(desk, 0)
    return proxy.log[before:]


def test_the_session_sends_every_kind_of_request_that_a_materialization_sends(desk: Desk, proxy: FaultProxy) -> None:
    one, other = ({request.kind for request in requests_of(desk, proxy, way)} for way in (materialize, write))
    assert one == other


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("fault", "limits", "way"), FAULTS, ids=[str(fault) for fault, *_ in FAULTS])
def test_a_request_that_fails_once_is_made_good_and_nothing_is_written_twice(
    desk: Desk,
    warehouse: ProxiedWarehouse,
    proxy: FaultProxy,
    fault: Fault | SlowAnswer,
    limits: Limits,
    way: Callable[[Desk, int], None],
) -> None:
    warehouse.limits = limits
    requests = requests_of(desk, proxy, way)
    for value in range(1, len(requests) + 1):
        proxy.arm(fault, at=value)
        way(desk, value)
        proxy.disarm()

        assert dau(desk) == [value] * PEOPLE, (value, proxy.log[-5:])


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("fault", [Fault.DROPPED_AFTER, Fault.UNAVAILABLE], ids=str)
def test_a_line_that_stays_cut_ends_in_a_clear_error_with_all_of_the_old_or_all_of_the_new(
    desk: Desk, warehouse: ProxiedWarehouse, proxy: FaultProxy, fault: Fault
) -> None:
    warehouse.limits = SOON_GIVES_UP
    requests = requests_of(desk, proxy, materialize)
    for value, at in zip(count(1), range(1, len(requests) + 1, 3), strict=False):
        old = dau(desk)
        proxy.arm(fault, at=at, times=10_000)
        result = desk.write(DAILY_ACTIVE_USERS, [metrics(dau=value)] * PEOPLE)
        proxy.disarm()

        assert dau(desk) in (old, [value] * PEOPLE), at
        if not result.success:
            assert error_of(result).startswith("WarehouseError: BigQuery did not answer ("), at


def test_a_question_that_was_asked_before_is_asked_anew(
    desk: Desk, warehouse: ProxiedWarehouse, proxy: FaultProxy
) -> None:
    """The id of a finished job is refused, and would answer with what was there then."""
    counts = []
    for people in (1, 2):
        assert desk.write(DAILY_ACTIVE_USERS, [metrics()] * people).success
        with warehouse.opened().session() as session:
            counts.append(session.read(TableRef(DAILY_ACTIVE_USERS, None, None), ["dau"]).num_rows)
    assert counts == [1, 2]
    assert not [request for request in proxy.log if request.kind == "jobs.get"]
