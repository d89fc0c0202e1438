"""Writes the pages of this folder that are made of the code: `make docs`.

What a contract, an asset or a command says of itself is said there and nowhere else; these pages carry it to people who
read no code. `catalog` and `commands` are pure; a test holds both files to them. The package needs nothing of this, so
it stands beside the pictures' script, and not in the package.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from textwrap import fill

import click
from dagster import AssetKey, Definitions
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from calback_assets.assets import SQL_ASSETS
from calback_assets.assets.sql_asset import SqlAsset
from calback_assets.automation.schedules import LOOK_BACK_DAYS, REWRITTEN_DAYS
from calback_assets.partitions import Reach
from calback_assets.settings import Settings
from calback_assets.tables import EVENT_DATE, TABLES, Column, Privacy, Table
from calback_assets.tables.insight import RETURN_MODEL

DOCS = Path(__file__).parent
FIRST, LAST = "2024-04-23", "2024-04-29"
"""The days that a query to start from names: the last week of the sample."""
_MADE = "<!-- Made by `make docs` of the code; change it there. -->\n"
_ASSETS: Mapping[str, SqlAsset] = {declared.table.name: declared for declared in SQL_ASSETS}


def settings() -> Settings:
    """Those of a catalog: the defaults, which a deployment may change."""
    return Settings.from_env({"CALBACK_START_DATE": "2024-01-01", "CALBACK_END_DATE": LAST})


def catalog(defs: Definitions) -> str:
    """The page of all tables, in the order of their contracts."""
    graph = defs.resolve_asset_graph()
    return "\n".join([_MADE, _CATALOG, *_overview(graph), *(_page(graph, table) for table in TABLES.values())])


_CATALOG = f"""# Catalog

Every table that the platform writes. What the numbers mean together stands in [metrics.md](metrics.md) and
[insight.md](insight.md), what is stored of people in [privacy.md](privacy.md).

**To query.** Each table has a query to start from. It is GoogleSQL, and DuckDB runs it as it stands: `calback` is
the dataset in BigQuery and the schema in DuckDB's file. Its days are the last week of the sample; put yours there.
In BigQuery a table of days refuses a query that names no days.
[How to read the numbers](how-to/read-the-numbers.md) says where to type it.

**When a table is written.** The schedule `nightly` writes yesterday, the {REWRITTEN_DAYS} days before it, which Google
Analytics still rewrites, and every day of the last {LOOK_BACK_DAYS} that is missing or has failed. `calback run` and
Dagit write any day.

**What may still change.** The {REWRITTEN_DAYS} days before yesterday, each night. An older day, when somebody writes it
anew, or when a day that it hangs on gets other rows: it is then marked stale and rebuilt by the same run. When somebody
is erased, their rows go, and the counts that they were in are made anew by the next run.

**Marks of columns.** *Never NULL*; *personal*: the value points at one person, and is in no log and no preview;
*hashed*: an HMAC with the deployment's key; *dropped*: declared so that the decision can be read, and never stored;
*clock*: may differ between two runs over the same input.
"""


def _overview(graph: AssetGraph) -> Iterator[str]:
    """The list of tables, by group."""
    yield "| group | table | a row is |\n|---|---|---|"
    for group, names in groupby(TABLES, lambda name: graph.get(AssetKey(name)).group_name):
        for number, name in enumerate(names):
            yield f"| {'' if number else group} | [`{name}`](#{name}) | {TABLES[name].grain} |"
    yield ""


def _page(graph: AssetGraph, table: Table) -> str:
    key = AssetKey(table.name)
    node = graph.get(key)
    facts = {
        "A row is": f"{table.grain}; key: {_names(table.key) if table.key else 'none, copies are kept'}",
        "To use": table.use,
        "Mind": table.caution,
        "Written": _written(table),
        "May change": _may_change(table),
        "Reads": ", ".join(_read(table, parent) for parent in sorted(node.parent_keys)) or "its source",
        "Read by": ", ".join(_linked(child) for child in sorted(node.child_keys)) or "people",
        "Made by": _source(table),
        "Defined in": f"[{table.defined_in}]({table.defined_in})" if table.defined_in else "",
    }
    checks = [graph.get_check_spec(check) for check in sorted(node.check_keys, key=lambda check: check.name)]
    return "\n".join(
        [
            f"## {table.name}\n",
            f"{table.description}\n",
            *(f"- **{name}:** {fact}" for name, fact in facts.items() if fact),
            *(f"- **Check `{check.name}`:** {check.description}" for check in checks),
            "\n| column | type | | what it is |\n|---|---|---|---|",
            *(_column(column) for column in table.declared),
            f"\n```sql\n{query(table)}\n```\n",
        ]
    )


def query(table: Table) -> str:
    """A query to start from, for either engine: counts where rows are people's, the rows where they are counts."""
    where = f"\nWHERE {EVENT_DATE} BETWEEN DATE '{FIRST}' AND DATE '{LAST}'" if table.is_partitioned else ""
    if not table.person:
        columns = [column.name for column in table.columns if not column.type.startswith("ARRAY")]
        return f"{_select(columns)}\nFROM calback.{table.name}{where}\nORDER BY {', '.join(table.key)}"
    person = f"COALESCE({', '.join(table.person)})" if len(table.person) > 1 else table.person[0]
    flags = [column.name for column in table.columns if column.type == "BOOL"]
    counts = ["COUNT(*) AS row_count", f"COUNT(DISTINCT {person}) AS people"]
    counts += [f"COUNTIF({flag}) AS {flag}_count" for flag in flags]
    if not table.is_partitioned:
        return f"{_select(counts)}\nFROM calback.{table.name}"
    by_day = f"GROUP BY {EVENT_DATE}\nORDER BY {EVENT_DATE}"
    return f"{_select([EVENT_DATE, *counts])}\nFROM calback.{table.name}{where}\n{by_day}"


