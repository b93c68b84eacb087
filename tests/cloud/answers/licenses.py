"""License Manager and AWS Marketplace, as a buyer sees them."""

from __future__ import annotations

from typing import Any

from tests.cloud.accounts import Item
from tests.cloud.answers.core import AwsError, Call, answer, page


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
