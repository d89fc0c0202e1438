"""The stock manager for BigQuery (`dagster-gcp-pandas`) beside ours, on the emulator, from the same assets.

What the questions about BigQuery share belongs here: both managers, an asset that returns a DataFrame, and how Google's
libraries, which look for credentials and for the Storage API at Google, are given the emulator's.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

from dagster import ConfigurableIOManagerFactory, IOManager
from dagster_gcp_pandas import BigQueryPandasIOManager
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient

from benchmarks.rewrite import REWRITTEN
from benchmarks.workload import FIRST_DAY, TIMEZONE
from calback_assets.sources.bigquery.client import EMULATOR_HOST
from calback_assets.tables import TABLES
from calback_assets.warehouse.bigquery.jobs import EmulatedBigQuery
from calback_assets.warehouse.bigquery.warehouse import BigQueryWarehouse
from calback_assets.warehouse.io_manager import Calendar, WarehouseIOManager
from calback_assets_tests.bigquery.clients import Emulator, client

LOCATION = "US"
DATASET = "calback"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""The run configuration of a materialization that is one of hundreds."""

Manager = IOManager | ConfigurableIOManagerFactory[IOManager]


def new_project(emulator: Emulator, project: str) -> bigquery.Client:
    """A project with an empty dataset, and a client of it."""
    connected = client(emulator.url, project)
    connected.create_dataset(DATASET)
    return connected


def ours(emulator: Emulator, project: str) -> Manager:
    """Our manager."""
    return _ours(project, emulator.reader())


def _ours(project: str, reader: BigQueryReadClient | None) -> Manager:
    # The contracts are fixed where the platform runs; here one more is needed.
    TABLES[REWRITTEN.name] = REWRITTEN
    resource = EmulatedBigQuery(project=project, location=LOCATION)
    warehouse = BigQueryWarehouse(resource, DATASET, connect_reader=lambda _: reader)
    return WarehouseIOManager(warehouse, Calendar(FIRST_DAY, FIRST_DAY, TIMEZONE))


def ours_over_rest(_: Emulator, project: str) -> Manager:
    """Our manager where the Storage Read API cannot be had."""
    return _ours(project, None)


def stock(_: Emulator, project: str) -> Manager:
    """The stock manager, as its documentation sets it up."""
    return BigQueryPandasIOManager(project=project, dataset=DATASET, location=LOCATION)


MANAGERS: dict[str, Callable[[Emulator, str], Manager]] = {
    "ours": ours,
    "ours over REST": ours_over_rest,
    "stock": stock,
}


@contextmanager
def at_the_emulator(emulator: Emulator) -> Iterator[None]:
    """Google's libraries find the emulator, and no credentials are asked for.

    The stock manager reads the result of a query, and the emulator's Storage API serves tables alone: so it reads over
    REST.
    """
    with (
        patch.dict(os.environ, {EMULATOR_HOST: emulator.url}),
        patch("google.auth.default", lambda **_: (AnonymousCredentials(), None)),
        patch.object(bigquery.Client, "_ensure_bqstorage_client", return_value=None),
    ):
        yield
