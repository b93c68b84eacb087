"""The canned answers of the embedded cloud: whole, paged, filtered and true to botocore's models.

Answers are called in process; that they survive the wire is test_cloud.py's to show.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.cloud.accounts import GLOBAL, Account, Aggregator, Cloud, Item, Size, generate
from tests.cloud.answers import ANSWERS, AwsError, Call
from tests.cloud.answers.applications import SUMMARY
from tests.cloud.answers.core import ONE_REGION, dig
from tests.cloud.answers.systems import SCHEMAS
from tests.cloud.content import CONTENT
from tests.cloud.organization import Organization
from tests.cloud.validation import validate, validate_request

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


def pack_results(account: Account) -> list[Item]:
    """What the rules of the first conformance pack found, less what did not apply."""
    names = {item["ConfigRuleName"] for item in pack_rules(account)}
    return [
        item
        for item in account.items("config", "evaluations", "us-east-1")
        if item["EvaluationResultIdentifier"]["EvaluationResultQualifier"]["ConfigRuleName"]
        in names
        and item["ComplianceType"] != "NOT_APPLICABLE"
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


HOUR = timedelta(hours=1)
EVERY_CASE = {"includeResolvedCases": True}
ACCEPTED = {
    "filters": [
        {"name": "PartyType", "values": ["Acceptor"]},
        {"name": "AgreementType", "values": ["PurchaseAgreement"]},
    ]
}

LISTINGS = [
    Listing("account", "ListRegions", "Regions",
            lambda account: [
                {"RegionName": name, "RegionOptStatus": "ENABLED_BY_DEFAULT"}
                for name in sorted(account.regions)
            ],
            lambda account: {"RegionOptStatusContains": ["ENABLED", "ENABLED_BY_DEFAULT"]},
            size={"MaxResults": 50}, page_size=1, empty=False),
    Listing("acm", "ListCertificates", "CertificateSummaryList", held("acm", "certificates"),
            lambda account: ALL_CERTIFICATES, size={"MaxItems": 1000}),
    Listing("application-signals", "ListServices", "ServiceSummaries",
            held("application-signals", "services"),
            lambda account: {"StartTime": NOW - 24 * HOUR, "EndTime": NOW},
            size={"MaxResults": 100}),
    Listing("autoscaling", "DescribeAutoScalingGroups", "AutoScalingGroups",
            held("autoscaling", "groups"), size={"MaxRecords": 100}),
    Listing("ce", "GetAnomalies", "Anomalies", held("ce", "anomalies", GLOBAL),
            lambda account: {"DateInterval": {"StartDate": f"{TODAY - timedelta(days=90)}"}},
            token="NextPageToken", size={"MaxResults": 100}),
    Listing("cloudfront", "ListDistributionsByWebACLId", "DistributionList.Items",
            lambda account: account.items("cloudfront", "distributions")[:3],
            lambda account: {
                "WebACLId": account.items("wafv2", "cloudfront", "us-east-1")[0]["ARN"]
            },
            token="Marker", token_out="NextMarker", page_size=2, empty=False),
    Listing("cloudtrail", "LookupEvents", "Events", held("cloudtrail", "events"),
            size={"MaxResults": 50}),
    Listing("compute-optimizer", "GetEC2InstanceRecommendations", "instanceRecommendations",
            held("compute-optimizer", "instances"), token="nextToken", size={"maxResults": 1000}),
    Listing("compute-optimizer", "GetEBSVolumeRecommendations", "volumeRecommendations",
            held("compute-optimizer", "volumes"), token="nextToken", size={"maxResults": 1000}),
    Listing("compute-optimizer", "GetLambdaFunctionRecommendations",
            "lambdaFunctionRecommendations", held("compute-optimizer", "functions"),
            token="nextToken", size={"maxResults": 1000}),
    Listing("config", "DescribeConfigRules", "ConfigRules", held("config", "rules")),
    Listing("config", "DescribeComplianceByConfigRule", "ComplianceByConfigRules",
            expected_compliance),
    Listing("config", "GetComplianceDetailsByConfigRule", "EvaluationResults", rule_results,
            first_rule, size={"Limit": 100}, empty=False),
    Listing("config", "DescribeConformancePacks", "ConformancePackDetails",
            held("config", "packs"), size={"Limit": 20}),
    Listing("config", "DescribeConformancePackCompliance", "ConformancePackRuleComplianceList",
            pack_rules, lambda account: {"ConformancePackName": "pack-00"}, page_size=2,
            empty=False),
    Listing("config", "GetConformancePackComplianceDetails",
            "ConformancePackRuleEvaluationResults", pack_results,
            lambda account: {"ConformancePackName": "pack-00"}, size={"Limit": 100}, empty=False),
    Listing("config", "SelectResourceConfig", "Results",
            lambda account: [
                json.dumps({"resourceId": item["resourceId"]}, separators=(",", ":"),
                           ensure_ascii=False)
                for item in recorded(account)
            ],
            lambda account: {"Expression": "SELECT resourceId"}, size={"Limit": 100}),
    Listing("config", "ListDiscoveredResources", "resourceIdentifiers",
            lambda account: [
                {"resourceType": "AWS::EC2::Volume", "resourceId": item["VolumeId"]}
                for item in account.items("ec2", "volumes", "us-east-1")
            ],
            lambda account: {"resourceType": "AWS::EC2::Volume"}, token="nextToken",
            size={"limit": 100}, empty=False),
    Listing("config", "GetDiscoveredResourceCounts", "resourceCounts",
            lambda account: [
                {"resourceType": kind, "count": count}
                for kind, count in Counter(
                    item["resourceType"] for item in recorded(account)
                ).most_common()
            ],
            token="nextToken", size={"limit": 100}),
    Listing("cost-optimization-hub", "ListRecommendationSummaries", "items",
            lambda account: saving_groups(account),
            lambda account: {"groupBy": "ResourceType"}, token="nextToken", page_size=2,
            size={"maxResults": 1000}),
    Listing("ec2", "DescribeInstances", "Reservations",
            lambda account: pairs(account.items("ec2", "instances", "us-east-1")),
            size={"MaxResults": 1000}),
    Listing("ec2", "DescribeSubnets", "Subnets", held("ec2", "subnets"),
            size={"MaxResults": 1000}),
    Listing("ec2", "DescribeVolumes", "Volumes", held("ec2", "volumes"),
            size={"MaxResults": 1000}),
    Listing("elbv2", "DescribeLoadBalancers", "LoadBalancers", held("elbv2", "load_balancers"),
            token="Marker", token_out="NextMarker", size={"PageSize": 400}),
    Listing("guardduty", "ListFindings", "FindingIds", values("guardduty", "findings", "Id"),
            detector, size={"MaxResults": 50}, empty=False),
    Listing("health", "DescribeEvents", "events", held("health", "events", GLOBAL),
            token="nextToken", size={"maxResults": 100}),
    Listing("health", "DescribeAffectedEntities", "entities",
            held("health", "entities", GLOBAL),
            lambda account: {"filter": {"eventArns": [
                item["arn"] for item in account.items("health", "events")
                if item["service"] == "EC2"
            ]}},
            token="nextToken", size={"maxResults": 100}, empty=False),
    Listing("inspector2", "ListFindings", "findings", held("inspector2", "findings"),
            token="nextToken", size={"maxResults": 100}),
    Listing("kms", "ListKeys", "Keys",
            lambda account: [
                {"KeyId": item["KeyId"], "KeyArn": item["Arn"]}
                for item in account.items("kms", "keys", "us-east-1")
            ],
            token="Marker", token_out="NextMarker", size={"Limit": 1000}),
    Listing("lambda", "ListFunctions", "Functions", held("lambda", "functions"),
            token="Marker", token_out="NextMarker", size={"MaxItems": 10_000}),
    Listing("license-manager", "ListReceivedLicenses", "Licenses",
            held("license-manager", "received", GLOBAL), size={"MaxResults": 100}),
    Listing("marketplace-agreement", "SearchAgreements", "agreementViewSummaries",
            held("marketplace-agreement", "agreements", GLOBAL), lambda account: ACCEPTED,
            token="nextToken", size={"maxResults": 50}),
    Listing("marketplace-entitlement", "GetEntitlements", "Entitlements",
            lambda account: account.items("marketplace-entitlement", "entitlements")[:3],
            first_product, page_size=2, size={"MaxResults": 25}, empty=False),
    Listing("rds", "DescribeDBInstances", "DBInstances", held("rds", "instances"),
            token="Marker", size={"MaxRecords": 100}),
    Listing("resiliencehub", "ListApps", "appSummaries", by_assessment, token="nextToken",
            size={"maxResults": 100}),
    Listing("rds", "DescribeReservedDBInstances", "ReservedDBInstances", held("rds", "reserved"),
            lambda account: {}, token="Marker", size={"MaxRecords": 100}),
    Listing("resiliencehub", "ListAppAssessments", "assessmentSummaries",
            lambda account: sorted(
                account.items("resiliencehub", "assessments", "us-east-1"),
                key=lambda item: item["startTime"],
            ),
            token="nextToken", size={"maxResults": 100}),
    Listing("s3", "ListBuckets", "Buckets", held("s3", "buckets", GLOBAL),
            lambda account: {"MaxBuckets": 1000}, token="ContinuationToken"),
    Listing("savingsplans", "DescribeSavingsPlans", "savingsPlans",
            held("savingsplans", "plans", GLOBAL),
            lambda account: {"states": ["active", "retired"]}, token="nextToken",
            size={"maxResults": 1000}),
    Listing("secretsmanager", "ListSecrets", "SecretList", held("secretsmanager", "secrets"),
            lambda account: {"IncludePlannedDeletion": True}, size={"MaxResults": 100}),
    Listing("securityhub", "GetFindings", "Findings", held("securityhub", "findings"),
            size={"MaxResults": 100}),
    Listing("ssm", "DescribeInstanceInformation", "InstanceInformationList",
            held("ssm", "instances"), size={"MaxResults": 50}),
    Listing("ssm", "GetInventory", "Entities", seen_in("AWS:Application"),
            lambda account: {"ResultAttributes": [{"TypeName": "AWS:Application"}]},
            size={"MaxResults": 50}),
    Listing("ssm", "GetInventorySchema", "Schemas", lambda account: SCHEMAS),
    Listing("ssm", "ListInventoryEntries", "Entries",
            lambda account: account.items("ssm", "entities", "us-east-1")[0]["Data"][
                "AWS:Application"]["Content"],
            lambda account: first_instance(account) | {"TypeName": "AWS:Application"},
            size={"MaxResults": 50}, empty=False),
    Listing("ssm", "DescribeInstancePatches", "Patches",
            lambda account: account.items("ssm", "patches", "us-east-1")[0]["Patches"],
            first_instance, size={"MaxResults": 100}, empty=False),
    Listing("ssm", "DescribeInstancePatchStates", "InstancePatchStates",
            held("ssm", "patch_states"),
            lambda account: {"InstanceIds": [
                item["InstanceId"] for item in account.items("ssm", "instances", "us-east-1")
            ]},
            size={"MaxResults": 100}),
    Listing("support", "DescribeCases", "cases", held("support", "cases", GLOBAL),
            lambda account: EVERY_CASE, token="nextToken", size={"maxResults": 100}),
    Listing("wafv2", "ListWebACLs", "WebACLs",
            lambda account: [
                {name: item[name] for name in ("Name", "Id", "Description", "ARN") if name in item}
                | {"LockToken": account.uuid("lock", item["Id"])}
                for item in account.items("wafv2", "regional", "us-east-1")
            ],
            lambda account: {"Scope": "REGIONAL"}, token="NextMarker", size={"Limit": 100}),
    Listing("wafv2", "ListLoggingConfigurations", "LoggingConfigurations",
            lambda account: [
                item for item in account.items("wafv2", "logging", "us-east-1")
                if ":global/" in item["ResourceArn"]
            ],
            lambda account: {"Scope": "CLOUDFRONT"}, token="NextMarker", page_size=2,
            size={"Limit": 100}),
]  # fmt: skip


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


each_listing = pytest.mark.parametrize("listing", LISTINGS, ids=str)


@each_listing
def test_pages_add_up_to_what_the_account_holds(listing: Listing) -> None:
    """Two pages at least, none longer than asked for, everything once and in order."""
    account = small()
    cloud = cloud_of(account, page_size=listing.page_size)
    pages = [listing.items(page) for page in listing.pages(cloud)]
    assert len(pages) >= 2
    assert all(0 < len(page) <= listing.page_size for page in pages)
    assert comparable([item for page in pages for item in page]) == listing.truth(account)


@each_listing
def test_a_listing_that_may_be_long_is_whole(listing: Listing) -> None:
    """The largest page size that may be asked for, and AWS's own when none is."""
    account = small()
    cloud = cloud_of(account)
    for more in (listing.size, {}):
        assert comparable(listing.everything(cloud, **more)) == listing.truth(account)


