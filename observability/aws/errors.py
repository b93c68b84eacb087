"""What an error of AWS means: absent, off, or failed. A table of those that are expected."""

from __future__ import annotations

import re
from typing import NamedTuple

from observability.contract import FAIL, SKIPPED

ABSENT = "Absent"
"""Meaning of an error that is an answer: AWS has no such value."""


class Known(NamedTuple):
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

KNOWN = (
    Known("account", "ResourceNotFoundException", ABSENT),
    Known("acm", "ResourceNotFoundException", ABSENT),
    Known("ce:GetReservationUtilization", "DataUnavailableException", ABSENT),
    Known("ce:GetSavingsPlansUtilization", "DataUnavailableException", ABSENT),
    Known("ce:GetSavingsPlansUtilizationDetails", "DataUnavailableException", ABSENT),
    Known("ce", "AccessDeniedException", SKIPPED, "Cost Explorer is not enabled", UNLIKE_IAM),
    Known("ce", "DataUnavailableException", SKIPPED, "Cost Explorer has no data for this yet"),
    Known("cloudtrail", "TrailNotFoundException", ABSENT),
    Known("compute-optimizer", "OptInRequiredException", SKIPPED, NOT_OPTED_IN),
    Known("config", "NoSuchConfigRuleException", ABSENT),
    Known("config", "NoSuchConformancePackException", ABSENT),
    Known("config", "NoAvailableConfigurationRecorderException", SKIPPED, "Config records nothing"),
    Known("config", "NoSuchConfigurationRecorderException", SKIPPED, "Config records nothing"),
    Known(
        "cost-optimization-hub", "AccessDeniedException", SKIPPED,
        "Cost Optimization Hub is not enabled", UNLIKE_IAM,
    ),
    Known(
        "cost-optimization-hub", "ValidationException", SKIPPED,
        "Cost Optimization Hub is not enabled", "(?i)enroll",
    ),
    Known("health", "SubscriptionRequiredException", SKIPPED, PLAN),
    Known(
        "inspector2", "AccessDeniedException", SKIPPED, "Inspector is not enabled", UNLIKE_IAM
    ),
    Known(
        "license-manager", "AccessDeniedException", SKIPPED,
        "License Manager, which knows the licenses, was never set up", UNLIKE_IAM,
    ),
    Known("kms", "KMSInvalidStateException", ABSENT),
    Known("kms", "NotFoundException", ABSENT),
    Known("kms", "UnsupportedOperationException", ABSENT),
    Known("marketplace-entitlement", "InvalidParameterException", ABSENT),
    Known(
        "marketplace-entitlement", "AccessDeniedException", SKIPPED,
        "AWS Marketplace tells the account no entitlements", UNLIKE_IAM,
    ),
    Known(
        "organizations", "AccessDeniedException", SKIPPED,
        "the organization tells its members nothing about them", UNLIKE_IAM,
    ),
    Known("organizations", "AWSOrganizationsNotInUseException", SKIPPED, "in no organization"),
    Known("organizations", "AccountNotFoundException", SKIPPED, "in no organization"),
    Known(
        "organizations:ListTagsForResource", "InvalidInputException", SKIPPED, NOT_IN_ORGANIZATION
    ),
    Known(
        "organizations:ListTagsForResource", "TargetNotFoundException", SKIPPED, NOT_IN_ORGANIZATION
    ),
    Known("resiliencehub", "ResourceNotFoundException", ABSENT),
    Known("securityhub", "InvalidAccessException", SKIPPED, "Security Hub is not enabled"),
    Known("ssm", "InvalidInstanceId", ABSENT),
    Known("support", "SubscriptionRequiredException", SKIPPED, PLAN),
    Known("wafv2", "WAFNonexistentItemException", ABSENT),
    Known("wafv2:ListResourcesForWebACL", "WAFInvalidParameterException", ABSENT),
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
"""Where `Watch` notes in a connection error that the region lacks the service."""


class NotNow(RuntimeError):
    """A call that was not made: the run's time is used up, or its endpoint does not answer."""


def aws_errors() -> tuple[type[Exception], ...]:
    """All that an AWS call may raise; botocore is only imported once something was raised."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    return ClientError, BotoCoreError, Boto3Error, NotNow


def judge(error: Exception) -> tuple[str, str, str]:
    """(meaning, what happened, detail) of an error, the meaning by the table of known ones."""
    response = getattr(error, "response", None)
    if isinstance(error, NotNow):
        return FAIL, str(error), ""
    if NOT_OFFERED in vars(error):
        return SKIPPED, vars(error)[NOT_OFFERED], ""
    if response is None:
        return FAIL, type(error).__name__, str(error)[:300]
    facts = response.get("Error", {})
    call = facts.get("Call") or getattr(error, "operation_name", "")
    code, message = facts.get("Code", ""), facts.get("Message", "")
    what = f"{call} {'denied' if code in DENIED else 'failed'}, {code}"
    for known in KNOWN:
        if known.matches(call, code, message):
            return known.meaning, known.reason or what, message[:300]
    return FAIL, what, message[:300]


def because(error: Exception) -> str:
    """An error of AWS in one line."""
    _, what, detail = judge(error)
    return f"{what}: {detail}" if detail else what
