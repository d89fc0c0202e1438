"""The `calback` command: a thin front over Dagster's own API.

Commands, options, help and the form of errors belong here; what a command does stands in the sibling modules, which are
imported only when it runs, because Dagster takes seconds to import and `--help` must not.
"""

import gc
import traceback
from datetime import date, datetime
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import click

from calback_assets.cli import endings
from calback_assets.cli.days import day_range
from calback_assets.errors import CalbackError
from calback_assets.settings import (
    EXPORT_FORMATS,
    SOURCES,
    FirestoreEmulator,
    Settings,
    environment,
    takes_files,
    ui_token,
)
from calback_assets.tables import TABLES, Table

_DEBUG = "calback.debug"
_MOST_ROWS = 1_000_000_000
_NEW_BEFORE_COLLECTION = 20_000
_REPORT = "see the traceback with --debug, and report it"


class _Commands(click.Group):
    """Says every error in one line on stderr, after the traceback where `--debug` asks for it."""

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run as a process, whose signals are the command's."""
        endings.listen()
        # What a start imports stays, and hundreds of collections would look for garbage in it: a twelfth of the start.
        gc.set_threshold(_NEW_BEFORE_COLLECTION)
        try:
            self.main(*args, **kwargs)
        finally:
            endings.cease()

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run, and exit with 0, 1 for an error, 2 for wrong usage, 130 or 143 for SIGINT or SIGTERM."""
        try:
            code = super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.UsageError as error:
            hint = f"; see {error.ctx.command_path} --help" if error.ctx else ""
            _say(f"{error.format_message().rstrip('.')}{hint}")
            code = 2
        except endings.Interrupted:
            click.echo(endings.sentence(), nl=False, err=True)
            code = endings.code()
        except click.Abort:
            _say("there was no answer; nothing was begun")
            code = 1
        raise SystemExit(code)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an exception of it ends the process with 1."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if ctx.meta.get(_DEBUG):
                click.echo(traceback.format_exc(), err=True)
            # The text of an exception that is not ours may quote data.
            _say(
                str(error)
                if isinstance(error, CalbackError)
                else f"{type(error).__name__} in calback itself; {_REPORT}"
            )
            return ctx.exit(1)


def _day(_ctx: click.Context, _param: click.Parameter, text: str | None) -> date | None:
    try:
        return None if text is None else datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise click.BadParameter(f"{text!r} is no day; write it as YYYY-MM-DD") from None


def _table(_ctx: click.Context, _param: click.Parameter, name: str) -> Table:
    if name not in TABLES:
        raise click.UsageError(f"there is no table {name!r}; choose one of: {', '.join(TABLES)}")
    return TABLES[name]


def _export(_ctx: click.Context, _param: click.Parameter, name: str) -> str:
    if name not in (*TABLES, "who_did_what"):
        raise click.UsageError(f"there is no table {name!r}; choose one of: {', '.join(TABLES)}, who_did_what")
    return name


def _user_id(_ctx: click.Context, _param: click.Parameter, text: str) -> str:
    if not text.strip():
        raise click.UsageError("USER_ID is empty; give the id of the person's document in userCollection")
    return text


def _say(message: str) -> None:
    click.echo(f"error: {' '.join(message.split())}", err=True)


def _remember_debug(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[_DEBUG] = True


_debug = click.option(
    "--debug", is_flag=True, expose_value=False, callback=_remember_debug, help="Print the traceback of an error."
)

_language = click.option(
    "--language",
    type=click.Choice(["en", "ko"]),
    default="en",
    show_default=True,
    help="Of what is printed and of the page that is opened.",
)
_opening = click.option("--open", "is_opening", is_flag=True, help="Open the page in the browser.")


@click.group(cls=_Commands, invoke_without_command=True)
@_debug
@click.version_option(package_name="calback-assets", message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Daily active users and frequent users of Calback, from raw exports, on one machine.

    \b
    Example:
      calback sample data/sample
      calback run
      calback show daily_active_users
    """  # noqa: D301 - \b is how click is told to keep lines
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@main.command()
@_debug
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--users", default=30_000, show_default=True, help="People who have signed up by the end.")
@click.option("--days", default=120, show_default=True, help="Days, from 2024-01-01.")
@click.option("--seed", default=20240101, show_default=True, help="Another seed gives another world of the same kind.")
@click.option(
    "--firestore",
    is_flag=True,
    help="Then write its documents to the Firestore emulator that FIRESTORE_EMULATOR_HOST names, project "
    "CALBACK_GCP_PROJECT or demo-calback; userCollection and meetingsCollection then hold nothing else.",
)
def sample(folder: Path, users: int, days: int, seed: int, firestore: bool) -> None:
    """Write sample data into DIR; the same numbers give the same bytes.

    \b
    Example:
      calback sample data/sample --users 1000 --days 60
      FIRESTORE_EMULATOR_HOST=127.0.0.1:8080 calback sample data/sample --firestore
    """  # noqa: D301
    emulator = FirestoreEmulator.from_env(environment()) if firestore else None
    from calback_assets.cli.sample import write

    write(folder, users, days, seed, emulator)


