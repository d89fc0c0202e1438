"""The tables of the report: what the pictures draw, and what no picture shows, in figures.

Which rows and columns a reader sees belongs here, and that no small count is among them. Cells may hold marked names.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan

from calback_assets.report.findings import FEWEST, FirstWeek, Frequent, Judged, Lift, Pooled
from calback_assets.report.marked import marked
from calback_assets.report.series import FLOWS, Empty, Flows, Heat, Power
from calback_assets.report.words import NONE, Words

_SHOWN = 10
"""Features and groups."""


@dataclass(frozen=True)
class Grid:
    """A table; the first column names the row."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def retention_grid(heat: Heat, words: Words) -> Grid:
    """The heat map."""
    labels = words.labels

    def cell(value: float | Empty) -> str:
        if isinstance(value, float):
            return words.share(value)
        return labels.unfinished if value is Empty.UNFINISHED else labels.under_ten

    rows = [
        (words.day(cohort), words.count(size), *map(cell, cells))
        for cohort, size, cells in zip(heat.cohorts, heat.sizes, heat.cells, strict=True)
    ]
    return Grid(labels.retention_title, (labels.cohort, labels.joined, *map(str, heat.weeks)), rows)


def pooled_grid(pooled: Sequence[Pooled], words: Words) -> Grid:
    """N-day, bracket and unbounded retention of everybody who has had the chance."""
    labels = words.labels
    rows = [
        (
            str(found.period),
            labels.measures[found.measure],
            words.count(found.eligible),
            words.count(found.retained),
            labels.too_few if found.is_small else words.share_estimate(found.share),
        )
        for found in sorted(pooled, key=lambda found: (found.period, list(labels.measures).index(found.measure)))
    ]
    columns = (labels.days_after, labels.measure, labels.eligible, labels.came_back, labels.share)
    return Grid(labels.pooled_title, columns, rows)


def flows_grid(flows: Flows, words: Words) -> Grid:
    """People per day by week."""
    labels = words.labels

    def mean(value: float) -> str:
        return labels.under_ten if isnan(value) else f"{value:,.0f}"

    rows = [
        (words.day(week), *(mean(flows.means[name][position]) for name in FLOWS))
        for position, week in enumerate(flows.weeks)
    ]
    columns = (labels.cohort_week, labels.new, labels.returned, labels.resurrected, labels.dormant)
    return Grid(f"{labels.lifecycle_title} ({labels.per_day})", columns, rows)


def power_grid(power: Power, words: Words) -> Grid:
    """Shares by active days."""
    labels = words.labels

    def share(value: float) -> str:
        return labels.under_ten if isnan(value) else f"{value:.1%}"

    earlier = power.earlier or [float("nan")] * len(power.newest)
    rows = [
        (str(days), share(newest), share(before) if power.earlier else NONE)
        for days, (newest, before) in enumerate(zip(power.newest, earlier, strict=True), start=1)
    ]
    return Grid(labels.power_title, (labels.active_days, labels.newest, labels.month_earlier), rows)


def rates_grid(found: Frequent, words: Words) -> Grid:
    """All behaviours of the two groups, also those of which little can be said."""
    labels = words.labels

    def group(did: int, share: float, per_day: float) -> tuple[str, str]:
        if did < FEWEST:
            return labels.under_ten, NONE
        return f"{words.count(did)} ({words.share(share)})", words.number(per_day)

    rows = [
        (
            words.behaviour(rate.behaviour),
            *group(rate.frequent_did, rate.frequent_share, rate.frequent_per_day),
            *group(rate.other_did, rate.other_share, rate.other_per_day),
            labels.too_few if rate.is_small else words.estimate(rate.ratio),
        )
        for rate in found.rates
    ]
    columns = (
        labels.behaviour,
        f"{labels.frequent_people} ({words.count(found.frequent_users)})",
        labels.per_active_day,
        f"{labels.other_people} ({words.count(found.other_users)})",
        labels.per_active_day,
        labels.rate_ratio,
    )
    return Grid(labels.rates_title, columns, rows)


