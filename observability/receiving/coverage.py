"""Which accounts there should be: the lists that senders leave under accounts/, and people's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from observability.contract import ACCOUNTS_PREFIX, DOCUMENT_FORMAT, accounts_key
from observability.database.client import DBManager
from observability.errors import DatabaseFault, Forbidden, Rejected, Transient
from observability.limits import MIB
from observability.receiving.bucket import Changed, S3Manager
from observability.receiving.files import File
from observability.receiving.gate import known_regions
from observability.receiving.result import FileResult, FileStatus, log_result
from observability.settings.values import ACCOUNT_ID, Target

LARGEST_LIST = 3 * MIB
"""Bytes: twice what the 10,000 accounts of AWS's largest quota take, and within one request."""
BY_HAND = "list"

EXPECT_SQL = """
WITH list AS MATERIALIZED (
    SELECT DISTINCT ON (account_id) r.* FROM jsonb_to_recordset(CAST(:accounts AS jsonb)) AS r(
        account_id text, account_name text, state text, failed boolean, reason text, regions jsonb)
    WHERE NOT EXISTS (SELECT FROM expected_accounts e WHERE e.listed_by = CAST(:listed_by AS text)
                      AND e.listed_at > CAST(:listed_at AS timestamptz) AND CAST(:whole AS boolean))
    ORDER BY account_id),
told AS (
    INSERT INTO expected_accounts AS e
        (account_id, account_name, state, failed, reason, listed_by, listed_at, regions)
    SELECT l.account_id, l.account_name, l.state, coalesce(l.failed, false), l.reason,
           CAST(:listed_by AS text), CAST(:listed_at AS timestamptz),
           (SELECT coalesce(jsonb_object_agg(r.name, CAST(:listed_at AS timestamptz)), '{}')
            FROM jsonb_array_elements_text(coalesce(l.regions, '[]')) AS r (name))
    FROM list l
    ON CONFLICT (account_id) DO UPDATE
    SET account_name = coalesce(excluded.account_name, e.account_name), state = excluded.state,
        failed = excluded.failed, reason = excluded.reason, listed_by = excluded.listed_by,
        listed_at = excluded.listed_at, gone_at = NULL,
        regions = (
            SELECT coalesce(jsonb_object_agg(n.key, coalesce(e.regions -> n.key, n.value)), '{}')
            FROM jsonb_each(excluded.regions) n)
    WHERE e.listed_at < excluded.listed_at
    RETURNING 1)
UPDATE expected_accounts e SET gone_at = CAST(:listed_at AS timestamptz)
WHERE CAST(:whole AS boolean)
  AND e.listed_by = CAST(:listed_by AS text) AND e.listed_at < CAST(:listed_at AS timestamptz)
  AND e.gone_at IS NULL AND e.account_id NOT IN (SELECT account_id FROM list)"""
"""A newer list of one origin replaces what it said before; what a whole one lacks has left.

Each region has the time since when it is listed.
"""


def load_expected_accounts(s3: S3Manager, db: DBManager) -> list[FileResult]:
    """Take over the lists in the bucket; a result for each that could not be read."""
    files = s3.list_files(ACCOUNTS_PREFIX)
    results = [result for file in files for result in load_list(s3, db, file)]
    for result in results:
        log_result(result)
    return results


def load_list(s3: S3Manager, db: DBManager, file: File) -> Iterator[FileResult]:
    """Take over one list; what went wrong with it, if anything."""
    try:
        if file.size > LARGEST_LIST:
            raise Rejected(f"it has {file.size} bytes, at most {LARGEST_LIST}")
        file, chunks = s3.open(file)
        listed_by, listed_at, whole, accounts = read_list(file, b"".join(chunks))
        expect(db, listed_by, min(listed_at, file.last_modified), accounts, whole=whole)
    except Changed:
        return  # the next sweep reads what has taken its place
    except Rejected as refused:
        yield FileResult(file.key, FileStatus.REJECTED, reasons=refused.reasons)
    except Transient as error:
        yield FileResult(file.key, FileStatus.DEFERRED, reasons=(str(error),))
    except (DatabaseFault, Forbidden) as error:
        yield FileResult(file.key, FileStatus.FAILED, reasons=(str(error),))


def read_list(file: File, body: bytes) -> tuple[str, datetime, bool, list[dict[str, Any]]]:
    """Who lists, when, whether all, and what; Rejected where it is no such list."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"not JSON: {error}") from None
    if not isinstance(content, dict) or content.get("format") != DOCUMENT_FORMAT:
        raise Rejected("it is no list of accounts in the format of this receiver")
    lister = str(content.get("account_id"))
    if file.key != accounts_key(lister):
        raise Rejected("its account_id is not the account in the key")
    try:
        listed_at = datetime.fromisoformat(str(content.get("collected_at"))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Rejected("collected_at is no time") from None
    accounts = content.get("accounts")
    if not isinstance(accounts, list) or not all(map(is_account, accounts)):
        must = "a list of objects, each with an account_id of 12 digits and a state"
        raise Rejected(f"accounts must be {must}; regions, a list of names")
    known = [row | {"regions": expectable(row)} for row in accounts]
    return lister, listed_at, content.get("whole") is True, known


def expectable(account: Mapping[str, Any]) -> list[str]:
    """The regions of an account that documents can be loaded from: a sender may know newer ones."""
    return sorted(known_regions().intersection(account.get("regions", ())))


def is_account(value: Any) -> bool:
    """Whether an entry of a list names an account and its state, in texts, and regions, if any."""
    if not isinstance(value, Mapping) or not ACCOUNT_ID.fullmatch(str(value.get("account_id"))):
        return False
    regions = value.get("regions", [])
    if not isinstance(regions, list) or not all(isinstance(name, str) for name in regions):
        return False
    texts = (value.get(name) for name in ("account_name", "state", "reason"))
    return isinstance(value.get("state"), str) and all(
        text is None or (isinstance(text, str) and "\x00" not in text) for text in texts
    )


def expect_targets(db: DBManager, targets: Iterable[Target]) -> None:
    """Take over a list that somebody gives by hand."""
    rows = [{"account_id": target.account, "state": "ACTIVE"} for target in targets]
    expect(db, BY_HAND, datetime.now(UTC), rows, whole=True)


def expect(
    db: DBManager,
    listed_by: str,
    listed_at: datetime,
    accounts: Iterable[Mapping[str, Any]],
    *,
    whole: bool,
) -> None:
    """Note the accounts that there should be; an older list than the one known changes nothing."""
    db.execute(
        EXPECT_SQL,
        {
            "accounts": json.dumps(list(accounts)),
            "listed_by": listed_by,
            "listed_at": listed_at.isoformat(),
            "whole": str(whole).lower(),
        },
    )
