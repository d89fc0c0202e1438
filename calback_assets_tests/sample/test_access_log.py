"""The access log: its days, its two shapes, and what Kafka delivers twice."""

from calback_assets_tests.sample.helpers import Sample


def test_every_row_lies_in_the_folder_of_its_day_and_belongs_to_a_user(sample: Sample) -> None:
    users = {document["id"] for document in sample.documents("userCollection")}
    days = set()
    for folder in (sample.folder / "access_log").iterdir():
        day = folder.name.removeprefix("date=")
        days.add(day)
        assert [path.name for path in folder.iterdir()] == ["part-0.jsonl"]
        assert f'"date":"{day}"' in (folder / "part-0.jsonl").read_text(encoding="utf-8").splitlines()[0]
    rows = sample.query("SELECT DISTINCT CAST(date AS VARCHAR), userId FROM opens")
    assert {day for day, _ in rows} == days
    assert {user for _, user in rows} <= users


def test_the_earliest_days_have_no_kafka_coordinates(sample: Sample) -> None:
    assert sample.query(
        "SELECT topic, CAST(min(date) AS VARCHAR), CAST(max(date) AS VARCHAR)"
        " FROM opens GROUP BY topic ORDER BY topic NULLS FIRST"
    ) == [(None, "2024-01-01", "2024-01-15"), ("app-open", "2024-01-16", "2024-02-14")]


def test_few_messages_are_delivered_twice_word_for_word(sample: Sample) -> None:
    [(rows, offsets, contents)] = sample.query(
        'SELECT count(*), count(DISTINCT (topic, partition, "offset")), count(DISTINCT opens)'
        " FROM opens WHERE topic IS NOT NULL"
    )
    assert offsets == contents
    assert 0.001 < (rows - offsets) / rows < 0.01


def test_the_offsets_of_a_partition_have_no_holes(sample: Sample) -> None:
    holes = sample.query(
        'SELECT partition, max("offset") - min("offset") + 1 - count(DISTINCT "offset"), min("offset")'
        " FROM opens WHERE topic IS NOT NULL GROUP BY partition ORDER BY partition"
    )
    assert holes == [(0, 0, 0), (1, 0, 0), (2, 0, 0)]


def test_people_open_the_app_more_often_than_once_a_day(sample: Sample) -> None:
    [(rows, days_of_people)] = sample.query(
        'SELECT count(*), count(DISTINCT (date, "userId")) FROM opens WHERE topic IS NULL'
    )
    assert rows > days_of_people * 1.1
