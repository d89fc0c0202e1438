"""What does the whole default sample cost in one run, over one statement a table typed by hand?

The peer is the limit: it keeps no ledger, checks nothing and tells Dagster nothing. Days of the sample are small, so
that what is done for each day weighs more than in a day of a million events.
"""

from datetime import timedelta
from pathlib import Path

from benchmarks.by_hand import run_script, write_script
from benchmarks.harness import Scale, in_child, in_turns
from benchmarks.platform_run import contents, daily_job
from benchmarks.table import Row
from calback_assets.sample.timeline import START_DATE
from calback_assets.sample.writer import write_sample

_DAYS = 120


def answer(work: Path, scale: Scale) -> list[Row]:
    """The sample from an empty warehouse to the metrics, as one Dagster run and by hand."""
    data, script = work / "data", work / "script.json"
    last = START_DATE + timedelta(days=_DAYS - 1)
    write_sample(data, users=scale.users * 3 // 10, days=_DAYS)
    write_script(script, data, START_DATE, last, at_once=True)
    days = {"data_first": str(START_DATE), "first": str(START_DATE), "last": str(last)}
    costs = in_turns(
        work,
        scale.runs,
        {
            "ours": in_child(daily_job, contents, data=str(data), **days),
            "by hand": in_child(run_script, contents, data=str(data), script=str(script)),
        },
    )
    ours, by_hand = costs["ours"], costs["by hand"]
    assert ours.made == by_hand.made, "they come to different results"
    what = f"{_DAYS} days of the sample in one run"
    return [
        Row("m", what, "s", ours.seconds, by_hand.seconds, "one statement a table by hand", 1.2),
        Row(
            "m", f"{what}, peak memory", "MB", ours.megabytes, by_hand.megabytes, "one statement a table by hand", None
        ),
    ]