TOKEN_ERRORS = r"(?i)token|does not exist|not owned|invalid"


@each_listing
def test_a_token_belongs_to_its_request(listing: Listing) -> None:
    """Neither an invented token, nor another operation's, nor another account's is taken."""
    account = small()
    cloud = cloud_of(account, small(TWO), page_size=listing.page_size)
    token = listing.next_token(next(listing.pages(cloud)))
    other = "GetAnomalies" if listing.operation != "GetAnomalies" else "DescribeEvents"
    foreign = next(item for item in LISTINGS if item.operation == other)
    stolen = foreign.next_token(next(foreign.pages(cloud)))
    params = listing.params(account)
    for wrong, caller in (("bm9uZQ", ONE), (stolen, ONE), (token, TWO)):
        request = params | {listing.token: wrong}
        with pytest.raises(AwsError, match=TOKEN_ERRORS):
            ask(cloud, listing.service, listing.operation, request, caller, listing.region)


@pytest.mark.parametrize("listing", [item for item in LISTINGS if item.empty], ids=str)
def test_an_empty_account_lists_nothing(listing: Listing) -> None:
    """An account in which nobody has done anything has no items, and answers all the same."""
    account = generate(ONE, Size.empty(), seed=1, today=TODAY, regions=REGIONS)
    assert listing.everything(cloud_of(account)) in ([], listing.truth(account))
    if listing.operation != "GetInventorySchema":
        assert listing.everything(cloud_of(account)) == []


ANYWHERE = ("s3", "license-manager", "savingsplans", "ssm-GetInventorySchema")
"""What answers the same in every region."""

REGIONAL = [
    item
    for item in LISTINGS
    if item.empty and item.service not in ANYWHERE and str(item) not in ANYWHERE
]


@pytest.mark.parametrize("listing", REGIONAL, ids=str)
def test_regions_do_not_mix(listing: Listing) -> None:
    """A region that the account does not use holds nothing of it; global APIs are not there."""
    cloud = cloud_of(small())
    elsewhere = replace(listing, region="ap-southeast-2")
    if listing.service in ONE_REGION or listing.operation == "ListLoggingConfigurations":
        with pytest.raises(AwsError, match="valid"):
            elsewhere.everything(cloud)
    else:
        assert elsewhere.everything(cloud) == []


# What is asked for by name


@dataclass(frozen=True)
class Named:
    """An operation without pages: its parameters and the answer that the account gives it."""

    service: str
    operation: str
    params: Callable[[Account], dict[str, Any]]
    expected: Callable[[Account], dict[str, Any]]

    def __str__(self) -> str:
        return f"{self.service}-{self.operation}"


def nothing(account: Account) -> dict[str, Any]:
    """No parameters."""
    return {}


def one(account: Account, service: str, kind: str, region: str = "us-east-1") -> Item:
    """The account's first thing of a kind."""
    return account.items(service, kind, region)[0]


def less(item: Item, *names: str) -> Item:
    """An item without some members."""
    return {name: value for name, value in item.items() if name not in names}


NAMED = [
    Named("account", "GetAccountInformation", nothing,
          lambda account: one(account, "account", "information", GLOBAL)),
    Named("account", "GetContactInformation", nothing,
          lambda account: {"ContactInformation": one(account, "account", "contact", GLOBAL)}),
    Named("account", "GetAlternateContact", lambda account: {"AlternateContactType": "BILLING"},
          lambda account: {"AlternateContact": one(account, "account", "alternates", GLOBAL)}),
    Named("cloudtrail", "GetTrailStatus",
          lambda account: {"Name": one(account, "cloudtrail", "trails")["TrailARN"]},
          lambda account: less(one(account, "cloudtrail", "statuses"), "TrailARN")),
    Named("compute-optimizer", "GetEnrollmentStatus", nothing,
          lambda account: {"status": "Active", "memberAccountsEnrolled": False,
                           "lastUpdatedTimestamp": account.ago(200)}),
    Named("config", "DescribeConfigurationRecorders", nothing,
          lambda account: {"ConfigurationRecorders": account.items(
              "config", "recorders", "us-east-1")}),
    Named("guardduty", "ListDetectors", nothing,
          lambda account: {"DetectorIds": [detector(account)["DetectorId"]]}),
    Named("guardduty", "GetDetector", detector,
          lambda account: less(one(account, "guardduty", "detectors"), "DetectorId")),
    Named("guardduty", "GetFindings",
          lambda account: detector(account) | {
              "FindingIds": [one(account, "guardduty", "findings")["Id"], "0" * 32]},
          lambda account: {"Findings": [one(account, "guardduty", "findings")]}),
    Named("health", "DescribeEventDetails",
          lambda account: {"eventArns": [one(account, "health", "events", GLOBAL)["arn"]]},
          lambda account: {
              "successfulSet": [one(account, "health", "descriptions", GLOBAL)],
              "failedSet": []}),
    Named("kms", "DescribeKey", lambda account: {"KeyId": one(account, "kms", "keys")["Arn"]},
          lambda account: {"KeyMetadata": one(account, "kms", "keys")}),
    Named("kms", "GetKeyRotationStatus",
          lambda account: {"KeyId": one(account, "kms", "rotations")["KeyId"]},
          lambda account: one(account, "kms", "rotations")),
    Named("resiliencehub", "DescribeApp",
          lambda account: {"appArn": one(account, "resiliencehub", "apps")["appArn"]},
          lambda account: {"app": one(account, "resiliencehub", "apps")}),
    Named("resiliencehub", "DescribeResiliencyPolicy",
          lambda account: {"policyArn": one(account, "resiliencehub", "apps")["policyArn"]},
          lambda account: {"policy": one(account, "resiliencehub", "policies")}),
    Named("support", "DescribeTrustedAdvisorChecks", lambda account: {"language": "en"},
          lambda account: {"checks": account.items("support", "checks")}),
    Named("support", "DescribeTrustedAdvisorCheckResult",
          lambda account: {"checkId": one(account, "support", "checks", GLOBAL)["id"]},
          lambda account: {"result": one(account, "support", "results", GLOBAL)}),
    Named("support", "DescribeTrustedAdvisorCheckSummaries",
          lambda account: {"checkIds": [
              item["id"] for item in account.items("support", "checks")]},
          lambda account: {"summaries": [
              less(item, "flaggedResources")
              | {"hasFlaggedResources": bool(item["flaggedResources"])}
              for item in account.items("support", "results")]}),
    Named("wafv2", "GetLoggingConfiguration",
          lambda account: {"ResourceArn": one(account, "wafv2", "regional")["ARN"]},
          lambda account: {"LoggingConfiguration": one(account, "wafv2", "logging")}),
    Named("wafv2", "GetWebACL",
          lambda account: {"ARN": one(account, "wafv2", "cloudfront")["ARN"]},
          lambda account: {
              "WebACL": one(account, "wafv2", "cloudfront"),
              "LockToken": account.uuid("lock", one(account, "wafv2", "cloudfront")["Id"])}),
]  # fmt: skip


@pytest.mark.parametrize("named", NAMED, ids=str)
def test_a_thing_asked_for_by_name_is_the_accounts(named: Named) -> None:
    """The response is the account's own thing, and the model's."""
    account = small()
    response = ask(cloud_of(account), named.service, named.operation, named.params(account))
    assert response == named.expected(account)


MISSING = [
    ("acm", "DescribeCertificate", "ResourceNotFoundException",
     {"CertificateArn": f"arn:aws:acm:us-east-1:{ONE}:certificate/none"}),
    ("cloudtrail", "GetTrailStatus", "TrailNotFoundException", {"Name": "none"}),
    ("config", "DescribeConfigRules", "NoSuchConfigRuleException", {"ConfigRuleNames": ["none"]}),
    ("config", "DescribeComplianceByConfigRule", "NoSuchConfigRuleException",
     {"ConfigRuleNames": ["none"]}),
    ("config", "GetComplianceDetailsByConfigRule", "NoSuchConfigRuleException",
     {"ConfigRuleName": "none"}),
    ("config", "DescribeConformancePackCompliance", "NoSuchConformancePackException",
     {"ConformancePackName": "none"}),
    ("config", "DescribeConfigurationRecorders", "NoSuchConfigurationRecorderException",
     {"ConfigurationRecorderNames": ["none"]}),
    ("ec2", "DescribeInstances", "InvalidInstanceID.NotFound", {"InstanceIds": ["i-none"]}),
    ("elbv2", "DescribeLoadBalancers", "LoadBalancerNotFound", {"Names": ["none"]}),
    ("guardduty", "GetDetector", "BadRequestException", {"DetectorId": "none"}),
    ("guardduty", "ListFindings", "BadRequestException", {"DetectorId": "none"}),
    ("guardduty", "GetFindings", "BadRequestException",
     {"DetectorId": "none", "FindingIds": []}),
    ("kms", "DescribeKey", "NotFoundException", {"KeyId": "none"}),
    ("kms", "GetKeyRotationStatus", "NotFoundException", {"KeyId": "none"}),
    ("marketplace-agreement", "DescribeAgreement", "ResourceNotFoundException",
     {"agreementId": "none"}),
    ("marketplace-entitlement", "GetEntitlements", "InvalidParameterException",
     {"ProductCode": "none"}),
    ("rds", "DescribeDBInstances", "DBInstanceNotFound", {"DBInstanceIdentifier": "none"}),
    ("resiliencehub", "DescribeApp", "ResourceNotFoundException",
     {"appArn": f"arn:aws:resiliencehub:us-east-1:{ONE}:app/none"}),
    ("resiliencehub", "DescribeResiliencyPolicy", "ResourceNotFoundException",
     {"policyArn": f"arn:aws:resiliencehub:us-east-1:{ONE}:resiliency-policy/none"}),
    ("ssm", "DescribeInstancePatches", "InvalidInstanceId", {"InstanceId": "i-00000000"}),
    ("support", "DescribeTrustedAdvisorCheckResult", "ValidationException", {"checkId": "none"}),
    ("support", "DescribeCases", "CaseIdNotFound", {"caseIdList": ["none"]}),
    ("wafv2", "GetLoggingConfiguration", "WAFNonexistentItemException",
     {"ResourceArn": f"arn:aws:wafv2:us-east-1:{ONE}:regional/webacl/none"}),
    ("wafv2", "ListResourcesForWebACL", "WAFNonexistentItemException",
     {"WebACLArn": f"arn:aws:wafv2:us-east-1:{ONE}:regional/webacl/none"}),
]  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "code", "params"), MISSING)
def test_what_does_not_exist_is_an_error_of_the_service(
    service: str, operation: str, code: str, params: dict[str, Any]
) -> None:
    """Each API has its own word for it."""
    with pytest.raises(AwsError) as caught:
        ask(cloud_of(small()), service, operation, params)
    assert caught.value.code == code


TESTED_BELOW = {
    ("acm", "DescribeCertificate"),
    ("ce", "GetCostAndUsage"),
    ("ce", "GetCostForecast"),
    ("ce", "GetReservationCoverage"),
    ("ce", "GetReservationUtilization"),
    ("ce", "GetSavingsPlansCoverage"),
    ("ce", "GetSavingsPlansUtilization"),
    ("ce", "GetSavingsPlansUtilizationDetails"),
    ("cloudtrail", "DescribeTrails"),
    ("config", "BatchGetResourceConfig"),
    ("config", "DescribeAggregateComplianceByConfigRules"),
    ("config", "DescribeConfigurationAggregatorSourcesStatus"),
    ("config", "DescribeConfigurationAggregators"),
    ("config", "GetAggregateComplianceDetailsByConfigRule"),
    ("config", "SelectAggregateResourceConfig"),
    ("config", "DescribeConfigurationRecorderStatus"),
    ("cost-optimization-hub", "GetPreferences"),
    ("cost-optimization-hub", "ListEnrollmentStatuses"),
    ("ec2", "DescribeRegions"),
    ("ec2", "DescribeReservedInstances"),
    ("ec2", "DescribeVpcs"),
    ("compute-optimizer", "GetEnrollmentStatusesForOrganization"),
    ("health", "DescribeAffectedAccountsForOrganization"),
    ("health", "DescribeEventsForOrganization"),
    ("inspector2", "BatchGetAccountStatus"),
    ("marketplace-agreement", "DescribeAgreement"),
    ("marketplace-agreement", "GetAgreementTerms"),
    *(("organizations", name) for name in (
        "DescribeAccount", "DescribeOrganization", "ListAccounts", "ListAccountsForParent",
        "ListDelegatedAdministrators", "ListOrganizationalUnitsForParent", "ListRoots",
        "ListTagsForResource",
    )),
    ("guardduty", "ListMembers"),
    ("inspector2", "ListMembers"),
    ("securityhub", "DescribeHub"),
    ("securityhub", "ListMembers"),
    ("wafv2", "ListResourcesForWebACL"),
}  # fmt: skip


