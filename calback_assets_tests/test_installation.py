"""How make installs: with whichever Python there is, and from the locks where every package has a newer release.

The releases are made here: each has the metadata of the installed package, with its requirements and extras, and is
otherwise empty, but for the two packages that an installation runs. Whether the platform works on the locked versions
is what every other test says.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
INSTALLER, RUNTIME, DEVELOPMENT = LOCKS = ("requirements-installer.lock", "requirements.lock", "requirements-dev.lock")
WRITTEN_ANEW = ("METADATA", "WHEEL", "RECORD", "INSTALLER", "REQUESTED")
WHEEL = "Wheel-Version: 1.0\nGenerator: calback_assets_tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def locked(lock: str) -> dict[str, str]:
    """The packages that a lock wants on this machine, with their versions."""
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line.removesuffix("\\")) for line in lines if re.match(r"\w", line)]
    return {pin.name: str(pin.specifier)[2:] for pin in pins if pin.marker is None or pin.marker.evaluate()}


def installed(checkout: Path) -> dict[str, str]:
    (packages,) = checkout.glob(".venv/lib/python*/site-packages")
    return {canonicalize_name(found.name): found.version for found in distributions(path=[str(packages)])}


def make_wheel(index: Path, package: Distribution, version: str) -> Path:
    name = canonicalize_name(package.name).replace("-", "_")
    metadata = re.sub(r"\nVersion: .*", f"\nVersion: {version}", package.read_text("METADATA"), count=1)
    path = index / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file in package.files if name in ("uv", "setuptools") else ():
            if file.suffix != ".pyc" and file.name not in WRITTEN_ANEW:
                is_program = file.parts[0] == ".."
                wheel.write(file.locate(), f"{name}-{version}.data/scripts/{file.name}" if is_program else str(file))
        info = f"{name}-{version}.dist-info"
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(f"{info}/WHEEL", WHEEL)
        wheel.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in [*wheel.namelist(), f"{info}/RECORD"]))
    return path


def lock_with_hashes_of(wheels: dict[str, Path], lock: str) -> str:
    """The lock as it is, but for the hashes of what was made here."""

    def entry(found: re.Match[str]) -> str:
        pin, name = found.groups()
        if name not in wheels:
            return found[0]
        return f"{pin}    --hash=sha256:{hashlib.sha256(wheels[name].read_bytes()).hexdigest()}\n"

    written = (ROOT / lock).read_text(encoding="utf-8")
    return re.sub(r"^(([\w.-]+)==.*\\\n)(?: +--hash=.*\n)+", entry, written, flags=re.MULTILINE)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    folder = tmp_path / "index"
    folder.mkdir()
    return folder


@pytest.fixture
def checkout(tmp_path: Path, index: Path) -> Path:
    """A clean one, whose locks pin what the index has; of each package the index has a newer release as well."""
    wheels = {}
    for name, version in [pin for lock in LOCKS for pin in locked(lock).items()]:
        package = distribution(name)
        assert package.version == version, f"{name} is not what the lock says: run the tests by make"
        wheels[name] = make_wheel(index, package, version)
        # Within the range of everything that asks for the package, where an installer may look at it and stop.
        make_wheel(index, package, f"{Version(version).base_version}.post9999")
    copy = tmp_path / "checkout"
    shutil.copytree(ROOT / "calback_assets", copy / "calback_assets")
    for name in ("Makefile", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for lock in LOCKS:
        (copy / lock).write_text(lock_with_hashes_of(wheels, lock), encoding="utf-8")
    return copy


@pytest.fixture
def pythons(tmp_path: Path) -> Path:
    """A folder with every name of a Python and nothing behind them, as pyenv has it."""
    folder = tmp_path / "pythons"
    folder.mkdir()
    for name in ("python3", "python3.13", "python3.12", "python3.11"):
        write_program(folder / name, "echo 'command not found' >&2; exit 127")
    return folder


def write_program(path: Path, shell: str) -> None:
    path.write_text(f"#!/bin/sh\n{shell}\n", encoding="utf-8")
    path.chmod(0o755)


def make(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run make with these variables alone: not one setting of the machine's pip or uv, and no home."""
    command = [shutil.which("make"), "--silent", *arguments]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_the_locks_install_in_silence_where_every_package_has_a_newer_release(
    checkout: Path, index: Path, pythons: Path
) -> None:
    requirements = [Requirement(line) for name in locked(RUNTIME) for line in distribution(name).requires or ()]
    asked_for_with_extras = {requirement.name for requirement in requirements if requirement.extras}
    assert asked_for_with_extras & locked(RUNTIME).keys(), "the case that stops an older pip is no longer here"

    write_program(pythons / f"python3.{sys.version_info.minor}", f'exec "{sys.executable}" "$@"')
    environ = {"PATH": f"{pythons}:{os.environ['PATH']}", "UV_OFFLINE": "1", "UV_FIND_LINKS": str(index)}
    environ |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index)}
    for lock, stamp in [(RUNTIME, ".venv/runtime.stamp"), (DEVELOPMENT, ".venv/dev.stamp")]:
        run = make(checkout, stamp, **environ)
        assert (run.returncode, run.stderr) == (0, "")
        assert re.fullmatch(r"Installing what the platform .*into \.venv\n", run.stdout)
        found = installed(checkout)
        assert found.keys() - locked(lock).keys() == {"pip", "uv", "calback-assets"}
        assert found.items() >= (locked(INSTALLER) | locked(lock)).items()
        assert make(checkout, "--question", stamp, **environ).returncode == 0, "a second time installs again"


def test_make_says_which_pythons_it_takes_where_none_of_them_answers(pythons: Path) -> None:
    write_program(pythons / "python3", "echo 3.14")
    run = make(pythons, f"--makefile={ROOT / 'Makefile'}", ".venv/bin/python", PATH=str(pythons))
    assert run.returncode == 2
    assert run.stderr.splitlines()[0] == "Python 3.11, 3.12 or 3.13 is needed and none is on PATH: install one."
