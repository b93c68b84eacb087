"""The list of accounts that there should be, which a run over several leaves in the bucket."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from observability.aws.errors import aws_errors
from observability.collecting.run import Run
from observability.collecting.spool import to_json
from observability.contract import DOCUMENT_FORMAT, accounts_key
from observability.rows import Row
from observability.sending.bucket import upload_to_s3, why_not_uploaded
from observability.sending.summary import RunSummary
from observability.settings.sender import ALL_REGIONS, Settings
from observability.settings.values import Target

ACTIVE = "ACTIVE"
LONGEST_REASON = 1000
"""Characters of a reason; the log has the whole."""


def upload_expected_accounts(
    run: Run,
    settings: Settings,
    targets: Sequence[Target],
    left: Mapping[str, str],
    summary: RunSummary,
) -> None:
    """Tell the receiver which accounts there are, and what became of each in this run.

    `left` says why accounts are not read. Only a plain run over an organization tells: one with
    --accounts, --only or --start is about less. One over some of its units is not `whole`: what
    it does not list may be elsewhere. What fails is a failure of the caller's account.
    """
    if not settings.organization or settings.dry_run or settings.only or settings.start:
        return
    named = [] if ALL_REGIONS in settings.regions else settings.regions
    rows = [account_of(target, summary, named) for target in targets]
    rows += [left_out(account, why) for account, why in left.items()]
    content = {
        "format": DOCUMENT_FORMAT,
        "collected_at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "account_id": run.caller.account,
        "whole": not (settings.include_ou or settings.exclude_ou),
        "accounts": sorted(rows, key=lambda row: str(row["account_id"])),
    }
    key = accounts_key(run.caller.account)
    try:
        upload_to_s3(run, settings, key, io.BytesIO(to_json(content)))
    except aws_errors() as error:
        failure = f"s3://{settings.bucket}/{key} is not uploaded: {why_not_uploaded(error)}"
        run.caller.log.say("ERROR", failure)
        summary.fail(run.caller.account, failure)


def account_of(target: Target, summary: RunSummary, named: Sequence[str]) -> Row:
    """An account that the run is over, and its regions; those that are `named` if it was closed."""
    reason = "; ".join(summary.problems.get(target.account, ()))[:LONGEST_REASON]
    return {
        "account_id": target.account,
        "account_name": target.listed.get("Name"),
        "state": ACTIVE,
        "failed": bool(reason),
        "reason": reason or None,
        "regions": sorted(summary.regions.get(target.account, named)),
    }


def left_out(account: str, why: str) -> Row:
    """An account that is not read, by AWS Organizations' state of it or as the settings say."""
    state = why.split(",", 1)[0].upper().replace(" ", "_")
    return {"account_id": account, "state": state, "failed": False, "reason": why}
