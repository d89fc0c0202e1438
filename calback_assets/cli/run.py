"""`calback run`: a range of days as one Dagster run, with progress, and its failure in one line.

Only the front belongs here: Dagster runs the job, the warehouse counts what it wrote.
"""

import logging
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from dagster import (
    AssetKey,
    AssetSelection,
    BetaWarning,
    DagsterError,
    Definitions,
    HookContext,
    JobDefinition,
    JobExecutionResult,
    success_hook,
)
from rich.console import Console

from calback_assets.assets.delivery.dashboard import DASHBOARD
from calback_assets.assets.insight.insight_report import INSIGHT_REPORT, SENTENCES
from calback_assets.automation.jobs import DAILY_JOB_NAME
from calback_assets.checks import CHECKS, STEP_SUFFIX
from calback_assets.cli.bar import Bar, bar
from calback_assets.cli.dashboard import dashboard_line
from calback_assets.cli.endings import interruptible
from calback_assets.cli.on_instance import execute, instance_of, raise_failure, warnings_of
from calback_assets.cli.report import answer_lines
from calback_assets.cli.show import closing_table, note_age
from calback_assets.days import days_between
from calback_assets.errors import CalbackError
from calback_assets.partitions import DAY_FORMAT, RANGE_END_TAG, RANGE_START_TAG
from calback_assets.settings import Settings
from calback_assets.tables import TABLES
from calback_assets.warehouse.deployed import warehouse_of
from calback_assets.warehouse.deployed_sources import sources_of
from calback_assets.warehouse.intake import arrived, not_arrived
from calback_assets.warehouse.warehouse import ACCEPT_EMPTY, break_off, progress, share_done

_STALE_DAYS = "stale_days_rebuilt"


def materialize(settings: Settings, first: date, last: date, selection: str | None, accepted: Collection[str]) -> None:
    """Run the daily job, or the selected assets of it, over the days `first` to `last` that have arrived.

    Raises:
        CalbackError: the run could not start, or failed, or not every day has arrived.
        Interrupted: the run was interrupted; the instance knows it as failed.
    """
    from calback_assets.definitions import defs

    out = Console(markup=False, highlight=False, soft_wrap=True)
    notes = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    if settings.uses_development_key:
        notes.print(
            "warning: personal data is hashed with the published development key; for real data, set "
            "CALBACK_PSEUDONYM_KEY"
        )
    assets = _select(defs, selection)
    warehouse = warehouse_of(settings)
    with warehouse.session() as session:  # One that cannot be written is said before a run of it is on record.
        try:
            waiting = _not_arrived(settings, {key.path[-1] for key in assets} - set(accepted), first, last)
        except session.failures as error:
            raise session.redact(error) from None
    wanted, last = last, min([last, *waiting.values()])
    late = "; ".join(
        not_arrived(table, days_between(max(first, complete + timedelta(days=1)), wanted), complete)
        for table, complete in waiting.items()
    )
    if last < first:
        raise CalbackError(late)
    counter = _Counter(assets, first, last)
    with (
        interruptible(counter.so_far, break_off),
        instance_of(settings, notes) as instance,
        _counted(counter, first, last),
    ):
        result = execute(
            daily_job,
            instance,
            config={"resources": {"intake": {"config": {ACCEPT_EMPTY: sorted(accepted)}}}},
            tags={RANGE_START_TAG: first.strftime(DAY_FORMAT), RANGE_END_TAG: last.strftime(DAY_FORMAT)},
            assets=None if selection is None else assets,
        )
    if not result.success:
        raise_failure(result)
    out.print(f"{_span(first, last)} materialized, Dagit run {result.run_id}")
    if rebuilt := _stale_days_rebuilt(result):
        out.print(f"Also rebuilt days whose input has changed: {rebuilt}")
    for warning in warnings_of(result):
        notes.print(f"warning: {warning}")
    with warehouse.reading() as session:
        closing_table(session, last)
    note_age(warehouse, notes)
    for line in _answer(result):
        out.print(line)
    if late:
        raise CalbackError(late)
    out.print("Next: make ui opens Dagit on it; or calback show daily_active_users")