@main.command()
@_debug
@click.option(
    "--from",
    "start",
    metavar="DAY",
    callback=_day,
    help="First day, YYYY-MM-DD. By default the first of the data; while days keep coming and without --to, yesterday.",
)
@click.option(
    "--to", "end", metavar="DAY", callback=_day, help="Last day. By default the last of the data, or yesterday."
)
@click.option("--select", "selection", metavar="SELECTION", help="Assets, in Dagster's selection syntax; default all.")
@click.option(
    "--accept-empty",
    "accepted",
    metavar="SOURCE",
    multiple=True,
    type=click.Choice(SOURCES),
    help="A raw table whose source may be empty, or have lost most of what it had; may be given several times.",
)
def run(start: date | None, end: date | None, selection: str | None, accepted: tuple[str, ...]) -> None:
    """Materialize a range of days as one Dagster run.

    \b
    Example:
      calback run --from 2024-02-01 --to 2024-02-29 --select 'daily_active_users+'
      calback run --from 2024-02-09 --to 2024-02-09 --accept-empty raw_access_log
    """  # noqa: D301
    settings = Settings.from_env(environment())
    first, last = day_range(start, end, settings, datetime.now(ZoneInfo(settings.timezone)).date())
    from calback_assets.cli.run import materialize

    materialize(settings, first, last, selection, accepted)


@main.command()
@_debug
@click.argument("user_id", metavar="USER_ID", callback=_user_id)
@click.option("--yes", "is_confirmed", is_flag=True, help="Do not ask for confirmation.")
@click.option(
    "--print-hash", "is_hash_only", is_flag=True, help="Only print what the job erase_person in Dagit takes for the id."
)
def erase(user_id: str, is_confirmed: bool, is_hash_only: bool) -> None:
    """Remove one person from every table, and keep them out of every later run.

    Erase them in Firestore and Google Analytics first; docs/privacy.md says in which order, and what else holds
    copies. Erasing twice does no harm.

    \b
    Example:
      calback erase 6Fq3ZJ1vQbTn0yXwL2aRk9sUeHd2
    """  # noqa: D301
    settings = Settings.from_env(environment())
    from calback_assets.cli.erase import erase_person, print_hash

    if is_hash_only:
        print_hash(settings, user_id)
    else:
        erase_person(settings, user_id, is_confirmed=is_confirmed)


@main.command()
@_debug
@click.argument("table", metavar="TABLE", callback=_table)
@click.option("--from", "start", metavar="DAY", callback=_day, help="First day, YYYY-MM-DD; by default of all.")
@click.option("--to", "end", metavar="DAY", callback=_day, help="Last day; by default of all.")
@click.option("--columns", metavar="NAMES", default="", help="Columns, joined by commas, in this order; default all.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    default="table",
    show_default=True,
    help="json is one object a line.",
)
@click.option(
    "--limit", type=click.IntRange(1, _MOST_ROWS), help="Rows at most; 20 of a table, and all of any other format."
)
def show(table: Table, start: date | None, end: date | None, columns: str, form: str, limit: int | None) -> None:
    """Print the newest rows of a table, for a person or for a program.

    They come from the read copy, which no run locks; docs/read-copy.md says how other programs open it.

    \b
    Example:
      calback show daily_active_users --limit 7
      calback show retention_cohorts --columns cohort_week,cohort_size
      calback show unified_events --from 2024-04-01 --to 2024-04-07 --format parquet > week.parquet
    """  # noqa: D301
    from calback_assets.cli.show import Asked, show_rows

    names = [name.strip() for name in columns.split(",") if name.strip()]
    asked = Asked(table, names, start, end, limit, form)
    asked.check()
    show_rows(Settings.from_env(environment(), is_reading=True), asked)


