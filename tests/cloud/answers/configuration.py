"""AWS Config: compliance, rules, conformance packs, recorded resources and the advanced query."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.cloud.accounts import Item
from tests.cloud.answers.core import (
    AwsError,
    Call,
    answer,
    find,
    grouped,
    page,
    remembered,
)
from tests.cloud.answers.query import Query, QueryError

NO_RULE = "The ConfigRule '{}' provided in the request is invalid. Please check the configRule name"
CAP = 25
"""AWS counts non-compliant resources up to this many."""


@answer("config", "DescribeConfigurationRecorders")
def describe_configuration_recorders(call: Call) -> dict[str, Any]:
    """The region's recorder, if Config is on."""
    found = call.own("recorders")
    for name in call.params.get("ConfigurationRecorderNames") or []:
        if not find(found, "name", name):
            message = f"Cannot find configuration recorder with the specified name '{name}'."
            raise AwsError("NoSuchConfigurationRecorderException", message)
    return {"ConfigurationRecorders": found}


def chosen_rules(call: Call) -> list[Item]:
    """The rules that the request names, all by default."""
    found = call.own("rules")
    names = call.params.get("ConfigRuleNames")
    if not names:
        return found
    index = {held["ConfigRuleName"]: held for held in found}
    for name in names:
        if name not in index:
            raise AwsError("NoSuchConfigRuleException", NO_RULE.format(name))
    return [index[name] for name in names]


def results_by_rule(call: Call) -> dict[str, list[Item]]:
    """The evaluation results of each rule that has any."""
    qualifier = "EvaluationResultIdentifier.EvaluationResultQualifier"
    return grouped(call, "evaluations", f"{qualifier}.ConfigRuleName")


def compliance(results: list[Item]) -> str:
    """A rule's compliance: that of its worst result, no data where nothing applied."""
    types = {held["ComplianceType"] for held in results}
    for kind in ("NON_COMPLIANT", "COMPLIANT"):
        if kind in types:
            return kind
    return "INSUFFICIENT_DATA"


@answer("config", "DescribeComplianceByConfigRule")
def describe_compliance_by_config_rule(call: Call) -> dict[str, Any]:
    """Each rule's compliance, 25 a page; non-compliant ones with a capped count."""
    found = remembered(call, lambda: rule_compliances(call), "NextToken")
    chunk, more = page(call, found, size=None, default=25)
    return {"ComplianceByConfigRules": chunk, **more}


def rule_compliances(call: Call) -> list[Item]:
    """The compliance of the rules that the request chooses."""
    results = results_by_rule(call)
    wanted = call.params.get("ComplianceTypes")
    found = []
    for held in chosen_rules(call):
        name = held["ConfigRuleName"]
        kind = compliance(results.get(name, []))
        if not wanted or kind in wanted:
            state = {"ComplianceType": kind, **contributors(results.get(name, []), kind)}
            found.append({"ConfigRuleName": name, "Compliance": state})
    return found


def contributors(results: list[Item], kind: str) -> dict[str, Any]:
    """How many resources do not comply, as far as AWS counts."""
    if kind != "NON_COMPLIANT":
        return {}
    count = sum(held["ComplianceType"] == kind for held in results)
    capped = {"CappedCount": min(count, CAP), "CapExceeded": count > CAP}
    return {"ComplianceContributorCount": capped}


@answer("config", "GetComplianceDetailsByConfigRule")
def get_compliance_details_by_config_rule(call: Call) -> dict[str, Any]:
    """What one rule found, 10 results a page by default, 100 at most."""
    name = call.params["ConfigRuleName"]
    if not find(call.own("rules"), "ConfigRuleName", name):
        raise AwsError("NoSuchConfigRuleException", NO_RULE.format(name))
    wanted = call.params.get("ComplianceTypes")
    if wanted and "INSUFFICIENT_DATA" in wanted:
        raise AwsError("InvalidParameterValueException", "INSUFFICIENT_DATA is not supported.")
    results = results_by_rule(call).get(name, [])
    found = [held for held in results if not wanted or held["ComplianceType"] in wanted]
    chunk, more = page(call, found, size="Limit", default=10, maximum=100)
    return {"EvaluationResults": chunk, **more}


