"""Apps of Resilience Hub, their goals and what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from observability.collectors.resilience_hub import a_month, app_row, policy_goals
from tests.cloud.accounts import Item
from tests.collectors.losses import Denial, listing, without
from tests.collectors.registry import MadeOf
from tests.collectors.truth import Place, Truth, number
from tests.runs import Row

# Operations


def resilience_hub(place: Place) -> Iterator[Row]:
    """Applications, with the strictest goals of their policy and what their last state costs."""
    policies = {
        held["policyArn"]: held["policy"].values()
        for held in place.own("resiliencehub", "policies")
    }
    newest: dict[str, Item] = {}
    for held in place.own("resiliencehub", "assessments"):
        newest[held["appArn"]] = max(
            newest.get(held["appArn"], held), held, key=lambda made: made["endTime"]
        )
    for held in place.own("resiliencehub", "apps"):
        goals = policies.get(held.get("policyArn", ""), ())
        cost = newest.get(held["appArn"], {}).get("cost", {}).get("amount")
        yield {
            "app_arn": held["appArn"],
            "name": held["name"],
            "compliance_status": held["complianceStatus"],
            "resiliency_score": number(held["resiliencyScore"]),
            "status": held["status"],
            "cost": None if cost is None else number(cost),
            "description": held["description"],
            "creation_time": held["creationTime"],
            "last_assessment_time": held.get("lastAppComplianceEvaluationTime"),
            "rto": min((goal["rtoInSecs"] for goal in goals), default=None),
            "rpo": min((goal["rpoInSecs"] for goal in goals), default=None),
        }


TRUTH: Mapping[str, Truth] = {
    "resilience_hub": Truth(resilience_hub, "resilience_hub_apps", ("app_arn",)),
}

DENIALS: Mapping[str, Denial] = {
    "resiliencehub:ListApps": listing("resilience_hub"),
    "resiliencehub:DescribeApp": Denial(
        ("resilience_hub",), {"resilience_hub": without("cost", "rto", "rpo")}
    ),
    "resiliencehub:DescribeResiliencyPolicy": Denial(
        ("resilience_hub",), {"resilience_hub": without("rto", "rpo")}
    ),
    "resiliencehub:ListAppAssessments": Denial(
        ("resilience_hub",), {"resilience_hub": without("cost")}
    ),
}

MADE_OF: Mapping[str, MadeOf] = {
    "app": (app_row, "resiliencehub", "DescribeApp", "app"),
}

# Recommendations and goals


@pytest.mark.parametrize(
    ("amount", "frequency", "month"),
    [(2.0, "Hourly", 1460.0), (12.0, "Daily", 365.0), (10.1, "Monthly", 10.1), (36.0, "Yearly", 3)],
)
def test_what_an_app_costs_is_told_by_the_month(
    amount: float, frequency: str, month: float
) -> None:
    told = a_month({"amount": amount, "currency": "USD", "frequency": frequency})
    assert told == pytest.approx(month)


@pytest.mark.parametrize(
    ("goals", "expected"),
    [
        (
            {
                "Software": {"rtoInSecs": 300, "rpoInSecs": 60},
                "Region": {"rtoInSecs": 7200, "rpoInSecs": 0},
            },
            {"rto": 300, "rpo": 0},
        ),
        ({"AZ": {"rtoInSecs": 0, "rpoInSecs": 5}}, {"rto": 0, "rpo": 5}),
        ({}, {"rto": None, "rpo": None}),
        (None, {"rto": None, "rpo": None}),
    ],
)
def test_the_strictest_goal_of_a_policy_counts(
    goals: dict[str, Any] | None, expected: dict[str, int | None]
) -> None:
    assert policy_goals({"policy": {"policy": goals}}) == expected
