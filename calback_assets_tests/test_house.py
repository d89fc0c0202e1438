"""What keeps the repository itself in order: locks, tool settings, docstrings, READMEs, make targets.

Only checks of files belong here, none of what the package computes. What ruff, mypy or import-linter
already hold is left to them.
"""

import ast
import configparser
import fnmatch
import re
import shutil
import socket
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance

from calback_assets_tests.turns import LONG

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-installer.lock")

# Home folders, scratch folders and mounts: paths that mean something on one machine only.
MACHINE_PATH = re.compile(r"""(?<![\w.:/>-])/(?:home|root|tmp|Users|work|mnt|srv)/\w""")
REGISTRY = re.compile(r"pypi\.org|pythonhosted\.org|npmjs\.org|deb\.debian\.org", re.IGNORECASE)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def locked_packages(lock: str) -> dict[str, str]:
    """Each package of a lock file with its version and hashes, without uv's comments and where it is wanted."""
    lines = re.sub(r"^ *#.*\n| ; .*(?= \\$)", "", text(lock), flags=re.MULTILINE)
    entries = re.split(r"^(?=\w)", lines, flags=re.MULTILINE)[1:]
    packages = {entry.partition("==")[0]: entry for entry in entries}
    assert len(packages) == len(entries), f"{lock} has a package in two versions"
    return packages


def ignored_folders() -> list[str]:
    return [line.rstrip("/") for line in text(".gitignore").splitlines() if not line.startswith("#")]


def files_of_the_tree() -> Iterator[Path]:
    """Every file that .gitignore lets through, found without git: an unpacked archive has no repository."""
    at_the_root = {name.removeprefix("/") for name in ignored_folders()} | {".git"}
    anywhere = {name for name in ignored_folders() if not name.startswith("/")}
    for path in ROOT.rglob("*"):
        top, *folders = path.relative_to(ROOT).parts
        hidden = any(fnmatch.fnmatch(top, name) for name in at_the_root) or any(
            fnmatch.fnmatch(folder, name) for folder in folders for name in anywhere
        )
        if path.is_file() and not hidden:
            yield path


def places(pattern: re.Pattern[str]) -> list[str]:
    """File, line and text of each match in the text files of the tree."""
    found = []
    for path in files_of_the_tree():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, start=1):
            found += [f"{path.relative_to(ROOT)}:{number}: {match[0]}" for match in pattern.finditer(line)]
    return found


