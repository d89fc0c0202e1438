"""Assets of the group `app`: what the app leaves behind, where the platform finds it. Nothing here is ever run.

What each source is, where it is, and which of its fields the columns of the raw tables follow from belong here; how it
is read stands in `calback_assets/sources`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dagster import AssetKey, AssetSpec, MetadataValue, TableColumn, TableColumnDep, TableSchema

from calback_assets.assets.owners import OWNERS
from calback_assets.settings import Settings
from calback_assets.sources.access_log.log import Fields
from calback_assets.sources.firestore.documents import collections
from calback_assets.sources.ga4.export import ORIGINS
from calback_assets.tables import TABLES, Privacy
from calback_assets.tables.raw import RAW_ACCESS_LOG, RAW_EVENTS, RAW_MEETINGS, RAW_USERS

SOURCES = {
    RAW_USERS.name: AssetKey(["firestore", "userCollection"]),
    RAW_MEETINGS.name: AssetKey(["firestore", "meetingsCollection"]),
    RAW_EVENTS.name: AssetKey(["analytics", "events"]),
    RAW_ACCESS_LOG.name: AssetKey(["access_log", "opens"]),
}
"""What each raw table is made of."""

_FIRESTORE = "https://firebase.google.com/docs/firestore/data-model"


@dataclass(frozen=True)
class AppSource:
    """A source of the app's, of which one raw table is made."""

    table: str
    description: str
    kinds: frozenset[str]
    where: MetadataValue[Any]
    documentation: str
    origins: Mapping[str, str]
    """The field that each stored column of the raw table follows from."""

    @property
    def key(self) -> AssetKey:
        """Of the external asset."""
        return SOURCES[self.table]

    @property
    def lineage(self) -> Mapping[str, list[TableColumnDep]]:
        """Of each column of the raw table, the field that it follows from."""
        return {column: [TableColumnDep(self.key, field)] for column, field in self.origins.items()}

    @property
    def spec(self) -> AssetSpec:
        """The external asset: it has no days, since the whole of it is looked at by every run."""
        return AssetSpec(
            self.key,
            group_name="app",
            description=self.description,
            owners=OWNERS,
            kinds=set(self.kinds),
            metadata={
                "where": self.where,
                "documentation": MetadataValue.url(self.documentation),
                "dagster/column_schema": self._schema(),
            },
        )

    def _schema(self) -> TableSchema:
        """The fields that are looked at, and what becomes of each."""
        becomes: dict[str, list[str]] = {}
        for column in TABLES[self.table].declared:
            if column.privacy is Privacy.DROP:
                becomes.setdefault(column.name, []).append(f"{column.description} Dropped.")
            else:
                hashed = ", hashed" if column.privacy is Privacy.HASH else ""
                said = f"`{self.table}.{column.name}`{hashed}: {column.description}"
                becomes.setdefault(self.origins[column.name], []).append(said)
        return TableSchema([TableColumn(field, "", "\n\n".join(said)) for field, said in becomes.items()])


def app_sources(settings: Settings) -> list[AppSource]:
    """The four sources, where these settings say that they are; nothing is opened or called."""
    of_documents = collections(settings.pseudonym_key, settings.max_rejected_share)
    return [
        AppSource(
            RAW_USERS.name,
            "The collection of Firestore in which the app keeps its people, a document for each account: profile, "
            "friends, requests and settings.\n\n**Mind.** It is read as it is now. Names, pictures and push tokens are "
            "left where they are.",
            *_documents(settings, "userCollection"),
            _FIRESTORE,
            of_documents[RAW_USERS.name].origins,
        ),
        AppSource(
            RAW_MEETINGS.name,
            "The collection of Firestore in which the app keeps meetings and proposals of meetings, a document for "
            "each: whose, when, and who accepted.\n\n**Mind.** It is read as it is now. Titles are left where they "
            "are.",
            *_documents(settings, "meetingsCollection"),
            _FIRESTORE,
            of_documents[RAW_MEETINGS.name].origins,
        ),
        AppSource(
            RAW_EVENTS.name,
            "The events that Google Analytics 4 collects in the app, as it exports them to BigQuery: a table a day, a "
            "row an event.\n\n**Mind.** Google writes a day's table anew for up to three days. Only these fields are "
            "read.",
            frozenset({"googleanalytics", "bigquery" if settings.ga4_dataset else "file"}),
            _table(settings, f"{settings.ga4_dataset}.events_*")
            if settings.ga4_dataset
            else _folder(settings, "analytics"),
            "https://support.google.com/analytics/answer/7029846",
            ORIGINS,
        ),
        AppSource(
            RAW_ACCESS_LOG.name,
            "The log in which the backend notes who opened the app on which day, as Kafka hands it on: a row a "
            "message.\n\n**Mind.** Kafka may deliver a message twice.",
            frozenset({"kafka", "bigquery" if settings.access_log_table else "file"}),
            _table(settings, settings.access_log_table)
            if settings.access_log_table
            else _folder(settings, "access_log"),
            "https://kafka.apache.org/documentation/#intro_concepts_and_terms",
            Fields(settings.access_log_user_field, settings.access_log_date_field).origins,
        ),
    ]


def _documents(settings: Settings, collection: str) -> tuple[frozenset[str], MetadataValue[Any]]:
    """By which names the place of a collection is known, and where it is."""
    if settings.extension:
        where = f"the changes of {collection} in {_full(settings.extension.project, settings.extension.dataset)}"
        return frozenset({"firestore", "bigquery"}), MetadataValue.text(where)
    if settings.firestore_project:
        where = f"{collection} of the project {settings.firestore_project}"
        return frozenset({"firestore"}), MetadataValue.text(where)
    return frozenset({"firestore", "file"}), _folder(settings, "firestore")


def _folder(settings: Settings, name: str) -> MetadataValue[Any]:
    return MetadataValue.path(settings.data_dir / name)


def _table(settings: Settings, name: str) -> MetadataValue[Any]:
    project = settings.bigquery_sources.project if settings.bigquery_sources else ""
    return MetadataValue.text(_full(project, name, parts=3))


def _full(project: str, name: str, parts: int = 2) -> str:
    """The name with its project, which it may name itself."""
    return name if name.count(".") >= parts - 1 else f"{project}.{name}"
