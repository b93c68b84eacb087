"""The sender's pure functions: what AWS sends in, rows out. No AWS is asked here."""

from __future__ import annotations

import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from hypothesis import example, given, settings
from hypothesis import strategies as st

from observability.aws.errors import ABSENT, ReadError, classify_error
from observability.aws.pages import tokens
from observability.collecting.run import Run
from observability.collecting.spool import DocumentBuilders, Spool, Store
from observability.collecting.window import Window
from observability.collectors.account import account_details, alternate_contact_row, contact_row
from observability.collectors.application import signals_row
from observability.collectors.compute_optimizer import advice, best_of
from observability.collectors.config import compliance_report, non_compliant_row
from observability.collectors.cost import (
    anomaly_count,
    cost_report,
    daily_totals,
    forecast_row,
    is_own,
)
from observability.collectors.health import event_row
from observability.collectors.inventory import instance_row, patch_row
from observability.collectors.marketplace import marketplace_rows
from observability.collectors.resilience_hub import a_month, app_row, policy_goals
from observability.collectors.security.certificate_manager import certificate_row
from observability.collectors.security.cloudtrail import trail_row
from observability.collectors.security.guard_duty import guard_duty_row
from observability.collectors.security.inspector import inspector_row
from observability.collectors.security.kms import key_row
from observability.collectors.security.secrets_manager import secret_row
from observability.collectors.security.security_hub import finding_row
from observability.collectors.security.security_hub import is_open as sender_is_open
from observability.collectors.security.waf import (
    acl_row,
    acl_rows,
    blocked_countries,
    rule_row,
    statements,
)
from observability.collectors.service_resources import (
    bucket_row,
    database_row,
    function_row,
    load_balancer_row,
    scaling_group_row,
    subnet_row,
    volume_row,
)
from observability.collectors.support_tickets import case_row
from observability.collectors.trusted_advisor import check_row
from observability.contract import FAIL, SKIPPED
from observability.dates import day_of, midnight, to_iso
from observability.dates import zulu as sender_zulu
from observability.errors import UsageError
from observability.log import Log, log_event, log_to, printable
from observability.rows import RowMapper as SenderShape
from observability.rows import batches, get_path
from observability.sending.document import calls_by_service, encode
from observability.settings.sender import Settings, read_settings
from tests.cloud.models import operation_model

Row = dict[str, Any]

DAY = timedelta(days=1)
REGION = "eu-west-1"
SETTINGS = Settings(region=REGION, regions=(REGION,))

