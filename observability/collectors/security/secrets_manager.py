"""security.secrets_manager: names and rotation of secrets, never their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observability.collecting.outcome import Outcome
from observability.collecting.scan import Scan
from observability.rows import Shape, at

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


secret_row = Shape(
    name="Name", arn="ARN", description="Description", created_date=at("CreatedDate"),
    last_changed_date=at("LastChangedDate"), last_rotated_date=at("LastRotatedDate"),
    last_accessed_date=at("LastAccessedDate"),
    rotation_enabled=lambda held: held.get("RotationEnabled", False),
)  # fmt: skip
"""A secret; AWS leaves RotationEnabled out where rotation was never set up."""


def get_secrets_security(scan: Scan, out: Outcome) -> None:
    """Every secret's name and rotation, never its value (Secrets Manager: ListSecrets)."""
    client: SecretsManagerClient = scan.client("secretsmanager")
    pages = client.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 100})
    for secret in (secret for page in pages for secret in page.get("SecretList", ())):
        out.emit(secret_row(secret), "secrets_manager")
