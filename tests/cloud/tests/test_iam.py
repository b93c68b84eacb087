"""The policy evaluator, against what AWS documents of policy evaluation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud.iam import Ask, Verdict, is_allowed, judge

HUB, SPOKE = "111122223333", "444455556666"
SENDER = f"arn:aws:iam::{SPOKE}:role/sender"
OBJECT = f"arn:aws:s3:::bucket/data/{SPOKE}/document.json"
KEY = f"arn:aws:kms:us-east-1:{HUB}:key/1"


def ask(
    action: str = "s3:PutObject", resource: str = OBJECT, owner: str = HUB, **context: str
) -> Ask:
    keys = {name.replace("__", ":").replace("_", "-"): value for name, value in context.items()}
    return Ask(action, resource, owner, SENDER, "o-ours", keys)


def allow(**elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*", **elements}


def everybody(**elements: Any) -> dict[str, Any]:
    return allow(Principal={"AWS": "*"}, **elements)


def test_nothing_allows_nothing() -> None:
    assert not is_allowed(ask(), [])


def test_across_accounts_both_policies_have_to_allow() -> None:
    assert not is_allowed(ask(), [allow()], [])
    assert not is_allowed(ask(), [], [everybody()])
    assert is_allowed(ask(), [allow()], [everybody()])


def test_within_an_account_either_policy_may_allow() -> None:
    assert is_allowed(ask(owner=SPOKE), [allow()], [])
    assert is_allowed(ask(owner=SPOKE), [], [everybody()])


def test_a_deny_in_either_policy_is_final() -> None:
    refusal = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
    assert not is_allowed(ask(), [allow(), refusal], [everybody()])
    assert not is_allowed(ask(), [allow()], [everybody(), {**refusal, "Principal": "*"}])


def test_a_keys_policy_has_to_delegate_to_its_account() -> None:
    own = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    other = [{**own, "Principal": {"AWS": f"arn:aws:iam::{HUB}:root"}}]
    administrator = Ask("kms:Decrypt", KEY, HUB, f"arn:aws:iam::{HUB}:role/a", "o-ours")
    assert is_allowed(administrator, [own], other)
    assert not is_allowed(administrator, [], other)
    assert not is_allowed(administrator, [own], [])


@pytest.mark.parametrize(
    ("statement", "applies"),
    [
        (allow(Action="s3:Put*"), True),
        (allow(Action="S3:putobject"), True),
        (allow(Action=["s3:GetObject", "s3:PutObject"]), True),
        (allow(Action="s3:GetObject"), False),
        (allow(Resource="arn:aws:s3:::bucket/data/${aws:PrincipalAccount}/*"), True),
        (allow(Resource="arn:aws:s3:::bucket/data/111122223333/*"), False),
        (allow(Resource="arn:aws:s3:::bucket/data/${aws:PrincipalTag/team}/*"), False),
        (allow(Resource="arn:aws:s3:::bucket/data/?????5556666/*"), True),
        (allow(Resource="arn:aws:s3:::bucket/data/[0-9]*"), False),
    ],
)
def test_actions_ignore_case_and_resources_know_wildcards_and_variables(
    statement: dict[str, Any], applies: bool
) -> None:
    verdict = judge(ask(), [statement], of_resource=False)
    assert verdict is (Verdict.ALLOWED if applies else Verdict.SILENT)


@pytest.mark.parametrize(
    ("operator", "value", "given", "met"),
    [
        ("StringEquals", "aws:kms", "aws:kms", True),
        ("StringEquals", "aws:*", "aws:kms", False),
        ("StringEquals", "aws:kms", None, False),
        ("StringNotEquals", "aws:kms", "AES256", True),
        ("StringNotEquals", "aws:kms", "aws:kms", False),
        ("StringNotEquals", "aws:kms", None, True),
        ("StringLike", "aws:*", "aws:kms", True),
        ("StringLike", ["AES*", "aws:*"], "aws:kms", True),
        ("StringNotLike", ["AES*", "aws:*"], "aws:kms", False),
        ("ArnLike", "arn:aws:iam::*:role/sender", SENDER, True),
        ("ArnNotEquals", "arn:aws:iam::*:role/sender", SENDER, False),
        ("ArnNotEquals", SENDER, None, True),
        ("Bool", "false", "false", True),
        ("Bool", "false", "true", False),
        ("Bool", "false", None, False),
    ],
)
def test_a_condition_without_a_value_is_met_by_negated_operators_only(
    operator: str, value: Any, given: str | None, met: bool
) -> None:
    statement = allow(Condition={operator: {"s3:x-Key": value}})
    asked = ask(**({"s3__x_key": given} if given is not None else {}))
    assert (judge(asked, [statement], of_resource=False) is Verdict.ALLOWED) is met


def test_all_conditions_have_to_be_met() -> None:
    condition = {
        "StringEquals": {"aws:PrincipalOrgID": "o-ours", "s3:prefix": "data/"},
        "Bool": {"aws:SecureTransport": "true"},
    }
    statement = allow(Condition=condition)
    secure = {"aws__securetransport": "true"}
    assert not is_allowed(ask(owner=SPOKE, **secure), [statement])
    assert not is_allowed(ask(owner=SPOKE, s3__prefix="data/"), [statement])
    assert is_allowed(ask(owner=SPOKE, s3__prefix="data/", **secure), [statement])


@pytest.mark.parametrize(
    "unknown",
    [
        {"NotAction": "s3:*"},
        {"Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}},
        {"Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": "a"}}},
    ],
)
def test_what_is_not_understood_is_an_error(unknown: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not understood"):
        is_allowed(ask(), [allow(**unknown)])
