"""What draws the pictures is bundled once, and is the same whether it was bundled now or before."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import vl_convert

from calback_assets.dashboard import vega as module

made_anew = module.vega.__wrapped__


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder in which Python keeps what it compiles."""
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    return tmp_path


@pytest.fixture
def bundles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The snippets that were bundled, by a bundler that takes no time."""
    found: list[str] = []

    def bundle(snippet: str) -> str:
        found.append(snippet)
        return f"'한</SCRIPT>\r\n'; {snippet}"

    monkeypatch.setattr(vl_convert, "javascript_bundle", bundle)
    return found


def test_what_was_bundled_is_kept_and_not_bundled_again(compiled: Path, bundles: list[str]) -> None:
    first, second = made_anew(), made_anew()

    assert first == second == r"'한<\/SCRIPT>" + "\r\n'; window.vegaEmbed = vegaEmbed;"
    assert len(bundles) == 1
    (kept,) = [path for path in compiled.rglob("*") if path.is_file()]
    assert kept.name.startswith("vega.")


@pytest.mark.usefixtures("compiled")
def test_another_version_of_the_library_is_bundled_anew(bundles: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    made_anew()
    monkeypatch.setattr(module, "version", lambda _: "999.0")
    made_anew()

    assert len(bundles) == 2


def _is_a_file(compiled: Path) -> None:
    compiled.rmdir()
    compiled.touch()


def _is_broken(compiled: Path) -> None:
    made_anew()
    (kept,) = [path for path in compiled.rglob("*") if path.is_file()]
    kept.write_bytes(b"\xff")


@pytest.mark.parametrize("befalls", [_is_a_file, _is_broken])
def test_where_nothing_can_be_kept_or_read_it_is_bundled(
    compiled: Path, bundles: list[str], befalls: Callable[[Path], None]
) -> None:
    befalls(compiled)
    bundles.clear()

    assert made_anew().endswith("window.vegaEmbed = vegaEmbed;")
    assert len(bundles) == 1


def test_nothing_is_kept_where_python_keeps_nothing(
    compiled: Path, bundles: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    assert made_anew()
    assert bundles
    assert list(compiled.iterdir()) == []