FIRST, LAST = datetime(2019, 1, 1), datetime(2032, 12, 31)  # noqa: DTZ001  hypothesis adds zones
days = st.dates(FIRST.date(), LAST.date())
instants = st.datetimes(FIRST, LAST, timezones=st.just(UTC))


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
            {"rate_limit": 10_000_000_000, "sql_injection": True, "is_custom_rule": True},
        ),
        (
            shaped(
                leaf("ManagedRuleGroupStatement", Name="AWSManagedRulesSQLiRuleSet"),
                None,
                OverrideAction={"Count": {}},
            ),
            {"is_managed_rule": True, "is_custom_rule": False, "sql_injection": True,
             "action": "Override Count", "rate_limit": None},
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


# Money

amounts = st.decimals(-(10**9), 10**12, places=10)
"""What Cost Explorer sends: up to ten decimals, refunds are negative."""


def cost_rows(day: str, costs: list[tuple[str, Decimal]]) -> list[dict[str, Any]]:
    """Rows of `service` on a day."""
    return [
        {"date_from": day, "service": service, "cost": format(cost, "f")} for service, cost in costs
    ]


priced = st.lists(st.tuples(st.sampled_from(["EC2", "S3", "Tax", "Refund"]), amounts), max_size=12)


@given(priced, priced)
@example([("S3", Decimal("0.0000000001"))], [("S3", Decimal("999999999999.9999999999"))])
def test_a_cost_report_loses_no_digit(
    today: list[tuple[str, Decimal]], before: list[tuple[str, Decimal]]
) -> None:
    rows = cost_rows("2024-03-01", today) + cost_rows("2024-02-29", before)
    report = cost_report(date(2024, 3, 1), daily_totals(rows))
    current = sum((Fraction(cost) for _, cost in today), Fraction())
    previous = sum((Fraction(cost) for _, cost in before), Fraction())
    assert Fraction(report["current_period_cost"]) == current
    assert Fraction(report["previous_period_cost"]) == previous
    assert Fraction(report["cost_difference"]) == current - previous
    if previous:
        grown = (current - previous) / abs(previous)  # a credit before makes no cost a decline
        error = Fraction(report["cost_difference_percentage"]) - grown * 100
        assert abs(error) <= Fraction(5, 100_000) + abs(grown) / 10**20
    else:
        assert report["cost_difference_percentage"] is None
    services = {held["service"]: Fraction(held["cost"]) for held in report["top_services"]}
    assert services == {
        name: sum(Fraction(cost) for service, cost in today if service == name)
        for name in {service for service, _ in today}
    }
    costs = [Fraction(held["cost"]) for held in report["top_services"]]
    assert costs == sorted(costs, reverse=True)
    texts = [report["current_period_cost"], *(held["cost"] for held in report["top_services"])]
    assert all(re.fullmatch(r"-?\d+(\.\d+)?", text) for text in texts)


def test_a_day_without_costs_is_zero_and_its_period_is_half_open() -> None:
    report = cost_report(date(2024, 12, 31), {})
    assert Decimal(report["current_period_cost"]) == Decimal(report["cost_difference"]) == 0
    assert report["top_services"] == []
    assert report["period"] == {"start": "2024-12-31", "end": "2025-01-01", "granularity": "DAILY"}


SPANS = [("2024-02-27", "2024-02-29"), ("2024-03-01", "2024-03-01"), ("2024-02-29", "9")]


@pytest.mark.parametrize(
    ("day", "count"),
    [
        (date(2024, 2, 26), 0),
        (date(2024, 2, 27), 1),
        (date(2024, 2, 29), 2),
        (date(2024, 3, 1), 2),
        (date(2026, 1, 1), 1),
    ],
)
def test_an_anomaly_counts_on_each_of_its_days(day: date, count: int) -> None:
    assert anomaly_count(day, SPANS) == {"anomalies_detected": count}


def test_no_anomalies_are_known_is_not_none_were_detected() -> None:
    assert anomaly_count(date(2024, 1, 1), None) == {}
    assert anomaly_count(date(2024, 1, 1), []) == {"anomalies_detected": 0}


@pytest.mark.parametrize(
    ("causes", "own"),
    [
        ([], True),
        ([{"Service": "EC2"}], True),
        ([{"LinkedAccount": "111122223333"}], True),
        ([{"LinkedAccount": "999999999999"}], False),
        ([{"LinkedAccount": "999999999999"}, {"LinkedAccount": "111122223333"}], True),
    ],
)
def test_an_anomaly_belongs_to_the_accounts_that_caused_it(
    causes: list[dict[str, str]], own: bool
) -> None:
    assert is_own("111122223333", {"RootCauses": causes}) is own


def test_a_forecast_keeps_aws_s_digits_and_days() -> None:
    row = forecast_row(
        {
            "TimePeriod": {"Start": "2024-02-29", "End": "2024-03-01"},
            "MeanValue": "12.3456789012345",
            "PredictionIntervalLowerBound": "-0.0000000001",
            "PredictionIntervalUpperBound": "1E+2",
        }
    )
    assert row == {
        "period": {"start": "2024-02-29", "end": "2024-03-01"},
        "amount": "12.3456789012345",
        "prediction_interval_lower_bound": "-0.0000000001",
        "prediction_interval_upper_bound": "1E+2",
    }


def test_a_product_is_told_from_the_day_of_its_license_and_expires_when_it_does() -> None:
    window = Window.of_backfill(date(2024, 2, 27), date(2024, 3, 2))
    product = {
        "ProductSKU": "sku", "ProductName": "Scanner", "Status": "AVAILABLE",
        "Validity": {"Begin": "2024-02-28T23:59:59Z"},
    }  # fmt: skip
    entitlements = [
        {"ExpirationDate": datetime(2024, 2, 29, tzinfo=UTC)},
        {"ExpirationDate": datetime(2024, 3, 1, 12, tzinfo=UTC)},
    ]
    costs = {("Scanner", "2024-02-29"): {"cost_consumed": "1.5", "currency": "USD"}}
    rows = list(marketplace_rows(window, product, entitlements, costs))
    assert [(row["period_start"], row["status"]) for row in rows] == [
        ("2024-02-28", "ACTIVE"),
        ("2024-02-29", "ACTIVE"),
        ("2024-03-01", "EXPIRED"),
        ("2024-03-02", "EXPIRED"),
    ]
    assert [row["cost_consumed"] for row in rows] == [None, "1.5", None, None]
    assert [row["currency"] for row in rows] == [None, "USD", None, None]


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        ([None], "ACTIVE"),
        ([datetime(2024, 1, 1, tzinfo=UTC), None], "ACTIVE"),
        ([datetime(2024, 1, 1, tzinfo=UTC)], "EXPIRED"),
        ([], "AVAILABLE"),
    ],
)
def test_an_entitlement_without_an_end_never_expires(
    ends: list[datetime | None], status: str
) -> None:
    window = Window.of_backfill(date(2024, 2, 27), date(2024, 2, 27))
    product = {"ProductSKU": "sku", "ProductName": "Scanner", "Status": "AVAILABLE"}
    held = [{"ExpirationDate": end} if end else {} for end in ends]
    rows = list(marketplace_rows(window, product, held, {}))
    assert [row["status"] for row in rows] == [status]


