"""What a sweep tells of deliveries: each problem once as new, all of them counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from observability.log import LOGGER
from observability.receiving.notices import NAMED, log_problems
from tests import documents
from tests.documents import Document
from tests.warehouse import Warehouse

SHOP, BANK, NEW = "444455556666", "555566667777", "666677778888"


def sweep(warehouse: Warehouse, caplog: pytest.LogCaptureFixture) -> dict[str, int]:
    """The counts of a sweep's lines, without those that are 0."""
    caplog.clear()
    LOGGER.addHandler(caplog.handler)
    log_problems(warehouse.receiver.db)
    LOGGER.removeHandler(caplog.handler)
    found: dict[str, int] = {}
    for record in caplog.records:
        found |= record.__dict__.get("fields", {})
    return {name: count for name, count in found.items() if count and name != "account"}


def load(warehouse: Warehouse, account: str, region: str, age: int, **statuses: str) -> None:
    """Load a document that was collected and arrived so many days ago."""
    day = datetime.now(UTC).date() - timedelta(days=age + 1)
    made: Document = documents.document(day, account, region)
    at = datetime.now(UTC) - timedelta(days=age)
    made["meta"]["collected_at"] = made["logs"]["date_created"] = at.isoformat()
    made["logs"] |= statuses
    warehouse.load(made, documents.key(day, account, region))
    warehouse.query(
        f"UPDATE documents SET last_modified = now() - interval '{age} days' WHERE account_id IN"
        f" (SELECT id FROM accounts WHERE account_id = '{account}' AND region = '{region}')",
        fetch=False,
    )


def test_one_account_that_is_silent_does_not_hide_the_next(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    load(warehouse, SHOP, "us-east-1", 3)
    assert sweep(warehouse, caplog) == {"silent_accounts": 1, "new_problems": 1}
    assert sweep(warehouse, caplog) == {"silent_accounts": 1}
    load(warehouse, BANK, "us-east-1", 3)
    assert sweep(warehouse, caplog) == {"silent_accounts": 2, "new_problems": 1}
    load(warehouse, SHOP, "us-east-1", 0)
    assert sweep(warehouse, caplog) == {"silent_accounts": 1}
    warehouse.query("UPDATE documents SET last_modified = now() - interval '3 days'", fetch=False)
    assert sweep(warehouse, caplog) == {"silent_accounts": 2, "new_problems": 1}  # silent again


def test_a_region_that_is_stale_and_a_category_that_fails_are_told(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    load(warehouse, SHOP, "eu-west-1", 4)
    load(warehouse, SHOP, "us-east-1", 3, cost_status="Fail")
    load(warehouse, SHOP, "us-east-1", 0, cost_status="Fail")
    told = {"stale_regions": 1, "failing_categories": 1}
    assert sweep(warehouse, caplog) == told | {"new_problems": 2}
    assert f"{SHOP} eu-west-1" in caplog.text
    assert f"{SHOP} us-east-1 cost" in caplog.text
    load(warehouse, SHOP, "us-east-1", 0, cost_status="Fail")
    assert sweep(warehouse, caplog) == told


def test_an_account_that_never_delivered_is_told_after_two_days(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    warehouse.query(
        f"""INSERT INTO expected_accounts (account_id, state, listed_by, listed_at)
        VALUES ('{NEW}', 'ACTIVE', 'list', now()), ('{SHOP}', 'SUSPENDED', 'list', now())""",
        fetch=False,
    )
    assert sweep(warehouse, caplog) == {}
    warehouse.query(
        "UPDATE expected_accounts SET created_at = now() - interval '3 days'", fetch=False
    )
    assert sweep(warehouse, caplog) == {"never_delivered": 1, "new_problems": 1}


def test_a_line_names_so_many_and_counts_the_others(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    values = ", ".join(f"('{10**11 + n}', 'ACTIVE', 'list', now())" for n in range(NAMED + 7))
    warehouse.query(
        "INSERT INTO expected_accounts (account_id, state, listed_by, listed_at) VALUES " + values,
        fetch=False,
    )
    warehouse.query(
        "UPDATE expected_accounts SET created_at = now() - interval '3 days'", fetch=False
    )
    assert sweep(warehouse, caplog)["never_delivered"] == NAMED + 7
    assert ", and 7 more" in caplog.text


def test_one_account_of_which_all_is_wrong_hides_no_other_one(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    for account in (SHOP, BANK, NEW):
        load(warehouse, account, "us-east-1", 40 if account == BANK else 0)
    many = [f"region-{n:02}" for n in range(NAMED + 7)]
    warehouse.query(
        "INSERT INTO expected_accounts (account_id, state, listed_by, listed_at, regions)"
        " SELECT account_id, 'ACTIVE', 'list', now(), (SELECT jsonb_object_agg(r, '2026-01-01')"
        f" FROM unnest(CASE account_id WHEN '{SHOP}' THEN ARRAY{many} ELSE ARRAY['other'] END) r)"
        " FROM accounts",
        fetch=False,
    )
    # However long ago: who is on the list has not gone.
    told = sweep(warehouse, caplog)
    assert told == {"silent_accounts": 1, "stale_regions": NAMED + 8, "new_problems": NAMED + 9}
    assert f"{NEW} other" in caplog.text
