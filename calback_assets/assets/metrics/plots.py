"""Pictures of the metrics for Dagit: Markdown with a PNG in it.

Drawing belongs here; what is drawn is read by the I/O manager.
"""

import base64
import io

import pandas as pd


def draw_active_users(days: pd.DataFrame) -> str:
    """DAU, WAU and MAU over the given days.

    Args:
        days: rows of `daily_active_users`, any order.
    """
    # Matplotlib takes half a second to import, which a run that draws nothing need not pay.
    from matplotlib.figure import Figure

    ordered = days.sort_values("event_date")
    figure = Figure(figsize=(9, 3.5))
    axes = figure.subplots()
    for column, label in (("mau", "MAU"), ("wau", "WAU"), ("dau", "DAU")):
        axes.plot(ordered["event_date"], ordered[column], label=label, linewidth=1.6)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("active people")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(frameon=False, ncols=3, loc="upper left")
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110)
    return (
        f"![Active people per day, week and month](data:image/png;base64,{base64.b64encode(image.getvalue()).decode()})"
    )
