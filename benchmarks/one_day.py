"""What does one day cost, over the same SQL typed by hand, and against the classic way with pandas?

The limit runs our own SQL with nothing around it (`by_hand`); the classic way is the one that Dagster's documentation
teaches: assets that take and return DataFrames, stored by the stock DuckDB I/O manager (`classic`); once as pandas
makes them and once with the nested columns tuned.
"""

from pathlib import Path

from benchmarks import workload
from benchmarks.by_hand import run_script, write_script
from benchmarks.classic import pandas_job
from benchmarks.harness import Scale, in_child, in_turns
from benchmarks.platform_run import contents, daily_job
from benchmarks.table import Row
from benchmarks.workload import FIRST_DAY


def answer(work: Path, scale: Scale) -> list[Row]:
    """All assets and checks of one day, from an empty warehouse."""
    data, script, day = work / "data", work / "script.json", str(FIRST_DAY)
    workload.write(data, scale, days=1)
    write_script(script, data, FIRST_DAY, FIRST_DAY)
    costs = in_turns(
        work,
        scale.runs,
        {
            "ours": in_child(daily_job, contents, data=str(data), data_first=day, first=day, last=day),
            "by hand": in_child(run_script, contents, data=str(data), script=str(script)),
            "pandas, Arrow": in_child(pandas_job, contents, data=str(data), day=day, nested="arrow"),
        },
    )
    # Once: it takes as long as all the others together.
    costs |= in_turns(work, 1, {"pandas": in_child(pandas_job, contents, data=str(data), day=day, nested="objects")})
    ours, by_hand, tuned, classic = costs["ours"], costs["by hand"], costs["pandas, Arrow"], costs["pandas"]
    assert ours.made == by_hand.made == tuned.made == classic.made, "they come to different results"
    return [
        Row("a", "one day, all assets and checks", "s", ours.seconds, by_hand.seconds, "same SQL by hand", 1.25),
        Row("a", "one day, against pandas assets", "s", ours.seconds, classic.seconds, "stock manager, one run", 0.1),
        Row("a", "one day, peak memory", "MB", ours.megabytes, classic.megabytes, "stock manager, one run", 0.2),
        Row("a", "one day, against tuned pandas", "s", ours.seconds, tuned.seconds, "nested columns as Arrow", None),
        Row("a", "one day, peak memory", "MB", ours.megabytes, tuned.megabytes, "nested columns as Arrow", None),
    ]
