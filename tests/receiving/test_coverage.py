"""Which accounts there should be, and how they deliver."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from observability.receiving.coverage import expect_targets, load_expected_accounts
from observability.receiving.notices import log_problems
from observability.receiving.result import FileStatus
from observability.settings.accounts_file import read_accounts_file
from tests.database.estates import BANK, HOME, OTHER, SHOP, load, quiet
from tests.documents import ACCOUNT as PAYER
from tests.warehouse import Warehouse

NEW, OLD = "777788889999", "888899990000"
NOW = datetime.now(UTC) - timedelta(minutes=1)
DELIVERY = "SELECT account_id, delivery, reason FROM account_overview ORDER BY account_id"


def account(account_id: str, state: str = "ACTIVE", reason: str | None = None) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "account_name": f"Name of {account_id}",
        "state": state,
        "failed": reason is not None,
        "reason": reason,
    }


def put(warehouse: Warehouse, body: object, lister: str = PAYER) -> list[Any]:
    """Put a list into the bucket and take it over."""
    text = body if isinstance(body, str) else json.dumps(body)
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=f"accounts/{lister}.json", Body=text)
    return load_expected_accounts(warehouse.receiver.s3, warehouse.receiver.db)


def listing(*accounts: dict[str, Any], at: datetime = NOW, **more: Any) -> dict[str, Any]:
    told = {"format": 1, "collected_at": at.isoformat(), "account_id": PAYER, "whole": True}
    return {**told, "accounts": list(accounts), **more}


def delivery(warehouse: Warehouse) -> dict[str, tuple[str, str | None]]:
    rows = warehouse.query(DELIVERY)
    return {row["account_id"]: (row["delivery"], row["reason"]) for row in rows}


def test_accounts_are_known_before_they_deliver_and_after_they_have_left(
    warehouse: Warehouse,
) -> None:
    load(warehouse, quiet(), quiet(account=BANK))
    denied = "AccessDenied: the role cannot be assumed"
    old = account(OLD, "SUSPENDED", "suspended")
    first = listing(account(SHOP), account(BANK), account(NEW, reason=denied), old)
    assert put(warehouse, first) == []
    assert delivery(warehouse) == {
        SHOP: ("complete", None), BANK: ("complete", None), NEW: ("never", denied),
    }  # fmt: skip
    fresh = warehouse.query(
        f"SELECT region, account_name FROM freshness WHERE account_id = '{NEW}'"
    )
    assert fresh == [{"region": None, "account_name": f"Name of {NEW}"}]
    later = listing(account(SHOP, "SUSPENDED"), account(NEW), at=NOW + timedelta(seconds=30))
    assert put(warehouse, later) == []
    assert delivery(warehouse) == {
        SHOP: ("suspended", None), BANK: ("closed", None), NEW: ("never", None),
    }  # fmt: skip


def test_a_region_that_never_delivered_is_known_and_told_after_two_days(
    warehouse: Warehouse, story: io.StringIO
) -> None:
    regions = [HOME, OTHER]
    put(
        warehouse,
        listing(
            account(SHOP) | {"regions": [*regions, "of-next-year-1"]},
            account(NEW) | {"regions": regions},
        ),
    )
    load(warehouse, quiet())
    missing = (
        "SELECT account_id, region FROM freshness WHERE last_document_at IS NULL ORDER BY 1, 2"
    )
    rows = [(row["account_id"], row["region"]) for row in warehouse.query(missing)]
    assert rows == [(SHOP, OTHER), (NEW, OTHER), (NEW, HOME)]
    assert delivery(warehouse) == {SHOP: ("complete", None), NEW: ("never", None)}
    shown = "SELECT regions FROM account_overview ORDER BY account_id"
    assert [row["regions"] for row in warehouse.query(shown)] == [HOME, None]

    def told() -> list[str]:
        log_problems(warehouse.receiver.db)
        return [
            line for line in story.getvalue().splitlines() if f" {NEW}" in line or OTHER in line
        ]

    assert told() == []
    warehouse.query(
        """UPDATE expected_accounts SET created_at = now() - interval '3 days', regions = (
            SELECT jsonb_object_agg(n, now() - interval '3 days') FROM jsonb_object_keys(regions) n)
        """,
        fetch=False,
    )
    put(warehouse, listing(account(SHOP) | {"regions": regions}, account(NEW),
                           at=NOW + timedelta(seconds=9)))  # fmt: skip
    never, stale = told()
    assert never.endswith(f"never delivered, though expected for two days: {NEW}")
    assert stale.endswith(f"from a region whose account delivers: {SHOP} {OTHER}")
    load(warehouse, quiet(region=OTHER))
    assert {row["account_id"] for row in warehouse.query(missing)} == {NEW}


def test_an_older_list_and_one_that_claims_the_future_change_nothing_for_later_ones(
    warehouse: Warehouse,
) -> None:
    put(warehouse, listing(account(NEW), at=NOW + timedelta(days=4000)))
    put(warehouse, listing(account(OLD), at=NOW - timedelta(days=1)))
    rows = "SELECT account_id, gone_at, listed_at <= now() AS known FROM expected_accounts"
    assert warehouse.query(rows) == [{"account_id": NEW, "gone_at": None, "known": True}]


def test_a_list_of_some_units_closes_no_account(warehouse: Warehouse) -> None:
    put(warehouse, listing(account(SHOP), account(NEW)))
    put(warehouse, listing(account(OLD), at=NOW + timedelta(seconds=9), whole=False))
    assert delivery(warehouse).keys() == {SHOP, NEW, OLD}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "no list of accounts"),
        (listing(account(NEW), format=2), "no list of accounts"),
        (listing(account(NEW), account_id=BANK), "not the account in the key"),
        (listing(account(NEW), collected_at="yesterday"), "collected_at is no time"),
        (listing(account("12345")), "account_id of 12 digits"),
        (listing(account("\uff11" * 12)), "account_id of 12 digits"),
        (listing(account(NEW, "ACTIVE\x00")), "account_id of 12 digits"),
        (listing(account(NEW) | {"state": None}), "account_id of 12 digits"),
        (listing() | {"accounts": {}}, "must be a list of objects"),
        (listing(account(NEW) | {"regions": [1]}), "regions, a list of names"),
        (listing(account(NEW) | {"regions": None}), "regions, a list of names"),
        ("[" * 100_000, "not JSON"),
        (" " * (3 << 20) + "{}", "at most"),
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_read_is_told_and_changes_nothing(
    warehouse: Warehouse, body: object, reason: str
) -> None:
    [result] = put(warehouse, body)
    assert result.status is FileStatus.REJECTED
    assert reason in result.reasons[0]
    assert warehouse.query("SELECT FROM expected_accounts") == []


def test_people_may_give_the_list(warehouse: Warehouse, tmp_path: Path) -> None:
    target = tmp_path / "accounts.csv"
    target.write_text(f"account_id\n{SHOP}\n{NEW}\n")
    expect_targets(warehouse.receiver.db, read_accounts_file(target))
    load(warehouse, quiet())
    assert delivery(warehouse) == {SHOP: ("complete", None), NEW: ("never", None)}
    target.write_text(f"account_id\n{SHOP}\n")
    expect_targets(warehouse.receiver.db, read_accounts_file(target))
    assert [*delivery(warehouse)] == [SHOP]


def test_what_has_left_is_not_silent(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    warehouse.query(f"""
        WITH a AS (INSERT INTO accounts (account_id, region)
                   VALUES ('{SHOP}', 'x'), ('{BANK}', 'x') RETURNING id)
        INSERT INTO documents (account_id, bucket, key, etag, size_bytes, last_modified, interval,
            period_start, period_end, collected_at, day_order, time_order)
        SELECT id, 'b', 'k', 'e', 1, now() - interval '3 days', 'DAILY', now(), now(), now(), '', ''
        FROM a""", fetch=False)  # fmt: skip
    put(warehouse, listing(account(SHOP)))
    put(warehouse, listing(account(BANK, "CLOSED"), account(SHOP), at=NOW + timedelta(seconds=9)))
    log_problems(warehouse.receiver.db)
    told = caplog.text
    assert SHOP in told
    assert BANK not in told
