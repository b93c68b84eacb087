"""The data set that the documentation's answers come from: three accounts, two days, a few rows.

No answer may change as time goes by, so what the views compare with now is long past or far ahead.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from observability.receiving.result import FileStatus
from tests import documents
from tests.documents import Document
from tests.security_documents import finding
from tests.warehouse import Warehouse

DAYS = (date(2026, 11, 21), date(2026, 11, 22))
PLATFORM, SHOP, SANDBOX = ACCOUNTS = ("111122223333", "222233334444", "333344445555")
NAMES = {PLATFORM: "platform", SHOP: "shop", SANDBOX: "sandbox"}
CUSTOMERS = {PLATFORM: "Internal", SHOP: "Example GmbH", SANDBOX: "Internal"}
PRODUCTS = {PLATFORM: "CI", SHOP: "Web shop, Payments", SANDBOX: ""}
REGION = "eu-west-1"

COSTS = {
    PLATFORM: {"Amazon Elastic Compute Cloud": ("41.80", "0.5"), "AWS Config": ("3.2201", "0")},
    SHOP: {
        "Amazon Relational Database Service": ("118.4055", "2.25"),
        "Amazon CloudFront": ("36.09", "-0.75"),
    },
    SANDBOX: {"Amazon Elastic Compute Cloud": ("7.7", "0")},
}
"""What each service of an account cost on the first of the month, and how much more each day."""
KNOWN_DAYS = 22

FINDINGS = {
    PLATFORM: (("S3 buckets should block public access", "arn:aws:s3:::release-archive"),),
    SHOP: (("RDS instances should not be public", f"arn:aws:rds:{REGION}:{SHOP}:db:orders"),),
    SANDBOX: (),
}
"""The title and the resource of each critical finding; the shop's is new on the second day."""

CERTIFICATES = {
    PLATFORM: (("ci.example.com", "2049-06-30"), ("old.example.com", "2026-11-01")),
    SHOP: (("shop.example.com", "2048-12-03"),),
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
    made["account"] |= {
        "account_name": NAMES[account],
        "customer_name": CUSTOMERS[account],
        "product": PRODUCTS[account],
    }
    made["service"] = [row for each in known(day) for row in costs(account, each)]
    made["cost"] = [report(account, each, day) for each in known(day)]
    made["cost_by_tag"] = []
    made["ri_sp_savings"] = [
        row | {"end_date": "2047-12-31T00:00:00+00:00"}
        for row in made["ri_sp_savings"]
        if account == PLATFORM
    ]
    made["service_resources"] = [
        {"service_name": service, "resource_type": kind, "resource_id": name, "region": REGION}
        for service, kind, name in RESOURCES[account]
        if day == DAYS[0] or name not in GONE
    ]
    made["inventory"]["patches"][0]["state"] = "Missing" if account == SHOP else "Installed"
    made["trusted_advisor"] = made["trusted_advisor"] if account == PLATFORM else []
    make_security(made, account, day)
    if account != SHOP:
        made["compute_optimizer"] = made["config_inventory"] = []
        made["config"]["non_compliant_resources"] = []
        made["config"] |= {"compliance_score": 100, "compliant_rules": 3, "non_compliant_rules": 0}
    if account == SANDBOX and day == DAYS[1]:
        made["logs"]["health_status"] = "Fail"
    return made


def make_security(made: Document, account: str, day: date) -> None:
    security = made["security"]
    security["guard_duty"] = []
    security["inspector"] = security["inspector"] if account == SHOP else []
    security["security_hub"][0]["findings"] = [
        finding(
            account, REGION, str(number), "CRITICAL", title=title, resource_id=resource,
            updated_at=None,
        )
        for number, (title, resource) in enumerate(FINDINGS[account])
        if account != SHOP or day == DAYS[1]
    ]  # fmt: skip
    security["kms"][0] |= {
        "key_state": "Enabled",
        "deletion_date": None,
        "key_rotation_enabled": account != SANDBOX,
    }
    security["certificate_manager"] = [
        security["certificate_manager"][0]
        | {"arn": f"arn:aws:acm:{REGION}:{account}:certificate/{name}", "domain_name": name}
        | {"not_after": f"{until}T23:59:59+00:00"}
        for name, until in CERTIFICATES[account]
    ]


def known(day: date) -> list[date]:
    """The days whose costs a document tells: on the first day all of the month so far."""
    count = KNOWN_DAYS - 1 if day == DAYS[0] else 1
    return [day - timedelta(days=back) for back in reversed(range(count))]


def costs(account: str, day: date) -> list[dict[str, Any]]:
    """The rows of an account's services on a day."""
    number = (day - DAYS[1]).days + KNOWN_DAYS - 1
    [row, *_] = documents.service_part(day)
    return [
        row
        | {"service": service, "usage_types": "all"}
        | dict.fromkeys(("cost", "amortized_cost"), str(Decimal(base) + number * Decimal(more)))
        for service, (base, more) in COSTS[account].items()
    ]


def report(account: str, day: date, told: date) -> dict[str, Any]:
    """The report of a day; the forecast of the rest of the month is in the newest one."""
    [made] = documents.cost_part(day)
    services = costs(account, day)
    made["top_services"] = [{n: row[n] for n in ("service", "cost")} for row in services]
    total = sum(Decimal(row["cost"]) for row in services)
    made["current_period_cost"] = str(total)
    if day != told:
        del made["forecast"]
        return made
    made["forecast"] = [
        made["forecast"][0]
        | {"period": {"start": str(ahead), "end": str(ahead + timedelta(days=1))}}
        | {"amount": str(total)}
        for ahead in (day + timedelta(days=n) for n in range(1, 31))
    ]
    return made


def load(warehouse: Warehouse) -> None:
    """Load the data set."""
    for account in ACCOUNTS:
        for day in DAYS:
            key = documents.key(day, account, REGION)
            assert warehouse.load(example(account, day), key).status is FileStatus.LOADED
