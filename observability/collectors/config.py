"""config: rules and resources that comply, and each resource that does not."""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from observability.aws.errors import aws_errors
from observability.collecting.collector import NOW, REGIONAL, Collector, Probe
from observability.collecting.parallel import map_items
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.collecting.window import Window
from observability.rows import Row, RowMapper, decimal_text, get_path, iso_time, listed, shaped
from observability.sources.config import (
    CONFIG_ERRORS,
    NOT_RECORDING,
    query,
    read_recorders,
)

if TYPE_CHECKING:
    from mypy_boto3_config import ConfigServiceClient
    from mypy_boto3_config.literals import ComplianceTypeType


BY_COMPLIANCE = "configuration.complianceType"
COUNT_BY_COMPLIANCE = (
    f"SELECT {BY_COMPLIANCE}, COUNT(*) WHERE resourceType = 'AWS::Config::ResourceCompliance' "
    f"GROUP BY {BY_COMPLIANCE}"
)
"""The advanced query that counts resources with a verdict."""

QUALIFIER = "EvaluationResultIdentifier.EvaluationResultQualifier"
non_compliant_row = RowMapper(
    rule_name=f"{QUALIFIER}.ConfigRuleName", resource_type=f"{QUALIFIER}.ResourceType",
    resource_id=f"{QUALIFIER}.ResourceId", evaluation_mode=f"{QUALIFIER}.EvaluationMode",
    compliance_type="ComplianceType", annotation="Annotation",
    config_rule_invoked_time=iso_time("ConfigRuleInvokedTime"),
)  # fmt: skip


def get_config(scan: Scan, result: CategoryResult) -> None:
    """How many rules and resources comply, and each resource that does not (AWS Config).

    AWS tells what a rule found by rule only (GetComplianceDetailsByConfigRule): the overview of
    all rules says which ones are worth asking.
    """
    client: ConfigServiceClient = scan.client("config")
    if result.try_read(lambda: scan.once(read_recorders)) is False:
        result.skipped = NOT_RECORDING
    pages = client.get_paginator("describe_compliance_by_config_rule").paginate()
    rules = listed(pages, "ComplianceByConfigRules", "ConfigRuleName")
    states = dict(
        shaped(rules, lambda one: (one["ConfigRuleName"], one["Compliance"]["ComplianceType"]))
    )
    result.head(compliance_report(scan.window, states))
    packs, otherwise = rule_packs(scan, result, client) if states else ({}, None)
    broken = [rule for rule, state in states.items() if state == "NON_COMPLIANT"]
    read = functools.partial(evaluations, client, "NON_COMPLIANT")
    found = map_items(
        scan.aws, broken, read, result, absent=NOTHING, fills=["non_compliant_resources"]
    )
    for rule, rows in found:
        for row in rows or ():
            pack = packs.get(rule, otherwise)
            result.emit(row | {"conformance_pack": pack}, "non_compliant_resources")
    if states:
        result.head(count_resources(scan, result, client, states))


NOTHING: list[Row] = []
"""What is known of a rule that was deleted while it was read."""


def compliance_report(window: Window, states: Mapping[str, str]) -> Row:
    """Rules by compliance; the score is the percentage that comply of those with a result."""
    counts = Counter(states.values())
    good, bad = counts["COMPLIANT"], counts["NON_COMPLIANT"]
    return {
        "date_from": str(window.start),
        "date_to": str(window.end),
        "compliance_score": decimal_text(round(Decimal(100) * good / (good + bad), 2))
        if good + bad
        else None,
        "total_rules": good + bad,
        "compliant_rules": good,
        "non_compliant_rules": bad,
        "rules_without_result": len(states) - good - bad,
    }


def evaluations(client: ConfigServiceClient, kind: ComplianceTypeType, rule: str) -> list[Row]:
    """The resources that a rule found so."""
    pages = client.get_paginator("get_compliance_details_by_config_rule").paginate(
        ConfigRuleName=rule, ComplianceTypes=[kind], PaginationConfig={"PageSize": 100}
    )
    results = listed(pages, "EvaluationResults", f"{QUALIFIER}.ResourceId")
    return list(shaped(results, non_compliant_row))


STANDALONE = "Standalone"
"""The pack of a rule that came with none."""