# Recommendations and goals


@pytest.mark.parametrize(
    ("amount", "frequency", "month"),
    [(2.0, "Hourly", 1460.0), (12.0, "Daily", 365.0), (10.1, "Monthly", 10.1), (36.0, "Yearly", 3)],
)
def test_what_an_app_costs_is_told_by_the_month(
    amount: float, frequency: str, month: float
) -> None:
    told = a_month({"amount": amount, "currency": "USD", "frequency": frequency})
    assert told == pytest.approx(month)


def metric(name: str, statistic: str, value: float) -> dict[str, Any]:
    """A utilization metric."""
    return {"name": name, "statistic": statistic, "value": value}


METRICS = [
    metric("NETWORK_IN_BYTES_PER_SECOND", "Maximum", 1e9),
    metric("Cpu", "Average", 3.5),
    metric("MEMORY", "Average", 41.25),
    metric("CPU", "MAXIMUM", 97.5),
    metric("Memory", "Maximum", 88.0),
]


@given(st.permutations(METRICS))
def test_each_metric_is_taken_by_name_and_statistic(metrics: list[dict[str, Any]]) -> None:
    row = advice("Ec2Instance", "arn", {"utilizationMetrics": metrics}, {})
    assert (row["cpu_utilization_max"], row["memory_utilization_avg"]) == (97.5, 41.25)


def test_metrics_that_aws_has_not_are_null_not_another_s() -> None:
    few = [metric("Duration", "Average", 200.0), metric("Memory", "Maximum", 88.0)]
    row = advice("LambdaFunction", "arn", {"utilizationMetrics": few}, {})
    assert (row["cpu_utilization_max"], row["memory_utilization_avg"]) == (None, None)


@pytest.mark.parametrize(("currency", "expected"), [("USD", 7.25), ("CNY", None)])
def test_savings_are_told_in_dollars_only(currency: str, expected: float | None) -> None:
    best = {
        "savingsOpportunity": {
            "savingsOpportunityPercentage": 12.5,
            "estimatedMonthlySavings": {"currency": currency, "value": 7.25},
        }
    }
    row = advice("EbsVolume", "arn", {}, best)
    assert row["estimated_monthly_savings_usd"] == expected
    assert row["savings_opportunity_percentage"] == 12.5


@given(st.permutations([{"rank": 3}, {"rank": 1}, {"rank": 2}]))
def test_the_best_option_is_the_one_that_aws_ranks_first(options: list[dict[str, int]]) -> None:
    assert best_of(options) == {"rank": 1}


@pytest.mark.parametrize("options", [None, []])
def test_without_options_nothing_is_recommended(options: list[dict[str, int]] | None) -> None:
    assert best_of(options) == {}


@pytest.mark.parametrize(
    ("goals", "expected"),
    [
        (
            {
                "Software": {"rtoInSecs": 300, "rpoInSecs": 60},
                "Region": {"rtoInSecs": 7200, "rpoInSecs": 0},
            },
            {"rto": 300, "rpo": 0},
        ),
        ({"AZ": {"rtoInSecs": 0, "rpoInSecs": 5}}, {"rto": 0, "rpo": 5}),
        ({}, {"rto": None, "rpo": None}),
        (None, {"rto": None, "rpo": None}),
    ],
)
def test_the_strictest_goal_of_a_policy_counts(
    goals: dict[str, Any] | None, expected: dict[str, int | None]
) -> None:
    assert policy_goals({"policy": {"policy": goals}}) == expected


