"""The policies in deploy/: no action too many or too few, and nobody gets at what is another's."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

from observability.aws.errors import aws_errors
from observability.collecting.run import Run
from observability.collectors import CATEGORIES, COLLECTORS
from observability.log import Log
from observability.sending.bucket import ONE_PUT, document_key, upload_to_s3
from observability.settings.sender import read_settings
from tests import templates
from tests.cloud import Account, EmbeddedCloud, Size
from tests.cloud.accounts import Aggregator
from tests.cloud.organization import Organization
from tests.conftest import REGIONS, MakeAccount, MakeEnvironment
from tests.enforcement import EXTERNAL_ID, READER, RECEIVER, TASK, Deployment, client, recorder

ROOT = Path(__file__).parents[1]

SHIPPING = {
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "s3:AbortMultipartUpload",
    "s3:ListBucket",
    "s3:PutObject",
}
"""What the sender needs for its document, beside what the collectors read."""

LOGGING = {"logs:CreateLogStream", "logs:PutLogEvents"}
"""What Lambda itself needs, in the function's name."""


def run(
    script: str, environment: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a script of the project."""
    command = [sys.executable, str(ROOT / script), *arguments]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def actions(statements: Iterable[dict[str, Any]]) -> set[str]:
    """The actions that statements name."""
    lists = [one["Action"] for one in statements]
    return {name for held in lists for name in ([held] if isinstance(held, str) else held)}


# (a) the sender's policy is what the sender calls


@pytest.fixture
def called(
    embedded: EmbeddedCloud, make_account: MakeAccount, environment_of: MakeEnvironment
) -> set[str]:
    """The IAM actions that the sender's API calls need: all of them, on every way it can take."""
    account = make_account(Size.small())
    found: set[str] = set()
    embedded.switches.policies[account.id] = recorder(found)
    more = {"REGIONS": ",".join(REGIONS), "RESERVED_CAPACITY": "1"}
    environment = environment_of(account) | more
    assert run("sender.py", environment).returncode == 0
    week = str(datetime.now(UTC).date() - timedelta(days=7))
    backfill = ("--dry-run", "--only", "ri_sp_savings", "--start", week)
    assert run("sender.py", environment, *backfill).returncode == 0
    with_other_ways(embedded, account)
    assert run("sender.py", environment).returncode == 1  # what is denied, is said
    embedded.switches.reset()
    embedded.switches.policies[account.id] = recorder(found)
    upload_in_parts(embedded, account, environment)
    return found


def with_other_ways(embedded: EmbeddedCloud, account: Account) -> None:
    """Close the ways that the sender tries first, so that it takes the others."""
    embedded.switches.deny("config", "SelectResourceConfig")
    embedded.switches.deny("wafv2", "ListLoggingConfigurations")
    for certificate in account.items("acm", "certificates", REGIONS[0]):
        certificate.pop("NotAfter", None)


def upload_in_parts(embedded: EmbeddedCloud, account: Account, environment: dict[str, str]) -> None:
    """Ship a document that is too large for one request, and one that breaks off."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        settings = read_settings({}, CATEGORIES)
        run = Run(settings, Log())
        run.caller.identify()
        key = document_key("data", account.id, settings.region, date(2026, 11, 1))
        body = io.BytesIO(b" " * (ONE_PUT + 1))
        upload_to_s3(run, settings, key, body)
        embedded.switches.fail("s3", "UploadPart", "AccessDenied", status=403, times=1, after=True)
        with pytest.raises(aws_errors()):
            upload_to_s3(run, settings, key, body)
        run.caller.close()


def test_the_spokes_policy_is_what_the_sender_calls(
    embedded: EmbeddedCloud, bucket: str, called: set[str]
) -> None:
    listed = {action for collector in COLLECTORS for action in collector.actions}
    assert called == listed | SHIPPING
    assert actions(Deployment(embedded, bucket).sender_policy("1" * 12)) == called | LOGGING


MORE_OF_MEMBERS = {
    "account:ListRegions",
    "compute-optimizer:GetEnrollmentStatusesForOrganization",
    "config:DescribeConfigurationAggregatorSourcesStatus",
    "config:DescribeConfigurationAggregators",
    "config:SelectAggregateResourceConfig",
    "guardduty:ListMembers",
    "health:DescribeAffectedAccountsForOrganization",
    "health:DescribeEventsForOrganization",
    "inspector2:ListMembers",
    "securityhub:ListMembers",
}
"""What a run over an organization asks of an account beside what a sender of its own does."""


def test_a_member_lets_the_hub_read_what_a_spoke_reads_and_whom_it_administers() -> None:
    [spoke] = policies(templates.SPOKE, "SenderRole", "collect")
    [member] = policies(templates.MEMBER, "Role", "collect")
    assert member == spoke
    assert len(policies(templates.MEMBER, "Role")) == 2
    [more] = policies(templates.MEMBER, "Role", "organization")
    assert actions(more["Statement"]) == MORE_OF_MEMBERS


def policies(template: Path, role: str, name: str = "") -> list[dict[str, Any]]:
    """The policies of a role in a template, or the one of that name."""
    held = templates.load(template)["Resources"][role]["Properties"]["Policies"]
    return [one["PolicyDocument"] for one in held if name in ("", one["PolicyName"])]


def test_each_star_has_its_reason_beside_it() -> None:
    for template in templates.ALL:
        lines = template.read_text().splitlines()
        for number, line in enumerate(lines):
            if line.strip() == 'Resource: "*"' and "KeyPolicy" not in enclosing(lines, number):
                before = lines[: number - [*reversed(lines[:number])].index(sid(lines, number))]
                comment = [held for held in before[:-1] if held.strip()][-1]
                assert comment.lstrip().startswith("#"), f"{template.name}:{number + 1}"


def sid(lines: list[str], number: int) -> str:
    """The line that begins the statement that a line is in."""
    return next(line for line in reversed(lines[:number]) if "- Sid:" in line)


def enclosing(lines: list[str], number: int) -> str:
    """The property of a resource that a line is in."""
    return next(line for line in reversed(lines[:number]) if re.match(r" {6}\w+:", line))


# (b) the policies are enforced


@pytest.fixture
def deployment(embedded: EmbeddedCloud, bucket: str) -> Deployment:
    return Deployment(embedded, bucket)


def test_the_whole_pipeline_runs_with_the_policies_on(
    embedded: EmbeddedCloud, deployment: Deployment, make_account: MakeAccount, database: str
) -> None:
    spokes = [make_account(Size.small()), make_account(Size.empty())]
    roles = {spoke.id: deployment.role(spoke.id) for spoke in spokes}
    hub = deployment.role(deployment.hub, RECEIVER) | {"DB_NAME": database}
    deployment.switch_on(*roles)
    for role in roles.values():
        more = {"REGIONS": ",".join(REGIONS), "RESERVED_CAPACITY": "1"}
        sent = run("sender.py", role | more)
        assert sent.returncode == 0, sent.stderr
    received = run("receiver.py", hub)
    assert received.returncode == 0, received.stderr
    again = run("sender.py", roles[spokes[0].id])  # which sees its own day under loaded/
    assert (again.returncode, "the first document" in again.stderr) == (0, False), again.stderr
    assert not [call for call in embedded.calls if call.error == "AccessDenied"]
    with psycopg.connect(embedded.postgres.dsn_for(database)) as connection:
        rows = connection.execute("SELECT DISTINCT account_id FROM accounts").fetchall()
    assert {row[0] for row in rows} == roles.keys()


def test_a_refused_document_is_filed_with_the_policies_on(
    embedded: EmbeddedCloud, deployment: Deployment, make_account: MakeAccount, database: str
) -> None:
    spoke = make_account(Size.empty())
    role = deployment.role(spoke.id)
    hub = deployment.role(deployment.hub, RECEIVER) | {"DB_NAME": database}
    deployment.switch_on(spoke.id)
    key = f"data/{spoke.id}/us-east-1/2026-11-01_DAILY.json"
    client(role, "s3").put_object(
        Bucket=deployment.bucket,
        Key=key,
        Body=b"{}",
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=embedded.key_arn,
    )
    received = run("receiver.py", hub)
    assert received.returncode == 1
    listed = embedded.moto.client("s3", deployment.hub, "us-east-1").list_objects_v2(
        Bucket=deployment.bucket
    )
    rejected = key.replace("data/", "rejected/")
    assert {held["Key"] for held in listed["Contents"]} == {rejected, f"{rejected}.reason.txt"}


S3 = Any
Attack = Callable[[S3, EmbeddedCloud, str, str, str], object]


def put(
    s3: S3,
    bucket: str,
    key: str,
    encryption: str | None = "aws:kms",
    kms_key: str | None = None,
    body: bytes = b"{}",
) -> object:
    """Put an object, encrypted as asked."""
    how = {"ServerSideEncryption": encryption, "SSEKMSKeyId": kms_key}
    given = {name: value for name, value in how.items() if value is not None}
    return s3.put_object(Bucket=bucket, Key=key, Body=body, **given)


def document(account: str) -> str:
    """The key of a document that lies in the bucket."""
    return f"data/{account}/us-east-1/2026-11-01_DAILY.json"


def put_with_own_key(s3: S3, cloud: EmbeddedCloud, bucket: str, own: str, _other: str) -> object:
    kms = cloud.moto.client("kms", own, "us-east-1")
    key = kms.create_key(Description="The spoke's own")["KeyMetadata"]["Arn"]
    return put(s3, bucket, document(own), "aws:kms", key)


ATTACKS: dict[str, Attack] = {
    "read its own document": lambda s3, _cloud, bucket, own, _other: s3.get_object(
        Bucket=bucket, Key=document(own)
    ),
    "read another's document": lambda s3, _cloud, bucket, _own, other: s3.get_object(
        Bucket=bucket, Key=document(other)
    ),
    "look at another's document": lambda s3, _cloud, bucket, _own, other: s3.head_object(
        Bucket=bucket, Key=document(other)
    ),
    "list the whole bucket": lambda s3, _cloud, bucket, _own, _other: s3.list_objects_v2(
        Bucket=bucket
    ),
    "list all accounts": lambda s3, _cloud, bucket, _own, _other: s3.list_objects_v2(
        Bucket=bucket, Prefix="data/", Delimiter="/"
    ),
    "list another's documents": lambda s3, _cloud, bucket, _own, other: s3.list_objects_v2(
        Bucket=bucket, Prefix=f"data/{other}/"
    ),
    "list another's loaded documents": lambda s3, _cloud, bucket, _own, other: s3.list_objects_v2(
        Bucket=bucket, Prefix=f"loaded/{other}/"
    ),
    "overwrite another's document": lambda s3, cloud, bucket, _own, other: put(
        s3, bucket, document(other), kms_key=cloud.key_arn
    ),
    "put beside the accounts": lambda s3, cloud, bucket, _own, _other: put(
        s3, bucket, "data/document.json", kms_key=cloud.key_arn
    ),
    "put under a longer account id": lambda s3, cloud, bucket, own, _other: put(
        s3, bucket, f"data/{own}0/document.json", kms_key=cloud.key_arn
    ),
    "put into loaded/": lambda s3, cloud, bucket, own, _other: put(
        s3, bucket, f"loaded/{own}/us-east-1/document.json", kms_key=cloud.key_arn
    ),
    "put into rejected/": lambda s3, cloud, bucket, own, _other: put(
        s3, bucket, f"rejected/{own}/us-east-1/document.json", kms_key=cloud.key_arn
    ),
    "put unencrypted": lambda s3, _cloud, bucket, own, _other: put(
        s3, bucket, document(own), encryption=None
    ),
    "put with S3's own key": lambda s3, _cloud, bucket, own, _other: put(
        s3, bucket, document(own), encryption="AES256"
    ),
    "put with the bucket's key unnamed": lambda s3, _cloud, bucket, own, _other: put(
        s3, bucket, document(own)
    ),
    "put with another key": put_with_own_key,
    "delete its own document": lambda s3, _cloud, bucket, own, _other: s3.delete_object(
        Bucket=bucket, Key=document(own)
    ),
    "delete another's document": lambda s3, _cloud, bucket, _own, other: s3.delete_object(
        Bucket=bucket, Key=document(other)
    ),
    "copy another's document": lambda s3, cloud, bucket, own, other: s3.copy_object(
        Bucket=bucket,
        Key=document(own),
        CopySource={"Bucket": bucket, "Key": document(other)},
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=cloud.key_arn,
    ),
}


@pytest.fixture
def two_spokes(
    embedded: EmbeddedCloud, deployment: Deployment, make_account: MakeAccount
) -> tuple[str, str]:
    """Two accounts that have a document each in the bucket."""
    accounts = make_account(Size.empty()).id, make_account(Size.empty()).id
    for account in accounts:
        put(client(deployment.role(account), "s3"), deployment.bucket, document(account))
    return accounts


@pytest.mark.parametrize("generous", [False, True], ids=["as deployed", "allowed all at home"])
def test_a_spoke_may_put_its_own_documents_and_nothing_else(
    generous: bool, embedded: EmbeddedCloud, deployment: Deployment, two_spokes: tuple[str, str]
) -> None:
    """Also one whose account's administrator allows its role everything: the hub holds it."""
    own, other = two_spokes
    s3 = client(deployment.role(own), "s3")
    deployment.generous |= {own} if generous else set()
    deployment.switch_on(own)
    before = objects(embedded, deployment)
    for name, attack in ATTACKS.items():
        assert refusal(attack, s3, embedded, deployment.bucket, own, other) == 403, name
    assert objects(embedded, deployment) == before
    listed = s3.list_objects_v2(Bucket=deployment.bucket, Prefix=f"data/{own}/us-east-1/")
    assert [held["Key"] for held in listed["Contents"]] == [document(own)]
    put(s3, deployment.bucket, document(own), kms_key=embedded.key_arn, body=b"[]")
    assert objects(embedded, deployment) != before


@pytest.mark.parametrize("who", ["outsider", "administrator", "no sender"])
def test_only_senders_of_the_organization_may_put(
    who: str, embedded: EmbeddedCloud, deployment: Deployment, two_spokes: tuple[str, str]
) -> None:
    own, _ = two_spokes
    deployment.generous.add(own)
    if who == "outsider":
        deployment.outsiders.add(own)
    role = deployment.role(own, "another-role" if who == "no sender" else "observability-sender")
    s3 = embedded.client("s3", own) if who == "administrator" else client(role, "s3")
    deployment.switch_on(own)

    def attempt(*_: object) -> object:
        return put(s3, deployment.bucket, document(own), kms_key=embedded.key_arn)

    assert refusal(attempt, s3, embedded, "", "", "") == 403


def test_only_the_receiver_reads_and_files_documents_in_the_hub(
    embedded: EmbeddedCloud, deployment: Deployment, two_spokes: tuple[str, str]
) -> None:
    """Not even the hub's administrator, short of changing the bucket's policy."""
    own, other = two_spokes
    s3 = embedded.client("s3", deployment.hub)
    receiver = client(deployment.role(deployment.hub, RECEIVER), "s3")
    deployment.switch_on()
    for name in ("read another's document", "put into loaded/", "put into rejected/"):
        asked = (s3, embedded, deployment.bucket, own, other)
        assert refusal(ATTACKS[name], *asked) == 403, name
    assert receiver.get_object(Bucket=deployment.bucket, Key=document(own))["ContentLength"] == 2


def test_the_buckets_policy_holds_senders_to_their_prefix_without_the_keys(
    deployment: Deployment,
) -> None:
    own, other = "444455556666", "777788889999"
    deployment.generous.add(own)
    assert deployment.may_put(own, document(own), tls=True)
    assert not deployment.may_put(own, document(other), tls=True)


def test_documents_travel_by_tls_only(deployment: Deployment) -> None:
    own = "444455556666"
    assert deployment.may_put(own, document(own), tls=True)
    assert not deployment.may_put(own, document(own), tls=False)


def refusal(attack: Attack, *asked: Any) -> int:
    """The status that AWS refuses an attack with; 200 if it succeeds."""
    try:
        attack(*asked)
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    return 200


def objects(embedded: EmbeddedCloud, deployment: Deployment) -> str:
    """What is in the bucket, past all policies."""
    s3 = embedded.moto.client("s3", deployment.hub, "us-east-1")
    held = s3.list_object_versions(Bucket=deployment.bucket)
    return json.dumps([held.get("Versions"), held.get("DeleteMarkers")], default=str)


# (c) one task for the whole organization


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

    def aggregate(self, account: Account) -> None:
        """Give an account an aggregator of AWS Config, of those accounts."""
        made = Aggregator("members", account.home_region, tuple(sorted(self.members)))
        account.aggregators = (made,)
        account.touch()


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
    services = ("securityhub", "guardduty", "health", "compute-optimizer")
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
    embedded.analytics.aggregators = ()


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
    whole.organization.delegate(whole.security, "config.amazonaws.com")
    whole.aggregate(whole.security)
    deployment.switch_on(whole.stranger.id, *whole.members)
    sent = run("sender.py", role | {"REGIONS": "all"}, *command)
    assert sent.returncode == 1, sent.stderr
    for service in ("Security Hub", "GuardDuty"):
        assert f"{service} in us-east-1: {whole.security.id} reads for 4 accounts" in sent.stderr
    assert f"Health: {whole.security.id} reads for 4 accounts" in sent.stderr
    assert f"Compute Optimizer in us-east-1: {whole.security.id} says" in sent.stderr
    assert "DescribeAffectedAccountsForOrganization" in {c.operation for c in embedded.calls}
    assert f"Config: {whole.security.id} reads for 3 accounts" in sent.stderr
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
    assert {call.operation for call in denied} == {"AssumeRole"}


def test_the_task_may_do_what_a_run_asks_and_nothing_else(
    embedded: EmbeddedCloud, deployment: Deployment, whole: Whole, environment_of: MakeEnvironment
) -> None:
    command, settings = deployment.task()
    role = deployment.role(deployment.hub, TASK) | settings
    found: set[str] = set()
    embedded.switches.policies[deployment.hub] = recorder(found)
    send_before(embedded, deployment.bucket, *whole.members, whole.stranger.id)
    whole.aggregate(embedded.analytics)
    units = {"INCLUDE_OU": whole.organization.root}
    for more in (units, {}):
        assert run("sender.py", role | more, *command).returncode == 0
    assert run("sender.py", role, "--accounts", whole.shop.id).returncode == 0
    upload_in_parts(embedded, embedded.analytics, environment_of(embedded.analytics))
    [enter] = policies(templates.ORGANIZATION, "TaskRole", "enter")
    [ship] = policies(templates.ORGANIZATION, "TaskRole", "ship")
    assert actions(enter["Statement"]) | actions(ship["Statement"]) == found


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
