"""What was bought on AWS Marketplace: licenses, entitlements and agreements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cloud.content import content

if TYPE_CHECKING:
    from tests.cloud.accounts import Account


def product_code(account: Account, number: int) -> str:
    """A product code, 25 letters and digits."""
    return account.hex(25, "product", number)


@content("license-manager", "received")
def received(account: Account, region: str) -> list[dict[str, Any]]:
    """ListReceivedLicenses' GrantedLicense: how a buyer learns its product codes."""
    return [license_of(account, number) for number in range(account.size.licenses)]


def license_of(account: Account, number: int) -> dict[str, Any]:
    """One license for a year; every fifth has expired."""
    expired = number % 5 == 4
    begun = account.ago(500 if expired else 100, seconds=number)
    again = number // len(account.words.texts["product"])
    name = account.words.text("product", number) + (f" {again}" if again else "")
    return {
        "LicenseArn": f"arn:aws:license-manager::294406891311:license:l-{account.hex(32, number)}",
        "LicenseName": name,
        "ProductName": name,
        "ProductSKU": product_code(account, number),
        "Issuer": {"Name": "AWS/Marketplace", "KeyFingerprint": "aws:294406891311:AWS/Marketplace"},
        "HomeRegion": "us-east-1",
        "Status": "EXPIRED" if expired else "AVAILABLE",
        "Validity": {
            "Begin": begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "End": account.ago(135 if expired else -265).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "Beneficiary": account.id,
        "Entitlements": [
            {"Name": "Seats", "MaxCount": 10 + number, "Unit": "Count", "Overage": False},
            {"Name": "Enterprise", "Value": "Enabled", "Unit": "None"},
        ],
        "CreateTime": str(int(begun.timestamp())),
        "Version": "1",
        "ReceivedMetadata": {
            "ReceivedStatus": "ACTIVE",
            "AllowedOperations": ["ListPurchasedLicenses", "CheckoutLicense"],
        },
    }


@content("marketplace-entitlement", "entitlements")
def entitlements(account: Account, region: str) -> list[dict[str, Any]]:
    """GetEntitlements' Entitlement: three of each product, one of each type of value."""
    values = (
        {"IntegerValue": 10},
        {"BooleanValue": True},
        {"StringValue": account.words.text("edition", 0)},
    )
    return [
        {
            "ProductCode": held["ProductSKU"],
            "Dimension": f"dimension-{step}",
            "CustomerIdentifier": account.hex(11, "customer"),
            "CustomerAWSAccountId": account.id,
            "Value": value,
            "ExpirationDate": account.ago(135 if held["Status"] == "EXPIRED" else -265),
            "LicenseArn": held["LicenseArn"],
        }
        for held in account.items("license-manager", "received")
        for step, value in enumerate(values)
    ]
