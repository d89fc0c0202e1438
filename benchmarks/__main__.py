"""The command line of the benchmarks: `python -m benchmarks [a b c d e f g h i j k l m n] [--quick] [--runs N]`."""

import argparse
import sys
import tempfile
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from benchmarks import table
from benchmarks.harness import FULL, QUICK

_QUESTIONS = {
    "a": "one_day",
    "b": "thirty_days",
    "c": "history",
    "d": "executor",
    "e": "rewrite",
    "f": "bigquery_partition",
    "g": "bigquery_faults",
    "h": "firestore_snapshot",
    "i": "bigquery_export",
    "j": "first_week_lift",
    "k": "return_model",
    "l": "insight",
    "m": "sample_at_once",
    "n": "exports",
}
"""The module of each, imported when it is asked for: BigQuery's emulator says something on the screen when it is."""


def main() -> None:
    """Answer the questions asked, all of them by default, and publish what was measured at full size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "questions", nargs="*", metavar="question", help=f"{', '.join(_QUESTIONS)}; all of them by default"
    )
    parser.add_argument("--quick", action="store_true", help="small data, one run each; writes nothing into the README")
    parser.add_argument("--runs", type=int, help="how often each is measured; more where two are near each other")
    asked = parser.parse_args()
    if unknown := set(asked.questions) - set(_QUESTIONS):
        parser.error(f"no question {', '.join(sorted(unknown))}; there are {', '.join(_QUESTIONS)}")
    scale = QUICK if asked.quick else FULL
    if asked.runs is not None:
        if asked.runs < 1:
            parser.error(f"--runs {asked.runs}: nothing is measured in fewer than 1")
        scale = replace(scale, runs=asked.runs)
    said = table.conditions(scale.runs)
    letters = sorted(set(asked.questions)) or _QUESTIONS
    # All before the first is answered, which may take half an hour.
    questions = {letter: import_module(f"benchmarks.{_QUESTIONS[letter]}") for letter in letters}
    for letter, question in questions.items():
        print(f"{letter}: {(question.__doc__ or '').splitlines()[0]}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="calback-benchmarks-") as work:
            rows = [row.text for row in question.answer(Path(work), scale)]
        if not asked.quick:
            table.publish(rows, said)
        print(table.markdown(rows, said), flush=True)


main()
