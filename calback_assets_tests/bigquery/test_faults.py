"""Every request of a materialization fails once, in every way: the partition is all old or all new, and never twice."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from dagster import DagsterInstance

from calback_assets.sources.bigquery.client import EMULATOR_HOST
from calback_assets.tables.metrics import DAILY_ACTIVE_USERS
from calback_assets.warehouse.bigquery.jobs import Limits
from calback_assets.warehouse.bigquery.warehouse import BigQueryWarehouse
from calback_assets.warehouse.io_manager import WarehouseIOManager
from calback_assets.warehouse.ledger import Dependents
from calback_assets.warehouse.output import TableRef
from calback_assets_tests.bigquery.emulator import Emulator
from calback_assets_tests.bigquery.proxy import Fault, FaultProxy, SlowAnswer
from calback_assets_tests.warehouse.emulated import EmulatedWarehouse
from calback_assets_tests.warehouse.helpers import CALENDAR, FRAME, Desk, Shape, error_of, metrics

PATIENT = Limits()
HASTY = Limits(request_seconds=1)
"""Gives a slow answer up and asks again."""
SOON_GIVES_UP = Limits(patience_seconds=1)
FAULTS = [*((fault, PATIENT) for fault in Fault), (SlowAnswer(1.5), HASTY)]
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
def proxy(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    with FaultProxy(emulator.url) as between:
        monkeypatch.setenv(EMULATOR_HOST, between.url)
        yield between


@pytest.fixture
def warehouse(emulator: Emulator) -> ProxiedWarehouse:
    return ProxiedWarehouse(emulator.url)


@pytest.fixture
def desk(warehouse: ProxiedWarehouse, tmp_path: Path) -> Iterator[Desk]:
    with DagsterInstance.ephemeral() as instance:
        yield Desk(warehouse, instance, tmp_path)


def dau(desk: Desk) -> list[int]:
    return [row["dau"] for row in desk.warehouse.rows(DAILY_ACTIVE_USERS)]


def requests_of_a_write(desk: Desk, proxy: FaultProxy, shape: Shape) -> int:
    before = len(proxy.log)
    assert desk.write(DAILY_ACTIVE_USERS, [metrics(dau=0)] * PEOPLE, shape).success
    return len(proxy.log) - before


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("fault", "limits"), FAULTS, ids=[str(fault) for fault, _ in FAULTS])
def test_a_request_that_fails_once_is_made_good_and_nothing_is_written_twice(
    desk: Desk, warehouse: ProxiedWarehouse, proxy: FaultProxy, fault: Fault | SlowAnswer, limits: Limits
) -> None:
    warehouse.limits = limits
    requests_of_a_write(desk, proxy, FRAME)
    for value, at in enumerate(range(1, requests_of_a_write(desk, proxy, FRAME) + 1), start=1):
        proxy.arm(fault, at=at)
        result = desk.write(DAILY_ACTIVE_USERS, [metrics(dau=value)] * PEOPLE, FRAME)
        proxy.disarm()

        assert result.success, (at, proxy.log[-5:])
        assert dau(desk) == [value] * PEOPLE, (at, proxy.log[-5:])


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("fault", [Fault.DROPPED_AFTER, Fault.UNAVAILABLE], ids=str)
def test_a_line_that_stays_cut_ends_in_a_clear_error_with_all_of_the_old_or_all_of_the_new(
    desk: Desk, warehouse: ProxiedWarehouse, proxy: FaultProxy, fault: Fault
) -> None:
    warehouse.limits = SOON_GIVES_UP
    requests = requests_of_a_write(desk, proxy, FRAME)
    for value, at in zip(count(1), range(1, requests + 1, 3), strict=False):
        old = dau(desk)
        proxy.arm(fault, at=at, times=10_000)
        result = desk.write(DAILY_ACTIVE_USERS, [metrics(dau=value)] * PEOPLE, FRAME)
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
