# ruff: noqa: E501, RUF001  words are as AWS says them
"""What AWS's errors become; words are those that AWS was recorded with, or documents."""

from __future__ import annotations

import http.client
import ssl
from typing import Any

import pytest
from botocore.exceptions import ClientError, ProxyConnectionError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import ProtocolError

import observability.collectors  # noqa: F401  they declare the errors
from observability.aws.errors import (
    ABSENT,
    DENIED,
    EXPECTED_ERRORS,
    OF_ANY_SERVICE,
    OUTCOMES,
    REFUSED,
    THROTTLED,
    aws_errors,
    classify_error,
    describe_error,
)
from observability.contract import FAIL, SKIPPED

ACCOUNT = "222233334444"
KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1f2e"
USER = f"arn:aws:sts::{ACCOUNT}:assumed-role/Reader/session"


def denial(action: str, reason: str) -> str:
    """A denial as IAM words it."""
    return f"User: {USER} is not authorized to perform: {action} on resource: {KEY} {reason}"


def error(call: str, code: str, message: str) -> ClientError:
    """An error as botocore raises it and the sender's hooks complete it."""
    response: Any = {"Error": {"Code": code, "Message": message, "Call": call}}
    return ClientError(response, call.partition(":")[2])


DENIED_CODE = "AccessDeniedException"
RECORDED = [
    # denied, in IAM's words and in the services' own
    ("ce:GetAnomalies", DENIED_CODE, denial("ce:GetAnomalies", "because no identity-based policy allows the ce:GetAnomalies action"), FAIL),
    ("ce:GetCostForecast", DENIED_CODE, "not authorized", FAIL),
    ("cost-optimization-hub:ListRecommendationSummaries", DENIED_CODE, "Access to resource denied.", FAIL),
    ("inspector2:ListFindings", DENIED_CODE, "Invoking account does not have access to get member account", FAIL),
    ("license-manager:ListReceivedLicenses", "AuthorizationException", "The user does not have permission", FAIL),
    ("organizations:ListRoots", DENIED_CODE, "", FAIL),
    ("organizations:DescribeAccount", DENIED_CODE, denial("organizations:DescribeAccount", "because no service control policy allows it"), FAIL),
    ("marketplace-entitlement:GetEntitlements", DENIED_CODE, "", FAIL),
    ("securityhub:ListMembers", "InvalidAccessException", f"Account {ACCOUNT} is not an administrator for this organization", FAIL),
    ("guardduty:ListFindings", "BadRequestException", "The request is rejected because the caller is not registered as a delegated administrator", FAIL),
    ("wafv2:GetWebACL", "WAFInvalidParameterException", "Error reason: The parameter is too long., field: NAME", FAIL),
    # off
    ("ce:GetCostAndUsage", DENIED_CODE, "User not enabled for cost explorer access", SKIPPED),
    ("ce:GetCostForecast", DENIED_CODE, "Linked account doesn't have access to cost explorer.", SKIPPED),
    ("cost-optimization-hub:ListRecommendationSummaries", DENIED_CODE, "AWS account is not enrolled for recommendations.", SKIPPED),
    ("inspector2:ListFindings", DENIED_CODE, "Invoking account is not enabled.", SKIPPED),
    ("license-manager:ListReceivedLicenses", DENIED_CODE, "Service role not found. Consult setup procedures in License Manager User Guide", SKIPPED),
    ("license-manager:ListReceivedLicenses", DENIED_CODE, "Service Linked role is not present", SKIPPED),
    ("securityhub:GetFindings", "InvalidAccessException", f"AccountId: {ACCOUNT} is not enabled for securityhub. Currentstate: false", SKIPPED),
    ("guardduty:ListFindings", "BadRequestException", "The request is rejected because the input detectorId is not owned by the current account.", SKIPPED),
    ("health:DescribeEvents", "SubscriptionRequiredException", "", SKIPPED),
    ("savingsplans:DescribeSavingsPlans", "SubscriptionRequiredException", "The AWS Access Key Id needs a subscription for the service", SKIPPED),
    ("compute-optimizer:GetEBSVolumeRecommendations", "OptInRequiredException", "Aws account is not registered for recommendation.", SKIPPED),
    # not here
    ("lambda:ListFunctions", "UnknownOperationException", "Unknown Operation", SKIPPED),
    ("elbv2:DescribeLoadBalancers", "InvalidAction", "The action DescribeLoadBalancers is not valid for this web service.", SKIPPED),
    ("config:DescribeConformancePacks", DENIED_CODE, "The DescribeConformancePacks API is not currently supported in this region.", SKIPPED),
    ("acm:ListCertificates", DENIED_CODE, "This API is not available in current Region.", SKIPPED),
    ("config:DescribeComplianceByConfigRule", DENIED_CODE, "", FAIL),
    ("rds:DescribeDBInstances", "InvalidParameterValue", "Access Denied to API Version: API20141031", SKIPPED),
    ("wafv2:ListWebACLs", "WAFInvalidParameterException", "Error reason: The scope is not valid., field: SCOPE_VALUE, parameter: CLOUDFRONT", SKIPPED),
    # IAM's denials, whatever names are in them
    ("config:DescribeConformancePacks", DENIED_CODE, denial("config:DescribeConformancePacks", "with an explicit deny in a service control policy: p-not-supported in this region"), FAIL),
    ("ec2:DescribeVolumes", "UnauthorizedOperation", "You are not authorized to perform this operation. role/disabled in this region", FAIL),
    ("lambda:ListFunctions", DENIED_CODE, "", FAIL),
    # a service's own authorization knows no such operation there
    ("lambda:ListFunctions", DENIED_CODE, "Unable to determine service/operation name to be authorized", SKIPPED),
    ("config:DescribeConformancePacks", DENIED_CODE, "", SKIPPED),
    # too old
    ("ce:GetReservationUtilization", "ValidationException", "You haven't enabled historical data beyond 14 months.", SKIPPED),
    ("ce:GetReservationUtilization", "ValidationException", "Start date (and hour) should be before end date (and hour)", FAIL),
    # not yet
    ("ce:GetCostForecast", "DataUnavailableException", "Insufficient amount of historical data", SKIPPED),
    # a value that is absent, or whose thing has gone
    ("ce:GetSavingsPlansUtilization", "DataUnavailableException", "", ABSENT),
    ("cloudtrail:GetTrailStatus", "CloudTrailARNInvalidException", f"AccountID in ARN is wrong, you can only access resources with AccountID {ACCOUNT}.", ABSENT),
    ("cloudtrail:GetTrailStatus", "InvalidTrailNameException", "Trail name or ARN can not be less than 3 characters.", ABSENT),
    ("cloudtrail:DescribeTrails", "TrailNotFoundException", "Unknown trail", FAIL),
    ("kms:DescribeKey", "NotFoundException", f"Key '{KEY}' does not exist", ABSENT),
    ("kms:GetKeyRotationStatus", "KMSInvalidStateException", f"{KEY} is pending import.", ABSENT),
    ("wafv2:GetWebACL", "WAFUnavailableEntityException", "AWS WAF couldn’t retrieve the resource that you requested. Retry your request.", ABSENT),
    ("ssm:DescribeInstancePatches", "InvalidInstanceId", "", ABSENT),
    # refused to everybody
    ("kms:DescribeKey", DENIED_CODE, denial("kms:DescribeKey", "because no resource-based policy allows the kms:DescribeKey action"), REFUSED),
    ("kms:GetKeyRotationStatus", DENIED_CODE, denial("kms:GetKeyRotationStatus", "with an explicit deny in a resource-based policy"), REFUSED),
    ("kms:GetKeyRotationStatus", DENIED_CODE, denial("kms:GetKeyRotationStatus", "with an explicit deny in a service control policy"), FAIL),
    # the account's state, in every region
    ("ec2:DescribeVolumes", "OptInRequired", "You are not subscribed to this service.", FAIL),
    ("sts:GetCallerIdentity", "RegionDisabledException", "STS is not activated in this region", FAIL),
]  # fmt: skip


