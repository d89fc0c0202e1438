"""The model card: what a person must know before they rely on a score, as Markdown from the rows of `return_model`.

Sentences and tables belong here, each made from the figures; nothing is computed.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from calback_assets.report.findings import FEWEST
from calback_assets.report.marked import as_markdown

_SHOWN = 10


def model_card(models: pd.DataFrame) -> str:
    """The card of the model that scores are made with, and why the others are not."""
    first = models.iloc[0]
    parts = [
        "## Will a new person return?",
        _bulleted(f"**{row.model}**: {row.verdict}" for row in models.itertuples()),
    ]
    if first["learned_from"] is not None and first["judged_from"] is not None:
        parts += ["### Whom it is about", _people(first)]
    if (models["auc"].notna()).any():
        parts += ["### How it was judged", _figures(models)]
    used = models[models["is_promoted"].astype(bool)]
    if len(used):
        parts += _of_promoted(used.iloc[0])
    return "\n\n".join([*parts, "### Leaks and limits", _LIMITS])


_LIMITS = """\
- Read are days 1–7 of a person and nothing later: `first_week` is made of these days alone.
- One thing may have changed since: whether a meeting was with others is told by its document as it was last seen.
- Nobody who is judged joined within 30 days after somebody who is learned from: of nobody was learned whose outcome was
  still open when they would have been scored. The newest days are held back and used once, for judging.
- Whoever has not had all of days 8–37 is neither learned from nor judged.
- A chance says what goes together with returning, not what makes people return: that takes an experiment.
- It holds for people like those it learned from. The check `people_are_as_learned` warns when they change."""


def _people(row: pd.Series) -> str:
    return (
        f"Learned from {row['learned_people']:,} people who joined from {row['learned_from']} to {row['learned_to']}; "
        f"judged on {row['judged_people']:,} who joined from {row['judged_from']} to {row['judged_to']}, of whom "
        f"{row['base_rate']:.1%} returned."
    )


def _figures(models: pd.DataFrame) -> str:
    def between(row: pd.Series, name: str) -> str:
        return f"{row[name]:.3f} ({row[f'{name}_low']:.3f}–{row[f'{name}_high']:.3f})"

    rows = [
        (
            row["model"],
            *(between(row, name) for name in ("auc", "pr_auc", "brier")),
            "–" if pd.isna(row["calibration_slope"]) else f"{row['calibration_slope']:.2f}",
            f"{row['calibration_offset']:+.3f}",
            f"`{row['version']}`",
        )
        for _, row in models.iterrows()
    ]
    names = (
        "model",
        "AUC",
        "average precision",
        "Brier score",
        "calibration slope",
        "mean score less share",
        "version",
    )
    return _table(names, rows) + "\n\n95 % intervals by bootstrap over the people who are judged."


def _of_promoted(row: pd.Series) -> list[str]:
    deciles = [
        (
            part["decile"],
            f"{part['mean_score']:.1%}",
            *(
                (f"{part['share']:.1%}", f"{part['lift']:.2f} ({part['lift_low']:.2f}–{part['lift_high']:.2f})")
                if min(part["people"], part["came_back"]) >= FEWEST
                else ("–", "–")
            ),
        )
        for part in row["deciles"]
    ]
    important = [
        (as_markdown(part["feature"]), f"{part['auc_lost']:.4f}", f"{part['auc_lost_sd']:.4f}")
        for part in row["importance"][:_SHOWN]
    ]
    groups = [
        (
            as_markdown(group["group_name"]),
            f"{group['people']:,}",
            f"{group['base_rate']:.1%}",
            f"{group['mean_score']:.1%}",
            "–" if pd.isna(group["auc"]) else f"{group['auc']:.3f}",
        )
        for group in row["worst_served"][:_SHOWN]
    ]
    return [
        "### The tenths of people by score",
        _table(("tenth", "mean score", "returned", "lift"), deciles),
        "### What it goes by",
        _table(("feature", "AUC lost when it is shuffled", "standard deviation"), important),
        f"It reads {len(row['features'])} features; its parameters are `{row['parameters']}`.",
        "### Whom it serves worst",
        _table(("group", "people", "returned", "mean score", "AUC"), groups),
    ]


def _bulleted(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
