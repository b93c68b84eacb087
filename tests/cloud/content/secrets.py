"""Secrets Manager: secrets that rotate, that do not, and that are about to be deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cloud.content import content

if TYPE_CHECKING:
    from tests.cloud.accounts import Account


@content("secretsmanager", "secrets")
def secrets(account: Account, region: str) -> list[dict[str, Any]]:
    """ListSecrets' SecretListEntry."""
    return [secret(account, region, number) for number in range(account.size.secrets)]


def secret(account: Account, region: str, number: int) -> dict[str, Any]:
    """One secret; every third rotates, one that never did does not say so.

    The last is planned for deletion, and listed only when such are asked for.
    """
    name = account.words.name("secret", number)
    path = f"secret:{name}-{account.hex(6, 'secret', region, number)}"
    changed = account.ago(number % 90, seconds=1 + number * 577 % 86_400)
    last = number == account.size.secrets - 1
    return {
        "ARN": account.arn("secretsmanager", path, region),
        "Name": name,
        **({"Description": account.words.text("secret", number)} if number % 4 != 3 else {}),
        **rotation(account, region, number),
        "LastChangedDate": changed,
        "LastAccessedDate": account.ago(number % 30),
        "CreatedDate": account.ago(100 + number % 400, seconds=number),
        "Tags": [{"Key": "team", "Value": account.words.text("team", number)}],
        "SecretVersionsToStages": {account.uuid("version", region, number): ["AWSCURRENT"]},
        **({"DeletedDate": account.ago(1)} if last else {}),
    }


def rotation(account: Account, region: str, number: int) -> dict[str, Any]:
    """What is known of a secret's rotation."""
    if number % 3 == 0:
        return {
            "RotationEnabled": True,
            "RotationLambdaARN": account.arn("lambda", "function:rotate", region),
            "RotationRules": {"AutomaticallyAfterDays": 30},
            "LastRotatedDate": account.ago(20, seconds=number),
        }
    return {"RotationEnabled": False} if number % 3 == 1 else {}
