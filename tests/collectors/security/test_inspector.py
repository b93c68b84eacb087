"""Inspector's findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from observability.collectors.security.inspector import inspector_row
from tests.collectors.losses import Denial, Off, gone, security
from tests.collectors.registry import Golden, MadeOf
from tests.collectors.truth import Place, Truth
from tests.runs import Row


def inspector(place: Place) -> Iterator[Row]:
    """Inspector's findings."""
    for held in place.own("inspector2", "findings"):
        if place.tells(held["updatedAt"], is_open=True):  # closed and suppressed ones too
            yield {"finding_arn": held["findingArn"], "updated_at": held["updatedAt"]}


TRUTH: Mapping[str, Truth] = {
    "security.inspector": Truth(inspector, "inspector_findings", ("finding_arn",)),
}

FINDING = "arn:aws:inspector2:us-west-2:123456789012:finding/be27892ab8ff2fc2e4b1ad1a9EXAMPLE"

# https://docs.aws.amazon.com/inspector/v2/APIReference/API_Finding.html
GOLDEN: Mapping[str, Golden] = {
    "security.inspector": Golden(
        inspector_row,
        {
            "awsAccountId": "123456789012",
            "description": "A flaw lets remote attackers run code.",
            "exploitAvailable": "NO",
            "findingArn": FINDING,
            "firstObservedAt": datetime(2022, 1, 26, 23, 0, 18, tzinfo=UTC),
            "fixAvailable": "YES",
            "inspectorScore": 7.5,
            "lastObservedAt": datetime(2022, 7, 29, 20, 0, 18, tzinfo=UTC),
            "packageVulnerabilityDetails": {
                "source": "DEBIAN_CVE",
                "vulnerabilityId": "CVE-2021-4206",
            },
            "remediation": {"recommendation": {"text": "None Provided"}},
            "resources": [
                {"id": "i-0f533d4d7example", "partition": "aws", "type": "AWS_EC2_INSTANCE"},
                {"id": "i-0f533d4d8example", "partition": "aws", "type": "AWS_EC2_INSTANCE"},
            ],
            "severity": "HIGH",
            "status": "ACTIVE",
            "title": "CVE-2021-4206 - qemu",
            "type": "PACKAGE_VULNERABILITY",
            "updatedAt": datetime(2022, 7, 30, 1, 2, 3, tzinfo=UTC),
        },
        {
            "finding_arn": FINDING,
            "severity": "HIGH",
            "status": "ACTIVE",
            "type": "PACKAGE_VULNERABILITY",
            "title": "CVE-2021-4206 - qemu",
            "description": "A flaw lets remote attackers run code.",
            "first_observed_at": "2022-01-26T23:00:18+00:00",
            "last_observed_at": "2022-07-29T20:00:18+00:00",
            "updated_at": "2022-07-30T01:02:03+00:00",
            "resource_type": "AWS_EC2_INSTANCE",
            "resource_id": "i-0f533d4d7example",
            "vulnerability_id": "CVE-2021-4206",
            "inspector_score": 7.5,
            "fix_available": "YES",
            "exploit_available": "NO",
        },
    ),
}

DENIALS: Mapping[str, Denial] = {
    "inspector2:ListFindings": security(inspector=gone),
}

SWITCHED_OFF: Mapping[str, Off] = {
    "inspector2": Off(
        "Inspector is not enabled", passed=("security",), lost={"security.inspector": gone}
    ),
}

MADE_OF: Mapping[str, MadeOf] = {
    "inspector": (inspector_row, "inspector2", "ListFindings", "findings"),
}
