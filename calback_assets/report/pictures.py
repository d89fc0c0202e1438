"""The pictures of the report, each an SVG with a text in its place.

What is drawn, and how, belongs here. Nothing is computed: figures come as findings and series.
"""

from collections.abc import Sequence
from math import isnan
from typing import Any

from calback_assets.report.drawing import LIGHT, WIDTH, Canvas, columns_of
from calback_assets.report.findings import Estimate, FirstWeek, Frequent, Judged, Lift
from calback_assets.report.series import Empty, Flows, Heat, Power
from calback_assets.report.words import Words

_MOST_ROWS = 24
"""As many behaviours in a picture as can be read; the table has all."""
_ROW = 0.27
_LETTER = 0.068
"""Inches that a letter of a name takes."""
_TICKS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50)
_LIMITS = (0.08, 12.0)
_LEGEND = {"frameon": False, "loc": "lower left", "bbox_to_anchor": (0, 1.0), "borderaxespad": 0.2}


def draw_retention(heat: Heat, words: Words) -> str:
    """The heat map: the darker, the more came back; what is not over is hatched and has no shade."""
    labels, rows, columns = words.labels, len(heat.cohorts), len(heat.weeks)
    canvas = Canvas(0.6 + _ROW * rows)
    canvas.place(0.8, 0.1, 0.05, 0.5)
    axes = canvas.axes
    from matplotlib.patches import Rectangle

    def box(x: int, y: int, **style: Any) -> None:
        axes.add_patch(Rectangle((x + 0.03, y + 0.04), 0.94, 0.92, **style))

    for y, row in enumerate(heat.cells):
        for x, cell in enumerate(row):
            if cell is Empty.UNFINISHED:
                box(x, y, facecolor="none", edgecolor=LIGHT["line"], hatch="////", linewidth=0)
            elif cell is Empty.SMALL:
                box(x, y, facecolor="none", edgecolor=LIGHT["line"], linewidth=0.8)
            else:
                box(x, y, facecolor=LIGHT["blue"], alpha=0.06 + 0.5 * cell / heat.highest, linewidth=0)
                axes.text(x + 0.5, y + 0.5, f"{cell:.0%}", ha="center", va="center", fontsize=7.5, color=LIGHT["ink"])
    axes.set_xlim(0, columns)
    axes.set_ylim(rows, 0)
    axes.set_xticks([week - 0.5 for week in heat.weeks], [str(week) for week in heat.weeks])
    axes.set_yticks([row + 0.5 for row in range(rows)], [canvas.say(words.short_day(day)) for day in heat.cohorts])
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(canvas.say(f"{labels.week}    (▨ {labels.unfinished},  ▢ {labels.under_ten})"), loc="left")
    _bare(axes)
    return canvas.svg("retention", labels.retention_title, labels.retention_text)