def rule_packs(
    scan: Scan, result: CategoryResult, client: ConfigServiceClient
) -> tuple[dict[str, str], str | None]:
    """The conformance pack that a rule came with, and what stands for a rule that is in none.

    The latter is None where not all packs could be read (DescribeConformancePackCompliance). A pack
    that vanished since it was listed, or that is still being made, takes no other pack's name away.
    """
    names = result.try_read(lambda: pack_names(client))
    read = functools.partial(rules_of_pack, client)
    nothing: list[str] = []
    packs = dict(map_items(scan.aws, names or [], read, result, absent=nothing))
    unread = names is None or None in packs.values()
    found = {rule: name for name, rules in packs.items() for rule in rules or ()}
    return found, None if unread else STANDALONE


def pack_names(client: ConfigServiceClient) -> list[str]:
    """The account's conformance packs here (DescribeConformancePacks)."""
    pages = client.get_paginator("describe_conformance_packs").paginate(
        PaginationConfig={"PageSize": 20}
    )
    key = "ConformancePackName"
    return [pack[key] for pack in listed(pages, "ConformancePackDetails", key)]


def rules_of_pack(client: ConfigServiceClient, name: str) -> list[str]:
    """The rules that came with a pack."""
    pages = client.get_paginator("describe_conformance_pack_compliance").paginate(
        ConformancePackName=name, PaginationConfig={"PageSize": 1000}
    )
    key = "ConfigRuleName"
    return [rule[key] for rule in listed(pages, "ConformancePackRuleComplianceList", key)]


def queried_counts(client: ConfigServiceClient) -> Counter[str]:
    """How many resources comply and how many do not, by the advanced query."""
    rows = query(client, COUNT_BY_COMPLIANCE)
    return Counter({get_path(row, BY_COMPLIANCE): int(row["COUNT(*)"]) for row in rows})


def count_resources(
    scan: Scan, result: CategoryResult, client: ConfigServiceClient, rules: Iterable[str]
) -> Row:
    """How many resources comply with all their rules, and how many do not.

    One advanced query counts them. Where queries are not possible they are counted from all
    results of all rules, since Config's own summaries stop counting at 25 or 100.
    """
    with contextlib.suppress(*aws_errors(), LookupError, TypeError, ValueError):
        counts = queried_counts(client)
        return compliance_counts(counts["COMPLIANT"], counts["NON_COMPLIANT"])
    kinds: tuple[ComplianceTypeType, ...] = ("COMPLIANT", "NON_COMPLIANT")
    found: list[set[tuple[str, str]]] = []
    for kind in kinds:
        read = functools.partial(evaluations, client, kind)
        results = [rows for _, rows in map_items(scan.aws, rules, read, result, absent=NOTHING)]
        if None in results:
            return {}  # not all could be read, so their number is not known
        found.append(
            {(r["resource_type"], r["resource_id"]) for rows in results for r in rows or ()}
        )
    good, bad = found
    return compliance_counts(len(good - bad), len(bad))


def compliance_counts(good: int, bad: int) -> Row:
    """Resources by compliance."""
    return {"curr_compliant": good, "curr_non_compliant": bad}


EXPECTED_ERRORS = (
    *CONFIG_ERRORS,
)  # fmt: skip

COLLECTOR = Collector(
    category="config",
    collect=get_config,
    scope=REGIONAL,
    backfill=NOW,
    essential=True,
    lists=("non_compliant_resources",),
    fields=("",),
    actions=(
        "config:DescribeConfigurationRecorders",
        "config:DescribeComplianceByConfigRule",
        "config:GetComplianceDetailsByConfigRule",
        "config:DescribeConformancePacks",
        "config:DescribeConformancePackCompliance",
        "config:SelectResourceConfig",
    ),
    resources={
        "config:GetComplianceDetailsByConfigRule": ("config:*:${AWS::AccountId}:config-rule/*",),
        "config:DescribeConformancePackCompliance": (
            "config:*:${AWS::AccountId}:conformance-pack/*",
        ),
    },
    probes=(
        Probe("config:DescribeConfigurationRecorders"),
        Probe("config:DescribeComplianceByConfigRule"),
        Probe("config:DescribeConformancePacks", {"Limit": 1}),
    ),
    expected_errors=EXPECTED_ERRORS,
)
