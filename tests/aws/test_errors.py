"""Errors of AWS: what each of them means."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from observability.aws.errors import ABSENT, classify_error
from observability.contract import FAIL, SKIPPED


def refusal(call: str, code: str, message: str) -> ClientError:
    """An error as botocore raises it and the sender's watch completes it."""
    response: Any = {"Error": {"Code": code, "Message": message, "Call": call}}
    return ClientError(response, call.partition(":")[2])


BY_IAM = "User: arn:aws:iam::111122223333:user/x is not authorized to perform: {}"
BY_POLICY = BY_IAM + " with an explicit deny in a service control policy"
OFF = SKIPPED


@pytest.mark.parametrize(
    ("call", "code", "message", "meaning"),
    [
        ("inspector2:ListFindings", "AccessDeniedException", BY_IAM, FAIL),
        ("inspector2:ListFindings", "AccessDeniedException", BY_POLICY, FAIL),
        ("inspector2:ListFindings", "AccessDeniedException", "Account is not enabled", OFF),
        ("ce:GetCostAndUsage", "AccessDeniedException", BY_IAM, FAIL),
        ("ce:GetCostAndUsage", "AccessDeniedException", "User not enabled for cost explorer", OFF),
        ("ce:GetCostForecast", "DataUnavailableException", "Insufficient data", OFF),
        ("ce:GetCostForecast", "ValidationException", "Insufficient data", FAIL),
        ("support:DescribeCases", "SubscriptionRequiredException", "Premium Support", OFF),
        ("securityhub:GetFindings", "InvalidAccessException", "is not subscribed", OFF),
        ("securityhub:GetFindings", "AccessDeniedException", BY_IAM, FAIL),
        ("organizations:DescribeAccount", "AWSOrganizationsNotInUseException", "", OFF),
        ("organizations:DescribeAccount", "AccessDeniedException", BY_IAM, FAIL),
        ("organizations:DescribeAccount", "AccessDeniedException",
         "You don't have permissions to access this resource.", OFF),
        ("organizations:ListTagsForResource", "TargetNotFoundException", "", OFF),
        ("organizations:ListTagsForResource", "ServiceException", "oops", FAIL),
        ("account:GetAlternateContact", "ResourceNotFoundException", "", ABSENT),
        ("kms:GetKeyRotationStatus", "UnsupportedOperationException", "", ABSENT),
        ("kms:DescribeKey", "AccessDeniedException", BY_IAM, FAIL),
        ("health:DescribeEvents", "InternalServerException", "oops", FAIL),
        ("ssm:GetInventory", "SubscriptionRequiredException", "", FAIL),
    ],
)  # fmt: skip
def test_a_refusal_is_told_from_a_service_that_is_off(
    call: str, code: str, message: str, meaning: str
) -> None:
    found, what, detail = classify_error(refusal(call, code, message.format(call)))
    assert found == meaning
    if meaning == FAIL:
        assert call in what
        assert code in what
        assert detail == message.format(call)


def test_an_endpoint_without_an_answer_is_a_failure() -> None:
    found, what, detail = classify_error(ReadTimeoutError(endpoint_url="https://kms.example.com"))
    assert (found, what) == (FAIL, "ReadTimeoutError")
    assert "kms.example.com" in detail
