"""The canned answers of the embedded cloud, asked in process: whole, paged, filtered.

That they survive the wire is test_gateway.py's to show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.cloud import Account, Size
from tests.cloud.accounts import Cloud, Item, generate
from tests.cloud.answers import ANSWERS, Call
from tests.cloud.answers.applications import SUMMARY
from tests.cloud.validation import validate, validate_request

HOUR = timedelta(hours=1)
TODAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
REGIONS = ("us-east-1", "eu-west-1")
ONE, TWO = "111122223333", "444455556666"

Truth = Callable[[Account], list[Any]]


def cloud_of(*accounts: Account, page_size: int | None = None) -> Cloud:
    """A cloud whose clock stands still."""
    return Cloud({held.id: held for held in accounts}, page_size, now=lambda: NOW)


def small(account_id: str = ONE) -> Account:
    """A small account in two regions."""
    return generate(account_id, Size.small(), seed=7, today=TODAY, regions=REGIONS)


def ask(
    cloud: Cloud,
    service: str,
    operation: str,
    params: dict[str, Any] | None = None,
    account: str = ONE,
    region: str = "us-east-1",
) -> dict[str, Any]:
    """One answer, held to the model as the gateway holds it, the request too."""
    held = params or {}
    validate_request(service, operation, held)
    call = Call(cloud, cloud.accounts[account], region, service, operation, held)
    response = ANSWERS[service, operation](call)
    validate(service, operation, response)
    return response


@dataclass(frozen=True)
class Listing:
    """A paged operation, how its pages hang together and what they must add up to."""

    service: str
    operation: str
    member: str
    truth: Truth
    params: Callable[[Account], dict[str, Any]] = lambda account: {}
    token: str = "NextToken"
    token_out: str = ""
    size: dict[str, int] = field(default_factory=dict)
    region: str = "us-east-1"
    page_size: int = 3
    empty: bool = True

    def __str__(self) -> str:
        return f"{self.service}-{self.operation}"

    def pages(self, cloud: Cloud, **more: Any) -> Iterator[dict[str, Any]]:
        """All pages of the listing for the first account."""
        params = self.params(cloud.accounts[ONE]) | more
        while True:
            response = ask(cloud, self.service, self.operation, params, region=self.region)
            yield response
            token = self.next_token(response)
            if token is None:
                return
            params = params | {self.token: token}

    def next_token(self, response: dict[str, Any]) -> Any:
        """The token of the next page, if any."""
        return self.parent(response).get(self.token_out or self.token)

    def parent(self, response: dict[str, Any]) -> dict[str, Any]:
        """The structure that holds the list and the token."""
        *path, _ = self.member.split(".")
        for name in path:
            response = response[name]
        return response

    def items(self, response: dict[str, Any]) -> list[Any]:
        """The list on a page."""
        found = self.parent(response).get(self.member.rsplit(".", maxsplit=1)[-1], [])
        return list(found)

    def everything(self, cloud: Cloud, **more: Any) -> list[Any]:
        """The items of all pages."""
        return [item for held in self.pages(cloud, **more) for item in self.items(held)]


def held(service: str, kind: str, region: str = "us-east-1") -> Truth:
    """The account's own list."""
    return lambda account: account.items(service, kind, region)


def members(service: str, kind: str, *names: str, region: str = "us-east-1") -> Truth:
    """The account's own list, with only some members of each item."""
    return lambda account: [
        {name: item[name] for name in names if name in item}
        for item in account.items(service, kind, region)
    ]


def values(service: str, kind: str, name: str, region: str = "us-east-1") -> Truth:
    """One member of each item."""
    return lambda account: [item[name] for item in account.items(service, kind, region)]


ALL_CERTIFICATES = {
    "Includes": {
        "keyTypes": [
            "RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096",
            "EC_prime256v1", "EC_secp384r1", "EC_secp521r1",
        ]
    },
    "CertificateKeyPairOrigins": ["AWS_MANAGED", "ACME", "CUSTOMER_PROVIDED"],
}  # fmt: skip


def detector(account: Account) -> dict[str, Any]:
    """The detector of the region, as a parameter."""
    return {"DetectorId": account.items("guardduty", "detectors", "us-east-1")[0]["DetectorId"]}


def rule_results(account: Account) -> list[Item]:
    """What the account's first rule found."""
    name = first_rule(account)["ConfigRuleName"]
    path = "EvaluationResultIdentifier", "EvaluationResultQualifier"
    everything = account.items("config", "evaluations", "us-east-1")
    return [item for item in everything if item[path[0]][path[1]]["ConfigRuleName"] == name]


def first_rule(account: Account) -> dict[str, Any]:
    """The first rule, as a parameter."""
    rule = account.items("config", "rules", "us-east-1")[0]
    return {"ConfigRuleName": rule["ConfigRuleName"]}


