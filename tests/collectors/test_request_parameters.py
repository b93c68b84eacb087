"""Whatever a request leaves at AWS's default has been thought of: a default may hide things.

The requests are those of a run that leaves nothing out, their parameters those of botocore's model,
so that a parameter that AWS adds is met here by its name.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from observability.collectors.account import CONTACT_TYPES
from observability.collectors.ri_sp_savings import PLAN_STATES
from observability.collectors.security.certificate_manager import KEY_TYPES, NEWER_ROOTS, ORIGINS
from observability.collectors.security.waf import LOG_SCOPES, PROTECTED_TYPES
from tests.cloud import ApiRequest, EmbeddedCloud, Size
from tests.cloud.models import operation_model
from tests.conftest import MakeAccount
from tests.runs import send

NO_MATTER = re.compile(
    r"(?i)^(next|page)?(token|marker)$|nextpagetoken|nextmarker|continuationtoken"  # further pages
    r"|^(max|limit$|page).*|^(dry_?run)$"  # size of a page, and asking without doing
    r"|^(sort.*|reverseOrder)$"  # order
)
NARROWS = re.compile(r"(?i)(arns?|ids?|names?|namelist|idlist|identifier|filter(list)?s?)$")
"""Those that name what is wanted; without them AWS lists all."""

LEFT_AT_DEFAULT = {
    "acm:ListCertificates": {"CertificateStatuses": "all by default"},
    "application-signals:ListServices": {"IncludeLinkedAccounts": "those are other accounts"},
    "autoscaling:DescribeAutoScalingGroups": {
        "IncludeInstances": "true by default", "IncludeManagedResources": "true by default",
    },
    "ce:GetAnomalies": {"Feedback": "narrows", "TotalImpact": "narrows"},
    "ce:GetReservationUtilization": {"Granularity": "groups and granularity exclude each other"},
    "ce:GetSavingsPlansUtilizationDetails": {"DataType": "all by default"},
    "cloudtrail:LookupEvents": {
        "EventCategory": "management events show activity; insights are about them",
        "LookupAttributes": "narrows",
    },
    "compute-optimizer:GetEC2InstanceRecommendations": {
        "recommendationPreferences": "what the account prefers is what its people see",
    },
    "config:DescribeComplianceByConfigRule": {"ComplianceTypes": "all by default"},
    "config:DescribeConfigurationRecorders": {
        "ServicePrincipal": "recorders of AWS services record nothing that people see in Config",
    },
    "cost-optimization-hub:ListRecommendationSummaries": {"metrics": "all that is wanted is there"},
    "health:DescribeEvents": {"locale": "English by default"},
    "kms:DescribeKey": {"GrantTokens": "of nobody who only reads"},
    "kms:ListKeys": {"ResourceOwners": "keys shared with the account are other accounts'"},
    "lambda:ListFunctions": {
        "FunctionVersion": "a function is one row, whatever its published versions",
        "MasterRegion": "narrows",
    },
    "rds:DescribeReservedDBInstances": {
        "DBInstanceClass": "narrows", "Duration": "narrows", "MultiAZ": "narrows",
        "OfferingType": "narrows", "ProductDescription": "narrows",
    },
    "ec2:DescribeReservedInstances": {"OfferingClass": "both by default", "OfferingType": "all"},
    "resiliencehub:ListAppAssessments": {"complianceStatus": "narrows", "invoker": "narrows"},
    "resiliencehub:ListApps": {
        "fromLastAssessmentTime": "narrows", "toLastAssessmentTime": "narrows",
    },
    "s3:ListBuckets": {"BucketRegion": "narrows", "Prefix": "narrows"},
    "ssm:GetInventory": {"Aggregators": "counts in place of what is counted"},
    "support:DescribeCases": {
        "afterTime": "a case that is resolved without a word is not found by it",
        "beforeTime": "as afterTime",
        "language": "how AWS answers a case, not which cases there are",
    },
    "support:DescribeTrustedAdvisorCheckResult": {"language": "no text of it is used"},
}  # fmt: skip
"""By request: parameters that a run never sends, and why that hides nothing."""


def optional_parameters(name: str) -> set[str]:
    """The parameters that a request may leave out and that might change what AWS lists."""
    shape = operation_model(*name.split(":")).input_shape
    names = set(shape.members) - set(shape.required_members) if shape else set()
    return {one for one in names if not NO_MATTER.search(one) and not NARROWS.search(one)}


def test_each_parameter_left_at_its_default_has_its_reason(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    asked: dict[str, set[str]] = {}

    def note(request: ApiRequest) -> None:
        name = f"{request.service}:{request.operation}"
        asked.setdefault(name, set()).update(request.params)

    embedded.switches.intercept("*", "*", note)
    environment = embedded.environment(make_account(Size.small()).id) | {"BUCKET": ""}
    assert send(environment, tmp_path, "--reserved-capacity").code == 0
    left = {name: optional_parameters(name) - sent for name, sent in asked.items()}
    assert {name: held for name, held in left.items() if held} == {
        name: {*reasons} for name, reasons in LEFT_AT_DEFAULT.items()
    }


NEVER_IN_FORCE = {"payment-pending", "payment-failed", "queued", "queued-deleted"}
"""States of savings plans that nothing was saved by."""


@pytest.mark.parametrize(
    ("call", "path", "ours"),
    [
        ("acm:ListCertificates", "Includes.keyTypes", {*KEY_TYPES}),
        ("acm:ListCertificates", "CertificateKeyPairOrigins", {*ORIGINS}),
        ("acm:ListCertificates", "RootHierarchyTypes", {*NEWER_ROOTS}),
        ("wafv2:ListLoggingConfigurations", "LogScope", {*LOG_SCOPES}),
        ("wafv2:ListResourcesForWebACL", "ResourceType", {*PROTECTED_TYPES}),
        ("savingsplans:DescribeSavingsPlans", "states", {*PLAN_STATES} | NEVER_IN_FORCE),
        ("account:GetAlternateContact", "AlternateContactType", {*CONTACT_TYPES}),
    ],
)
def test_what_is_spelt_out_is_all_that_aws_knows(call: str, path: str, ours: set[str]) -> None:
    shape: Any = operation_model(*call.split(":")).input_shape
    for name in path.split("."):
        if name not in shape.members:
            pytest.skip(f"this botocore is older than {name}")
        shape = shape.members[name]
    assert ours == {*(shape.member if shape.type_name == "list" else shape).enum}
