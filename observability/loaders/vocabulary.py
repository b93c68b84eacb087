"""Rows of earlier senders in today's words: what is kept under loaded/ loads as it would now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

Values = dict[str, Any]
KINDS = {"Ec2Instance": "EC2", "EbsVolume": "EBS", "LambdaFunction": "Lambda"}


def waf_rule(row: Values) -> Values:
    """rate_limit once was the number of requests, where the version was named WAFv2."""
    requests = row.get("rate_limit")
    if row.get("waf_version") == "WAFv2" and requests is None:
        return {**row, "waf_version": "v2", "rate_limit": False}
    row = renamed(row, "waf_version", {"WAFv2": "v2"})
    if "rate_limit_requests" in row or not is_number(requests):
        return row
    return {**row, "rate_limit": True, "rate_limit_requests": requests}


def advice(row: Values) -> Values:
    """performance_risk once was the current resource's, in words such as VeryLow."""
    row = renamed(row, "resource_type", KINDS)
    risk = row.get("performance_risk")
    if "current_performance_risk" in row or not isinstance(risk, str) or is_number(risk):
        return row
    return {**row, "performance_risk": None, "current_performance_risk": risk or None}


def resource(row: Values) -> Values:
    """Volumes and subnets once stood under EC2; what has no state of AWS's had none."""
    service, kind = row.get("service_name"), row.get("resource_type")
    if service == "EC2" and kind in ("Volume", "Subnet"):
        row = {**row, "service_name": "EBS" if kind == "Volume" else "VPC"}
    if service in ("S3", "AutoScaling", "Lambda") and not row.get("state"):
        row = {**row, "state": "Active"}
    known = row.get("resource_id")
    if service in NAMED and isinstance(known, str) and known.startswith("arn:"):
        row = {**row, "resource_id": name_in(known), "arn": known}
    return row


NAMED = ("ELB", "AutoScaling", "Lambda")
"""Services whose resources have names, by which they are known."""


def name_in(arn: str) -> str:
    """The name in the ARN of a load balancer, scaling group or function.

    loadbalancer/app/NAME/ID, autoScalingGroup:ID:autoScalingGroupName/NAME, function:NAME.
    """
    resource = arn.split(":", 5)[-1]
    if resource.startswith("loadbalancer/"):
        return resource.split("/")[2] if resource.count("/") > 2 else resource.split("/")[-1]
    if resource.startswith("function:"):
        return resource.split(":")[1]
    return resource.partition("autoScalingGroupName/")[2] or arn


def finding(row: Values) -> Values:
    """service once was the product; generator, what kind of one the finding's id names."""
    named = ("", None, row.get("group"), row.get("product_name"))
    if row.get("service") in named and row.get("resource_type"):
        row = {**row, "service": row["resource_type"]}
    kind = str(row.get("generator_id") or "").partition("/")[0]
    if row.get("generator") in ("", None, kind) and row.get("product_name"):
        row = {**row, "generator": row["product_name"]}
    return row


def report(row: Values) -> Values:
    """total_rules once counted those without a result, too."""
    names = ("total_rules", "compliant_rules", "non_compliant_rules")
    counts = [row[name] for name in names if type(row.get(name)) is int]
    if "rules_without_result" in row or len(counts) < len(names):
        return row
    total, good, bad = counts
    rest = {"total_rules": good + bad, "rules_without_result": total - good - bad}
    return row | rest if total >= good + bad else row


def commitment(row: Values) -> Values:
    """In the sample of January 2026 `date` was the day, date_from and date_to the lease's."""
    names = {"ReservedInstance": "Reserved Instance", "SavingsPlan": "Savings Plan"}
    row = renamed(row, "reservation_type", names)
    try:
        day = date.fromisoformat(str(row.get("date"))[:10])
    except ValueError:
        return row
    term = {"start_date": row.get("date_from"), "end_date": row.get("date_to")}
    period = {"date_from": str(day), "date_to": str(day + timedelta(days=1))}
    return {**term, **{k: v for k, v in row.items() if k != "date"}, **period}


def recorded(row: Values) -> Values:
    """The sample named types as it does in service_resources."""
    service, kind = row.get("resource_type"), row.get("resource_subtype")
    held = CONFIG_TYPES.get((service, kind)) if isinstance(kind, str) else None
    return {**row, "resource_type": held} if held and isinstance(service, str) else row


CONFIG_TYPES: Mapping[tuple[Any, Any], str] = {
    ("EC2", "Instance"): "AWS::EC2::Instance",
    ("EBS", "Volume"): "AWS::EC2::Volume",
    ("VPC", "Subnet"): "AWS::EC2::Subnet",
    ("RDS", "DBInstance"): "AWS::RDS::DBInstance",
    ("S3", "Bucket"): "AWS::S3::Bucket",
    ("ELB", "LoadBalancer"): "AWS::ElasticLoadBalancingV2::LoadBalancer",
    ("AutoScaling", "AutoScalingGroup"): "AWS::AutoScaling::AutoScalingGroup",
    ("Lambda", "Function"): "AWS::Lambda::Function",
}


def renamed(row: Values, column: str, names: Mapping[str, str]) -> Values:
    """The row with today's name in a column that has another one."""
    held = row.get(column)
    return {**row, column: names[held]} if isinstance(held, str) and held in names else row


def is_number(value: Any) -> bool:
    """Whether a value is a number or a text of one (a true or false is none)."""
    if isinstance(value, str):
        return value.replace(".", "", 1).isascii() and value.replace(".", "", 1).isdigit()
    return isinstance(value, int | float) and not isinstance(value, bool)


TODAYS: Mapping[str, Callable[[Values], Values]] = {
    "waf_rules_detailed": waf_rule,
    "compute_optimizer": advice,
    "service_resources": resource,
    "ri_sp_daily_savings": commitment,
    "findings": finding,
    "config_reports": report,
    "config_inventory": recorded,
}
"""By table."""


def todays(table: str, row: Values) -> Values:
    return TODAYS[table](row) if table in TODAYS else row
