"""The versions that the tests run with: all of them are locked, and a newer botocore may come."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.loaders import create_loader
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "tests" / "requirements.lock").read_text().splitlines()
LOCKED = {
    canonicalize_name(name): version
    for name, _, version in (line.partition("==") for line in LOCK if not line.startswith("#"))
}


def requirements(lines: list[str]) -> list[Requirement]:
    """What a list of requirements names, without comments and options."""
    texts = (line.partition("#")[0].strip() for line in lines)
    return [Requirement(text) for text in texts if text and not text.startswith("-")]


def version_of(requirement: Requirement) -> str:
    """The version that the lock has of a package; empty if none."""
    return LOCKED.get(canonicalize_name(requirement.name), "")


def needs(requirement: Requirement) -> list[Requirement]:
    """What a package needs in turn here, with its extras, if its locked version is installed."""
    if importlib.metadata.version(requirement.name) != version_of(requirement):
        return []
    extras = requirement.extras or {""}
    return [
        need
        for need in requirements(importlib.metadata.requires(requirement.name) or [])
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras)
    ]


def test_the_lock_names_versions_and_nothing_else() -> None:
    """No host of a registry, no path: it has to work wherever packages come from."""
    for line in LOCK:
        assert line.startswith("#") or re.fullmatch(r"[\w.-]+==[\w.]+", line)


def test_the_lock_has_whatever_is_needed() -> None:
    """All that the lists name, in a version that they allow, and all that this needs in turn."""
    files = (ROOT / "requirements.txt", ROOT / "tests" / "requirements.txt")
    waiting = [need for file in files for need in requirements(file.read_text().splitlines())]
    seen: set[str] = set()
    while waiting:
        need = waiting.pop()
        version = version_of(need)
        assert version, f"{need.name} is not in the lock: run make lock"
        assert need.specifier.contains(version), f"{need} is not {version}: run make lock"
        if str(need) not in seen:
            seen.add(str(need))
            waiting += needs(need)


@pytest.fixture
def newer_models(tmp_path: Path) -> dict[str, str]:
    """An environment in which botocore has a newer model of Health, whose events have no region.

    A user's own models are in ~/.aws/models (see botocore.loaders).
    """
    model: Any = create_loader().load_service_model("health", "service-2")
    del model["shapes"]["Event"]["members"]["region"]
    folder = tmp_path / ".aws" / "models" / "health" / "2099-01-01"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(json.dumps(model))
    return os.environ | {"HOME": str(tmp_path)}


@pytest.mark.parametrize(
    "test",
    [
        "cloud/tests/test_listings.py::test_a_listing_that_may_be_long_is_whole",
        "cloud/tests/test_gateway.py::test_canned_lists_survive_the_wire_whole_however_they_are_paged",
    ],
)
def test_an_answer_that_a_newer_model_does_not_know_is_told_in_a_line(
    newer_models: dict[str, str], test: str
) -> None:
    """In the process of the test, and over the wire."""
    arguments = ("-p", "no:cacheprovider", f"tests/{test}[health-DescribeEvents]")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=ROOT,
        env=newer_models,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    told = done.stdout.partition(" FAILURES ")[2].partition(" short test summary ")[0]
    [line] = [line for line in told.splitlines() if line.strip("=_") and line[0] not in "_="]
    assert f"health DescribeEvents is not AWS's by botocore {botocore.__version__}" in line
    assert "events.1.region" in line
    assert "tests/cloud/content" in line
