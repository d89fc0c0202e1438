"""Whether the people who are scored are still as those whom the model learned from: a check that stops nothing.

Which people are looked at, and from where on it is said, belongs here; how distributions are compared is in `analysis`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    MetadataValue,
    ResourceParam,
    asset_check,
)

from calback_assets.analysis.drift import stability_index
from calback_assets.analysis.features import COLUMNS, matrix
from calback_assets.analysis.propensity import Promoted, promoted
from calback_assets.checks.days import days_to_check
from calback_assets.tables.insight import FIRST_WEEK, RETURN_MODEL, RETURN_PROPENSITY
from calback_assets.warehouse.output import TableRef
from calback_assets.warehouse.warehouse import Session, Warehouse

CHECK_NAME = "people_are_as_learned"
DAYS = 28
LEAST_PEOPLE = 200
"""With fewer of them chance alone moves the index."""
MOST = 0.2
"""The bound that is usual for a population stability index: above it a distribution is called another."""
_SHOWN = 10


@dataclass(frozen=True)
class Drift:
    """How far each feature, and the score, is from what it was."""

    people: int
    indices: dict[str, float]

    @property
    def moved(self) -> list[str]:
        """A sentence for each that has moved too far, the furthest first."""
        ordered = sorted(self.indices.items(), key=lambda item: -item[1])
        return [f"{name}: {index:.2f}" for name, index in ordered if index > MOST]


def drift(weeks: pa.Table, model: Promoted) -> Drift:
    """How far these people are from those whom the model learned from; nothing is said of too few.

    Args:
        weeks: rows of `first_week`.
        model: what they are scored with, now: scores of earlier versions are of no account.
    """
    if len(weeks) < LEAST_PEOPLE:
        return Drift(len(weeks), {})
    features = matrix(weeks, model.model.vocabulary)
    columns = (*features.T, model.model.scores(features))
    compared = zip(model.feature_bins, columns, strict=True)
    return Drift(
        len(weeks),
        {bins["feature"]: stability_index(values, bins["edges"], bins["shares"]) for bins, values in compared},
    )


def build_drift_check() -> AssetChecksDefinition:
    """The check of `return_propensity`."""

    @asset_check(
        asset=RETURN_PROPENSITY.name,
        name=CHECK_NAME,
        additional_deps=[FIRST_WEEK.name, RETURN_MODEL.name],
        description=f"The features and scores of the people of the last {DAYS} days are distributed as those of the "
        f"people the model learned from: no population stability index is above {MOST}.",
    )
    def people_are_as_learned(
        context: AssetCheckExecutionContext, warehouse: ResourceParam[Warehouse]
    ) -> AssetCheckResult:
        with warehouse.session() as session:
            found = _found(session, days_to_check(session, RETURN_PROPENSITY, context.run))
        moved = found.moved if found else []
        return AssetCheckResult(
            passed=not moved,
            severity=AssetCheckSeverity.WARN,
            metadata={
                "people": MetadataValue.int(found.people if found else 0),
                "moved": MetadataValue.int(len(moved)),
                "first_moved": MetadataValue.text("; ".join(moved[:_SHOWN]) or "none"),
                "highest_index": MetadataValue.float(max(found.indices.values(), default=0.0) if found else 0.0),
            },
        )

    return people_are_as_learned


def _found(session: Session, days: Sequence[date]) -> Drift | None:
    """The drift up to the newest of the days that are scored; None where no model is promoted, or no day is scored."""
    model = promoted(session.read(TableRef(RETURN_MODEL, None, None)).to_pandas())
    if not days or model is None:
        return None
    end = max(days) + timedelta(days=1)
    return drift(session.read(TableRef(FIRST_WEEK, end - timedelta(days=DAYS), end), COLUMNS), model)