def test_every_answer_is_tested() -> None:
    """Nothing is answered that no test asks for."""
    asked = {(item.service, item.operation) for item in LISTINGS}
    asked |= {(item.service, item.operation) for item in NAMED}
    assert asked | TESTED_BELOW == set(ANSWERS)


# Security Hub, GuardDuty, Inspector


@pytest.mark.parametrize(
    ("service", "members", "name"),
    [
        ("guardduty", "Members", "AccountId"),
        ("inspector2", "members", "accountId"),
        ("securityhub", "Members", "AccountId"),
    ],
)
def test_an_administrator_knows_its_members(service: str, members: str, name: str) -> None:
    """By page; the detector of each is its own."""
    others = [small(f"{number:012}") for number in range(1, 4)]
    account = replace(small(), delegated_for=tuple(held.id for held in others))
    cloud = cloud_of(account, *others, page_size=2)
    params: dict[str, Any] = {}
    if service == "guardduty":
        params["DetectorId"] = account.items(service, "detectors", "us-east-1")[0]["DetectorId"]
    listing = Listing(
        service,
        "ListMembers",
        members,
        truth=lambda _: others,
        params=lambda _: params,
        token="nextToken" if service == "inspector2" else "NextToken",
    )
    found = [item for page in listing.pages(cloud) for item in listing.items(page)]
    assert [item[name] for item in found] == [held.id for held in others]
    for item, held in zip(found, others, strict=True):
        if service == "guardduty":
            [detector] = held.items(service, "detectors", "us-east-1")
            assert item["DetectorId"] == detector["DetectorId"]


def hub(cloud: Cloud, **filters: Any) -> list[Item]:
    """Findings of Security Hub that pass the filters."""
    found: list[Item] = ask(cloud, "securityhub", "GetFindings", {"Filters": filters})["Findings"]
    return found


def equals(*wanted: str) -> list[dict[str, str]]:
    """A filter on texts."""
    return [{"Value": value, "Comparison": "EQUALS"} for value in wanted]


@pytest.mark.parametrize(
    ("name", "value", "test"),
    [
        ("SeverityLabel", "CRITICAL", lambda item: item["Severity"]["Label"] == "CRITICAL"),
        ("WorkflowStatus", "RESOLVED", lambda item: item["Workflow"]["Status"] == "RESOLVED"),
        ("RecordState", "ARCHIVED", lambda item: item["RecordState"] == "ARCHIVED"),
        ("ProductName", "GuardDuty", lambda item: item["ProductName"] == "GuardDuty"),
        (
            "ComplianceStatus",
            "FAILED",
            lambda item: item.get("Compliance", {}).get("Status") == "FAILED",
        ),
        (
            "ResourceType",
            "AwsS3Bucket",
            lambda item: any(held["Type"] == "AwsS3Bucket" for held in item["Resources"]),
        ),
    ],
)
def test_security_hub_filters(name: str, value: str, test: Callable[[Item], bool]) -> None:
    """Each filter leaves exactly the findings that meet it, and some."""
    account = small()
    expected = [
        item for item in account.items("securityhub", "findings", "us-east-1") if test(item)
    ]
    assert expected
    assert hub(cloud_of(account), **{name: equals(value)}) == expected


def test_security_hub_times_are_compared_as_times() -> None:
    """Whatever form a product wrote them in; both ends are included."""
    account = small()
    day = datetime(2026, 11, 21, tzinfo=UTC)
    span = {"Start": "2026-11-21T00:00:00Z", "End": "2026-11-21T23:59:59.999Z"}
    found = hub(cloud_of(account), UpdatedAt=[span])
    everything = account.items("securityhub", "findings", "us-east-1")
    expected = [
        item
        for item in everything
        if day <= datetime.fromisoformat(item["UpdatedAt"]) < day + 24 * HOUR
    ]
    assert found == expected
    assert 0 < len(found) < len(everything)
    assert len({len(item["UpdatedAt"]) for item in found}) > 1
    within = hub(cloud_of(account), UpdatedAt=[{"DateRange": {"Value": 2, "Unit": "DAYS"}}])
    assert {item["Id"] for item in found} <= {item["Id"] for item in within}


def test_security_hub_negative_filters_and_sorting() -> None:
    """NOT_EQUALS refuses, sorting follows the times."""
    account = small()
    refused = [{"Value": "ARCHIVED", "Comparison": "NOT_EQUALS"}]
    params = {
        "Filters": {"RecordState": refused},
        "SortCriteria": [{"Field": "UpdatedAt", "SortOrder": "desc"}],
    }
    found = ask(cloud_of(account), "securityhub", "GetFindings", params)["Findings"]
    times = [datetime.fromisoformat(item["UpdatedAt"]) for item in found]
    assert times == sorted(times, reverse=True)
    assert {item["RecordState"] for item in found} == {"ACTIVE"}


def test_security_hub_describes_its_hub() -> None:
    """The hub is the account's own."""
    response = ask(cloud_of(small()), "securityhub", "DescribeHub", region="eu-west-1")
    assert response["HubArn"] == f"arn:aws:securityhub:eu-west-1:{ONE}:hub/default"


def guardduty_ids(cloud: Cloud, **criterion: Any) -> list[str]:
    """Identifiers of GuardDuty findings that meet criteria (dots as double underscores)."""
    held = {name.replace("__", "."): wanted for name, wanted in criterion.items()}
    params = detector(cloud.accounts[ONE]) | {"FindingCriteria": {"Criterion": held}}
    found: list[str] = ask(cloud, "guardduty", "ListFindings", params)["FindingIds"]
    return found


def test_guardduty_criteria() -> None:
    """Times in milliseconds, the archive, the account, the severity."""
    account = small()
    cloud = cloud_of(account)
    findings = account.items("guardduty", "findings", "us-east-1")
    day = datetime(2026, 11, 21, tzinfo=UTC)
    start = round(day.timestamp() * 1000)
    updated = {"GreaterThanOrEqual": start, "LessThan": start + 86_400_000}
    yesterday = [
        item["Id"]
        for item in findings
        if day <= datetime.fromisoformat(item["UpdatedAt"]) < day + 24 * HOUR
    ]
    archived = [item["Id"] for item in findings if item["Service"]["Archived"]]
    severe = [item["Id"] for item in findings if item["Severity"] >= 7]
    assert guardduty_ids(cloud, updatedAt=updated) == yesterday
    assert guardduty_ids(cloud, service__archived={"Equals": ["true"]}) == archived
    assert guardduty_ids(cloud, severity={"Gte": 7}) == severe
    assert guardduty_ids(cloud, accountId={"Equals": [TWO]}) == []
    assert all((yesterday, archived, severe))


def test_inspector_criteria() -> None:
    """Times with both ends, the status, the severity, the account."""
    account = small()
    cloud = cloud_of(account)
    findings = account.items("inspector2", "findings", "us-east-1")
    start, end = account.ago(1), account.ago(0)

    def found(**criteria: Any) -> list[Item]:
        response = ask(cloud, "inspector2", "ListFindings", {"filterCriteria": criteria})
        return list(response["findings"])

    span = [{"startInclusive": start, "endInclusive": end}]
    active = [{"comparison": "EQUALS", "value": "ACTIVE"}]
    others = [{"comparison": "NOT_EQUALS", "value": "ACTIVE"}]
    assert found(updatedAt=span) == [it for it in findings if start <= it["updatedAt"] <= end]
    assert found(findingStatus=active) == [it for it in findings if it["status"] == "ACTIVE"]
    assert found(findingStatus=others) == [it for it in findings if it["status"] != "ACTIVE"]
    assert found(awsAccountId=[{"comparison": "EQUALS", "value": TWO}]) == []
    instance = findings[0]["resources"][0]["id"]
    by_resource = found(resourceId=[{"comparison": "PREFIX", "value": instance[:10]}])
    assert {item["resources"][0]["id"] for item in by_resource} == {instance}


def test_inspector_tells_where_it_is_on() -> None:
    """For the caller and its members; strangers are failures."""
    account = replace(small(), delegated_for=(TWO,))
    params = {"accountIds": [ONE, TWO, "999999999999"]}
    cloud = cloud_of(account, small(TWO))
    response = ask(cloud, "inspector2", "BatchGetAccountStatus", params)
    assert [item["accountId"] for item in response["accounts"]] == [ONE, TWO]
    assert [item["accountId"] for item in response["failedAccounts"]] == ["999999999999"]


@pytest.mark.parametrize(
    ("listing", "account_of"),
    [
        ("securityhub-GetFindings", lambda item: item["AwsAccountId"]),
        ("inspector2-ListFindings", lambda item: item["awsAccountId"]),
    ],
)
def test_a_delegated_administrator_sees_its_members(
    listing: str, account_of: Callable[[Item], str]
) -> None:
    """Its own findings and those of its members, which can be told apart."""
    asked = next(item for item in LISTINGS if str(item) == listing)
    account, member = replace(small(), delegated_for=(TWO,)), small(TWO)
    cloud = cloud_of(account, member, page_size=5)
    found = asked.everything(cloud)
    assert found == asked.truth(account) + asked.truth(member)
    assert {account_of(item) for item in found} == {ONE, TWO}


def test_a_delegated_administrator_gets_its_members_guardduty_findings() -> None:
    """By its own detector, and only its own can be filtered for."""
    account, member = replace(small(), delegated_for=(TWO,)), small(TWO)
    cloud = cloud_of(account, member)
    own = [item["Id"] for item in account.items("guardduty", "findings", "us-east-1")]
    theirs = [item["Id"] for item in member.items("guardduty", "findings", "us-east-1")]
    assert guardduty_ids(cloud) == own + theirs
    assert guardduty_ids(cloud, accountId={"Equals": [ONE]}) == own
    params = detector(account) | {"FindingIds": [theirs[0], own[0]]}
    found = ask(cloud, "guardduty", "GetFindings", params)["Findings"]
    assert [item["AccountId"] for item in found] == [TWO, ONE]


# Config and Systems Manager


def selected(cloud: Cloud, expression: str) -> list[Item]:
    """Rows of the advanced query."""
    listing = next(item for item in LISTINGS if item.operation == "SelectResourceConfig")
    return [json.loads(row) for row in listing.everything(cloud, Expression=expression)]


def test_the_advanced_query_selects_nested_columns_and_filters() -> None:
    """Columns nest as in the item; what an item lacks is left out of its row."""
    account = small()
    found = selected(
        cloud_of(account, page_size=4),
        "SELECT resourceId, resourceName, configuration.instanceType, configuration.state.name "
        "WHERE resourceType = 'AWS::EC2::Instance' AND configuration.state.name <> 'stopped'",
    )
    assert found == [
        {
            "resourceId": item["InstanceId"],
            "configuration": {"instanceType": item["InstanceType"], "state": {"name": "running"}},
        }
        for item in account.items("ec2", "instances", "us-east-1")
        if item["State"]["Name"] == "running"
    ]


def test_the_advanced_query_knows_in_like_and_order() -> None:
    """Several types at once, by list or by beginning."""
    cloud = cloud_of(small())
    kinds = "('AWS::EC2::Volume', 'AWS::EC2::Subnet')"
    several = selected(
        cloud, f"select resourceType, resourceId where resourceType in {kinds} order by resourceId"
    )
    alike = selected(cloud, "SELECT resourceType WHERE resourceType LIKE 'AWS::EC2::%'")
    assert [item["resourceId"] for item in several] == sorted(it["resourceId"] for it in several)
    assert {item["resourceType"] for item in several} == {"AWS::EC2::Volume", "AWS::EC2::Subnet"}
    assert {item["resourceType"] for item in alike} == {
        "AWS::EC2::Volume", "AWS::EC2::Subnet", "AWS::EC2::Instance",
    }  # fmt: skip


def test_the_advanced_query_counts() -> None:
    """Resources by their own compliance, which Config records as resources too."""
    account = small()
    rows = selected(
        cloud_of(account),
        "SELECT configuration.complianceType, COUNT(*) "
        "WHERE resourceType = 'AWS::Config::ResourceCompliance' "
        "GROUP BY configuration.complianceType",
    )
    told = {row["configuration"]["complianceType"]: row["COUNT(*)"] for row in rows}
    verdicts: dict[str, set[str]] = {}
    for item in account.items("config", "evaluations", "us-east-1"):
        qualifier = item["EvaluationResultIdentifier"]["EvaluationResultQualifier"]
        if qualifier["EvaluationMode"] == "DETECTIVE":
            verdicts.setdefault(qualifier["ResourceId"], set()).add(item["ComplianceType"])
    bad = sum("NON_COMPLIANT" in types for types in verdicts.values())
    assert told["NON_COMPLIANT"] == bad
    assert sum(told.values()) == len(verdicts)


