"""KMS keys: AWS's own and the customer's, of every usage and state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cloud.content import content
from tests.cloud.content.words import pick

if TYPE_CHECKING:
    from tests.cloud.accounts import Account

SYMMETRIC = {"KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT"}
SPECS = (
    SYMMETRIC,
    SYMMETRIC,
    {"KeySpec": "RSA_4096", "KeyUsage": "SIGN_VERIFY"},
    {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
)
STATES = ("Enabled", "Disabled", "Enabled", "Enabled", "Enabled", "PendingDeletion")


@content("kms", "keys")
def keys(account: Account, region: str) -> list[dict[str, Any]]:
    """DescribeKey's KeyMetadata."""
    return [key(account, region, number) for number in range(account.size.keys)]


def key(account: Account, region: str, number: int) -> dict[str, Any]:
    """One key; every fifth belongs to AWS, one of each six customer's keys is about to go."""
    aws_managed = number % 5 == 4
    spec = SYMMETRIC if aws_managed else pick(SPECS, number)
    state = "Enabled" if aws_managed else pick(STATES, number)
    key_id = account.uuid("key", region, number)
    leaving = {"DeletionDate": account.ago(-20)} if state == "PendingDeletion" else {}
    managed = f"Default key that protects my data when no other key is defined ({number})"
    return {
        "AWSAccountId": account.id,
        "KeyId": key_id,
        "Arn": account.arn("kms", f"key/{key_id}", region),
        "CreationDate": account.ago(number % 700, seconds=1 + number * 811 % 86_400),
        "Enabled": state == "Enabled",
        "Description": managed if aws_managed else account.words.text("key", number),
        "KeyState": state,
        "Origin": "AWS_KMS",
        "KeyManager": "AWS" if aws_managed else "CUSTOMER",
        "CustomerMasterKeySpec": spec["KeySpec"],
        **spec,
        "MultiRegion": False,
        **leaving,
    }


@content("kms", "rotations")
def rotations(account: Account, region: str) -> list[dict[str, Any]]:
    """GetKeyRotationStatus' answers; only symmetric keys have one."""
    return [
        rotation(account, number, held)
        for number, held in enumerate(account.items("kms", "keys", region))
        if held["KeySpec"] == "SYMMETRIC_DEFAULT"
    ]


def rotation(account: Account, number: int, held: dict[str, Any]) -> dict[str, Any]:
    """Whether one key rotates: AWS's always do, a key that is about to go never does."""
    leaving = held["KeyState"] == "PendingDeletion"
    rotates = not leaving and (held["KeyManager"] == "AWS" or number % 2 == 0)
    plan = {"RotationPeriodInDays": 365, "NextRotationDate": account.ago(-100 - number % 200)}
    return {"KeyId": held["KeyId"], "KeyRotationEnabled": rotates, **(plan if rotates else {})}
