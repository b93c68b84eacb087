"""The packages for Lambda."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.paths import ROOT

BUILD = ROOT / "deploy" / "build.py"


def test_packages_are_the_same_bytes_every_time(packages: Path, tmp_path: Path) -> None:
    zone = {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "1"}
    command = [sys.executable, str(BUILD), "--output", str(tmp_path)]
    subprocess.run(command, check=True, env=os.environ | zone)
    built = sorted(path.name for path in tmp_path.iterdir())
    assert built == ["receiver.zip", "sender.zip"]
    for name in built:
        assert (tmp_path / name).read_bytes() == (packages / name).read_bytes()


def test_packages_hold_our_files_and_what_is_locked(packages: Path) -> None:
    ours = {
        "sender": ("sender.py",),
        "receiver": ("receiver.py", "schema.sql", "deploy/rotation.py"),
    }
    for name, sources in ours.items():
        found_files = (ROOT / "observability").rglob("*.*")
        modules = sorted(path for path in found_files if path.suffix in (".py", ".html", ".css"))
        for module in modules:
            held = packages / name / module.relative_to(ROOT)
            assert held.read_bytes() == module.read_bytes()
        for source in sources:
            held = packages / name / Path(source).name
            assert held.read_bytes() == (ROOT / source).read_bytes()
        found = {path.name.rsplit(".", 1)[0] for path in (packages / name).glob("*.dist-info")}
        lines = (ROOT / "deploy" / "requirements.txt").read_text().splitlines()[1:]
        locked = {line.split()[0].replace("-", "_").replace("==", "-") for line in lines}
        assert found == locked
        assert all(re.search(r" --hash=sha256:[0-9a-f]{64}$", line) for line in lines)


def test_deploy_sh_runs_with_the_sdk_and_nothing_else_each_file_by_its_hash() -> None:
    """With an administrator's credentials; the packages hold the same."""
    tools = (ROOT / "deploy" / "tools.txt").read_text().splitlines()[1:]
    assert set(tools) <= set((ROOT / "deploy" / "requirements.txt").read_text().splitlines())
    assert {"boto3", "botocore"} <= {line.partition("==")[0] for line in tools}
    wanted = ["make", "--dry-run", "--always-make", "deploy-hub"]
    told = subprocess.run(wanted, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.search(r"build/deploy/bin/python .*--require-hashes .*-r deploy/tools.txt\n", told)
    assert ".venv" not in told
    assert "BIN:-build/deploy/bin}" in (ROOT / "deploy" / "deploy.sh").read_text()


def test_a_package_fits_into_lambda(packages: Path) -> None:
    """250 MB unpacked, with what a newer boto3 will bring."""
    for name in ("sender", "receiver"):
        files = (path for path in (packages / name).rglob("*") if path.is_file())
        assert sum(path.stat().st_size for path in files) < 200 * 1024 * 1024
