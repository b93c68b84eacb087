"""Support cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from observability.collectors.support_tickets import case_row
from tests.collectors.losses import Denial, Off, gone, listing
from tests.collectors.registry import Golden, MadeOf
from tests.collectors.truth import Place, Truth
from tests.runs import Row


def support_tickets(place: Place) -> Iterator[Row]:
    """Support cases, the resolved ones too."""
    for held in place.everywhere("support", "cases"):
        yield {"case_id": held["caseId"], "date_from": place.start, "date_to": place.end}


TRUTH: Mapping[str, Truth] = {
    "support_tickets": Truth(support_tickets, "support_tickets", ("case_id",)),
}

# https://docs.aws.amazon.com/cli/latest/reference/support/describe-cases.html
GOLDEN: Mapping[str, Golden] = {
    "support_tickets": Golden(
        case_row,
        {
            "status": "resolved",
            "ccEmailAddresses": [],
            "timeCreated": "2020-03-23T21:31:47.774Z",
            "caseId": "case-12345678910-2013-c4c1d2bf33c5cf47",
            "severityCode": "low",
            "language": "en",
            "categoryCode": "using-aws",
            "serviceCode": "general-info",
            "submittedBy": "myemail@example.com",
            "displayId": "1234567890",
            "subject": "Question about my account",
        },
        {
            "case_id": "case-12345678910-2013-c4c1d2bf33c5cf47",
            "display_id": "1234567890",
            "subject": "Question about my account",
            "status": "resolved",
            "severity_code": "low",
            "service_code": "general-info",
            "category_code": "using-aws",
            "time_created": "2020-03-23T21:31:47.774000+00:00",
            "submitted_by": "myemail@example.com",
            "language": "en",
        },
    ),
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
