#!/usr/bin/env python3
"""Build build/sender.zip and build/receiver.zip for AWS Lambda, the same bytes every time.

    deploy/requirements.txt  ->  wheels, each held to its hash (pip)  ->  their files and ours, in
    order, with one fixed time and no compression (zlib's output differs between versions)

`--lock` writes deploy/requirements.txt anew, with the newest versions that requirements.txt allows,
and deploy/tools.txt, which is what deploy.sh needs of it on any machine.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "deploy" / "requirements.txt"
TOOLS = ROOT / "deploy" / "tools.txt"
LOCKED = ("boto3", "botocore")
"""Beside what the report needs."""
OURS = ("*.py", "*.html", "*.css")

PYTHON, PLATFORM = "3.13", "manylinux2014_aarch64"
"""The runtime and the machine that the templates name."""

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "sender": ("sender.py",),
    "receiver": ("receiver.py", "schema.sql", "deploy/rotation.py"),
}
"""Our own files in each package, which lie at its top, beside the package observability."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can tell."""


def pip_download(target: Path, *what: str) -> list[Path]:
    """Download wheels for the runtime; what is asked for has to have wheels."""
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--only-binary", ":all:", "--implementation", "cp", "--python-version", PYTHON,
        "--platform", PLATFORM, "--dest", str(target), *what,
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return sorted(target.glob("*.whl"))


def wheel_files(wheels: list[Path]) -> Iterator[tuple[str, bytes]]:
    """(path, content) of every file in the wheels; scripts, which only pip would place, are not."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if not name.endswith("/") and ".data/" not in name:
                    yield name, archive.read(name)


def write_package(target: Path, files: Mapping[str, bytes]) -> None:
    """Write a zip that depends on the files alone."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3  # Unix, whatever this machine is
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[name])


def modules() -> dict[str, bytes]:
    """The files of the package observability, by their path in the archive."""
    found = [file for form in OURS for file in (ROOT / "observability").rglob(form)]
    return {file.relative_to(ROOT).as_posix(): file.read_bytes() for file in found}


def build(target: Path) -> list[Path]:
    """Build every package into a directory."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as wheels:
        locked = ("--no-deps", "--require-hashes", "--requirement", str(LOCK))
        dependencies = dict(wheel_files(pip_download(Path(wheels), *locked)))
    built = []
    for name, sources in PACKAGES.items():
        ours = {Path(source).name: (ROOT / source).read_bytes() for source in sources}
        ours |= modules()
        built.append(target / f"{name}.zip")
        write_package(built[-1], dependencies | ours)
    return built


def lock() -> None:
    """Write the newest allowed versions of all dependencies, with their hashes."""
    allowed = (ROOT / "requirements.txt").read_text().splitlines()
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    sdk = [line for line in allowed if line.startswith(LOCKED)]
    report = package["optional-dependencies"]["report"]
    write_lock(LOCK, "what the packages hold beside our files", *sdk, *report)
    write_lock(TOOLS, "what deploy.sh runs with", *sdk)


def write_lock(target: Path, what: str, *wanted: str) -> None:
    """Write the wheels that are wanted, and what they need, with their hashes."""
    lines = [f"# Written by {Path(__file__).name} --lock: {what}."]
    with tempfile.TemporaryDirectory() as wheels:
        for wheel in pip_download(Path(wheels), *wanted):
            name, version = wheel.name.split("-")[:2]
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            lines.append(f"{name.replace('_', '-')}=={version} --hash=sha256:{digest}")
    target.write_text("\n".join(lines) + "\n")


def main() -> None:
    """The command line; prints each package's hash, as sha256sum does."""
    parser = argparse.ArgumentParser(description="Build the Lambda packages, reproducibly.")
    parser.add_argument("--lock", action="store_true", help="renew deploy/requirements.txt first")
    parser.add_argument("--output", type=Path, default=ROOT / "build", help="where to [build]")
    arguments = parser.parse_args()
    if arguments.lock:
        lock()
    for package in build(arguments.output):
        print(f"{hashlib.sha256(package.read_bytes()).hexdigest()}  {package}")


if __name__ == "__main__":
    main()
