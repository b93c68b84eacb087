"""Settings of the receiver."""

from __future__ import annotations

import pytest

from observability.errors import UsageError
from observability.settings.receiver import Settings
from tests.cli.commands import CLUSTER, KMS, KMS_KEY, SECRET


@pytest.mark.parametrize(
    ("cluster", "secret"),
    [
        (CLUSTER, SECRET),
        (CLUSTER.replace("eu-west", "cn-north"), SECRET.replace("receiver", "rds!cluster-1a2b")),
        (CLUSTER.replace("aws", "aws-us-gov"), SECRET.replace("receiver", "team/a_b+c=d.e@f-g")),
        (CLUSTER.replace("aws", "aws-iso-b"), SECRET.replace("aws", "aws-cn")),
    ],
)
def test_arns_of_all_partitions_and_names_are_taken(cluster: str, secret: str) -> None:
    named = {"bucket": "b", "database": "d", "cluster_arn": cluster, "secret_arn": secret}
    settings = Settings.of(named)
    assert (settings.cluster_arn, settings.secret_arn) == (cluster, secret)


@pytest.mark.parametrize(
    "key",
    [
        KMS_KEY,
        f"mrk-{KMS_KEY.replace('-', '')}",
        "alias/a",
        f"{KMS}:key/{KMS_KEY}",
        f"{KMS}:alias/a/b",
    ],
)
def test_a_key_may_be_named_in_each_way_that_s3_knows(key: str) -> None:
    named = {"bucket": "b", "database": "d", "cluster_arn": CLUSTER, "secret_arn": SECRET}
    assert Settings.of(named | {"kms_key": key}).kms_key == key


@pytest.mark.parametrize("zero", ["\uff10", "\u0660"], ids=["fullwidth", "Arabic"])
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("cluster_arn", CLUSTER),
        ("secret_arn", SECRET),
        ("kms_key", KMS_KEY),
        ("kms_key", f"{KMS}:key/{KMS_KEY}"),
        ("region", "eu-west-1"),
        ("workers", "12"),
        ("patience", "1.5"),
        ("max_size", "100"),
        ("document_time", "100"),
    ],
)
def test_digits_of_other_scripts_are_none(setting: str, value: str, zero: str) -> None:
    named = {"bucket": "b", "database": "d", "cluster_arn": CLUSTER, "secret_arn": SECRET}
    other = value.translate({ord(str(n)): chr(ord(zero) + n) for n in range(10)})
    with pytest.raises(UsageError):
        Settings.of(named | {setting: other})