def draw_flows(flows: Flows, words: Words) -> str:
    """Stacked bars of who is there, and below the line who has gone."""
    labels = words.labels
    canvas = Canvas(3.6)
    canvas.place(0.7, 0.55, 0.1, 0.4)
    axes, weeks = canvas.axes, range(len(flows.weeks))
    base = [0.0] * len(flows.weeks)
    for name, colour, label in (
        ("returning_users", "blue", labels.returned),
        ("new_users", "green", labels.new),
        ("resurrected_users", "purple", labels.resurrected),
    ):
        heights = [0.0 if isnan(mean) else mean for mean in flows.means[name]]
        axes.bar(weeks, heights, 0.8, base, color=LIGHT[colour], label=canvas.say(label))
        base = [low + height for low, height in zip(base, heights, strict=True)]
    gone = [0.0 if isnan(mean) else -mean for mean in flows.means["dormant_users"]]
    axes.bar(weeks, gone, 0.8, color=LIGHT["orange"], label=canvas.say(labels.dormant))
    axes.axhline(0, color=LIGHT["ink"], linewidth=0.8)
    step = max(1, len(flows.weeks) // 8)
    axes.set_xticks(list(weeks)[::step], [canvas.say(words.short_day(day)) for day in flows.weeks[::step]])
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
    axes.set_ylabel(canvas.say(labels.per_day))
    axes.grid(visible=True, axis="y")
    axes.set_axisbelow(True)
    _legend(axes, 4)
    return canvas.svg("lifecycle", labels.lifecycle_title, labels.lifecycle_text)


def draw_power(power: Power, words: Words) -> str:
    """The newest curve as bars, the one of a month earlier as a line."""
    labels = words.labels
    canvas = Canvas(3.1)
    canvas.place(0.7, 0.6, 0.1, 0.4)
    axes, days = canvas.axes, range(1, len(power.newest) + 1)
    heights = [0.0 if isnan(share) else share for share in power.newest]
    axes.bar(days, heights, 0.75, color=LIGHT["blue"], label=canvas.say(labels.newest))
    if power.earlier:
        axes.plot(
            days,
            power.earlier,
            color=LIGHT["orange"],
            marker="o",
            markersize=3.5,
            label=canvas.say(labels.month_earlier),
        )
    axes.set_xticks([1, 5, 10, 15, 20, 25, 30])
    axes.set_xlabel(canvas.say(labels.active_days))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, axis="y")
    axes.set_axisbelow(True)
    _legend(axes, 2)
    return canvas.svg("power", labels.power_title, labels.power_text)


def draw_rates(found: Frequent, words: Words) -> str:
    """What those who keep coming back do more or less for each day that they are there."""
    labels = words.labels
    rates = [*found.doings][:_MOST_ROWS]
    canvas = Canvas(0.8 + _ROW * len(rates))
    _forest(canvas, [words.behaviour(rate.behaviour) for rate in rates])
    for y, rate in enumerate(rates):
        is_clear = rate.ratio.is_above(1) or rate.ratio.is_below(1)
        colour = "blue" if rate.ratio.value >= 1 else "orange"
        _estimate(canvas.axes, rate.ratio, y, colour if is_clear else "ink", is_filled=is_clear)
    _scale(canvas, labels.rate_ratio, [rate.ratio for rate in rates])
    return canvas.svg("rates", labels.rates_title, labels.rates_text)


def draw_forest(found: FirstWeek, words: Words) -> str:
    """Odds ratios: adjusted over faint unadjusted ones."""
    labels = words.labels
    lifts = forest_rows(found)
    canvas = Canvas(1.15 + (_ROW + 0.04) * len(lifts))
    left = _forest(canvas, [words.behaviour(lift.behaviour, lift.at_least) for lift in lifts], top=0.4)
    for y, lift in enumerate(lifts):
        _estimate(canvas.axes, lift.alone, y - 0.2, "muted", is_filled=False, is_faint=True)
        colour = "blue" if lift.adjusted.value >= 1 else "orange"
        _estimate(canvas.axes, lift.adjusted, y + 0.12, colour if lift.is_found else "ink", is_filled=lift.is_found)
    adjusted, alone = labels.odds_adjusted, labels.odds_alone
    canvas.axes.plot([], [], "o-", color=LIGHT["blue"], markersize=5, label=canvas.say(adjusted))
    canvas.axes.plot([], [], "o-", color=LIGHT["muted"], alpha=0.55, mfc="none", markersize=4, label=canvas.say(alone))
    _legend(canvas.axes, 2, anchor=(-left / (WIDTH - left - 0.25), 1.0))
    _scale(canvas, None, [estimate for lift in lifts for estimate in (lift.adjusted, lift.alone)])
    return canvas.svg("forest", labels.forest_title, labels.forest_text)


def forest_rows(found: FirstWeek) -> Sequence[Lift]:
    """What the forest plot shows: as much as can be read, from both ends."""
    known = [lift for lift in found.tested if lift.adjusted.is_known]
    half = _MOST_ROWS // 2
    return known if len(known) <= _MOST_ROWS else [*known[:half], *known[-half:]]


