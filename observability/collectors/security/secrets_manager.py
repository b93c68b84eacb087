"""security.secrets_manager: names and rotation of secrets, never their values."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from observability.aws.pages import widened
from observability.collecting.collector import NOW, Part, Probe
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.rows import RowMapper, iso_time, listed, shaped

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


secret_row = RowMapper(
    name="Name", arn="ARN", description="Description", created_date=iso_time("CreatedDate"),
    last_changed_date=iso_time("LastChangedDate"), last_rotated_date=iso_time("LastRotatedDate"),
    last_accessed_date=iso_time("LastAccessedDate"), deleted_date=iso_time("DeletedDate"),
    rotation_enabled=lambda item: item.get("RotationEnabled", False),
)  # fmt: skip
"""A secret; AWS leaves RotationEnabled out where rotation was never set up."""


def get_secrets_security(scan: Scan, result: CategoryResult) -> None:
    """Every secret's name and rotation, never its value (Secrets Manager: ListSecrets).

    Secrets that are scheduled for deletion exist until then, and can be restored.
    """
    client: SecretsManagerClient = scan.client("secretsmanager")
    ask = functools.partial(
        client.get_paginator("list_secrets").paginate, PaginationConfig={"PageSize": 100}
    )
    pages = widened(ask, IncludePlannedDeletion=True)
    for row in shaped(listed(pages, "SecretList", "ARN"), secret_row):
        result.emit(row, "secrets_manager")


PART = Part(
    name="secrets_manager",
    collect=get_secrets_security,
    backfill=NOW,
    actions=("secretsmanager:ListSecrets",),
    probes=(Probe("secretsmanager:ListSecrets", {"MaxResults": 1}),),
)
