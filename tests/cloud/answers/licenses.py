"""License Manager and AWS Marketplace, as a buyer sees them."""

from __future__ import annotations

from typing import Any

from tests.cloud.accounts import Item
from tests.cloud.answers.core import AwsError, Call, answer, find, page


@answer("license-manager", "ListReceivedLicenses")
def list_received_licenses(call: Call) -> dict[str, Any]:
    """Licenses granted to the account; those of AWS Marketplace are issued by it."""
    names = call.params.get("LicenseArns")
    filters = call.params.get("Filters") or []
    found = [
        held
        for held in call.own_global("received")
        if (not names or held["LicenseArn"] in names)
        and all(license_value(held, test["Name"]) in test["Values"] for test in filters)
    ]
    chunk, more = page(call, found, default=100, maximum=100)
    return {"Licenses": chunk, **more}


def license_value(held: Item, name: str) -> Any:
    """The value that a filter is about."""
    if name == "IssuerName":
        return held["Issuer"]["Name"]
    if name in ("ProductSKU", "Status", "Beneficiary"):
        return held[name]
    raise AwsError("InvalidParameterValueException", f"Unsupported filter: {name}")


@answer("marketplace-entitlement", "GetEntitlements")
def get_entitlements(call: Call) -> dict[str, Any]:
    """Entitlements for one product, 25 a page; a product that was not bought is invalid."""
    code = call.params["ProductCode"]
    found = [held for held in call.own_global("entitlements") if held["ProductCode"] == code]
    if not found:
        raise AwsError("InvalidParameterException", f"Invalid product code: {code}")
    filters = call.params.get("Filter") or {}
    members = {
        "CUSTOMER_IDENTIFIER": "CustomerIdentifier",
        "CUSTOMER_AWS_ACCOUNT_ID": "CustomerAWSAccountId",
        "DIMENSION": "Dimension",
        "LICENSE_ARN": "LicenseArn",
    }
    for name, values in filters.items():
        found = [held for held in found if held[members[name]] in values]
    chunk, more = page(call, found, default=25, maximum=25)
    return {"Entitlements": chunk, **more}


@answer("marketplace-agreement", "SearchAgreements")
def search_agreements(call: Call) -> dict[str, Any]:
    """Agreements that the account accepted; the party and the agreement's type must be named."""
    filters = {held["name"]: held["values"][0] for held in call.params.get("filters") or []}
    if filters.get("PartyType") != "Acceptor" or "AgreementType" not in filters:
        message = "Filters PartyType and AgreementType are required."
        raise AwsError("ValidationException", message)
    wanted = filters.get("Status")
    everything = call.own_global("agreements")
    found = [held for held in everything if not wanted or held["status"] == wanted]
    chunk, more = page(call, found, token="nextToken", size="maxResults", default=50, maximum=50)
    return {"agreementViewSummaries": chunk, **more}


def the_agreement(call: Call) -> Item:
    """The agreement that the request names."""
    held = find(call.own_global("agreements"), "agreementId", call.params["agreementId"])
    if held is None:
        raise AwsError("ResourceNotFoundException", "Agreement not found.", 404)
    return held


@answer("marketplace-agreement", "DescribeAgreement")
def describe_agreement(call: Call) -> dict[str, Any]:
    """One agreement and what it is expected to cost."""
    held = the_agreement(call)
    same = ("agreementId", "acceptor", "proposer", "startTime", "endTime", "acceptanceTime")
    return {name: held[name] for name in (*same, "agreementType", "proposalSummary", "status")} | {
        "estimatedCharges": {"currencyCode": "USD", "agreementValue": "1200.0000000001"}
    }


@answer("marketplace-agreement", "GetAgreementTerms")
def get_agreement_terms(call: Call) -> dict[str, Any]:
    """The terms of one agreement."""
    the_agreement(call)
    terms = [
        {"renewalTerm": {"type": "RenewalTerm", "configuration": {"enableAutoRenew": True}}},
        {"supportTerm": {"type": "SupportTerm", "refundPolicy": "No refunds, “ever”."}},
        {"legalTerm": {"type": "LegalTerm", "documents": []}},
    ]
    chunk, more = page(call, terms, token="nextToken", size="maxResults", default=50, maximum=50)
    return {"acceptedTerms": chunk, **more}
