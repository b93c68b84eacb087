"""An organization whose payer runs the sender."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

import sender
from tests.cloud import Account, EmbeddedCloud, Size
from tests.cloud.organization import Organization
from tests.conftest import REGIONS, MakeAccount, MakeEnvironment
from tests.runs import Document

LITTLE = Size(keys=3, volumes=4, security_hub_findings=5, buckets=2, cost_lines=3, secrets=2)
ROLE = "ObservabilityReader"


@dataclass
class Party:
    """An organization whose payer runs the sender, and its accounts by what they are there for."""

    embedded: EmbeddedCloud
    organization: Organization
    payer: Account
    security: Account
    shop: Account
    europe: Account
    broken: Account
    closed: Account
    shops: str
    europeans: str
    environment: dict[str, str] = field(repr=False)

    @property
    def whole(self) -> tuple[Account, ...]:
        """The accounts that can be read."""
        return (self.payer, self.security, self.shop, self.europe)


@pytest.fixture
def party(
    embedded: EmbeddedCloud, make_account: MakeAccount, environment_of: MakeEnvironment
) -> Party:
    """An organization of six accounts: one is suspended, and one has no role to assume."""
    accounts = [make_account(LITTLE) for _ in range(6)]
    payer, security, shop, europe, broken, closed = accounts
    organization = Organization(payer)
    embedded.cloud.organizations.append(organization)
    shops = organization.unit("Shops")
    europeans = organization.unit("Europe", shops)
    organization.join(security, organization.unit("Security"))
    organization.join(
        shop, shops, Customer="Shop Corp", partner="Partner of shops", CATEGORY="Retail",
        environment="staging", product="Web:Tills",
    )  # fmt: skip
    organization.join(europe, europeans, customer="Europe Corp")
    organization.join(broken, europeans)
    organization.join(closed, shops, state="SUSPENDED")
    organization.delegate(security, "securityhub.amazonaws.com", "guardduty.amazonaws.com")
    for account in (security, shop, europe):
        embedded.keys.make_role(account.id, ROLE, payer.id)
    embedded.keys.make_role(broken.id, "Administrator", payer.id)
    environment = environment_of(payer)
    return Party(
        embedded, organization, payer, security, shop, europe, broken, closed, shops, europeans,
        environment,
    )  # fmt: skip


@dataclass
class Done:
    """What came of a run of the sender."""

    code: int
    out: list[str]
    story: list[dict[str, Any]] = field(repr=False)

    @property
    def summary(self) -> str:
        """The last line."""
        return self.out[-1]

    def beginning(self, words: str) -> list[str]:
        """The lines of stdout that begin with these words."""
        return [line for line in self.out if line.startswith(words)]

    def messages(self, account: str = "") -> list[str]:
        """What the log says, or what it says of one account."""
        return [held["message"] for held in self.story if account in ("", held.get("account"))]


RunOrganization = Callable[..., Done]


@pytest.fixture
def run_organization(
    party: Party, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RunOrganization:
    """Runs the sender in this process: `send("--organization", REGION="eu-west-1")`."""

    def run(*flags: str, **environment: str) -> Done:
        for name, value in (party.environment | environment).items():
            monkeypatch.setenv(name, value)
        code = sender.main(["--log-format", "json", *flags])
        out, story = capsys.readouterr()
        lines = [line for line in story.splitlines() if line.startswith("{")]
        return Done(code, out.splitlines(), list(map(json.loads, lines)))

    return run


def documents(party: Party, bucket: str = "") -> dict[str, Document]:
    """The documents in the bucket by account and region."""
    s3 = party.embedded.client("s3", party.embedded.analytics.id)
    where = {"Bucket": bucket or party.environment["BUCKET"]}
    keys = [held["Key"] for held in s3.list_objects_v2(**where, Prefix="data/").get("Contents", ())]
    return {
        "/".join(key.split("/")[1:3]): json.loads(
            s3.get_object(**where, Key=key)["Body"].read(), parse_float=Decimal
        )
        for key in keys
    }


def places(*accounts: Account, regions: tuple[str, ...] = REGIONS) -> set[str]:
    """Account and region of each document."""
    return {f"{account.id}/{region}" for account in accounts for region in regions}


def called(party: Party, operation: str, account: Account) -> int:
    """How often an account called an operation."""
    made = [call.account for call in party.embedded.calls if call.operation == operation]
    return made.count(account.id)


MEMBERSHIP = ("account_email", "account_arn", "joined_method", "joined_timestamp")
