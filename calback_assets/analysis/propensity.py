"""From first weeks and the rows of `return_model` to the rows of `return_propensity`.

Which model is asked, and what is written where there is none, belongs here; how it scores stands in `models`.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from calback_assets.analysis.features import matrix
from calback_assets.analysis.models import Model, model_of


@dataclass(frozen=True)
class Promoted:
    """The model that scores are made with."""

    name: str
    version: str
    model: Model
    feature_bins: list[dict[str, Any]]
    """How the features of those it learned from are distributed, in the order of its features; its score comes last."""


def promoted(models: pd.DataFrame) -> Promoted | None:
    """The promoted one of the rows of `return_model`; None where there is none."""
    chosen = models[models["is_promoted"].astype(bool)]
    if chosen.empty:
        return None
    row = chosen.iloc[0]
    return Promoted(row["model"], row["version"], model_of(row["model"], row["content"]), list(row["feature_bins"]))


def scored(weeks: pa.Table, models: pd.DataFrame) -> pa.Table:
    """A row for each first week; without a promoted model the chance is not known.

    Args:
        weeks: rows of `first_week`.
        models: all rows of `return_model`.
    """
    found = promoted(models)
    people = len(weeks)
    chances = found.model.scores(matrix(weeks, found.model.vocabulary)) if found else [None] * people
    name, version = (found.name, found.version) if found else (None, None)
    return pa.table(
        {
            **{column: weeks[column] for column in ("event_date", "user_id", "joined_on")},
            "propensity": pa.array(chances, pa.float64()),
            "model": pa.array([name] * people, pa.string()),
            "model_version": pa.array([version] * people, pa.string()),
        }
    )
