"""What commands that run a job share: Dagster's instance, and a failed run as an error in one line.

Which job is run, and what is said of its success, belongs to each command.
"""

import gc
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from dagster import (
    AssetCheckSeverity,
    AssetKey,
    DagsterInstance,
    DagsterRunStatus,
    JobDefinition,
    JobExecutionResult,
    RunsFilter,
    reconstructable,
)
from dagster._core.execution.api import execute_run
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import RemoteRepositoryOrigin
from dagster._core.workspace.load_target import ModuleTarget
from dagster._utils.interrupts import capture_interrupts
from dagster_shared.error import SerializableErrorInfo
from rich.console import Console
from sqlalchemy.exc import DBAPIError

from calback_assets import errors
from calback_assets.automation.jobs import CODE_LOCATION
from calback_assets.checks import STEP_SUFFIX
from calback_assets.cli.endings import go_on
from calback_assets.errors import CalbackError
from calback_assets.settings import Settings
from calback_assets.tables import TABLES

# Dagster's console logger would bury what a command says; the instance keeps the whole story.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
# What a command prints is for its terminal. Dagster would catch it in files, and send it on by processes of its own,
# which a terminal interrupts as well, and which then print tracebacks.
_UNCAUGHT = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}
_PROCESS_TAG = "calback/process"
_ON = " on "
_NO_ROOM = 2**20
_UNFINISHED = [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED]
_INSTANCE_SETTINGS = Path(__file__).parents[1] / "dagster.yaml"


@contextmanager
def instance_of(settings: Settings, notes: Console, *, is_catching: bool = False) -> Iterator[DagsterInstance]:
    """The instance of DAGSTER_HOME, or one beside the warehouse.

    Args:
        settings: tell where the warehouse is.
        notes: where to say which folder it is.
        is_catching: whether what runs print is kept in files, as the instance's settings have it.

    Raises:
        CalbackError: DAGSTER_HOME is no folder, its disk is full, or Dagster's records there cannot be used.
    """
    named = os.environ.get("DAGSTER_HOME")
    home = Path(named) if named else settings.duckdb_path.parent / "dagster"
    try:
        if not named:
            _make(home)
            os.environ["DAGSTER_HOME"] = str(home.resolve())  # The settings refer to it.
            notes.print(f"DAGSTER_HOME is not set: runs are recorded in {home}")
        elif not home.is_dir():
            raise no_home(home)
        # Once a run has begun Dagster captures signals itself, and hands them to the run's steps.
        with (
            capture_interrupts(),
            DagsterInstance.from_ref(
                InstanceRef.from_dir(str(home.resolve()), overrides={} if is_catching else _UNCAUGHT)
            ) as instance,
        ):
            yield instance
    except (OSError, DBAPIError) as error:
        if _is_full(home, str(error)):
            raise CalbackError(_full_disk(home)) from error
        if isinstance(error, DBAPIError):
            raise CalbackError(_unusable(home, error)) from error
        raise


def no_home(home: Path) -> CalbackError:
    """The error for a DAGSTER_HOME that is not there."""
    return CalbackError(f"DAGSTER_HOME is {str(home)!r}, which is no folder; make it, or unset DAGSTER_HOME")


