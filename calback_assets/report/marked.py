"""Text in which names that nobody has put into words are marked, and what becomes of the marks.

A name comes from whoever sent the event: it is told apart from our own words until the very end, where it is escaped.
"""

import html
import re

from markupsafe import Markup

_OPEN, _CLOSE = "\ue000", "\ue001"
"""Of the private use area, so that they stand in no name once it is cleaned."""
_LONGEST = 60
_OF_MARKDOWN = re.compile(r"[\\`\[\]<|]")
_MARKED = re.compile(f"{_OPEN}([^{_CLOSE}]*){_CLOSE}")


def marked(name: str) -> str:
    """A name as part of a sentence, without what cannot be seen and not longer than can be read."""
    # Format characters could turn the direction of what follows; private ones could close the mark.
    visible = "".join(letter if letter.isprintable() else "�" for letter in name)
    return f"{_OPEN}{visible if len(visible) <= _LONGEST else visible[:_LONGEST] + '…'}{_CLOSE}"


def as_html(text: str) -> Markup:
    """The text for the page: everything escaped, names as code."""
    return Markup(_MARKED.sub(r'<code translate="no">\1</code>', html.escape(text)))  # noqa: S704 - escaped just now


def as_markdown(text: str) -> str:
    """The text for Dagit's Markdown: nothing in it is a link, a picture, HTML or the end of a cell."""
    return _OF_MARKDOWN.sub(r"\\\g<0>", text).replace("\n", " ")


def as_text(text: str) -> str:
    """The text for a terminal, or for where it is shown as it is."""
    return text.replace(_OPEN, "'").replace(_CLOSE, "'")
