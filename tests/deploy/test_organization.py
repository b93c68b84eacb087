"""The policies in deploy/ for one task that reads the whole organization."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests import templates
from tests.cloud import Account, EmbeddedCloud, Size
from tests.cloud.organization import Organization
from tests.conftest import REGIONS, MakeAccount, MakeEnvironment
from tests.deploy.deploying import LOOKING, actions, policies, refusal, run, upload_in_parts
from tests.enforcement import EXTERNAL_ID, READER, RECEIVER, TASK, Deployment, client, recorder


@dataclass(frozen=True)
class Whole:
    """An organization that the hub is an administrator in, read by the task of organization.yaml.

    Attributes:
        stranger: an account that IAM takes for another organization's.
    """

    organization: Organization
    payer: Account
    security: Account
    shop: Account
    stranger: Account

    @property
    def members(self) -> set[str]:
        """The accounts whose role lets the task in."""
        return {account.id for account in (self.payer, self.security, self.shop)}


@pytest.fixture
def whole(
    embedded: EmbeddedCloud, deployment: Deployment, make_account: MakeAccount
) -> Iterator[Whole]:
    """Payer, security's administrator, a shop and a stranger; policies are not on yet."""
    payer, security, shop, stranger = (make_account(Size.small()) for _ in range(4))
    organization = Organization(payer)
    embedded.cloud.organizations.append(organization)
    hub = organization.join(embedded.analytics)
    organization.delegate(hub, "member.org.stacksets.cloudformation.amazonaws.com")
    organization.join(security, organization.unit("Security"))
    organization.join(shop, organization.unit("Shops"), customer="Shop Corp")
    organization.join(stranger)
    services = ("securityhub", "guardduty", "health")
    organization.delegate(security, *(f"{service}.amazonaws.com" for service in services))
    organization.health_view = True
    for account in (payer, security, stranger):  # few events: many are read by account
        account.replace("health", "events", "", [])
    recent = shop.items("health", "events")[0]
    old = recent | {"arn": f"{recent['arn']}_OLD", "lastUpdatedTime": shop.ago(40)}
    shop.replace("health", "events", "", [recent, old])
    deployment.outsiders.add(stranger.id)
    yield Whole(organization, payer, security, shop, stranger)
    embedded.cloud.organizations.remove(organization)
    embedded.analytics.delegated_for = ()


def send_before(embedded: EmbeddedCloud, bucket: str, *accounts: str) -> None:
    """Accounts have a document of an earlier day, so that only what has changed is read."""
    s3 = embedded.moto.client("s3", embedded.analytics.id, "us-east-1")
    day = datetime.now(UTC).date() - timedelta(days=2)
    for place in (f"{account}/{region}" for account in accounts for region in REGIONS):
        s3.put_object(Bucket=bucket, Key=f"loaded/{place}/{day}_DAILY.json", Body=b"{}")


def test_the_task_reads_the_organization_with_the_policies_on(
    embedded: EmbeddedCloud, deployment: Deployment, whole: Whole, database: str
) -> None:
    command, settings = deployment.task()
    role = deployment.role(deployment.hub, TASK) | settings
    receiver = deployment.role(deployment.hub, RECEIVER) | {"DB_NAME": database}
    send_before(embedded, deployment.bucket, *whole.members)
    deployment.switch_on(whole.stranger.id, *whole.members)
    sent = run("sender.py", role | {"REGIONS": "all"}, *command)
    assert sent.returncode == 1, sent.stderr
    for service in ("Security Hub", "GuardDuty"):
        assert f"{service} in us-east-1: {whole.security.id} reads for 4 accounts" in sent.stderr
    assert f"Health: {whole.security.id} reads for 4 accounts" in sent.stderr
    assert "DescribeAffectedAccountsForOrganization" in {c.operation for c in embedded.calls}
    failed = [line for line in sent.stdout.splitlines() if line.startswith("failed, ")]
    assert [line.split(": ")[:2] for line in failed] == [
        [f"failed, {whole.stranger.id}", "sts:AssumeRole denied, AccessDenied"]
    ]
    units = {
        "INCLUDE_OU": whole.organization.root,
        "EXCLUDE_ACCOUNTS": f"{deployment.hub},{whole.stranger.id}",
    }
    again = run("sender.py", role | units, *command)  # which sees what it has sent today
    assert (again.returncode, "s3://" in again.stdout) == (0, False), again.stderr
    alone = run("sender.py", role, "--accounts", whole.shop.id)
    assert alone.returncode == 0, alone.stderr
    assert "where AWS Organizations tells none" not in alone.stderr
    received = run("receiver.py", receiver)
    assert received.returncode == 0, received.stderr
    with psycopg.connect(embedded.postgres.dsn_for(database)) as connection:
        rows = connection.execute("SELECT DISTINCT account_id FROM accounts").fetchall()
    assert {row[0] for row in rows} == whole.members
    denied = [call for call in embedded.calls if call.error.startswith("AccessDenied")]
    # HeadObject: whose a document is that waits, which the sender may not know; it goes beside it
    assert {call.operation for call in denied} == {"AssumeRole", "HeadObject"}


