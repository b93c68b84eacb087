"""sender.py: wall time against the critical path, calls, money, memory, start."""

from __future__ import annotations

import fnmatch
import os
import statistics
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.bench.harness import (
    REGION,
    ROOT,
    Cost,
    Line,
    Results,
    account,
    run,
    run_command,
    running_cloud,
)
from tests.cloud import EmbeddedCloud, Size
from tests.cloud.quotas import QUOTAS

LATENCY = 0.050
DOLLARS_PER_REQUEST = 0.01
"""What AWS charges for a request to Cost Explorer, each page being one."""
PAID = ("GetCostAndUsage", "GetCostForecast", "GetAnomalies")
DAILY_REQUESTS = 3

# Calls that must follow one another, by what is asked for. Pages follow one another, too, as a
# page's token comes with the page before it; `each` item can be asked for by itself.
CHAINS = (
    "account GetAccountInformation, organizations DescribeAccount,"
    " account GetContactInformation, account GetAlternateContact each",
    "ce GetCostAndUsage, license-manager ListReceivedLicenses,"
    " marketplace-entitlement GetEntitlements each",
    "securityhub GetFindings",
    "guardduty ListDetectors, guardduty ListFindings, guardduty GetFindings each",
    "inspector2 ListFindings",
    "kms ListKeys, kms DescribeKey each, kms GetKeyRotationStatus each",
    "wafv2 ListWebACLs each, wafv2 ListLoggingConfigurations each, wafv2 GetWebACL each,"
    " wafv2 ListResourcesForWebACL each",
    "cloudtrail DescribeTrails, cloudtrail GetTrailStatus each",
    "secretsmanager ListSecrets",
    "acm ListCertificates",
    "config DescribeComplianceByConfigRule, config GetComplianceDetailsByConfigRule each",
    "config SelectResourceConfig",
    "ec2 DescribeInstances, ssm DescribeInstanceInformation, ssm GetInventory",
    "ec2 DescribeInstances, ssm DescribeInstanceInformation, ssm DescribeInstancePatches each",
    "support DescribeTrustedAdvisorChecks, support DescribeTrustedAdvisorCheckSummaries,"
    " support DescribeTrustedAdvisorCheckResult each",
    "support DescribeCases",
    "health DescribeEvents",
    "application-signals ListServices",
    "resiliencehub ListApps, resiliencehub DescribeApp each,"
    " resiliencehub DescribeResiliencyPolicy each, resiliencehub ListAppAssessments each",
    "compute-optimizer GetEC2InstanceRecommendations",
    "compute-optimizer GetEBSVolumeRecommendations",
    "compute-optimizer GetLambdaFunctionRecommendations",
    "ec2 DescribeVolumes",
    "rds DescribeDBInstances",
    "lambda ListFunctions",
)
BEFORE_AND_AFTER = ("sts GetCallerIdentity", "s3 ListObjectsV2", "s3 PutObject")

PER_ITEM = {
    "kms DescribeKey": "ListKeys has ids only; KMS has no call for several keys",
    "kms GetKeyRotationStatus": "only here; called for keys that can rotate",
    "wafv2 GetWebACL": "ListWebACLs has no rules",
    "wafv2 ListResourcesForWebACL": "AWS answers by ACL and type of resource only",
    "cloudfront ListDistributionsByWebACLId": "the same, for CloudFront",
    "cloudtrail GetTrailStatus": "DescribeTrails does not say whether a trail logs",
    "config GetComplianceDetailsByConfigRule": "by rule only; called for rules that do not comply",
    "config DescribeConformancePackCompliance": "by pack only",
    "ssm DescribeInstancePatches": "by instance only; GetInventory has no patch states",
    "support DescribeTrustedAdvisorCheckResult": "by check only; called for checks that warn",
    "resiliencehub DescribeApp": "ListApps does not name the policy",
    "resiliencehub ListAppAssessments": "costs are known by app only",
    "resiliencehub DescribeResiliencyPolicy": "once per policy, not per app",
    "marketplace-entitlement GetEntitlements": "by product only",
    "guardduty GetFindings": "ListFindings has ids only; fifty a call",
    "account GetAlternateContact": "one type of contact a call; three",
}

Calls = Counter[str]


