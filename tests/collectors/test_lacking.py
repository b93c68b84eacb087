"""What a region, a partition or an owner does not tell is said, and is no failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cloud import Account, EmbeddedCloud
from tests.cloud.switches import InstantAnswer
from tests.collectors.reading import Send, without_bucket
from tests.runs import rows, send

LACKED = "The requested operation is not supported in the called region."
LACKING = {
    "packs": ("config", "DescribeConformancePacks", "UnknownOperationException", LACKED, "config"),
    "packs, without words": (
        "config", "DescribeConformancePacks", "AccessDeniedException", "", "config",
    ),
    "functions": ("lambda", "ListFunctions", "UnknownOperationException", "", "service_resources"),
    "volumes' advice": (
        "compute-optimizer", "GetEBSVolumeRecommendations", "UnknownOperationException", LACKED,
        "compute_optimizer",
    ),
    "groups": (
        "autoscaling", "DescribeAutoScalingGroups", "InvalidAction",
        "The action DescribeAutoScalingGroups is not valid for this web service.",
        "service_resources",
    ),
    "secrets": (
        "secretsmanager", "ListSecrets", "AccessDeniedException",
        "Unable to determine service/operation name to be authorized", "security",
    ),
    "status of a trail": (
        "cloudtrail", "GetTrailStatus", "InvalidTrailNameException", "Trail name is not valid",
        "security",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LACKING)
def test_what_a_region_does_not_tell_is_said_and_the_rest_is_read(
    name: str, embedded: EmbeddedCloud, only: Send
) -> None:
    service, operation, code, words, category = LACKING[name]
    embedded.switches.fail(service, operation, code, words)
    sent = only(category)
    assert (sent.code, sent.statuses[category]) == (0, "Pass"), sent.said("FAIL", "ERROR")
    told = "trail" if service == "cloudtrail" else f"{service}:{operation}"
    assert any(told in text for text in sent.said("INFO"))


TRAIL = "arn:aws:cloudtrail:us-east-1:555566667777:trail/everything"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("TrailNotFoundException", f"Unknown trail: {TRAIL} for the user: 288888888801"),
        ("CloudTrailARNInvalidException",
         "AccountID in ARN is wrong, you can only access resources with AccountID 288888888801."),
        ("OperationNotPermittedException", "You are not permitted to do this."),
        ("InvalidTrailNameException", "Trail name or ARN is not valid."),
    ],
)  # fmt: skip
def test_a_trail_of_the_organization_is_a_row_whose_status_its_owner_knows(
    code: str, words: str, embedded: EmbeddedCloud, only: Send
) -> None:
    trail = {
        "Name": "everything", "S3BucketName": "logs-of-all", "IsMultiRegionTrail": True,
        "HomeRegion": "us-east-1", "TrailARN": TRAIL, "IsOrganizationTrail": True,
    }  # fmt: skip

    def trails(_request: object) -> None:
        raise InstantAnswer({"trailList": [trail]})

    embedded.switches.intercept("cloudtrail", "DescribeTrails", trails)
    embedded.switches.fail("cloudtrail", "GetTrailStatus", code, words)
    sent = only("security")
    [row] = rows(sent.document, "security.cloudtrail")
    assert (row["arn"], row["is_logging"], row["is_organization_trail"]) == (TRAIL, None, True)
    assert (sent.code, sent.statuses["security"]) == (0, "Pass")
    assert any("owner's to know" in text for text in sent.said("INFO"))
    assert "security.cloudtrail" in sent.document["meta"]["complete"]


def test_application_signals_without_an_endpoint_is_not_there(
    embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    """botocore lists it nowhere: that others answer in the region is what tells, and STS does."""
    environment = without_bucket(embedded, account)
    nowhere = {"AWS_ENDPOINT_URL_APPLICATION_SIGNALS": "http://127.0.0.1:1"}
    sent = send(environment | nowhere, tmp_path, "--only", "application")
    assert (sent.code, sent.statuses["application"]) == (0, "Skipped"), sent.said("FAIL")
    assert any("does not have application-signals" in text for text in sent.said("INFO"))
