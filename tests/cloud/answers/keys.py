"""KMS: keys, their descriptions and rotation."""

from __future__ import annotations

from typing import Any

from tests.cloud.accounts import Item
from tests.cloud.answers.core import AwsError, Call, answer, grouped, page


@answer("kms", "ListKeys")
def list_keys(call: Call) -> dict[str, Any]:
    """Identifiers of all keys, 100 a page by default, 1,000 at most."""
    found = [{"KeyId": held["KeyId"], "KeyArn": held["Arn"]} for held in call.own("keys")]
    chunk, more = page(
        call, found, token="Marker", size="Limit", maximum=1000, token_out="NextMarker"
    )
    return {"Keys": chunk, "Truncated": bool(more), **more}


@answer("kms", "DescribeKey")
def describe_key(call: Call) -> dict[str, Any]:
    """One key by identifier or ARN."""
    return {"KeyMetadata": the_key(call)}


def the_key(call: Call) -> Item:
    """The key that the request names; one of another account or region is not found."""
    wanted = call.params["KeyId"]
    path = "Arn" if wanted.startswith("arn:") else "KeyId"
    held = grouped(call, "keys", path).get(wanted)
    if held is None:
        raise AwsError("NotFoundException", f"Key '{wanted}' does not exist")
    return held[0]


@answer("kms", "GetKeyRotationStatus")
def get_key_rotation_status(call: Call) -> dict[str, Any]:
    """Whether a symmetric key rotates; other keys cannot."""
    held = the_key(call)
    found = grouped(call, "rotations", "KeyId").get(held["KeyId"])
    if found is None:
        message = f"{held['Arn']} key rotation is not supported for this key."
        raise AwsError("UnsupportedOperationException", message)
    return found[0]