@pytest.mark.parametrize(
    ("where", "test"),
    [
        ("NOT resourceType LIKE 'AWS::EC2::%'", lambda it: "AWS::EC2" not in it["resourceType"]),
        ("resourceType NOT IN ('AWS::EC2::Volume')", lambda it: "Volume" not in it["resourceType"]),
        (
            "configuration.size >= 500 OR configuration.multiAZ = true",
            lambda it: (
                (dig(it, "configuration.size") or 0) >= 500
                or dig(it, "configuration.multiAZ") is True
            ),
        ),
        (
            "configuration.size BETWEEN 30 AND 110 AND (availabilityZone = 'us-east-1a' "
            "OR availabilityZone = 'us-east-1b')",
            lambda it: (
                30 <= (dig(it, "configuration.size") or 0) <= 110
                and it["availabilityZone"] in ("us-east-1a", "us-east-1b")
            ),
        ),
        ("configuration.vpcId <> 'vpc-none'", lambda it: True),
    ],
)
def test_the_advanced_query_joins_conditions(where: str, test: Callable[[Item], bool]) -> None:
    """With AND, OR, NOT and parentheses, numbers and booleans."""
    account = small()
    found = selected(cloud_of(account), f"SELECT resourceId WHERE {where}")
    expected = [item["resourceId"] for item in recorded(account) if test(item)]
    assert [row["resourceId"] for row in found] == expected
    assert expected


@pytest.mark.parametrize(
    "expression",
    [
        "DELETE FROM resources",
        "SELECT",
        "SELECT resourceId WHERE",
        "SELECT resourceId WHERE resourceType = AWS",
        "SELECT resourceId WHERE accountId = '1' OR",
        "SELECT resourceId, COUNT(*)",
        "SELECT COUNT(*) LIMIT 5",
        "SELECT a, b, c, d, COUNT(*) GROUP BY a, b, c, d",
        "SELECT resourceId WHERE (accountId = '1'",
    ],
)
def test_the_advanced_query_refuses_what_it_does_not_understand(expression: str) -> None:
    """An error, never a guess."""
    with pytest.raises(AwsError, match="InvalidExpressionException"):
        selected(cloud_of(small()), expression)


def test_config_without_a_recorder_discovers_nothing() -> None:
    """Where Config is off its discovery is an error, as in AWS."""
    account = generate(ONE, Size.empty(), seed=1, today=TODAY, regions=REGIONS)
    params = {"resourceType": "AWS::EC2::Volume"}
    with pytest.raises(AwsError, match="NoAvailableConfigurationRecorderException"):
        ask(cloud_of(account), "config", "ListDiscoveredResources", params)
    assert ask(cloud_of(account), "config", "DescribeConfigurationRecorderStatus") == {
        "ConfigurationRecordersStatus": []
    }


def test_config_gives_items_by_name() -> None:
    """Known ones typed and without tags; unknown ones are left out."""
    account = small()
    item = account.items("config", "resources", "us-east-1")[0]
    keys = [
        {"resourceType": item["resourceType"], "resourceId": item["resourceId"]},
        {"resourceType": "AWS::EC2::Volume", "resourceId": "vol-none"},
    ]
    cloud = cloud_of(account)
    response = ask(cloud, "config", "BatchGetResourceConfig", {"resourceKeys": keys})
    [found] = response["baseConfigurationItems"]
    assert json.loads(found["configuration"]) == item["configuration"]
    assert "tags" not in found


def test_config_compliance_can_be_asked_for_by_type() -> None:
    """Of rules and of results; INSUFFICIENT_DATA is no filter of results."""
    account = small()
    cloud = cloud_of(account)
    params = {"ComplianceTypes": ["NON_COMPLIANT"]}
    rules = ask(cloud, "config", "DescribeComplianceByConfigRule", params)
    results = ask(cloud, "config", "GetComplianceDetailsByConfigRule", first_rule(account) | params)
    bad = [item for item in rule_results(account) if item["ComplianceType"] == "NON_COMPLIANT"]
    assert bad
    assert results["EvaluationResults"] == bad
    assert rules["ComplianceByConfigRules"] == [
        item
        for item in expected_compliance(account)
        if item["Compliance"]["ComplianceType"] == "NON_COMPLIANT"
    ]
    wrong = first_rule(account) | {"ComplianceTypes": ["INSUFFICIENT_DATA"]}
    with pytest.raises(AwsError, match="INSUFFICIENT_DATA"):
        ask(cloud, "config", "GetComplianceDetailsByConfigRule", wrong)


def inventory(cloud: Cloud, **params: Any) -> list[Item]:
    """Entities of the inventory."""
    found: list[Item] = ask(cloud, "ssm", "GetInventory", params)["Entities"]
    return found


def test_inventory_filters_and_defaults() -> None:
    """InstanceInformation unless another type is asked for; terminated nodes can be refused."""
    account = small()
    cloud = cloud_of(account)
    everything = inventory(cloud)
    assert all(set(item["Data"]) == {"AWS:InstanceInformation"} for item in everything)
    status = "AWS:InstanceInformation.InstanceStatus"
    alive = inventory(
        cloud, Filters=[{"Key": status, "Values": ["Terminated"], "Type": "NotEqual"}]
    )
    managed = [item["InstanceId"] for item in account.items("ssm", "instances", "us-east-1")]
    assert [item["Id"] for item in alive] == managed
    assert len(everything) == len(alive) + 1
    platform = {"Key": "AWS:InstanceInformation.PlatformType", "Values": ["Windows"]}
    windows = {
        item["InstanceId"]
        for item in account.items("ssm", "instances", "us-east-1")
        if item["PlatformType"] == "Windows"
    }
    assert {item["Id"] for item in inventory(cloud, Filters=[platform])} == windows
    counts = inventory(cloud, Aggregators=[{"Expression": platform["Key"]}])
    contents = [item["Data"]["AWS:InstanceInformation"]["Content"][0] for item in counts]
    assert sum(int(item["Count"]) for item in contents) == len(everything)


def test_managed_nodes_can_be_asked_for_by_filter() -> None:
    """By a filter that exists; another is an error."""
    account = small()
    cloud = cloud_of(account)
    online = {"Filters": [{"Key": "PingStatus", "Values": ["Online"]}]}
    found = ask(cloud, "ssm", "DescribeInstanceInformation", online)["InstanceInformationList"]
    everything = account.items("ssm", "instances", "us-east-1")
    assert found == [item for item in everything if item["PingStatus"] == "Online"]
    wrong = {"Filters": [{"Key": "Colour", "Values": ["red"]}]}
    with pytest.raises(AwsError, match="InvalidFilterKey"):
        ask(cloud, "ssm", "DescribeInstanceInformation", wrong)


def test_patches_can_be_asked_for_by_state() -> None:
    """Filters write the states differently than answers do."""
    account = small()
    params = first_instance(account) | {
        "Filters": [{"Key": "State", "Values": ["InstalledOther", "Missing"]}]
    }
    found = ask(cloud_of(account), "ssm", "DescribeInstancePatches", params)["Patches"]
    everything = account.items("ssm", "patches", "us-east-1")[0]["Patches"]
    wanted = ("INSTALLED_OTHER", "MISSING")
    assert found == [item for item in everything if item["State"] in wanted]


# Keys, certificates, secrets, trails, web ACLs


def test_acm_hides_most_certificates_until_asked() -> None:
    """By default only small RSA keys, and none that came through ACME."""
    account = small()
    cloud = cloud_of(account)
    everything = account.items("acm", "certificates", "us-east-1")
    listed = ask(cloud, "acm", "ListCertificates")["CertificateSummaryList"]
    assert listed == [
        item
        for item in everything
        if item["KeyAlgorithm"] in ("RSA_1024", "RSA_2048")
        and item["CertificateKeyPairOrigin"] != "ACME"
    ]
    assert {"EC_prime256v1", "RSA_2048"} <= {item["KeyAlgorithm"] for item in everything}
    assert "ACME" in {item["CertificateKeyPairOrigin"] for item in everything}
    issued = ask(cloud, "acm", "ListCertificates", ALL_CERTIFICATES | {
        "CertificateStatuses": ["EXPIRED"]})["CertificateSummaryList"]  # fmt: skip
    assert issued == [item for item in everything if item["Status"] == "EXPIRED"]
    for item in everything:
        params = {"CertificateArn": item["CertificateArn"]}
        detail = ask(cloud, "acm", "DescribeCertificate", params)["Certificate"]
        assert detail.get("NotAfter") == item.get("NotAfter")
        assert detail["DomainName"] == item["DomainName"]


def test_only_symmetric_keys_rotate() -> None:
    """Others are an error, AWS's own keys always do."""
    account = small()
    cloud = cloud_of(account)
    for key in account.items("kms", "keys", "us-east-1"):
        params = {"KeyId": key["KeyId"]}
        if key["KeySpec"] != "SYMMETRIC_DEFAULT":
            with pytest.raises(AwsError, match="UnsupportedOperationException"):
                ask(cloud, "kms", "GetKeyRotationStatus", params)
        elif key["KeyManager"] == "AWS":
            assert ask(cloud, "kms", "GetKeyRotationStatus", params)["KeyRotationEnabled"]


def test_secrets_planned_for_deletion_are_listed_on_demand() -> None:
    """They are hidden by default."""
    account = small()
    listed = ask(cloud_of(account), "secretsmanager", "ListSecrets")["SecretList"]
    everything = account.items("secretsmanager", "secrets", "us-east-1")
    assert listed == [item for item in everything if "DeletedDate" not in item]
    assert len(listed) < len(everything)


def test_trails_of_other_regions_are_shadows() -> None:
    """Multi-region trails are seen everywhere, their status is told by ARN."""
    account = small()
    cloud = cloud_of(account)
    own = account.items("cloudtrail", "trails", "eu-west-1")
    alone = ask(cloud, "cloudtrail", "DescribeTrails", {"includeShadowTrails": False},
                region="eu-west-1")["trailList"]  # fmt: skip
    seen = ask(cloud, "cloudtrail", "DescribeTrails", region="eu-west-1")["trailList"]
    shadows = [item for item in seen if item not in own]
    assert alone == own
    assert {item["HomeRegion"] for item in shadows} == {"us-east-1"}
    assert {item["IsOrganizationTrail"] for item in shadows} == {True, False}
    for item in seen:
        status = ask(cloud, "cloudtrail", "GetTrailStatus", {"Name": item["TrailARN"]},
                     region="eu-west-1")  # fmt: skip
        assert status["LatestDeliveryTime"] <= NOW


def test_events_are_looked_up_by_time_and_attribute() -> None:
    """The newest first, within the span, at most one attribute."""
    account = small()
    cloud = cloud_of(account)
    events = account.items("cloudtrail", "events", "us-east-1")
    start, end = account.ago(1), account.ago(0)
    params: dict[str, Any] = {"StartTime": start, "EndTime": end}
    found = ask(cloud, "cloudtrail", "LookupEvents", params)["Events"]
    assert found == [item for item in events if start <= item["EventTime"] <= end]
    name = {"AttributeKey": "EventName", "AttributeValue": "AssumeRole"}
    named = ask(cloud, "cloudtrail", "LookupEvents", {"LookupAttributes": [name]})["Events"]
    assert {item["EventName"] for item in named} == {"AssumeRole"}
    with pytest.raises(AwsError, match="only one"):
        ask(cloud, "cloudtrail", "LookupEvents", {"LookupAttributes": [name, name]})
    with pytest.raises(AwsError, match="InvalidTimeRangeException"):
        ask(cloud, "cloudtrail", "LookupEvents", {"StartTime": end, "EndTime": start})


def test_web_acls_tell_what_they_protect() -> None:
    """Load balancers by default, each other type by name; CloudFront's are CloudFront's."""
    account = small()
    cloud = cloud_of(account)
    associations = account.items("wafv2", "associations", "us-east-1")
    assert len({item["ResourceType"] for item in associations}) == 7
    for item in associations:
        params = {"WebACLArn": item["WebACLArn"], "ResourceType": item["ResourceType"]}
        response = ask(cloud, "wafv2", "ListResourcesForWebACL", params)
        assert item["ResourceArn"] in response["ResourceArns"]
    default = ask(cloud, "wafv2", "ListResourcesForWebACL",
                  {"WebACLArn": associations[0]["WebACLArn"]})  # fmt: skip
    assert all("loadbalancer" in arn for arn in default["ResourceArns"])
    assert any(":global/" in item["WebACLArn"] for item in associations)
    front = account.items("wafv2", "cloudfront", "us-east-1")[0]["ARN"]
    with pytest.raises(AwsError, match="WAFInvalidParameterException"):
        ask(cloud, "wafv2", "ListResourcesForWebACL", {"WebACLArn": front})
    with pytest.raises(AwsError, match="scope is not valid"):
        ask(cloud, "wafv2", "ListWebACLs", {"Scope": "CLOUDFRONT"}, region="eu-west-1")
    nobody = ask(cloud, "cloudfront", "ListDistributionsByWebACLId", {"WebACLId": "none"})
    assert nobody["DistributionList"]["Quantity"] == 0


