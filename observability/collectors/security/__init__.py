"""security: findings, and the state of what protects the account, one file per service."""

from __future__ import annotations

from observability.collecting.collector import EVENT, REGIONAL, Collector
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan, run_parts
from observability.collectors.security import (
    certificate_manager,
    cloudtrail,
    guard_duty,
    inspector,
    kms,
    secrets_manager,
    security_hub,
    waf,
)

PARTS = (
    security_hub.PART,
    guard_duty.PART,
    kms.PART,
    waf.PART,
    cloudtrail.PART,
    secrets_manager.PART,
    certificate_manager.PART,
    inspector.PART,
)
"""In the order of the document."""


def get_security(scan: Scan, result: CategoryResult) -> None:
    """Findings, vulnerabilities, keys, web ACLs, trails, secrets and certificates.

    Each is a part of its own; all are read at once, on past days those that carry dates.
    """
    past = scan.window.backfill
    read = [part for part in PARTS if not (past and part.is_now)]
    lists = {part.name: part.lists for part in read}
    result.lists = tuple(name for names in lists.values() for name in names)
    run_parts(scan, result, {part.name: part.collect for part in read}, lists)
    if past:
        left_out = ", ".join(part.name for part in PARTS if part.is_now)
        result.note(f"{left_out}: AWS does not tell what was there on a past day")


COLLECTOR = Collector(
    category="security",
    collect=get_security,
    scope=REGIONAL,
    backfill=EVENT,
    essential=True,
    parts=PARTS,
    lists=tuple(name for part in PARTS for name in part.lists),
    actions=tuple(action for part in PARTS for action in part.actions),
    probes=tuple(probe for part in PARTS for probe in part.probes),
    resources={action: named for part in PARTS for action, named in part.resources.items()},
    expected_errors=tuple(error for part in PARTS for error in part.expected_errors),
)
