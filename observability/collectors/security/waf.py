"""security.waf and security.waf_rules: web ACLs, their rules and what they protect."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from observability.aws.errors import NO_VALUE, NOT_HERE, VANISHED, ExpectedError
from observability.aws.pages import tokens
from observability.collecting.collector import NOW, Part, Probe
from observability.collecting.parallel import map_items
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Collect, Scan, run_parts
from observability.rows import Row, RowMapper, get_path, listed, shaped

if TYPE_CHECKING:
    from mypy_boto3_cloudfront import CloudFrontClient
    from mypy_boto3_wafv2 import WAFV2Client
    from mypy_boto3_wafv2.literals import LogScopeType, ResourceTypeType, ScopeType


PROTECTED_TYPES: tuple[ResourceTypeType, ...] = (
    "APPLICATION_LOAD_BALANCER", "API_GATEWAY", "APPSYNC", "COGNITO_USER_POOL",
    "APP_RUNNER_SERVICE", "VERIFIED_ACCESS_INSTANCE", "AMPLIFY", "AGENTCORE_GATEWAY",
)  # fmt: skip
LOG_SCOPES: tuple[LogScopeType, ...] = (
    "CUSTOMER", "SECURITY_LAKE", "CLOUDWATCH_TELEMETRY_RULE_MANAGED",
)  # fmt: skip
"""Who may have set up an ACL's logging; unless asked, AWS tells of the customer's only."""
RATE, MANAGED, GEO = "RateBasedStatement", "ManagedRuleGroupStatement", "GeoMatchStatement"
SQL_GROUPS, XSS_GROUPS = {"AWSManagedRulesSQLiRuleSet"}, {"AWSManagedRulesCommonRuleSet"}
"""AWS's rule groups that hold rules against SQL injection and cross-site scripting."""


def get_waf_security(scan: Scan, result: CategoryResult) -> None:
    """Web ACLs, their rules and what they protect (WAFv2; CloudFront for CLOUDFRONT ones).

    CLOUDFRONT ACLs belong to no region and go into the home region's document; a partition without
    CloudFront has none.
    """
    scopes: tuple[ScopeType, ...] = ("REGIONAL", "CLOUDFRONT") if scan.home else ("REGIONAL",)
    parts: dict[str, Collect] = {
        scope.lower(): functools.partial(read_web_acls, scope=scope) for scope in scopes
    }
    if scan.home and (why := scan.aws.why_lacking("cloudfront")):
        del parts["cloudfront"]
        result.note(why)
    run_parts(scan, result, parts)


def read_web_acls(scan: Scan, result: CategoryResult, scope: ScopeType) -> None:
    """The web ACLs of one scope (ListWebACLs; GetWebACL each, the list has no rules)."""
    client: WAFV2Client = (
        scan.client("wafv2") if scope == "REGIONAL" else scan.global_client("wafv2")
    )
    pages = tokens(lambda **t: client.list_web_acls(Scope=scope, Limit=100, **t), "NextMarker")
    acls = {acl["ARN"]: acl for acl in listed(pages, "WebACLs", "ARN")}
    logging = logged_acls(result, scope, client) if acls else LoggedAcls()

    def describe(arn: str) -> tuple[Row, list[Row]]:
        acl = acls[arn]
        found = client.get_web_acl(Name=acl["Name"], Scope=scope, Id=acl["Id"])["WebACL"]
        logs = acl_logs(result, client, arn) if logging is None else logging.has(arn)
        resources = protected(scan, result, scope, client, arn)
        return acl_rows({**found, "ARN": arn, "Name": acl["Name"]}, scope, logs, resources)

    for arn, rows in map_items(scan.aws, acls, describe, result, fills=["waf_rules"]):
        acl, rules = rows or (listed_acl_row(acls[arn], scope=scope), [])
        result.emit(acl, "waf")
        for rule in rules:
            result.emit(rule, "waf_rules")


def log_scope(owner: LogScopeType) -> Any:
    """How AWS is asked for the logging of somebody; a region may only know the default."""
    return {} if owner == LOG_SCOPES[0] else {"LogScope": owner}


class LoggedAcls(NamedTuple):
    """ARNs of the ACLs that log, as far as all who set logs up could be asked."""

    known: frozenset[str] = frozenset()
    complete: bool = True

    def has(self, arn: str) -> bool | None:
        """Whether an ACL logs; None if that is not known."""
        return True if arn in self.known else False if self.complete else None


