"""Tests of the tables of firestore-bigquery-export as a source: which is read, as of when, and what its rows mean.

`Dataset` stands for BigQuery where only the source's own rules are asked for; the emulator is where Google's are.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from unittest.mock import patch

import pyarrow as pa
import pytest
from google.api_core.exceptions import Forbidden, InvalidArgument
from google.auth.exceptions import DefaultCredentialsError
from google.cloud.bigquery import DatasetReference
from hypothesis import given, settings
from hypothesis import strategies as st

from calback_assets.errors import SettingsError, SourceError
from calback_assets.sources.bigquery.catalog import BigQueryCatalog
from calback_assets.sources.bigquery.rows import BigQueryRows, selection, streamed
from calback_assets.sources.firestore.documents import Snapshot
from calback_assets.sources.firestore.extension import FirestoreExport
from calback_assets_tests.bigquery.clients import Emulator
from calback_assets_tests.sources.bigquery.tables import PROJECT, Tables
from calback_assets_tests.sources.firestore import test_forms as forms
from calback_assets_tests.sources.firestore.test_forms import CHANGELOG, CHANGELOG_ROWS, DECLARED, MEETINGS, change
from calback_assets_tests.sources.helpers import MARK, write_lines

NOW = datetime(2024, 4, 1, tzinfo=UTC)
COLUMNS = {
    "timestamp": "TIMESTAMP",
    "event_id": "STRING",
    "document_name": "STRING",
    "operation": "STRING",
    "data": "STRING",
    "old_data": "STRING",
    "document_id": "STRING",
}
MADE = "2024-03-01 00:00:00 UTC"
USER = change("u1", MADE, "CREATE", {"flag": 1})
MEETING = change("m1", MADE, "CREATE", {"owner": "u1"}, document_name=f"{MEETINGS}/m1")
OTHER = change("p1", MADE, "CREATE", {}, document_name="projects/calback/databases/(default)/documents/posts/p1")
Rows = Sequence[Mapping[str, object]]


class Dataset:
    """Tables that hold rows, at `NOW`; a view's name begins with `view`."""

    def __init__(self, **tables: Rows) -> None:
        self._tables = tables
        self.read: list[tuple[str, datetime | None]] = []

    def tables(self, _: object) -> Collection[str]:
        return self._tables.keys()

    def columns(self, _: object, table: str) -> Mapping[str, str] | None:
        rows = self._tables[table]
        return dict.fromkeys(rows[0], "STRING") if rows else COLUMNS

    def is_view(self, _: object, table: str) -> bool:
        return table.startswith("view")

    def any_of(self, _: object, table: str, column: str) -> object:
        return next((row[column] for row in self._tables[table]), None)

    def now(self, _: object) -> datetime:
        return NOW

    def batches(
        self, _: object, table: str, columns: Sequence[str], where: str = "", at: datetime | None = None
    ) -> Iterator[pa.RecordBatch]:
        assert not where
        self.read.append((table, at))
        if rows := self._tables[table]:
            yield from pa.Table.from_pylist([{name: row[name] for name in columns} for row in rows]).to_batches(2)

    def source(self) -> FirestoreExport:
        return FirestoreExport(self, self, PROJECT, "firestore_export", DECLARED)

    def snapshot(self, table: str = "raw_users") -> Snapshot:
        return self.source().snapshots([table], lambda _: None)[table]


def failure(**tables: Rows) -> str:
    with pytest.raises(SourceError) as caught:
        Dataset(**tables).snapshot()
    assert MARK not in str(caught.value)
    return str(caught.value)


def test_of_each_document_its_latest_row_holds_as_in_a_file() -> None:
    found = Dataset(users_raw_changelog=CHANGELOG).snapshot()
    assert found.snapshot_at == forms.MODIFIED == NOW
    assert sorted(forms.facts(found, *forms.COLUMNS)) == CHANGELOG_ROWS