# Compliance


@pytest.mark.parametrize(
    ("states", "score"),
    [
        ("", None),
        ("II", None),
        ("C", "100"),
        ("N", "0"),
        ("CNN", "33.33"),
        ("CCNII", "66.67"),
        ("C" * 1999 + "N", "99.95"),
    ],
)
def test_the_compliance_score_counts_rules_with_a_result(states: str, score: str | None) -> None:
    kinds = {"C": "COMPLIANT", "N": "NON_COMPLIANT", "I": "INSUFFICIENT_DATA"}
    window = Window.of_yesterday(datetime(2024, 3, 1, 4, tzinfo=UTC), SETTINGS, None)
    found = {f"rule-{number}": kinds[state] for number, state in enumerate(states)}
    report = compliance_report(window, found)
    told = report["compliance_score"]
    assert told == score if score is None or told is None else Decimal(told) == Decimal(score)
    assert report["total_rules"] == len(states)
    assert report["compliant_rules"] == states.count("C")
    assert report["non_compliant_rules"] == states.count("N")
    assert (report["date_from"], report["date_to"]) == ("2024-02-29", "2024-03-01")


@pytest.mark.parametrize(
    ("record", "workflow", "is_open"),
    [
        ("ACTIVE", "NEW", True),
        ("ACTIVE", "NOTIFIED", True),
        ("ACTIVE", "RESOLVED", False),
        ("ACTIVE", "SUPPRESSED", False),
        ("ARCHIVED", "NEW", False),
    ],
)
def test_a_finding_is_open_while_somebody_has_to_act(
    record: str, workflow: str, is_open: bool
) -> None:
    finding = {"RecordState": record, "Workflow": {"Status": workflow}, "ProductName": "Scanner"}
    assert sender_is_open(finding_row(finding)) is is_open


def test_a_finding_of_a_product_without_a_name_is_known_by_its_arn() -> None:
    held = {
        "ProductArn": "arn:aws:securityhub:eu-west-1::product/acme/scanner",
        "GeneratorId": "x/y",
    }
    row = finding_row(held)
    assert (row["service"], row["generator"]) == ("scanner", "x")
    named = finding_row(held | {"GeneratorDetails": {"Name": "Trivy"}})
    assert named["generator"] == "Trivy"


def test_a_patch_that_is_not_installed_has_no_time() -> None:
    epoch, later = datetime(1970, 1, 1, tzinfo=UTC), datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)
    assert patch_row({"InstalledTime": epoch})["installed_time"] is None
    assert patch_row({})["installed_time"] is None
    row = patch_row({"InstalledTime": later})
    assert datetime.fromisoformat(row["installed_time"]) == later


# Time


@pytest.mark.parametrize(
    ("now", "newest", "costs_from", "since"),
    [
        # the first document: everything that is open
        ("2024-03-01T00:00:00", None, "2024-02-27", None),
        # nothing missed: leap day, month and year ends
        ("2024-03-01T00:00:01", "2024-02-28", "2024-02-27", "2024-02-27"),
        ("2024-03-02T23:59:59", "2024-02-29", "2024-02-28", "2024-02-28"),
        ("2023-03-01T04:00:00", "2023-02-27", "2023-02-26", "2023-02-26"),
        ("2025-01-01T00:30:00", "2024-12-30", "2024-12-29", "2024-12-29"),
        # a run that is repeated on the same day
        ("2024-05-10T12:00:00", "2024-05-09", "2024-05-07", "2024-05-07"),
        # five days missed, over the end of February
        ("2024-03-03T04:00:00", "2024-02-25", "2024-02-26", "2024-02-26"),
        # the last day that can be caught up with, and the one after it
        ("2024-03-31T04:00:00", "2024-02-29", "2024-03-01", "2024-03-01"),
        ("2024-03-31T04:00:00", "2024-02-28", "2024-03-01", None),
        ("2024-03-31T04:00:00", "2023-03-31", "2024-03-01", None),
    ],
)
def test_what_a_daily_run_reads(
    now: str, newest: str | None, costs_from: str, since: str | None
) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    window = Window.of_yesterday(moment, SETTINGS, date.fromisoformat(newest) if newest else None)
    assert window.end == moment.date()
    assert window.documents() == [(moment.date() - DAY, moment.date())]
    assert str(window.costs_from) == costs_from
    changed = midnight(window.costs_from)
    everything = (None,) if newest is None else (None, changed)
    assert window.reads == ((changed,) if since else everything)
    assert since is None or str(changed.date()) == since
    assert window.until == moment


