"""WAF: web ACLs of both scopes, what they log, what they protect; CloudFront's distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cloud.content import content
from tests.cloud.content.words import pick

if TYPE_CHECKING:
    from tests.cloud.accounts import Account

QUERY = {
    "FieldToMatch": {"QueryString": {}},
    "TextTransformations": [{"Priority": 0, "Type": "URL_DECODE"}],
}
COMMON = {"VendorName": "AWS", "Name": "AWSManagedRulesCommonRuleSet"}
PROTECTED = (
    ("API_GATEWAY", "apigateway", "/restapis/{}/stages/prod"),
    ("APPSYNC", "appsync", "apis/{}"),
    ("COGNITO_USER_POOL", "cognito-idp", "userpool/{}"),
    ("APP_RUNNER_SERVICE", "apprunner", "service/app/{}"),
    ("VERIFIED_ACCESS_INSTANCE", "ec2", "verified-access-instance/{}"),
)


@content("wafv2", "regional")
def regional(account: Account, region: str) -> list[dict[str, Any]]:
    """GetWebACL's WebACL of the REGIONAL scope."""
    return [web_acl(account, region, "regional", held) for held in range(account.size.web_acls)]


@content("wafv2", "cloudfront")
def cloudfront(account: Account, region: str) -> list[dict[str, Any]]:
    """GetWebACL's WebACL of the CLOUDFRONT scope, which is us-east-1's."""
    count = account.size.web_acls if region == "us-east-1" else 0
    return [web_acl(account, region, "global", held) for held in range(count)]


def web_acl(account: Account, region: str, scope: str, number: int) -> dict[str, Any]:
    """One web ACL; the first three hold every kind of rule among them, the fourth none."""
    name = account.words.name("web ACL", number, scope=scope)
    acl_id = account.uuid("acl", scope, region, number)
    described = {"Description": account.words.text("web ACL", number)} if number % 3 != 2 else {}
    action: dict[str, Any] = {"Block": {}} if number % 2 else {"Allow": {}}
    return {
        "Name": name,
        "Id": acl_id,
        "ARN": account.arn("wafv2", f"{scope}/webacl/{name}/{acl_id}", region),
        "DefaultAction": action,
        **described,
        "Rules": pick((custom_rules(number), managed_rules(account), nested_rules(), []), number),
        "VisibilityConfig": visibility(name, sampled=True, metrics=True),
        "Capacity": 100 + number,
        "ManagedByFirewallManager": False,
        "LabelNamespace": f"awswaf:{account.id}:webacl:{name}:",
    }


def visibility(name: str, *, sampled: bool, metrics: bool) -> dict[str, Any]:
    """What is kept of the requests that match."""
    return {
        "SampledRequestsEnabled": sampled,
        "CloudWatchMetricsEnabled": metrics,
        "MetricName": name,
    }


