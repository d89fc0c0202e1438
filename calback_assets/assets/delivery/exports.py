"""Assets `delivered_<table>`: the tables that the settings name, as files or in a database after each materialization.

Only their declaration belongs here; how a table is exported stands in `calback_assets.delivery`.
"""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from dagster import (
    AssetDep,
    AssetExecutionContext,
    AssetsDefinition,
    BackfillPolicy,
    DailyPartitionsDefinition,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
)

from calback_assets.assets.owners import OWNERS
from calback_assets.days import parse_day
from calback_assets.delivery.exports import EXPORTS, Asked, Pieces, deliver, refuse_unsuited
from calback_assets.delivery.piece import Delivered, Target
from calback_assets.delivery.targets import target_of
from calback_assets.errors import DeliveryError, SettingsError
from calback_assets.settings import Settings
from calback_assets.warehouse.warehouse import Warehouse, progress

_SHOWN = 5


def export_assets(settings: Settings, partitions: DailyPartitionsDefinition) -> list[AssetsDefinition]:
    """One asset for each table that the settings name; none where they name none.

    Raises:
        SettingsError: they name a table that there is not, or a target that cannot be.
    """
    return [
        _export_asset(name, settings, partitions) for name in dict.fromkeys(given.table for given in settings.exports)
    ]


def _export_asset(name: str, settings: Settings, partitions: DailyPartitionsDefinition) -> AssetsDefinition:
    if name not in EXPORTS:
        raise SettingsError(
            f"CALBACK_EXPORTS names {name}, and there is no such table; name some of {', '.join(EXPORTS)}"
        )
    source = EXPORTS[name]
    try:
        targets = [
            target_of(settings, settings.export_to or "", given.format)
            for given in settings.exports
            if given.table == name
        ]
        refuse_unsuited(name, targets[0])
    except DeliveryError as error:
        raise SettingsError(f"CALBACK_EXPORT_TO: {error}") from None
    is_daily = source.is_partitioned

    @asset(
        name=f"delivered_{name}",
        group_name="delivery",
        description=f"{name} where people work with it: {targets[0].where}. A run replaces the days that it "
        "writes, and those that have changed in the warehouse since they were delivered.",
        owners=OWNERS,
        kinds=_kinds(name, settings),
        deps=[AssetDep(source.name)],
        partitions_def=partitions if is_daily else None,
        backfill_policy=BackfillPolicy.single_run() if is_daily else None,
    )
    def delivered(context: AssetExecutionContext, warehouse: ResourceParam[Warehouse]) -> MaterializeResult[None]:
        asked = Asked(
            name=name,
            days=[parse_day(key) for key in context.partition_keys] if is_daily else [],
            run_id=context.run.run_id,
            today=datetime.now(ZoneInfo(settings.timezone)).date(),
            # Of counts there are few rows a day, and a person opens one file of all days.
            pieces=Pieces.TABLE if targets[0].takes_files and not source.person else Pieces.DAY,
            follows=is_daily,
        )
        done: list[Delivered] = []
        for target in targets:
            with warehouse.reading() as session:  # In a run: what it has written.
                for piece, made in deliver(session, target, asked):
                    done.append(made)
                    for note in made.notes:
                        context.log.info(f"{piece.name}: {note}")
        progress.info("delivered_%s: %d pieces", name, len(done), extra={"table": f"delivered_{name}", "day": None})
        return MaterializeResult(metadata=_metadata(targets, done))

    return delivered


def _kinds(name: str, settings: Settings) -> set[str]:
    """The formats of its files, or the database, as Dagit names them."""
    database = (settings.export_to or "").partition(":")[0].partition("+")[0]
    formats = {given.format or database for given in settings.exports if given.table == name}
    return {{"xlsx": "excel", "postgresql": "postgres"}.get(kind, kind) for kind in formats}


def _metadata(targets: Sequence[Target], done: Sequence[Delivered]) -> dict[str, MetadataValue]:
    names = [name for made in done for name in made.names]
    notes = [note for made in done for note in made.notes]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    metadata: dict[str, MetadataValue] = {
        "dagster/uri": MetadataValue.text(targets[0].where),
        "row_count": MetadataValue.int(sum(made.rows for made in done)),
        "delivered": MetadataValue.text(", ".join(dict.fromkeys(names[:_SHOWN])) + more),
    }
    return metadata | ({"notes": MetadataValue.text("; ".join(notes))} if notes else {})