def forest_grid(found: FirstWeek, words: Words) -> Grid:
    """All behaviours of the first week, also those of which nothing can be said."""
    labels = words.labels

    def row(lift: Lift) -> Iterator[str]:
        yield words.behaviour(lift.behaviour, lift.at_least)
        yield words.count(lift.people)
        yield words.count(lift.did)
        if lift.is_small:
            yield from (labels.too_few, *[NONE] * 6)
            return
        yield words.share(lift.share_did)
        yield words.share(lift.share_others)
        yield words.estimate(lift.alone)
        yield words.estimate(lift.adjusted)
        yield labels.yes if lift.is_found else labels.no if lift.is_supported else labels.too_few
        yield words.number(lift.detectable)
        yield f"{words.number(lift.e_value)} ({words.number(lift.e_value_limit)})"

    columns = (
        labels.behaviour,
        labels.people,
        labels.did_it,
        labels.share_back,
        labels.share_back_others,
        labels.odds_alone,
        labels.odds_adjusted,
        labels.found,
        labels.could_be_seen,
        labels.e_value,
    )
    return Grid(labels.forest_title, columns, [list(row(lift)) for lift in found.lifts])


def months_grid(found: FirstWeek, words: Words) -> Grid:
    """What was found, month by month of joining."""
    labels = words.labels
    months = sorted({lift.period for lifts in found.by_month.values() for lift in lifts})

    def cell(lift: Lift | None) -> str:
        return labels.too_few if lift is None or lift.is_small else words.estimate(lift.adjusted)

    rows = []
    for name, lifts in found.by_month.items():
        by_period = {lift.period: lift for lift in lifts}
        rows.append((words.behaviour(name), *(cell(by_period.get(month)) for month in months)))
    return Grid(
        f"{labels.months_title} {labels.months_text}",
        (labels.behaviour, *(f"{labels.month} {month}" for month in months)),
        rows,
    )


def deciles_grid(best: Judged, words: Words) -> Grid:
    """The judged in ten parts."""
    labels = words.labels
    rows = [
        (
            str(decile.number),
            words.count(decile.people),
            words.share(decile.score),
            words.count(decile.came_back),
            labels.too_few if decile.is_small else words.share(decile.share),
            NONE if decile.is_small else words.estimate(decile.lift),
        )
        for decile in best.deciles
    ]
    columns = (labels.decile, labels.people, labels.chance, labels.came_back, labels.share_of, labels.lift)
    return Grid(labels.deciles_title, columns, rows)


def importance_grid(best: Judged, words: Words) -> Grid:
    """What the model reads most from."""
    labels = words.labels
    rows = [(words.behaviour(name), f"{lost:.3f}") for name, lost in best.importance[:_SHOWN] if lost > 0]
    return Grid(labels.importance_title, (labels.feature, labels.auc_lost), rows)


def groups_grid(best: Judged, words: Words) -> Grid:
    """Whom the model serves worst."""
    labels = words.labels
    rows = [
        (words.group(name), words.count(people), words.share(score), words.share(share))
        if people * share >= FEWEST
        else (words.group(name), words.count(people), NONE, labels.too_few)
        for name, people, share, score in best.worst_served[:_SHOWN]
    ]
    return Grid(
        f"{labels.groups_title}. {labels.groups_text}",
        (labels.group, labels.people, labels.mean_chance, labels.came_back),
        rows,
    )


def models_grid(models: Sequence[Judged], words: Words) -> Grid:
    """The model card's figures: each model, and how good it was."""
    labels = words.labels
    rows = [
        (
            words.model(model.name),
            labels.yes if model.is_promoted else labels.no,
            words.estimate(model.auc),
            words.estimate(model.pr_auc),
            words.fine_estimate(model.brier),
            words.number(model.calibration_slope),
            marked(model.version),
        )
        for model in models
    ]
    columns = (
        labels.model,
        labels.promoted,
        labels.auc,
        labels.average_precision,
        labels.brier,
        labels.slope,
        labels.version,
    )
    return Grid(labels.models_title, columns, rows)
