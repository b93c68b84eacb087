"""A payer and its members, for reads that serve all accounts of a run at once."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import receiver
import sender
from observability.receiving.result import FileStatus
from tests.cloud import Account, ApiRequest, EmbeddedCloud, Size
from tests.cloud.organization import Organization
from tests.cloud.switches import InstantAnswer
from tests.conftest import REGIONS, MakeAccount
from tests.warehouse import Rows, Warehouse

MEMBERS = 6
ROLE = "ObservabilityReader"
BUYERS = Size(cost_lines=14, licenses=2, anomalies=3)
"""Accounts that have taxes and refunds, which share a usage type, and have bought two products on
AWS Marketplace, which share one as well: four services to be asked for by themselves."""

PLAIN = Size(cost_lines=9)
"""Accounts of which each usage type belongs to one service."""


@dataclass
class Family:
    """A payer and its members, and where their documents go."""

    embedded: EmbeddedCloud
    warehouse: Warehouse
    organization: Organization
    accounts: list[Account] = field(default_factory=list)

    @property
    def payer(self) -> Account:
        """The account that runs the sender."""
        return self.accounts[0]

    def run_by(self, caller: Account) -> None:
        """Let another account run the sender, which may list the organization for StackSets."""
        self.organization.delegate(caller, "member.org.stacksets.cloudformation.amazonaws.com")
        for account in self.accounts:
            self.embedded.keys.make_role(account.id, ROLE, caller.id)

    def requests(self, *operations: str) -> Counter[str]:
        """How many requests of operations each account has made; they are forgotten then."""
        wanted = operations or ("GetCostAndUsage",)
        found = Counter(call.account for call in self.embedded.calls if call.operation in wanted)
        self.embedded.forget_calls()
        return found


SHARING = re.compile(r"costs|Health|(Security Hub|GuardDuty|Inspector) in ")
"""How what is said of shared reads begins."""

MakeFamily = Callable[..., Family]

RunFamily = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def make_family(
    embedded: EmbeddedCloud, make_account: MakeAccount, warehouse: Warehouse
) -> MakeFamily:
    """Makes an organization of accounts of one size, whose payer may read all of them."""

    def make(size: Size, count: int = MEMBERS) -> Family:
        accounts = [make_account(size) for _ in range(count)]
        family = Family(embedded, warehouse, Organization(accounts[0]), accounts)
        embedded.cloud.organizations.append(family.organization)
        for account in family.accounts[1:]:
            family.organization.join(account)
            embedded.keys.make_role(account.id, ROLE, family.payer.id)
        return family

    return make


@pytest.fixture
def run_family(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunFamily:
    """Runs the sender as an account of a family: (exit code, what the log says)."""

    def run(
        family: Family,
        *flags: str,
        caller: Account | None = None,
        only: str = "cost,service,marketplace",
    ) -> tuple[int, list[str]]:
        environment = family.embedded.environment((caller or family.payer).id)
        for name, value in (environment | {"BUCKET": family.warehouse.bucket}).items():
            monkeypatch.setenv(name, value)
        code = sender.main(["--log-format", "json", "--only", only, *flags])
        lines = capsys.readouterr().err.splitlines()
        story = [json.loads(line)["message"] for line in lines if line.startswith("{")]
        return code, [text for text in story if SHARING.match(text)]

    return run


RUNS = ("logs", "log_messages")
"""Tables about runs, whose rows differ from run to run."""


def load(family: Family, *, leave_out: tuple[str, ...] = RUNS) -> Rows:
    """The rows that come of the documents, which are used up, less some tables."""
    warehouse = family.warehouse
    with pytest.MonkeyPatch.context() as patch:
        for name, value in family.embedded.environment(family.embedded.analytics.id).items():
            patch.setenv(name, value)
        results = receiver.load_all(warehouse.receiver, receiver.list_data(warehouse.receiver))
    assert {result.status for result in results} == {FileStatus.LOADED}
    rows = warehouse.rows()
    warehouse.empty()
    s3, bucket = warehouse.s3, warehouse.bucket
    for held in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        s3.delete_object(Bucket=bucket, Key=held["Key"])
    return {name: found for name, found in rows.items() if name not in leave_out}


COSTS = ("services", "cost_reports", "service_costs")


def same(ours: Rows, theirs: Rows, filled: tuple[str, ...] = COSTS) -> None:
    """Fail unless all tables have the same rows, and these have any."""
    for table, rows in ours.items():
        assert rows == theirs[table], table
    for table in filled:
        assert ours[table], table


def past(days: int) -> tuple[str, ...]:
    """The flags of a backfill of so many days."""
    last = datetime.now(UTC).date() - timedelta(days=1)
    return ("--start", str(last - timedelta(days=days - 1)), "--end", str(last))


# Findings

BOTH = ("--regions", ",".join(REGIONS))

# Health


def instead(response: dict[str, Any]) -> Callable[[ApiRequest], None]:
    """Answers a request with something else."""

    def answer(_request: ApiRequest) -> None:
        raise InstantAnswer(response)

    return answer


def refuse(service: str, operation: str, times: int | None = None) -> Callable[[Family], None]:
    """Refuses an operation of an API."""

    def switch(family: Family) -> None:
        family.embedded.switches.fail(
            service, operation, "AccessDeniedException", "not authorized to perform this",
            times=times,
        )  # fmt: skip

    return switch


# Findings


def known(family: Family, *accounts: Account, days: int = 2) -> None:
    """Give accounts a document of so many days ago, so that they read only what changed since."""
    day = datetime.now(UTC).date() - timedelta(days=days)
    for account, region in itertools.product(accounts, REGIONS):
        key = f"loaded/{account.id}/{region}/{day}_DAILY.json"
        family.warehouse.s3.put_object(Bucket=family.warehouse.bucket, Key=key, Body=b"{}")
