"""The policies in deploy/ enforced: nobody gets at what is another's."""

from __future__ import annotations

import json

import pytest

from tests.cloud import EmbeddedCloud, Size
from tests.conftest import MakeAccount
from tests.deploy.deploying import S3, Attack, refusal
from tests.enforcement import RECEIVER, Deployment, client


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


def test_only_the_receiver_reads_and_files_documents_in_the_hub(
    embedded: EmbeddedCloud, deployment: Deployment, two_spokes: tuple[str, str]
) -> None:
    """Not even the hub's administrator, short of changing the bucket's policy."""
    own, other = two_spokes
    s3 = embedded.client("s3", deployment.hub)
    receiver = client(deployment.role(deployment.hub, RECEIVER), "s3")
    deployment.switch_on()
    held = ("read another's document", "put into loaded/", "put into rejected/", "list accounts")
    for name in held:
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


def objects(embedded: EmbeddedCloud, deployment: Deployment) -> str:
    """What is in the bucket, past all policies."""
    s3 = embedded.moto.client("s3", deployment.hub, "us-east-1")
    held = s3.list_object_versions(Bucket=deployment.bucket)
    return json.dumps([held.get("Versions"), held.get("DeleteMarkers")], default=str)
