"""The two commands, run as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from tests.cli.commands import Run, command
from tests.cloud import Account, EmbeddedCloud, Size, generate
from tests.conftest import REGIONS
from tests.paths import RECEIVER


@pytest.fixture(scope="session")
def account(running_cloud: EmbeddedCloud) -> Account:
    """A small account that tests only read."""
    today = datetime.now(UTC).date()
    return running_cloud.add(generate("288888888804", Size.small(), 7, today, REGIONS))


@pytest.fixture
def environment(embedded: EmbeddedCloud, account: Account, bucket: str) -> dict[str, str]:
    """The account's environment, with a bucket of its own."""
    return embedded.environment(account.id) | {"BUCKET": bucket}


@pytest.fixture
def run_sender(environment: dict[str, str]) -> Run:
    """Runs the command in the account's environment: `run("--check", BUCKET="")`."""
    return lambda *flags, **more: command(*flags, environment=environment | more)


@pytest.fixture
def receiver_environment(embedded: EmbeddedCloud, bucket: str, database: str) -> dict[str, str]:
    """The documented environment."""
    ours = {"BUCKET": bucket, "DB_NAME": database}
    return {**os.environ, **embedded.environment(embedded.analytics.id), **ours}


@pytest.fixture
def run_receiver(receiver_environment: dict[str, str]) -> Run:
    """Runs receiver.py in the environment, of which keywords replace or (None) remove some."""

    def run_receiver(*arguments: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
        changed = {**receiver_environment, **changes}
        return subprocess.run(
            [sys.executable, str(RECEIVER), *arguments],
            env={name: value for name, value in changed.items() if value is not None},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run_receiver