def test_rows_tell_the_collection_and_those_of_others_are_nobody_s_business() -> None:
    source = Dataset(a_raw_changelog=[OTHER], b_Raw_Changelog=[MEETING], c_raw_changelog=[], raw=[USER]).source()
    assert source.has("raw_meetings")
    assert source.where("raw_meetings") == f"table firestore_export.b_Raw_Changelog in project {PROJECT}"
    assert not source.has("raw_users")
    assert source.where("raw_users") == f"dataset firestore_export in project {PROJECT}"
    assert source.snapshots(["raw_users"], pytest.fail)["raw_users"].documents == 0


def test_a_changelog_is_read_before_a_table_of_latest_changes_which_is_read_where_it_is_alone() -> None:
    latest = change("u1", "2024-03-05 00:00:00 UTC", "UPDATE", {"flag": 5})
    both = Dataset(a_raw_latest=[latest], b_raw_changelog=[USER])
    assert forms.facts(both.snapshot(), "flag") == [(1,)]
    alone = Dataset(a_raw_latest=[latest], b_raw_changelog=[MEETING]).snapshot()
    assert forms.facts(alone, "user_id", "flag", "created_at", "updated_at") == [
        ("u1", 5, forms.march(5), forms.march(5))
    ]


def test_two_changelogs_of_a_collection_are_refused_by_name() -> None:
    assert failure(old_raw_changelog=[USER], new_raw_changelog=[USER]) == (
        "firestore_export: new_raw_changelog and old_raw_changelog hold the same collection, userCollection. Keep one, "
        "or set CALBACK_DOCUMENTS_DATASET to a dataset that has one."
    )


def test_tables_are_read_as_of_one_moment_and_a_view_has_none() -> None:
    found = Dataset(u_raw_changelog=[USER], view_raw_latest=[MEETING])
    snapshots = found.source().snapshots(DECLARED, lambda _: None)
    assert found.read == [("u_raw_changelog", NOW), ("view_raw_latest", None)]
    assert {snapshot.snapshot_at for snapshot in snapshots.values()} == {NOW}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"document_name": f"{MEETINGS}/{MARK}"}, "a row: document_name: not the name of a document of userCollection"),
        ({"timestamp": "2024-03-01 10:00:00"}, "document u2: timestamp: a timestamp without a time zone"),
        ({"operation": MARK}, "document u2: operation: none of IMPORT, CREATE, UPDATE, DELETE"),
        ({"data": None}, "document u2: data: expected a string, found NoneType"),
        ({"data": MARK}, "document u2: data: expected an object with the document's fields, as text"),
    ],
)
def test_what_is_no_row_of_the_extension_is_named_and_not_quoted(row: Mapping[str, object], problem: str) -> None:
    wrong = change("u2", MADE, "CREATE", {}) | row
    assert failure(a_raw_changelog=[USER, wrong]) == (
        f"firestore_export.a_raw_changelog, {problem}. Correct or delete what the extension did not write."
    )


def test_a_table_of_another_make_is_refused() -> None:
    lacking = {name: value for name, value in USER.items() if name != "operation"}
    assert failure(a_raw_changelog=[lacking]) == (
        "firestore_export.a_raw_changelog: has no column operation. Set CALBACK_DOCUMENTS_DATASET to the dataset of "
        "the extension firestore-bigquery-export."
    )


def test_a_dataset_that_cannot_be_one_is_an_error_of_the_setting() -> None:
    with pytest.raises(SettingsError) as caught:
        FirestoreExport(Dataset(), Dataset(), PROJECT, "firestore-export", DECLARED)
    assert str(caught.value) == (
        "CALBACK_DOCUMENTS_DATASET names no dataset ('firestore-export' cannot be one); set it to the dataset of the "
        "extension firestore-bigquery-export"
    )


@st.composite
def changelogs(draw: st.DrawFn) -> list[dict[str, object]]:
    """Rows of few documents and few moments, so that they meet."""
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from("abc"),
                st.sampled_from([f"2024-03-0{day} 00:00:00 UTC" for day in (1, 2, 3)]),
                st.sampled_from(["CREATE", "UPDATE", "DELETE", "IMPORT"]),
                st.fixed_dictionaries({}, optional={"flag": st.integers(0, 2), "email": st.text(max_size=3)}),
            ),
            min_size=1,
            max_size=8,
        )
    )
    return [change(id_, at, operation, None if operation == "DELETE" else data) for id_, at, operation, data in rows]


