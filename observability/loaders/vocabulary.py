"""Rows of earlier senders in today's words: what is kept under loaded/ loads as it would now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Values = dict[str, Any]


def waf_rule(row: Values) -> Values:
    """rate_limit once was the number of requests."""
    requests = row.get("rate_limit")
    if "rate_limit_requests" in row or not is_number(requests):
        return row
    return {**row, "rate_limit": True, "rate_limit_requests": requests}


def advice(row: Values) -> Values:
    """performance_risk once was the current resource's, in words such as VeryLow."""
    risk = row.get("performance_risk")
    if "current_performance_risk" in row or not isinstance(risk, str) or is_number(risk):
        return row
    return {**row, "performance_risk": None, "current_performance_risk": risk or None}


def is_number(value: Any) -> bool:
    """Whether a value is a number or a text of one (a true or false is none)."""
    if isinstance(value, str):
        return value.replace(".", "", 1).isascii() and value.replace(".", "", 1).isdigit()
    return isinstance(value, int | float) and not isinstance(value, bool)


TODAYS: Mapping[str, Callable[[Values], Values]] = {
    "waf_rules_detailed": waf_rule,
    "compute_optimizer": advice,
}
"""By table."""


def todays(table: str, row: Values) -> Values:
    return TODAYS[table](row) if table in TODAYS else row
