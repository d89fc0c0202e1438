"""The asset graph that was committed, `asset_graph.yaml`: what Dagit and the definitions must show."""

from dataclasses import dataclass

import yaml

from calback_assets.tables import TABLES
from calback_assets_tests.asset_graph import PATH


@dataclass(frozen=True)
class Node:
    """One asset as a person sees it."""

    group: str
    kinds: frozenset[str]
    upstream: frozenset[str]
    is_daily: bool
    is_external: bool


_ALL = {
    name: Node(
        asset["group"],
        frozenset(asset["kinds"].split(", ")),
        frozenset(asset["reads"]),
        asset["days"] != "none",
        asset.get("is_external", False),
    )
    for name, asset in yaml.safe_load(PATH.read_text(encoding="utf-8"))["assets"].items()
}
APP = {name: node for name, node in _ALL.items() if node.is_external}
"""What the app leaves behind, which no run makes."""
GRAPH = {name: node for name, node in _ALL.items() if not node.is_external}
"""What runs make."""
GROUPS = sorted({node.group for node in _ALL.values()})
DAILY = [name for name, node in GRAPH.items() if node.is_daily]
STORED = [name for name in GRAPH if name in TABLES]
"""Those that are tables: the report is pages."""
