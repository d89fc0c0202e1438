"""A folder of files, and two warehouses that are made of it: one in DuckDB, and one in a project of the emulator.

Only what several tests of such worlds share belongs here; what is in the folder is theirs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import pytest
from dagster import AssetKey, DagsterInstance, ExecuteInProcessResult, JobDefinition
from google.cloud import bigquery

from calback_assets.automation.jobs import DAILY_JOB_NAME
from calback_assets.partitions import RANGE_END_TAG, RANGE_START_TAG
from calback_assets.settings import Settings
from calback_assets_tests.assets.worlds import Platform, build_defs
from calback_assets_tests.bigquery.clients import Client, Emulator, client


@dataclass(frozen=True)
class World:
    """The folder and the warehouse of `local`, and the one in BigQuery beside it."""

    local: Platform
    client: Client

    @property
    def settings(self) -> Settings:
        """Those of the warehouse in BigQuery."""
        return Settings.from_env(
            {
                **self.local.environ,
                "CALBACK_WAREHOUSE": "bigquery",
                "CALBACK_GCP_PROJECT": self.client.project,
                # The key that a warehouse on this machine hashes with.
                "CALBACK_PSEUDONYM_KEY": "calback-development-key-not-a-secret",
            }
        )

    @cached_property
    def _job(self) -> JobDefinition:
        return build_defs(self.settings).resolve_job_def(DAILY_JOB_NAME)

    def run(self, *assets: str) -> ExecuteInProcessResult:
        """Write all days of these tables in BigQuery; a failure is in the result."""
        with DagsterInstance.ephemeral() as instance:
            return self._job.execute_in_process(
                instance=instance,
                tags={RANGE_START_TAG: str(self.local.first), RANGE_END_TAG: str(self.local.last)},
                asset_selection=[AssetKey(name) for name in assets],
                raise_on_error=False,
            )

    def tables(self) -> set[str]:
        """The names of all tables in BigQuery."""
        return {table.table_id for table in self.client.list_tables("calback")}


@contextmanager
def beside_bigquery(local: Platform, emulator: Emulator, project: str) -> Iterator[World]:
    """The world of a folder, its warehouse in BigQuery still empty."""
    with client(emulator.url, project) as bigquery_client, pytest.MonkeyPatch.context() as patched:
        patched.setenv("BIGQUERY_EMULATOR_HOST", emulator.url)
        dataset = bigquery.Dataset(f"{project}.calback")
        dataset.location = "asia-northeast3"
        bigquery_client.create_dataset(dataset)
        yield World(local, bigquery_client)