@settings(max_examples=50, deadline=None)
@given(rows=changelogs(), data=st.data())
def test_the_same_rows_in_any_order_and_in_a_file_are_the_same_documents(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("changes")
    write_lines(folder / "userCollection.jsonl", rows)
    shuffled = Dataset(a_raw_changelog=data.draw(st.permutations(rows))).snapshot()
    assert shuffled.rows.sort_by("user_id") == forms.read(folder).rows.sort_by("user_id")


def exported(tables: Tables, emulator: Emulator | None = None) -> FirestoreExport:
    """The emulator's dataset as the source; streamed where its address is given, else in pages."""
    rows = BigQueryRows(lambda: tables.client, lambda _: emulator.reader() if emulator else None)
    return FirestoreExport(BigQueryCatalog(lambda: tables.client), rows, PROJECT, tables.dataset, DECLARED)


def test_tables_and_views_are_read_from_bigquery_itself(tables: Tables, emulator: Emulator) -> None:
    tables.add("users_raw_changelog", COLUMNS, CHANGELOG)
    tables.add("meetings", COLUMNS, [MEETING])
    name = f"{PROJECT}.{tables.dataset}"
    tables.client.query(f"CREATE VIEW `{name}.m_raw_latest` AS SELECT * FROM `{name}.meetings`").result()
    paged = exported(tables).snapshots(DECLARED, lambda _: None)
    assert forms.facts(paged["raw_meetings"], "meeting_id", "owner_id") == [("m1", "u1")]
    streamed = exported(tables, emulator).snapshots(["raw_users"], lambda _: None)
    for snapshot in (paged["raw_users"], streamed["raw_users"]):
        expected = [(*row[:-1], snapshot.snapshot_at) for row in CHANGELOG_ROWS]
        assert sorted(forms.facts(snapshot, *forms.COLUMNS)) == expected


def test_a_dataset_that_is_not_there_is_named_with_its_setting(tables: Tables) -> None:
    catalog = BigQueryCatalog(lambda: tables.client)
    rows = BigQueryRows(lambda: tables.client)
    with pytest.raises(SourceError) as caught:
        FirestoreExport(catalog, rows, PROJECT, "other.nothing", DECLARED).has("raw_users")
    assert str(caught.value) == (
        "CALBACK_DOCUMENTS_DATASET: dataset nothing does not exist in project other; set it to the dataset of the "
        "extension firestore-bigquery-export"
    )


def test_missing_credentials_and_denied_tables_are_said_in_a_line(tables: Tables) -> None:
    def connect() -> object:
        raise DefaultCredentialsError(MARK)

    source = FirestoreExport(BigQueryCatalog(connect), BigQueryRows(connect), PROJECT, "d", DECLARED)
    with pytest.raises(SourceError, match=r"^no Google credentials were found; ") as caught:
        source.has("raw_users")
    assert MARK not in str(caught.value)
    tables.add("users_raw_changelog", COLUMNS, [USER])
    with (
        patch.object(tables.client, "list_rows", side_effect=Forbidden(f"Access Denied: User {MARK}")),
        pytest.raises(SourceError, match=r"table analytics_\d+\.users_raw_changelog .* may not be read; ") as caught,
    ):
        exported(tables).has("raw_users")
    assert MARK not in str(caught.value)


def test_a_table_is_asked_for_as_it_was() -> None:
    at = datetime(2024, 3, 1, 2, 3, 4, 5, UTC)
    assert selection("`a.b.c`", ["x"], at=at) == (
        "SELECT `x` FROM `a.b.c` FOR SYSTEM_TIME AS OF TIMESTAMP '2024-03-01T02:03:04.000005+00:00'"
    )


def test_what_the_storage_api_does_not_read_is_left_to_a_query() -> None:
    class Reader:
        def create_read_session(self, *, read_session: object, **_: object) -> None:
            self.asked = read_session
            raise InvalidArgument("a view")

    reader, at = Reader(), datetime(2024, 3, 1, 2, 3, 4, 5, UTC)
    table = DatasetReference(PROJECT, "d").table("v")
    assert streamed(reader, PROJECT, table, ["x"], "", at) is None
    assert reader.asked.table_modifiers.snapshot_time == at