@main.command()
@_debug
@click.argument("table", metavar="TABLE", callback=_export)
@click.option("--from", "start", metavar="DAY", callback=_day, help="First day, YYYY-MM-DD; by default as calback run.")
@click.option("--to", "end", metavar="DAY", callback=_day, help="Last day.")
@click.option(
    "--format", "file_format", type=click.Choice(EXPORT_FORMATS), help="Of files, csv by default; a database has none."
)
@click.option(
    "--into",
    metavar="TARGET",
    help="A folder, gs://bucket/prefix, bigquery://project/dataset, or the URL of a database; by default what "
    "CALBACK_EXPORT_TO names, where a password is out of sight.",
)
@click.option("--one-file", "is_together", is_flag=True, help="All days in one file; else each day is one.")
def export(
    table: str, start: date | None, end: date | None, file_format: str | None, into: str | None, is_together: bool
) -> None:
    """Write days of a table where people work: as files, or into a database.

    TABLE is any table, or who_did_what: per day and person, who came and what they did, a column an action. A day that
    is exported again takes the place of the old one. docs/exports.md says what is in the files.

    \b
    Example:
      calback export daily_active_users --format xlsx --one-file --into exports
      calback export who_did_what --from 2024-04-01 --to 2024-04-29 --one-file --into exports
      calback export frequent_users --format parquet --into gs://my-bucket/calback
    """  # noqa: D301
    settings = Settings.from_env(environment(), is_reading=True)
    target = into or settings.export_to
    if target is None:
        raise click.UsageError("it is not said where to; give --into, or set CALBACK_EXPORT_TO")
    is_file = takes_files(target)
    if not is_file and (file_format or is_together):
        raise click.UsageError("a database takes rows and no files; leave --format and --one-file out")
    first, last = day_range(start, end, settings, datetime.now(ZoneInfo(settings.timezone)).date())
    from calback_assets.cli.export import export_days

    export_days(
        settings, table, first, last, (file_format or "csv") if is_file else None, target, is_together=is_together
    )


@main.command()
@_debug
@_language
@_opening
def report(language: str, is_opening: bool) -> None:
    """Say what the people who keep coming back do, and who will; the pages are made anew from the stored tables.

    \b
    Example:
      calback report --language ko --open
    """  # noqa: D301
    settings = Settings.from_env(environment(), is_reading=True)
    from calback_assets.cli.report import print_answer

    print_answer(settings, language, is_opening=is_opening)


@main.command()
@_debug
@_language
@_opening
def dashboard(language: str, is_opening: bool) -> None:
    """Make the dashboard anew from the stored tables, and say where it is.

    \b
    Example:
      calback dashboard --language ko --open
    """  # noqa: D301
    settings = Settings.from_env(environment(), is_reading=True)
    from calback_assets.cli.dashboard import write_dashboard

    write_dashboard(settings, language, is_opening=is_opening)


@main.command()
@_debug
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """Say how everything stands: settings, versions, sources, warehouse, and what to do.

    It writes nothing. It ends with 0 where there is no trouble, with 1 where there is any; a warning is none.
    docs/doctor.md says what is looked at.

    \b
    Example:
      calback doctor
      calback doctor | grep trouble
    """  # noqa: D301
    from calback_assets.cli.doctor import examine

    if not examine():
        ctx.exit(1)


@main.command()
@_debug
@click.option("--read-only", "is_read_only", is_flag=True, help="To look without a token; nothing is changed or run.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=3000, show_default=True, help="The port; 0 takes a free one."
)
@click.option("--public-host", "names", multiple=True, metavar="NAME", help="The name that a proxy before it has.")
def ui(is_read_only: bool, host: str, port: int, names: tuple[str, ...]) -> None:
    """Open Dagit, with the schedule and the queue of runs, until Ctrl-C.

    The address that is printed holds a token: it opens Dagit for the browser that follows it, and no page of another
    origin can use it. docs/dagit.md says what is guarded, and what to do behind a proxy.

    \b
    Example:
      calback ui --port 3001
      calback ui --read-only
    """  # noqa: D301
    environ = environment()
    settings, token = Settings.from_env(environ), ui_token(environ)
    from calback_assets.cli.ui import open_dagit

    open_dagit(settings, token, host=host, port=port, names=names, is_read_only=is_read_only)
