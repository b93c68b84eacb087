"""The policies in deploy/ enforced: nobody gets at what is another's."""

from __future__ import annotations

import json

import pytest

from tests import templates
from tests.cloud import EmbeddedCloud, Size
from tests.cloud.iam import Ask, is_allowed
from tests.conftest import MakeAccount
from tests.deploy.deploying import S3, Attack, refusal
from tests.enforcement import (
    ADMINISTRATOR,
    BREAK_GLASS,
    ORGANIZATION,
    RECEIVER,
    SENDER,
    TASK,
    Deployment,
    client,
)


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
    "list accounts": lambda s3, cloud, bucket, own, _other: put(
        s3, bucket, f"accounts/{own}.json", kms_key=cloud.key_arn
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


PREFIXES = ("accounts", "data", "forgotten", "loaded", "rejected")
READING = ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectVersionForReplication")
CHANGING = ("s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion")


def allowed(deployment: Deployment, role: str, account: str = "") -> set[tuple[str, str]]:
    """What a role may do to documents: (action, prefix), by its own policy and the bucket's.

    A role that the templates do not make is an administrator.
    """
    account = account or deployment.hub
    pairs = ((action, prefix) for action in (*READING, *CHANGING) for prefix in PREFIXES)
    return {(a, p) for a, p in pairs if deployment.may(account, role, a, f"{p}/{account}/x.json")}


def every(*pairs: str) -> set[tuple[str, str]]:
    """`GetObject data loaded`: that action on those prefixes."""
    found = (pair.split() for pair in pairs)
    return {(f"s3:{action}", prefix) for action, *prefixes in found for prefix in prefixes}


def test_only_who_needs_them_gets_at_documents_in_the_hub(deployment: Deployment) -> None:
    """Not even the hub's administrator, short of changing the bucket's policy."""
    assert allowed(deployment, "administrator") == set()
    assert allowed(deployment, "observability-replication") == set()  # there is no replica
    assert allowed(deployment, TASK) == every("PutObject data")
    assert allowed(deployment, RECEIVER) == every(
        "GetObject accounts data loaded rejected",
        "PutObject data forgotten loaded rejected",
        "DeleteObject data loaded rejected",
    )
    everything = {(f"s3:{a}", p) for a in ("GetObject", "GetObjectVersion") for p in PREFIXES}
    changes = {(action, prefix) for action in CHANGING for prefix in PREFIXES}
    assert allowed(deployment, BREAK_GLASS) == everything | changes


def test_the_task_lists_the_accounts_of_its_own_organization_only(deployment: Deployment) -> None:
    hub = deployment.hub
    assert deployment.may(hub, TASK, "s3:PutObject", f"accounts/{hub}.json")
    assert not deployment.may(hub, TASK, "s3:PutObject", "accounts/444455556666.json")
    assert not deployment.may(hub, "administrator", "s3:PutObject", f"accounts/{hub}.json")


@pytest.mark.parametrize("putting", [True, False])
def test_members_may_not_be_before_the_task_where_it_reads_for_them(
    putting: bool, embedded: EmbeddedCloud, bucket: str
) -> None:
    """The hub's own account has a sender in either case, since the task does not read it."""
    deployment = Deployment(embedded, bucket, SendersMayPut=str(putting).lower())
    own = "444455556666"
    deployment.generous |= {own, deployment.hub}
    assert deployment.may(own, SENDER, "s3:PutObject", document(own)) is putting
    assert deployment.may(deployment.hub, SENDER, "s3:PutObject", document(deployment.hub))
    assert deployment.may(deployment.hub, TASK, "s3:PutObject", document(own))


def test_a_break_glass_role_of_ones_own_takes_the_place_of_the_templates(
    embedded: EmbeddedCloud, bucket: str
) -> None:
    own = f"arn:aws:iam::{embedded.analytics.id}:role/aws-reserved/sso/Emergency"
    deployment = Deployment(embedded, bucket, BreakGlassRoleArn=own)
    key = "loaded/444455556666/x.json"
    assert deployment.may(deployment.hub, "aws-reserved/sso/Emergency", "s3:GetObject", key)
    assert not deployment.may(deployment.hub, BREAK_GLASS, "s3:GetObject", key)


def test_a_rule_of_replication_reads_only_for_the_replica_that_is_configured(
    embedded: EmbeddedCloud, bucket: str
) -> None:
    replica = {"ReplicaBucketArn": "arn:aws:s3:::copies", "ReplicaKeyArn": "arn:aws:kms:x:1:key/1"}
    deployment = Deployment(embedded, bucket, **replica)
    copying = {("s3:GetObjectVersionForReplication", prefix) for prefix in PREFIXES}
    assert allowed(deployment, "observability-replication") == copying
    assert allowed(deployment, "another-role") == set()


def test_nobody_overwrites_or_deletes_a_package() -> None:
    names = {"Bucket.Arn": "arn:aws:s3:::packages", "OrganizationId": ORGANIZATION}
    policy = templates.statements(templates.ARTIFACTS, "BucketPolicy", names)
    who = "arn:aws:iam::111122223333:role/administrator"

    def may(action: str, **context: str) -> bool:
        asked = {"aws:securetransport": "true"} | context
        place = "arn:aws:s3:::packages/sender-0.zip"
        ask = Ask(f"s3:{action}", place, "111122223333", who, ORGANIZATION, asked)
        return is_allowed(ask, ADMINISTRATOR, policy)

    assert may("PutObject", **{"s3:if-none-match": "*"})
    assert may("GetObjectVersion")
    assert not [a for a in ("PutObject", "DeleteObject", "DeleteObjectVersion") if may(a)]


def test_a_sender_is_held_to_the_hubs_bucket_of_the_hubs_account(deployment: Deployment) -> None:
    """A bucket of the same name in another account is another bucket."""
    own = "444455556666"
    place = f"arn:aws:s3:::{deployment.bucket}/{document(own)}"
    for owner, wanted in ((deployment.hub, True), ("999988887777", False)):
        context = {"aws:resourceaccount": owner}
        sender = f"arn:aws:iam::{own}:role/{SENDER}"
        open_bucket = [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]
        ask = Ask("s3:PutObject", place, owner, sender, ORGANIZATION, context)
        assert is_allowed(ask, deployment.sender_policy(own), open_bucket) is wanted


@pytest.mark.parametrize("holder", ["", "999988887777"])
def test_who_holds_copies_of_the_database_reads_its_snapshots_and_nobody_else_does(
    holder: str,
) -> None:
    """The hub's account can copy into that account's vault, and neither read nor empty it."""
    own = {"AWS::AccountId": "111122223333", "AWS::Partition": "aws", "AWS::Region": "us-east-1"}
    own |= {"AWS::URLSuffix": "amazonaws.com", "BackupAccountId": holder}
    own |= {"HubAccountId": "111122223333"}
    names = templates.defaults(templates.HUB) | own
    key_policy = templates.statements(templates.HUB, "DatabaseKey", names)
    for account in ("999988887777", "444455556666"):
        role = f"arn:aws:iam::{account}:role/administrator"
        for action in ("kms:Decrypt", "kms:CreateGrant", "kms:PutKeyPolicy"):
            context = {"kms:grantisforawsresource": "true"}
            ask = Ask(action, "key", own["AWS::AccountId"], role, ORGANIZATION, context)
            wanted = account == holder and action != "kms:PutKeyPolicy"
            assert is_allowed(ask, ADMINISTRATOR, key_policy) is wanted, (account, action)
    vault = templates.load(templates.VAULT)["Resources"]["Vault"]["Properties"]
    policy = templates.resolve(vault["AccessPolicy"]["Statement"], own)
    for action in ("CopyIntoBackupVault", "DeleteRecoveryPoint", "StartRestoreJob"):
        role = f"arn:aws:iam::{own['AWS::AccountId']}:role/administrator"
        ask = Ask(f"backup:{action}", "vault", "999988887777", role, ORGANIZATION, {})
        assert is_allowed(ask, ADMINISTRATOR, policy) is (action == "CopyIntoBackupVault")


def test_the_hubs_replication_and_nobody_else_of_it_puts_copies_of_documents() -> None:
    own = {"AWS::Partition": "aws", "HubAccountId": "111122223333", "SystemName": "observability"}
    own |= {"Bucket.Arn": "arn:aws:s3:::copies", "AWS::AccountId": "999988887777"}
    bucket = templates.statements(templates.VAULT, "BucketPolicy", own)
    key = templates.statements(templates.VAULT, "Key", own)
    place = "arn:aws:s3:::copies/loaded/444455556666/x.json"
    tls = {"aws:securetransport": "true"}
    for name in ("observability-replication", "administrator", "staging-replication"):
        role = f"arn:aws:iam::111122223333:role/{name}"
        for action in ("ReplicateObject", "PutObject", "GetObject", "DeleteObjectVersion"):
            ask = Ask(f"s3:{action}", place, "999988887777", role, ORGANIZATION, tls)
            wanted = (name, action) == ("observability-replication", "ReplicateObject")
            assert is_allowed(ask, ADMINISTRATOR, bucket) is wanted, (name, action)
        for action in ("Encrypt", "Decrypt", "ScheduleKeyDeletion"):
            ask = Ask(f"kms:{action}", "key", "999988887777", role, ORGANIZATION, {})
            wanted = (name, action) == ("observability-replication", "Encrypt")
            assert is_allowed(ask, ADMINISTRATOR, key) is wanted, (name, action)


def test_a_reader_logs_in_as_the_reader_and_reaches_nothing_else(deployment: Deployment) -> None:
    secret = f"arn:aws:secretsmanager:us-east-1:{deployment.hub}:secret"
    cluster = deployment.embedded.cluster_arn
    own = {"AWS::Region": "us-east-1", "AWS::URLSuffix": "amazonaws.com", "DatabaseKey.Arn": "key"}
    own |= {"Cluster.DBClusterArn": cluster, "ReaderSecret": f"{secret}:reader"}
    names = templates.defaults(templates.HUB) | own
    policy = templates.statements(templates.HUB, "ReaderPolicy", names)
    role = f"arn:aws:iam::{deployment.hub}:role/analyst"

    def may(action: str, resource: str, **context: str) -> bool:
        return is_allowed(
            Ask(action, resource, deployment.hub, role, ORGANIZATION, context), policy, None
        )

    assert may("rds-data:ExecuteStatement", cluster)
    assert may("secretsmanager:GetSecretValue", f"{secret}:reader")
    assert not may("rds-data:ExecuteStatement", cluster + "-other")
    for action in ("BatchExecuteStatement", "ExecuteSql"):
        assert not may(f"rds-data:{action}", cluster)
    for name in ("receiver", "master"):
        assert not may("secretsmanager:GetSecretValue", f"{secret}:{name}")
    assert not may("s3:GetObject", f"arn:aws:s3:::{deployment.bucket}/loaded/1/x.json")
    via = "secretsmanager.us-east-1.amazonaws.com"
    for name in ("reader", "receiver"):
        context = {"kms:viaservice": via, "kms:encryptioncontext:secretarn": f"{secret}:{name}"}
        asked = Ask("kms:Decrypt", "key", deployment.hub, role, ORGANIZATION, context)
        assert is_allowed(asked, policy, None) is (name == "reader")


def test_the_receivers_role_is_ecs_own_only_where_that_is_asked_for(deployment: Deployment) -> None:
    role = templates.load(templates.HUB)["Resources"]["ReceiverRole"]["Properties"]
    trust = role["AssumeRolePolicyDocument"]["Statement"]
    for wanted, services in (("false", {"lambda"}), ("true", {"lambda", "ecs-tasks"})):
        given = {"ReceiverInEcs": wanted, "AWS::AccountId": deployment.hub}
        names = templates.conditions(templates.HUB, templates.defaults(templates.HUB) | given)
        held = templates.resolve(trust, names)
        told = {statement["Principal"]["Service"] for statement in held}
        assert told == {f"{service}.amazonaws.com" for service in services}


def test_the_buckets_policy_holds_senders_to_their_prefix_without_the_keys(
    deployment: Deployment,
) -> None:
    own, other = "444455556666", "777788889999"
    deployment.generous.add(own)
    assert deployment.may(own, SENDER, "s3:PutObject", document(own))
    assert not deployment.may(own, SENDER, "s3:PutObject", document(other))


def test_documents_travel_by_tls_only(deployment: Deployment) -> None:
    own = "444455556666"
    assert deployment.may(own, SENDER, "s3:PutObject", document(own))
    assert not deployment.may(own, SENDER, "s3:PutObject", document(own), tls=False)


def objects(embedded: EmbeddedCloud, deployment: Deployment) -> str:
    """What is in the bucket, past all policies."""
    s3 = embedded.moto.client("s3", deployment.hub, "us-east-1")
    held = s3.list_object_versions(Bucket=deployment.bucket)
    return json.dumps([held.get("Versions"), held.get("DeleteMarkers")], default=str)