def test_a_web_acl_without_logging_says_so() -> None:
    """An error that means: nothing is logged."""
    account = small()
    arn = account.items("wafv2", "regional", "us-east-1")[1]["ARN"]
    with pytest.raises(AwsError, match="WAFNonexistentItemException"):
        ask(cloud_of(account), "wafv2", "GetLoggingConfiguration", {"ResourceArn": arn})


# Account, EC2


def test_an_account_without_alternate_contacts() -> None:
    """ResourceNotFoundException for each type."""
    account = generate(ONE, Size.empty(), seed=1, today=TODAY, regions=REGIONS)
    for kind in ("BILLING", "OPERATIONS", "SECURITY"):
        params = {"AlternateContactType": kind}
        with pytest.raises(AwsError, match="ResourceNotFoundException"):
            ask(cloud_of(account), "account", "GetAlternateContact", params)


def test_account_information_of_others_is_the_payers() -> None:
    """A payer reads its members', nobody else another's."""
    payer, member = replace(small(), payer_for=(TWO,)), small(TWO)
    cloud = cloud_of(payer, member)
    found = ask(cloud, "account", "GetAccountInformation", {"AccountId": TWO})
    assert found["AccountId"] == TWO
    with pytest.raises(AwsError, match="AccessDeniedException"):
        ask(cloud, "account", "GetAccountInformation", {"AccountId": ONE}, account=TWO)


def test_ec2_filters_sizes_and_regions() -> None:
    """Filters leave what meets them, sizes have bounds, regions may be opted out of."""
    account = small()
    cloud = cloud_of(account)
    servers = account.items("ec2", "instances", "us-east-1")
    running = {"Filters": [{"Name": "instance-state-name", "Values": ["running"]}]}
    held = ask(cloud, "ec2", "DescribeInstances", running)["Reservations"]
    found = [item for reservation in held for item in reservation["Instances"]]
    assert found == [item for item in servers if item["State"]["Name"] == "running"]
    for wrong in ({"MaxResults": 4}, {"Filters": [{"Name": "colour", "Values": ["red"]}]}):
        with pytest.raises(AwsError, match="InvalidParameterValue"):
            ask(cloud, "ec2", "DescribeInstances", wrong)
    [vpc] = ask(cloud, "ec2", "DescribeVpcs")["Vpcs"]
    assert {item["VpcId"] for item in servers} == {vpc["VpcId"]}
    enabled = ask(cloud, "ec2", "DescribeRegions")["Regions"]
    everything = ask(cloud, "ec2", "DescribeRegions", {"AllRegions": True})["Regions"]
    assert [item["RegionName"] for item in enabled] == sorted(REGIONS)
    assert "not-opted-in" in {item["OptInStatus"] for item in everything}


def test_buckets_come_with_regions_only_when_a_parameter_is_given() -> None:
    """A request without parameters is not paged either."""
    account = small()
    cloud = cloud_of(account, page_size=2)
    plain = ask(cloud, "s3", "ListBuckets")
    assert len(plain["Buckets"]) == account.size.buckets
    assert all("BucketRegion" not in item for item in plain["Buckets"])


# Support, Health, Application Signals, Resilience Hub, Compute Optimizer, Marketplace


def test_resolved_cases_are_hidden_by_default() -> None:
    """They come when they are asked for, without communications if those are not wanted."""
    account = small()
    cloud = cloud_of(account)
    cases = account.items("support", "cases")
    listing = next(item for item in LISTINGS if item.operation == "DescribeCases")
    found = listing.everything(cloud, includeResolvedCases=False)
    assert found == [item for item in cases if item["status"] != "resolved"]
    assert 0 < len(found) < len(cases)
    terse = listing.everything(cloud, includeCommunications=False)
    assert terse == [less(item, "recentCommunications") for item in cases]


def test_cases_are_found_by_what_was_said() -> None:
    """An old case that was answered yesterday is yesterday's too."""
    account = small()
    listing = next(item for item in LISTINGS if item.operation == "DescribeCases")
    span = {"afterTime": "2026-11-21T00:00:00Z", "beforeTime": "2026-11-22T00:00:00Z"}
    found = listing.everything(cloud_of(account), **span)
    created = [item["timeCreated"] for item in found]
    assert any(moment >= "2026-11-21" for moment in created)
    assert any(moment < "2026-11-21" for moment in created)
    assert len(found) < len(account.items("support", "cases"))


def test_health_filters() -> None:
    """By status, service, region and the time of the last update."""
    account = small()
    cloud = cloud_of(account)
    events = account.items("health", "events")
    start, end = account.ago(1), account.ago(0)

    def found(**wanted: Any) -> list[Item]:
        return list(ask(cloud, "health", "DescribeEvents", {"filter": wanted})["events"])

    spans = [{"from": start, "to": end}]
    updated = [item for item in events if start <= item["lastUpdatedTime"] <= end]
    assert found(lastUpdatedTimes=spans) == updated
    assert 0 < len(updated) < len(events)
    for status in ("open", "closed", "upcoming"):
        expected = [item for item in events if item["statusCode"] == status]
        assert found(eventStatusCodes=[status]) == expected
        assert expected
    assert {item["region"] for item in found(regions=["global"])} == {"global"}
    server = account.items("health", "entities")[0]["entityValue"]
    assert {item["service"] for item in found(entityValues=[server])} == {"EC2"}


def test_unknown_health_events_fail_one_by_one() -> None:
    """The others are described all the same."""
    account = small()
    known = account.items("health", "events")[0]["arn"]
    unknown = "arn:aws:health:us-east-1::event/EC2/NONE/NONE_1"
    params = {"eventArns": [known, unknown]}
    response = ask(cloud_of(account), "health", "DescribeEventDetails", params)
    assert [item["event"]["arn"] for item in response["successfulSet"]] == [known]
    assert [item["eventArn"] for item in response["failedSet"]] == [unknown]


def test_application_signals_looks_back_a_day_at_most() -> None:
    """And shows what had been seen by then."""
    account = small()
    cloud = cloud_of(account)
    long = {"StartTime": NOW - 25 * HOUR, "EndTime": NOW}
    with pytest.raises(AwsError, match="24 hours"):
        ask(cloud, "application-signals", "ListServices", long)
    with pytest.raises(AwsError, match="before EndTime"):
        ask(cloud, "application-signals", "ListServices", {"StartTime": NOW, "EndTime": NOW})
    earlier = {"StartTime": NOW - 72 * HOUR, "EndTime": NOW - 48 * HOUR}
    found = ask(cloud, "application-signals", "ListServices", earlier)["ServiceSummaries"]
    assert found == account.items("application-signals", "services", "us-east-1")[:-1]


def test_resilience_hub_takes_one_filter() -> None:
    """By name, or by the time of the last assessment."""
    account = small()
    cloud = cloud_of(account)
    named = ask(cloud, "resiliencehub", "ListApps", {"name": "app-001"})["appSummaries"]
    assert [item["name"] for item in named] == ["app-001"]
    start = account.ago(1)
    recent = ask(cloud, "resiliencehub", "ListApps", {"fromLastAssessmentTime": start})
    times = [item["lastAppComplianceEvaluationTime"] for item in recent["appSummaries"]]
    assert times
    assert min(times) >= start
    both = {"name": "app-001", "fromLastAssessmentTime": start}
    with pytest.raises(AwsError, match="Only one filter"):
        ask(cloud, "resiliencehub", "ListApps", both)


def test_compute_optimizer_answers_for_members() -> None:
    """For one account at a time, and none that is a stranger."""
    payer, member = replace(small(), payer_for=(TWO,)), small(TWO)
    cloud = cloud_of(payer, member)
    found = ask(cloud, "compute-optimizer", "GetEC2InstanceRecommendations", {"accountIds": [TWO]})
    assert {item["accountId"] for item in found["instanceRecommendations"]} == {TWO}
    finding = {"filters": [{"name": "Finding", "values": ["Overprovisioned"]}]}
    over = ask(cloud, "compute-optimizer", "GetEC2InstanceRecommendations", finding)
    assert {item["finding"] for item in over["instanceRecommendations"]} == {"Overprovisioned"}
    for wrong in ([ONE, TWO], ["999999999999"]):
        with pytest.raises(AwsError, match="account"):
            ask(cloud, "compute-optimizer", "GetEBSVolumeRecommendations", {"accountIds": wrong})


def test_cost_optimization_hub_sums_up() -> None:
    """The total is that of the groups, whatever they are grouped by."""
    account = small()
    cloud = cloud_of(account)
    totals = set()
    for group in ("ResourceType", "Region", "AccountId", "ActionType"):
        params = {"groupBy": group}
        response = ask(cloud, "cost-optimization-hub", "ListRecommendationSummaries", params)
        totals.add(round(response["estimatedTotalDedupedSavings"], 6))
        amounts = [item["estimatedMonthlySavings"] for item in response["items"]]
        assert sum(amounts) == pytest.approx(response["estimatedTotalDedupedSavings"])
    assert len(totals) == 1
    assert ask(cloud, "cost-optimization-hub", "GetPreferences")["savingsEstimationMode"]
    enrolled = ask(cloud, "cost-optimization-hub", "ListEnrollmentStatuses")["items"]
    assert enrolled == [{"accountId": ONE, "status": "Active"}]


def test_agreements_are_searched_as_acceptor() -> None:
    """The party has to be named; an agreement leads to its terms and charges."""
    account = small()
    cloud = cloud_of(account)
    with pytest.raises(AwsError, match="PartyType"):
        ask(cloud, "marketplace-agreement", "SearchAgreements")
    params = {"agreementId": account.items("marketplace-agreement", "agreements")[0]["agreementId"]}
    charges = ask(cloud, "marketplace-agreement", "DescribeAgreement", params)["estimatedCharges"]
    assert charges["currencyCode"] == "USD"
    terms = ask(cloud, "marketplace-agreement", "GetAgreementTerms", params)["acceptedTerms"]
    assert len(terms) == 3


def test_licenses_lead_to_entitlements() -> None:
    """The product code of each license of AWS Marketplace has entitlements."""
    account = small()
    cloud = cloud_of(account)
    params = {"Filters": [{"Name": "IssuerName", "Values": ["AWS/Marketplace"]}]}
    found = ask(cloud, "license-manager", "ListReceivedLicenses", params)["Licenses"]
    assert len(found) == account.size.licenses
    for item in found:
        code = {"ProductCode": item["ProductSKU"]}
        entitled = ask(cloud, "marketplace-entitlement", "GetEntitlements", code)["Entitlements"]
        assert {entry["LicenseArn"] for entry in entitled} == {item["LicenseArn"]}


# Cost Explorer


def costs(cloud: Cloud, /, account: str = ONE, **params: Any) -> list[Item]:
    """ResultsByTime of all pages, those of one period joined."""
    request = last_days(7) | params
    found: dict[str, Item] = {}
    while True:
        response = ask(cloud, "ce", "GetCostAndUsage", request, account)
        for item in response["ResultsByTime"]:
            key = item["TimePeriod"]["Start"]
            known = found.setdefault(key, item | {"Groups": []})
            known["Groups"] += item["Groups"]
        if "NextPageToken" not in response:
            return list(found.values())
        request = request | {"NextPageToken": response["NextPageToken"]}


def by(*names: str) -> list[dict[str, str]]:
    """Cost Explorer's groups of dimensions."""
    return [{"Type": "DIMENSION", "Key": name} for name in names]


def amount(metrics: dict[str, Any], name: str = "UnblendedCost") -> Decimal:
    """An amount with all its digits."""
    return Decimal(metrics[name]["Amount"])


