"""Web ACLs of WAF and their rules."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from observability.collectors.security.waf import (
    acl_row,
    acl_rows,
    blocked_countries,
    rule_row,
    statements,
)
from tests.cloud import EmbeddedCloud
from tests.cloud.accounts import Item
from tests.collectors.losses import Denial, gone, just, security, without
from tests.collectors.reading import Send
from tests.collectors.registry import MadeOf
from tests.collectors.truth import Place, Truth
from tests.runs import Document, Row, rows

# Security


def web_acls(place: Place) -> Iterator[tuple[str, Item, bool]]:
    """(scope, web ACL, whether it logs); those of CloudFront belong to the home region's document.

    The cloud keeps the latter in us-east-1, as AWS does.
    """
    scopes = [("REGIONAL", place.region), *([("CLOUDFRONT", "us-east-1")] if place.home else [])]
    for scope, region in scopes:
        logging = place.account.items("wafv2", "logging", region)
        logged = {held["ResourceArn"] for held in logging}
        for held in place.account.items("wafv2", scope.lower(), region):
            yield scope, held, held["ARN"] in logged


BLOCKED = {"block-countries": None, "either": ["CN"], "scoped-rate": ["CN"]}
"""Rules of the account that block countries: those that the rule lists itself, or these."""


def waf(place: Place) -> Iterator[Row]:
    """Web ACLs."""
    protected: defaultdict[str, list[str]] = defaultdict(list)
    for region in {place.region, "us-east-1"}:
        for held in place.account.items("wafv2", "associations", region):
            protected[held["WebACLArn"]].append(held["ResourceArn"])
    for held in place.account.items("cloudfront", "distributions"):
        protected[held["WebACLId"]].append(held["ARN"])
    for scope, held, logs in web_acls(place):
        blocking = [rule for rule in held["Rules"] if rule["Name"] in BLOCKED]
        countries = {code for rule in blocking for code in countries_of(rule)}
        yield {
            "id": held["Id"],
            "name": held["Name"],
            "arn": held["ARN"],
            "scope": scope,
            "description": held.get("Description"),
            "default_action": held["DefaultAction"],
            "rules_count": len(held["Rules"]),
            "logging_enabled": logs,
            "geo_blocking_enabled": bool(countries),
            "blocked_countries": sorted(countries),
            "capacity": held["Capacity"],
            "associated_resources": sorted(protected[held["ARN"]]),
        }


def countries_of(rule: Item) -> list[str]:
    """The countries that one of the blocking rules names."""
    own: list[str] = rule["Statement"].get("GeoMatchStatement", {}).get("CountryCodes")
    return BLOCKED[rule["Name"]] or own


RULES: dict[str, Row] = {
    "block-countries": {"statement_type": "GeoMatchStatement", "action": "Block",
                        "geo_blocking": True},
    "limit-rate": {"statement_type": "RateBasedStatement", "action": "Count",
                   "rate_limit_requests": 2000},
    "sql-injection": {"statement_type": "SqliMatchStatement", "action": "Block",
                      "sql_injection": True},
    "scripting": {"statement_type": "XssMatchStatement", "action": "Captcha",
                  "has_xss_protection": True},
    "common": {"statement_type": "ManagedRuleGroupStatement", "action": "Override None",
               "is_managed_rule": True, "has_xss_protection": True},
    "sqli": {"statement_type": "ManagedRuleGroupStatement", "action": "Override Count",
             "is_managed_rule": True, "sql_injection": True},
    "own": {"statement_type": "RuleGroupReferenceStatement", "action": "Override None"},
    "either": {"statement_type": "OrStatement", "action": "Block", "geo_blocking": True,
               "has_xss_protection": True},
    "both": {"statement_type": "AndStatement", "action": "Challenge", "sql_injection": True},
    "scoped-rate": {"statement_type": "RateBasedStatement", "action": "Block",
                    "rate_limit_requests": 500,
                    "geo_blocking": True},
}  # fmt: skip
"""What each rule of the account's web ACLs is, where it is more than a custom rule."""


def waf_rules(place: Place) -> Iterator[Row]:
    """The rules of the web ACLs."""
    for scope, acl, logs in web_acls(place):
        for rule in acl["Rules"]:
            seen = rule["VisibilityConfig"]
            sampled, counted = seen["SampledRequestsEnabled"], seen["CloudWatchMetricsEnabled"]
            known = {"is_managed_rule": False, "rate_limit_requests": None} | RULES[rule["Name"]]
            yield {
                "geo_blocking": False,
                "sql_injection": False,
                "has_xss_protection": False,
                **known,
                "rate_limit": known["rate_limit_requests"] is not None,
                "web_acl_name": acl["Name"],
                "rule_name": rule["Name"],
                "priority": rule["Priority"],
                "is_custom_rule": not known["is_managed_rule"],
                "logging_enabled": logs,
                "sample_request_enabled": sampled,
                "cloudwatch_enabled": counted,
                "waf_version": "v2",
                "is_compliant": sampled and counted and logs,
                "scope": scope,
            }