def _make(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    if not (home / _INSTANCE_SETTINGS.name).exists():
        # Whole or not at all: half of it would be taken for the settings.
        shutil.copy(_INSTANCE_SETTINGS, copied := home / f"{_INSTANCE_SETTINGS.name}.new")
        copied.replace(home / _INSTANCE_SETTINGS.name)


def _is_full(home: Path, error: str) -> bool:
    if re.search("disk is full|No space left on device|Disk quota exceeded", error):
        return True
    return "disk I/O error" in error and shutil.disk_usage(home).free < _NO_ROOM


def _full_disk(home: Path) -> str:
    return (
        f"the disk of Dagster's folder {home} is full, and the run is not on record to its end; the days that were "
        "written stay written; make room there, or set DAGSTER_HOME to a folder on another disk, and run it again"
    )


def _unusable(home: Path, error: DBAPIError) -> str:
    # The database's own words, of which only later lines name values; SQLAlchemy would add statement and parameters.
    reason = str(error.orig).partition("\n")[0]
    return (
        f"Dagster's records in {home} cannot be used: {reason}; run it again, and if that does not help, set "
        "DAGSTER_HOME to another folder"
    )


def execute(
    job: Callable[[], JobDefinition],
    instance: DagsterInstance,
    *,
    config: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    assets: Sequence[AssetKey] | None = None,
) -> JobExecutionResult:
    """Run a job in this process; however it ends, its run does not stay on record as one that goes on.

    Args:
        job: makes the job; Dagster calls it by its name.
        instance: where the run is recorded.
        config: of the run.
        tags: of the run.
        assets: of the job; None for all.
    """
    go_on()
    _end_abandoned(instance)
    try:
        # Not `execute_in_process`: that replaces the executor, so that Dagit would not know the run's job for its own,
        # and keeps every output in memory until the end. Nor `execute_job`: it does not say out of what definitions the
        # job is, and Dagit would count the run neither on Overview nor among those of its job.
        found = reconstructable(job)
        definition = found.get_definition()
        gc.freeze()  # A run lets go of many small things, and each collection would look at all that was imported.
        (location,) = ModuleTarget(CODE_LOCATION, None, None, None).create_origins()
        run = instance.create_run_for_job(
            definition,
            run_config={**_QUIET, **(config or {})},
            tags={
                **definition.run_tags,
                _PROCESS_TAG: f"{os.getpid()}{_ON}{socket.gethostname()}",
                **(tags or {}),
            },
            asset_selection=None if assets is None else frozenset(assets),
            remote_job_origin=RemoteRepositoryOrigin(location, "__repository__").get_job_origin(definition.name),
            job_code_origin=found.get_python_origin(),
        )
        return execute_run(found, run, instance)
    except BaseException:
        with suppress(DBAPIError):  # The next run of a command sees to it.
            _end_abandoned(instance)
        raise
    finally:
        gc.unfreeze()


def _end_abandoned(instance: DagsterInstance) -> None:
    """Record runs as failed whose process was killed, could write no more, or was interrupted before their first step.

    Dagit's queue would wait for them.
    """
    for run in instance.get_runs(RunsFilter(statuses=_UNFINISHED)):
        process, _, host = run.tags.get(_PROCESS_TAG, "").partition(_ON)
        if host == socket.gethostname() and not _is_another(int(process)):
            instance.report_run_failed(run, f"Process {process} has ended before its run.")


def _is_another(process: int) -> bool:
    """Whether it is alive, and not this one."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # Somebody else's.
    return process != os.getpid()


class _StepError(Exception):
    """A step's exception as Dagster keeps it: text, with its traceback."""


def raise_failure(result: JobExecutionResult) -> NoReturn:
    """Raise what made the run fail.

    Raises:
        CalbackError: always.
    """
    failures = result.filter_events(lambda event: event.is_step_failure)
    if not failures:
        raise CalbackError(f"the run failed outside its steps; details: Dagit run {result.run_id}")
    error = failures[0].step_failure_data.error
    causes = list(_causes(error))
    step = str(failures[0].step_key).removesuffix(STEP_SUFFIX)
    if any(cause.cls_name == "OperationalError" and "disk is full" in cause.message for cause in causes):
        raise CalbackError(_full_disk(Path(os.environ["DAGSTER_HOME"])))
    message = _failed_check(result) or _own_message(causes) or f"{causes[-1].cls_name} in a step that ran into a fault"
    where = "" if message.startswith((step, *TABLES)) else f"{step}: "  # A step may make tables of other names.
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
        if not check.passed and check.severity is AssetCheckSeverity.ERROR:
            first = check.metadata["first_violations"].value
            return (
                f"{check.asset_key.to_user_string()} breaks its check {check.check_name}: {first}; nothing that reads "
                "it was written; correct its input or its query, and run it again"
            )
    return None


def warnings_of(result: JobExecutionResult) -> Iterator[str]:
    """What the checks that only warn have found, a sentence each."""
    for check in result.get_asset_check_evaluations():
        if not check.passed and check.severity is AssetCheckSeverity.WARN:
            yield f"{check.asset_key.to_user_string()}: {check.metadata['first_unusual_days'].value}"
