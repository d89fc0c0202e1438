"""`calback run`: a range of days as one Dagster run, with progress, and its failure in one line.

Only the front belongs here: Dagster runs the job, the warehouse counts what it wrote.
"""

import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import NoReturn

from dagster import (
    AssetKey,
    AssetSelection,
    BetaWarning,
    DagsterError,
    DagsterInstance,
    Definitions,
    HookContext,
    JobDefinition,
    JobExecutionResult,
    execute_job,
    reconstructable,
    success_hook,
)
from dagster_shared.error import SerializableErrorInfo
from rich.console import Console

from calback_assets import errors
from calback_assets.automation.jobs import DAILY_JOB_NAME
from calback_assets.automation.schedules import RANGE_END_TAG, RANGE_START_TAG
from calback_assets.checks import CHECKS, STEP_SUFFIX
from calback_assets.cli.bar import Bar, bar
from calback_assets.cli.show import closing_table
from calback_assets.errors import CalbackError
from calback_assets.partitions import DAY_FORMAT
from calback_assets.settings import Settings
from calback_assets.tables import TABLES
from calback_assets.warehouse.warehouse import progress

# Dagster's console logger would bury the progress bar; the instance keeps the whole story.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_INTERRUPTS = ("KeyboardInterrupt", "DagsterExecutionInterruptedError")
# One step runs all checks of a table; its name is the table's with this at the end.
_STALE_DAYS = "stale_days_rebuilt"
_INSTANCE_SETTINGS = Path(__file__).parents[1] / "dagster.yaml"


def materialize(settings: Settings, first: date, last: date, selection: str | None) -> None:
    """Run the daily job, or the selected assets of it, over the days `first` to `last`.

    Raises:
        CalbackError: the run could not start, or failed.
        KeyboardInterrupt: the run was interrupted; the instance knows it as failed.
    """
    from calback_assets.definitions import defs, warehouse_of

    out = Console(markup=False, highlight=False, soft_wrap=True)
    notes = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    if settings.uses_development_key:
        notes.print(
            "warning: personal data is hashed with the published development key; for real data, set "
            "CALBACK_PSEUDONYM_KEY"
        )
    assets = _select(defs, selection)
    warehouse = warehouse_of(settings)
    with warehouse.session():
        pass  # A warehouse that cannot be written is said before a run of it is on record.
    with _instance(settings, notes) as instance, _counted(assets, first, last):
        # Not `execute_in_process`: that replaces the executor, so that Dagit would not know the run's job for its own,
        # and keeps every output in memory until the end.
        result = execute_job(
            reconstructable(daily_job),
            instance,
            run_config=_QUIET,
            tags={RANGE_START_TAG: first.strftime(DAY_FORMAT), RANGE_END_TAG: last.strftime(DAY_FORMAT)},
            asset_selection=None if selection is None else assets,
        )
    if not result.success:
        _raise(result)
    out.print(f"{_span(first, last)} materialized, Dagit run {result.run_id}")
    if rebuilt := _stale_days_rebuilt(result):
        out.print(f"Also rebuilt days whose input has changed: {rebuilt}")
    with warehouse.session(read_only=True) as session:
        closing_table(session, last)
    out.print("Next: make ui, then http://127.0.0.1:3000; or calback show daily_active_users")


def daily_job() -> JobDefinition:
    """The daily job with a record on the progress logger for every finished step; Dagster calls it by its name."""
    from calback_assets.definitions import defs

    return defs.resolve_job_def(DAILY_JOB_NAME).with_hooks({_record_step})


@success_hook
def _record_step(context: HookContext) -> None:
    if context.step_key.endswith(STEP_SUFFIX):  # The warehouse records its tables itself, day by day.
        progress.info("%s: passed", context.step_key, extra={"table": context.step_key, "day": None})


def _select(defs: Definitions, selection: str | None) -> Sequence[AssetKey]:
    try:
        with warnings.catch_warnings():
            # Dagster's own parser passes a parameter that Dagster calls beta.
            warnings.filterwarnings("ignore", "Parameter `include_sources`", BetaWarning)
            chosen = AssetSelection.all() if selection is None else AssetSelection.from_coercible(selection.split(","))
        assets = sorted(chosen.resolve(defs.resolve_asset_graph()))
    except DagsterError:
        assets = []
    if not assets:
        raise CalbackError(
            f"--select {selection!r} selects no asset; write it in Dagster's selection syntax, with the assets "
            f"{', '.join(TABLES)}"
        )
    return assets


