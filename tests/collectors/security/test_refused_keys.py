"""Keys that refuse, for reasons that a permission can lift or cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cloud import EmbeddedCloud, Size
from tests.conftest import MakeAccount
from tests.runs import rows, send

HOME = "us-east-1"
WHY = "because no resource-based policy allows the {} action"


def refuse(embedded: EmbeddedCloud, action: str, key: str, why: str) -> None:
    """Let one key refuse an action, in IAM's words."""
    who = "User: arn:aws:sts::111122223333:assumed-role/Reader/x is not authorized to perform:"
    embedded.switches.fail(
        "kms", action.partition(":")[2], "AccessDeniedException",
        f"{who} {action} on resource: {key} {why.format(action)}",
        predicate=lambda request: request.params["KeyId"] == key,
    )  # fmt: skip


@pytest.mark.parametrize("action", ["kms:DescribeKey", "kms:GetKeyRotationStatus"])
def test_a_key_whose_own_policy_refuses_is_a_row_and_no_failure(
    action: str, embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())
    keys = account.items("kms", "keys", HOME)
    shut = next(
        k for k in keys if k["KeyManager"] == "CUSTOMER" and k["KeySpec"] == "SYMMETRIC_DEFAULT"
    )
    refuse(embedded, action, shut["KeyId"], WHY)
    sent = send(embedded.environment(account.id) | {"BUCKET": ""}, tmp_path, "--only", "security")
    found = {row["key_id"]: row for row in rows(sent.document, "security.kms")}
    assert found.keys() == {key["KeyId"] for key in keys}
    assert found[shut["KeyId"]].get("key_rotation_enabled") is None
    assert (sent.code, sent.statuses["security"]) == (0, "Pass")
    [told] = [text for text in sent.said("INFO") if "refused by a key's own policy" in text]
    assert action in told
    assert shut["KeyId"] in told


def test_a_key_that_a_permission_would_open_is_a_failure(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())
    key = account.items("kms", "keys", HOME)[0]["KeyId"]
    refuse(
        embedded, "kms:DescribeKey", key, "because no identity-based policy allows the {} action"
    )
    sent = send(embedded.environment(account.id) | {"BUCKET": ""}, tmp_path, "--only", "security")
    [row] = [row for row in rows(sent.document, "security.kms") if row["key_id"] == key]
    assert row == {"key_id": key, "arn": account.items("kms", "keys", HOME)[0]["Arn"]}
    assert (sent.code, sent.statuses["security"]) == (1, "Fail")


def test_aws_managed_keys_are_not_asked_and_rotate(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())
    managed = {k["KeyId"] for k in account.items("kms", "keys", HOME) if k["KeyManager"] == "AWS"}
    asked: set[str] = set()
    embedded.switches.intercept(
        "kms", "GetKeyRotationStatus", lambda request: asked.add(request.params["KeyId"])
    )
    sent = send(embedded.environment(account.id) | {"BUCKET": ""}, tmp_path, "--only", "security")
    found = {
        row["key_id"]: row["key_rotation_enabled"] for row in rows(sent.document, "security.kms")
    }
    assert managed
    assert asked
    assert not managed & asked
    assert {found[key] for key in managed} == {True}
