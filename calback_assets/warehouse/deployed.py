"""Which warehouse a deployment has.

Only the choice by settings belongs here: who reads a table needs no asset, no source and no key.
"""

from calback_assets.settings import Settings
from calback_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from calback_assets.warehouse.ledger import Dependents
from calback_assets.warehouse.warehouse import Warehouse


def warehouse_of(settings: Settings, dependents: Dependents | None = None) -> Warehouse:
    """The warehouse of a deployment; nothing is opened or called.

    Args:
        settings: of the deployment.
        dependents: for each table, the partitioned tables that read it and the days they read; who writes nothing needs
            none.
    """
    if settings.bigquery is None:
        return DuckDBWarehouse(
            settings.duckdb_path,
            dependents,
            pseudonym_key=settings.pseudonym_key,
            rows_at_once=settings.rows_at_once,
        )
    # Google's libraries take a second to import, which the local deployment need not pay.
    from calback_assets.warehouse.bigquery.jobs import Limits, resource_of
    from calback_assets.warehouse.bigquery.warehouse import BigQueryWarehouse

    given = settings.bigquery
    return BigQueryWarehouse(
        resource_of(given.project, given.location),
        given.dataset,
        dependents,
        Limits(given.timeout_seconds, given.maximum_bytes_billed),
        pseudonym_key=settings.pseudonym_key,
    )
