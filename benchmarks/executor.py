"""What does a whole `calback run` of one day cost, over the same definitions under Dagster's default executor?

Tiny data, so that what is measured is the cost of starting and of running steps, from the start of the process to its
end. The peer is `dagster job execute` with the multiprocess executor as Dagster sets it up by default; its steps, each
a process of its own, wait for one another at DuckDB's lock, as the warehouse lets them.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import workload
from benchmarks.harness import QUICK, Contestant, Cost, Scale, in_turns, whole_process
from benchmarks.platform_run import WAREHOUSE, contents, range_tags
from benchmarks.table import Row
from benchmarks.workload import FIRST_DAY, TIMEZONE
from calback_assets.automation.jobs import DAILY_JOB_NAME

_EVENTS = 1_000


def answer(work: Path, scale: Scale) -> list[Row]:
    """A thousand events, all assets and checks."""
    data, day = work / "data", str(FIRST_DAY)
    workload.write(data, replace(QUICK, events=_EVENTS), days=1)
    # What the installed script does, installed or not.
    run = [sys.executable, "-c", "from calback_assets.cli import main; main()", "run", "--from", day, "--to", day]
    peer = [sys.executable, "-m", "dagster", "job", "execute", "-m", "benchmarks.multiprocess_definitions"]
    costs = in_turns(
        work,
        scale.runs,
        {
            "ours": _command(run, data),
            "multiprocess": _command([*peer, "-j", DAILY_JOB_NAME, "--tags", json.dumps(range_tags(day, day))], data),
        },
    )
    ours, multiprocess = costs["ours"], costs["multiprocess"]
    assert ours.made == multiprocess.made, "they come to different results"
    what = "`calback run` of one day, tiny data, whole process"
    return [Row("d", what, "s", ours.seconds, multiprocess.seconds, "multiprocess executor", 0.25)]


def _command(command: Sequence[str], data: Path) -> Contestant:
    def measure(folder: Path) -> Cost:
        home = folder / "dagster"
        home.mkdir()
        (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
        environment = {
            "CALBACK_DATA_DIR": str(data),
            "CALBACK_DUCKDB_PATH": str(folder / WAREHOUSE),
            "CALBACK_START_DATE": str(FIRST_DAY),
            "CALBACK_END_DATE": str(FIRST_DAY),
            "CALBACK_TIMEZONE": TIMEZONE,
            "DAGSTER_HOME": str(home),
        }
        return replace(whole_process(command, environment), made=contents(folder))

    return measure
