"""The file of what happened on which day: what is taken, and what is refused with its line."""

from datetime import date

import pytest

from calback_assets.dashboard.annotations import Annotation, annotations_of
from calback_assets.errors import SourceError


def test_lines_are_taken_in_the_order_of_their_days_and_a_korean_text_where_there_is_one() -> None:
    content = 'date,text,text_ko\n2024-04-10,"Election, a day off",총선\n\n2024-03-01,Version 2.0,\n'
    first, second = annotations_of(content, "notes.csv")
    assert first == Annotation(date(2024, 3, 1), "Version 2.0", "Version 2.0")
    assert (second.day, second.said("en"), second.said("ko")) == (date(2024, 4, 10), "Election, a day off", "총선")


def test_the_korean_column_may_be_missing() -> None:
    (note,) = annotations_of("date,text\n2024-03-01,Version 2.0\n", "notes.csv")
    assert note.said("ko") == "Version 2.0"


@pytest.mark.parametrize(
    ("content", "line", "why"),
    [
        ("", 1, "it begins with the names of its columns, date,text,text_ko"),
        ("day,text\n", 1, "it begins with the names of its columns, date,text,text_ko"),
        ("date,text\n2024-03-01,a\n2024-02-30,b\n", 3, "its date is no day; write it as YYYY-MM-DD"),
        ("date,text\n01.03.2024,b\n", 2, "its date is no day; write it as YYYY-MM-DD"),
        ("date,text\n2024-03-01, \n", 2, "its text is empty, or longer than 200 characters"),
        ("date,text\n2024-03-01," + "x" * 201, 2, "its text is empty, or longer than 200 characters"),
        ("date,text\n2024-03-01,a,b\n", 2, "it has 3 columns, not 2; put a text with a comma into quotes"),
        ('date,text\n2024-03-01,"a\n', 2, "a quotation mark is not closed, or closes too early"),
    ],
)
def test_a_line_that_is_none_is_named(content: str, line: int, why: str) -> None:
    with pytest.raises(SourceError) as raised:
        annotations_of(content, "notes.csv")
    assert str(raised.value) == f"notes.csv, line {line}: {why}"