def daily_job() -> JobDefinition:
    """The daily job with a record on the progress logger for every finished step; Dagster calls it by its name."""
    from calback_assets.definitions import defs

    return defs.resolve_job_def(DAILY_JOB_NAME).with_hooks({_record_step})


def _not_arrived(settings: Settings, tables: Collection[str], first: date, last: date) -> dict[str, date]:
    """The last day of each source of these tables that has not come as far as `last`."""
    complete = arrived(sources_of(settings), tables, first)
    return {table: day for table, day in complete.items() if day < last}


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
        graph = defs.resolve_asset_graph()
        # What the app leaves behind can be named, and not made.
        assets = sorted(chosen.resolve(graph) & graph.executable_asset_keys)
    except DagsterError:
        assets = []
    if not assets:
        raise CalbackError(
            f"--select {selection!r} selects no asset; write it in Dagster's selection syntax, with the assets "
            f"{', '.join(TABLES)}"
        )
    return assets


class _Counter(logging.Handler):
    """Moves the bar by one for every record of what was written, and puts every other above it."""

    bar: Bar

    def __init__(self, assets: Sequence[AssetKey], first: date, last: date) -> None:
        """Expect every partition, snapshot and step of checks that the run is to make."""
        super().__init__()
        self._tables = [TABLES[name] for key in assets if (name := key.path[-1]) in TABLES]
        days = days_between(first, last)
        self.expected: set[tuple[str, date | None]] = {
            (table.name, day) for table in self._tables for day in (days if table.is_partitioned else [None])
        }
        self.expected |= {(key.path[-1], None) for key in assets if key.path[-1] not in TABLES}
        checked = {check.table.name for check in CHECKS}
        self.expected |= {(table.name + STEP_SUFFIX, None) for table in self._tables if table.name in checked}
        self._written: dict[str, list[date]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        if "table" not in record.__dict__:
            self.bar.note(record.getMessage())
            return
        if "begun" in record.__dict__:
            self.bar.begin(record.__dict__["begun"])
            return
        table, day = record.__dict__["table"], record.__dict__["day"]
        if (table, day) in self.expected:
            self.expected.remove((table, day))
            self._written.setdefault(table, []).append(day)
        else:
            self.bar.expect_one_more()  # A day that had gone stale.
        self.bar.advance(table if day is None else f"{table} {day}")

    def so_far(self) -> str:
        """What was written, and how to go on."""
        begun = {table for table, _ in self.expected}
        whole = [table for table in self._tables if table.name not in begun]
        written = [f"{len(whole)} of {len(self._tables)} tables"] if whole else []
        written += [
            f"{_span(min(days), max(days))} of {table}" for table, days in self._written.items() if table in begun
        ]
        return f"written: {' and '.join(written) or 'nothing'}; run the same command again to finish"


@contextmanager
def _counted(counter: _Counter, first: date, last: date) -> Iterator[None]:
    """A bar over what is expected."""
    level = progress.level
    with bar(DAILY_JOB_NAME, len(counter.expected), share_done) as counter.bar:
        progress.setLevel(logging.INFO)
        progress.addHandler(counter)
        try:
            yield
            counter.bar.title(f"{DAILY_JOB_NAME} {_span(first, last)}")
        finally:
            progress.removeHandler(counter)
            progress.setLevel(level)


def _stale_days_rebuilt(result: JobExecutionResult) -> str:
    rebuilt = {
        event.materialization.asset_key.to_user_string(): event.materialization.metadata[_STALE_DAYS].value
        for event in result.get_asset_materialization_events()
        if _STALE_DAYS in event.materialization.metadata
    }
    return ", ".join(f"{count} of {name}" for name, count in rebuilt.items())


def _answer(result: JobExecutionResult) -> Iterator[str]:
    """What the report says, where the run has made it, and where it and the dashboard stand."""
    made = {
        event.materialization.asset_key.path[-1]: {
            name: str(value.value) for name, value in event.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
    }
    if said := made.get(INSIGHT_REPORT):
        yield from answer_lines([said[f"{name}_en"] for name in SENTENCES], Path(said["page_en"]))
    if said := made.get(DASHBOARD):
        yield dashboard_line(Path(said["page_en"]))


def _span(first: date, last: date) -> str:
    return str(first) if first == last else f"{first} to {last}"
