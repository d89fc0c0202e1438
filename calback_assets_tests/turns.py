"""Which tests stay together on one worker, and whose turn is first.

What a worker runs and in which order belongs here; how many workers there are stands in `setup.cfg`.
"""

from collections import defaultdict
from collections.abc import Sequence

import pytest
from xdist.scheduler import LoadScopeScheduling

_SHARING = ("calback_assets_tests/cli/test_", "calback_assets_tests/dagit/test_")
"""Folders whose files share what takes a quarter of a minute to make: a warehouse and its fork server, a Dagit."""
LONG = frozenset(
    f"calback_assets_tests/{path}"
    for path in (
        "assets/test_absence.py",
        "assets/test_digests.py",
        "assets/test_erasure.py",
        "assets/test_order_and_late_days.py",
        "bigquery/test_erasure.py",
        "warehouse/duckdb/test_rewriting.py",
        "warehouse/test_erasure.py",
        "warehouse/test_killed_writers.py",
    )
)
"""Files of few tests, of which none or one is slow, and which take a minute all the same."""
_LONG_SECONDS, _SLOW_SECONDS, _QUICK_SECONDS = 60.0, 10.0, 0.2


class Scheduling(LoadScopeScheduling):
    """Hands the groups out as they were collected: an end has to be filled with small ones."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def group(nodeid: str) -> str:
    """What stays together: a file, whose fixtures made warehouses for all its tests, or a folder that shares more."""
    path = nodeid.partition("::")[0]
    return next((folder for folder in _SHARING if path.startswith(folder)), path)


def longest_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Groups one after the other, those first that take longest, as far as their marks and numbers tell.

    The longest tests mostly wait, and the others run beside them; begun last, they would end alone.
    """
    groups: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        groups[group(item.nodeid)].append(item)
    return [item for of_group in sorted(groups.values(), key=_seconds, reverse=True) for item in of_group]


def _seconds(items: Sequence[pytest.Item]) -> float:
    if group(items[0].nodeid) in LONG:
        return _LONG_SECONDS
    return sum(_SLOW_SECONDS if item.get_closest_marker("slow") else _QUICK_SECONDS for item in items)
