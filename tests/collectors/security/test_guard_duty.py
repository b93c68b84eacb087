"""GuardDuty's findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from observability.collectors.security.guard_duty import guard_duty_row
from tests.collectors.losses import Denial, Off, gone, security
from tests.collectors.registry import MadeOf
from tests.collectors.truth import Place, Truth, moment, number
from tests.runs import Row


def guard_duty(place: Place) -> Iterator[Row]:
    """GuardDuty's findings."""
    for held in place.own("guardduty", "findings"):
        updated = moment(held["UpdatedAt"])
        if place.tells(updated, is_open=True):
            yield {
                "id": held["Id"],
                "detector_id": held["Service"]["DetectorId"],
                "type": held["Type"],
                "severity": number(held["Severity"]),
                "title": held["Title"],
                "description": held["Description"],
                "confidence": number(held["Confidence"]) if "Confidence" in held else None,
                "region": place.region,
                "created_at": moment(held["CreatedAt"]),
                "updated_at": updated,
                "resource_type": "Instance",
                "archived": held["Service"]["Archived"],
            }


TRUTH: Mapping[str, Truth] = {
    "security.guard_duty": Truth(
        guard_duty, "guard_duty_findings", ("id",), {"id": "finding_id", "type": "finding_type"}
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
