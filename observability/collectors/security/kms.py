"""security.kms: keys and their rotation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from observability.aws.errors import NO_VALUE, UNLIFTABLE, VANISHED, ExpectedError
from observability.collecting.collector import NOW, Part, Probe
from observability.collecting.parallel import map_items
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.rows import Row, RowMapper, iso_time, listed

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


key_row = RowMapper(
    key_id="KeyId", arn="Arn", description="Description", key_usage="KeyUsage",
    key_state="KeyState", creation_date=iso_time("CreationDate"), enabled="Enabled",
    key_manager="KeyManager", key_spec="KeySpec", origin="Origin", multi_region="MultiRegion",
    deletion_date=iso_time("DeletionDate"),
)  # fmt: skip

ALWAYS_ROTATED = True
"""Of an AWS managed key. Some of those refuse GetKeyRotationStatus to everybody, and there is
nothing to ask: "The key rotation status for AWS managed KMS keys is always true".
https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyRotationStatus.html
"""


def get_kms_security(scan: Scan, result: CategoryResult) -> None:
    """Every key and whether it rotates (KMS: ListKeys; DescribeKey, GetKeyRotationStatus each).

    AWS has no call that describes several keys. key_rotation_enabled is null where a key cannot
    rotate, and where AWS did not tell. A key whose own policy refuses is a row all the same.
    """
    client: KMSClient = scan.client("kms")

    def describe(key: str) -> Row:
        about: Row = {"KeyId": key, **client.describe_key(KeyId=key)["KeyMetadata"]}
        return key_row(about, key_rotation_enabled=rotates(about))

    def rotates(about: Mapping[str, Any]) -> bool | None:
        if about.get("KeyManager") == "AWS":
            return ALWAYS_ROTATED
        if about.get("KeySpec") != "SYMMETRIC_DEFAULT" or about.get("Origin") != "AWS_KMS":
            return None
        key = about["KeyId"]
        status = result.try_read(lambda: client.get_key_rotation_status(KeyId=key), key)
        return status and status["KeyRotationEnabled"]

    pages = client.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1000})
    arns = {key["KeyId"]: key.get("KeyArn") for key in listed(pages, "Keys", "KeyId")}
    for key, row in map_items(scan.aws, arns, describe, result):
        result.emit(row or {"key_id": key, "arn": arns[key]}, "kms")


EXPECTED_ERRORS = (
    # The key's own policy; what a role lacks is "because no identity-based policy allows".
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    ExpectedError(
        "kms", "AccessDeniedException", UNLIFTABLE, "{call} is refused by a key's own policy",
        "no resource-based policy allows|explicit deny in a resource-based policy",
    ),
    ExpectedError("kms", "KMSInvalidStateException", NO_VALUE),
    ExpectedError("kms", "NotFoundException", VANISHED),
    ExpectedError("kms", "UnsupportedOperationException", NO_VALUE),
)  # fmt: skip

PART = Part(
    name="kms",
    collect=get_kms_security,
    backfill=NOW,
    actions=(
        "kms:ListKeys",
        "kms:DescribeKey",
        "kms:GetKeyRotationStatus",
    ),
    resources={
        "kms:DescribeKey": ("kms:*:${AWS::AccountId}:key/*",),
        "kms:GetKeyRotationStatus": ("kms:*:${AWS::AccountId}:key/*",),
    },
    probes=(Probe("kms:ListKeys", {"Limit": 1}),),
    expected_errors=EXPECTED_ERRORS,
)