def logged_acls(result: CategoryResult, scope: ScopeType, client: WAFV2Client) -> LoggedAcls | None:
    """The ACLs that log, whoever has set that up (ListLoggingConfigurations, a call for each).

    None for those who may not list, or to whom AWS lists what is none.
    """

    def logged_by(owner: LogScopeType) -> set[str]:
        pages = tokens(
            lambda **t: client.list_logging_configurations(
                Scope=scope, Limit=100, **log_scope(owner), **t
            ),
            "NextMarker",
        )
        return {c["ResourceArn"] for p in pages for c in p.get("LoggingConfigurations", ())}

    nobody: set[str] = set()
    own = result.try_read(lambda: logged_by(LOG_SCOPES[0]), absent=nobody)
    if own is None:
        return None
    others = [
        result.try_read(functools.partial(logged_by, owner), absent=nobody)
        for owner in LOG_SCOPES[1:]
    ]
    known = own.union(*(found for found in others if found))
    return LoggedAcls(frozenset(known), None not in others)


def acl_logs(result: CategoryResult, client: WAFV2Client, arn: str) -> bool | None:
    """Whether one ACL logs (GetLoggingConfiguration), for those who may not list; None: unknown."""

    def logs(owner: LogScopeType) -> bool:
        answer = client.get_logging_configuration(ResourceArn=arn, **log_scope(owner))
        return bool(answer["LoggingConfiguration"])

    found = [
        result.try_read(functools.partial(logs, owner), arn, absent=False) for owner in LOG_SCOPES
    ]
    return True if True in found else None if None in found else False


def protected(
    scan: Scan, result: CategoryResult, scope: ScopeType, client: WAFV2Client, arn: str
) -> list[str] | None:
    """ARNs of what an ACL protects; AWS tells them by ACL and type of resource only.

    Null if any of them is not known: ListResourcesForWebACL, and CloudFront's
    ListDistributionsByWebACLId for CLOUDFRONT ACLs, which protect Amplify's apps too.
    """

    def resources(kind: ResourceTypeType) -> list[str]:
        answer = client.list_resources_for_web_acl(WebACLArn=arn, ResourceType=kind)
        return answer["ResourceArns"]

    reads: list[Callable[[], list[str]]]
    if scope == "REGIONAL":
        reads = [functools.partial(resources, kind) for kind in PROTECTED_TYPES]
    else:
        reads = [lambda: distributions(scan, arn), lambda: resources("AMPLIFY")]
    nothing: list[str] = []
    found: list[str] = []
    for answer in [result.try_read(read, arn, absent=nothing) for read in reads]:
        if answer is None:
            return None
        found += answer
    return found


def distributions(scan: Scan, arn: str) -> list[str]:
    """ARNs of the CloudFront distributions that a web ACL protects."""
    client: CloudFrontClient = scan.global_client("cloudfront")
    pages = tokens(
        lambda **t: client.list_distributions_by_web_acl_id(WebACLId=arn, MaxItems="100", **t),
        "Marker",
        "DistributionList.NextMarker",
    )
    return [
        item["ARN"] for page in pages for item in page.get("DistributionList", {}).get("Items", ())
    ]


listed_acl_row = RowMapper(id="Id", name="Name", arn="ARN", description="Description")
"""What the list alone tells of a web ACL."""

acl_row = RowMapper(
    id="Id", name="Name", arn="ARN", description="Description", default_action="DefaultAction",
    capacity="Capacity",
)  # fmt: skip


def acl_rows(
    acl: Mapping[str, Any], scope: str, logs: bool | None, resources: list[str] | None
) -> tuple[Row, list[Row]]:
    """A web ACL and its rules, those that Firewall Manager put around them included."""
    groups = (
        "PreProcessFirewallManagerRuleGroups",
        "Rules",
        "PostProcessFirewallManagerRuleGroups",
    )
    rules = [rule for group in groups for rule in listed([acl], group, "Name")]
    rows = list(shaped(rules, functools.partial(rule_row, acl["Name"], scope, logs)))
    row = acl_row(
        acl,
        scope=scope,
        rules_count=len(rules),
        logging_enabled=logs,
        geo_blocking_enabled=any(row["geo_blocking"] for row in rows),
        blocked_countries=sorted({code for rule in rules for code in blocked_countries(rule)}),
        associated_resources=resources,
    )
    return row, rows


def rule_row(acl: str, scope: str, logs: bool | None, rule: Mapping[str, Any]) -> Row:
    """A rule and what it protects from, by all statements nested in it.

    is_compliant: the rule can be watched, that is, its matches are counted and sampled and the
    ACL's requests are logged; null where the logging is not known.
    """
    top = rule.get("Statement") or rule.get("FirewallManagerStatement") or {}
    found = list(statements(top))
    kinds = {kind for kind, _, _ in found}
    groups = {body["Name"] for kind, body, _ in found if kind == MANAGED}
    sampled = get_path(rule, "VisibilityConfig.SampledRequestsEnabled")
    counted = get_path(rule, "VisibilityConfig.CloudWatchMetricsEnabled")
    return {
        "web_acl_name": acl,
        "rule_name": rule["Name"],
        "priority": rule.get("Priority"),
        "action": action_of(rule),
        "statement_type": next(iter(top), None),
        "is_managed_rule": bool(groups),
        "is_custom_rule": not groups,
        "rate_limit": RATE in kinds,
        "rate_limit_requests": next((b["Limit"] for kind, b, _ in found if kind == RATE), None),
        "logging_enabled": logs,
        "geo_blocking": GEO in kinds and action_of(rule) == "Block",
        "sql_injection": "SqliMatchStatement" in kinds or bool(groups & SQL_GROUPS),
        "sample_request_enabled": sampled,
        "cloudwatch_enabled": counted,
        "has_xss_protection": "XssMatchStatement" in kinds or bool(groups & XSS_GROUPS),
        "waf_version": "v2",
        "is_compliant": None if logs is None else bool(sampled and counted and logs),
        "scope": scope,
    }


