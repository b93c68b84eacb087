"""The category that CONTRIBUTING.md adds is added to a copy of the project, and works there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.paths import ROOT

SECTION = (ROOT / "CONTRIBUTING.md").read_text().partition("\n## Add a category\n")[2]
SECTION = SECTION.partition("\n## ")[0]
STEPS = re.findall(
    r"^`([\w/.]+)`(?:, (before|after) `([^`]+)`)?\n\n```\w+\n(.*?)^```", SECTION, re.M | re.S
)
"""(file, before or after, line, text); a file without a line is new."""
NOT_COPIED = (".git", ".venv", "build", ".*_cache", "__pycache__", ".hypothesis")
PYTHON = sys.executable


def carry_out(project: Path, name: str, where: str, line: str, text: str) -> None:
    """Write a file, or put text before or after the line that holds `line`."""
    target = project / name
    if not where:
        assert not target.exists()
        target.write_text(text)
        return
    lines = target.read_text().splitlines(keepends=True)
    [at] = [number for number, held in enumerate(lines) if line in held]
    lines.insert(at + (where == "after"), text)
    target.write_text("".join(lines))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project to which the category was added."""
    project = tmp_path_factory.mktemp("copy") / "project"
    shutil.copytree(ROOT, project, ignore=shutil.ignore_patterns(*NOT_COPIED))
    for step in STEPS:
        carry_out(project, *step)
    run(project, "deploy/policies.py")
    return project


def run(project: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """Run a Python program of the copy; what it prints."""
    done = subprocess.run(
        [PYTHON, *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project)} | (environment or {}),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def cloud(project: Path) -> Iterator[dict[str, str]]:
    """What the copy's embedded cloud wants exported."""
    with subprocess.Popen(
        [PYTHON, "-m", "tests.cloud"], cwd=project, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        exports: dict[str, str] = {}
        for line in process.stdout:
            name, _, value = line.removeprefix("export ").strip().partition("=")
            exports[name] = value.strip("'\"")
            if "PRODUCT" in exports:
                break
        yield exports
        process.terminate()


def test_it_takes_six_files_at_most() -> None:
    assert 4 <= len({name for name, *_ in STEPS}) <= 6


def test_the_new_code_passes_the_linters(project: Path) -> None:
    new = [name for name, where, *_ in STEPS if not where]
    run(project, "-m", "ruff", "check", *new)
    run(project, "-m", "ruff", "format", "--check", *new)


def test_the_new_tests_pass_and_those_of_all_categories(project: Path) -> None:
    pytest_ = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist")
    [own] = [name for name, *_ in STEPS if name.startswith("tests/collectors/")]
    told = run(project, *pytest_, own, "tests/collectors/test_all.py", "-k", "backup")
    assert int(re.findall(r"(\d+) passed", told)[0]) > 4


def test_policies_and_documentation_follow(project: Path) -> None:
    assert "backup:ListProtectedResources" in (project / "deploy" / "spoke.yaml").read_text()
    names = ("categories", "collectors", "permissions")
    blocks = f"from tests.docs.generate import BLOCKS; print(*(BLOCKS[x](list) for x in {names}))"
    told = run(project, "-c", blocks)
    assert "| `backup` | Resources that AWS Backup protects" in told
    assert "| `backup` | `backup` ListProtectedResources |" in told
    assert "| `backup_resources` |" in told


def test_the_new_category_reaches_the_database(project: Path, cloud: dict[str, str]) -> None:
    assert "backup:ListProtectedResources" in run(project, "sender.py", "--list")
    assert "backup:ListProtectedResources" in run(
        project, "sender.py", "--check", "--only", "backup", environment=cloud
    )
    run(project, "receiver.py", "--init-schema", environment=cloud)
    run(project, "sender.py", "--only", "backup", environment=cloud)
    run(project, "receiver.py", environment=cloud)
    client = boto3.client(
        "rds-data",
        endpoint_url=cloud["AWS_ENDPOINT_URL"],
        region_name=cloud["REGION"],
        aws_access_key_id=cloud["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=cloud["AWS_SECRET_ACCESS_KEY"],
    )
    answer = client.execute_statement(
        resourceArn=cloud["AURORA_CLUSTER_ARN"],
        secretArn=cloud["AURORA_SECRET_ARN"],
        database=cloud["DB_NAME"],
        sql="SELECT count(*), min(l.backup_status) FROM backup_resources b"
        " JOIN logs l ON l.account_id = b.account_id WHERE b.gone_at IS NULL",
    )
    [[count, status]] = answer["records"]
    assert count["longValue"] > 1
    assert status["stringValue"] == "Pass"