@dataclass(frozen=True)
class Sent:
    """What a run of sender.py took, and its calls by `service Operation`."""

    cost: Cost
    calls: Calls
    retries: int


def measure(results: Results, *, quick: bool) -> None:
    start(results)
    with running_cloud(account(Size.small())) as embedded:
        wall_time(embedded, results, "a small account", 1 if quick else 3)
        daily = money(embedded, results)
        backfill(embedded, results, 30 if quick else 365, daily)
    large = Size.large().scaled(0.05) if quick else Size.large()
    with running_cloud(account(large)) as embedded:
        calls = wall_time(embedded, results, "a large account" + (" (1/20)" if quick else ""))
        calls_by_service(results, calls)
    memory(results, 20_000 if quick else 1_000_000)


def send(embedded: EmbeddedCloud, *arguments: str) -> Sent:
    """Run sender.py for an account whose bucket is empty."""
    bucket = embedded.create_bucket()
    embedded.forget_calls()
    cost = run(embedded, "sender.py", *arguments, BUCKET=bucket)
    first = [call for call in embedded.calls if call.attempt == 1]
    calls = Counter(f"{call.service} {call.operation}" for call in first)
    return Sent(cost, calls, len(embedded.calls) - len(first))


# Wall time


def throttled(embedded: EmbeddedCloud) -> Sent:
    """A whole run at 50 ms a call with AWS's quotas."""
    embedded.switches.latency = {"*": LATENCY}
    embedded.switches.realistic_quotas()
    sent = send(embedded)
    embedded.switches.reset()
    return sent


