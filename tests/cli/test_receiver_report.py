"""receiver.py --report: to a file, to the bucket, and when it cannot be made."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import documents
from tests.cli.commands import Run, nowhere, objects, put
from tests.documents import document
from tests.paths import ROOT
from tests.warehouse import Warehouse

DAY = datetime.now(UTC).date() - timedelta(days=1)
YESTERDAY = documents.key(DAY)


def reports(warehouse: Warehouse) -> dict[str, dict[str, object]]:
    """The heads of the reports in the bucket."""
    found = objects(warehouse.embedded, warehouse.bucket)
    return {key: head for key, head in found.items() if key.startswith("reports/")}


def test_a_report_is_written_to_a_file_and_nothing_is_loaded(
    run_receiver: Run, warehouse: Warehouse, tmp_path: Path
) -> None:
    put(warehouse, YESTERDAY, document(DAY))
    target = tmp_path / "report.html"
    done = run_receiver("--report", str(target), BUCKET=None)
    assert (done.returncode, done.stderr) == (0, "")
    size = target.stat().st_size
    assert done.stdout == f"report written: {target}, {size:,} bytes\n"
    assert target.read_text().startswith("<!DOCTYPE html>")
    assert warehouse.query("SELECT * FROM documents") == []


@pytest.mark.parametrize("flags", [("--report", "s3"), ()], ids=["flag", "variable"])
def test_after_a_sweep_the_report_is_in_the_bucket(
    run_receiver: Run,
    receiver_environment: dict[str, str],
    warehouse: Warehouse,
    flags: tuple[str, ...],
) -> None:
    today = datetime.now(UTC).date()
    put(warehouse, YESTERDAY, document(DAY))
    more = {} if flags else {"REPORT": "1"}
    done = run_receiver(*flags, **more)
    assert done.returncode == 0, done.stderr
    assert f"report written: s3://{warehouse.bucket}/reports/latest.html" in done.stderr
    found = reports(warehouse)
    assert [*found] == [f"reports/{today}.html", "reports/latest.html"]
    for head in found.values():
        assert head["ContentType"] == "text/html; charset=utf-8"
        assert head["ServerSideEncryption"] == "aws:kms"
        assert head["SSEKMSKeyId"] == receiver_environment["ANALYTICS_KMS_KEY"]
    assert len(warehouse.query("SELECT * FROM documents")) == 1


def test_what_is_no_sweep_makes_no_report(run_receiver: Run, warehouse: Warehouse) -> None:
    put(warehouse, YESTERDAY, document(DAY))
    assert run_receiver("--dry-run", REPORT="1").returncode == 0
    assert run_receiver("--check", REPORT="1").returncode == 0
    assert run_receiver("--file", YESTERDAY, REPORT="1").returncode == 0
    assert run_receiver(REPORT="0").returncode == 0
    assert reports(warehouse) == {}


def test_a_file_is_no_report_for_every_sweep(run_receiver: Run) -> None:
    """A variable that names a file would keep each run from loading."""
    done = run_receiver(REPORT="/tmp/report.html")
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("receiver.py: REPORT is for reports in the bucket, give 1")


@pytest.mark.parametrize("flags", [["--report", "s3"], ["--report", "r.html"], ["--dry-run"]])
@pytest.mark.parametrize("package", ["jinja2", "markupsafe", "pygal", "importlib_metadata"])
def test_only_the_report_needs_its_packages(
    receiver_environment: dict[str, str], warehouse: Warehouse, tmp_path: Path, package: str,
    flags: list[str],
) -> None:  # fmt: skip
    """Without them, or what they need, everything else runs, and before anything is loaded a line
    says what to install.
    """
    put(warehouse, YESTERDAY, document(DAY))
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.modules[{package!r}] = None;"
        f" import receiver; sys.exit(receiver.main({flags!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=receiver_environment, cwd=tmp_path,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if flags == ["--dry-run"]:
        assert done.returncode == 0
        return
    assert (done.returncode, done.stdout) == (2, "")
    told = f"receiver.py: {package} is missing, which the report needs: pip install jinja2 pygal\n"
    assert done.stderr == told
    assert warehouse.query("SELECT * FROM documents") == []


def test_an_empty_name_loads_nothing(run_receiver: Run, warehouse: Warehouse) -> None:
    """Say of a variable of a shell that is not set."""
    put(warehouse, YESTERDAY, document(DAY))
    done = run_receiver("--report", "")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "receiver.py: --report is empty: give a file, or s3\n"
    assert warehouse.query("SELECT * FROM documents") == []


def test_a_database_out_of_reach_is_one_line_and_no_report(
    run_receiver: Run, tmp_path: Path
) -> None:
    target = tmp_path / "report.html"
    done = run_receiver("--report", str(target), AWS_ENDPOINT_URL_RDS_DATA=nowhere())
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert "FAIL    no answer from the RDS Data API: Could not connect" in line
    assert not target.exists()


def test_a_file_that_cannot_be_written_is_one_line(run_receiver: Run, tmp_path: Path) -> None:
    target = tmp_path / "none" / "report.html"
    done = run_receiver("--report", str(target))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"receiver.py: --report {target}: there is no such folder\n"
