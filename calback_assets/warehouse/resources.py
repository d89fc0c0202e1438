"""The warehouse and its I/O manager as Dagster's resources: named, described, and with what they were set to.

What a person sees of them in Dagit belongs here. The environment alone sets them: of a secret its variable's name is
shown, and never its value.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dagster import Field, InitResourceContext, IOManagerDefinition, ResourceDefinition

from calback_assets.errors import SettingsError
from calback_assets.settings import Settings
from calback_assets.warehouse.io_manager import Calendar, WarehouseIOManager, opened_once_a_run
from calback_assets.warehouse.warehouse import Warehouse


def warehouse_resource(warehouse: Warehouse, settings: Settings) -> ResourceDefinition:
    """The warehouse, for whoever asks it more than the I/O manager hands over: checks, and the erasure of a person."""
    if settings.bigquery:
        given = settings.bigquery
        fields = {
            "project": _set("CALBACK_GCP_PROJECT", str, given.project),
            "dataset": _set("CALBACK_BIGQUERY_DATASET", str, given.dataset),
            "location": _set("CALBACK_BIGQUERY_LOCATION", str, given.location),
            "timeout_seconds": _set("CALBACK_BIGQUERY_TIMEOUT_SECONDS", int, given.timeout_seconds),
        }
        if given.maximum_bytes_billed is not None:
            fields["maximum_bytes_billed"] = _set("CALBACK_BIGQUERY_MAX_BYTES_BILLED", int, given.maximum_bytes_billed)
    else:
        fields = {
            "path": _set("CALBACK_DUCKDB_PATH", str, str(settings.duckdb_path)),
            "rows_at_once": _set("CALBACK_ROWS_AT_ONCE", int, settings.rows_at_once),
        }
    if settings.uses_development_key:
        fields["pseudonym_key"] = _set("CALBACK_PSEUDONYM_KEY", str, "the published development key")
    else:
        fields["pseudonym_key"] = _set("CALBACK_PSEUDONYM_KEY", {"env": str}, {"env": "CALBACK_PSEUDONYM_KEY"})

    def opened(context: InitResourceContext) -> Warehouse:
        _refuse_other(context.resource_config, fields)
        return warehouse

    opened.__name__ = type(warehouse).__name__
    engine = "A dataset of BigQuery" if settings.bigquery else "A DuckDB file, which one process at a time may write"
    return ResourceDefinition(
        opened, config_schema=fields, description=f"Where the tables are. {engine}. The environment sets it."
    )


def io_manager_resource(warehouse: Warehouse, calendar: Calendar) -> IOManagerDefinition:
    """The I/O manager, which writes what assets return into the warehouse."""
    fields = {
        "first_day": _set("CALBACK_START_DATE", str, str(calendar.first)),
        "last_day": _set("CALBACK_END_DATE", str, str(calendar.last or "none, days keep coming")),
        "timezone": _set("CALBACK_TIMEZONE", str, calendar.timezone),
    }

    def opened(context: InitResourceContext) -> Iterator[WarehouseIOManager]:
        _refuse_other(context.resource_config, fields)
        yield from opened_once_a_run(warehouse, calendar)

    opened.__name__ = WarehouseIOManager.__name__
    return IOManagerDefinition(
        opened,  # type: ignore[arg-type]  # Dagster takes a generator here as everywhere; its annotation only forgot.
        config_schema=fields,
        description="Writes what an asset returns as its table: each day is replaced whole, or stays as it was. The "
        "environment sets it.",
    )


def _set(variable: str, type_: Any, value: Any) -> Field:
    return Field(type_, default_value=value, description=variable)


def _refuse_other(config: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
    """See that a run has not been told otherwise: it would be recorded, and nothing would follow it.

    Raises:
        SettingsError: it has been.
    """
    for name, field in fields.items():
        if config[name] != field.default_value:
            raise SettingsError(
                f"{field.description} is set by the environment alone, and the run's configuration sets {name}; leave "
                "it out there"
            )
