"""Every canned listing: whole, paged, and of its own account and region."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.cloud import Account, Size
from tests.cloud.accounts import GLOBAL, Item, generate
from tests.cloud.answers import ANSWERS, AwsError
from tests.cloud.answers.core import ONE_REGION
from tests.cloud.tests.answering import (
    ONE,
    REGIONS,
    TODAY,
    TWO,
    Listing,
    ask,
    cloud_of,
    comparable,
    detector,
    less,
    small,
)
from tests.cloud.tests.listings import LISTINGS

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
    assert listing.everything(cloud_of(account)) == []


ANYWHERE = ("s3", "license-manager", "savingsplans")
"""What answers the same in every region."""

REGIONAL = [item for item in LISTINGS if item.empty and item.service not in ANYWHERE]


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
    Named("config", "DescribeConfigurationRecorders", nothing,
          lambda account: {"ConfigurationRecorders": account.items(
              "config", "recorders", "us-east-1")}),
    Named("guardduty", "ListDetectors", nothing,
          lambda account: {"DetectorIds": [detector(account)["DetectorId"]]}),
    Named("guardduty", "GetFindings",
          lambda account: detector(account) | {
              "FindingIds": [one(account, "guardduty", "findings")["Id"], "0" * 32]},
          lambda account: {"Findings": [one(account, "guardduty", "findings")]}),
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
    ("guardduty", "ListFindings", "BadRequestException", {"DetectorId": "none"}),
    ("guardduty", "GetFindings", "BadRequestException",
     {"DetectorId": "none", "FindingIds": []}),
    ("kms", "DescribeKey", "NotFoundException", {"KeyId": "none"}),
    ("kms", "GetKeyRotationStatus", "NotFoundException", {"KeyId": "none"}),
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
    ("ce", "GetReservationUtilization"),
    ("ce", "GetSavingsPlansUtilization"),
    ("ce", "GetSavingsPlansUtilizationDetails"),
    ("cloudtrail", "DescribeTrails"),
    ("ec2", "DescribeRegions"),
    ("ec2", "DescribeReservedInstances"),
    ("health", "DescribeAffectedAccountsForOrganization"),
    ("health", "DescribeEventsForOrganization"),
    *(("organizations", name) for name in (
        "DescribeAccount", "DescribeOrganization", "ListAccounts", "ListAccountsForParent",
        "ListDelegatedAdministrators", "ListOrganizationalUnitsForParent", "ListRoots",
        "ListTagsForResource",
    )),
    ("guardduty", "ListMembers"),
    ("inspector2", "ListMembers"),
    ("securityhub", "ListMembers"),
    ("wafv2", "ListResourcesForWebACL"),
}  # fmt: skip


def test_every_answer_is_tested() -> None:
    """Nothing is answered that no test asks for."""
    asked = {(item.service, item.operation) for item in LISTINGS}
    asked |= {(item.service, item.operation) for item in NAMED}
    assert asked | TESTED_BELOW == set(ANSWERS)
