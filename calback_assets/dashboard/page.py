"""The pages: one HTML file a language that holds the figures, the pictures and what draws them, and asks for nothing.

What stands where on the page belongs here, and how it is put into one file; what is said, drawn and counted stands in
the siblings, and what the page does when somebody chooses days in `page.js`.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from calback_assets.dashboard import charts
from calback_assets.dashboard.annotations import Annotation
from calback_assets.dashboard.figures import DIMENSIONS, FEW, Figures, Rows, Values, figures_of
from calback_assets.dashboard.published import NOTHING, Published
from calback_assets.dashboard.vega import vega
from calback_assets.dashboard.words import LABELS, Labels
from calback_assets.report.page import reports_of, style

_FOLDER = Path(__file__).parent
_SHOWN_VALUES = 5


@dataclass(frozen=True)
class Picture:
    """A picture and its table."""

    name: str
    title: str
    text: str
    rows: str
    """Which of the figures it shows, and how they are cut to the days that are chosen: see `page.js`."""
    columns: Sequence[tuple[str, str, str]]
    """Of the table: name, title, and how a cell is written. Those that are drawn are counts or shares."""
    spec: charts.Spec


@dataclass(frozen=True)
class Tile:
    """A figure of the days that are chosen, beside that of as many days before."""

    title: str
    column: str
    how: str
    """mean, sum, or last."""
    kind: str
    """count or share."""


def pages_of(
    rows: Rows, annotations: Sequence[Annotation], frequent_min_days: int, before: Published = NOTHING
) -> dict[str, str]:
    """The page in every language; the same rows after the same page give the same text."""
    figures, reports = figures_of(rows, frequent_min_days, before), reports_of(rows.insight)
    return {
        language: _page(language, labels, figures, reports[language].answer, annotations, frequent_min_days)
        for language, labels in LABELS.items()
    }


def _page(
    language: str,
    labels: Labels,
    figures: Figures | None,
    answer: Sequence[str],
    annotations: Sequence[Annotation],
    frequent_min_days: int,
) -> str:
    # A third of a second to import, which a command that makes no page need not pay.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    pictures = _pictures(labels, figures, frequent_min_days) if figures else []
    scripts = [vega(), (_FOLDER / "page.js").read_text(encoding="utf-8")] if figures else []
    (other,) = LABELS.keys() - {language}
    return environment.get_template("page.html").render(
        language=language,
        labels=labels,
        other=other,
        style=Markup(style() + (_FOLDER / "page.css").read_text(encoding="utf-8")),  # noqa: S704 - files of ours
        answer=answer,
        pictures=pictures,
        figures=figures,
        content=Markup(_as_data(_content(language, labels, figures, pictures, annotations))),  # noqa: S704 - escaped
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - files of ours, and Vega
        policy=" ".join(f"'sha256-{_digest(script)}'" for script in scripts) or "'none'",
    )


def _pictures(labels: Labels, figures: Figures, frequent_min_days: int) -> Sequence[Picture]:
    day, state = ("date", labels.day, "day"), ("state", labels.state, "text")
    weeks = [(f"week_{number}", labels.week_number.format(number=number), "share") for number in figures.periods]
    return [
        Picture(
            "active",
            labels.active_title,
            labels.active_text,
            "days",
            [day, *((name, getattr(labels, name), "count") for name in ("dau", "wau", "mau")), state],
            charts.lines(labels),
        ),
        Picture(
            "before",
            labels.before_title,
            labels.before_text,
            "before",
            [
                day,
                ("dau", labels.now, "count"),
                ("before_date", labels.before_day, "day"),
                ("before", labels.before, "count"),
                state,
            ],
            charts.lines(labels),
        ),
        Picture(
            "stickiness",
            labels.stickiness_title,
            labels.stickiness_text,
            "days",
            [day, ("stickiness", labels.stickiness, "share"), state],
            charts.lines(labels, is_share=True),
        ),
        Picture(
            "frequent",
            labels.frequent_title,
            labels.frequent_text.format(days=frequent_min_days),
            "days",
            [day, ("frequent", labels.frequent, "count"), ("frequent_share", labels.frequent_share, "told"), state],
            charts.lines(labels),
        ),
        Picture(
            "lifecycle",
            labels.lifecycle_title,
            labels.lifecycle_text,
            "weeks",
            [
                ("date", labels.week, "day"),
                *((name, getattr(labels, name), "count") for name in ("returning", "new", "resurrected", "dormant")),
            ],
            charts.bars(labels),
        ),
        Picture(
            "retention",
            labels.retention_title,
            labels.retention_text,
            "cohorts",
            [("date", labels.cohort, "day"), ("size", labels.joined, "people"), *weeks],
            charts.heat(labels),
        ),
        *(
            Picture(
                name, getattr(labels, f"{name}_title"), labels.values_text, "values", [day, state], charts.lines(labels)
            )
            for name in DIMENSIONS
        ),
    ]


def _tiles(labels: Labels) -> Sequence[Tile]:
    return [
        Tile(labels.mean_dau, "dau", "mean", "count"),
        Tile(labels.last_wau, "wau", "last", "count"),
        Tile(labels.last_mau, "mau", "last", "count"),
        Tile(labels.mean_stickiness, "stickiness", "mean", "share"),
        Tile(labels.sum_new, "new_users", "sum", "count"),
        Tile(labels.last_frequent, "frequent", "last", "count"),
    ]


def _content(
    language: str,
    labels: Labels,
    figures: Figures | None,
    pictures: Sequence[Picture],
    annotations: Sequence[Annotation],
) -> Mapping[str, Any]:
    if figures is None:
        return {}
    return {
        "labels": asdict(labels),
        "few": FEW,
        "shownValues": _SHOWN_VALUES,
        "first": str(figures.first),
        "last": str(figures.last),
        "notFinal": [str(day) for day in figures.not_final],
        "restated": [str(day) for day in figures.restated],
        "notes": [
            {"date": str(note.day), "text": note.said(language)}
            for note in annotations
            if figures.first <= note.day <= figures.last
        ],
        "tiles": [asdict(tile) for tile in _tiles(labels)],
        "pictures": [
            {
                "name": picture.name,
                "rows": picture.rows,
                "columns": picture.columns,
                "spec": picture.spec,
                "rowHeight": charts.ROW_HEIGHT if picture.rows == "cohorts" else None,
            }
            for picture in pictures
        ],
        "days": figures.days,
        "weeks": figures.weeks,
        "cohorts": figures.cohorts,
        "values": {name: _named(values, labels) for name, values in figures.values.items()},
    }


def _named(values: Values, labels: Labels) -> Mapping[str, Any]:
    """The values with names in the language; one that a stranger has given the name of ours stands in quotes."""
    ours = {"": labels.rest, "unknown": labels.unknown}
    names = [ours.get(name, f"'{name}'" if name in ours.values() else name) for name in values.names]
    return {"names": names, "cells": values.cells}


def _as_data(content: Mapping[str, Any]) -> str:
    """JSON that can close no element and begin none."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
