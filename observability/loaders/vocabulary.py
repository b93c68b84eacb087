"""Rows of earlier senders in today's words: what is kept under loaded/ loads as it would now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Values = dict[str, Any]
KINDS = {"Ec2Instance": "EC2", "EbsVolume": "EBS", "LambdaFunction": "Lambda"}


def waf_rule(row: Values) -> Values:
    """rate_limit once was the number of requests."""
    row = renamed(row, "waf_version", {"WAFv2": "v2"})
    requests = row.get("rate_limit")
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
    return row


def commitment(row: Values) -> Values:
    names = {"ReservedInstance": "Reserved Instance", "SavingsPlan": "Savings Plan"}
    return renamed(row, "reservation_type", names)


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
}
"""By table."""


def todays(table: str, row: Values) -> Values:
    return TODAYS[table](row) if table in TODAYS else row
