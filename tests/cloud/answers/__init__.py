"""Canned answers: AWS APIs answered from a generated account, paged and checked as AWS does.

`ANSWERS` maps (botocore's service name, operation name) to a function of a `Call` that returns
the response as boto3 would show it, or raises `AwsError`. What has no answer here is moto's.
"""

from tests.cloud.answers import (
    account,
    applications,
    certificates,
    commitments,
    configuration,
    costs,
    firewall,
    guardduty,
    health,
    inspector,
    keys,
    licenses,
    optimizer,
    organizations,
    resources,
    secrets,
    securityhub,
    support,
    systems,
    trails,
)
from tests.cloud.answers.core import ANSWERS, Answer, AwsError, Call, page

__all__ = [
    "ANSWERS",
    "Answer",
    "AwsError",
    "Call",
    "account",
    "applications",
    "certificates",
    "commitments",
    "configuration",
    "costs",
    "firewall",
    "guardduty",
    "health",
    "inspector",
    "keys",
    "licenses",
    "optimizer",
    "organizations",
    "page",
    "resources",
    "secrets",
    "securityhub",
    "support",
    "systems",
    "trails",
]
