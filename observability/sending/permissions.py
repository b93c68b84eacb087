"""What an identity can read: --check and --list."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from observability.aws.errors import aws_errors, classify_error, describe_error
from observability.collecting.collector import REGION
from observability.collecting.organization import assume_account_role
from observability.collecting.run import Run
from observability.collecting.scan import Scan
from observability.collectors import CATEGORIES, COLLECTORS
from observability.contract import FAIL, SKIPPED
from observability.log import Log
from observability.rows import Row
from observability.sending.accounts import find_targets
from observability.settings.sender import Settings, read_settings
from observability.settings.values import Target


class AWSBoto3Permissions:
    """What this identity can and cannot read, by asking AWS for the least of each kind.

    Each probe is a real call with a page as small as AWS allows; the one to Cost Explorer costs
    $0.01. Calls that need the name of a thing are not probed.
    """

    def __init__(self, scan: Scan | None = None) -> None:
        self.scan = scan or Scan.for_check(
            read_settings({}, CATEGORIES, uploads=False), Log(sys.stderr)
        )

    def test(self) -> list[tuple[str, str, str, str]]:
        """(category, call, yes | no | off, reason) for each probe."""
        only = self.scan.settings.only
        wanted = only | {"cost"} if "service" in only else only or CATEGORIES  # both read costs
        probes = [probe for probe in PROBES if probe[0] in wanted]
        with ThreadPoolExecutor(8, "probe") as pool:
            return list(pool.map(lambda probe: self._probe(*probe), probes))

    def _probe(
        self, category: str, call: str, parameters: Row | Callable[[Scan], Row]
    ) -> tuple[str, str, str, str]:
        from botocore import xform_name

        service, _, operation = call.partition(":")
        everywhere = CATEGORIES[category].scope != REGION and service not in ("ec2", "rds")
        client = self.scan.global_client(service) if everywhere else self.scan.client(service)
        asked = parameters(self.scan) if callable(parameters) else parameters
        try:
            getattr(client, xform_name(operation))(**asked)
        except aws_errors() as error:
            meaning, what, detail = classify_error(error)
            if meaning == FAIL:
                return category, call, "no", f"{what}: {detail}"
            if meaning == SKIPPED:
                return category, call, "off", what
        return category, call, "yes", ""


def last_week(scan: Scan) -> Row:
    """Cost Explorer's parameters for the cheapest answer about the past."""
    end = scan.window.until.date()
    period = {"Start": str(end - timedelta(days=7)), "End": str(end)}
    return {"TimePeriod": period, "Granularity": "MONTHLY", "Metrics": ["UnblendedCost"]}


def last_hour(scan: Scan) -> Row:
    """Application Signals' parameters for the shortest time that it rounds to."""
    until = scan.window.until
    return {"StartTime": until - timedelta(hours=1), "EndTime": until, "MaxResults": 1}


