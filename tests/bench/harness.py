"""What all benchmarks share: a durable cloud, whole processes with what they took, a table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from tests.cloud import Account, Cloud, EmbeddedCloud, Size, generate
from tests.cloud.postgres import Postgres

ROOT = Path(__file__).parents[2]
LAUNCH = Path(__file__).with_name("launch.py")
ACCOUNT = "111122223333"
REGION = "us-east-1"
MIB = 1 << 20


@dataclass(frozen=True)
class Cost:
    """What a process took: wall and CPU seconds, peak memory, and what it printed."""

    seconds: float
    cpu: float
    mebibytes: float
    output: str


@dataclass(frozen=True)
class Line:
    """A line of the table. `ratio` is ours over the limit, or the bound's share that is used."""

    what: str
    measured: str
    against: str = ""
    ratio: float | None = None
    bound: str = ""
    holds: bool | None = None


class Results:
    """Lines by section; each is told on stderr at once, so that a long run shows how far it is."""

    def __init__(self) -> None:
        self.sections: dict[str, list[Line]] = {}

    def add(self, section: str, *lines: Line) -> None:
        self.sections.setdefault(section, []).extend(lines)
        for line in lines:
            print(f"{section}: {line.what}: {line.measured}", file=sys.stderr, flush=True)


def account(size: Size, number: int = 0) -> Account:
    """An account of that size in one region; the same number always gives the same one."""
    account_id = str(int(ACCOUNT) + number)
    return generate(account_id, size, 1, datetime.now(UTC).date(), (REGION,))


@contextmanager
def running_cloud(*accounts: Account, latency: float = 0.0) -> Iterator[EmbeddedCloud]:
    """An embedded cloud whose PostgreSQL flushes to the disk as a production server does."""
    embedded = EmbeddedCloud(Cloud.of(*accounts), latency=latency)
    embedded.postgres = Postgres(durable=True, settings={"shared_buffers": "1GB"})
    with embedded:
        yield embedded


def run(embedded: EmbeddedCloud, script: str, *arguments: str, **environment: str) -> Cost:
    """Run one of the scripts as a user would; a failure ends the benchmark with its story."""
    own = embedded.environment(environment.pop("account", ACCOUNT)) | environment
    return run_command([sys.executable, str(ROOT / script), *arguments], own)


def subprocess_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without its AWS account, and what is given.

    Python keeps what it compiled, as it does for users unless they forbid it.
    """
    left_out = ("AWS_", "PYTHONDONTWRITEBYTECODE")
    inherited = {n: value for n, value in os.environ.items() if not n.startswith(left_out)}
    return inherited | dict(environment)


def run_command(
    command: Sequence[str], environment: Mapping[str, str], codes: Sequence[int] = (0,)
) -> Cost:
    """Run a command and tell what it took."""
    with tempfile.TemporaryDirectory() as scratch:
        told = Path(scratch) / "cost"
        done = subprocess.run(
            [sys.executable, "-S", "-E", str(LAUNCH), str(told), *command],
            env=subprocess_environment(environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in codes:
            sys.exit(f"{' '.join(command)} failed with {done.returncode}\n{done.stderr[-3000:]}")
        return Cost(**json.loads(told.read_text()), output=done.stdout)


def query(embedded: EmbeddedCloud, database: str, statement: str) -> list[tuple[object, ...]]:
    """Rows of a query, past the Data API."""
    with psycopg.connect(embedded.postgres.dsn_for(database)) as connection:
        return connection.execute(statement.encode()).fetchall()
