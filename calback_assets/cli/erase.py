"""`calback erase`: one person out of every table, as one Dagster run that never learns who it was.

Only the front belongs here: the hash is made of the id in this process, and nothing else of the id leaves it.
"""

import sys
from collections.abc import Mapping
from typing import Any

import click
from dagster import JobDefinition, JobExecutionResult
from rich.console import Console
from rich.table import Table as Grid

from calback_assets.automation.erasure import ERASE_JOB_NAME, ERASE_STEP, SUBJECT_HASH
from calback_assets.cli.endings import interruptible
from calback_assets.cli.on_instance import execute, instance_of, raise_failure
from calback_assets.errors import ErasureError
from calback_assets.settings import Settings
from calback_assets.warehouse.erasure import Subjects
from calback_assets.warehouse.warehouse import break_off

_WARNING = (
    "This removes one person, and the app events of every device they were seen on, from all tables, and keeps them "
    "out of every later run. It cannot be undone."
)
_AGAIN = "the person may not be erased yet; run the same command again: erasing twice does no harm"


def print_hash(settings: Settings, user_id: str) -> None:
    """Print what the job in Dagit takes in the place of the id."""
    click.echo(Subjects(settings.pseudonym_key).hash(user_id))


def erase_person(settings: Settings, user_id: str, *, is_confirmed: bool) -> None:
    """Ask, run the job, and say what it touched.

    Raises:
        CalbackError: nobody could be asked, the answer was no, or the run failed.
        Interrupted: a signal came.
    """
    notes = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    if not is_confirmed:
        if not sys.stdin.isatty():
            raise ErasureError("there is no terminal to ask for confirmation; nothing was erased; add --yes to go on")
        notes.print(_WARNING)
        if not click.confirm("Erase?", err=True):
            raise ErasureError("the answer was no; nothing was erased")
    config = {SUBJECT_HASH: Subjects(settings.pseudonym_key).hash(user_id)}
    with interruptible(lambda: _AGAIN, break_off), instance_of(settings, notes) as instance:
        result = execute(erase_job, instance, config={"ops": {ERASE_STEP: {"config": config}}})
    if not result.success:
        raise_failure(result)
    _say(result)


def erase_job() -> JobDefinition:
    """The job as Dagit knows it; Dagster calls it by its name."""
    from calback_assets.definitions import defs

    return defs.resolve_job_def(ERASE_JOB_NAME)


def _say(result: JobExecutionResult) -> None:
    out = Console(markup=False, highlight=False)
    observed = list(_observed(result))
    touched = [(table, found) for table, found in observed if "rows_removed" in found]
    if touched:
        grid = Grid(title="Rows removed, and rows of others that named them", title_justify="left")
        grid.add_column("table", no_wrap=True)
        for name in ("removed", "unlinked", "days", "first day", "last day"):
            grid.add_column(name, justify="right", no_wrap=True)
        for table, found in touched:
            cells = ("rows_removed", "rows_unlinked", "days", "first_day", "last_day")
            grid.add_row(table, *(str(found.get(name, "–")) for name in cells))
        out.print(grid)
    else:
        out.print("Nothing is stored of this person.", soft_wrap=True)
    out.print("They stay suppressed: no later run stores anything of them.", soft_wrap=True)
    if stale := ", ".join(f"{found['stale_days']} of {table}" for table, found in observed if "stale_days" in found):
        out.print(f"Days that the next run rebuilds without them: {stale}", soft_wrap=True)
    out.print(f"Dagit run {result.run_id}; what else holds copies of them: docs/privacy.md", soft_wrap=True)


def _observed(result: JobExecutionResult) -> list[tuple[str, Mapping[str, Any]]]:
    return [
        (seen.asset_key.to_user_string(), {name: value.value for name, value in seen.metadata.items()})
        for event in result.filter_events(lambda event: event.is_asset_observation)
        for seen in [event.asset_observation_data.asset_observation]
    ]
