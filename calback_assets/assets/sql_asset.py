"""How a `.sql` file becomes a Dagster asset.

The declaration and its assembly belong here; what an asset computes stands in its `.sql` file.
"""

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow as pa
from dagster import AssetDep, AssetsDefinition, BackfillPolicy, DailyPartitionsDefinition, TableColumnDep, asset

from calback_assets.assets.owners import OWNERS
from calback_assets.partitions import Reach, partition_mapping
from calback_assets.tables import TABLES, Table
from calback_assets.warehouse.googlesql.model import Input, Model
from calback_assets.warehouse.googlesql.template import Parameter
from calback_assets.warehouse.metadata import column_lineage
from calback_assets.warehouse.output import Plot, Query


@dataclass(frozen=True)
class SqlAsset:
    """A table that one GoogleSQL query makes: for all days of a stretch at once, or as of the newest day."""

    table: Table
    sql: Path
    reads: Mapping[str, Reach | None]
    """Upstream tables by name, with the days that a day of this one reads; None for a snapshot."""
    parameters: Sequence[str] = ()
    """Names of the settings that the query uses as `@name`."""
    own_days: Mapping[str, Reach] = field(default_factory=dict)
    """Other days of this same table that the query reads, before or after all that are written."""
    ripple: "Ripple | None" = None
    plot: Plot | None = None
    refine: Callable[..., pd.DataFrame | pa.Table] | None = None
    """The statistics between what the query finds (`pa.Table`) and what the table holds."""
    beside: Sequence[str] = ()
    """Tables without days among those it reads, all rows of which `refine` is given as well (`pd.DataFrame`)."""

    @cached_property
    def model(self) -> Model:
        """The parsed and checked query."""
        upstream = {name: Input(TABLES[name], self.reads[name]) for name in self.reads if name not in self.beside}
        return Model(self.sql, upstream | {name: Input(self.table, reach) for name, reach in self.own_days.items()})

    @property
    def lineage(self) -> Mapping[str, Sequence[TableColumnDep]]:
        """Of each column, the columns of other tables that it is made of."""
        return column_lineage(self.model, self.table, [TABLES[name] for name in self.beside]).deps_by_column

    @property
    def code_version(self) -> str:
        """Another one for another query, or other statistics."""
        digest = hashlib.sha256(self.model.sql.encode())
        if self.refine:
            # The modules of a room build on each other.
            for module in sorted(Path(inspect.getfile(self.refine)).parent.glob("*.py")):
                digest.update(module.read_bytes())
        return digest.hexdigest()[:12]

    def query(self, settings: Mapping[str, Parameter]) -> Query:
        """What the asset hands to the I/O manager.

        Raises:
            ModelError: the query uses what not every engine can run.
        """
        return Query(
            self.model,
            {name: settings[name] for name in self.parameters},
            self.ripple.model if self.ripple else None,
            self.plot,
            self.refine,
            [TABLES[name] for name in self.beside],
        )

    def build(self, partitions: DailyPartitionsDefinition, settings: Mapping[str, Parameter]) -> AssetsDefinition:
        """The Dagster asset.

        Raises:
            ModelError: the query uses what not every engine can run.
        """
        query = self.query(settings)
        is_daily = self.table.is_partitioned

        @asset(
            name=self.table.name,
            group_name=self.sql.parent.name,
            owners=OWNERS,
            kinds={"sql", "python"} if self.refine else {"sql"},
            partitions_def=partitions if is_daily else None,
            backfill_policy=BackfillPolicy.single_run() if is_daily else None,
            code_version=self.code_version,
            deps=[
                AssetDep(name, partition_mapping=partition_mapping(reach) if is_daily and reach else None)
                for name, reach in self.reads.items()
            ],
        )
        def build_query() -> Query:
            return query

        return build_query


@dataclass(frozen=True)
class Ripple:
    """A query for the other days of a table that change when a stretch of its days is replaced."""

    sql: Path
    reads: Mapping[str, tuple[Table, Reach]]
    """By the name that the query reads them under: a table and its days, seen from each day that is replaced."""

    @cached_property
    def model(self) -> Model:
        """The parsed and checked query."""
        return Model(self.sql, {name: Input(table, reach) for name, (table, reach) in self.reads.items()})


def dependents(assets: Sequence[SqlAsset]) -> dict[str, list[tuple[str, Reach]]]:
    """For each table, the partitioned tables that read its days, and which."""
    found: dict[str, list[tuple[str, Reach]]] = {}
    for declared in assets:
        if not declared.table.is_partitioned:
            continue  # Written anew by every run.
        for name, reach in declared.reads.items():
            if reach is not None:
                found.setdefault(name, []).append((declared.table.name, reach))
    return found
