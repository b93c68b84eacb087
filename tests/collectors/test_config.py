"""AWS Config: compliance by rule and by resource."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from observability.collecting.window import Window
from observability.collectors.config import compliance_report, non_compliant_row
from observability.settings.sender import Settings
from tests.cloud import Account
from tests.collectors.losses import Denial, Off, gone, without
from tests.collectors.reading import place_of
from tests.collectors.registry import MadeOf
from tests.collectors.truth import Place, Truth, same_rows
from tests.runs import Document, Row, lists

REGION = "eu-west-1"
SETTINGS = Settings(region=REGION, regions=(REGION,))


# Not enabled, or not covered by the support plan


def no_rules(report: Row) -> Row:
    """A report of no rules, as AWS lists none."""
    counts = dict.fromkeys(
        ("total_rules", "compliant_rules", "non_compliant_rules", "rules_without_result"), 0
    )
    return {"date_from": report["date_from"], "date_to": report["date_to"]} | counts


# Compliance and inventory


def rule_states(place: Place) -> dict[str, str]:
    """The worst that each rule found."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for held in place.own("config", "evaluations"):
        qualifier = held["EvaluationResultIdentifier"]["EvaluationResultQualifier"]
        found[qualifier["ConfigRuleName"]].add(held["ComplianceType"])
    names = [held["ConfigRuleName"] for held in place.own("config", "rules")]
    return {name: worst(found[name], "INSUFFICIENT_DATA") for name in names}


def worst(kinds: set[str], otherwise: str) -> str:
    """The compliance that results of these kinds come to."""
    return next((kind for kind in ("NON_COMPLIANT", "COMPLIANT") if kind in kinds), otherwise)


def config_report(place: Place) -> Row:
    """How many rules and resources comply."""
    rules = Counter(rule_states(place).values())
    resources = Counter(
        held["configuration"]["complianceType"] for held in place.own("config", "compliance")
    )
    good, bad = rules["COMPLIANT"], rules["NON_COMPLIANT"]
    return {
        "date_from": place.start,
        "date_to": place.end,
        "compliance_score": round(Decimal(100 * good) / (good + bad), 2),
        "total_rules": good + bad,
        "rules_without_result": rules.total() - good - bad,
        "compliant_rules": good,
        "non_compliant_rules": bad,
        "curr_compliant": resources["COMPLIANT"],
        "curr_non_compliant": resources["NON_COMPLIANT"],
    }


def non_compliant(place: Place) -> Iterator[Row]:
    """Each resource that breaks a rule."""
    packs = {
        held["ConfigRuleName"]: held["ConformancePackName"]
        for held in place.own("config", "pack_rules")
    }
    for held in place.own("config", "evaluations"):
        qualifier = held["EvaluationResultIdentifier"]["EvaluationResultQualifier"]
        if held["ComplianceType"] == "NON_COMPLIANT":
            yield {
                "rule_name": qualifier["ConfigRuleName"],
                "resource_type": qualifier["ResourceType"],
                "resource_id": qualifier["ResourceId"],
                "evaluation_mode": qualifier["EvaluationMode"],
                "compliance_type": "NON_COMPLIANT",
                "annotation": held["Annotation"],
                "config_rule_invoked_time": held["ConfigRuleInvokedTime"],
                "conformance_pack": packs.get(qualifier["ConfigRuleName"], "Standalone"),
            }


TRUTH: Mapping[str, Truth] = {
    "config.non_compliant_resources": Truth(
        non_compliant,
        "non_compliant_resources",
        ("rule_name", "resource_type", "resource_id", "evaluation_mode"),
    ),
}

DENIALS: Mapping[str, Denial] = {
    "config:DescribeConfigurationRecorders": Denial(("config",), unharmed=("config_inventory",)),
    "config:DescribeComplianceByConfigRule": Denial(
        ("config",), {"config": gone, "config.non_compliant_resources": gone}
    ),
    "config:GetComplianceDetailsByConfigRule": Denial(
        ("config",), {"config.non_compliant_resources": gone}
    ),
    "config:DescribeConformancePacks": Denial(
        ("config",), {"config.non_compliant_resources": without("conformance_pack")}
    ),
    "config:DescribeConformancePackCompliance": Denial(
        ("config",), {"config.non_compliant_resources": without("conformance_pack")}
    ),
}

SWITCHED_OFF: Mapping[str, Off] = {
    "config": Off(
        "Config records nothing",
        ("config", "config_inventory"),
        (),
        {"config": no_rules, "config.non_compliant_resources": gone, "config_inventory": gone},
    ),
}

MADE_OF: Mapping[str, MadeOf] = {
    "non compliant": (
        non_compliant_row,
        "config",
        "GetComplianceDetailsByConfigRule",
        "EvaluationResults",
    ),
}

# Groups and counts


def test_compliance_is_counted_by_rule_and_by_resource(account: Account, whole: Document) -> None:
    [held] = lists(whole)["config"]
    same_rows([held], [config_report(place_of(account, whole))], ("date_from",))


# Compliance


@pytest.mark.parametrize(
    ("states", "score"),
    [
        ("", None),
        ("II", None),
        ("C", "100"),
        ("N", "0"),
        ("CNN", "33.33"),
        ("CCNII", "66.67"),
        ("C" * 1999 + "N", "99.95"),
    ],
)
def test_the_compliance_score_counts_rules_with_a_result(states: str, score: str | None) -> None:
    kinds = {"C": "COMPLIANT", "N": "NON_COMPLIANT", "I": "INSUFFICIENT_DATA"}
    window = Window.of_yesterday(datetime(2024, 3, 1, 4, tzinfo=UTC), SETTINGS, None)
    found = {f"rule-{number}": kinds[state] for number, state in enumerate(states)}
    report = compliance_report(window, found)
    told = report["compliance_score"]
    assert told == score if score is None or told is None else Decimal(told) == Decimal(score)
    assert report["total_rules"] == len(states) - states.count("I")
    assert report["rules_without_result"] == states.count("I")
    assert report["compliant_rules"] == states.count("C")
    assert report["non_compliant_rules"] == states.count("N")
    assert (report["date_from"], report["date_to"]) == ("2024-02-29", "2024-03-01")