def _select(columns: Sequence[str]) -> str:
    return fill(f"SELECT {', '.join(columns)}", width=100, subsequent_indent="  ", break_long_words=False)


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in columns)


def _linked(key: AssetKey) -> str:
    name = key.to_user_string()
    return f"[`{name}`](#{name})" if name in TABLES else f"`{name}`"


def _read(table: Table, parent: AssetKey) -> str:
    """A table that is read, with its days seen from a day of this one."""
    declared = _ASSETS.get(table.name)
    reach = declared.reads.get(parent.path[-1]) if declared else None
    return f"{_linked(parent)}{f' ({_days(reach)})' if reach else ''}"


def _days(reach: Reach) -> str:
    """The days of a reach in words."""
    first, last = reach.first, reach.last
    if (first, last) == (0, 0):
        return "the day"
    if last == 0 and first is not None:
        return f"the {1 - first} days that end with it"
    if first == last == -1:
        return "the day before"
    if first == last and first is not None:
        return f"{-first} days before"
    return f"from {first} to {last} days"


def _written(table: Table) -> str:
    if table.is_partitioned:
        return "a partition a day; every night"
    if table.name == RETURN_MODEL.name:
        every = f"every {settings().model_every_days} nights (`CALBACK_MODEL_EVERY_DAYS`)"
    else:
        every = "every night"
    how = (
        "by its key, with the documents as they are at one moment" if table.tombstone else "whole, as of the newest day"
    )
    return f"{how}; {every}, and in each run that selects it"


def _may_change(table: Table) -> str:
    if table.tombstone:
        return f"every row, as its document does; a document that has gone keeps its row, with `{table.tombstone}`"
    if not table.is_partitioned:
        return "every row, with each run"
    before = _days_before(table.name)
    if before is None:
        return "a day, with any day before it"
    return "a day, with that day of the source" if not before else f"a day, with it and the {before} days before it"


def _days_before(name: str) -> int | None:
    """How far back the days of the sources lie that a day hangs on, directly or not; None for as far as there are."""
    declared = _ASSETS.get(name)
    if declared is None:
        return 0
    if any(reach.first is None for reach in declared.own_days.values()):
        return None
    furthest = 0
    for read, reach in declared.reads.items():
        if reach is None:
            continue
        before = _days_before(read)
        if before is None or reach.first is None:
            return None
        furthest = max(furthest, before - reach.first)
    return furthest


def _source(table: Table) -> str:
    declared = _ASSETS.get(table.name)
    path = declared.sql.relative_to(DOCS.parent) if declared else Path("calback_assets/assets/raw/__init__.py")
    return f"[{path.name if declared else 'assets/raw'}](../{path.as_posix()})"


def _column(column: Column) -> str:
    marks = {
        "never NULL": column.required,
        "personal": column.is_personal,
        "hashed": column.privacy is Privacy.HASH,
        "dropped": column.privacy is Privacy.DROP,
        "clock": column.wall_clock,
    }
    shown = ", ".join(mark for mark, holds in marks.items() if holds)
    return f"| `{column.name}` | `{column.type}` | {shown} | {column.description.replace('|', chr(92) + '|')} |"


def commands(group: click.Group) -> str:
    """The page of all commands: the help of each, as it prints it."""
    context = click.Context(group, info_name="calback", terminal_width=100)
    pages = [
        f"## calback {name}\n\n```text\n{command.get_help(_inside(context, command, name))}\n```\n"
        for name, command in sorted(group.commands.items())
    ]
    return "\n".join([_MADE, _COMMANDS, *pages])


_COMMANDS = """# Commands

What each command says of itself with `--help`. They live in `.venv/bin`. An error is one line that says what to do; a
command ends with 0, with 1 for an error, with 2 where it was typed wrong, and with 130 or 143 where Ctrl-C or SIGTERM
ended it.
"""


def _inside(parent: click.Context, command: click.Command, name: str) -> click.Context:
    return click.Context(command, info_name=name, parent=parent, terminal_width=100)


def main() -> None:
    """Write both pages."""
    os.environ.setdefault("CALBACK_START_DATE", "2024-01-01")  # The definitions read the environment on import.
    from calback_assets.cli import main as calback
    from calback_assets.definitions import build_defs

    (DOCS / "catalog.md").write_text(catalog(build_defs(settings())), encoding="utf-8")
    (DOCS / "commands.md").write_text(commands(calback), encoding="utf-8")


if __name__ == "__main__":
    main()
