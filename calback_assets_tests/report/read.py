"""A page as a reader finds it: its text, its tables, and every element with its attributes."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_WITHOUT_END = {"meta", "br", "link", "img", "input"}


@dataclass
class Page(HTMLParser):
    """What stands in an HTML file."""

    html: str
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    """By caption: the rows, of which the first holds the names of the columns."""
    text: str = ""
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read it."""
        super().__init__()
        self.feed(self.html)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag in _WITHOUT_END:
            return
        self.open.append(tag)
        if tag == "caption":
            self._caption = ""
        elif tag == "tr":
            self.tables[self._caption].append([])
        elif tag in ("td", "th"):
            self.tables[self._caption][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "caption":
            self.tables[self._caption] = []

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        if "caption" in self.open:
            self._caption += data
        elif {"td", "th"} & {*self.open}:
            self.tables[self._caption][-1][-1] += data
        if "style" not in self.open:
            self.text += data

    def row(self, caption: str, name: str) -> dict[str, str]:
        """A row of a table by the names of its columns, those of the same name with a number behind."""
        columns, *rows = self.tables[caption]
        (found,) = [row for row in rows if row[0] == name]
        return dict(zip(columns, found, strict=True))