def test_costs_by_group_add_up_to_the_total_to_the_last_digit() -> None:
    """On every day, whatever the groups, over pages that end within a day."""
    cloud = cloud_of(small(), page_size=5)
    totals = {item["TimePeriod"]["Start"]: amount(item["Total"]) for item in costs(cloud)}
    assert len(totals) == 7
    assert any(len(str(value).partition(".")[2]) == 10 for value in totals.values())
    for groups in (by("SERVICE"), by("SERVICE", "USAGE_TYPE"), by("REGION")):
        for item in costs(cloud, GroupBy=groups):
            assert item["Total"] == {}
            total = sum(amount(held["Metrics"]) for held in item["Groups"])
            assert total == totals[item["TimePeriod"]["Start"]]
            keys = [tuple(held["Keys"]) for held in item["Groups"]]
            assert len(keys) == len(set(keys)) > 0


def test_a_page_of_costs_may_end_within_a_day() -> None:
    """So that a reader has to join the parts."""
    cloud = cloud_of(small(), page_size=5)
    params = last_days(2) | {"GroupBy": by("SERVICE", "USAGE_TYPE")}
    first = ask(cloud, "ce", "GetCostAndUsage", params)
    second = ask(cloud, "ce", "GetCostAndUsage", params | {"NextPageToken": first["NextPageToken"]})
    days = [held["ResultsByTime"][0]["TimePeriod"]["Start"] for held in (first, second)]
    assert days[0] == days[1]


def test_months_are_the_sum_of_their_days() -> None:
    """A month's part is as good as a month."""
    cloud = cloud_of(small())
    span: dict[str, Any] = {"TimePeriod": {"Start": "2026-10-30", "End": "2026-11-03"}}
    days = [amount(item["Total"]) for item in costs(cloud, **span)]
    months = [amount(item["Total"]) for item in costs(cloud, **span, Granularity="MONTHLY")]
    assert months == [sum(days[:2]), sum(days[2:])]


def test_a_restatement_changes_the_days_from_then_on() -> None:
    """Only those, and every time anew."""
    account = small()
    cloud = cloud_of(account)

    def told() -> list[Decimal]:
        return [amount(item["Total"]) for item in costs(cloud)]

    before = told()
    cloud.restate(ONE, since=TODAY - timedelta(days=3))
    after = told()
    cloud.restate(ONE, since=TODAY - timedelta(days=1))
    again = told()
    assert before[:4] == after[:4] == again[:4]
    assert all(old != new for old, new in zip(before[4:], after[4:], strict=True))
    assert after[:6] == again[:6]
    assert after[6] != again[6]


def test_a_payer_sees_its_members_apart() -> None:
    """In total by default; by account when grouped; its own when filtered."""
    payer, member = replace(small(), payer_for=(TWO,)), small(TWO)
    cloud = cloud_of(payer, member)
    own = {"Dimensions": {"Key": "LINKED_ACCOUNT", "Values": [ONE]}}
    whole = [amount(item["Total"]) for item in costs(cloud)]
    mine = [amount(item["Total"]) for item in costs(cloud, Filter=own)]
    theirs = [amount(item["Total"]) for item in costs(cloud, account=TWO)]
    assert whole == [one + other for one, other in zip(mine, theirs, strict=True)]
    for item in costs(cloud, GroupBy=by("LINKED_ACCOUNT", "SERVICE")):
        assert {held["Keys"][0] for held in item["Groups"]} == {ONE, TWO}
    others = [amount(item["Total"]) for item in costs(cloud, Filter={"Not": own})]
    assert others == theirs


def test_costs_are_filtered_by_expressions() -> None:
    """And, Or and Not of dimensions."""
    cloud = cloud_of(small())
    tax = {"Dimensions": {"Key": "RECORD_TYPE", "Values": ["Tax"]}}
    refund = {"Dimensions": {"Key": "SERVICE", "Values": ["Refund"]}}
    bought = {"Dimensions": {"Key": "BILLING_ENTITY", "Values": ["AWS Marketplace"]}}

    def services(wanted: dict[str, Any]) -> set[str]:
        found = costs(cloud, Filter=wanted, GroupBy=by("SERVICE"))
        return {held["Keys"][0] for item in found for held in item["Groups"]}

    assert services({"Or": [tax, refund]}) == {"Tax", "Refund"}
    assert services({"And": [tax, refund]}) == set()
    assert not services({"And": [{"Not": tax}, {"Not": bought}]}) & {"Tax", "Datadog Pro"}
    assert "Datadog Pro" in services(bought)


COST_ERRORS = [
    ({"GroupBy": by("SERVICE", "REGION", "USAGE_TYPE")}, "more than 2"),
    ({"Metrics": ["Cost"]}, "not one of the supported metrics"),
    ({"Metrics": []}, "metric"),
    ({"Granularity": "HOURLY"}, "not enabled"),
    ({"TimePeriod": {"Start": "2026-11-02", "End": "2026-11-02"}}, "must be before"),
    ({"TimePeriod": {"Start": "2026-11-02", "End": "2026-12-02"}}, "beginning of next month"),
    ({"TimePeriod": {"Start": "2025-08-31", "End": "2026-11-02"}}, "14 months"),
    ({"TimePeriod": {"Start": "2026-13-02", "End": "2026-11-02"}}, "Invalid date"),
    ({"Filter": {"Not": {}, "Dimensions": {}}}, "more than one root"),
    ({"NextPageToken": "none"}, "InvalidNextTokenException"),
]


@pytest.mark.parametrize(("params", "message"), COST_ERRORS)
def test_cost_explorer_refuses(params: dict[str, Any], message: str) -> None:
    """What AWS refuses."""
    with pytest.raises(AwsError, match=message):
        costs(cloud_of(small()), **params)


def test_days_without_costs_are_told_as_such() -> None:
    """An account that has used nothing has a result for every day."""
    account = generate(ONE, Size.empty(), seed=1, today=TODAY, regions=REGIONS)
    found = costs(cloud_of(account), GroupBy=by("SERVICE"))
    assert [item["TimePeriod"]["Start"][-2:] for item in found] == [
        "15", "16", "17", "18", "19", "20", "21",
    ]  # fmt: skip
    assert all(item["Groups"] == [] for item in found)
    zeros = costs(cloud_of(account))
    assert {item["Total"]["UnblendedCost"]["Amount"] for item in zeros} == {"0"}


def predicted(cloud: Cloud, **params: Any) -> dict[str, Any]:
    """A forecast of the thirty days from today on."""
    request = {
        "TimePeriod": {"Start": f"{TODAY}", "End": f"{TODAY + timedelta(days=30)}"},
        "Metric": "UNBLENDED_COST",
        "Granularity": "DAILY",
    }
    return ask(cloud, "ce", "GetCostForecast", request | params)


def test_a_forecast_has_bounds_when_a_level_is_given() -> None:
    """Around the mean; the total is that of the days."""
    cloud = cloud_of(small())
    plain = predicted(cloud)["ForecastResultsByTime"]
    bounded = predicted(cloud, PredictionIntervalLevel=80)
    assert len(plain) == 30
    assert all("PredictionIntervalLowerBound" not in item for item in plain)
    means = [Decimal(item["MeanValue"]) for item in bounded["ForecastResultsByTime"]]
    assert sum(means) == Decimal(bounded["Total"]["Amount"])
    for item in bounded["ForecastResultsByTime"]:
        low, mean, high = (
            Decimal(item[name])
            for name in (
                "PredictionIntervalLowerBound", "MeanValue", "PredictionIntervalUpperBound",
            )
        )  # fmt: skip
        assert low < mean < high


def test_a_young_account_has_no_forecast() -> None:
    """Nor has one without costs, nor has the past."""
    young = small()
    young.created = young.ago(5)
    empty = generate(ONE, Size.empty(), seed=1, today=TODAY, regions=REGIONS)
    for account in (young, empty):
        with pytest.raises(AwsError, match="DataUnavailableException"):
            predicted(cloud_of(account))
    with pytest.raises(AwsError, match="past"):
        predicted(cloud_of(small()), TimePeriod={"Start": "2026-11-20", "End": "2026-11-30"})
    with pytest.raises(AwsError, match="3 months"):
        predicted(cloud_of(small()), TimePeriod={"Start": f"{TODAY}", "End": "2027-06-01"})


def test_anomalies_are_those_that_ended_in_the_interval() -> None:
    """A payer sees its members' too."""
    payer, member = replace(small(), payer_for=(TWO,)), small(TWO)
    cloud = cloud_of(payer, member)
    interval = {"DateInterval": {"StartDate": "2026-11-21", "EndDate": "2026-11-21"}}
    found = ask(cloud, "ce", "GetAnomalies", interval)["Anomalies"]
    assert {item["AnomalyEndDate"] for item in found} == {"2026-11-21T00:00:00Z"}
    accounts = {cause["LinkedAccount"] for item in found for cause in item["RootCauses"]}
    assert accounts == {ONE, TWO}


# Reserved capacity


DAY = {"TimePeriod": {"Start": "2026-11-20", "End": "2026-11-21"}}


def test_reservations_are_told_by_subscription_for_a_period() -> None:
    """Those in force, with what is known of them; the sum of the groups is the total."""
    account = small()
    cloud = cloud_of(account, page_size=3)
    request: dict[str, Any] = DAY | {"GroupBy": by("SUBSCRIPTION_ID")}
    found: list[Item] = []
    while True:
        response = ask(cloud, "ce", "GetReservationUtilization", request)
        found += response["UtilizationsByTime"][0]["Groups"]
        if "NextPageToken" not in response:
            break
        request = request | {"NextPageToken": response["NextPageToken"]}
    held = [item for region in REGIONS for item in account.items("ec2", "reserved", region)]
    active = [item["ReservedInstancesId"] for item in held if item["State"] == "active"]
    assert [item["Attributes"]["leaseId"] for item in found] == active
    assert len({item["Value"] for item in found} - set(active)) == len(active)
    assert len(active) < len(held)
    for name in ("PurchasedHours", "NetRISavings", "TotalAmortizedFee"):
        parts = [Decimal(item["Utilization"][name]) for item in found]
        assert sum(parts) == Decimal(response["Total"][name])
    days = ask(cloud, "ce", "GetReservationUtilization", DAY | {"Granularity": "DAILY"})
    assert days["UtilizationsByTime"][0]["Total"] == response["Total"]
    with pytest.raises(AwsError, match="Granularity"):
        ask(cloud, "ce", "GetReservationUtilization", request | {"Granularity": "DAILY"})


def test_reservations_of_one_service_are_told_at_once() -> None:
    """Of EC2 unless another one is named."""
    account = small()
    cloud = cloud_of(account)
    only = {"Dimensions": {"Key": "SERVICE", "Values": ["Amazon Relational Database Service"]}}
    request: dict[str, Any] = DAY | {"GroupBy": by("SUBSCRIPTION_ID"), "Filter": only}
    found = ask(cloud, "ce", "GetReservationUtilization", request)["UtilizationsByTime"][0]
    held = [item for region in REGIONS for item in account.items("rds", "reserved", region)]
    active = [item["LeaseId"] for item in held if item["State"] == "active"]
    assert [item["Attributes"]["leaseId"] for item in found["Groups"]] == active
    values = [*only["Dimensions"]["Values"], "Amazon Elastic Compute Cloud - Compute"]
    both = request | {"Filter": {"Dimensions": {"Key": "SERVICE", "Values": values}}}
    with pytest.raises(AwsError, match="one SERVICE"):
        ask(cloud, "ce", "GetReservationUtilization", both)


def test_the_days_of_a_savings_plan_are_those_of_its_details() -> None:
    """The same figures, told of one plan by day or of one day by plan."""
    account = small()
    cloud = cloud_of(account)
    arn = account.items("savingsplans", "plans")[1]["savingsPlanArn"]
    span = {"TimePeriod": {"Start": "2026-11-18", "End": "2026-11-21"}}
    only = {"Filter": {"Dimensions": {"Key": "SAVINGS_PLAN_ARN", "Values": [arn]}}}
    response = ask(cloud, "ce", "GetSavingsPlansUtilization", span | only)
    by_time = response["SavingsPlansUtilizationsByTime"]
    assert [item["TimePeriod"]["Start"] for item in by_time] == [
        "2026-11-18", "2026-11-19", "2026-11-20",
    ]  # fmt: skip
    details = ask(cloud, "ce", "GetSavingsPlansUtilizationDetails", DAY)
    [same] = [
        item for item in details["SavingsPlansUtilizationDetails"] if item["SavingsPlanArn"] == arn
    ]
    for name in ("Utilization", "Savings", "AmortizedCommitment"):
        assert by_time[-1][name] == same[name]
    net = [Decimal(item["Savings"]["NetSavings"]) for item in by_time]
    assert sum(net) == Decimal(response["Total"]["Savings"]["NetSavings"])
    long_ago = {"TimePeriod": {"Start": "2024-11-20", "End": "2024-11-21"}}
    with pytest.raises(AwsError, match="DataUnavailableException"):
        ask(cloud, "ce", "GetSavingsPlansUtilization", long_ago | only)