@given(instants, st.none() | st.integers(1, 500), st.integers(1, 10), st.integers(10, 60))
def test_no_missed_day_is_left_out_within_the_bound(
    now: datetime, days_ago: int | None, lookback: int, catch_up: int
) -> None:
    settings = Settings(REGION, (REGION,), lookback=lookback, catch_up=catch_up)
    today = now.date()
    newest = today - timedelta(days=days_ago) if days_ago else None
    window = Window.of_yesterday(now, settings, newest)
    assert (window.start, window.end) == (today - DAY, today)
    assert today - timedelta(days=catch_up) <= window.costs_from
    assert window.costs_from <= today - timedelta(days=lookback)
    if newest and newest + DAY >= today - timedelta(days=catch_up):
        assert window.costs_from <= newest + DAY
        assert window.since == midnight(window.costs_from)
    else:
        assert window.since is None


@given(days, st.integers(0, 800))
def test_past_days_are_read_each_once(first: date, count: int) -> None:
    window = Window.of_backfill(first, first + timedelta(days=count))
    periods = window.documents()
    assert [start for start, _ in periods] == [first + timedelta(days=n) for n in range(count + 1)]
    assert all(end == start + DAY for start, end in periods)
    assert window.since == midnight(first)
    assert window.until < midnight(first + timedelta(days=count + 1))
    assert window.until > midnight(first + timedelta(days=count + 1)) - timedelta(seconds=1)


def test_a_past_day_has_24_hours_though_clocks_change() -> None:
    window = Window.of_backfill(date(2026, 3, 28), date(2026, 3, 30))
    starts = [midnight(start) for start, _ in window.documents()]
    assert [later - earlier for earlier, later in itertools.pairwise(starts)] == [DAY, DAY]


@given(days, st.integers(1, 40), st.none() | st.integers(-50, 90))
def test_what_happened_outside_of_the_window_goes_to_the_nearest_day(
    first: date, count: int, offset: int | None
) -> None:
    drafts = DocumentBuilders(Window.of_backfill(first, first + timedelta(days=count)), store())
    day = None if offset is None else first + timedelta(days=offset)
    found = drafts.of(day).start
    last = first + timedelta(days=count)
    assert found == (last if day is None else min(max(day, first), last))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-02-29T23:59:59.123Z", "2024-02-29T23:59:59.123000+00:00"),
        ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59+00:00"),
        ("2024-03-01T01:59:59+02:00", "2024-02-29T23:59:59+00:00"),
        ("2024-02-29T23:59:59", "2024-02-29T23:59:59+00:00"),
        (datetime(2024, 12, 31, 23, 0, tzinfo=timezone(-timedelta(hours=2))),
         "2025-01-01T01:00:00+00:00"),
        (datetime(2024, 2, 29), "2024-02-29T00:00:00+00:00"),  # noqa: DTZ001  as some AWS times
        ("", None),
        ("yesterday", None),
        ("2024-02-30T00:00:00Z", None),
        (None, None),
    ],
)  # fmt: skip
def test_instants_are_told_in_utc_whatever_form_aws_sends(
    value: datetime | str | None, expected: str | None
) -> None:
    assert to_iso(value) == expected
    assert day_of(expected) == (date.fromisoformat(expected[:10]) if expected else None)


offsets = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))


