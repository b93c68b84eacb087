"""security: findings, and the state of what protects the account, one file per service."""

from __future__ import annotations

from observability.collecting.result import CategoryResult
from observability.collecting.scan import Collect, Scan, run_parts
from observability.collectors.security.certificate_manager import get_certificate_security
from observability.collectors.security.cloudtrail import get_cloudtrail_security
from observability.collectors.security.guard_duty import get_guard_duty_security
from observability.collectors.security.inspector import get_inspector
from observability.collectors.security.kms import get_kms_security
from observability.collectors.security.secrets_manager import get_secrets_security
from observability.collectors.security.security_hub import SECURITY_HUB, get_security_hub
from observability.collectors.security.waf import get_waf_security


def get_security(scan: Scan, out: CategoryResult) -> None:
    """The parts of the security posture, at once; on past days those that carry dates.

    They are `get_security_hub`, `get_guard_duty_security`, `get_inspector`, `get_kms_security`,
    `get_waf_security`, `get_cloudtrail_security`, `get_secrets_security` and
    `get_certificate_security`.
    """
    run_parts(
        scan, out, SECURITY_EVENTS if scan.window.backfill else SECURITY_EVENTS | SECURITY_STATES
    )
    if scan.window.backfill:
        out.note(f"{', '.join(SECURITY_STATES)}: AWS does not tell what was there on a past day")


SECURITY_EVENTS: dict[str, Collect] = {
    SECURITY_HUB: get_security_hub,
    "guard_duty": get_guard_duty_security,
    "inspector": get_inspector,
}
SECURITY_STATES: dict[str, Collect] = {
    "kms": get_kms_security,
    "waf": get_waf_security,
    "cloudtrail": get_cloudtrail_security,
    "secrets_manager": get_secrets_security,
    "certificate_manager": get_certificate_security,
}

SECURITY_PARTS = (
    SECURITY_HUB, "guard_duty", "kms", "waf", "waf_rules", "cloudtrail", "secrets_manager",
    "certificate_manager", "inspector",
)  # fmt: skip
