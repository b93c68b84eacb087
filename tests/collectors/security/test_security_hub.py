"""Security Hub's findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from observability.collectors.security.security_hub import finding_row
from observability.collectors.security.security_hub import is_open as is_open_finding
from tests.cloud import Account
from tests.collectors.losses import Denial, Off, gone, security
from tests.collectors.reading import place_of
from tests.collectors.registry import MadeOf
from tests.collectors.truth import Place, Truth, moment
from tests.runs import Document, Row

# Security


def findings(place: Place) -> Iterator[Row]:
    """Security Hub's findings."""
    for held in place.own("securityhub", "findings"):
        updated = moment(held["UpdatedAt"])
        if place.tells(updated, is_open=held["RecordState"] == "ACTIVE"):
            yield {
                "finding_id": held["Id"],
                "service": held["Resources"][0]["Type"],
                "title": held["Title"],
                "description": held["Description"],
                "severity": held["Severity"]["Label"],
                "status": held["Workflow"]["Status"],
                "resource_type": held["Resources"][0]["Type"],
                "resource_id": held["Resources"][0]["Id"],
                "created_at": moment(held["CreatedAt"]),
                "updated_at": updated,
                "recommendation": held["Remediation"]["Recommendation"]["Text"],
                "compliance_status": held.get("Compliance", {}).get("Status"),
                "region": place.region,
                "workflow_state": held["WorkflowState"],
                "record_state": held["RecordState"],
                "product_name": held["ProductName"],
                "company_name": held["CompanyName"],
                "product_arn": held["ProductArn"],
                "generator_id": held["GeneratorId"],
                "generator": held["ProductName"],
            }


TRUTH: Mapping[str, Truth] = {
    "security.security_hub": Truth(findings, "findings", ("finding_id",)),
}

DENIALS: Mapping[str, Denial] = {
    "securityhub:GetFindings": security(security_hub=gone),
}

SWITCHED_OFF: Mapping[str, Off] = {
    "securityhub": Off(
        "Security Hub is not enabled", passed=("security",), lost={"security.security_hub": gone}
    ),
}

MADE_OF: Mapping[str, MadeOf] = {
    "finding": (finding_row, "securityhub", "GetFindings", "Findings"),
}

# Groups and counts


def test_findings_are_grouped_and_counted_by_product(account: Account, whole: Document) -> None:
    expected = list(TRUTH["security.security_hub"].rows(place_of(account, whole)))
    groups = {group["service"]: group for group in whole["security"]["security_hub"]}
    assert groups.keys() == {row["product_name"] for row in expected}
    for product, group in groups.items():
        own = [row for row in expected if row["product_name"] == product]
        severities = Counter(row["severity"] for row in own)
        assert group["severity_counts"] == {
            name: severities[name]
            for name in ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL")
        }
        waiting = [row for row in own if row["status"] in ("NEW", "NOTIFIED")]
        assert group["total_findings"] == len(own)
        assert group["open_findings"] == len(waiting)
        assert group["resolved_findings"] == len(own) - len(waiting)


# Compliance


@pytest.mark.parametrize(
    ("record", "workflow", "is_open"),
    [
        ("ACTIVE", "NEW", True),
        ("ACTIVE", "NOTIFIED", True),
        ("ACTIVE", "RESOLVED", False),
        ("ACTIVE", "SUPPRESSED", False),
        ("ARCHIVED", "NEW", False),
    ],
)
def test_a_finding_is_open_while_somebody_has_to_act(
    record: str, workflow: str, is_open: bool
) -> None:
    finding = {"RecordState": record, "Workflow": {"Status": workflow}, "ProductName": "Scanner"}
    assert is_open_finding(finding_row(finding)) is is_open


def test_a_finding_is_of_its_first_resource_and_of_its_generator_or_product() -> None:
    held = {
        "ProductArn": "arn:aws:securityhub:eu-west-1::product/acme/scanner",
        "GeneratorId": "x/y",
        "Resources": [{"Type": "AwsIamUser"}, {"Type": "AwsS3Bucket"}],
    }
    row = finding_row(held)
    assert (row["service"], row["generator"]) == ("AwsIamUser", "scanner")
    named = finding_row(held | {"GeneratorDetails": {"Name": "Trivy"}})
    assert named["generator"] == "Trivy"
