"""The sender's collectors against the embedded cloud: whole, empty, denied, not enabled.

What the rows must be comes from the account itself (`tests.truth`), never from a run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from observability.collecting.collector import GLOBAL, NOW
from observability.collectors import CATEGORIES as SENDER_CATEGORIES
from observability.collectors.ri_sp_savings import EC2, RDS
from observability.settings.sender import read_settings
from tests.cloud import Account, ApiRequest, EmbeddedCloud, Size, generate
from tests.cloud.models import operation_model
from tests.cloud.organization import Organization
from tests.cloud.switches import NOT_ENABLED, InstantAnswer
from tests.conftest import REGIONS, MakeAccount
from tests.sending import Document, Row, Sent, lists, period, rows, send, statuses
from tests.truth import TRUTH, Place, config_report, day_cost, forecast, same_rows

HOME, OTHER = REGIONS
CATEGORIES = tuple(SENDER_CATEGORIES)
TOKENS = {
    "ContinuationToken", "Marker", "NextMarker", "NextPageToken", "NextToken", "nextToken",
}  # fmt: skip
Send = Callable[..., Sent]

EVERYTHING = "--reserved-capacity"
"""The flag with which a run leaves no category out."""


@pytest.fixture(scope="module")
def account(running_cloud: EmbeddedCloud) -> Account:
    """A small account in two regions that tests only read."""
    today = datetime.now(UTC).date()
    return running_cloud.add(generate("288888888801", Size.small(), 7, today, REGIONS))


@pytest.fixture(scope="module")
def whole(
    running_cloud: EmbeddedCloud, account: Account, tmp_path_factory: pytest.TempPathFactory
) -> Document:
    """The first document of the account, in its home region, with nothing denied."""
    environment = without_bucket(running_cloud, account)
    return send(environment, tmp_path_factory.mktemp("whole"), EVERYTHING).document


@pytest.fixture(scope="module")
def empty(
    running_cloud: EmbeddedCloud, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, Document]:
    """Exit code and document of an account that holds nothing."""
    today = datetime.now(UTC).date()
    account = running_cloud.add(generate("288888888802", Size.empty(), 7, today, REGIONS))
    environment = without_bucket(running_cloud, account)
    sent = send(environment, tmp_path_factory.mktemp("empty"), EVERYTHING)
    return sent.code, sent.document


@pytest.fixture
def only(embedded: EmbeddedCloud, account: Account, tmp_path: Path) -> Send:
    """Runs the sender for the account and some categories: `only("health", "cost")`."""

    def run(*categories: str) -> Sent:
        environment = without_bucket(embedded, account)
        return send(environment, tmp_path, "--only", ",".join(categories))

    return run


def without_bucket(embedded: EmbeddedCloud, account: Account) -> dict[str, str]:
    """The account's environment where no bucket tells which documents there are."""
    return embedded.environment(account.id) | {"BUCKET": ""}


def place_of(account: Account, document: Document, **more: Any) -> Place:
    """Where and when a document is about."""
    start, end = period(document)
    return Place(account, document["meta"]["region"], start, end, **more)


def paths_of(*categories: str) -> list[str]:
    """The lists of some categories that there is a truth for."""
    return [path for path in TRUTH if path.partition(".")[0] in categories]


def is_true(document: Document, place: Place, *categories: str) -> None:
    """Fail unless every list of these categories is what the account holds."""
    for path in paths_of(*categories):
        truth = TRUTH[path]
        same_rows(rows(document, path), list(truth.rows(place)), truth.key)


def record(embedded: EmbeddedCloud, account: Account) -> list[ApiRequest]:
    """The account's requests from now on, with their parameters."""
    requests: list[ApiRequest] = []
    embedded.switches.intercept("*", "*", requests.append, account=account.id)
    return requests


def names(requests: list[ApiRequest]) -> Counter[str]:
    """How often each API was called."""
    return Counter(f"{held.service}:{held.operation}" for held in requests)


# Pages

ONE_PAGE = {
    "guardduty:ListDetectors": "a region has one detector",
    "cloudtrail:LookupEvents": "the newest few events tell that there is activity",
    "resiliencehub:ListAppAssessments": "only the newest assessment is wanted",
}


def can_be_paged(request: ApiRequest) -> bool:
    """Whether an API has pages."""
    shape = operation_model(request.service, request.operation).input_shape
    return bool(shape and TOKENS & shape.members.keys())


UNPAGED = {"account", "trusted_advisor"}
"""Categories whose APIs have no pages."""


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_page_of_every_listing_is_read(
    category: str, embedded: EmbeddedCloud, account: Account, only: Send
) -> None:
    embedded.cloud.page_size = 2
    requests = record(embedded, account)
    sent = only(category)
    assert sent.code == 0
    assert sent.statuses[category] == "Pass"
    is_true(sent.document, place_of(account, sent.document), category)
    listings = [held for held in requests if can_be_paged(held)]
    further = [held for held in listings if TOKENS & held.params.keys()]
    assert bool(further) is (category not in UNPAGED)
    assert names(listings).keys() - names(further).keys() <= ONE_PAGE.keys()


