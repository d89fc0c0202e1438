"""How a figure of matplotlib becomes an SVG that follows the page: its colours, its fonts, its words.

Figures are drawn in the colours of the light page; `svg` puts variables in their place. What is drawn stands in
`pictures`.
"""

import html
import io
import re
from collections.abc import Mapping
from typing import Any
from unicodedata import east_asian_width

from calback_assets.report.marked import as_text

LIGHT = {
    "ink": "#1b1f24",
    "muted": "#57606b",
    "line": "#c9d1d8",
    "paper": "#fffffe",
    "blue": "#0072b2",
    "orange": "#c04f00",
    "green": "#00805d",
    "purple": "#8f4a86",
}
"""After Okabe and Ito, who chose them for people who see fewer colours; some are darker, so that they can be read."""
DARK = {
    "ink": "#e7ecf1",
    "muted": "#a3adb8",
    "line": "#3d454e",
    "paper": "#15191e",
    "blue": "#5ab4ea",
    "orange": "#f2a04f",
    "green": "#35c79b",
    "purple": "#d79bd0",
}
WIDTH = 8.0
"""Inches; 576 of the picture's own units."""

_STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # A name with two dollars in it is no formula.
    "axes.edgecolor": LIGHT["line"],
    "axes.labelcolor": LIGHT["muted"],
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 9,
    "grid.color": LIGHT["line"],
    "grid.linewidth": 0.6,
    "hatch.color": LIGHT["line"],
    "hatch.linewidth": 1.2,
    "text.color": LIGHT["ink"],
    "xtick.color": LIGHT["line"],
    "xtick.labelcolor": LIGHT["muted"],
    "ytick.color": LIGHT["line"],
    "ytick.labelcolor": LIGHT["muted"],
}
_SPACE = re.compile(r"\s+")


class Canvas:
    """A figure whose words are put in at the end: matplotlib has a font for no more than some of them."""

    def __init__(self, height: float) -> None:
        """A figure of the width of the page and so many inches high."""
        # Matplotlib takes half a second to import, which a run that draws nothing need not pay.
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        self._words: list[str] = []
        with rc_context(_STYLE):
            self.figure: Figure = Figure(figsize=(WIDTH, height))
            self.axes = self.figure.add_axes((0, 0, 1, 1))

    def place(self, left: float, bottom: float, right: float, top: float) -> None:
        """Leave so many inches at each side of the axes."""
        height = float(self.figure.get_figheight())
        self.axes.set_position(
            (left / WIDTH, bottom / height, (WIDTH - left - right) / WIDTH, (height - bottom - top) / height)
        )

    def say(self, text: str) -> str:
        """What to draw in the place of a text; a marked name is quoted."""
        self._words.append(as_text(text))
        # As wide as the text will be, about: matplotlib puts legends in columns by it.
        return f"@{len(self._words) - 1}{'n' * columns_of(text)}@"

    def svg(self, name: str, title: str, description: str) -> str:
        """The picture for the page, with a text in its place for who cannot see it.

        The same figure gives the same bytes.
        """
        from matplotlib import rc_context

        file = io.StringIO()
        with rc_context({**_STYLE, "svg.hashsalt": name}):
            nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
            self.figure.savefig(file, format="svg", metadata=nothing, transparent=True)
        _, _, drawn = file.getvalue().partition("<defs>")
        drawn = re.sub(r"<style.*?</style>", "", f"<defs>{drawn}", flags=re.DOTALL)
        # Ids of groups would be the same in every picture of the page; those that something refers to are hashes.
        referred = set(re.findall(r"#([\w-]+)[\")]", drawn))
        drawn = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in referred else "", drawn)
        drawn = re.sub(r"font-family: [^;\"]*; ?", "", re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", drawn))
        drawn = re.sub(r"@(\d+)n*@", lambda found: html.escape(self._words[int(found[1])]), drawn)
        drawn = _SPACE.sub(" ", re.sub(r"<!--.*?-->", "", drawn, flags=re.DOTALL))
        size = " ".join(f"{72 * inches:g}" for inches in (WIDTH, self.figure.get_figheight()))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 {size}" '
            f'role="img" aria-labelledby="{name}-title {name}-text" stroke-linejoin="round">'
            f'<title id="{name}-title">{html.escape(as_text(title))}</title>'
            f'<desc id="{name}-text">{html.escape(as_text(description))}</desc>{drawn.strip()}'
        )


def columns_of(text: str) -> int:
    """About how wide a text is, in Latin letters."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in as_text(text))


def in_variables(svg: str) -> str:
    """The picture in the colours of the page, whichever it has on."""
    return _recoloured(svg, {colour: f"var(--{name})" for name, colour in LIGHT.items()})


def on_its_own(svg: str) -> str:
    """The picture as a file of its own, on white, for where there is no page."""
    background = f'<rect width="100%" height="100%" fill="{LIGHT["paper"]}"/>'
    # Without a size of its own, an image of it would be as small as browsers make those.
    opening = re.sub(
        r'viewBox="0 0 (\S+) (\S+)"', r'\g<0> width="\1pt" height="\2pt" font-family="sans-serif"', svg, count=1
    )
    return opening.replace("<defs>", f"{background}<defs>", 1)


def variables(colours: Mapping[str, str]) -> str:
    """The colours as CSS."""
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())


def _recoloured(svg: str, colours: Mapping[str, str]) -> str:
    for colour, variable in colours.items():
        svg = svg.replace(colour, variable)
    return svg
