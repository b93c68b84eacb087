"""--tags: the hub decides which customer, product and so on each account belongs to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from observability.database.client import DBManager
from observability.log import log_event
from observability.settings.tags_file import products_of
from observability.settings.values import Target

COLUMNS = {
    "customer": "customer_name", "partner": "partner_name", "category": "category",
    "environment": "account_type",
}  # fmt: skip
"""By the name of a tag in the file, the column of `accounts` and of `account_tags`."""

AT_ONCE = 200
"""Accounts in a statement: their rows are locked until it ends, and documents wait for them."""

GIVEN_SQL = """
WITH given AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:tags AS jsonb)) AS r (
        account_id text, customer_name text, partner_name text, category text, account_type text,
        products text)),
gone AS (
    DELETE FROM account_tags t
    WHERE NOT EXISTS (SELECT FROM given g WHERE g.account_id = t.account_id)
    RETURNING 1),
changed AS (
    INSERT INTO account_tags AS t
        (account_id, customer_name, partner_name, category, account_type, products)
    SELECT * FROM given
    ON CONFLICT (account_id) DO UPDATE
    SET customer_name = excluded.customer_name, partner_name = excluded.partner_name,
        category = excluded.category, account_type = excluded.account_type,
        products = excluded.products, updated_at = now()
    WHERE (t.customer_name, t.partner_name, t.category, t.account_type, t.products)
        IS DISTINCT FROM (excluded.customer_name, excluded.partner_name, excluded.category,
                          excluded.account_type, excluded.products)
    RETURNING 1)
SELECT (SELECT count(*) FROM changed), (SELECT count(*) FROM gone)"""
"""Make account_tags what the file says: accounts that it lacks have no tags any more."""

TAKE_SQL = """
SELECT account_id, take_tags(account_id) FROM (
    SELECT DISTINCT CAST(account_id AS text) AS account_id FROM accounts
    WHERE account_id > CAST(:after AS text) ORDER BY 1 LIMIT :at_once) a ORDER BY 1"""


def give_tags(db: DBManager, targets: Iterable[Target]) -> tuple[int, int]:
    """Take over the tags of a file, whole; how many accounts have some, and how many changed.

    Documents that are loaded meanwhile or later go by the new ones. It may be repeated: where it
    was broken off, it goes on. UsageError where the schema is missing or too old.
    """
    db.catalogue()
    rows = [row for row in map(row_of, targets) if len(row) > 1]
    [[changed, gone]] = db.execute(GIVEN_SQL, {"tags": json.dumps(rows)})
    accounts = sum(1 for _, rows_changed in taken(db) if rows_changed)
    text = f"tags of {len(rows)} accounts: {changed} new or changed, {gone} no longer in the file"
    log_event("INFO", f"{text}; {accounts} accounts of the database changed", changed=accounts)
    return len(rows), accounts


def row_of(target: Target) -> Mapping[str, str]:
    """The row of an account in account_tags; nothing but its number if the hub says nothing."""
    tags = {column: target.tags[name] for name, column in COLUMNS.items() if name in target.tags}
    products = {"products": ",".join(named)} if (named := products_of(target)) else {}
    return {"account_id": target.account, **tags, **products}


def taken(db: DBManager) -> Iterator[tuple[str, int]]:
    """Put the tags in force, account by account; how many rows of each changed."""
    after = ""
    while part := db.execute(TAKE_SQL, {"after": after, "at_once": AT_ONCE}):
        yield from ((account, changed) for account, changed in part)
        after = part[-1][0]
