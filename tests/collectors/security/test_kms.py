"""Keys of KMS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from observability.collectors.security.kms import key_row
from tests.collectors.conftest import Play
from tests.collectors.examples import examples, instant, matches
from tests.collectors.losses import Denial, gone, just, security, without
from tests.collectors.registry import MadeOf
from tests.collectors.truth import Place, Truth
from tests.runs import Row, rows


def kms(place: Place) -> Iterator[Row]:
    """KMS keys; only some can rotate."""
    rotates = {held["KeyId"]: held["KeyRotationEnabled"] for held in place.own("kms", "rotations")}
    for held in place.own("kms", "keys"):
        yield {
            "key_id": held["KeyId"],
            "arn": held["Arn"],
            "description": held["Description"],
            "key_usage": held["KeyUsage"],
            "key_state": held["KeyState"],
            "creation_date": held["CreationDate"],
            "enabled": held["Enabled"],
            "key_rotation_enabled": rotates.get(held["KeyId"]),
            "key_manager": held["KeyManager"],
            "key_spec": held["KeySpec"],
            "origin": held["Origin"],
            "multi_region": held["MultiRegion"],
            "deletion_date": held.get("DeletionDate"),
        }


def unknown_rotation(row: Row) -> Row | None:
    """Whether a key rotates is not known, unless it is AWS's: those are not asked."""
    return row if row["key_manager"] == "AWS" else without("key_rotation_enabled")(row)


TRUTH: Mapping[str, Truth] = {
    "security.kms": Truth(kms, "kms_keys", ("key_id",)),
}

DENIALS: Mapping[str, Denial] = {
    "kms:ListKeys": security(kms=gone),
    "kms:DescribeKey": security(kms=just("key_id", "arn")),
    "kms:GetKeyRotationStatus": security(kms=unknown_rotation),
}

MADE_OF: Mapping[str, MadeOf] = {
    "key": (key_row, "kms", "DescribeKey", "KeyMetadata"),
}

EXAMPLES = {
    "key": "kms:DescribeKey",
    "rotation": "kms:GetKeyRotationStatus",
    "keys": "kms:ListKeys",
}

KEYS: list[Row] = [
    {"key_spec": "SYMMETRIC_DEFAULT", "key_state": "Enabled", "key_rotation_enabled": True,
     "creation_date": instant("2017-07-05T21:04:55Z"), "multi_region": False},
    {"key_spec": "RSA_2048", "key_state": "Disabled", "enabled": False,
     "key_usage": "SIGN_VERIFY", "key_rotation_enabled": None},
    {"key_id": "mrk-1234abcd12ab34cd56ef1234567890ab", "multi_region": True, "key_spec": None},
    {"key_spec": None, "key_usage": "GENERATE_VERIFY_MAC", "key_rotation_enabled": None,
     "description": "Development test key"},
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(examples(EXAMPLES["key"]))))
def test_examples_of_keys(number: int, play: Play) -> None:
    document = play("security", keys=0, key=number, rotation=0)
    found = rows(document, "security.kms")
    assert len(found) == len(examples(EXAMPLES["keys"])[0]["Keys"])
    assert all(matches(row, KEYS[number]) for row in found)
