"""The asset graph as a text that people read and review: `asset_graph.yaml`, and how it is written anew.

After a change that is meant: `python -m calback_assets_tests.asset_graph`, and commit what it has written.
"""

import os
from pathlib import Path
from typing import Any

import yaml
from dagster import AssetKey, Definitions, TimeWindowPartitionMapping
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph, AssetNode

PATH = Path(__file__).with_suffix(".yaml")
RENEWED_BY = "python -m calback_assets_tests.asset_graph"
_HEAD = f"# What the platform consists of. Made by: {RENEWED_BY}\n"


def described(defs: Definitions) -> str:
    """Assets with groups, kinds, partitions, checks and what they read of it; jobs and schedules."""
    graph = defs.resolve_asset_graph()
    nodes = sorted(graph.asset_nodes, key=lambda node: (node.group_name, node.key))
    repository = defs.get_repository_def()
    made = {node.key for node in nodes if node.is_materializable}
    jobs = {job.name: job for job in repository.get_all_jobs() if not job.name.startswith("__")}
    whole = {
        "assets": {node.key.to_user_string(): _asset(graph, node) for node in nodes},
        "jobs": {name: _selected(jobs[name].asset_layer.selected_asset_keys, made) for name in sorted(jobs)},
        "schedules": {
            schedule.name: {
                "job": schedule.job_name,
                "cron": schedule.cron_schedule,
                "timezone": schedule.execution_timezone,
                "is_on": schedule.default_status.value == "RUNNING",
            }
            for schedule in repository.schedule_defs
        },
        "resources": sorted(repository.get_top_level_resources()),
    }
    return _HEAD + yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=120)


def _asset(graph: AssetGraph, node: AssetNode) -> dict[str, Any]:
    checks = sorted(key.name for key in node.check_keys)
    return {
        "group": node.group_name,
        "kinds": ", ".join(sorted(node.kinds)),
        "days": "one partition a day" if node.is_partitioned else "none",
        **({} if node.is_materializable else {"is_external": True}),
        **({"reads": {key.to_user_string(): _read(graph, node, key) for key in sorted(node.parent_keys)}}),
        **({"checks": ", ".join(checks)} if checks else {}),
    }


def _read(graph: AssetGraph, node: AssetNode, parent: AssetKey) -> str:
    mapping = node.partition_mappings.get(parent)
    if not graph.get(parent).is_partitioned:
        return "as it is"
    if isinstance(mapping, TimeWindowPartitionMapping):
        return f"days {mapping.start_offset} to {mapping.end_offset}"
    assert mapping is None
    return "the same day" if node.is_partitioned else "any day"


def _selected(selected: set[AssetKey], made: set[AssetKey]) -> str:
    return "everything that is made" if selected == made else ", ".join(sorted(k.to_user_string() for k in selected))


def main() -> None:
    """Write the file anew."""
    os.environ.setdefault("CALBACK_START_DATE", "2024-01-01")  # For the module's own definitions.
    from calback_assets.definitions import build_defs
    from calback_assets.settings import Settings

    PATH.write_text(described(build_defs(Settings.from_env({"CALBACK_START_DATE": "2024-01-01"}))), encoding="utf-8")


if __name__ == "__main__":
    main()