PROBES: tuple[tuple[str, str, Row | Callable[[Scan], Row]], ...] = (
    ("account", "sts:GetCallerIdentity", {}),
    ("account", "account:GetAccountInformation", {}),
    ("account", "account:GetContactInformation", {}),
    ("account", "account:GetAlternateContact", {"AlternateContactType": "BILLING"}),
    ("account", "organizations:DescribeAccount", lambda scan: {"AccountId": scan.account}),
    ("config", "config:DescribeConfigurationRecorders", {}),
    ("config", "config:DescribeComplianceByConfigRule", {}),
    ("config", "config:DescribeConformancePacks", {"Limit": 1}),
    ("cost", "ce:GetCostAndUsage", last_week),
    (
        "cost", "cost-optimization-hub:ListRecommendationSummaries",
        {"groupBy": "ResourceType", "maxResults": 1},
    ),
    ("ri_sp_savings", "savingsplans:DescribeSavingsPlans", {"maxResults": 1}),
    ("ri_sp_savings", "ec2:DescribeReservedInstances", {}),
    ("ri_sp_savings", "rds:DescribeReservedDBInstances", {"MaxRecords": 20}),
    ("security", "securityhub:GetFindings", {"MaxResults": 1}),
    ("security", "guardduty:ListDetectors", {"MaxResults": 1}),
    ("security", "kms:ListKeys", {"Limit": 1}),
    ("security", "wafv2:ListWebACLs", {"Scope": "REGIONAL", "Limit": 1}),
    ("security", "wafv2:ListLoggingConfigurations", {"Scope": "REGIONAL", "Limit": 1}),
    ("security", "cloudtrail:DescribeTrails", {}),
    ("security", "cloudtrail:LookupEvents", {"MaxResults": 1}),
    ("security", "secretsmanager:ListSecrets", {"MaxResults": 1}),
    ("security", "acm:ListCertificates", {"MaxItems": 1}),
    ("security", "inspector2:ListFindings", {"maxResults": 1}),
    ("inventory", "ssm:DescribeInstanceInformation", {"MaxResults": 5}),
    ("inventory", "ssm:GetInventory", {"MaxResults": 1}),
    ("marketplace", "license-manager:ListReceivedLicenses", {"MaxResults": 1}),
    ("trusted_advisor", "support:DescribeTrustedAdvisorChecks", {"language": "en"}),
    ("health", "health:DescribeEvents", {"maxResults": 10}),
    ("application", "application-signals:ListServices", last_hour),
    ("resilience_hub", "resiliencehub:ListApps", {"maxResults": 1}),
    ("service_resources", "ec2:DescribeInstances", {"MaxResults": 5}),
    ("service_resources", "ec2:DescribeVolumes", {"MaxResults": 5}),
    ("service_resources", "ec2:DescribeSubnets", {"MaxResults": 5}),
    ("service_resources", "rds:DescribeDBInstances", {"MaxRecords": 20}),
    ("service_resources", "s3:ListBuckets", {"MaxBuckets": 1}),
    ("service_resources", "elbv2:DescribeLoadBalancers", {"PageSize": 1}),
    ("service_resources", "autoscaling:DescribeAutoScalingGroups", {"MaxRecords": 1}),
    ("service_resources", "lambda:ListFunctions", {"MaxItems": 1}),
    ("compute_optimizer", "compute-optimizer:GetEC2InstanceRecommendations", {"maxResults": 1}),
    ("compute_optimizer", "compute-optimizer:GetEBSVolumeRecommendations", {"maxResults": 1}),
    ("compute_optimizer", "compute-optimizer:GetLambdaFunctionRecommendations", {"maxResults": 1}),
    (
        "config_inventory", "config:SelectResourceConfig",
        {"Expression": "SELECT resourceId", "Limit": 1},
    ),
    ("support_tickets", "support:DescribeCases", {"maxResults": 10}),
)  # fmt: skip


def table(rows: Iterable[Sequence[str]]) -> None:
    """Print rows in columns."""
    lines = list(rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        cells = (Log.safe(cell).ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def list_collectors() -> int:
    """--list: what is collected, from where, and what a past day means to it."""
    table(
        [
            ("CATEGORY", "SCOPE", "PAST DAY", "ESSENTIAL", "IAM ACTIONS"),
            *(
                (
                    c.category,
                    c.scope,
                    c.backfill,
                    "yes" if c.essential else "no",
                    " ".join(c.actions),
                )
                for c in COLLECTORS
            ),
        ]
    )
    return 0


def check(settings: Settings, log: Log) -> int:
    """--check: what this identity can read; 1 if an essential category cannot be."""
    if settings.several:
        return check_accounts(settings, log)
    found = AWSBoto3Permissions(Scan.for_check(settings, log)).test()
    table([("CATEGORY", "CALL", "READABLE", "REASON"), *found])
    return int(any(held[2] == "no" and CATEGORIES[held[0]].essential for held in found))


def check_accounts(settings: Settings, log: Log) -> int:
    """--check over several accounts: whether each can be entered; 1 if one cannot."""
    caller = Run(settings, log).caller
    caller.identify()
    targets = find_targets(
        caller, settings, lambda why, account: log.say("INFO", f"{account} is left out: {why}")
    )

    def try_role(target: Target) -> tuple[str, str, str, str]:
        try:
            aws = assume_account_role(caller, settings, target.account)
        except aws_errors() as error:
            return target.account, settings.role_name, "no", describe_error(error)
        arn = str(aws.identity["Arn"])
        aws.close()
        return (
            target.account,
            arn,
            "yes",
            "the caller's own" if target.account == caller.account else "",
        )

    with ThreadPoolExecutor(settings.at_once, "account") as pool:
        found = list(pool.map(try_role, targets))
    table([("ACCOUNT", "ROLE", "ASSUMABLE", "REASON"), *found])
    return int(any(held[2] == "no" for held in found))