def draw_calibration(best: Judged, words: Words) -> str:
    """The chance that was given beside what came true, by tenths."""
    labels = words.labels
    canvas = Canvas(4.2)
    canvas.place(0.8, 0.6, 2.6, 0.4)
    axes = canvas.axes
    deciles = [decile for decile in best.deciles if not decile.is_small]
    most = min(1.0, 1.15 * max([decile.share for decile in deciles] + [decile.score for decile in deciles] + [0.1]))
    axes.plot([0, most], [0, most], color=LIGHT["muted"], linestyle="--", linewidth=1, label=canvas.say(labels.perfect))
    axes.plot(
        [decile.score for decile in deciles],
        [decile.share for decile in deciles],
        "o-",
        color=LIGHT["blue"],
        label=canvas.say(labels.came_back),
    )
    axes.axhline(best.base_rate, color=LIGHT["orange"], linewidth=1, label=canvas.say(labels.base_rate))
    axes.set_xlim(0, most)
    axes.set_ylim(0, most)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel(canvas.say(labels.chance))
    axes.grid(visible=True)
    _legend(axes, 3)
    return canvas.svg("calibration", labels.calibration_title, labels.calibration_text)


def _forest(canvas: Canvas, names: Sequence[str], top: float = 0.1) -> float:
    """Axes with the names on their left, which take so many inches."""
    left = 0.25 + _LETTER * max(map(columns_of, names))
    canvas.place(left, 0.6, 0.25, top)
    canvas.axes.set_ylim(len(names) - 0.4, -0.6)
    canvas.axes.set_yticks(range(len(names)), [canvas.say(name) for name in names], color=LIGHT["ink"])
    canvas.axes.tick_params(axis="y", length=0)
    canvas.axes.grid(visible=True, axis="x")
    canvas.axes.set_axisbelow(True)
    canvas.axes.axvline(1, color=LIGHT["ink"], linewidth=1)
    return left


def _estimate(axes: Any, estimate: Estimate, y: float, colour: str, *, is_filled: bool, is_faint: bool = False) -> None:
    if not estimate.is_known or estimate.low <= 0:
        return
    low, value, high = (min(max(end, _LIMITS[0]), _LIMITS[1]) for end in (estimate.low, estimate.value, estimate.high))
    alpha = 0.55 if is_faint else 1.0
    axes.plot([low, high], [y, y], color=LIGHT[colour], linewidth=1 if is_faint else 1.8, alpha=alpha)
    axes.plot(
        [value],
        [y],
        "o",
        color=LIGHT[colour],
        markerfacecolor=LIGHT[colour if is_filled else "paper"],
        markersize=4 if is_faint else 5.5,
        alpha=alpha,
    )


def _scale(canvas: Canvas, label: str | None, estimates: Sequence[Estimate]) -> None:
    known = [estimate for estimate in estimates if estimate.is_known and estimate.low > 0]
    low = max(_LIMITS[0], min([0.7, *(estimate.low for estimate in known)]) * 0.93)
    high = min(_LIMITS[1], max([1.5, *(estimate.high for estimate in known)]) * 1.07)
    canvas.axes.set_xscale("log")
    canvas.axes.set_xlim(low, high)
    ticks = [tick for tick in _TICKS if low <= tick <= high]
    canvas.axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    canvas.axes.set_xticks([], minor=True)
    if label:
        canvas.axes.set_xlabel(canvas.say(label))


def _legend(axes: Any, columns: int, anchor: tuple[float, float] = (0, 1.0)) -> None:
    axes.legend(
        ncols=columns,
        **{**_LEGEND, "bbox_to_anchor": anchor},
        columnspacing=1.2,
        handlelength=1.4,
        fontsize=9,
        labelcolor=LIGHT["ink"],
    )


def _bare(axes: Any) -> None:
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