def test_other_regions_have_what_is_regional_and_nothing_twice(
    embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    flags = ("--regions", f"{OTHER},{HOME}", EVERYTHING)
    sent = send(without_bucket(embedded, account), tmp_path, *flags)
    home, other = sent.documents
    assert [made["meta"]["region"] for made in sent.documents] == [HOME, OTHER]
    assert sent.code == 0
    is_true(home, place_of(account, home, others=(OTHER,)), *CATEGORIES)
    is_true(other, place_of(account, other, others=(HOME,)), *CATEGORIES)
    skipped = {name for name, status in statuses(other).items() if status == "Skipped"}
    assert skipped == {name for name, held in SENDER_CATEGORIES.items() if held.scope == GLOBAL}
    assert other["account"]["account_name"] == home["account"]["account_name"] == account.name
    for path in ("security.cloudtrail", "security.waf", "config_inventory", "service_resources"):
        key = "arn" if path.startswith("security.") else "resource_id"
        seen = [(row.get("region"), row[key]) for row in (*rows(home, path), *rows(other, path))]
        assert len(seen) == len(set(seen)), path


def test_all_regions_are_read_as_if_they_were_named(
    embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    """Each trail is told once, and what was bought in any of them is told at home."""
    only = ("--only", "security,ri_sp_savings")
    environment = without_bucket(embedded, account)
    found = send(environment, tmp_path, "--regions", "all", *only).documents
    named = [made["meta"]["region"] for made in found]
    assert {HOME, OTHER} <= {*named}
    home = found[named.index(HOME)]
    others = tuple(region for region in named if region != HOME)
    for made in found:
        region = made["meta"]["region"]
        away = tuple({*named} - {region})
        place = place_of(account, made, others=away)
        truth = TRUTH["security.cloudtrail"]
        same_rows(rows(made, "security.cloudtrail"), list(truth.rows(place)), truth.key)
    is_true(home, place_of(account, home, others=others), "ri_sp_savings")


def test_what_config_records_as_global_everywhere_is_told_once(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account()
    role = account.items("config", "resources", HOME)[-1]
    assert role["awsRegion"] == "global"
    recorded = account.items("config", "resources", OTHER)
    account.replace("config", "resources", OTHER, [*recorded, role])
    flags = ("--regions", ",".join(REGIONS), "--only", "config_inventory")
    home, other = send(without_bucket(embedded, account), tmp_path, *flags).documents
    found = [
        [row["resource_id"] for row in rows(made, "config_inventory")] for made in (home, other)
    ]
    assert role["resourceId"] in found[0]
    assert role["resourceId"] not in found[1]
    assert len(found[1]) == len(recorded)


def test_the_account_is_what_account_management_knows(account: Account, whole: Document) -> None:
    held = whole["account"]
    information = account.items("account", "information")[0]
    contact = account.items("account", "contact")[0]
    assert {name: held[name] for name in ("account_id", "account_name", "account_status")} == {
        "account_id": account.id,
        "account_name": information["AccountName"],
        "account_status": information["AccountState"],
    }
    assert datetime.fromisoformat(held["joined_timestamp"]) == account.created
    assert held["account_arn"] == f"arn:aws:iam::{account.id}:root"
    tags = ("customer_name", "partner_name", "category", "account_type", "product", "region")
    assert [held[name] for name in tags] == [
        "Example Corp", "Example Partner", "Production", "production", "Shop,Billing", HOME,
    ]  # fmt: skip
    assert held["contact_info"] == {
        "full_name": contact["FullName"],
        "company_name": contact["CompanyName"],
        "address_line1": contact["AddressLine1"],
        "address_line2": contact["AddressLine2"],
        "address_line3": contact["AddressLine3"],
        "city": contact["City"],
        "state_or_region": contact["StateOrRegion"],
        "postal_code": contact["PostalCode"],
        "country_code": contact["CountryCode"],
        "phone_number": contact["PhoneNumber"],
        "website_url": contact["WebsiteUrl"],
    }
    assert held["alternate_contacts"] == {
        contact["AlternateContactType"].lower(): {
            "name": contact["Name"],
            "title": contact["Title"],
            "email": contact["EmailAddress"],
            "phone": contact["PhoneNumber"],
        }
        for contact in account.items("account", "alternates")
    }


def test_an_organization_tells_email_and_how_the_account_joined(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.empty())
    embedded.cloud.organizations.append(Organization(account))
    organizations = embedded.client("organizations", account.id)
    known = organizations.describe_account(AccountId=account.id)["Account"]
    held = send(without_bucket(embedded, account), tmp_path, "--only", "account").document[
        "account"
    ]
    assert held["account_email"] == known["Email"]
    assert held["account_arn"] == known["Arn"]
    assert held["joined_method"] == known["JoinedMethod"]
    joined = datetime.fromisoformat(held["joined_timestamp"])
    assert joined == known["JoinedTimestamp"]
    assert held["account_name"] == account.name


# Costs


def reports_are_true(document: Document, place: Place, anomalies: Mapping[date, int]) -> None:
    """Fail unless the reports of the days are what the account cost."""
    reports = document["cost"]
    assert [report["period"]["start"] for report in reports] == [str(d) for d in place.cost_days]
    for day, report in zip(place.cost_days, reports, strict=True):
        costs, before = (
            day_cost(place.account, day),
            day_cost(place.account, day - timedelta(days=1)),
        )
        current, previous = sum(costs.values(), Decimal()), sum(before.values(), Decimal())
        assert Decimal(report["current_period_cost"]) == current
        assert Decimal(report["previous_period_cost"]) == previous
        assert Decimal(report["cost_difference"]) == current - previous
        exact = (current - previous) / previous * 100
        assert abs(Decimal(report["cost_difference_percentage"]) - exact) <= Decimal("0.00005")
        assert report["period"] == {
            "start": str(day), "end": str(day + timedelta(days=1)), "granularity": "DAILY",
        }  # fmt: skip
        named = {held["service"]: Decimal(held["cost"]) for held in report["top_services"]}
        assert named == costs
        assert list(named.values()) == sorted(named.values(), reverse=True)
        assert report["anomalies_detected"] == anomalies[day]


def anomalies_of(account: Account, days: list[date]) -> dict[date, int]:
    """How many anomalies lasted on each day."""
    spans = [
        (held["AnomalyStartDate"][:10], held["AnomalyEndDate"][:10])
        for held in account.items("ce", "anomalies")
    ]
    return {day: sum(first <= str(day) <= last for first, last in spans) for day in days}


def test_costs_are_reported_to_the_last_digit(
    embedded: EmbeddedCloud, account: Account, whole: Document
) -> None:
    place = place_of(account, whole)
    anomalies = anomalies_of(account, place.cost_days)
    assert sum(anomalies.values())
    reports_are_true(whole, place, anomalies)


def test_forecast_and_savings_are_told_of_the_newest_day_only(
    embedded: EmbeddedCloud, account: Account, whole: Document
) -> None:
    *restated, newest = whole["cost"]
    told = ("forecast", "potential_monthly_savings", "saving_opportunities_count")
    assert not [name for report in restated for name in told if name in report]
    found = [
        {"period_start": held["period"]["start"], "period_end": held["period"]["end"]}
        | {name: value for name, value in held.items() if name != "period"}
        for held in newest["forecast"]
    ]
    same_rows(found, forecast(account, period(whole)[1]), ("period_start",))
    hub = embedded.client("cost-optimization-hub", account.id, "us-east-1")
    known = hub.list_recommendation_summaries(groupBy="ResourceType")
    assert newest["potential_monthly_savings"] == Decimal(
        repr(known["estimatedTotalDedupedSavings"])
    )
    counts = [held["recommendationCount"] for held in known["items"]]
    assert newest["saving_opportunities_count"] == sum(counts)


def test_a_run_pays_for_three_requests(
    embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    requests = record(embedded, account)
    sent = send(without_bucket(embedded, account), tmp_path)
    paid = {name: count for name, count in names(requests).items() if name.startswith("ce:")}
    assert paid == {"ce:GetCostAndUsage": 1, "ce:GetCostForecast": 1, "ce:GetAnomalies": 1}
    assert names(requests)["ec2:DescribeInstances"] == 1
    assert sent.code == 0


# Reserved capacity


@pytest.mark.parametrize("flags", [(), ("--only", "cost")])
def test_reserved_capacity_is_not_read_unless_it_is_asked_for(
    flags: tuple[str, ...], embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    requests = record(embedded, account)
    sent = send(without_bucket(embedded, account), tmp_path, *flags)
    assert sent.code == 0
    assert sent.statuses["ri_sp_savings"] == ("None" if flags else "Skipped")
    assert sent.document["ri_sp_savings"] == []
    told = [text for text in sent.said("INFO") if text.startswith("ri_sp_savings")]
    skipped = ["ri_sp_savings is skipped: not asked for (--reserved-capacity)"]
    assert told == ([] if flags else skipped)
    assert not names(requests).keys() & {"ec2:DescribeReservedInstances", *PAID_BY_DAY}


PAID_BY_DAY = (
    "ce:GetReservationUtilization",
    "ce:GetSavingsPlansUtilization",
    "ce:GetSavingsPlansUtilizationDetails",
)


@pytest.mark.parametrize("value", ["1", "true", "0", "no", ""])
def test_the_environment_turns_reserved_capacity_on(value: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESERVED_CAPACITY", value)
        settings = read_settings({"region": HOME}, SENDER_CATEGORIES, uploads=False)
    assert settings.reserved_capacity is (value in ("1", "true"))


def test_reservations_of_other_regions_than_the_runs_are_left_out_and_said(
    account: Account, only: Send
) -> None:
    sent = only("ri_sp_savings")
    bought = {row["region"] for row in sent.document["ri_sp_savings"]}
    assert bought == {HOME, None}  # a plan may hold everywhere
    others = [held for held in account.items("ec2", "reserved", OTHER) if held["State"] == "active"]
    note = f"{len(others)} reservations in other regions than the run's are left out"
    assert f"ri_sp_savings.instances: {note}" in sent.said("INFO")


@pytest.mark.parametrize("read", ["by day", "by plan"])
def test_a_plan_that_was_bought_within_the_window_has_its_own_days_only(
    read: str, embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account()
    plans = account.items("savingsplans", "plans")
    first, *rest = [held for held in plans if held["state"] == "active"]
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    first["start"] = f"{yesterday}T07:30:00.000Z"
    account.replace("savingsplans", "plans", "", [first, *rest] if read == "by day" else [first])
    requests = record(embedded, account)
    sent = send(without_bucket(embedded, account), tmp_path, "--only", "ri_sp_savings")
    assert sent.code == 0
    asked = names(requests)
    assert asked["ce:GetSavingsPlansUtilization"] == (read == "by plan")
    assert asked["ce:GetSavingsPlansUtilizationDetails"] == (3 if read == "by day" else 0)
    is_true(sent.document, place_of(account, sent.document), "ri_sp_savings")
    told = [
        row["date_from"]
        for row in sent.document["ri_sp_savings"]
        if row["subscription_id"] == first["savingsPlanId"]
    ]
    assert told == [str(yesterday)]


# Groups and counts


def test_findings_are_grouped_and_counted_by_product(account: Account, whole: Document) -> None:
    expected = list(TRUTH["security.security_hub"].rows(place_of(account, whole)))
    groups = {group["service"]: group for group in whole["security"]["security_hub"]}
    assert groups.keys() == {row["service"] for row in expected}
    for service, group in groups.items():
        own = [row for row in expected if row["service"] == service]
        severities = Counter(row["severity"] for row in own)
        assert group["severity_counts"] == {
            name: severities[name]
            for name in ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL")
        }
        waiting = [row for row in own if row["status"] in ("NEW", "NOTIFIED")]
        assert group["total_findings"] == len(own)
        assert group["open_findings"] == len(waiting)
        assert group["resolved_findings"] == len(own) - len(waiting)


def test_compliance_is_counted_by_rule_and_by_resource(account: Account, whole: Document) -> None:
    [held] = lists(whole)["config"]
    same_rows([held], [config_report(place_of(account, whole))], ("date_from",))


# An account that holds nothing

EMPTY = dict.fromkeys(CATEGORIES, "Pass") | {"config": "Skipped", "config_inventory": "Skipped"}
"""Config records nothing there; all else has been asked and has nothing."""


@pytest.mark.parametrize("category", CATEGORIES)
def test_an_empty_account_has_no_rows(category: str, empty: tuple[int, Document]) -> None:
    code, document = empty
    assert code == 0
    assert statuses(document)[category] == EMPTY[category]
    assert not [path for path in paths_of(category) if rows(document, path)]


def test_an_empty_account_costs_nothing_and_has_no_forecast(empty: tuple[int, Document]) -> None:
    _, document = empty
    assert document["cost"]
    for report in document["cost"]:
        assert Decimal(report["current_period_cost"]) == 0
        assert report["cost_difference_percentage"] is None
        assert report["top_services"] == []
        assert report["anomalies_detected"] == 0
        assert "forecast" not in report


def test_an_empty_account_has_only_the_contact_that_it_was_opened_with(
    empty: tuple[int, Document],
) -> None:
    _, document = empty
    held = document["account"]
    assert held["alternate_contacts"] == {"billing": None, "operations": None, "security": None}
    assert held["contact_info"]["full_name"]
    assert held["contact_info"]["website_url"] is None


# Denied

Effect = Callable[[Row], Row | None]
"""What becomes of a row: it is gone (None), or lacks some values."""


def gone(row: Row) -> None:
    """Nothing of the list can be read."""


def unless(**values: object) -> Effect:
    """Rows with these values cannot be read."""
    return lambda row: None if values.items() <= row.items() else row


def without(*columns: str) -> Effect:
    """These values are not known."""
    return lambda row: {name: row[name] for name in row if name not in columns}


def just(*columns: str) -> Effect:
    """Only these values are known."""
    return lambda row: {name: row[name] for name in columns}


@dataclass(frozen=True)
class Denial:
    """What is to happen when one API is denied: which categories fail, and what of them is lost.

    `unharmed` categories use the API too and can do without it.
    """

    fails: tuple[str, ...]
    lost: Mapping[str, Effect] = field(default_factory=dict)
    unharmed: tuple[str, ...] = ()


def security(**lost: Effect) -> Denial:
    """Parts of the security posture are lost."""
    return Denial(("security",), {f"security.{part}": effect for part, effect in lost.items()})


def resources(service: str, kind: str) -> Denial:
    """One kind of resources is lost."""
    lost = {"service_resources": unless(service_name=service, resource_type=kind)}
    return Denial(("service_resources",), lost)


def listing(category: str) -> Denial:
    """A category's only list is lost."""
    return Denial((category,), {category: gone})


RECORDED = ("resource_type", "resource_id", "resource_name", "resource_subtype", "region")
NO_COSTS: dict[str, Effect] = {
    "cost": gone,
    "service": gone,
    "marketplace": without("cost_consumed", "currency"),
}

NO_RESERVATIONS = {"ri_sp_savings": unless(reservation_type="ReservedInstance")}
NO_PLANS = {"ri_sp_savings": unless(reservation_type="SavingsPlan")}

DENIALS: Mapping[str, Denial] = {
    "account:GetAccountInformation": Denial(
        ("account",), {"account": without("account_name", "account_status", "joined_timestamp")}
    ),
    "account:GetContactInformation": Denial(("account",), {"account": without("contact_info")}),
    "account:GetAlternateContact": Denial(("account",), {"account": without("alternate_contacts")}),
    "organizations:DescribeAccount": Denial(("account",)),
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
    "config:SelectResourceConfig": Denial(
        ("config_inventory",), {"config_inventory": just(*RECORDED)}, unharmed=("config",)
    ),
    "ce:GetCostAndUsage": Denial(
        ("cost", "service", "marketplace"), {"cost": gone, "service": gone, "marketplace": gone}
    ),
    "ce:GetReservationUtilization": Denial(("ri_sp_savings",), NO_RESERVATIONS),
    "ce:GetSavingsPlansUtilizationDetails": Denial(("ri_sp_savings",), NO_PLANS),
    "ec2:DescribeReservedInstances": Denial(
        ("ri_sp_savings",), {"ri_sp_savings": unless(service=EC2)}
    ),
    "rds:DescribeReservedDBInstances": Denial(
        ("ri_sp_savings",), {"ri_sp_savings": unless(service=RDS)}
    ),
    "savingsplans:DescribeSavingsPlans": Denial(("ri_sp_savings",), NO_PLANS),
    "ce:GetCostForecast": Denial(("cost",), {"cost": without("forecast")}),
    "ce:GetAnomalies": Denial(("cost",), {"cost": without("anomalies_detected")}),
    "cost-optimization-hub:ListRecommendationSummaries": Denial(
        ("cost",), {"cost": without("potential_monthly_savings", "saving_opportunities_count")}
    ),
    "securityhub:GetFindings": security(security_hub=gone),
    "guardduty:ListDetectors": security(guard_duty=gone),
    "guardduty:ListFindings": security(guard_duty=gone),
    "guardduty:GetFindings": security(guard_duty=gone),
    "kms:ListKeys": security(kms=gone),
    "kms:DescribeKey": security(kms=just("key_id")),
    "kms:GetKeyRotationStatus": security(kms=without("key_rotation_enabled")),
    "wafv2:ListWebACLs": security(waf=gone, waf_rules=gone),
    "wafv2:GetWebACL": security(waf=just("arn", "name", "scope"), waf_rules=gone),
    "wafv2:ListLoggingConfigurations": security(),
    "wafv2:ListResourcesForWebACL": security(waf=without("associated_resources")),
    "cloudfront:ListDistributionsByWebACLId": security(
        waf=lambda row: (
            without("associated_resources")(row) if row["scope"] == "CLOUDFRONT" else row
        )
    ),
    "cloudtrail:DescribeTrails": security(cloudtrail=gone),
    "cloudtrail:GetTrailStatus": security(cloudtrail=without("is_logging", "latest_delivery_time")),
    "cloudtrail:LookupEvents": security(cloudtrail=without("latest_event_time")),
    "secretsmanager:ListSecrets": security(secrets_manager=gone),
    "acm:ListCertificates": security(certificate_manager=gone),
    "inspector2:ListFindings": security(inspector=gone),
    "ssm:DescribeInstanceInformation": Denial(
        ("inventory",),
        {
            "inventory.instances": gone,
            "inventory.applications": gone,
            "inventory.patches": gone,
        },
    ),
    "ssm:GetInventory": Denial(("inventory",), {"inventory.applications": gone}),
    "ssm:DescribeInstancePatches": Denial(("inventory",), {"inventory.patches": gone}),
    "ec2:DescribeInstances": Denial(
        ("service_resources",),
        {
            "service_resources": unless(service_name="EC2", resource_type="Instance"),
            "inventory.instances": without("instance_type"),
        },
        unharmed=("inventory",),
    ),
    "ec2:DescribeVolumes": resources("EC2", "Volume"),
    "ec2:DescribeSubnets": resources("EC2", "Subnet"),
    "rds:DescribeDBInstances": resources("RDS", "DBInstance"),
    "s3:ListBuckets": resources("S3", "Bucket"),
    "elbv2:DescribeLoadBalancers": resources("ELB", "LoadBalancer"),
    "autoscaling:DescribeAutoScalingGroups": resources("AutoScaling", "AutoScalingGroup"),
    "lambda:ListFunctions": resources("Lambda", "Function"),
    "license-manager:ListReceivedLicenses": listing("marketplace"),
    "marketplace-entitlement:GetEntitlements": listing("marketplace"),
    "support:DescribeTrustedAdvisorChecks": listing("trusted_advisor"),
    "support:DescribeTrustedAdvisorCheckSummaries": listing("trusted_advisor"),
    "support:DescribeTrustedAdvisorCheckResult": listing("trusted_advisor"),
    "support:DescribeCases": listing("support_tickets"),
    "health:DescribeEvents": listing("health"),
    "application-signals:ListServices": listing("application"),
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
    "compute-optimizer:GetEC2InstanceRecommendations": Denial(
        ("compute_optimizer",), {"compute_optimizer": unless(resource_type="Ec2Instance")}
    ),
    "compute-optimizer:GetEBSVolumeRecommendations": Denial(
        ("compute_optimizer",), {"compute_optimizer": unless(resource_type="EbsVolume")}
    ),
    "compute-optimizer:GetLambdaFunctionRecommendations": Denial(
        ("compute_optimizer",), {"compute_optimizer": unless(resource_type="LambdaFunction")}
    ),
}
"""Every API that a run asks, and what is lost without it."""


def known(row: Row) -> Row:
    """What a row knows: no value, null and an object of nothing but nulls are all unknown."""
    return {
        name: value
        for name, value in row.items()
        if value is not None and not (isinstance(value, dict) and value and not any(value.values()))
    }


def known_rows(found: list[Row]) -> Iterator[str]:
    """What rows know, in an order of its own."""
    return iter(sorted(repr(sorted(known(row).items())) for row in found))


def test_every_api_that_a_run_asks_has_been_thought_of(
    embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    requests = record(embedded, account)
    send(without_bucket(embedded, account), tmp_path, EVERYTHING)
    assert names(requests).keys() == {*DENIALS, "sts:GetCallerIdentity"}


@pytest.mark.parametrize("api", DENIALS)
def test_one_denied_api_fails_its_category_and_nothing_else(
    api: str, embedded: EmbeddedCloud, whole: Document, only: Send
) -> None:
    service, _, operation = api.partition(":")
    denial = DENIALS[api]
    embedded.switches.deny(service, operation)
    asked = (*denial.fails, *denial.unharmed)
    sent = only(*asked)
    assert sent.code == 1
    expected = dict.fromkeys(CATEGORIES, "None") | dict.fromkeys(denial.unharmed, "Pass")
    expected |= dict.fromkeys(denial.fails, "Fail") | {"logs": "Pass"}
    assert sent.statuses == expected
    told = [text for text in sent.said("FAIL", "ERROR") if f"{api} denied" in text]
    assert {text.partition(":")[0].partition(".")[0] for text in told} == set(denial.fails)
    found = lists(sent.document)
    for path, before in lists(whole).items():
        if path.partition(".")[0] in asked:
            effect = denial.lost.get(path, lambda row: row)
            left = [row for row in map(effect, before) if row is not None]
            assert list(known_rows(found.get(path, []))) == list(known_rows(left)), path


@pytest.mark.parametrize(
    "api", ["config:GetDiscoveredResourceCounts", "config:ListDiscoveredResources"]
)
def test_without_query_and_discovery_the_resources_are_not_known(
    api: str, embedded: EmbeddedCloud, only: Send
) -> None:
    embedded.switches.deny("config", "SelectResourceConfig")
    embedded.switches.deny("config", api.partition(":")[2])
    sent = only("config_inventory")
    assert sent.code == 1
    assert sent.statuses["config_inventory"] == "Fail"
    assert any(f"{api} denied" in text for text in sent.said("FAIL"))
    assert sent.document["config_inventory"] == []


def test_discovered_resources_stand_in_for_a_query_that_is_not_possible(
    embedded: EmbeddedCloud, account: Account, only: Send
) -> None:
    embedded.cloud.page_size = 2
    embedded.switches.fail("config", "SelectResourceConfig", "InvalidExpressionException", "No")
    requests = record(embedded, account)
    sent = only("config_inventory")
    assert sent.code == 0
    truth = TRUTH["config_inventory"]
    place = place_of(account, sent.document)
    told = [{name: row[name] for name in RECORDED} for row in truth.rows(place)]
    same_rows(sent.document["config_inventory"], told, truth.key)
    further = names([held for held in requests if TOKENS & held.params.keys()])
    assert {
        "config:GetDiscoveredResourceCounts",
        "config:ListDiscoveredResources",
    } <= further.keys()


def test_whether_web_acls_log_is_unknown_when_neither_api_tells(
    embedded: EmbeddedCloud, whole: Document, only: Send
) -> None:
    embedded.switches.deny("wafv2", "*LoggingConfiguration*")
    sent = only("security")
    assert sent.code == 1
    assert {row["logging_enabled"] for row in rows(sent.document, "security.waf")} == {None}
    rules = rows(sent.document, "security.waf_rules")
    assert {(row["logging_enabled"], row["is_compliant"]) for row in rules} == {(None, None)}
    assert len(rules) == len(rows(whole, "security.waf_rules"))


@pytest.mark.parametrize("denied", [False, True])
def test_a_certificate_is_described_if_its_summary_lacks_something(
    denied: bool, embedded: EmbeddedCloud, account: Account, only: Send
) -> None:
    held = account.items("acm", "certificates", HOME)[0]
    short = {name: held[name] for name in ("CertificateArn", "DomainName")}
    answer = {"CertificateSummaryList": [short]}
    embedded.switches.intercept("acm", "ListCertificates", answering(answer))
    if denied:
        embedded.switches.deny("acm", "DescribeCertificate")
    sent = only("security")
    [row] = rows(sent.document, "security.certificate_manager")
    assert (row["arn"], row["domain_name"]) == (held["CertificateArn"], held["DomainName"])
    if denied:
        assert sent.code == 1
        assert row["status"] is row["not_after"] is None
        assert any("acm:DescribeCertificate denied" in text for text in sent.said("ERROR"))
    else:
        assert sent.code == 0
        assert row["status"] == held["Status"]
        assert datetime.fromisoformat(row["not_after"]) == held["NotAfter"]


def answering(response: dict[str, Any]) -> Callable[[ApiRequest], None]:
    """An effect that answers in place of the service."""

    def answer(_request: ApiRequest) -> None:
        raise InstantAnswer(response)

    return answer


def test_what_vanishes_while_it_is_read_is_left_out(
    embedded: EmbeddedCloud, account: Account, whole: Document, only: Send
) -> None:
    key = account.items("kms", "keys", HOME)[0]["KeyId"]
    acl = account.items("wafv2", "regional", HOME)[0]
    app = account.items("resiliencehub", "apps", HOME)[0]["appArn"]
    vanish = embedded.switches.fail
    vanish("kms", "DescribeKey", "NotFoundException", predicate=lambda r: r.params["KeyId"] == key)
    vanish(
        "wafv2", "GetWebACL", "WAFNonexistentItemException",
        predicate=lambda r: r.params["Name"] == acl["Name"],
    )  # fmt: skip
    vanish(
        "resiliencehub", "DescribeApp", "ResourceNotFoundException", status=404,
        predicate=lambda r: r.params["appArn"] == app,
    )  # fmt: skip
    sent = only("security", "resilience_hub")
    assert sent.code == 0
    for path, column, lost in (
        ("security.kms", "key_id", key),
        ("security.waf", "arn", acl["ARN"]),
        ("resilience_hub", "app_arn", app),
    ):
        left = {row[column] for row in rows(sent.document, path)}
        assert left == {row[column] for row in rows(whole, path)} - {lost}


def test_pages_that_were_read_before_a_failure_are_kept(
    embedded: EmbeddedCloud, account: Account, whole: Document, only: Send
) -> None:
    embedded.cloud.page_size = 3
    embedded.switches.deny("health", "DescribeEvents", predicate=lambda r: "nextToken" in r.params)
    sent = only("health")
    assert sent.code == 1
    assert sent.statuses["health"] == "Fail"
    found = sent.document["health"]
    assert len(found) == 3
    assert all(row in whole["health"] for row in found)


# Not enabled, or not covered by the support plan


@dataclass(frozen=True)
class Off:
    """What is to happen where a service is off: which categories say so, and what is missing."""

    reason: str
    skipped: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    lost: Mapping[str, Effect] = field(default_factory=dict)


def no_rules(report: Row) -> Row:
    """A report of no rules, as AWS lists none."""
    counts = dict.fromkeys(("total_rules", "compliant_rules", "non_compliant_rules"), 0)
    return {"date_from": report["date_from"], "date_to": report["date_to"]} | counts


SWITCHED_OFF: Mapping[str, Off] = {
    "ce": Off(
        "Cost Explorer is not enabled",
        ("cost", "service", "ri_sp_savings"),
        ("marketplace",),
        NO_COSTS | {"ri_sp_savings": gone},
    ),
    "compute-optimizer": Off(
        "not opted in", ("compute_optimizer",), (), {"compute_optimizer": gone}
    ),
    "config": Off(
        "Config records nothing",
        ("config", "config_inventory"),
        (),
        {"config": no_rules, "config.non_compliant_resources": gone, "config_inventory": gone},
    ),
    "cost-optimization-hub": Off(
        "Cost Optimization Hub is not enabled",
        passed=("cost",),
        lost={"cost": without("potential_monthly_savings", "saving_opportunities_count")},
    ),
    "guardduty": Off(
        "GuardDuty is not enabled", passed=("security",), lost={"security.guard_duty": gone}
    ),
    "health": Off("support plan", ("health",), (), {"health": gone}),
    "inspector2": Off(
        "Inspector is not enabled", passed=("security",), lost={"security.inspector": gone}
    ),
    "license-manager": Off("License Manager", ("marketplace",), (), {"marketplace": gone}),
    "marketplace-entitlement": Off(
        "entitlements", ("marketplace",), (), {"marketplace": without("status")}
    ),
    "organizations": Off("in no organization", passed=("account",)),
    "securityhub": Off(
        "Security Hub is not enabled", passed=("security",), lost={"security.security_hub": gone}
    ),
    "support": Off(
        "support plan",
        ("support_tickets", "trusted_advisor"),
        (),
        {"support_tickets": gone, "trusted_advisor": gone},
    ),
}


def test_every_service_that_may_be_off_has_been_thought_of() -> None:
    assert SWITCHED_OFF.keys() == NOT_ENABLED.keys()


@pytest.mark.parametrize("service", SWITCHED_OFF)
def test_a_service_that_is_off_is_skipped_with_the_reason(
    service: str, embedded: EmbeddedCloud, whole: Document, only: Send
) -> None:
    off = SWITCHED_OFF[service]
    embedded.switches.not_enabled(service)
    sent = only(*off.skipped, *off.passed)
    assert sent.code == 0
    found = {name: sent.statuses[name] for name in (*off.skipped, *off.passed)}
    assert found == dict.fromkeys(off.skipped, "Skipped") | dict.fromkeys(off.passed, "Pass")
    assert any(off.reason in text for text in sent.said("INFO"))
    assert not sent.said("FAIL", "ERROR")
    for path, before in lists(whole).items():
        if path.partition(".")[0] in (*off.skipped, *off.passed):
            effect = off.lost.get(path, lambda row: row)
            left = [row for row in map(effect, before) if row is not None]
            held = lists(sent.document).get(path, [])
            assert list(known_rows(held)) == list(known_rows(left)), path


def test_an_account_with_everything_off_is_no_failure(
    embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    for service in NOT_ENABLED:
        embedded.switches.not_enabled(service)
    sent = send(without_bucket(embedded, account), tmp_path)
    assert sent.code == 0
    skipped = {name for held in SWITCHED_OFF.values() for name in held.skipped}
    passed = set(CATEGORIES) - skipped
    assert {name for name, status in sent.statuses.items() if status == "Skipped"} == skipped
    assert passed | {"logs"} == {n for n, status in sent.statuses.items() if status == "Pass"}


# Whose things these are


def test_other_accounts_that_an_administrator_sees_are_left_out(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    member, administrator = make_account(), make_account()
    administrator.delegated_for = administrator.payer_for = (member.id,)
    administrator.touch()
    hub = embedded.client("securityhub", administrator.id, HOME)
    seen = {held["AwsAccountId"] for held in hub.get_findings()["Findings"]}
    assert seen == {member.id, administrator.id}
    sent = send(without_bucket(embedded, administrator), tmp_path, EVERYTHING)
    place = place_of(administrator, sent.document)
    assert sent.code == 0
    is_true(sent.document, place, *CATEGORIES)
    reports_are_true(sent.document, place, anomalies_of(administrator, place.cost_days))
    assert member.id not in repr(sent.document)


# Which days


def documents_exist(embedded: EmbeddedCloud, bucket: str, account: Account, *days: date) -> None:
    """Put documents of these days into the bucket."""
    for number, day in enumerate(days):
        key = f"{('data', 'loaded')[number % 2]}/{account.id}/{HOME}/{day}_DAILY.json"
        embedded.client("s3", embedded.analytics.id).put_object(Bucket=bucket, Key=key, Body=b"{}")


def collected(document: Document) -> datetime:
    """When a run began."""
    return datetime.fromisoformat(document["meta"]["collected_at"])


def later_run(
    embedded: EmbeddedCloud, bucket: str, account: Account, directory: Path, *flags: str
) -> Sent:
    """A run that finds documents in the bucket."""
    environment = embedded.environment(account.id) | {"BUCKET": bucket}
    categories = "cost,service,security,health"
    return send(environment, directory, "--only", categories, *flags)


@pytest.mark.parametrize(("days_missed", "told"), [(0, 3), (1, 3), (5, 6), (20, 21)])
def test_a_later_run_reads_what_changed_since_and_catches_up(
    days_missed: int,
    told: int,
    embedded: EmbeddedCloud,
    bucket: str,
    account: Account,
    tmp_path: Path,
) -> None:
    today = datetime.now(UTC).date()
    newest = today - timedelta(days=2 + days_missed)
    older = [newest - timedelta(days=back) for back in range(3)]
    documents_exist(embedded, bucket, account, *older)
    embedded.cloud.page_size = 2
    document = later_run(embedded, bucket, account, tmp_path).document
    first = period(document)[1] - timedelta(days=told)
    since = datetime.combine(first, time(), UTC)
    place = place_of(account, document, since=since, until=collected(document), costs_from=first)
    is_true(document, place, *EVENTS)
    reports_are_true(document, place, anomalies_of(account, place.cost_days))
    assert rows(document, "security.security_hub")
    story = " ".join(text for held in document["logs"]["message"] for text in held.values())
    missed = [str(newest + timedelta(days=1 + ahead)) for ahead in range(days_missed)]
    assert all(day in story for day in missed)
    assert str(newest) not in story


@pytest.mark.parametrize(
    ("days_missed", "flags", "known", "told"),
    [(60, (), 1, 30), (9, ("--catch-up", "5"), 1, 5), (0, ("--full",), 1, 30), (0, (), 7, 30)],
)
def test_a_run_that_reads_everything_open_reads_what_was_closed_too(
    days_missed: int,
    flags: tuple[str, ...],
    known: int,
    told: int,
    embedded: EmbeddedCloud,
    bucket: str,
    account: Account,
    tmp_path: Path,
) -> None:
    newest = datetime.now(UTC).date() - timedelta(days=2 + days_missed)
    older = [newest - timedelta(days=back) for back in range(known)]
    documents_exist(embedded, bucket, account, *older)
    document = later_run(embedded, bucket, account, tmp_path, *flags).document
    first = period(document)[1] - timedelta(days=told)
    since = datetime.combine(first, time(), UTC)
    bounds = {"since": since, "until": collected(document), "costs_from": first}
    is_true(document, place_of(account, document, full=True, **bounds), *EVENTS)
    assert len(document["cost"]) == told


EVENTS = ("service", "health", "security")
"""Categories of which a document tells what changed."""


@pytest.mark.parametrize("other", ["299999999998", "eu-west-1"])
def test_documents_of_other_accounts_and_regions_do_not_count(
    other: str, embedded: EmbeddedCloud, bucket: str, account: Account, tmp_path: Path
) -> None:
    day = datetime.now(UTC).date() - timedelta(days=2)
    key = f"data/{account.id}/{HOME}/{day}_DAILY.json"
    key = key.replace(account.id if other.isdigit() else HOME, other)
    embedded.client("s3", embedded.analytics.id).put_object(Bucket=bucket, Key=key, Body=b"{}")
    document = later_run(embedded, bucket, account, tmp_path).document
    is_true(document, place_of(account, document), "security", "health")


NOW_ONLY = ("kms", "waf", "waf_rules", "cloudtrail", "secrets_manager", "certificate_manager")


def test_past_days_have_a_document_each_with_what_belongs_to_it(
    embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    last = datetime.now(UTC).date() - timedelta(days=1)
    first = last - timedelta(days=4)
    requests = record(embedded, account)
    environment = without_bucket(embedded, account)
    sent = send(environment, tmp_path, EVERYTHING, "--start", str(first), "--end", str(last))
    assert sent.code == 0
    days = [first + timedelta(days=ahead) for ahead in range(5)]
    assert [period(made) for made in sent.documents] == [
        (day, day + timedelta(days=1)) for day in days
    ]
    assert names(requests)["ce:GetCostAndUsage"] == 1
    assert not names(requests)["ce:GetCostForecast"]
    until = datetime.combine(last + timedelta(days=1), time(), UTC)
    for day, made in zip(days, sent.documents, strict=True):
        midnight = datetime.combine(day, time(), UTC)
        bounds = {
            "since": midnight,
            "until": min(until, midnight + timedelta(days=1, microseconds=-1)),
        }
        place = place_of(account, made, costs_from=day, **bounds)
        is_true(made, place, "service", "marketplace", "health", "ri_sp_savings")
        for part in ("security_hub", "guard_duty", "inspector"):
            truth = TRUTH[f"security.{part}"]
            same_rows(rows(made, f"security.{part}"), list(truth.rows(place)), truth.key)
        reports_are_true(made, place, anomalies_of(account, [day]))


def test_past_days_say_nothing_of_what_exists_now(
    embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    day = str(datetime.now(UTC).date() - timedelta(days=3))
    flags = (EVERYTHING, "--start", day, "--end", day)
    sent = send(without_bucket(embedded, account), tmp_path, *flags)
    now = {name for name, held in SENDER_CATEGORIES.items() if held.backfill == NOW}
    assert {name for name, status in sent.statuses.items() if status == "Skipped"} == now
    assert not any(rows(sent.document, path) for path in paths_of(*now))
    assert not set(NOW_ONLY) & sent.document["security"].keys()
    assert "forecast" not in sent.document["cost"][0]
    assert "contact_info" not in sent.document["account"]
    assert sent.document["account"]["customer_name"] == "Example Corp"


def test_costs_that_aws_restated_are_read_again(
    embedded: EmbeddedCloud, bucket: str, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account()
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    documents_exist(embedded, bucket, account, yesterday - timedelta(days=1))
    before = later_run(embedded, bucket, account, tmp_path).document
    embedded.cloud.restate(account.id, yesterday - timedelta(days=1))
    after = later_run(embedded, bucket, account, tmp_path).document
    costs = [[report["current_period_cost"] for report in made["cost"]] for made in (before, after)]
    assert costs[0][0] == costs[1][0]
    assert costs[0][1] != costs[1][1]
    place = place_of(account, after)
    reports_are_true(after, place, anomalies_of(account, place.cost_days))


# Limits


def test_throttled_calls_are_made_again_until_everything_is_read(
    embedded: EmbeddedCloud, account: Account, only: Send
) -> None:
    for service, operation in (
        ("support", "DescribeCases"),
        ("kms", "DescribeKey"),
        ("acm", "ListCertificates"),
        ("securityhub", "GetFindings"),
        ("health", "DescribeEvents"),
    ):
        embedded.switches.throttle(service, operation, times=3)
    sent = only("support_tickets", "security", "health")
    assert sent.code == 0
    is_true(
        sent.document, place_of(account, sent.document), "support_tickets", "security", "health"
    )
    attempts = [line["attempts"] for line in sent.story if line["kind"] == "CALL"]
    assert max(attempts) >= 4
