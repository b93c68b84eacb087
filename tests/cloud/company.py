"""An invented company, whose accounts are one organization: what the demos show.

Brightquay takes payments and runs a web shop. All of its accounts are at home in eu-west-1; the
one that takes payments is in us-east-1 as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from tests.cloud.accounts import Account, Cloud, Size, generate
from tests.cloud.content.words import Words
from tests.cloud.organization import Organization

HOME, AWAY = REGIONS = ("eu-west-1", "us-east-1")
MANAGEMENT, SECURITY, PAYMENTS, STAGING, SHOP, DATA = (
    "111122223333", "222233334444", "333344445555", "444455556666", "555566667777",
    "666677778888",
)  # fmt: skip

SIZE = Size(
    instances=4, volumes=5, subnets=2, databases=2, load_balancers=2, scaling_groups=1,
    functions=3, buckets=3, applications_per_instance=5, patches_per_instance=5, keys=4,
    web_acls=1, trails=1, events=2, secrets=3, certificates=2, security_hub_findings=12,
    guardduty_findings=3, inspector_findings=8, config_rules=8, conformance_packs=1,
    evaluations_per_rule=5, advisor_checks=4, health_events=4, cases=2, licenses=2, services=3,
    resilience_apps=1, cost_lines=13, anomalies=1, commitments=2, contacts=True,
)  # fmt: skip
"""Of an account that customers use."""

OFFICE = Size(
    buckets=2, keys=2, trails=1, events=2, secrets=1, security_hub_findings=4, config_rules=4,
    evaluations_per_rule=2, conformance_packs=1, advisor_checks=4, health_events=2, cases=1,
    cost_lines=9, commitments=1, contacts=True,
)  # fmt: skip
"""Of an account in which nothing runs."""

FORMS = {
    "bucket": ("brightquay-{app}-data-{account}", "brightquay-{app}-logs-{account}"),
    "check": (
        "Low Utilization Amazon EC2 Instances",
        "IAM Access Key Rotation",
        "Amazon RDS Multi-AZ",
        "High Utilization Amazon EC2 Instances",
    ),
    "cluster": ("eks:{app}/production",),
    "computer": ("ip-10-0-0-{number}.{region}.compute.internal",),
    "database": ("{app}-db",),
    "disk": ("{app}-data", "{app}-root"),
    "domain": ("{app}.brightquay.example",),
    "finding": ("{title}",),
    "function": ("{app}-events", "{app}-nightly-report"),
    "group": ("{app}-workers",),
    "instance": ("{app}-api", "{app}-worker"),
    "load balancer": ("{app}-public", "{app}-internal"),
    "pack": ("operational-best-practices-for-cis",),
    "program": ("openssl", "curl", "nginx", "python3", "amazon-cloudwatch-agent"),
    "resilient app": ("{app}",),
    "rule": (
        "encrypted-volumes",
        "required-tags",
        "rds-multi-az-support",
        "ec2-imdsv2-check",
        "encrypted-volumes-of-databases",
        "required-tags-cost-center",
        "rds-multi-az-of-replicas",
        "ec2-imdsv2-of-templates",
    ),
    "secret": ("{app}/database", "{app}/api-key"),
    "service": ("{app}",),
    "trail": ("audit-{region}",),
    "web ACL": ("{app}-{scope}",),
}

TEXTS = {
    "annotation": (
        "The volume is not encrypted.",
        "The tag cost-center is missing.",
        "The resource has no standby in another Availability Zone.",
        "Version 1 of the instance metadata service is allowed.",
    ),
    "application": ("Serves customers around the clock.",),
    "case": ("Raise the limit of running instances", "Question about the last invoice"),
    "check": ("A resource is not used as AWS recommends.",),
    "edition": ("Enterprise",),
    "event": (
        "EC2 has found a failure of the hardware under your instance.",
        "Some requests to RDS have taken longer than usual.",
        "Your invoice is available.",
        "AWS Lambda ends the support of a runtime that you use.",
    ),
    "finding": ("The control found a resource that does not follow the recommendation.",),
    "function": ("Handles events of the application.", "Writes a report every night."),
    "key": ("Documents", "Databases", "Customer data", "Backups"),
    "patch": ("Security update of openssl", "Security update of the kernel", "Update of curl"),
    "patch group": ("production",),
    "policy": ("Back in service within hours.",),
    "product": ("Datadog Pro", "MongoDB Atlas (pay-as-you-go)", "Snowflake"),
    "publisher": ("Amazon Linux", "OpenSSL Project", "NGINX, Inc."),
    "recommendation": ("Follow the remediation steps of the control.",),
    "remedy": ("Update the installed packages.",),
    "reply": ("Thank you, this has solved it.", "We have raised the limit."),
    "rule": ("Checks what the company's standard asks for.",),
    "secret": ("Credentials of the database", "Key of a partner's API"),
    "server": ("warehouse-scanner", "scanner.warehouse.brightquay.example"),
    "site": ("Web shop",),
    "submitter": ("platform@brightquay.example",),
    "team": ("platform", "payments", "shop", "data"),
    "threat": (
        "SSH brute force against an EC2 instance",
        "An EC2 instance asks for the name of a Bitcoin pool",
        "An open port of an EC2 instance is being probed",
        "A new program was run on an EC2 instance",
    ),
    "threat description": ("Unusual traffic of an instance was seen.",),
    "user": ("maria.lopez", "deploy-pipeline"),
    "vulnerability": ("An installed package has a known vulnerability.",),
    "web ACL": ("Protects what customers use",),
}

CONTACT = (
    {
        "FullName": "Maria Lopez",
        "AddressLine1": "12 Harbour Street",
        "City": "Dublin",
        "PostalCode": "D01 X2P2",
        "CountryCode": "IE",
        "PhoneNumber": "+353 1 555 0100",
    },
    {"CompanyName": "Brightquay Ltd", "WebsiteUrl": "https://brightquay.example"},
)
PEOPLE = (
    ("BILLING", "Tom Baker", "Head of Finance", "+353 1 555 0101"),
    ("OPERATIONS", "Aisha Khan", "Platform Lead", "+353 1 555 0102"),
    ("SECURITY", "Jan Novak", "CISO", "+353 1 555 0103"),
)


@dataclass(frozen=True)
class Part:
    """An account of the company: its name, what it runs, how large it is and what it spends."""

    name: str
    apps: tuple[str, ...]
    size: Size
    regions: tuple[str, ...] = (HOME,)
    spending: float = 1.0
    tags: dict[str, str] = field(default_factory=dict)
    unit: str = ""


PARTS = {
    MANAGEMENT: Part(
        "management", ("billing", "identity", "network"), OFFICE, spending=0.3,
        tags={"customer": "Platform", "product": "Platform"},
    ),
    SECURITY: Part(
        "security-audit", ("siem", "forensics", "scanner"), OFFICE, spending=0.6,
        tags={"customer": "Platform", "product": "Platform"}, unit="Security",
    ),
    PAYMENTS: Part(
        "payments-prod", ("checkout", "ledger", "payouts", "fraud", "refunds"), SIZE, REGIONS, 3.1,
        {"customer": "Payments", "product": "Payments"}, "Payments",
    ),
    STAGING: Part(
        "payments-staging", ("checkout", "ledger", "payouts", "fraud", "refunds"),
        SIZE.scaled(0.5), spending=0.5,
        tags={"customer": "Payments", "product": "Payments", "environment": "staging"},
        unit="Payments",
    ),
    SHOP: Part(
        "webshop-prod", ("storefront", "catalog", "search", "basket", "reviews"), SIZE,
        spending=2.2, tags={"customer": "Shop", "product": "Shop"}, unit="Shop",
    ),
    DATA: Part(
        "data-platform", ("lakehouse", "reports", "forecasting"), SIZE.scaled(0.7), spending=1.4,
        tags={"customer": "Data", "product": "Shop:Payments"}, unit="Data",
    ),
}  # fmt: skip


def words_of(*apps: str) -> Words:
    """The company's words for an account that runs these."""
    return Words(apps, FORMS, (), TEXTS, CONTACT, PEOPLE)


def make_account(account_id: str, number: int, today: date) -> Account:
    """One account of the company as of a day."""
    part = PARTS[account_id]
    account = generate(account_id, part.size, number, today, part.regions)
    account.name = part.name
    account.email = f"aws+{part.name}@brightquay.example"
    account.spending = part.spending
    account.words = words_of(*part.apps)
    return account


def make_company(today: date) -> Cloud:
    """The company's accounts as of a day. The security account sees all findings."""
    accounts = {name: make_account(name, number, today) for number, name in enumerate(PARTS, 1)}
    organization = Organization(accounts[MANAGEMENT])
    units: dict[str, str] = {}
    for name, part in PARTS.items():
        if part.unit:
            unit = units.get(part.unit) or units.setdefault(part.unit, organization.unit(part.unit))
            organization.join(accounts[name], unit, **part.tags)
    organization.members[MANAGEMENT].tags.update(PARTS[MANAGEMENT].tags)
    organization.delegate(accounts[SECURITY], "securityhub.amazonaws.com")
    cloud = Cloud.of(*accounts.values())
    cloud.organizations.append(organization)
    return cloud