def expected_compliance(account: Account) -> list[Item]:
    """Each rule's compliance, from what the rules found."""
    outcomes: dict[str, list[str]] = {}
    for item in account.items("config", "evaluations", "us-east-1"):
        qualifier = item["EvaluationResultIdentifier"]["EvaluationResultQualifier"]
        outcomes.setdefault(qualifier["ConfigRuleName"], []).append(item["ComplianceType"])
    found = []
    for rule in account.items("config", "rules", "us-east-1"):
        types = outcomes.get(rule["ConfigRuleName"], [])
        bad = types.count("NON_COMPLIANT")
        state: Item = {"ComplianceType": "COMPLIANT" if types else "INSUFFICIENT_DATA"}
        if bad:
            count = {"CappedCount": bad, "CapExceeded": False}
            state = {"ComplianceType": "NON_COMPLIANT", "ComplianceContributorCount": count}
        found.append({"ConfigRuleName": rule["ConfigRuleName"], "Compliance": state})
    return found


def recorded(account: Account, region: str = "us-east-1") -> list[Item]:
    """All that Config recorded: resources and the compliance of each."""
    kinds = ("resources", "compliance")
    return [item for kind in kinds for item in account.items("config", kind, region)]


def pack_rules(account: Account) -> list[Item]:
    """The rules of the first conformance pack, as its compliance lists them."""
    states = {
        item["ConfigRuleName"]: item["Compliance"]["ComplianceType"]
        for item in expected_compliance(account)
    }
    return [
        {
            "ConfigRuleName": item["ConfigRuleName"],
            "ComplianceType": states[item["ConfigRuleName"]],
            "Controls": item["Controls"],
        }
        for item in account.items("config", "pack_rules", "us-east-1")
        if item["ConformancePackName"] == "pack-00"
    ]


def first_instance(account: Account) -> dict[str, Any]:
    """The first managed instance, as a parameter."""
    return {"InstanceId": account.items("ssm", "instances", "us-east-1")[0]["InstanceId"]}


def first_product(account: Account) -> dict[str, Any]:
    """The product code of the first license, as a parameter."""
    return {"ProductCode": account.items("license-manager", "received")[0]["ProductSKU"]}


def seen_in(name: str) -> Truth:
    """The account's entities with one inventory type only."""
    return lambda account: [
        {
            "Id": item["Id"],
            "Data": {key: item["Data"][key] for key in [name] if key in item["Data"]},
        }
        for item in account.items("ssm", "entities", "us-east-1")
    ]


def by_assessment(account: Account) -> list[Item]:
    """Summaries of the applications, the one assessed longest ago first, none before all."""
    apps = members("resiliencehub", "apps", *SUMMARY)(account)
    never = datetime(2000, 1, 1, tzinfo=UTC)
    return sorted(apps, key=lambda item: item.get("lastAppComplianceEvaluationTime", never))


def last_days(days: int) -> dict[str, Any]:
    """Cost Explorer's parameters for the last days before today."""
    return {
        "TimePeriod": {"Start": f"{TODAY - timedelta(days=days)}", "End": f"{TODAY}"},
        "Granularity": "DAILY",
        "Metrics": ["UnblendedCost", "UsageQuantity"],
    }


def saving_groups(account: Account) -> list[Item]:
    """What could be saved by the best option of each thing, in both regions."""
    options = {
        "EbsVolume": ("volumes", "volumeRecommendationOptions"),
        "Ec2Instance": ("instances", "recommendationOptions"),
        "LambdaFunction": ("functions", "memorySizeRecommendationOptions"),
    }
    found = []
    for name, (kind, member) in options.items():
        amounts = [
            option["savingsOpportunity"]["estimatedMonthlySavings"]["value"]
            for region in account.regions
            for item in account.items("compute-optimizer", kind, region)
            for option in item[member]
            if option["rank"] == 1
        ]
        if amounts:
            total = sum(amounts)
            found.append(
                {
                    "group": name,
                    "estimatedMonthlySavings": total,
                    "recommendationCount": len(amounts),
                }
            )
    return found


def pairs(instances: list[Item]) -> list[Item]:
    """Instances within reservations of two, whose identifiers are not told."""
    return [
        {"OwnerId": ONE, "Instances": instances[number : number + 2]}
        for number in range(0, len(instances), 2)
    ]


def comparable(items: list[Any]) -> list[Any]:
    """Items without the identifiers that mean nothing (an instance's reservation)."""
    return [
        {name: value for name, value in item.items() if name != "ReservationId"}
        if isinstance(item, dict)
        else item
        for item in items
    ]


# Security Hub, GuardDuty, Inspector


def hub(cloud: Cloud, **filters: Any) -> list[Item]:
    """Findings of Security Hub that pass the filters."""
    found: list[Item] = ask(cloud, "securityhub", "GetFindings", {"Filters": filters})["Findings"]
    return found


def guardduty_ids(cloud: Cloud, **criterion: Any) -> list[str]:
    """Identifiers of GuardDuty findings that meet criteria (dots as double underscores)."""
    held = {name.replace("__", "."): wanted for name, wanted in criterion.items()}
    params = detector(cloud.accounts[ONE]) | {"FindingCriteria": {"Criterion": held}}
    found: list[str] = ask(cloud, "guardduty", "ListFindings", params)["FindingIds"]
    return found


def equals(*wanted: str) -> list[dict[str, str]]:
    """A filter on texts."""
    return [{"Value": value, "Comparison": "EQUALS"} for value in wanted]


# What is asked for by name


def less(item: Item, *names: str) -> Item:
    """An item without some members."""
    return {name: value for name, value in item.items() if name not in names}
