"""Support cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from observability.collectors.support_tickets import case_row
from tests.collectors.losses import Denial, Off, gone, listing
from tests.collectors.registry import MadeOf
from tests.collectors.truth import Place, Truth, moment
from tests.runs import Row


def support_tickets(place: Place) -> Iterator[Row]:
    """Support cases, the resolved ones too."""
    for held in place.everywhere("support", "cases"):
        yield {
            "case_id": held["caseId"],
            "display_id": held["displayId"],
            "subject": held["subject"],
            "status": held["status"],
            "severity_code": held["severityCode"],
            "service_code": held["serviceCode"],
            "category_code": held["categoryCode"],
            "time_created": moment(held["timeCreated"]),
            "submitted_by": held["submittedBy"],
            "language": held["language"],
            "date_from": place.start,
            "date_to": place.end,
        }


TRUTH: Mapping[str, Truth] = {
    "support_tickets": Truth(support_tickets, "support_tickets", ("case_id",)),
}

DENIALS: Mapping[str, Denial] = {
    "support:DescribeCases": listing("support_tickets"),
}

SWITCHED_OFF: Mapping[str, Off] = {
    "support": Off(
        "support plan",
        ("support_tickets", "trusted_advisor"),
        (),
        {"support_tickets": gone, "trusted_advisor": gone},
    ),
}

MADE_OF: Mapping[str, MadeOf] = {
    "case": (case_row, "support", "DescribeCases", "cases"),
}