def wall_time(embedded: EmbeddedCloud, results: Results, what: str, trials: int = 1) -> Calls:
    """The median of such runs, beside the shortest time possible."""
    send(embedded)  # the cloud makes its account up at the first request
    runs = sorted((throttled(embedded) for _ in range(trials)), key=lambda sent: sent.cost.seconds)
    sent = runs[len(runs) // 2]
    section = "Sender: wall time at 50 ms a call, within AWS's quotas"
    chain, quota = longest_chain(sent.calls), longest_quota(sent.calls)
    for name, (seconds, cause) in (("chain", chain), ("quota", quota)):
        results.add(section, Line(f"{what}: longest {name}", f"{seconds:.2f} s", cause))
    path = max(chain[0], quota[0])
    ratio = sent.cost.seconds / path
    small = what == "a small account"
    results.add(
        section,
        Line(
            f"{what}: wall time" + (f", the median of {trials}" if trials > 1 else ""),
            f"{sent.cost.seconds:.2f} s",
            f"critical path {path:.2f} s, CPU {sent.cost.cpu:.2f} s; {sent.calls.total():,} calls,"
            f" {sent.retries} retries",
            sent.cost.seconds / max(path, sent.cost.cpu),
            "<= 1.5" if small else "",
            ratio <= 1.5 if small else None,
        ),
    )
    return sent.calls


def longest_chain(calls: Calls) -> tuple[float, str]:
    """Seconds of the longest chain of calls that wait for one another, and which it is."""
    around = sum(calls[name] for name in BEFORE_AND_AFTER)
    lengths = {chain: length(chain, calls) for chain in CHAINS}
    longest = max(lengths, key=lambda chain: lengths[chain])
    return (around + lengths[longest]) * LATENCY, longest.partition(",")[0]


def length(chain: str, calls: Calls) -> int:
    """How many calls of a chain follow one another."""
    steps = [step.strip() for step in chain.split(",")]
    return sum(
        min(1, calls[step.removesuffix(" each")]) if step.endswith(" each") else calls[step]
        for step in steps
    )


def longest_quota(calls: Calls) -> tuple[float, str]:
    """Seconds for which a service's rate keeps its calls apart at least, and which it is."""
    seconds = {}
    for (service, operation), (per_second, burst) in QUOTAS.items():
        pattern = f"{service} {operation}"
        count = sum(n for name, n in calls.items() if fnmatch.fnmatchcase(name, pattern))
        waiting = max(0.0, (count - burst) / per_second)
        seconds[f"{count} calls of {pattern}, {per_second:g} a second"] = waiting
    around = (sum(calls[name] for name in BEFORE_AND_AFTER) + 1) * LATENCY
    longest = max(seconds, key=lambda name: seconds[name])
    return around + seconds[longest], longest


# Calls and money


def calls_by_service(results: Results, calls: Calls) -> None:
    """How often each service is called for the large account, and why items by themselves."""
    services: dict[str, Calls] = {}
    for name, count in calls.items():
        service, _, operation = name.partition(" ")
        services.setdefault(service, Counter())[operation] = count
    for service, operations in sorted(services.items(), key=lambda held: -held[1].total()):
        told = ", ".join(f"{name} {count}" for name, count in operations.most_common(3))
        results.add(
            "Sender: calls by service, large account",
            Line(service, f"{operations.total():,} calls", told),
        )
    for name, why in PER_ITEM.items():
        results.add("Sender: APIs called item by item", Line(name, f"{calls[name]:,} calls", why))


def paid(calls: Mapping[str, int]) -> int:
    return sum(calls[f"ce {operation}"] for operation in PAID)


def money(embedded: EmbeddedCloud, results: Results) -> int:
    """What a daily run costs; the number of its calls."""
    sent = send(embedded)
    requests = paid(sent.calls)
    results.add(
        "Sender: money",
        Line(
            "Cost Explorer requests of a daily run",
            f"{requests} requests",
            f"${requests * DOLLARS_PER_REQUEST * 365:.2f} per account and year",
            requests / DAILY_REQUESTS,
            f"<= {DAILY_REQUESTS}",
            requests <= DAILY_REQUESTS,
        ),
    )
    return requests


def backfill(embedded: EmbeddedCloud, results: Results, days: int, daily: int) -> None:
    """Past days, against as many daily runs."""
    last = datetime.now(UTC).date() - timedelta(days=1)
    first = last - timedelta(days=days - 1)
    embedded.switches.latency = {"*": LATENCY}
    sent = send(embedded, "--start", str(first), "--end", str(last))
    embedded.switches.reset()
    requests, total = paid(sent.calls), sent.calls.total()
    enough = days == 365
    results.add(
        "Sender: money",
        Line(
            f"Cost Explorer requests of a backfill of {days} days",
            f"{requests} requests",
            f"{days} daily runs: {days * daily} requests",
            requests / (days * daily),
            "<= 0.01" if enough else "",
            requests <= 0.01 * days * daily if enough else None,
        ),
        Line(
            "of all its calls",
            f"{requests} of {total}",
            ratio=requests / total,
            bound="< 0.05" if enough else "",
            holds=requests < 0.05 * total if enough else None,
        ),
        Line(
            f"wall time of a backfill of {days} days at 50 ms a call",
            f"{sent.cost.seconds:.1f} s",
            f"{sent.calls['s3 PutObject']} uploads one by one: {days * LATENCY:.1f} s",
            sent.cost.seconds / (days * LATENCY),
        ),
    )


# Memory and start


def memory(results: Results, rows: int) -> None:
    """Peak memory for one category of very many rows."""
    made = account(Size(config_rules=1, volumes=rows))
    made.items("config", "resources", REGION)  # made up now: the sender would not wait for it
    with running_cloud(made) as embedded:
        sent = send(embedded, "--only", "config_inventory", "--time-limit", "1200")
    results.add(
        "Sender: peak memory",
        Line(
            f"{rows:,} resources in AWS Config",
            f"{sent.cost.mebibytes:.0f} MiB",
            f"{sent.calls['config SelectResourceConfig']:,} pages, {sent.cost.seconds:.0f} s",
            sent.cost.mebibytes / 300,
            "<= 300 MiB",
            sent.cost.mebibytes <= 300,
        ),
    )


def start(results: Results) -> None:
    """How soon the command line answers what needs no AWS: the median of five."""
    for script in ("sender.py", "receiver.py"):
        for what, flag, codes in (("--help", "--help", (0,)), ("a wrong flag", "--bad", (2,))):
            command = [sys.executable, str(ROOT / script), flag]
            times = [run_command(command, dict(os.environ), codes).seconds for _ in range(5)]
            median = statistics.median(times)
            results.add(
                "Start",
                Line(f"{script}, {what}", f"{median:.3f} s", ratio=median / 0.15,
                     bound="<= 0.15 s", holds=median <= 0.15),
            )  # fmt: skip
