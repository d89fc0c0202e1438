"""Which sources a deployment has.

Only the choice by settings belongs here, apart from the assembly of the platform: who looks at the sources needs no
asset, and settings that do not hold cannot be assembled.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from calback_assets.settings import ExtensionSettings, Settings
from calback_assets.sources.access_log.files import AccessLogFiles
from calback_assets.sources.access_log.log import Fields
from calback_assets.sources.daily import DailySource
from calback_assets.sources.data_folder import DataFolder, Reads
from calback_assets.sources.firestore.documents import DocumentCollection, FirestoreSource, collections
from calback_assets.sources.firestore.files import FirestoreFiles
from calback_assets.sources.ga4.files import Ga4Files
from calback_assets.tables.raw import RAW_ACCESS_LOG, RAW_EVENTS
from calback_assets.warehouse.intake import Sources

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

    from calback_assets.sources.bigquery.catalog import BigQueryCatalog


def sources_of(settings: Settings, *, only_looks: bool = False) -> Sources:
    """Where the raw tables come from; nothing is opened or called.

    Args:
        settings: choose them.
        only_looks: for whoever writes no row: BigQuery is given up within seconds, and none of its rows is fetched.
    """

    def now() -> datetime:
        return datetime.now(UTC)

    declared = collections(settings.pseudonym_key, settings.max_rejected_share)
    # None for a source that is not read from files, whose folder is nobody's business then.
    readers: dict[str, Reads | None] = {"firestore": None, "analytics": None, "access_log": None}
    documents: FirestoreSource
    if settings.extension:
        documents = _extension_of(settings.extension, declared, only_looks=only_looks)
    elif settings.firestore_project is None:
        documents = files = FirestoreFiles(settings.data_dir / "firestore", declared, settings.max_line_bytes)
        readers["firestore"] = files.reads
    else:
        from calback_assets.sources.firestore.client import connected
        from calback_assets.sources.firestore.live import LiveFirestore

        documents = LiveFirestore(settings.firestore_project, connected, declared)
    fields = Fields(settings.access_log_user_field, settings.access_log_date_field)
    daily: dict[str, DailySource] = {}
    if settings.ga4_dataset is None:
        daily[RAW_EVENTS.name] = Ga4Files(
            settings.data_dir / "analytics", settings.timezone, now, settings.max_line_bytes
        )
        readers["analytics"] = Ga4Files.reads
    if settings.access_log_table is None:
        daily[RAW_ACCESS_LOG.name] = AccessLogFiles(
            settings.data_dir / "access_log",
            settings.timezone,
            fields,
            settings.max_rejected_share,
            settings.max_line_bytes,
        )
        readers["access_log"] = AccessLogFiles.reads
    if settings.bigquery_sources:
        from calback_assets.sources.access_log.table import AccessLogTable
        from calback_assets.sources.bigquery.rows import BigQueryRows
        from calback_assets.sources.ga4.tables import Ga4Export
        from calback_assets.warehouse.bigquery.jobs import client_of, resource_of

        place = settings.bigquery_sources
        connect = cache(lambda: client_of(resource_of(place.project, place.location)))
        catalog = _catalog_of(connect, only_looks=only_looks)
        # A warehouse in BigQuery reads their tables itself.
        rows = None if settings.bigquery or only_looks else BigQueryRows(connect)
        if settings.ga4_dataset:
            daily[RAW_EVENTS.name] = Ga4Export(
                catalog, place.project, settings.ga4_dataset, settings.timezone, now, rows
            )
        if settings.access_log_table:
            daily[RAW_ACCESS_LOG.name] = AccessLogTable(
                catalog, place.project, settings.access_log_table, settings.timezone, fields, rows
            )
    return Sources(
        documents, declared, daily, DataFolder(settings.data_dir, readers) if any(readers.values()) else None
    )


def _extension_of(
    given: ExtensionSettings, declared: Mapping[str, DocumentCollection], *, only_looks: bool
) -> FirestoreSource:
    from calback_assets.sources.bigquery.rows import BigQueryRows
    from calback_assets.sources.firestore.extension import FirestoreExport
    from calback_assets.warehouse.bigquery.jobs import client_of, resource_of

    # Without a location, each query runs where what it reads lies.
    connect = cache(lambda: client_of(resource_of(given.project, None)))
    catalog = _catalog_of(connect, only_looks=only_looks)
    return FirestoreExport(catalog, BigQueryRows(connect), given.project, given.dataset, declared)


def _catalog_of(connect: "Callable[[], Client]", *, only_looks: bool) -> "BigQueryCatalog":
    from calback_assets.sources.bigquery.catalog import BigQueryCatalog
    from calback_assets.sources.bigquery.client import LOOK_SECONDS, PATIENCE_SECONDS

    return BigQueryCatalog(connect, LOOK_SECONDS if only_looks else PATIENCE_SECONDS)