TRUTH: Mapping[str, Truth] = {
    "security.waf": Truth(waf, "waf_rules", ("arn",), {"id": "waf_id"}),
    "security.waf_rules": Truth(
        waf_rules, "waf_rules_detailed", ("scope", "web_acl_name", "rule_name")
    ),
}

DENIALS: Mapping[str, Denial] = {
    "wafv2:ListWebACLs": security(waf=gone, waf_rules=gone),
    "wafv2:GetWebACL": security(
        waf=just("arn", "name", "scope", "id", "description"), waf_rules=gone
    ),
    "wafv2:ListLoggingConfigurations": security(),
    "wafv2:ListResourcesForWebACL": security(waf=without("associated_resources")),
    "cloudfront:ListDistributionsByWebACLId": security(
        waf=lambda row: (
            without("associated_resources")(row) if row["scope"] == "CLOUDFRONT" else row
        )
    ),
}

MADE_OF: Mapping[str, MadeOf] = {
    "web acl": (acl_row, "wafv2", "GetWebACL", "WebACL"),
}

# Denied


def test_whether_web_acls_log_is_unknown_when_neither_api_tells(
    embedded: EmbeddedCloud, whole: Document, only: Send
) -> None:
    embedded.switches.deny("wafv2", "*LoggingConfiguration*")
    sent = only("security")
    assert sent.code == 1
    assert {row["logging_enabled"] for row in rows(sent.document, "security.waf")} == {None}
    rules = rows(sent.document, "security.waf_rules")
    assert {(row["logging_enabled"], row["is_compliant"]) for row in rules} == {(None, None)}
    assert len(rules) == len(rows(whole, "security.waf_rules"))


# Web ACLs


Statement = dict[str, Any]


def leaf(kind: str, **body: Any) -> Statement:
    """A statement that holds no others."""
    return {kind: body}


def negated(inner: Statement) -> Statement:
    """NOT."""
    return {"NotStatement": {"Statement": inner}}


def joined(kind: str, *inner: Statement) -> Statement:
    """AND, OR."""
    return {kind: {"Statements": list(inner)}}


def rule(statement: Statement, action: str | None = "Block", **more: Any) -> dict[str, Any]:
    """A rule that can be watched."""
    seen = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True}
    acts: dict[str, Any] = {"Action": {action: {}}} if action else {}
    return (
        {"Name": "r", "Priority": 1, "Statement": statement, "VisibilityConfig": seen} | acts | more
    )


def shaped(statement: Statement, action: str | None = "Block", **more: Any) -> dict[str, Any]:
    """The row of a rule of an ACL that logs."""
    return rule_row("acl", "REGIONAL", True, rule(statement, action, **more))


GEO_CN = leaf("GeoMatchStatement", CountryCodes=["CN", "KP"])
SQLI = leaf("SqliMatchStatement", FieldToMatch={})
XSS = leaf("XssMatchStatement", FieldToMatch={})

leaves = st.sampled_from(["GeoMatchStatement", "SqliMatchStatement", "XssMatchStatement"])
"""Each tree below tells its leaves as (kind, how many NOTs are around it)."""


@st.composite
def trees(draw: Callable[..., Any], depth: int = 0, nots: int = 0) -> tuple[Statement, list[Any]]:
    """A statement and its leaves."""
    shape = draw(st.sampled_from(["leaf", "not", "and", "or", "rate"])) if depth < 4 else "leaf"
    if shape == "leaf":
        kind = draw(leaves)
        return leaf(kind, CountryCodes=["CN"]), [(kind, nots)]
    if shape == "not":
        inner, found = draw(trees(depth + 1, nots + 1))
        return negated(inner), found
    if shape == "rate":
        inner, found = draw(trees(depth + 1, nots))
        return leaf("RateBasedStatement", Limit=100, ScopeDownStatement=inner), found
    parts = [draw(trees(depth + 1, nots)) for _ in range(draw(st.integers(2, 3)))]
    kind = "AndStatement" if shape == "and" else "OrStatement"
    return joined(kind, *(part for part, _ in parts)), [held for _, part in parts for held in part]


@settings(max_examples=50)
@given(trees())
def test_every_statement_in_a_tree_is_seen_with_its_sign(tree: tuple[Statement, list[Any]]) -> None:
    statement, expected = tree
    found = Counter((kind, sign) for kind, _, sign in statements(statement) if "Match" in kind)
    assert found == Counter((kind, nots % 2 == 1) for kind, nots in expected)


@settings(max_examples=50)
@given(trees())
def test_a_rule_blocks_countries_only_if_it_names_them_without_a_not(
    tree: tuple[Statement, list[Any]],
) -> None:
    statement, expected = tree
    named = any(kind == "GeoMatchStatement" and nots % 2 == 0 for kind, nots in expected)
    assert bool(blocked_countries(rule(statement))) is named


