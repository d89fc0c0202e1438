"""What do thirty days in one run cost, over the same thirty days by hand, and how much more memory than one day?"""

from datetime import timedelta
from pathlib import Path

from benchmarks import workload
from benchmarks.by_hand import run_script, write_script
from benchmarks.harness import Scale, in_child, in_turns
from benchmarks.platform_run import contents, daily_job
from benchmarks.table import Row
from benchmarks.workload import FIRST_DAY


def answer(work: Path, scale: Scale) -> list[Row]:
    """A range of days as one Dagster run, from an empty warehouse; one day of the same exports for its memory."""
    data, script = work / "data", work / "script.json"
    first, last = str(FIRST_DAY), str(FIRST_DAY + timedelta(days=scale.days - 1))
    workload.write(data, scale, scale.days)
    write_script(script, data, FIRST_DAY, FIRST_DAY + timedelta(days=scale.days - 1))
    # Once: over the minutes that each takes, the machine's fast and slow moments even out.
    costs = in_turns(
        work,
        1,
        {
            "ours": in_child(daily_job, contents, data=str(data), data_first=first, first=first, last=last),
            "by hand": in_child(run_script, contents, data=str(data), script=str(script)),
            "one day": in_child(daily_job, contents, data=str(data), data_first=first, first=first, last=first),
        },
    )
    ours, by_hand, one_day = costs["ours"], costs["by hand"], costs["one day"]
    assert ours.made == by_hand.made, "they come to different results"
    what = f"{scale.days} days in one run"
    return [
        Row("b", what, "s", ours.seconds, by_hand.seconds, "same SQL by hand, one run", 1.25),
        Row("b", f"{what}, peak memory", "MB", ours.megabytes, one_day.megabytes, "one day, one run", 2),
    ]