def test_the_task_may_do_what_a_run_asks_and_nothing_else(
    embedded: EmbeddedCloud, deployment: Deployment, whole: Whole, environment_of: MakeEnvironment
) -> None:
    command, settings = deployment.task()
    role = deployment.role(deployment.hub, TASK) | settings
    found: set[str] = set()
    embedded.switches.policies[deployment.hub] = recorder(found)
    send_before(embedded, deployment.bucket, *whole.members, whole.stranger.id)
    units = {"INCLUDE_OU": whole.organization.root}
    for more in (units, {}):
        assert run("sender.py", role | more, *command).returncode == 0
    assert run("sender.py", role, "--accounts", whole.shop.id).returncode == 0
    upload_in_parts(embedded, embedded.analytics, environment_of(embedded.analytics))
    [enter] = policies(templates.ORGANIZATION, "TaskRole", "enter")
    [ship] = policies(templates.ORGANIZATION, "TaskRole", "ship")
    assert actions(enter["Statement"]) | actions(ship["Statement"]) == found - LOOKING


def test_the_summary_of_a_run_is_what_the_alarm_counts(
    embedded: EmbeddedCloud, deployment: Deployment, whole: Whole
) -> None:
    """CloudWatch splits a line at its blanks; the third word is the metric."""
    resources = templates.load(templates.ORGANIZATION)["Resources"]
    counter = resources["FailedAccounts"]["Properties"]
    fields = re.findall(r'(\w+)(?: = "([^"]*)")?(?=, |\])', counter["FilterPattern"])
    value = [f"${name}" for name, _ in fields].index(
        counter["MetricTransformations"][0]["MetricValue"]
    )
    command, settings = deployment.task()
    role = deployment.role(deployment.hub, TASK) | settings
    embedded.switches.deny("sts", "AssumeRole", account=deployment.hub)
    done = run("sender.py", role, *command)
    lines = [line.split() for line in (done.stdout + done.stderr).splitlines()]
    counted = [
        words[value]
        for words in lines
        if len(words) >= len(fields)
        and all(known in ("", word) for (_, known), word in zip(fields, words, strict=False))
    ]
    assert counted == ["4"]


@pytest.mark.parametrize(
    "who",
    ["the task", "without the id", "another role", "another account", "another organization"],
)
def test_a_members_role_lets_only_the_task_in(
    who: str, embedded: EmbeddedCloud, deployment: Deployment, whole: Whole
) -> None:
    account = whole.shop.id if who == "another account" else deployment.hub
    role = deployment.role(account, "Administrator" if who == "another role" else TASK)
    if who == "another organization":
        deployment.outsiders.add(account)
    deployment.switch_on(account)
    known = {} if who == "without the id" else {"ExternalId": EXTERNAL_ID}
    arn = f"arn:aws:iam::{whole.security.id}:role/{READER}"

    def attempt(*_: object) -> object:
        sts = client(role, "sts")
        return sts.assume_role(RoleArn=arn, RoleSessionName="test", **known)

    assert refusal(attempt) == (200 if who == "the task" else 403)


def test_the_task_enters_no_other_role(
    embedded: EmbeddedCloud, deployment: Deployment, whole: Whole
) -> None:
    sts = client(deployment.role(deployment.hub, TASK), "sts")
    deployment.switch_on()
    for account, name in ((whole.shop, "Administrator"), (whole.stranger, READER)):
        arn = f"arn:aws:iam::{account.id}:role/{name}"

        def attempt(*_: object, arn: str = arn) -> object:
            return sts.assume_role(RoleArn=arn, RoleSessionName="test", ExternalId=EXTERNAL_ID)

        assert refusal(attempt) == 403, arn