def action_of(rule: Mapping[str, Any]) -> str | None:
    """What a rule does: Block, Allow, Count, Captcha, …; of a group, what overrides its rules."""
    if rule.get("Action"):
        return str(next(iter(rule["Action"])))
    return f"Override {next(iter(rule['OverrideAction']))}" if rule.get("OverrideAction") else None


def statements(
    statement: Mapping[str, Any], negated: bool = False
) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """(kind, body, negated) of a statement and of all those nested in it."""
    for kind, body in statement.items():
        yield kind, body, negated
        inner = [*body.get("Statements", ()), body.get("Statement"), body.get("ScopeDownStatement")]
        for nested in filter(None, inner):
            yield from statements(nested, negated != (kind == "NotStatement"))


def blocked_countries(rule: Mapping[str, Any]) -> set[str]:
    """Countries whose requests a rule blocks; it names none if it blocks all others."""
    geo = [
        b
        for kind, b, negated in statements(rule.get("Statement", {}))
        if kind == GEO and not negated
    ]
    return {
        code for body in geo for code in body.get("CountryCodes", ()) if action_of(rule) == "Block"
    }


EXPECTED_ERRORS = (
    ExpectedError("cloudfront", "InvalidWebACLId", VANISHED),
    ExpectedError("cloudfront", "WAFNonexistentItemException", VANISHED),
    ExpectedError("wafv2", "WAFNonexistentItemException", VANISHED),
    ExpectedError("wafv2", "WAFUnavailableEntityException", VANISHED),
    ExpectedError(
        "wafv2", "WAFInvalidParameterException", NOT_HERE,
        "web ACLs of CloudFront are in us-east-1 only", "SCOPE_VALUE.*CLOUDFRONT",
    ),
    ExpectedError(
        "wafv2:ListLoggingConfigurations", "WAFInvalidParameterException", NO_VALUE, "",
        "(?i)log_?scope",
    ),
    ExpectedError("wafv2:ListResourcesForWebACL", "WAFInvalidParameterException", NO_VALUE),
)  # fmt: skip

PART = Part(
    name="waf",
    collect=get_waf_security,
    backfill=NOW,
    named_lists=("waf", "waf_rules"),
    actions=(
        "wafv2:ListWebACLs",
        "wafv2:GetWebACL",
        "wafv2:ListLoggingConfigurations",
        "wafv2:GetLoggingConfiguration",
        "wafv2:ListResourcesForWebACL",
        "cloudfront:ListDistributionsByWebACLId",
        # what ListResourcesForWebACL asks of the services that it lists, in the caller\'s name
        "amplify:ListResourcesForWebACL",
        "apprunner:ListAssociatedServicesForWebAcl",
        "appsync:ListResourcesForWebACL",
        "cognito-idp:ListResourcesForWebACL",
        "ec2:DescribeVerifiedAccessInstanceWebAclAssociations",
        "elasticloadbalancing:DescribeWebACLAssociation",
    ),
    resources={
        "wafv2:GetWebACL": ("wafv2:*:${AWS::AccountId}:*/webacl/*",),
        "wafv2:GetLoggingConfiguration": ("wafv2:*:${AWS::AccountId}:*/webacl/*",),
        "wafv2:ListResourcesForWebACL": (
            "wafv2:*:${AWS::AccountId}:*/webacl/*",
            "amplify:*:${AWS::AccountId}:apps/*",
            "apprunner:*:${AWS::AccountId}:service/*",
            "cognito-idp:*:${AWS::AccountId}:userpool/*",
            "ec2:*:${AWS::AccountId}:verified-access-instance/*",
        ),
        "apprunner:ListAssociatedServicesForWebAcl": ("wafv2:*:${AWS::AccountId}:*/webacl/*",),
        "cognito-idp:ListResourcesForWebACL": ("wafv2:*:${AWS::AccountId}:*/webacl/*",),
    },
    probes=(
        Probe("wafv2:ListWebACLs", {"Scope": "REGIONAL", "Limit": 1}),
        Probe("wafv2:ListLoggingConfigurations", {"Scope": "REGIONAL", "Limit": 1}),
    ),
    expected_errors=EXPECTED_ERRORS,
)