@answer("config", "DescribeConformancePacks")
def describe_conformance_packs(call: Call) -> dict[str, Any]:
    """Conformance packs, 20 a page at most."""
    names = call.params.get("ConformancePackNames")
    found = [the_pack(call, name) for name in names] if names else call.own("packs")
    chunk, more = page(call, found, size="Limit", default=20, maximum=20)
    return {"ConformancePackDetails": chunk, **more}


def the_pack(call: Call, name: str) -> Item:
    """The conformance pack of that name."""
    found = find(call.own("packs"), "ConformancePackName", name)
    if found is None:
        message = f"Requested conformance pack with name: {name} does not exist."
        raise AwsError("NoSuchConformancePackException", message)
    return found


@answer("config", "DescribeConformancePackCompliance")
def describe_conformance_pack_compliance(call: Call) -> dict[str, Any]:
    """The rules of one pack and their compliance."""
    name = the_pack(call, call.params["ConformancePackName"])["ConformancePackName"]
    filters = call.params.get("Filters") or {}
    results = results_by_rule(call)
    found = [
        {
            "ConfigRuleName": held["ConfigRuleName"],
            "ComplianceType": compliance(results.get(held["ConfigRuleName"], [])),
            "Controls": held["Controls"],
        }
        for held in call.own("pack_rules")
        if held["ConformancePackName"] == name
    ]
    wanted = filters.get("ComplianceType")
    names = filters.get("ConfigRuleNames")
    found = [held for held in found if not wanted or held["ComplianceType"] == wanted]
    found = [held for held in found if not names or held["ConfigRuleName"] in names]
    chunk, more = page(call, found, size="Limit", default=100, maximum=1000)
    return {"ConformancePackName": name, "ConformancePackRuleComplianceList": chunk, **more}


def parsed(call: Call) -> Query:
    """The query that the request carries."""
    try:
        return Query.parse(call.params["Expression"])
    except QueryError as error:
        raise AwsError("InvalidExpressionException", str(error)) from None


def select_page(call: Call, query: Query, found: list[Item]) -> dict[str, Any]:
    """A page of what a query has found: rows as JSON texts, 25 by default, 100 at most."""
    chunk, more = page(call, found, size="Limit", default=25, maximum=100)
    fields = [{"Name": name} for name in query.columns]
    return {"Results": list(map(query.text, chunk)), "QueryInfo": {"SelectFields": fields}, **more}


@answer("config", "SelectResourceConfig")
def select_resource_config(call: Call) -> dict[str, Any]:
    """The advanced query."""
    query = parsed(call)
    found = remembered(call, lambda: query.matches(recorded(call)), "NextToken", "Limit")
    return select_page(call, query, found)


def recorded(call: Call) -> list[Item]:
    """All that Config has recorded: resources, and the compliance of each."""
    return call.own("resources") + call.own("compliance")


# Discovered resources


@answer("config", "ListDiscoveredResources")
def list_discovered_resources(call: Call) -> dict[str, Any]:
    """Identifiers of the resources of one type."""
    need_recorder(call)
    ids, name = call.params.get("resourceIds"), call.params.get("resourceName")
    if ids and name:
        message = "You cannot specify both resource IDs and a resource name in the same request."
        raise AwsError("ValidationException", message)
    found = [
        {key: held[key] for key in ("resourceType", "resourceId", "resourceName") if key in held}
        for held in recorded(call)
        if held["resourceType"] == call.params["resourceType"]
        and (not ids or held["resourceId"] in ids)
        and (not name or held.get("resourceName") == name)
    ]
    chunk, more = page(call, found, token="nextToken", size="limit", default=100, maximum=100)
    return {"resourceIdentifiers": chunk, **more}


def need_recorder(call: Call) -> None:
    """Refuse where nothing is recorded."""
    if not call.own("recorders"):
        message = "There are no configuration recorders available."
        raise AwsError("NoAvailableConfigurationRecorderException", message)


@answer("config", "GetDiscoveredResourceCounts")
def get_discovered_resource_counts(call: Call) -> dict[str, Any]:
    """How many resources of each type there are, the most frequent first."""
    wanted = call.params.get("resourceTypes")
    counts = Counter(
        held["resourceType"]
        for held in recorded(call)
        if not wanted or held["resourceType"] in wanted
    )
    found = [{"resourceType": kind, "count": count} for kind, count in counts.most_common()]
    chunk, more = page(call, found, token="nextToken", size="limit", default=100, maximum=100)
    return {"totalDiscoveredResources": counts.total(), "resourceCounts": chunk, **more}
