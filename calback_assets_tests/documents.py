"""What stands in the documents of the repository: their fenced blocks, and the commands in those.

Only reading belongs here; what is run of it stands in the tests.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_STEP = re.compile(r"(?:#|--) (append to|write) (\S+)\n")


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    document: str
    language: str
    text: str

    @property
    def step(self) -> tuple[str, Path] | None:
        """Where a reader puts it: whether to append, and to which file; None where it is put nowhere."""
        found = _STEP.match(self.text)
        return (found[1], Path(found[2])) if found else None

    @property
    def statements(self) -> str:
        """The text without the line that says where to put it."""
        return _STEP.sub("", self.text, count=1)

    @property
    def commands(self) -> list[str]:
        """Its lines as a shell reads them: joined where they go on, without comments."""
        lines = self.text.replace("\\\n", " ").splitlines()
        bare = [re.sub(r"(^|\s+)#.*$", "", line) for line in lines]
        return [" ".join(line.split()) for line in bare if line.strip()]


def blocks(document: str) -> list[Block]:
    """The fenced blocks of a document, as written, in their order."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return [Block(document, language, textwrap.dedent(found)) for _, language, found in _BLOCK.findall(text)]


def documents() -> Iterator[str]:
    """Every document that a person follows, the way in first."""
    yield from ("README.md", "README.ko.md", "CONTRIBUTING.md")
    yield from sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