def test_savings_plans_are_told_for_a_period_as_a_whole() -> None:
    """Those in force, by page; a period without any has no data."""
    account = small()
    cloud = cloud_of(account, page_size=2)
    listing = Listing(
        "ce",
        "GetSavingsPlansUtilizationDetails",
        "SavingsPlansUtilizationDetails",
        truth=held("savingsplans", "plans", GLOBAL),
        params=lambda account: DAY,
    )
    pages = list(listing.pages(cloud))
    found = [item for page in pages for item in listing.items(page)]
    plans = account.items("savingsplans", "plans")
    in_force = [
        item["savingsPlanArn"]
        for item in plans
        if item["state"] == "active" and item["start"] < "2026-11-20"
    ]
    assert [item["SavingsPlanArn"] for item in found] == in_force
    used = [Decimal(item["Utilization"]["UsedCommitment"]) for item in found]
    assert sum(used) == Decimal(pages[0]["Total"]["Utilization"]["UsedCommitment"])
    long_ago = {"TimePeriod": {"Start": "2024-11-20", "End": "2024-11-21"}}
    with pytest.raises(AwsError, match="DataUnavailableException"):
        ask(cloud, "ce", "GetSavingsPlansUtilizationDetails", long_ago)
    ahead = {"TimePeriod": {"Start": "2026-11-20", "End": "2026-11-24"}}
    with pytest.raises(AwsError, match="future"):
        ask(cloud, "ce", "GetSavingsPlansUtilizationDetails", ahead)


def test_coverage_is_a_share_of_everything() -> None:
    """Of hours and of money, day by day."""
    cloud = cloud_of(small())
    days = {"TimePeriod": {"Start": "2026-11-18", "End": "2026-11-21"}, "Granularity": "DAILY"}
    by_reservations = ask(cloud, "ce", "GetReservationCoverage", days)["CoveragesByTime"]
    by_plans = ask(cloud, "ce", "GetSavingsPlansCoverage", days)["SavingsPlansCoverages"]
    assert len(by_reservations) == len(by_plans) == 3
    for item in by_reservations:
        told = item["Total"]["CoverageHours"]
        assert int(told["ReservedHours"]) + int(told["OnDemandHours"]) == int(
            told["TotalRunningHours"]
        )
    for item in by_plans:
        told = item["Coverage"]
        parts = Decimal(told["SpendCoveredBySavingsPlans"]) + Decimal(told["OnDemandCost"])
        assert parts == Decimal(told["TotalCost"])


def test_reservations_and_plans_are_described() -> None:
    """All reservations; of the plans, active ones unless others are asked for."""
    account = small()
    cloud = cloud_of(account)
    reserved = ask(cloud, "ec2", "DescribeReservedInstances")["ReservedInstances"]
    assert reserved == account.items("ec2", "reserved", "us-east-1")
    active = ask(cloud, "savingsplans", "DescribeSavingsPlans")["savingsPlans"]
    assert {item["state"] for item in active} == {"active"}


# An organization's views


def test_an_organizations_health_is_its_accounts_together() -> None:
    """Public events once, those of an account with the account that they are about."""
    account, member = small(), small(TWO)
    cloud = cloud_of(account, member, page_size=5)
    organization = in_organization(cloud)
    with pytest.raises(AwsError, match="no access to the organization"):
        ask(cloud, "health", "DescribeEventsForOrganization")
    organization.health_view = True
    listing = Listing(
        "health",
        "DescribeEventsForOrganization",
        "events",
        truth=held("health", "events", GLOBAL),
        token="nextToken",
    )
    found = [item["arn"] for item in listing.everything(cloud)]
    own, theirs = ({it["arn"] for it in one.items("health", "events")} for one in (account, member))
    assert set(found) == own | theirs
    assert len(found) == len(set(found))
    assert own & theirs
    for arn in found:
        response = ask(
            cloud, "health", "DescribeAffectedAccountsForOrganization", {"eventArn": arn}
        )
        about = [name for name, arns in ((ONE, own), (TWO, theirs)) if arn in arns]
        public = len(about) == 2
        assert response["eventScopeCode"] == ("PUBLIC" if public else "ACCOUNT_SPECIFIC")
        assert response["affectedAccounts"] == ([] if public else about)
    only = listing.everything(cloud, filter={"awsAccountIds": [TWO], "services": ["EC2"]})
    assert {item["arn"] for item in only} == {
        item["arn"] for item in member.items("health", "events") if item["service"] == "EC2"
    }
    with pytest.raises(AwsError, match="SubscriptionRequiredException"):
        ask(cloud, "health", "DescribeEventsForOrganization", account=TWO)
    organization.delegate(member, "health.amazonaws.com")
    assert ask(cloud, "health", "DescribeEventsForOrganization", account=TWO)["events"]


def in_organization(cloud: Cloud) -> Organization:
    """An organization of all accounts, the first being its payer."""
    payer, *members = cloud.accounts.values()
    organization = Organization(payer)
    cloud.organizations.append(organization)
    for member in members:
        organization.join(member)
    return organization


def test_an_organizations_enrollment_is_that_of_its_accounts() -> None:
    """By status; the management account is no member, and one that is not enrolled has nothing."""
    account, member = small(), small(TWO)
    cloud = cloud_of(account, member)
    organization = in_organization(cloud)
    named = ("compute-optimizer", "GetEnrollmentStatusesForOrganization")
    for status, lists in (("Active", 1), ("Inactive", 0)):
        member.replace(
            "compute-optimizer", "enrollment", GLOBAL,
            [{"status": status, "lastUpdatedTimestamp": account.ago(1)}],
        )  # fmt: skip
        [told] = ask(cloud, *named)["accountEnrollmentStatuses"]
        assert (told["accountId"], told["status"]) == (TWO, status)
        active = {"filters": [{"name": "Status", "values": ["Active"]}]}
        assert len(ask(cloud, *named, active)["accountEnrollmentStatuses"]) == lists
    with pytest.raises(AwsError, match="OptInRequiredException"):
        ask(cloud, "compute-optimizer", "GetEBSVolumeRecommendations", account=TWO)
    with pytest.raises(AwsError, match="AccessDeniedException"):
        ask(cloud, *named, account=TWO)
    organization.delegate(member, "compute-optimizer.amazonaws.com")
    assert ask(cloud, *named, account=TWO)["accountEnrollmentStatuses"]


def aggregating(*aggregators: Aggregator) -> Account:
    """An account with aggregators."""
    return replace(small(), aggregators=aggregators)


def test_an_aggregator_holds_what_its_accounts_hold() -> None:
    """Resources, compliance and results of all accounts in all their regions."""
    account, member = aggregating(Aggregator("all", "us-east-1", (ONE, TWO))), small(TWO)
    cloud = cloud_of(account, member)
    [told] = ask(cloud, "config", "DescribeConfigurationAggregators")["ConfigurationAggregators"]
    named = {"ConfigurationAggregatorName": told["ConfigurationAggregatorName"]}
    listing = Listing(
        "config",
        "SelectAggregateResourceConfig",
        "Results",
        truth=held("config", "resources"),
        params=lambda account: named | {"Expression": "SELECT accountId, resourceId"},
    )
    rows = [json.loads(row) for row in listing.everything(cloud)]
    assert [(row["accountId"], row["resourceId"]) for row in rows] == [
        (one.id, item["resourceId"])
        for one in (account, member)
        for region in REGIONS
        for item in recorded(one, region)
    ]
    rules = ask(cloud, "config", "DescribeAggregateComplianceByConfigRules", named | {
        "Filters": {"AccountId": TWO, "AwsRegion": "us-east-1"}})  # fmt: skip
    assert rules["AggregateComplianceByConfigRules"] == [
        item | {"AccountId": TWO, "AwsRegion": "us-east-1"} for item in expected_compliance(member)
    ]
    place = {"AccountId": TWO, "AwsRegion": "us-east-1"}
    results = ask(cloud, "config", "GetAggregateComplianceDetailsByConfigRule",
                  named | place | first_rule(member))  # fmt: skip
    expected = [item | place for item in rule_results(member)]
    assert results["AggregateEvaluationResults"] == expected
    with pytest.raises(AwsError, match="NoSuchConfigurationAggregatorException"):
        ask(cloud, "config", "SelectAggregateResourceConfig",
            named | {"Expression": "SELECT accountId"}, account=TWO)  # fmt: skip


def test_an_aggregator_says_what_it_does_not_hold() -> None:
    """What it could not read is not there, what is outdated is there in part, nor other types."""
    behind = {(TWO, "us-east-1"): "FAILED", (TWO, "eu-west-1"): "OUTDATED"}
    kinds = ("AWS::EC2::Volume",)
    account = aggregating(
        Aggregator("all", "us-east-1", (ONE, TWO), behind=behind),
        Aggregator("some", "us-east-1", (ONE,), types=kinds),
        Aggregator("elsewhere", "eu-west-1", (ONE, TWO)),
    )
    cloud = cloud_of(account, small(TWO), page_size=1)
    cloud.organizations.append(Organization(account))
    told = aggregators("DescribeConfigurationAggregators", "ConfigurationAggregators").everything(
        cloud
    )
    assert [held["ConfigurationAggregatorName"] for held in told] == ["all", "some"]
    assert [held.get("AggregatorFilters", {}).get("ResourceType") for held in told] == [
        None,
        {"Type": "INCLUDE", "Value": [*kinds]},
    ]
    states = sources_of(cloud, "all")
    assert [held for held in states if held[0] == TWO] == [
        (TWO, "us-east-1", "FAILED"), (TWO, "eu-west-1", "OUTDATED")
    ]  # fmt: skip
    assert [held for held in states if held[2] == "SUCCEEDED"] == sources_of(
        cloud, "all", UpdateStatus=["SUCCEEDED"]
    )
    assert {held[0] for held in states} == {cloud.organizations[0].id, ONE, TWO}
    cloud.page_size = None
    [row] = aggregate(cloud, "all", f"SELECT accountId, COUNT(*) WHERE accountId = '{TWO}' "
                                    "GROUP BY accountId")  # fmt: skip
    assert row["COUNT(*)"] == (len(recorded(cloud.accounts[TWO], "eu-west-1")) + 1) // 2
    found = aggregate(cloud, "some", "SELECT resourceType, COUNT(*) GROUP BY resourceType")
    assert [held["resourceType"] for held in found] == [*kinds]


def sources_of(cloud: Cloud, name: str, **params: Any) -> list[tuple[str, str | None, str]]:
    """(id, region, status) of an aggregator's sources."""
    named = {"ConfigurationAggregatorName": name, **params}
    found = aggregators(
        "DescribeConfigurationAggregatorSourcesStatus", "AggregatedSourceStatusList"
    ).everything(cloud, **named)
    return [(one["SourceId"], one.get("AwsRegion"), one["LastUpdateStatus"]) for one in found]


def aggregators(operation: str, member: str) -> Listing:
    """What Config lists about aggregators."""
    return Listing("config", operation, member, truth=lambda _: [])


def aggregate(cloud: Cloud, name: str, expression: str) -> list[Item]:
    """Rows of the advanced query over an aggregator."""
    params = {"ConfigurationAggregatorName": name, "Expression": expression}
    found = ask(cloud, "config", "SelectAggregateResourceConfig", params)["Results"]
    return [json.loads(row) for row in found]


# The generator