@given(st.datetimes(timezones=offsets, min_value=FIRST, max_value=LAST))
def test_an_instant_stays_the_same_instant(moment: datetime) -> None:
    told = to_iso(moment)
    assert told
    assert datetime.fromisoformat(told) == moment
    assert told.endswith("+00:00")
    zulu = sender_zulu(moment)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", zulu)
    assert abs(datetime.fromisoformat(zulu) - moment) < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (None, "2024-01-01", "--start"),
        ("2024-02-30", None, "--start"),
        ("2024-01-01", "2024-13-01", "--end"),
        ("01.02.2024", None, "YYYY-MM-DD"),
        ("2024-01-02", "2024-01-01", "after"),
        ("2024-01-01", "2999-01-01", "not over"),
        ("2999-01-01", None, "not over"),
    ],
)
def test_days_that_make_no_sense_are_refused(
    start: str | None, end: str | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        days_of(start, end)


def days_of(start: str | None, end: str | None) -> tuple[date | None, date | None]:
    """The days that a sender with these flags reads."""
    settings = read_settings({"region": REGION, "start": start, "end": end}, (), uploads=False)
    return settings.start, settings.end


def test_days_to_read_include_both_ends_and_end_yesterday_by_default() -> None:
    leap, march = date(2024, 2, 29), date(2024, 3, 1)
    assert days_of("2024-02-29", "2024-03-01") == (leap, march)
    assert days_of("2024-02-29", "2024-02-29") == (leap, leap)
    assert days_of(None, None) == (None, None)
    before = datetime.now(UTC).date() - DAY
    assert days_of("2024-02-29", None)[1] in (before, before + DAY)


# Text and rows


def store() -> Store:
    """Where rows are kept."""
    return Store()


UNSAFE = "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
"""What begins lines, steers terminals, or turns the direction of text."""


@given(st.text())
@example("line\nERROR forged\r\n\x1b[31mred\x9b2J \u2028\u2029 \u202e\u2066")
def test_no_text_can_forge_a_line_or_steer_a_terminal(text: str) -> None:
    safe = printable(text)
    assert not re.search(UNSAFE, safe)
    assert len(safe.splitlines()) <= 1


@given(st.text().filter(lambda text: not re.search(UNSAFE, text)))
def test_text_that_does_no_harm_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


texts = st.text(st.characters(exclude_categories=["Cs"]))
values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
rows_of_text = st.dictionaries(texts, values | st.lists(values) | st.dictionaries(texts, values))


@settings(max_examples=50)
@given(st.lists(rows_of_text, max_size=40))
def test_rows_come_back_from_disk_as_they_were(rows: list[dict[str, Any]]) -> None:
    held = store()
    spool = Spool(held)
    for row in rows:
        spool.add(row)
    assert list(spool) == rows
    assert json.loads(b"[" + b"".join(spool.chunks()) + b"]") == rows
    assert spool.count == len(rows)
    held.close()


def test_more_rows_than_memory_should_hold_come_back_in_order() -> None:
    held = store()
    one, other = Spool(held), Spool(held)
    for number in range(5000):
        one.add({"n": number, "text": "größe,\n" * 5}, labels=("even",) if number % 2 == 0 else ())
        other.add({"m": number})
    assert [row["n"] for row in one] == list(range(5000))
    assert [row["m"] for row in other] == list(range(5000))
    assert one.tally["even"] == 2500
    held.close()


@settings(max_examples=50)
@given(st.recursive(values, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)))
def test_a_document_is_written_as_json(value: Any) -> None:
    assert json.loads(b"".join(encode(value))) == value


def test_half_a_surrogate_pair_does_not_spoil_the_document() -> None:
    held = store()
    spool = Spool(held)
    spool.add({"name": "broken \ud83d emoji"})
    [row] = json.loads(b"".join(encode(spool)))
    assert row["name"].startswith("broken ")
    assert row["name"].endswith(" emoji")
    held.close()


def test_numbers_that_json_has_not_are_refused_when_they_are_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        Spool(store()).add({"value": float("nan")})


@given(st.lists(st.integers()), st.integers(1, 7))
def test_batches_have_everything_once_and_are_full_but_for_the_last(
    items: list[int], size: int
) -> None:
    found = list(batches(iter(items), size))
    assert [item for batch in found for item in batch] == items
    assert all(len(batch) == size for batch in found[:-1])
    assert all(1 <= len(batch) <= size for batch in found[-1:])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("A", {"B": [{"C": 1}, {"C": 0}]}),
        ("A.B.0.C", 1),
        ("A.B.1.C", 0),
        ("A.B.2.C", None),
        ("A.X.Y", None),
        ("A.B.0.C.D", None),
    ],
)
def test_a_path_leads_into_an_answer_or_nowhere(path: str, expected: Any) -> None:
    assert get_path({"A": {"B": [{"C": 1}, {"C": 0}]}}, path) == expected


def test_calls_are_summed_up_by_service() -> None:
    calls = {"kms:ListKeys": 1, "kms:DescribeKey": 12, "acm:ListCertificates": 2}
    assert sorted(calls_by_service(calls)) == [
        "acm ListCertificates 2",
        "kms DescribeKey 12, ListKeys 1",
    ]


