"""Compute Optimizer, and the sums of what it finds in the Cost Optimization Hub."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.cloud.accounts import Account, Item
from tests.cloud.answers.core import AwsError, Call, answer, page, payees

KINDS = {
    "Ec2Instance": ("instances", "instanceArn", "recommendationOptions"),
    "EbsVolume": ("volumes", "volumeArn", "volumeRecommendationOptions"),
    "LambdaFunction": ("functions", "functionArn", "memorySizeRecommendationOptions"),
}


def recommendations(call: Call, kind: str, arns: str) -> tuple[list[Item], dict[str, str]]:
    """A page of one kind of recommendations, those of the account asked for."""
    params = call.params
    list_name, arn, _ = KINDS[kind]
    wanted = params.get(arns)
    found = [
        held
        for account in asked_for(call)
        for held in account.items("compute-optimizer", list_name, call.region)
        if (not wanted or held[arn] in wanted)
        and all(passes(held, test) for test in params.get("filters") or [])
    ]
    return page(call, found, token="nextToken", size="maxResults", default=100, maximum=1000)


def asked_for(call: Call) -> list[Account]:
    """The caller itself, or the member that it names; one account per request."""
    names = call.params.get("accountIds") or [call.account.id]
    if len(names) > 1:
        raise call.invalid("Only one account ID can be specified per request.")
    known = {held.id: held for held in (call.account, *call.members(), *payees(call))}
    if names[0] not in known:
        message = "You are not authorized to access the recommendations of this account."
        raise AwsError("AccessDeniedException", message)
    return [known[names[0]]]


def passes(held: Item, condition: dict[str, Any]) -> bool:
    """Whether a recommendation passes a filter."""
    name, values = condition["name"], condition["values"]
    if name == "Finding":
        return held["finding"] in values
    if name.startswith("FindingReasonCode"):
        return bool({*held["findingReasonCodes"]} & {*values})
    return name == "RecommendationSourceType" and "Ec2Instance" in values


@answer("compute-optimizer", "GetEC2InstanceRecommendations")
def get_ec2_instance_recommendations(call: Call) -> dict[str, Any]:
    """Recommendations for instances."""
    chunk, more = recommendations(call, "Ec2Instance", "instanceArns")
    return {"instanceRecommendations": chunk, "errors": [], **more}


@answer("compute-optimizer", "GetEBSVolumeRecommendations")
def get_ebs_volume_recommendations(call: Call) -> dict[str, Any]:
    """Recommendations for volumes."""
    chunk, more = recommendations(call, "EbsVolume", "volumeArns")
    return {"volumeRecommendations": chunk, "errors": [], **more}


@answer("compute-optimizer", "GetLambdaFunctionRecommendations")
def get_lambda_function_recommendations(call: Call) -> dict[str, Any]:
    """Recommendations for functions."""
    chunk, more = recommendations(call, "LambdaFunction", "functionArns")
    return {"lambdaFunctionRecommendations": chunk, **more}


@answer("cost-optimization-hub", "ListRecommendationSummaries")
def list_recommendation_summaries(call: Call) -> dict[str, Any]:
    """What the account could save a month, by resource type, region, account or action."""
    group_by = call.params["groupBy"]
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for held in opportunities(call):
        if group_by not in held:
            raise AwsError("ValidationException", f"Invalid groupBy: {group_by}")
        groups[held[group_by]].append(held["saving"])
    found = [
        {
            "group": name,
            "estimatedMonthlySavings": sum(amounts),
            "recommendationCount": len(amounts),
        }
        for name, amounts in sorted(groups.items())
    ]
    chunk, more = page(
        call, found, token="nextToken", size="maxResults", default=1000, maximum=1000
    )
    return {
        "estimatedTotalDedupedSavings": sum(held["estimatedMonthlySavings"] for held in found),
        "items": chunk,
        "groupBy": group_by,
        "currencyCode": "USD",
        **more,
    }


def opportunities(call: Call) -> Iterator[Item]:
    """Everything that could be saved, as far as the filter's accounts and regions go."""
    filters = call.params.get("filter") or {}
    names, regions = filters.get("accountIds"), filters.get("regions")
    for account in (call.account, *payees(call)):
        for region in account.regions:
            if (not names or account.id in names) and (not regions or region in regions):
                yield from account_opportunities(account, region)


def account_opportunities(account: Account, region: str) -> Iterator[Item]:
    """What Compute Optimizer would save in one region: the best option of each thing."""
    for kind, (list_name, _, options) in KINDS.items():
        for held in account.items("compute-optimizer", list_name, region):
            best = min(held[options], key=lambda option: option["rank"], default=None)
            if best:
                money = best["savingsOpportunity"]["estimatedMonthlySavings"]
                yield {
                    "ResourceType": kind,
                    "Region": region,
                    "AccountId": account.id,
                    "ActionType": "Rightsize",
                    "saving": money["value"],
                }
