"""Findings, compliance and hygiene, as views tell them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.database.estates import (
    BANK,
    HOME,
    OTHER,
    SHOP,
    YESTERDAY,
    Row,
    ago,
    full,
    load,
    quiet,
    view,
)
from tests.security_documents import finding
from tests.warehouse import Warehouse


def hub(*found: Row) -> Row:
    return {"service": "Security Hub", "findings": list(found)}


def hub_finding(name: str, severity: str = "HIGH", **more: Any) -> Row:
    recent = {"created_at": ago(10.5), "updated_at": ago(2)}
    return finding(SHOP, HOME, name, severity, **recent | more)


def test_open_findings_of_three_services_on_one_scale(warehouse: Warehouse) -> None:
    threat = full("security.guard_duty", region=HOME) | {"created_at": ago(3), "updated_at": ago(1)}
    hole = full("security.inspector", region=HOME) | {"first_observed_at": ago(30.2)}
    made = quiet()
    made["security"] |= {
        "security_hub": [
            hub(
                hub_finding("open", "critical"),
                hub_finding("notified", "LOW", status="NOTIFIED"),
                hub_finding("no status", "INFORMATIONAL", status=None, record_state=None),
                hub_finding("resolved", status="RESOLVED"),
                hub_finding("suppressed", status="SUPPRESSED"),
                hub_finding("archived", record_state="ARCHIVED"),
                hub_finding("deleted by AWS", updated_at=ago(91)),
            )
        ],
        "guard_duty": [
            threat | {"id": f"g{severity}", "severity": severity}
            for severity in (9, 8.9, 7, 6.9, 4, 1, None)
        ]
        + [threat | {"id": "archived", "archived": True}],
        "inspector": [
            hole,
            hole | {"finding_arn": "untriaged", "severity": "UNTRIAGED", "fix_available": None},
            hole | {"finding_arn": "closed", "status": "CLOSED"},
            hole | {"finding_arn": "suppressed", "status": "SUPPRESSED"},
        ],
    }
    load(warehouse, made)
    columns = "source, severity_level, severity, age_days, fix_available"
    names = "split_part(finding_id, '/', -1) AS name"
    found = warehouse.query(f"SELECT {columns}, {names} FROM open_findings")
    assert {row.pop("name"): tuple(row.values()) for row in found} == {
        "open": ("Security Hub", 5, "CRITICAL", 10, None),
        "notified": ("Security Hub", 2, "LOW", 10, None),
        "no status": ("Security Hub", 1, "INFORMATIONAL", 10, None),
        "g9": ("GuardDuty", 5, "CRITICAL", 3, None),
        "g8.9": ("GuardDuty", 4, "HIGH", 3, None),
        "g7": ("GuardDuty", 4, "HIGH", 3, None),
        "g6.9": ("GuardDuty", 3, "MEDIUM", 3, None),
        "g4": ("GuardDuty", 3, "MEDIUM", 3, None),
        "g1": ("GuardDuty", 2, "LOW", 3, None),
        "gNone": ("GuardDuty", None, None, 3, None),
        "1": ("Inspector", 4, "HIGH", 30, "YES"),
        "untriaged": ("Inspector", None, None, 30, None),
    }


def test_a_finding_and_its_copy_in_security_hub_count_once(warehouse: Warehouse) -> None:
    """GuardDuty and Inspector send theirs to Security Hub, where people may settle them."""
    threat = full("security.guard_duty", region=HOME) | {"updated_at": ago(1)}
    hole = full("security.inspector", region=HOME)
    copies = {
        name: hub_finding(name) | {"finding_id": arn}
        for name, arn in {
            "threat": f"arn:aws:guardduty:{HOME}:{SHOP}:detector/det-1/finding/gd-1",
            "settled threat": f"arn:aws:guardduty:{HOME}:{SHOP}:detector/det-1/finding/gd-2",
            "hole": hole["finding_arn"],
            "settled hole": "arn:aws:inspector2:settled",
            "hole that only the hub knows": "arn:aws:inspector2:unknown",
        }.items()
    }
    copies["settled threat"]["status"] = "SUPPRESSED"
    copies["settled hole"]["status"] = "RESOLVED"
    made, elsewhere = quiet(), quiet(account=BANK)
    made["security"] |= {
        "security_hub": [hub(*copies.values())],
        "guard_duty": [threat, threat | {"id": "gd-2"}],
        "inspector": [hole, hole | {"finding_arn": "arn:aws:inspector2:settled"}],
    }
    elsewhere["security"]["guard_duty"] = [threat]
    load(warehouse, made, elsewhere)
    assert view(warehouse, "open_findings", "account_id, source, finding_id") == [
        (SHOP, "GuardDuty", "gd-1"),
        (SHOP, "Inspector", hole["finding_arn"]),
        (SHOP, "Security Hub", "arn:aws:inspector2:unknown"),
        (BANK, "GuardDuty", "gd-1"),
    ]


def test_compliance_by_day_account_and_region(warehouse: Warehouse) -> None:
    before, here, there = quiet(YESTERDAY - timedelta(days=1)), quiet(), quiet(region=OTHER)
    before["config"]["compliance_score"] = 50
    here["config"]["compliance_score"] = None
    load(warehouse, before, here, there)
    assert view(warehouse, "daily_compliance", "day, region, compliance_score") == [
        (YESTERDAY - timedelta(days=1), HOME, Decimal(50)),
        (YESTERDAY, OTHER, Decimal("66.67")),
        (YESTERDAY, HOME, None),
    ]
    counts = "total_rules, compliant_rules, non_compliant_rules, compliant_resources"
    assert view(
        warehouse, "daily_compliance", f"{counts}, non_compliant_resources", f"region = '{OTHER}'"
    ) == [(3, 2, 1, 10, 2)]


def test_the_rules_that_resources_break_now(warehouse: Warehouse) -> None:
    broken = full("config.non_compliant_resources")
    gone = broken | {"resource_id": "gone"}
    both_modes = [broken, broken | {"evaluation_mode": "PROACTIVE", "conformance_pack": "more"}]
    before, after = quiet(YESTERDAY - timedelta(days=1)), quiet()
    before["config"]["non_compliant_resources"] = [gone, gone | {"rule_name": "mended"}]
    after["config"]["non_compliant_resources"] = [*both_modes, broken | {"resource_id": "photos"}]
    load(warehouse, before, after)
    assert view(
        warehouse,
        "non_compliant_rules",
        "account_id, region, rule_name, conformance_packs, non_compliant_resources",
    ) == [(SHOP, HOME, "s3-bucket-ssl", "basics, more", 2)]


def hygiene(warehouse: Warehouse, columns: str = "resource_id") -> list[Any]:
    return view(warehouse, "security_hygiene", f"problem, {columns}")


def test_keys_and_secrets_that_do_not_rotate(warehouse: Warehouse) -> None:
    key = full("security.kms") | {"key_state": "Enabled", "deletion_date": None, "arn": None}
    secret = full("security.secrets_manager")
    before, made = quiet(YESTERDAY - timedelta(days=1)), quiet()
    for each in (before, made):  # a trail, as an account without one is a problem, too
        each["security"]["cloudtrail"] = [full("security.cloudtrail")]
    before["security"]["kms"] = [key | {"key_id": "gone"}]
    made["security"]["kms"] = [
        key | {"key_id": "fixed"},
        key | {"key_id": "other producer", "key_manager": None, "enabled": None},
        key | {"key_id": "rotates", "key_rotation_enabled": True},
        key | {"key_id": "not known", "key_rotation_enabled": None},
        key | {"key_id": "off", "enabled": False},
        key | {"key_id": "of AWS", "key_manager": "AWS"},
    ]
    made["security"]["secrets_manager"] = [
        secret | {"arn": "fixed", "rotation_enabled": False, "deleted_date": None},
        secret | {"arn": "rotates"},
        secret | {"arn": "not known", "rotation_enabled": None},
        secret | {"arn": "deleted", "rotation_enabled": False, "deleted_date": ago(1)},
    ]
    load(warehouse, before, made)
    assert hygiene(warehouse) == [
        ("key without rotation", "fixed"),
        ("key without rotation", "other producer"),
        ("secret without rotation", "fixed"),
    ]


def test_trails_and_web_acls_that_do_not_log(warehouse: Warehouse) -> None:
    """A trail of several regions, or an ACL of CloudFront, may be told by each region."""
    trail, acl = full("security.cloudtrail", region=HOME), full("security.waf", region=HOME)
    here, there = quiet(), quiet(region=OTHER)
    for each in (here, there):
        each["security"]["cloudtrail"] = [
            trail | {"arn": "off", "is_logging": False},
            trail | {"arn": "not known", "is_logging": None},
        ]
        each["security"]["waf"] = [acl | {"arn": "edge", "logging_enabled": False}]
    here["security"]["cloudtrail"].append(trail)
    here["security"]["waf"] += [acl, acl | {"arn": "not known", "logging_enabled": None}]
    load(warehouse, here, there)
    assert hygiene(warehouse) == [
        ("trail that does not log", "off"),
        ("web ACL without logs", "edge"),
    ]


def test_an_account_without_a_trail_that_logs(warehouse: Warehouse) -> None:
    """Known of accounts whose trails could be listed only; one trail in any region is enough."""
    trail = full("security.cloudtrail")
    bare, covered, denied = quiet(), quiet(account=BANK), quiet(account="777788889999")
    bare["security"]["cloudtrail"] = [trail | {"arn": "off", "is_logging": False}]
    elsewhere = quiet(account=BANK, region=OTHER)
    elsewhere["security"]["cloudtrail"] = [trail]
    denied["logs"]["security_status"] = "Fail"
    load(warehouse, bare, covered, elsewhere, denied)
    problem = "account without a trail that logs"
    assert view(
        warehouse, "security_hygiene", "account_id, account_name, region", f"problem = '{problem}'"
    ) == [(SHOP, f"Name of {SHOP}", None)]


def test_public_certificates_in_use_that_expire(warehouse: Warehouse) -> None:
    held = full("security.certificate_manager")
    before, made = quiet(YESTERDAY - timedelta(days=1)), quiet()
    for each in (before, made):
        each["security"]["cloudtrail"] = [full("security.cloudtrail")]
    before["security"]["certificate_manager"] = [held | {"arn": "gone", "not_after": ago(-2)}]
    made["security"]["certificate_manager"] = [
        held | {"arn": "soon", "not_after": ago(-29)},
        held | {"arn": "imported", "not_after": ago(-1), "type": "IMPORTED"},
        held | {"arn": "of another producer", "not_after": ago(-1), "in_use": None, "type": None},
        held | {"arn": "over", "not_after": ago(1)},
        held | {"arn": "expired", "not_after": ago(9), "status": "EXPIRED"},
        held | {"arn": "later", "not_after": ago(-31)},
        held | {"arn": "private", "not_after": ago(-1), "type": "PRIVATE"},
        held | {"arn": "unused", "not_after": ago(9), "in_use": False},
        held | {"arn": "pending", "not_after": None, "status": "PENDING_VALIDATION"},
    ]
    load(warehouse, before, made)
    soon, over = "certificate in use that expires soon", "expired certificate in use"
    assert hygiene(warehouse) == [
        (soon, "imported"),
        (soon, "of another producer"),
        (soon, "soon"),
        (over, "expired"),
        (over, "over"),
    ]
