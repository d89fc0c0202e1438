"""What commands that run a job share: Dagster's instance, and a failed run as an error in one line.

Which job is run, and what is said of its success, belongs to each command.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from dagster import AssetCheckSeverity, AssetKey, DagsterInstance, JobDefinition, JobExecutionResult, reconstructable
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import RemoteRepositoryOrigin
from dagster._core.workspace.load_target import ModuleTarget
from dagster_shared.error import SerializableErrorInfo
from rich.console import Console

from calback_assets import errors
from calback_assets.automation.jobs import CODE_LOCATION
from calback_assets.checks import STEP_SUFFIX
from calback_assets.errors import CalbackError
from calback_assets.settings import Settings

# Dagster's console logger would bury what a command says; the instance keeps the whole story.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_INTERRUPTS = ("KeyboardInterrupt", "DagsterExecutionInterruptedError")
_INSTANCE_SETTINGS = Path(__file__).parents[1] / "dagster.yaml"


@contextmanager
def instance_of(settings: Settings, notes: Console) -> Iterator[DagsterInstance]:
    """The instance of DAGSTER_HOME, or one beside the warehouse.

    Raises:
        CalbackError: DAGSTER_HOME is no folder.
    """
    named = os.environ.get("DAGSTER_HOME")
    home = Path(named) if named else settings.duckdb_path.parent / "dagster"
    if not named:
        home.mkdir(parents=True, exist_ok=True)
        if not (home / _INSTANCE_SETTINGS.name).exists():
            shutil.copy(_INSTANCE_SETTINGS, home)
        os.environ["DAGSTER_HOME"] = str(home.resolve())  # The settings refer to it.
        notes.print(f"DAGSTER_HOME is not set: runs are recorded in {home}")
    elif not home.is_dir():
        raise CalbackError(f"DAGSTER_HOME is {str(home)!r}, which is no folder; make it, or unset DAGSTER_HOME")
    with DagsterInstance.from_config(str(home.resolve())) as instance:
        yield instance


def executed(
    job: Callable[[], JobDefinition],
    instance: DagsterInstance,
    *,
    run_config: Mapping[str, object],
    tags: Mapping[str, str] | None = None,
    assets: Sequence[AssetKey] | None = None,
) -> JobExecutionResult:
    """Run a job of the definitions in this process, or the given assets of it.

    It is what `execute_job` does, and says besides out of what definitions the job is: without that, Dagit counts the
    run neither on Overview nor among those of its job.
    """
    found = reconstructable(job)
    definition = found.get_definition()
    (location,) = ModuleTarget(CODE_LOCATION, None, None, None).create_origins()
    run = instance.create_run_for_job(
        definition,
        run_config=run_config,
        tags={**definition.run_tags, **(tags or {})},
        asset_selection=None if assets is None else frozenset(assets),
        remote_job_origin=RemoteRepositoryOrigin(location, "__repository__").get_job_origin(definition.name),
        job_code_origin=found.get_python_origin(),
    )
    return execute_run(found, run, instance)


class _StepError(Exception):
    """A step's exception as Dagster keeps it: text, with its traceback."""


def raise_failure(result: JobExecutionResult) -> NoReturn:
    """Raise what made the run fail.

    Raises:
        CalbackError: always, but for an interrupt.
        KeyboardInterrupt: the run was interrupted.
    """
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