@pytest.mark.parametrize(
    ("information", "member", "name", "status"),
    [
        ({"AccountName": "own", "AccountState": "ACTIVE"}, {"Name": "org", "Status": "SUSPENDED"},
         "own", "ACTIVE"),
        ({}, {"Name": "org", "Status": "SUSPENDED"}, "org", "SUSPENDED"),
        ({}, {"Name": "org", "State": "CLOSED", "Status": "SUSPENDED"}, "org", "CLOSED"),
        ({"AccountName": "own"}, {}, "own", None),
        ({}, {}, None, None),
    ],
)  # fmt: skip
def test_an_account_is_what_it_says_itself_and_else_what_its_organization_says(
    information: dict[str, str], member: dict[str, str], name: str | None, status: str | None
) -> None:
    aws = Run(SETTINGS, Log()).caller
    aws.identity = {"Account": "111122223333", "Arn": "arn:aws-cn:iam::111122223333:user/x"}
    row = account_details(aws, information, member)
    assert (row["account_name"], row["account_status"]) == (name, status)
    assert row["account_arn"] == "arn:aws-cn:iam::111122223333:root"


# Pages by token


def test_pages_are_read_until_there_is_no_token() -> None:
    pages: dict[str | None, Row] = {
        None: {"n": 1, "Next": "a"},
        "a": {"n": 2, "Next": "b"},
        "b": {"n": 3},
    }
    found = list(tokens(lambda Next=None: pages[Next], "Next"))
    assert [page["n"] for page in found] == [1, 2, 3]


def test_the_next_token_may_be_nested_and_empty_at_the_end() -> None:
    pages: dict[str | None, Row] = {
        None: {"List": {"NextMarker": "a"}},
        "a": {"List": {"NextMarker": ""}},
    }
    assert len(list(tokens(lambda Marker=None: pages[Marker], "Marker", "List.NextMarker"))) == 2


def test_a_token_that_comes_again_ends_the_listing_with_an_error() -> None:
    with pytest.raises(ReadError, match="twice"):
        list(tokens(lambda Next=None: {"Next": "same"}, "Next"))


# Errors


def refusal(call: str, code: str, message: str) -> ClientError:
    """An error as botocore raises it and the sender's watch completes it."""
    response: Any = {"Error": {"Code": code, "Message": message, "Call": call}}
    return ClientError(response, call.partition(":")[2])


BY_IAM = "User: arn:aws:iam::111122223333:user/x is not authorized to perform: {}"
BY_POLICY = BY_IAM + " with an explicit deny in a service control policy"
OFF = SKIPPED


@pytest.mark.parametrize(
    ("call", "code", "message", "meaning"),
    [
        ("inspector2:ListFindings", "AccessDeniedException", BY_IAM, FAIL),
        ("inspector2:ListFindings", "AccessDeniedException", BY_POLICY, FAIL),
        ("inspector2:ListFindings", "AccessDeniedException", "Account is not enabled", OFF),
        ("ce:GetCostAndUsage", "AccessDeniedException", BY_IAM, FAIL),
        ("ce:GetCostAndUsage", "AccessDeniedException", "User not enabled for cost explorer", OFF),
        ("ce:GetCostForecast", "DataUnavailableException", "Insufficient data", OFF),
        ("ce:GetCostForecast", "ValidationException", "Insufficient data", FAIL),
        ("support:DescribeCases", "SubscriptionRequiredException", "Premium Support", OFF),
        ("securityhub:GetFindings", "InvalidAccessException", "is not subscribed", OFF),
        ("securityhub:GetFindings", "AccessDeniedException", BY_IAM, FAIL),
        ("organizations:DescribeAccount", "AWSOrganizationsNotInUseException", "", OFF),
        ("organizations:DescribeAccount", "AccessDeniedException", BY_IAM, FAIL),
        ("organizations:DescribeAccount", "AccessDeniedException",
         "You don't have permissions to access this resource.", OFF),
        ("organizations:ListTagsForResource", "TargetNotFoundException", "", OFF),
        ("organizations:ListTagsForResource", "ServiceException", "oops", FAIL),
        ("account:GetAlternateContact", "ResourceNotFoundException", "", ABSENT),
        ("kms:GetKeyRotationStatus", "UnsupportedOperationException", "", ABSENT),
        ("kms:DescribeKey", "AccessDeniedException", BY_IAM, FAIL),
        ("health:DescribeEvents", "InternalServerException", "oops", FAIL),
        ("ssm:GetInventory", "SubscriptionRequiredException", "", FAIL),
    ],
)  # fmt: skip
def test_a_refusal_is_told_from_a_service_that_is_off(
    call: str, code: str, message: str, meaning: str
) -> None:
    found, what, detail = classify_error(refusal(call, code, message.format(call)))
    assert found == meaning
    if meaning == FAIL:
        assert call in what
        assert code in what
        assert detail == message.format(call)


