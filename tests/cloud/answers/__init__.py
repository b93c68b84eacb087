"""Canned answers: AWS APIs answered from a generated account, paged and checked as AWS does.

`ANSWERS` maps (botocore's service name, operation name) to a function of a `Call` that returns
the response as boto3 would show it, or raises `AwsError`. What has no answer here is moto's.
"""

from tests.cloud.answers import (
    account,
    certificates,
    configuration,
    costs,
    firewall,
    guardduty,
    inspector,
    keys,
    licenses,
    secrets,
    securityhub,
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
    "certificates",
    "configuration",
    "costs",
    "firewall",
    "guardduty",
    "inspector",
    "keys",
    "licenses",
    "page",
    "secrets",
    "securityhub",
    "systems",
    "trails",
]
