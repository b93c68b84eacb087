"""Runs of sender.py or receiver.py, one after the other in one process, on a moved clock.

    with Scripts("sender", environment, log) as sender:
        code = sender.run("--organization")

A process of each day would spend most of its time on reading botocore's models. Each run is the
script's own `main`. Run as a program it is that process: for each line of arguments it reads, as
JSON, it writes the exit code.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import botocore.session
from botocore.loaders import create_loader

ROOT = Path(__file__).parents[2]


class Scripts:
    """A context manager around the process; `log` takes all that the script prints."""

    def __init__(self, name: str, environment: Mapping[str, str], log: IO[bytes] | None) -> None:
        self._command = [sys.executable, "-m", "tests.cloud.scripts", name]
        self._environment, self._log = environment, log

    def __enter__(self) -> Scripts:
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, env=os.environ | dict(self._environment), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
        )  # fmt: skip
        return self

    def __exit__(self, *_error: object) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()

    def run(self, *arguments: str) -> int:
        """Run the script with these arguments; its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(arguments), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        return int(answer) if answer else self._process.wait() or 1


def main(name: str) -> None:
    """Run the script for each line of arguments on standard input."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    botocore.session.create_loader = functools.cache(create_loader)
    script = importlib.import_module(name)
    for line in sys.stdin:
        print("$", f"{name}.py", *json.loads(line), flush=True)
        print(script.main(json.loads(line)), file=answers, flush=True)
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
