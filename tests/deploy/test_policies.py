"""The policies in deploy/: no action too many or too few."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from observability.collectors import COLLECTORS
from tests import templates
from tests.cloud import Account, EmbeddedCloud, Size
from tests.conftest import REGIONS, MakeAccount, MakeEnvironment
from tests.deploy.deploying import LOOKING, actions, policies, run, upload_in_parts
from tests.enforcement import RECEIVER, Deployment, client, recorder

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


def test_the_spokes_policy_is_what_the_sender_calls(
    embedded: EmbeddedCloud, bucket: str, called: set[str]
) -> None:
    listed = {action for collector in COLLECTORS for action in collector.actions}
    assert called == listed | SHIPPING | LOOKING
    held = actions(Deployment(embedded, bucket).sender_policy("1" * 12))
    regions = {"account:ListRegions"}  # which REGIONS=all asks
    assert held == (called | LOGGING | regions) - LOOKING


MORE_OF_MEMBERS = {
    "account:ListRegions",
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
    checked = run("receiver.py", hub, "--check")
    assert "FAILED" not in checked.stdout, checked.stdout
    assert "AbortMultipartUpload" not in checked.stdout
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
