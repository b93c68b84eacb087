"""What an error of AWS means: absent, off, or failed. A table of those that are expected."""

from __future__ import annotations

import re
from typing import NamedTuple

from observability.contract import FAIL, SKIPPED

ABSENT = "Absent"
"""Meaning of an error that is an answer: AWS has no such value."""


class ExpectedError(NamedTuple):
    """An error that AWS is expected to answer: of which calls, with which code and words."""

    call: str
    code: str
    meaning: str
    reason: str = ""
    words: str = ""

    def matches(self, call: str, code: str, message: str) -> bool:
        """Whether an error is this one; `call` is a service, or service:Operation."""
        ours = call == self.call or call.startswith(f"{self.call}:")
        return ours and code == self.code and bool(re.search(self.words, message, re.S))


UNLIKE_IAM = r"^(?!.*(not authorized to perform|explicit deny))"
"""A refusal that is not IAM's: the service's own way to say that it is off."""

PLAN = "the account's support plan does not include it"
NOT_OPTED_IN = "not opted in to it"
NOT_IN_ORGANIZATION = "they are not in the organization"

EXPECTED_ERRORS = (
    ExpectedError("account", "ResourceNotFoundException", ABSENT),
    ExpectedError("acm", "ResourceNotFoundException", ABSENT),
    ExpectedError("ce:GetReservationUtilization", "DataUnavailableException", ABSENT),
    ExpectedError("ce:GetSavingsPlansUtilization", "DataUnavailableException", ABSENT),
    ExpectedError("ce:GetSavingsPlansUtilizationDetails", "DataUnavailableException", ABSENT),
    ExpectedError(
        "ce", "AccessDeniedException", SKIPPED, "Cost Explorer is not enabled", UNLIKE_IAM
    ),
    ExpectedError(
        "ce", "DataUnavailableException", SKIPPED, "Cost Explorer has no data for this yet"
    ),
    ExpectedError("cloudtrail", "TrailNotFoundException", ABSENT),
    ExpectedError("compute-optimizer", "OptInRequiredException", SKIPPED, NOT_OPTED_IN),
    ExpectedError("config", "NoSuchConfigRuleException", ABSENT),
    ExpectedError("config", "NoSuchConformancePackException", ABSENT),
    ExpectedError(
        "config", "NoAvailableConfigurationRecorderException", SKIPPED, "Config records nothing"
    ),
    ExpectedError(
        "config", "NoSuchConfigurationRecorderException", SKIPPED, "Config records nothing"
    ),
    ExpectedError(
        "cost-optimization-hub", "AccessDeniedException", SKIPPED,
        "Cost Optimization Hub is not enabled", UNLIKE_IAM,
    ),
    ExpectedError(
        "cost-optimization-hub", "ValidationException", SKIPPED,
        "Cost Optimization Hub is not enabled", "(?i)enroll",
    ),
    ExpectedError("health", "SubscriptionRequiredException", SKIPPED, PLAN),
    ExpectedError(
        "inspector2", "AccessDeniedException", SKIPPED, "Inspector is not enabled", UNLIKE_IAM
    ),
    ExpectedError(
        "license-manager", "AccessDeniedException", SKIPPED,
        "License Manager, which knows the licenses, was never set up", UNLIKE_IAM,
    ),
    ExpectedError("kms", "KMSInvalidStateException", ABSENT),
    ExpectedError("kms", "NotFoundException", ABSENT),
    ExpectedError("kms", "UnsupportedOperationException", ABSENT),
    ExpectedError("marketplace-entitlement", "InvalidParameterException", ABSENT),
    ExpectedError(
        "marketplace-entitlement", "AccessDeniedException", SKIPPED,
        "AWS Marketplace tells the account no entitlements", UNLIKE_IAM,
    ),
    ExpectedError(
        "organizations", "AccessDeniedException", SKIPPED,
        "the organization tells its members nothing about them", UNLIKE_IAM,
    ),
    ExpectedError(
        "organizations", "AWSOrganizationsNotInUseException", SKIPPED, "in no organization"
    ),
    ExpectedError("organizations", "AccountNotFoundException", SKIPPED, "in no organization"),
    ExpectedError(
        "organizations:ListTagsForResource", "InvalidInputException", SKIPPED, NOT_IN_ORGANIZATION
    ),
    ExpectedError(
        "organizations:ListTagsForResource", "TargetNotFoundException", SKIPPED, NOT_IN_ORGANIZATION
    ),
    ExpectedError("resiliencehub", "ResourceNotFoundException", ABSENT),
    ExpectedError("securityhub", "InvalidAccessException", SKIPPED, "Security Hub is not enabled"),
    ExpectedError("ssm", "InvalidInstanceId", ABSENT),
    ExpectedError("support", "SubscriptionRequiredException", SKIPPED, PLAN),
    ExpectedError("wafv2", "WAFNonexistentItemException", ABSENT),
    ExpectedError("wafv2:ListResourcesForWebACL", "WAFInvalidParameterException", ABSENT),
)  # fmt: skip

DENIED = frozenset({
    "AccessDenied", "AccessDeniedError", "AccessDeniedException", "AuthorizationError",
    "UnauthorizedException", "UnauthorizedOperation",
})  # fmt: skip

THROTTLED = frozenset({
    "LimitExceededException", "RequestLimitExceeded", "RequestThrottled",
    "RequestThrottledException", "SlowDown", "Throttling", "ThrottledException",
    "ThrottlingException", "TooManyRequestsException",
})  # fmt: skip

NOT_OFFERED = "not_offered"
"""Where `ApiCallHooks` notes in a connection error that the region lacks the service."""


class ReadError(RuntimeError):
    """Something was not read, for a reason that is no answer of AWS."""


class DeadlineExceeded(ReadError):
    """A call was not made, as the time for it is used up."""


class EndpointUnavailable(ReadError):
    """A call was not made, as its endpoint has not answered several before it."""


class ListingError(ReadError):
    """A listing is not what a listing is: pages without end, or items that could not be read."""


class SharedReadUnavailable(ReadError):
    """What one identity would read for many accounts: each account reads its own instead."""


def aws_errors() -> tuple[type[Exception], ...]:
    """All that an AWS call may raise; botocore is only imported once something was raised."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    return ClientError, BotoCoreError, Boto3Error, ReadError


def classify_error(error: Exception) -> tuple[str, str, str]:
    """(meaning, what happened, detail) of an error, the meaning by the table of known ones."""
    response = getattr(error, "response", None)
    if isinstance(error, ReadError):
        return FAIL, str(error), ""
    if NOT_OFFERED in vars(error):
        return SKIPPED, vars(error)[NOT_OFFERED], ""
    if response is None:
        return FAIL, type(error).__name__, str(error)[:300]
    facts = response.get("Error", {})
    call = facts.get("Call") or getattr(error, "operation_name", "")
    code, message = facts.get("Code", ""), facts.get("Message", "")
    what = f"{call} {'denied' if code in DENIED else 'failed'}, {code}"
    for known in EXPECTED_ERRORS:
        if known.matches(call, code, message):
            return known.meaning, known.reason or what, message[:300]
    return FAIL, what, message[:300]


def describe_error(error: Exception) -> str:
    """An error of AWS in one line."""
    _, what, detail = classify_error(error)
    return f"{what}: {detail}" if detail else what
