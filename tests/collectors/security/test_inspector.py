"""Inspector's findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from observability.collectors.security.inspector import inspector_row
from tests.collectors.losses import Denial, Off, gone, security
from tests.collectors.registry import MadeOf
from tests.collectors.truth import Place, Truth, number
from tests.runs import Row


def inspector(place: Place) -> Iterator[Row]:
    """Inspector's findings."""
    for held in place.own("inspector2", "findings"):
        if place.tells(held["updatedAt"], is_open=True):  # closed and suppressed ones too
            score = held.get("inspectorScore")
            package = held.get("packageVulnerabilityDetails", {})
            yield {
                "finding_arn": held["findingArn"],
                "severity": held["severity"],
                "status": held["status"],
                "type": held["type"],
                "title": held["title"],
                "description": held["description"],
                "first_observed_at": held["firstObservedAt"],
                "last_observed_at": held["lastObservedAt"],
                "updated_at": held["updatedAt"],
                "resource_type": held["resources"][0]["type"],
                "resource_id": held["resources"][0]["id"],
                "vulnerability_id": package.get("vulnerabilityId"),
                "inspector_score": None if score is None else number(score),
                "fix_available": held.get("fixAvailable"),
                "exploit_available": held.get("exploitAvailable"),
            }


TRUTH: Mapping[str, Truth] = {
    "security.inspector": Truth(inspector, "inspector_findings", ("finding_arn",)),
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