@pytest.mark.parametrize(
    ("statement", "action", "countries"),
    [
        (GEO_CN, "Block", {"CN", "KP"}),
        (GEO_CN, "Count", set()),
        (GEO_CN, "Allow", set()),
        (negated(GEO_CN), "Block", set()),
        (negated(negated(GEO_CN)), "Block", {"CN", "KP"}),
        (joined("OrStatement", SQLI, GEO_CN), "Block", {"CN", "KP"}),
        (joined("AndStatement", negated(GEO_CN), XSS), "Block", set()),
        (leaf("RateBasedStatement", Limit=9, ScopeDownStatement=GEO_CN), "Block", {"CN", "KP"}),
        (leaf("RuleGroupReferenceStatement", ARN="arn"), None, set()),
        ({}, "Block", set()),
    ],
)
def test_countries_that_a_rule_blocks(
    statement: Statement, action: str | None, countries: set[str]
) -> None:
    assert blocked_countries(rule(statement, action)) == countries


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (shaped(SQLI), {"sql_injection": True, "has_xss_protection": False, "geo_blocking": False}),
        (shaped(XSS, "Captcha"), {"has_xss_protection": True, "action": "Captcha"}),
        (shaped(GEO_CN), {"geo_blocking": True, "statement_type": "GeoMatchStatement"}),
        (shaped(GEO_CN, "Count"), {"geo_blocking": False, "action": "Count"}),
        (
            shaped(joined("AndStatement", SQLI, negated(joined("OrStatement", XSS, GEO_CN)))),
            {"sql_injection": True, "has_xss_protection": True, "statement_type": "AndStatement"},
        ),
        (
            shaped(leaf("RateBasedStatement", Limit=10_000_000_000, ScopeDownStatement=SQLI)),
            {"rate_limit": True, "rate_limit_requests": 10_000_000_000, "sql_injection": True,
             "is_custom_rule": True},
        ),
        (
            shaped(
                leaf("ManagedRuleGroupStatement", Name="AWSManagedRulesSQLiRuleSet"),
                None,
                OverrideAction={"Count": {}},
            ),
            {"is_managed_rule": True, "is_custom_rule": False, "sql_injection": True,
             "action": "Override Count", "rate_limit": False},
        ),
        (
            shaped(
                leaf("ManagedRuleGroupStatement", VendorName="AWS",
                     Name="AWSManagedRulesCommonRuleSet", ScopeDownStatement=GEO_CN),
                None,
                OverrideAction={"None": {}},
            ),
            {"has_xss_protection": True, "sql_injection": False, "geo_blocking": False},
        ),
        (shaped({}, None), {"statement_type": None, "action": None, "is_managed_rule": False}),
    ],
)  # fmt: skip
def test_what_a_rule_protects_from(row: dict[str, Any], expected: dict[str, Any]) -> None:
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize("sampled", [True, False])
@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("logs", [True, False, None])
def test_a_rule_is_compliant_if_it_can_be_watched(
    sampled: bool, counted: bool, logs: bool | None
) -> None:
    seen = {"SampledRequestsEnabled": sampled, "CloudWatchMetricsEnabled": counted}
    row = rule_row("acl", "REGIONAL", logs, rule(SQLI, VisibilityConfig=seen))
    assert (row["sample_request_enabled"], row["cloudwatch_enabled"]) == (sampled, counted)
    assert row["logging_enabled"] is logs
    expected = None if logs is None else sampled and counted and logs
    assert row["is_compliant"] is expected


def test_rules_of_firewall_manager_are_rules_of_the_acl() -> None:
    group = {
        "Name": "fms",
        "Priority": 0,
        "FirewallManagerStatement": leaf(
            "ManagedRuleGroupStatement", VendorName="AWS", Name="AWSManagedRulesCommonRuleSet"
        ),
        "OverrideAction": {"None": {}},
        "VisibilityConfig": {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True},
    }
    acl = {
        "Name": "acl", "Id": "1", "ARN": "arn", "DefaultAction": {"Block": {}}, "Capacity": 5,
        "PreProcessFirewallManagerRuleGroups": [group | {"Name": "before"}],
        "Rules": [rule(GEO_CN)],
        "PostProcessFirewallManagerRuleGroups": [group | {"Name": "after"}],
    }  # fmt: skip
    row, rules = acl_rows(acl, "REGIONAL", True, ["arn:lb"])
    assert [held["rule_name"] for held in rules] == ["before", "r", "after"]
    assert [held["is_managed_rule"] for held in rules] == [True, False, True]
    assert row["rules_count"] == 3
    assert row["blocked_countries"] == ["CN", "KP"]
    assert row["geo_blocking_enabled"] is True
    assert row["associated_resources"] == ["arn:lb"]