@pytest.mark.parametrize(("call", "code", "words", "outcome"), RECORDED)
def test_an_error_is_what_its_words_say(call: str, code: str, words: str, outcome: str) -> None:
    found, what, detail = classify_error(error(call, code, words))
    assert found == outcome
    assert what
    if outcome == FAIL:
        assert call in what
        assert code in what
        assert words in detail


def test_what_the_region_lacks_is_said_of_the_region() -> None:
    _, what, _ = classify_error(
        error("config:SelectResourceConfig", "UnknownOperationException", "")
    )
    assert what == "the region does not have config:SelectResourceConfig"


def test_credentials_that_are_refused_come_with_what_may_be_behind_it() -> None:
    told = describe_error(
        error("ec2:DescribeInstances", "AuthFailure", "AWS was not able to validate")
    )
    assert "global STS endpoint" in told


def test_an_account_that_is_not_activated_is_named() -> None:
    told = describe_error(error("rds:DescribeDBInstances", "OptInRequired", "needs a subscription"))
    assert "not activated" in told


def test_a_proxy_that_refuses_says_what_it_said() -> None:
    inner = OSError("Tunnel connection failed: 407 Proxy Authentication Required")
    told = describe_error(ProxyConnectionError(proxy_url="http://proxy:3128", error=inner))
    assert "proxy:3128" in told
    assert "407" in told


@pytest.mark.parametrize(
    "raised",
    [
        ResponseParserError("no XML"),
        ProtocolError("Connection broken"),
        http.client.IncompleteRead(b""),
        ssl.SSLError("EOF occurred in violation of protocol"),
    ],
)
def test_whatever_a_call_may_raise_is_met(raised: Exception) -> None:
    assert isinstance(raised, aws_errors())
    assert classify_error(raised)[0] == FAIL
    assert str(type(raised).__name__) in describe_error(raised)


def test_every_row_of_the_table_can_be_reached() -> None:
    """A row that an earlier one always hides would say something that never happens."""
    rows = (*EXPECTED_ERRORS, *OF_ANY_SERVICE)
    for number, row in enumerate(rows):
        assert row.meaning in OUTCOMES
        for earlier in rows[:number]:
            hides = not earlier.words and (not earlier.code or earlier.code == row.code)
            wide = not earlier.call or (row.call + ":").startswith(earlier.call + ":")
            assert not (hides and wide), (earlier, row)


def test_a_code_is_denied_or_throttled_not_both() -> None:
    assert not DENIED & THROTTLED