NEEDED = [
    ("account", "contact", GLOBAL, "AddressLine1 AddressLine2 AddressLine3 City CountryCode "
     "PostalCode StateOrRegion CompanyName PhoneNumber WebsiteUrl FullName"),
    ("account", "alternates", GLOBAL, "Name Title EmailAddress PhoneNumber"),
    ("acm", "certificates", "us-east-1", "DomainName Status Type NotAfter"),
    ("application-signals", "services", "us-east-1", "KeyAttributes MetricReferences"),
    ("cloudtrail", "trails", "us-east-1", "Name TrailARN IsMultiRegionTrail S3BucketName "
     "KmsKeyId LogFileValidationEnabled"),
    ("cloudtrail", "statuses", "us-east-1", "IsLogging LatestDeliveryTime"),
    ("compute-optimizer", "instances", "us-east-1", "instanceArn instanceName finding "
     "currentInstanceType utilizationMetrics recommendationOptions"),
    ("compute-optimizer", "volumes", "us-east-1", "currentConfiguration.volumeType "
     "currentConfiguration.volumeSize volumeRecommendationOptions"),
    ("compute-optimizer", "functions", "us-east-1", "currentMemorySize "
     "memorySizeRecommendationOptions"),
    ("config", "evaluations", "us-east-1", "Annotation ConfigRuleInvokedTime"),
    ("config", "resources", "us-east-1", "resourceName availabilityZone resourceCreationTime "
     "tags configuration.instanceType configuration.vpcId configuration.engine "
     "configuration.multiAZ configuration.size configuration.volumeType configuration.scheme "
     "configuration.minSize configuration.maxSize configuration.availableIpAddressCount "
     "configuration.state.name configuration.state.value configuration.type"),
    ("ec2", "instances", "us-east-1", "InstanceType State.Name VpcId LaunchTime Platform "
     "Placement.AvailabilityZone"),
    ("ec2", "volumes", "us-east-1", "Size VolumeType State CreateTime Encrypted"),
    ("ec2", "subnets", "us-east-1", "AvailableIpAddressCount VpcId State AvailabilityZone"),
    ("elbv2", "load_balancers", "us-east-1", "Scheme Type State.Code VpcId CreatedTime"),
    ("autoscaling", "groups", "us-east-1", "MinSize MaxSize Instances CreatedTime"),
    ("rds", "instances", "us-east-1", "Engine DBInstanceClass MultiAZ AllocatedStorage "
     "StorageType DBSubnetGroup.VpcId AvailabilityZone InstanceCreateTime DBInstanceStatus"),
    ("lambda", "functions", "us-east-1", "Runtime MemorySize LastModified VpcConfig.VpcId"),
    ("guardduty", "findings", "us-east-1", "Title Description Confidence Severity Type"),
    ("health", "events", GLOBAL, "arn service eventTypeCode region startTime endTime statusCode"),
    ("inspector2", "findings", "us-east-1", "severity status type title description "
     "firstObservedAt updatedAt"),
    ("kms", "keys", "us-east-1", "Description KeyUsage KeyState CreationDate Enabled"),
    ("resiliencehub", "apps", "us-east-1", "complianceStatus resiliencyScore status description "
     "creationTime lastAppComplianceEvaluationTime lastDriftEvaluationTime policyArn rpoInSecs"),
    ("resiliencehub", "assessments", "us-east-1", "cost.amount cost.currency cost.frequency"),
    ("secretsmanager", "secrets", "us-east-1", "Description CreatedDate LastChangedDate "
     "RotationEnabled"),
    ("securityhub", "findings", "us-east-1", "ProductName CompanyName ProductArn GeneratorId "
     "Remediation.Recommendation.Text Compliance.Status WorkflowState RecordState Region"),
    ("ssm", "instances", "us-east-1", "PlatformName IPAddress ComputerName PingStatus "
     "LastPingDateTime AgentVersion PlatformType PlatformVersion IsLatestVersion "
     "AssociationStatus LastAssociationExecutionDate LastSuccessfulAssociationExecutionDate"),
    ("support", "cases", GLOBAL, "displayId subject severityCode serviceCode categoryCode "
     "timeCreated submittedBy language recentCommunications.communications"),
    ("support", "results", GLOBAL, "timestamp resourcesSummary.resourcesFlagged "
     "categorySpecificSummary.costOptimizing.estimatedMonthlySavings"),
    ("wafv2", "regional", "us-east-1", "Description DefaultAction Rules"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("service", "kind", "region", "path"),
    [(*needed[:3], path) for needed in NEEDED for path in needed[3].split()],
)
def test_every_member_that_is_told_has_a_value_somewhere(
    service: str, kind: str, region: str, path: str
) -> None:
    """So that every column that rests on it can be shown to be filled."""
    found = [dig(item, path) for item in small().items(service, kind, region)]
    assert any(value not in (None, "", [], {}) for value in found)


SPREAD = [
    ("securityhub", "findings", "Severity.Label",
     {"CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL"}),
    ("securityhub", "findings", "Workflow.Status", {"NEW", "NOTIFIED", "RESOLVED", "SUPPRESSED"}),
    ("inspector2", "findings", "status", {"ACTIVE", "CLOSED", "SUPPRESSED"}),
    ("config", "evaluations", "ComplianceType",
     {"COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE"}),
    ("config", "evaluations",
     "EvaluationResultIdentifier.EvaluationResultQualifier.EvaluationMode",
     {"DETECTIVE", "PROACTIVE"}),
    ("kms", "keys", "KeyState", {"Enabled", "Disabled", "PendingDeletion"}),
    ("kms", "keys", "KeyManager", {"AWS", "CUSTOMER"}),
]  # fmt: skip


@pytest.mark.parametrize(("service", "kind", "path", "wanted"), SPREAD)
def test_every_state_that_matters_occurs(
    service: str, kind: str, path: str, wanted: set[str]
) -> None:
    """Each severity, status and state that is treated differently."""
    assert {dig(item, path) for item in small().items(service, kind, "us-east-1")} == wanted


def test_web_acls_hold_every_kind_of_rule() -> None:
    """Countries, rates, injection, scripting, managed groups, own groups, nested ones."""
    text = json.dumps(small().items("wafv2", "regional", "us-east-1"))
    for kind in ("GeoMatch", "RateBased", "SqliMatch", "XssMatch", "ManagedRuleGroup",
                 "RuleGroupReference", "And", "Or", "Not"):  # fmt: skip
        assert f'"{kind}Statement"' in text


def test_the_same_arguments_give_the_same_account() -> None:
    """Another seed, account or region gives another."""
    for service, kind in CONTENT:
        for region in (GLOBAL, "us-east-1"):
            assert small().items(service, kind, region) == small().items(service, kind, region)
    other = generate(ONE, Size.small(), seed=8, today=TODAY, regions=REGIONS)
    ids = [
        {item["InstanceId"] for item in account.items("ec2", "instances", region)}
        for account, region in (
            (small(), "us-east-1"),
            (small(), "eu-west-1"),
            (small(TWO), "us-east-1"),
            (other, "us-east-1"),
        )
    ]
    assert len(set.union(*ids)) == sum(map(len, ids))


def test_a_changed_list_is_answered_at_once() -> None:
    """Even if an answer had been remembered."""
    account = small()
    cloud = cloud_of(account)
    before = hub(cloud)
    account.replace("securityhub", "findings", "us-east-1", before[:3])
    assert hub(cloud) == before[:3]
    account.items("securityhub", "findings", "us-east-1").pop()
    account.touch()
    assert hub(cloud) == before[:2]


def test_sizes_scale() -> None:
    """Every count, and nothing that is absent appears."""
    assert Size.small().scaled(2).instances == 2 * Size.small().instances
    assert Size.empty().scaled(100) == Size.empty()
    assert Size.small().scaled(0.01).keys == 1
    large = Size.large()
    items = large.instances * (large.applications_per_instance + large.patches_per_instance)
    findings = large.security_hub_findings + large.guardduty_findings + large.inspector_findings
    assert (large.keys, large.instances, items, findings) == (2000, 500, 100_000, 20_000)


@pytest.mark.parametrize("region", REGIONS)
def test_one_story_for_each_account(region: str) -> None:
    """Managed nodes, findings, configuration items and recommendations name EC2's instances."""
    account = small()
    servers = {item["InstanceId"] for item in account.items("ec2", "instances", region)}
    managed = {item["InstanceId"] for item in account.items("ssm", "instances", region)}
    recorded = {
        item["resourceId"]
        for item in account.items("config", "resources", region)
        if item["resourceType"] == "AWS::EC2::Instance"
    }
    advised = {
        item["instanceArn"].rpartition("/")[2]
        for item in account.items("compute-optimizer", "instances", region)
    }
    found = {
        item["Resource"]["InstanceDetails"]["InstanceId"]
        for item in account.items("guardduty", "findings", region)
    }
    assert {name for name in managed if not name.startswith("mi-")} < servers
    assert recorded == advised == servers
    assert found <= servers


# Organizations


def organization(members: int) -> tuple[Cloud, Organization, str]:
    """A payer, and members in a unit below a unit; the cloud, and that unit."""
    accounts = [small(str(int(ONE) + number)) for number in range(members + 1)]
    made = Organization(accounts[0])
    unit = made.unit("Europe", made.unit("Shops"))
    for account in accounts[1:]:
        made.join(account, unit, customer=f"Customer {account.id}")
    cloud = cloud_of(*accounts)
    cloud.organizations.append(made)
    return cloud, made, unit


def listed(
    cloud: Cloud, operation: str, member: str, account: str = ONE, **params: Any
) -> list[Item]:
    """All items of a listing of AWS Organizations, over all its pages."""
    found: list[Item] = []
    token: dict[str, str] = {}
    while True:
        response = ask(cloud, "organizations", operation, params | token, account)
        found += response[member]
        if "NextToken" not in response:
            return found
        token = {"NextToken": response["NextToken"]}


def test_an_organization_lists_its_accounts_twenty_at_a_time() -> None:
    cloud, made, unit = organization(45)
    everybody = listed(cloud, "ListAccounts", "Accounts")
    assert [held["Id"] for held in everybody] == list(cloud.accounts)
    assert len(ask(cloud, "organizations", "ListAccounts")["Accounts"]) == 20
    assert listed(cloud, "ListAccountsForParent", "Accounts", ParentId=unit) == everybody[1:]
    payer = listed(cloud, "ListAccountsForParent", "Accounts", ParentId=made.root)
    assert payer == everybody[:1]
    described = ask(cloud, "organizations", "DescribeAccount", {"AccountId": ONE})
    assert described["Account"] == everybody[0]
    assert cloud.accounts[ONE].payer_for == tuple(cloud.accounts)[1:]


def test_units_hang_below_units_and_accounts_have_tags() -> None:
    cloud, made, unit = organization(1)
    [root] = listed(cloud, "ListRoots", "Roots")
    assert root["Id"] == made.root
    units = {"operation": "ListOrganizationalUnitsForParent", "member": "OrganizationalUnits"}
    [shops] = listed(cloud, **units, ParentId=root["Id"])
    [europe] = listed(cloud, **units, ParentId=shops["Id"])
    assert (shops["Name"], europe["Name"], europe["Id"]) == ("Shops", "Europe", unit)
    member = list(cloud.accounts)[1]
    tags = listed(cloud, "ListTagsForResource", "Tags", ResourceId=member)
    assert tags == [{"Key": "customer", "Value": f"Customer {member}"}]


def test_members_know_their_organization_and_administrators_all_of_it() -> None:
    cloud, made, _ = organization(2)
    _, security, plain = cloud.accounts
    made.delegate(cloud.accounts[security], "securityhub.amazonaws.com")
    for account in cloud.accounts:
        told = ask(cloud, "organizations", "DescribeOrganization", account=account)
        assert told["Organization"]["MasterAccountId"] == ONE
    with pytest.raises(AwsError, match="AccessDeniedException: You don't have permissions"):
        ask(cloud, "organizations", "ListAccounts", account=plain)
    assert len(listed(cloud, "ListAccounts", "Accounts", security)) == 3
    administrators = {
        "operation": "ListDelegatedAdministrators",
        "member": "DelegatedAdministrators",
    }
    [found] = listed(cloud, **administrators, ServicePrincipal="securityhub.amazonaws.com")
    assert found["Id"] == security
    assert not listed(cloud, **administrators, ServicePrincipal="guardduty.amazonaws.com")
    assert cloud.accounts[security].delegated_for == (ONE, plain)


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("DescribeAccount", {"AccountId": TWO}, "AccountNotFoundException"),
        ("ListTagsForResource", {"ResourceId": TWO}, "TargetNotFoundException"),
        ("ListAccountsForParent", {"ParentId": "r-none"}, "ParentNotFoundException"),
    ],
)
def test_an_organization_knows_what_it_lacks(
    operation: str, params: dict[str, Any], code: str
) -> None:
    with pytest.raises(AwsError, match=code):
        ask(organization(1)[0], "organizations", operation, params)


def test_an_account_in_no_organization_is_told_so() -> None:
    with pytest.raises(AwsError, match="AWSOrganizationsNotInUseException"):
        ask(cloud_of(small()), "organizations", "DescribeOrganization")


# Regions that an account has to opt in to


def test_regions_that_are_off_are_told_as_such() -> None:
    account = small()
    account.regions = (*REGIONS, "ap-east-1")
    told = ask(cloud_of(account), "account", "ListRegions")["Regions"]
    assert {held["RegionName"]: held["RegionOptStatus"] for held in told} == {
        "us-east-1": "ENABLED_BY_DEFAULT",
        "eu-west-1": "ENABLED_BY_DEFAULT",
        "ap-east-1": "ENABLED",
        "me-south-1": "DISABLED",
    }
    held = ask(cloud_of(account), "ec2", "DescribeRegions", {"AllRegions": True})["Regions"]
    assert {item["RegionName"]: item["OptInStatus"] for item in held} == {
        "us-east-1": "opt-in-not-required",
        "eu-west-1": "opt-in-not-required",
        "ap-east-1": "opted-in",
        "me-south-1": "not-opted-in",
    }