def rule(name: str, priority: int, statement: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A rule; every second keeps samples, every third metrics."""
    return {
        "Name": name,
        "Priority": priority,
        "Statement": statement,
        **more,
        "VisibilityConfig": visibility(name, sampled=priority % 2 == 0, metrics=priority % 3 == 0),
    }


def custom_rules(number: int) -> list[dict[str, Any]]:
    """Rules of one's own: countries, rates, injection, scripting."""
    countries = {"GeoMatchStatement": {"CountryCodes": ["KP", "IR", "RU"][: 1 + number % 3]}}
    rate = {"RateBasedStatement": {"Limit": 2000, "AggregateKeyType": "IP"}}
    return [
        rule("block-countries", 0, countries, Action={"Block": {}}),
        rule("limit-rate", 1, rate, Action={"Count": {}}),
        rule("sql-injection", 2, {"SqliMatchStatement": dict(QUERY)}, Action={"Block": {}}),
        rule("scripting", 3, {"XssMatchStatement": dict(QUERY)}, Action={"Captcha": {}}),
    ]


def managed_rules(account: Account) -> list[dict[str, Any]]:
    """Rule groups of AWS and of one's own, which carry an override instead of an action."""
    group = account.arn("wafv2", "regional/rulegroup/own/1", "us-east-1")
    sql = {"VendorName": "AWS", "Name": "AWSManagedRulesSQLiRuleSet"}
    return [
        rule("common", 0, {"ManagedRuleGroupStatement": COMMON}, OverrideAction={"None": {}}),
        rule("sqli", 1, {"ManagedRuleGroupStatement": sql}, OverrideAction={"Count": {}}),
        rule(
            "own", 2, {"RuleGroupReferenceStatement": {"ARN": group}}, OverrideAction={"None": {}}
        ),
    ]


def nested_rules() -> list[dict[str, Any]]:
    """Statements within statements."""
    countries = {"GeoMatchStatement": {"CountryCodes": ["CN"]}}
    outside = {"NotStatement": {"Statement": {"GeoMatchStatement": {"CountryCodes": ["CH"]}}}}
    either = {"OrStatement": {"Statements": [{"XssMatchStatement": dict(QUERY)}, countries]}}
    both = {"AndStatement": {"Statements": [outside, {"SqliMatchStatement": dict(QUERY)}]}}
    scoped = {
        "RateBasedStatement": {
            "Limit": 500,
            "AggregateKeyType": "FORWARDED_IP",
            "ForwardedIPConfig": {"HeaderName": "X-Forwarded-For", "FallbackBehavior": "MATCH"},
            "ScopeDownStatement": countries,
        }
    }
    return [
        rule("either", 0, either, Action={"Block": {}}),
        rule("both", 1, both, Action={"Challenge": {}}),
        rule("scoped-rate", 2, scoped, Action={"Block": {}}),
    ]


@content("wafv2", "logging")
def logging(account: Account, region: str) -> list[dict[str, Any]]:
    """GetLoggingConfiguration's LoggingConfiguration of every second web ACL."""
    acls = account.items("wafv2", "regional", region) + account.items("wafv2", "cloudfront", region)
    stream = account.arn("firehose", "deliverystream/aws-waf-logs", region)
    return [
        {
            "ResourceArn": held["ARN"],
            "LogDestinationConfigs": [stream],
            "ManagedByFirewallManager": False,
            "LogType": "WAF_LOGS",
            "LogScope": "CUSTOMER",
        }
        for held in acls[::2]
    ]


@content("wafv2", "associations")
def associations(account: Account, region: str) -> list[dict[str, Any]]:
    """What web ACLs protect: (WebACLArn, ResourceType, ResourceArn).

    Application load balancers by the first REGIONAL ACLs, other types by the following ones, an
    Amplify application by the first CLOUDFRONT one.
    """
    acls = account.items("wafv2", "regional", region)
    if not acls:
        return []
    amplify = [
        {
            "WebACLArn": held["ARN"],
            "ResourceType": "AMPLIFY",
            "ResourceArn": account.arn("amplify", f"apps/{account.hex(10, 'amplify')}", region),
        }
        for held in account.items("wafv2", "cloudfront", region)[:1]
    ]
    balancers = [
        ("APPLICATION_LOAD_BALANCER", held["LoadBalancerArn"])
        for held in account.items("elbv2", "load_balancers", region)
        if held["Type"] == "application"
    ]
    others = [
        (kind, account.arn(service, path.format(account.hex(10, kind, region)), region))
        for kind, service, path in PROTECTED
    ]
    regional = [
        {"WebACLArn": pick(acls, number)["ARN"], "ResourceType": kind, "ResourceArn": arn}
        for number, (kind, arn) in enumerate(balancers + others)
    ]
    return regional + amplify


@content("cloudfront", "distributions")
def distributions(account: Account, region: str) -> list[dict[str, Any]]:
    """ListDistributionsByWebACLId's DistributionSummary: three for the first CLOUDFRONT ACL."""
    acls = account.items("wafv2", "cloudfront", "us-east-1")
    return [
        distribution(account, acls[0 if number < 3 else 1]["ARN"], number)
        for number in range(min(4, len(acls)))
    ]


def distribution(account: Account, acl: str, number: int) -> dict[str, Any]:
    """One distribution, with all that CloudFront requires to be said."""
    name = "E" + account.hex(13, "distribution", number).upper()
    behaviour = {"TargetOriginId": "origin", "ViewerProtocolPolicy": "redirect-to-https"}
    origin = {"Id": "origin", "DomainName": f"origin-{number}.example.com"}
    return {
        "Id": name,
        "ARN": account.arn("cloudfront", f"distribution/{name}"),
        "Status": "Deployed",
        "LastModifiedTime": account.ago(10, seconds=number),
        "DomainName": f"d{number}.cloudfront.example.com",
        "Aliases": {"Quantity": 0},
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": behaviour,
        "CacheBehaviors": {"Quantity": 0},
        "CustomErrorResponses": {"Quantity": 0},
        "Comment": account.words.text("site", 0),
        "PriceClass": "PriceClass_All",
        "Enabled": True,
        "ViewerCertificate": {"CloudFrontDefaultCertificate": True},
        "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
        "WebACLId": acl,
        "HttpVersion": "http2and3",
        "IsIPV6Enabled": True,
        "Staging": False,
    }
