"""The canned answers, under a botocore that is newer than they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.loaders import create_loader

ROOT = Path(__file__).parents[1]


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
        "test_answers.py::test_a_listing_that_may_be_long_is_whole",
        "test_cloud.py::test_canned_lists_survive_the_wire_whole_however_they_are_paged",
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
