"""Canned answers: AWS APIs answered from a generated account, paged and checked as AWS does.

`ANSWERS` maps (botocore's service name, operation name) to a function of a `Call` that returns
the response as boto3 would show it, or raises `AwsError`. What has no answer here is moto's.
"""

from tests.cloud.answers import (
    account,
    configuration,
    guardduty,
    inspector,
    securityhub,
    systems,
)
from tests.cloud.answers.core import ANSWERS, Answer, AwsError, Call, page

__all__ = [
    "ANSWERS",
    "Answer",
    "AwsError",
    "Call",
    "account",
    "configuration",
    "guardduty",
    "inspector",
    "page",
    "securityhub",
    "systems",
]