@contextmanager
def _instance(settings: Settings, notes: Console) -> Iterator[DagsterInstance]:
    """The instance of DAGSTER_HOME, or one beside the warehouse."""
    named = os.environ.get("DAGSTER_HOME")
    home = Path(named) if named else settings.duckdb_path.parent / "dagster"
    if not named:
        home.mkdir(exist_ok=True)
        if not (home / _INSTANCE_SETTINGS.name).exists():
            shutil.copy(_INSTANCE_SETTINGS, home)
        os.environ["DAGSTER_HOME"] = str(home.resolve())  # The settings refer to it.
        notes.print(f"DAGSTER_HOME is not set: the run is recorded in {home}")
    elif not home.is_dir():
        raise CalbackError(f"DAGSTER_HOME is {str(home)!r}, which is no folder; make it, or unset DAGSTER_HOME")
    with DagsterInstance.from_config(str(home.resolve())) as instance:
        yield instance


class _Counter(logging.Handler):
    """Moves the bar by one for every record of the progress logger."""

    def __init__(self, shown: Bar, expected: set[tuple[str, date | None]]) -> None:
        super().__init__()
        self._bar = shown
        self._expected = expected

    def emit(self, record: logging.LogRecord) -> None:
        table, day = record.__dict__["table"], record.__dict__["day"]
        if (table, day) in self._expected:
            self._expected.remove((table, day))
        else:
            self._bar.expect_one_more()  # A day that had gone stale.
        self._bar.advance(table if day is None else f"{table} {day}")


@contextmanager
def _counted(assets: Sequence[AssetKey], first: date, last: date) -> Iterator[None]:
    """A bar over every partition, snapshot and step of checks that the run is to make."""
    tables = [TABLES[key.path[-1]] for key in assets]
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    expected: set[tuple[str, date | None]] = {
        (table.name, day) for table in tables for day in (days if table.is_partitioned else [None])
    }
    checked = {check.table.name for check in CHECKS}
    expected |= {(table.name + STEP_SUFFIX, None) for table in tables if table.name in checked}
    level = progress.level
    with bar(DAILY_JOB_NAME, len(expected)) as shown:
        counter = _Counter(shown, expected)
        progress.setLevel(logging.INFO)
        progress.addHandler(counter)
        try:
            yield
            shown.title(f"{DAILY_JOB_NAME} {_span(first, last)}")
        finally:
            progress.removeHandler(counter)
            progress.setLevel(level)


class _StepError(Exception):
    """A step's exception as Dagster keeps it: text, with its traceback."""


def _raise(result: JobExecutionResult) -> NoReturn:
    """Raise what made the run fail."""
    failures = result.filter_events(lambda event: event.is_step_failure)
    if not failures:
        raise CalbackError(f"the run failed outside its steps; details: Dagit run {result.run_id}")
    error = failures[0].step_failure_data.error
    causes = list(_causes(error))
    if any(cause.cls_name in _INTERRUPTS for cause in causes):
        raise KeyboardInterrupt
    step = str(failures[0].step_key).removesuffix(STEP_SUFFIX)
    message = _failed_check(result) or _own_message(causes) or f"{causes[-1].cls_name} in a step that ran into a fault"
    where = "" if message.startswith(step) else f"{step}: "
    raise CalbackError(f"{where}{message.rstrip('.')}; details: Dagit run {result.run_id}") from _StepError(
        error.to_string() if error else "no traceback was kept"
    )


def _causes(error: SerializableErrorInfo | None) -> Iterator[SerializableErrorInfo]:
    while error is not None:
        yield error
        error = error.cause


def _own_message(causes: Sequence[SerializableErrorInfo]) -> str | None:
    """The message of the first of our own errors; that of another may quote data."""
    own = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, CalbackError)}
    for cause in causes:
        if cause.cls_name in own:
            return " ".join(cause.message.partition(": ")[2].split())
    return None


def _failed_check(result: JobExecutionResult) -> str | None:
    for check in result.get_asset_check_evaluations():
        if not check.passed:
            first = check.metadata["first_violations"].value
            return (
                f"{check.asset_key.to_user_string()} breaks its check {check.check_name}: {first}; nothing that reads "
                "it was written; correct its input or its query, and run it again"
            )
    return None


def _stale_days_rebuilt(result: JobExecutionResult) -> str:
    rebuilt = {
        event.materialization.asset_key.to_user_string(): event.materialization.metadata[_STALE_DAYS].value
        for event in result.get_asset_materialization_events()
        if _STALE_DAYS in event.materialization.metadata
    }
    return ", ".join(f"{count} of {name}" for name, count in rebuilt.items())


def _span(first: date, last: date) -> str:
    return str(first) if first == last else f"{first} to {last}"
