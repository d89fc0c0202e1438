"""Every command, query and piece of Python in the documents is run, in one small world; and what they link to is there.

What cannot be run here stands in `NOT_RUN` with its reason; that its command and options exist is checked all the same.
The tutorial has a test of its own, which follows it.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import duckdb
import pytest
import sqlglot
from click.testing import CliRunner
from sqlglot import exp

from calback_assets.cli import main
from calback_assets.sample import write_sample
from calback_assets.settings import Understanding
from calback_assets.tables import EVENT_DATE, TABLES
from calback_assets_tests.documents import ROOT, Block, blocks, documents

NOT_RUN: Mapping[str, str] = {
    r"(gcloud|bq|firebase|node|url=|for) ?": "a program of Google's or Node's, and somebody's project",
    "curl ": "asks a server",
    "python -m calback_assets_tests": "writes into the repository; a test compares what it would write",
    "duckdb ": "DuckDB's own program, which nothing here installs",
    "(chmod|mkdir) ": "mends what the reader has written, makes a folder of theirs",
    "make ": "installs, serves or takes minutes; the tutorial's test runs `make demo`",
    "calback ui": "serves until somebody ends it",
    "calback (report|dashboard) .*--open": "opens a browser; without that option it is run",
    "calback erase": "asks a person",
    "calback sample data/sample": "writes the large sample that `make demo` writes; the world has a smaller one",
    "calback (run|export .*) --from 2024-02-01": "takes days that the world, which begins with April, has not built",
    "calback export .*(gs|bigquery)://": "somebody's bucket or dataset; the tests of deliveries write to their servers",
    r"calback .*2023-": "days of the reader's own exports, which the sample does not have",
    "export ": "names the reader's own files, project or emulator",
}
"""What a command begins with, and why it is not run here."""
MAKE_TARGETS = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
KEY = "0123456789abcdef" * 4
FIRST_RUN = "calback run --from 2024-04-01 --to 2024-04-29"
FOLLOWED = "docs/tutorial.md"


def found(language: str) -> list[Block]:
    """The blocks of a language in all documents; a text that several have, once."""
    every = [block for document in documents() if document != FOLLOWED for block in blocks(document)]
    return list({block.text: block for block in every if block.language == language and not block.step}.values())


def is_shown(block: Block) -> bool:
    """Whether it is printed by a command, or drawn: a table, a folder, the floors of the package."""
    is_drawn = block.text.partition("\n")[0].endswith("/") or (
        block.document == "CONTRIBUTING.md" and " | " in block.text
    )
    return is_drawn or block.text.startswith("┃")


def is_env_file(block: Block) -> bool:
    return block.text.startswith("# .env\n")


def shell_blocks() -> list[Block]:
    return [block for block in found("") if not is_shown(block) and not is_env_file(block)]


def reason(command: str) -> str | None:
    return next((why for begins, why in NOT_RUN.items() if re.match(begins, command)), None)


def examples() -> list[str]:
    """The commands that the help of commands shows; a variable before one names an emulator."""
    printed = "\n".join(block.text for block in blocks("docs/commands.md"))
    return re.findall(r"^    (?:[A-Z_]+=\S+ )?(calback .*)$", printed, flags=re.MULTILINE)


def commands() -> Iterator[str]:
    """The commands that are run one by one: a block that is not begun is not gone on with either."""
    for block in shell_blocks():
        if re.match("calback ", block.text):
            yield from block.commands
    yield from examples()


class World:
    """A sample and its warehouse, in the folder in which commands are typed; the same words are run once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        write_sample(folder / "data" / "sample", users=30, days=120, seed=7)
        self._ran = cache(self._run)
        self.run(FIRST_RUN)

    def run(self, command: str) -> str:
        """What it prints; what stands behind a pipe is the shell's."""
        return self._ran(re.split(r" [|>] ", command)[0])

    def _run(self, command: str) -> str:
        result = CliRunner().invoke(main, shlex.split(command)[1:], prog_name="calback")
        assert result.exit_code == 0, f"{command}\n{result.output}"
        return result.output

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(self.folder / "data" / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as environment:
        environment.chdir(folder)
        for variable in Understanding.of({}, ()).variables:
            environment.delenv(variable.name, raising=False)
        environment.delenv("DAGSTER_HOME", raising=False)
        # The definitions read the environment when they are imported, as in a process of their own.
        environment.delitem(sys.modules, "calback_assets.definitions", raising=False)
        yield World(folder)


def test_the_words_that_the_world_begins_with_are_those_of_the_documents() -> None:
    assert FIRST_RUN in commands()


@pytest.mark.parametrize("command", dict.fromkeys(command for command in commands() if not reason(command)))
def test_a_command_runs_as_it_is_written(world: World, command: str) -> None:
    world.run(command)


def test_every_command_and_option_in_a_document_exists() -> None:
    lines = [line for block in shell_blocks() for line in block.commands] + examples()
    typed = [re.sub(r"^(?:[A-Z_]+=\S+ )+", "", re.split(r" [|>] ", line)[0]) for line in lines]
    named = [shlex.split(line) for line in typed if re.match("(calback|make) ", line)]
    assert {words[0] for words in named} == {"calback", "make"}
    for program, name, *arguments in named:
        if program == "make":
            assert name in MAKE_TARGETS
        else:
            main.commands[name].make_context(name, arguments)


def test_everything_in_a_document_that_is_typed_is_run_or_has_a_reason_not_to_be() -> None:
    left = [block.text for block in shell_blocks() if not reason(block.text) and not block.text.startswith("calback ")]
    assert left == []


@pytest.mark.parametrize("begins", NOT_RUN)
def test_a_reason_is_that_of_a_command_in_a_document(begins: str) -> None:
    lines = [block.text for block in shell_blocks()]
    lines += [line for block in shell_blocks() for line in block.commands] + examples()
    assert any(re.match(begins, line) for line in lines)


def test_what_is_typed_into_a_shell_is_its_language() -> None:
    text = "\n".join(block.text for block in shell_blocks())
    checked = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_variables_that_a_document_sets_can_be_set_so() -> None:
    exports = [line for block in shell_blocks() for line in block.commands if line.startswith("export ")]
    files = [block.text for block in found("") if is_env_file(block)]
    told = [dict(word.split("=", 1) for word in shlex.split(line)[1:]) for line in exports]
    told += [dict(re.findall(r"^(\w+)=(.*)$", text, flags=re.MULTILINE)) for text in files]
    assert len(told) > 5
    for given in told:
        if "CALBACK_PSEUDONYM_KEY" in given:
            given["CALBACK_PSEUDONYM_KEY"] = KEY
        is_whole = "CALBACK_DEPLOYMENT" not in given or "CALBACK_ACCESS_LOG_TABLE" in given
        missing = {} if is_whole else {"CALBACK_ACCESS_LOG_TABLE": "access_log.opens", "CALBACK_PSEUDONYM_KEY": KEY}
        assert Understanding.of({"CALBACK_START_DATE": "2024-01-01"} | missing | given, ()).problems == []


def queries() -> list[Block]:
    """Those for both engines: neither a line out of one nor what only DuckDB knows."""
    return [block for block in found("sql") if not block.text.startswith(("-- excerpt\n", "ATTACH "))]


@pytest.mark.parametrize("block", queries(), ids=lambda block: block.text.partition("calback.")[2].split()[0])
def test_a_query_is_googlesql_names_its_days_and_runs_in_duckdb(world: World, block: Block) -> None:
    tree = sqlglot.parse_one(block.text, read="bigquery")
    for table in tree.find_all(exp.Table):
        assert table.db == "calback"
        if TABLES[table.name].is_partitioned:
            days = [found.this.name for found in tree.find_all(exp.Between, exp.GTE)]
            assert EVENT_DATE in days, "BigQuery refuses a query of this table that names no days"
    text = block.text
    if "@DS_" in text:  # What Looker Studio puts in; DuckDB has another function for it.
        text = text.replace("@DS_START_DATE", "'20240423'").replace("@DS_END_DATE", "'20240429'")
        text = sqlglot.transpile(text, read="bigquery", write="duckdb")[0]
    rows = world.rows(text)
    # Thirty people are too few for a model.
    assert rows or "first_week" in text or "return_" in text


def test_what_only_duckdb_knows_runs_there(world: World) -> None:
    statements = [block.text for block in found("sql") if block.text.startswith("ATTACH ")]
    assert [bool(world.rows(text)) for text in statements] == [True] * len(statements)


@pytest.mark.parametrize("block", found("python"), ids=lambda block: block.text.split("\n")[0])
def test_python_in_a_document_runs(world: World, block: Block) -> None:
    assert world.folder
    code = compile(block.text, block.document, "exec")
    if "google.cloud" not in block.text:  # It would ask somebody's project.
        exec(code, {})  # noqa: S102 - it is our own page


def _slug(heading: str) -> str:
    """The anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _anchors(document: Path) -> set[str]:
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return {_slug(heading) for heading in re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)}


@pytest.mark.parametrize("document", [*documents()])
def test_what_a_document_links_to_is_there(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)]+)\)", text):
        name, _, anchor = link.partition("#")
        if name.startswith("http"):
            continue
        linked = (ROOT / document).parent / name if name else ROOT / document
        assert linked.exists(), link
        assert not anchor or anchor in _anchors(linked), link


def test_the_pages_that_the_help_of_commands_names_are_there() -> None:
    printed = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    named = set(re.findall(r"docs/[\w-]+\.md", printed))
    assert len(named) > 3
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_index_lists_every_page() -> None:
    listed = re.findall(r"\]\(([^)#]+)\)", (ROOT / "docs" / "README.md").read_text(encoding="utf-8"))
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")} - {"README.md"}
    assert pages - set(listed) == set()
