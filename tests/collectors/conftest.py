"""Accounts that the tests of collectors only read, and ways to read them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cloud import Account, EmbeddedCloud, Size, generate
from tests.collectors.examples import answer
from tests.collectors.reading import COST_TAGS, EVERYTHING, Send, answering, without_bucket
from tests.collectors.registry import stated
from tests.conftest import REGIONS, MakeAccount
from tests.runs import Document, Sent, send


@pytest.fixture(scope="session")
def account(running_cloud: EmbeddedCloud) -> Account:
    """A small account in two regions that tests only read."""
    today = datetime.now(UTC).date()
    return running_cloud.add(generate("288888888801", Size.small(), 7, today, REGIONS))


@pytest.fixture(scope="session")
def whole(
    running_cloud: EmbeddedCloud, account: Account, tmp_path_factory: pytest.TempPathFactory
) -> Document:
    """The first document of the account, in its home region, with nothing denied."""
    environment = without_bucket(running_cloud, account)
    return send(environment, tmp_path_factory.mktemp("whole"), *EVERYTHING).document


@pytest.fixture(scope="session")
def empty(
    running_cloud: EmbeddedCloud, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, Document]:
    """Exit code and document of an account that holds nothing."""
    today = datetime.now(UTC).date()
    account = running_cloud.add(generate("288888888802", Size.empty(), 7, today, REGIONS))
    environment = without_bucket(running_cloud, account)
    sent = send(environment, tmp_path_factory.mktemp("empty"), *EVERYTHING)
    return sent.code, sent.document


@pytest.fixture
def only(embedded: EmbeddedCloud, account: Account, tmp_path: Path) -> Send:
    """Runs the sender for the account and some categories: `only("health", "cost")`."""

    def run(*categories: str) -> Sent:
        environment = without_bucket(embedded, account)
        return send(environment, tmp_path, "--only", ",".join(categories), *COST_TAGS)

    return run


Play = Callable[..., Document]


@pytest.fixture
def play(embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path) -> Play:
    """Collects a category of an account that is empty but for examples: `play("cost", api=0)`."""

    def run(category: str, **played: int) -> Document:
        account = make_account(Size.empty())
        for name, number in played.items():
            service, _, operation = (api := stated("EXAMPLES")[name]).partition(":")
            embedded.switches.intercept(service, operation, answering(answer(api, number)))
        environment = embedded.environment(account.id) | {"BUCKET": ""}
        sent = send(environment, tmp_path, "--only", category)
        assert sent.code == 0
        assert sent.statuses[category] == "Pass"
        return sent.document

    return run
