"""The data set that the README's answers come from: three accounts, two days, a few rows."""

from __future__ import annotations

from datetime import date
from typing import Any

from observability.receiving.result import FileStatus
from tests import documents
from tests.documents import Document
from tests.warehouse import Warehouse

DAYS = (date(2026, 11, 21), date(2026, 11, 22))
PLATFORM, SHOP, SANDBOX = ACCOUNTS = ("111122223333", "222233334444", "333344445555")
NAMES = {PLATFORM: "platform", SHOP: "shop", SANDBOX: "sandbox"}
REGION = "eu-west-1"

COSTS = {
    PLATFORM: {"Amazon Elastic Compute Cloud": "41.80", "AWS Config": "3.2201"},
    SHOP: {"Amazon Relational Database Service": "118.4055", "Amazon CloudFront": "36.09"},
    SANDBOX: {"Amazon Elastic Compute Cloud": "7.7"},
}
"""What each service of an account costs a day."""

FINDINGS = {
    PLATFORM: (("S3 buckets should block public access", "arn:aws:s3:::release-archive"),),
    SHOP: (("RDS instances should not be public", f"arn:aws:rds:{REGION}:{SHOP}:db:orders"),),
    SANDBOX: (),
}
"""The title and the resource of each critical finding."""

CERTIFICATES = {
    PLATFORM: (("ci.example.com", "2026-12-30"), ("example.com", "2027-08-01")),
    SHOP: (("shop.example.com", "2026-12-03"),),
    SANDBOX: (),
}
"""The domain and the last day of each certificate."""

RESOURCES = {
    PLATFORM: (("EC2", "Instance", "i-0f3b6c1d2e4a59788"),),
    SHOP: (("RDS", "DBInstance", "orders"), ("S3", "Bucket", "shop-images")),
    SANDBOX: (("EC2", "Instance", "i-0a1b2c3d4e5f60718"),),
}
GONE = {"i-0a1b2c3d4e5f60718"}
"""Resources of the first day that the second day's listings lack."""


def example(account: str, day: date) -> Document:
    """The document of an account and a day; on the second day Health fails in the sandbox."""
    made = documents.document(day, account, REGION)
    made["account"] |= {"account_name": NAMES[account]}
    made["service"] = [cost(made["service"][0], *held) for held in COSTS[account].items()]
    made["security"]["security_hub"][0]["findings"] = [
        documents.finding(
            account, REGION, str(number), "CRITICAL", title=title, resource_id=resource
        )
        for number, (title, resource) in enumerate(FINDINGS[account])
    ]
    made["security"]["certificate_manager"] = [
        made["security"]["certificate_manager"][0]
        | {"arn": f"arn:aws:acm:{REGION}:{account}:certificate/{name}", "domain_name": name}
        | {"not_after": f"{until}T23:59:59+00:00"}
        for name, until in CERTIFICATES[account]
    ]
    made["service_resources"] = [
        {"service_name": service, "resource_type": kind, "resource_id": name, "region": REGION}
        for service, kind, name in RESOURCES[account]
        if day == DAYS[0] or name not in GONE
    ]
    if account == SANDBOX and day == DAYS[1]:
        made["logs"]["health_status"] = "Fail"
    return made


def cost(row: dict[str, Any], service: str, amount: str) -> dict[str, Any]:
    """The row of a service's cost."""
    return row | {"service": service, "cost": amount, "usage_types": "all"}


def load(warehouse: Warehouse) -> None:
    """Load the data set."""
    for account in ACCOUNTS:
        for day in DAYS:
            key = documents.key(day, account, REGION)
            assert warehouse.load(example(account, day), key).outcome is FileStatus.LOADED
