"""Pages of the newest partitions, as Dagit's plots ask for them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from dagster import DailyPartitionsDefinition, TimeWindowPartitionsDefinition
from dagster._core.definitions.partitions.context import PartitionLoadingContext
from dagster._core.definitions.temporal_context import TemporalContext

from calback_assets.partitions import daily_partitions
from calback_assets.web.newest import page_back_from_the_end

NOW = datetime(2024, 10, 1, 12, tzinfo=UTC)
CONTEXT = PartitionLoadingContext(
    temporal_context=TemporalContext(effective_dt=NOW, last_event_id=None), dynamic_partitions_store=None
)
IN_SPRING = daily_partitions(date(2024, 3, 1), date(2024, 3, 31), "Asia/Seoul")


@pytest.fixture
def _mended(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process as `calback ui` makes it, for one test."""
    name = "get_paginated_partition_keys"
    monkeypatch.setattr(TimeWindowPartitionsDefinition, name, getattr(TimeWindowPartitionsDefinition, name))
    page_back_from_the_end()
    return


def pages(partitions: DailyPartitionsDefinition, limit: int, *, ascending: bool = False) -> list[list[str]]:
    """All pages, one after the other."""
    found, cursor, more = [], None, True
    while more:
        page = partitions.get_paginated_partition_keys(CONTEXT, limit, ascending, cursor)
        found.append(list(page.results))
        cursor, more = page.cursor, page.has_more
    return found


def test_dagster_by_itself_pages_through_days_that_are_none_of_the_data_set() -> None:
    assert pages(IN_SPRING, 2)[0] == ["2024-09-30", "2024-09-29"]


@pytest.mark.usefixtures("_mended")
def test_the_newest_days_of_a_data_set_that_has_ended_are_its_last() -> None:
    assert pages(IN_SPRING, 20) == [
        [f"2024-03-{day:02}" for day in range(31, 11, -1)],
        [f"2024-03-{day:02}" for day in range(11, 0, -1)],
    ]
    assert pages(IN_SPRING, 120) == [[f"2024-03-{day:02}" for day in range(31, 0, -1)]]
    assert pages(IN_SPRING, 120, ascending=True) == [[f"2024-03-{day:02}" for day in range(1, 32)]]


@pytest.mark.usefixtures("_mended")
@pytest.mark.parametrize("last", [None, date(2024, 12, 31)])
def test_those_of_a_data_set_that_goes_on_end_with_yesterday(last: date | None) -> None:
    partitions = daily_partitions(date(2024, 3, 1), last, "Asia/Seoul")
    assert partitions.get_paginated_partition_keys(CONTEXT, 2, False).results == ["2024-09-30", "2024-09-29"]
