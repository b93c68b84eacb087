"""Where the scripts run from: a checkout, another directory, and what `pip install` makes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

from observability import __version__
from tests.cloud import EmbeddedCloud
from tests.paths import ROOT

SCRIPTS = ("sender", "receiver")
VERSIONS = re.compile(
    rf"(\S+) {__version__}, boto3 1\.[\d.]+, botocore 1\.[\d.]+, Python 3\.[\d.]+, \w+\n"
)
"""What --version prints: all that a report of an error needs, in one line."""


def run(*command: str | Path, at: Path, **environment: str) -> str:
    """Run a command in a directory; what it prints."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=at, env=os.environ | environment, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
OFFLINE = ("--no-index", "--no-deps")
"""Nothing is loaded: tests/requirements.txt has what builds the package."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package."""
    target = tmp_path_factory.mktemp("wheel")
    wanted = ("--no-build-isolation", "--wheel-dir", target, ROOT)
    run(*PIP, "wheel", *OFFLINE, *wanted, at=target)
    [found] = target.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment that has nothing but the package and what it depends on."""
    venv = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", "--without-pip", venv, at=venv)
    python = venv / "bin" / "python"
    run(*PIP, "--python", python, "install", *OFFLINE, wheel, at=venv)
    [packages] = venv.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def test_the_package_takes_one_name_and_has_the_schema(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        schema = archive.read("observability/schema.sql")
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {
        "observability",
        "multi_account_observability",
    }
    assert schema == (ROOT / "schema.sql").read_bytes()


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_installed_command_tells_its_version(script: str, installed: Path) -> None:
    found = VERSIONS.fullmatch(
        run(installed / f"observability-{script}", "--version", at=installed)
    )
    assert found
    assert found[1] == f"observability-{script}"
    isolated = run(
        installed / "python", "-I", "-m", f"observability.{script}", "--help", at=installed
    )
    assert "--version" in isolated


def test_an_installed_receiver_finds_the_schema(installed: Path, embedded: EmbeddedCloud) -> None:
    environment = embedded.environment(embedded.analytics.id)
    names = {"BUCKET": "any", "DB_NAME": embedded.create_database()}
    command = installed / "observability-receiver"
    told = run(command, "--init-schema", at=installed, **environment | names)
    assert re.fullmatch(r"schema applied: \d+ statements\n", told)


@pytest.mark.parametrize("python", [(), ("-I",)], ids=["plain", "isolated"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_checkout_runs_from_another_directory(
    script: str, python: tuple[str, ...], tmp_path: Path
) -> None:
    told = run(sys.executable, *python, ROOT / f"{script}.py", "--version", at=tmp_path)
    found = VERSIONS.fullmatch(told)
    assert found
    assert found[1] == f"{script}.py"


def test_the_package_depends_on_what_requirements_say() -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = (ROOT / "requirements.txt").read_text().splitlines()
    assert package["dependencies"] == required


def test_make_help_tells_every_target() -> None:
    rules = re.findall(r"^([a-z][a-z -]*):", (ROOT / "Makefile").read_text(), re.M)
    targets = {name for rule in rules for name in rule.split()}
    told = run("make", "--no-print-directory", "help", at=ROOT).splitlines()
    assert {line.split()[0] for line in told} == targets
    assert all(len(line.split()) > 2 for line in told)
