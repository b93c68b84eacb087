"""WAF: web ACLs, logging, protected resources; CloudFront's list of what an ACL protects."""

from __future__ import annotations

from typing import Any

from tests.cloud.accounts import GLOBAL_REGION, Item
from tests.cloud.answers.core import AwsError, Call, answer, find, page

MISSING = "AWS WAF couldn't perform the operation because your resource doesn't exist."


def acls(call: Call, scope: str) -> list[Item]:
    """The web ACLs of a scope; CLOUDFRONT's can be asked for in us-east-1 only."""
    if scope == "CLOUDFRONT" and call.region != GLOBAL_REGION:
        message = "Error reason: The scope is not valid., field: SCOPE_VALUE, parameter: CLOUDFRONT"
        raise AwsError("WAFInvalidParameterException", message)
    return call.own(scope.lower())


def all_acls(call: Call) -> list[Item]:
    """The web ACLs that ARNs in this region may name."""
    return call.own("regional") + call.own("cloudfront")


@answer("wafv2", "ListWebACLs")
def list_web_acls(call: Call) -> dict[str, Any]:
    """Summaries of one scope's web ACLs."""
    found = [
        {name: held[name] for name in ("Name", "Id", "Description", "ARN") if name in held}
        | {"LockToken": call.account.uuid("lock", held["Id"])}
        for held in acls(call, call.params["Scope"])
    ]
    chunk, more = page(call, found, token="NextMarker", size="Limit", default=100, maximum=100)
    return {"WebACLs": chunk, **more}


@answer("wafv2", "GetWebACL")
def get_web_acl(call: Call) -> dict[str, Any]:
    """One web ACL, by ARN or by name, identifier and scope."""
    params = call.params
    if "ARN" in params:
        held = find(all_acls(call), "ARN", params["ARN"])
    elif {"Name", "Id", "Scope"} <= params.keys():
        held = find(acls(call, params["Scope"]), "Id", params["Id"])
        held = held if held and held["Name"] == params["Name"] else None
    else:
        message = "Error reason: Name, Id and Scope, or ARN, must be given."
        raise AwsError("WAFInvalidParameterException", message)
    if held is None:
        raise AwsError("WAFNonexistentItemException", MISSING)
    return {"WebACL": held, "LockToken": call.account.uuid("lock", held["Id"])}


def logging_of(call: Call) -> list[Item]:
    """The logging that the owner named by LogScope has set up: the customer unless asked."""
    owner = call.params.get("LogScope", "CUSTOMER")
    return [held for held in call.own("logging") if held.get("LogScope", "CUSTOMER") == owner]


@answer("wafv2", "GetLoggingConfiguration")
def get_logging_configuration(call: Call) -> dict[str, Any]:
    """Where a web ACL logs to; one that does not log has no configuration."""
    held = find(logging_of(call), "ResourceArn", call.params["ResourceArn"])
    if held is None:
        raise AwsError("WAFNonexistentItemException", MISSING)
    return {"LoggingConfiguration": held}


@answer("wafv2", "ListLoggingConfigurations")
def list_logging_configurations(call: Call) -> dict[str, Any]:
    """All logging configurations of a scope."""
    scoped = {held["ARN"] for held in acls(call, call.params["Scope"])}
    found = [held for held in logging_of(call) if held["ResourceArn"] in scoped]
    chunk, more = page(call, found, token="NextMarker", size="Limit", default=100, maximum=100)
    return {"LoggingConfigurations": chunk, **more}


@answer("wafv2", "ListResourcesForWebACL")
def list_resources_for_web_acl(call: Call) -> dict[str, Any]:
    """What a web ACL protects, of one type: load balancers unless another is named.

    Of a CLOUDFRONT ACL only Amplify's applications can be asked for here.
    """
    acl = call.params["WebACLArn"]
    if not find(all_acls(call), "ARN", acl):
        raise AwsError("WAFNonexistentItemException", MISSING)
    kind = call.params.get("ResourceType", "APPLICATION_LOAD_BALANCER")
    if kind != "AMPLIFY" and not find(call.own("regional"), "ARN", acl):
        message = "Error reason: The ARN isn't valid for this call: use CloudFront's., field: ARN"
        raise AwsError("WAFInvalidParameterException", message)
    return {
        "ResourceArns": [
            held["ResourceArn"]
            for held in call.own("associations")
            if held["WebACLArn"] == acl and held["ResourceType"] == kind
        ]
    }


@answer("cloudfront", "ListDistributionsByWebACLId")
def list_distributions_by_web_acl_id(call: Call) -> dict[str, Any]:
    """The distributions that a CLOUDFRONT web ACL protects, by the ACL's ARN."""
    wanted = call.params["WebACLId"]
    everything = call.own_global("distributions")
    found = [
        held for held in everything if held["WebACLId"] == ("" if wanted == "null" else wanted)
    ]
    params = call.params | {"MaxItems": int(call.params.get("MaxItems") or 100)}
    bounded = Call(call.cloud, call.account, call.region, call.service, call.operation, params)
    chunk, more = page(
        bounded, found, token="Marker", size="MaxItems", maximum=100, token_out="NextMarker"
    )
    listing = {
        "Marker": call.params.get("Marker", ""),
        "MaxItems": params["MaxItems"],
        "IsTruncated": bool(more),
        "Quantity": len(chunk),
        **({"Items": chunk} if chunk else {}),
        **more,
    }
    return {"DistributionList": listing}
