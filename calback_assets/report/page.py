"""The page: one HTML file a language that asks nothing of any network, and the same pictures for Dagit.

What stands where on the page belongs here; what is said, drawn and tabulated stands in the siblings.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from markupsafe import Markup

from calback_assets.report import grids, pictures
from calback_assets.report.drawing import DARK, LIGHT, in_variables, on_its_own, variables
from calback_assets.report.english import English
from calback_assets.report.findings import Findings, Insight, findings_of
from calback_assets.report.grids import Grid
from calback_assets.report.korean import Korean
from calback_assets.report.marked import as_html, as_text
from calback_assets.report.series import flows_of, heat_of, power_of
from calback_assets.report.words import Words

LANGUAGES: dict[str, Words] = {words.code: words for words in (English(), Korean())}
"""In which there is a page."""

_FOLDER = Path(__file__).parent
_MOST_CONFOUNDED = 5

T = TypeVar("T")


@dataclass(frozen=True)
class Picture:
    """A picture with its table; without either where there is not enough data."""

    name: str
    title: str
    text: str
    svg: str | None
    grid: Grid | None

    @property
    def markdown(self) -> str:
        """The picture for Dagit."""
        if self.svg is None:
            return ""
        encoded = base64.b64encode(on_its_own(self.svg).encode()).decode()
        return f"![{self.title}](data:image/svg+xml;base64,{encoded})"


@dataclass(frozen=True)
class Part:
    """A section of the page."""

    name: str
    heading: str
    sentences: Sequence[str]
    pictures: Sequence[Picture]
    grids: Sequence[Grid] = ()


@dataclass(frozen=True)
class Report:
    """The report in one language."""

    insight: Insight
    findings: Findings
    words: Words

    @property
    def answer(self) -> Sequence[str]:
        """The three main sentences as plain text."""
        return [as_text(sentence) for sentence in self.words.answer(self.findings)]

    @cached_property
    def pictures(self) -> Sequence[Picture]:
        """All pictures, in the order of the page."""
        return [picture for part in self.parts for picture in part.pictures]

    @cached_property
    def parts(self) -> Sequence[Part]:
        """The sections below the answer."""
        found, words, labels = self.findings, self.words, self.words.labels
        first_week, best = found.first_week, found.best
        frequent = found.frequent if found.frequent and found.frequent.doings else None
        compared = first_week if first_week and pictures.forest_rows(first_week) else None
        judged = best if best and any(not decile.is_small for decile in best.deciles) else None
        return [
            Part(
                "frequent",
                labels.frequent,
                [words.presence(found.frequent)] if found.frequent and found.frequent.more_people_only else [],
                [
                    self._picture(
                        "rates", labels.rates_title, labels.rates_text, frequent, pictures.draw_rates, grids.rates_grid
                    ),
                    self._picture(
                        "power",
                        labels.power_title,
                        labels.power_text,
                        power_of(self.insight.power),
                        pictures.draw_power,
                        grids.power_grid,
                    ),
                ],
            ),
            Part(
                "first-week",
                labels.first_week,
                [words.unseen(first_week.helpful)] if first_week and first_week.helpful else [],
                [
                    self._picture(
                        "forest",
                        labels.forest_title,
                        labels.forest_text,
                        compared,
                        pictures.draw_forest,
                        grids.forest_grid,
                    )
                ],
                [grids.months_grid(first_week, words)] if first_week and first_week.by_month else [],
            ),
            Part(
                "prediction",
                labels.prediction,
                [],
                [
                    self._picture(
                        "calibration",
                        labels.calibration_title,
                        labels.calibration_text,
                        judged,
                        pictures.draw_calibration,
                        grids.deciles_grid,
                    )
                ],
                [grids.importance_grid(best, words)] if best and best.importance else [],
            ),
            Part(
                "returning",
                labels.returning,
                [],
                [
                    self._picture(
                        "retention",
                        labels.retention_title,
                        labels.retention_text,
                        heat_of(self.insight.retention),
                        pictures.draw_retention,
                        grids.retention_grid,
                    ),
                    self._picture(
                        "lifecycle",
                        labels.lifecycle_title,
                        labels.lifecycle_text,
                        flows_of(self.insight.lifecycle),
                        pictures.draw_flows,
                        grids.flows_grid,
                    ),
                ],
                [grids.pooled_grid(found.pooled, words)] if found.pooled else [],
            ),
            Part("model-card", labels.model_card, *self._model_card()),
        ]

    def page(self) -> str:
        """The HTML; the same tables give the same text."""
        # A third of a second to import, which a command that makes no page need not pay.
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(
            loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
        )
        environment.filters["said"] = as_html
        environment.filters["drawn"] = lambda svg: Markup(in_variables(svg))  # noqa: S704 - escaped when drawn
        found, words, first_week = self.findings, self.words, self.findings.first_week
        return environment.get_template(
            "page.html"
        ).render(
            lang=words.code,
            labels=words.labels,
            style=Markup(style()),  # noqa: S704 - a file of ours
            range_of=words.range_of(found),
            answer=words.answer(found),
            not_cause=words.not_cause(),
            confounding=words.confounding(),
            confounds=[words.confounded(lift) for lift in first_week.explained_away[:_MOST_CONFOUNDED]]
            if first_week
            else [],
            experiment=words.experiment(found.experiment),
            too_little=words.too_little(),
            parts=self.parts,
        )

    def _model_card(self) -> tuple[Sequence[str], Sequence[Picture], Sequence[Grid]]:
        words, best = self.words, self.findings.best
        if not best:
            return [words.too_little()], [], []
        groups = [grids.groups_grid(best, words)] if best.worst_served else []
        return words.model_card(best), [], [grids.models_grid(self.findings.models, words), *groups]

    def _picture(
        self,
        name: str,
        title: str,
        text: str,
        shown: T | None,
        draw: Callable[[T, Words], str],
        tabulate: Callable[[T, Words], Grid],
    ) -> Picture:
        if shown is None:
            return Picture(name, title, text, None, None)
        return Picture(name, title, text, draw(shown, self.words), tabulate(shown, self.words))


def reports_of(insight: Insight) -> dict[str, Report]:
    """The report in every language."""
    findings = findings_of(insight)
    return {code: Report(insight, findings, words) for code, words in LANGUAGES.items()}


def style() -> str:
    """The look of the page, for other pages of the family as well."""
    css = (_FOLDER / "page.css").read_text(encoding="utf-8")
    return css.replace("LIGHT_COLOURS", variables(LIGHT)).replace("DARK_COLOURS", variables(DARK))