def test_the_runtime_lock_is_a_part_of_the_development_lock() -> None:
    runtime, development = locked_packages("requirements.lock"), locked_packages("requirements-dev.lock")
    assert {"dagster", "duckdb", "sqlglot", "setuptools"} <= runtime.keys()
    assert runtime == {name: entry for name, entry in development.items() if name in runtime}
    assert {"pytest", "ruff", "mypy"} <= development.keys() - runtime.keys()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_every_package_to_one_version_with_hashes(lock: str) -> None:
    pinned = re.compile(r"[\w.-]+==[\w.]+( \\\n    --hash=sha256:[0-9a-f]{64})+\n")
    assert [name for name, entry in locked_packages(lock).items() if not pinned.fullmatch(entry)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_no_address_and_no_path(lock: str) -> None:
    lines = [line for line in text(lock).splitlines() if not line.startswith("    --hash=")]
    assert [line for line in lines if re.search(r"//|^-|file:|[ =]/", line)] == []


def test_a_lock_holds_every_declared_dependency() -> None:
    declared = tomllib.loads(text("pyproject.toml"))
    runtime = declared["project"]["dependencies"] + declared["dependency-groups"]["build"]
    development = declared["project"]["optional-dependencies"]["dev"]
    installer = declared["dependency-groups"]["installer"]
    for lock, names in zip(LOCKS, (runtime, runtime + development, installer), strict=True):
        assert {re.split(r"[\[<>=]", name)[0] for name in names} <= locked_packages(lock).keys()


def test_no_tool_is_configured_in_both_files() -> None:
    sections = configparser.ConfigParser()
    sections.read_string(text("setup.cfg"))
    in_setup_cfg = {re.split(r"[:-]", name.removeprefix("tool:"))[0] for name in sections.sections()}
    in_pyproject = tomllib.loads(text("pyproject.toml"))["tool"].keys()
    assert in_setup_cfg == {"pytest", "mypy", "importlinter"}
    assert in_setup_cfg & in_pyproject == set()


@pytest.mark.parametrize("contract", ["floors", "warehouse", "sources"])
def test_contributing_draws_the_floors_that_imports_are_held_to(contract: str) -> None:
    sections = configparser.ConfigParser()
    sections.read_string(text("setup.cfg"))
    floors = sections[f"importlinter:contract:{contract}"]["layers"].strip()
    assert f"```\n{floors}\n```" in text("CONTRIBUTING.md")


def test_every_module_of_the_package_says_what_belongs_in_it() -> None:
    modules = list((ROOT / "calback_assets").rglob("*.py"))
    assert modules
    assert [str(path) for path in modules if not ast.get_docstring(ast.parse(path.read_bytes()))] == []


def test_the_folders_of_the_tests_mirror_the_package() -> None:
    package, tests = ROOT / "calback_assets", ROOT / "calback_assets_tests"
    folders = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")}
    # Dagit is the whole platform, seen from outside; BigQuery and Firestore are the other side of several folders.
    folders -= {Path("dagit"), Path("bigquery"), Path("firestore")}
    assert [str(folder) for folder in folders if not (package / folder).is_dir()] == []


def test_no_file_names_a_path_of_one_machine() -> None:
    assert places(MACHINE_PATH) == []


def test_no_file_names_a_package_registry() -> None:
    assert places(REGISTRY) == []


def test_a_path_of_one_machine_is_told_from_a_route_and_an_address() -> None:
    home = "/".join(["", "home", "someone"])
    assert MACHINE_PATH.search(f"open('{home}')")
    assert MACHINE_PATH.search(f"DIR={home}")
    assert not MACHINE_PATH.search(f"https://example.com{home}")
    assert not MACHINE_PATH.search("/asset-groups/work")


def test_both_readmes_have_the_same_sections() -> None:
    def outline(name: str) -> list[str]:
        prose = re.sub(r"^```.*?^```", "", text(name), flags=re.MULTILINE | re.DOTALL)
        return re.findall(r"^#+(?= )", prose, flags=re.MULTILINE)

    assert len(outline("README.md")) > 1
    assert outline("README.md") == outline("README.ko.md")


def test_make_has_a_described_target_for_everything_a_person_does() -> None:
    makefile = text("Makefile")
    described = re.findall(r"^([\w-]+):.* ## \w", makefile, flags=re.MULTILINE)
    names = ["help", "demo", "ui", "ui-readonly", "test", "test-gcp", "lint", "docs", "bench", "lock", "clean"]
    assert described == names
    assert re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE) == [" ".join(described)]


def test_clean_removes_everything_that_git_ignores_but_the_settings_of_a_person() -> None:
    makefile = text("Makefile")
    caches = re.findall(r"^caches := (.*)$", makefile, flags=re.MULTILINE)[0].split()
    recipe = makefile.partition("\nclean:")[2].partition("\n\n")[0]
    named = {*caches, *recipe.split()}
    assert {name.removeprefix("/") for name in ignored_folders()} - named == {".env"}


def test_the_instance_settings_are_valid_and_hold_what_they_promise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    shutil.copy(ROOT / "calback_assets" / "dagster.yaml", tmp_path)
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert instance.run_monitoring_max_runtime_seconds > 0
        queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    assert queue.max_concurrent_runs == 1


def test_no_instance_settings_lie_where_dagster_would_warn_that_it_does_not_use_them() -> None:
    assert list(ROOT.glob("dagster.y*ml")) == []


@pytest.mark.parametrize("address", [("192.0.2.1", 9), ("example.com", 80)])
def test_a_test_cannot_reach_the_network(address: tuple[str, int]) -> None:
    with pytest.raises(RuntimeError, match="a test reached for the network"):
        socket.create_connection(address, timeout=1)


@pytest.mark.parametrize(
    "send", [lambda it, to: it.connect(to), lambda it, to: it.connect_ex(to), lambda it, to: it.sendto(b"", to)]
)
def test_a_test_cannot_reach_the_network_past_the_names_either(
    send: Callable[[socket.socket, tuple[str, int]], object],
) -> None:
    with (
        socket.socket(type=socket.SOCK_DGRAM) as opened,
        pytest.raises(RuntimeError, match="a test reached for the network"),
    ):
        send(opened, ("192.0.2.1", 9))


def test_a_test_reaches_a_server_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=1).close()


def test_the_files_whose_turn_is_early_are_there() -> None:
    assert [path for path in LONG if not (ROOT / path).is_file()] == []