def test_an_endpoint_without_an_answer_is_a_failure() -> None:
    found, what, detail = classify_error(ReadTimeoutError(endpoint_url="https://kms.example.com"))
    assert (found, what) == (FAIL, "ReadTimeoutError")
    assert "kms.example.com" in detail


# The least that AWS promises

ROWS: Mapping[str, tuple[SenderShape, str, str, str]] = {
    "contact": (contact_row, "account", "GetContactInformation", "ContactInformation"),
    "alternate": (
        alternate_contact_row, "account", "GetAlternateContact", "AlternateContact",
    ),
    "finding": (finding_row, "securityhub", "GetFindings", "Findings"),
    "guard duty": (guard_duty_row, "guardduty", "GetFindings", "Findings"),
    "inspector": (inspector_row, "inspector2", "ListFindings", "findings"),
    "key": (key_row, "kms", "DescribeKey", "KeyMetadata"),
    "trail": (trail_row, "cloudtrail", "DescribeTrails", "trailList"),
    "secret": (secret_row, "secretsmanager", "ListSecrets", "SecretList"),
    "certificate": (
        certificate_row, "acm", "ListCertificates", "CertificateSummaryList",
    ),
    "web acl": (acl_row, "wafv2", "GetWebACL", "WebACL"),
    "non compliant": (
        non_compliant_row, "config", "GetComplianceDetailsByConfigRule", "EvaluationResults",
    ),
    "node": (
        instance_row, "ssm", "DescribeInstanceInformation", "InstanceInformationList",
    ),
    "patch": (patch_row, "ssm", "DescribeInstancePatches", "Patches"),
    "check": (check_row, "support", "DescribeTrustedAdvisorCheckResult", "result"),
    "case": (case_row, "support", "DescribeCases", "cases"),
    "event": (event_row, "health", "DescribeEvents", "events"),
    "service": (
        signals_row, "application-signals", "ListServices", "ServiceSummaries",
    ),
    "app": (app_row, "resiliencehub", "DescribeApp", "app"),
    "volume": (volume_row, "ec2", "DescribeVolumes", "Volumes"),
    "subnet": (subnet_row, "ec2", "DescribeSubnets", "Subnets"),
    "database": (database_row, "rds", "DescribeDBInstances", "DBInstances"),
    "bucket": (bucket_row, "s3", "ListBuckets", "Buckets"),
    "load balancer": (
        load_balancer_row, "elbv2", "DescribeLoadBalancers", "LoadBalancers",
    ),
    "scaling group": (
        scaling_group_row, "autoscaling", "DescribeAutoScalingGroups", "AutoScalingGroups",
    ),
    "function": (function_row, "lambda", "ListFunctions", "Functions"),
}  # fmt: skip
"""Rows, and the member of the answer that they are made of."""


def least(shape: Shape) -> Any:
    """The least that fits a shape of botocore's model."""
    if isinstance(shape, StructureShape):
        return {name: least(shape.members[name]) for name in shape.required_members}
    if isinstance(shape, ListShape):
        return []
    if isinstance(shape, MapShape):
        return {}
    if isinstance(shape, StringShape):
        return shape.enum[0] if shape.enum else "x"
    return datetime(2024, 2, 29, tzinfo=UTC) if shape.type_name == "timestamp" else 1


@pytest.mark.parametrize("kind", ROWS)
def test_a_row_can_be_made_of_the_least_that_aws_promises(kind: str) -> None:
    make, service, operation, member = ROWS[kind]
    output = operation_model(service, operation).output_shape
    assert output
    shape = output.members[member]
    held = least(shape.member if isinstance(shape, ListShape) else shape)
    assert make(held).keys() == make.columns.keys()


# The log


def test_a_line_of_the_log_is_one_line() -> None:
    stream = io.StringIO()
    log_to(stream)
    log_event("INFO", "key a\n2026-01-01T00:00:00 ERROR forged \x1b[2J")
    log_to(stream, as_json=True)
    log_event("INFO", "a\nb", key="c\nd")
    text, machine = stream.getvalue().splitlines()
    assert "\\u000a2026" in text
    assert "\x1b" not in text
    assert json.loads(machine)["message"] == "a\nb"
