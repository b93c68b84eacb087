"""GuardDuty's findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from observability.collectors.security.guard_duty import guard_duty_row
from tests.collectors.losses import Denial, Off, gone, security
from tests.collectors.registry import Golden, MadeOf
from tests.collectors.truth import Place, Truth, moment
from tests.runs import Row


def guard_duty(place: Place) -> Iterator[Row]:
    """GuardDuty's findings."""
    for held in place.own("guardduty", "findings"):
        updated = moment(held["UpdatedAt"])
        if place.tells(updated, is_open=True):
            yield {
                "id": held["Id"],
                "detector_id": held["Service"]["DetectorId"],
                "updated_at": updated,
            }


TRUTH: Mapping[str, Truth] = {
    "security.guard_duty": Truth(
        guard_duty, "guard_duty_findings", ("id",), {"id": "finding_id", "type": "finding_type"}
    ),
}

# https://docs.aws.amazon.com/cli/latest/reference/guardduty/get-findings.html
GOLDEN: Mapping[str, Golden] = {
    "security.guard_duty": Golden(
        guard_duty_row,
        {
            "Resource": {
                "ResourceType": "AccessKey",
                "AccessKeyDetails": {"UserName": "testuser", "UserType": "IAMUser"},
            },
            "Description": "APIs were invoked by testuser under unusual circumstances.",
            "Service": {
                "Count": 5,
                "Archived": False,
                "ServiceName": "guardduty",
                "DetectorId": "d4b040365221be2b54a6264dcexample",
            },
            "Title": "Unusual user permission reconnaissance activity by testuser.",
            "Type": "Recon:IAMUser/UserPermissions",
            "Region": "us-east-1",
            "UpdatedAt": "2020-05-26T22:55:21.703Z",
            "Severity": 5,
            "Confidence": 7.5,
            "Id": "1ab92989eaf0e742df4a014d5example",
            "CreatedAt": "2020-05-26T22:21:48.385Z",
            "AccountId": "111122223333",
        },
        {
            "id": "1ab92989eaf0e742df4a014d5example",
            "type": "Recon:IAMUser/UserPermissions",
            "severity": 5,
            "title": "Unusual user permission reconnaissance activity by testuser.",
            "description": "APIs were invoked by testuser under unusual circumstances.",
            "confidence": 7.5,
            "region": "us-east-1",
            "created_at": "2020-05-26T22:21:48.385000+00:00",
            "updated_at": "2020-05-26T22:55:21.703000+00:00",
            "resource_type": "AccessKey",
            "archived": False,
        },
    ),
}

DENIALS: Mapping[str, Denial] = {
    "guardduty:ListDetectors": security(guard_duty=gone),
    "guardduty:ListFindings": security(guard_duty=gone),
    "guardduty:GetFindings": security(guard_duty=gone),
}

SWITCHED_OFF: Mapping[str, Off] = {
    "guardduty": Off(
        "GuardDuty is not enabled", passed=("security",), lost={"security.guard_duty": gone}
    ),
}

MADE_OF: Mapping[str, MadeOf] = {
    "guard duty": (guard_duty_row, "guardduty", "GetFindings", "Findings"),
}
