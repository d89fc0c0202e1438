"""The pictures as Vega-Lite, without the rows: those are put in by the page for the days that are chosen.

How a picture looks belongs here. The names in it are our own words: what strangers have named comes with the rows, as
data, and stands in no expression.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from calback_assets.dashboard.words import Labels

if TYPE_CHECKING:
    import altair as alt

Spec: TypeAlias = dict[str, Any]

_COLOURS = [f"var(--{name})" for name in ("blue", "orange", "green", "purple", "ink", "muted")]
"""Of the page, whichever it has on."""
_DASHES = [[1, 0], [7, 2], [2, 2], [8, 3, 2, 3], [4, 4], [1, 3]]
"""For who sees fewer colours, and on paper."""
_HEIGHT = 220
ROW_HEIGHT = 17
"""Of the heat map; the page makes it as high as it has rows."""
_TEXT = {"labelColor": "var(--muted)", "titleColor": "var(--muted)", "labelFontSize": 12, "titleFontSize": 12}
_CONFIG: Spec = {
    "aria": False,  # Nor the marks, each for itself: the picture has a text in its place, and a table.
    "background": "transparent",
    "view": {"stroke": None},
    "mark": {"aria": False, "invalid": "break-paths-show-path-domains"},
    "axis": {**_TEXT, "gridColor": "var(--line)", "domainColor": "var(--line)", "tickColor": "var(--line)"},
    "axisX": {"grid": False},
    "legend": {**_TEXT, "orient": "top", "labelLimit": 160},
}


@cache  # Altair takes a tenth of a second to see that a picture is one.
def lines(labels: Labels, *, is_share: bool = False) -> Spec:
    """A line for each series, broken where a day is missing."""
    import altair as alt  # A second to import, which a command that makes no page need not pay.

    drawn = (
        alt.Chart(alt.NamedData("rows"))
        .mark_line(point=alt.OverlayMarkDef(size=6))
        .encode(
            x=_days(labels),
            y=alt.Y("value:Q", title=None, axis=alt.Axis(format=".0%" if is_share else ",d", tickCount=5)),
            color=alt.Color("series:N", sort=None, title=None, scale=alt.Scale(range=_COLOURS)),
            strokeDash=alt.StrokeDash("series:N", sort=None, title=None, scale=alt.Scale(range=_DASHES)),
            tooltip=_tooltip(labels.day),
        )
    )
    return _finished(
        alt.layer(_not_final(labels), drawn, *_notes(labels)).properties(width="container", height=_HEIGHT)
    )


@cache
def bars(labels: Labels) -> Spec:
    """A bar for each week, with what comes above the line and what goes below it."""
    import altair as alt

    series = [labels.returning, labels.new, labels.resurrected, labels.dormant]

    drawn = (
        alt.Chart(alt.NamedData("rows"))
        .mark_rect(stroke="var(--paper)", strokeWidth=0.5)
        .encode(
            x=_days(labels),
            x2="until:T",
            y=alt.Y("top:Q", title=None, axis=alt.Axis(format=",d", tickCount=5)),
            y2="bottom:Q",
            color=alt.Color("series:N", title=None, scale=alt.Scale(domain=series, range=_COLOURS[: len(series)])),
            tooltip=_tooltip(labels.week),
        )
    )
    return _finished(
        alt.layer(drawn, *_notes(labels)).properties(width="container", height=_HEIGHT), symbols="square", columns=2
    )


@cache
def heat(labels: Labels) -> Spec:
    """A cell for each cohort and week, the darker, the more came back."""
    import altair as alt

    rows = alt.Chart(alt.NamedData("rows")).encode(
        x=alt.X("period:O", title=labels.weeks_after, axis=alt.Axis(labelAngle=0, orient="top", domain=False)),
        y=alt.Y("day:O", sort=None, title=None, axis=alt.Axis(domain=False)),
        tooltip=_tooltip(labels.cohort),
    )
    # Not so dark that the figure in it could not be read, by day or by night.
    shade = alt.FillOpacity("value:Q", legend=None, scale=alt.Scale(range=[0.04, 0.55], zero=True))
    drawn = alt.layer(
        rows.mark_rect(fill="var(--blue)").encode(fillOpacity=shade),
        rows.mark_text(fill="var(--ink)", fontSize=10).encode(text="per_cent:N"),
    )
    return _finished(drawn.properties(width="container", height=ROW_HEIGHT))


def _days(labels: Labels) -> "alt.X":
    import altair as alt

    axis = alt.Axis(
        format=labels.axis_day, labelAngle=0, labelOverlap="greedy", labelSeparation=10, labelFlush=True, tickCount=5
    )
    return alt.X("date:T", scale=alt.Scale(type="utc"), title=None, axis=axis)


def _tooltip(row: str) -> "list[alt.Tooltip]":
    import altair as alt

    return [alt.Tooltip("day:N", title=row), alt.Tooltip("told:N", title=" ")]


def _not_final(labels: Labels) -> "alt.Chart":
    """A shade behind the days that Google Analytics may still change."""
    import altair as alt

    shade = alt.Chart(alt.NamedData("open")).mark_rect(fill="var(--muted)", opacity=0.25)
    drawn: alt.Chart = shade.encode(
        x=_days(labels), x2="until:T", tooltip=[alt.Tooltip("day:N", title=labels.not_final)]
    )
    return drawn


def _notes(labels: Labels) -> "list[alt.Chart]":
    """A line with a number at each day on which something happened."""
    import altair as alt

    notes = alt.Chart(alt.NamedData("notes")).encode(
        x=_days(labels), tooltip=[alt.Tooltip("day:N", title=labels.day), alt.Tooltip("text:N", title=" ")]
    )
    return [
        notes.mark_rule(stroke="var(--muted)", strokeDash=[3, 3]),
        notes.mark_text(fill="var(--ink)", baseline="bottom", dy=-2, fontSize=11).encode(
            y=alt.value(0), text="number:N"
        ),
    ]


def _finished(chart: "alt.LayerChart | alt.FacetChart", symbols: str = "stroke", columns: int = 3) -> Spec:
    spec: Spec = chart.to_dict()
    # An address, which nobody asks, but which a reader of the page would wonder about.
    del spec["$schema"]
    spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    return {**spec, "config": {**_CONFIG, "legend": {**_CONFIG["legend"], "symbolType": symbols, "columns": columns}}}
