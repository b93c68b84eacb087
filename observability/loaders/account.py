"""account: rows of accounts, contact_info, alternate_contacts, products, product_accounts."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from observability.database.catalogue import TableSchema
from observability.database.changes import INSERT_SQL, changed_values, values_told
from observability.database.incoming import names, rows_of
from observability.database.merge import listed_cte
from observability.database.statement import ACCOUNT, DOCUMENT, NONE, NOTHING_DUE, ROWS, own_order
from observability.database.tables import Kind, Parent, Table, snapshot
from observability.loaders.loader import Loader
from observability.loaders.rows import Complete, Fault, Loaded, Parts, Row
from observability.product_names import flaw_of, plain_name


def incoming(schema: TableSchema) -> str:
    """The document's row, in which tags of the hub stand before those of the document.

    What the document says of them is kept beside: it is in force again where the hub says nothing.
    """
    other = (f'i."{c}"' for c in schema.fields if c not in TAGS)
    tags = (f'coalesce(h."{c}", i."{c}") AS "{c}"' for c in TAGS)
    told = ", ".join(f"'{c}', i.\"{c}\"" for c in TAGS)
    return f"""(SELECT {", ".join((*other, *tags))}, jsonb_build_object({told}) AS document_tags
    FROM {rows_of(schema.fields)} i JOIN accounts a ON a.id = {ACCOUNT}
    LEFT JOIN account_tags h ON h.account_id = a.account_id)"""


def accounts_sql(schema: TableSchema, complete: bool) -> str:
    """Give the account's row what this document knows of it, but for what the hub decides.

    A document whose account category passed beats any that did not; of two alike, the newer. As
    one that did not pass is in no listing, the row remembers the newest of them, also unchanged.
    """
    data, order = schema.data, schema.table.order
    stated = f"""{INSERT_SQL}
    SELECT w.id, {DOCUMENT}, 'accounts', w.id, '{{}}', 'updated', w.old_values, w.new_values
    FROM written w
    WHERE w.changed AND w.is_known"""
    differs = f"({names(data, 'o.')}) IS DISTINCT FROM ({names(data, 'r.')})"
    moves = f"({differs} OR o.document_tags IS DISTINCT FROM r.document_tags)"
    own, listing = (
        own_order(schema.table),
        f"""SELECT FROM listings l
        WHERE l.account_id = {ACCOUNT} AND l.table_name = 'accounts' AND l.scope = ''""",
    )
    if complete:
        decides = f"NOT EXISTS ({listing} AND l.sort_key > {own}) AND {moves}"
    else:
        decides = f"""NOT EXISTS ({listing}) AND {own} >
        (SELECT d.{order} FROM documents d WHERE d.id = o.document_id)"""
    listed = f", {listed_cte(schema.table)}" if complete else ""
    return f"""WITH due AS (
    SELECT r.*, o.id, {differs} AS changed, o.updated_at AS was_updated_at,
           {values_told("accounts", "d")}, EXISTS ({listing}) AS is_known
    FROM {incoming(schema)} r JOIN accounts o ON o.id = {ACCOUNT}
    CROSS JOIN LATERAL {changed_values(data, "o", "r")} d
    WHERE o.document_id IS NULL OR ({decides})),
written AS (
    UPDATE accounts t SET {", ".join(f'"{c}" = r."{c}"' for c in data)},
           document_id = {DOCUMENT}, document_tags = r.document_tags,
           updated_at = CASE WHEN r.changed THEN now() ELSE r.was_updated_at END
    FROM due r WHERE t.id = r.id
    RETURNING t.id, r.changed, r.old_values, r.new_values, r.is_known),
told AS (
    {stated}){listed}
SELECT count(*) - (SELECT count(DISTINCT id) FROM due), count(*) FILTER (WHERE changed), {NONE}
FROM written"""


def accounts_unchanged_sql(schema: TableSchema) -> str:
    """Answer if the account's row is what a complete document knows of it (`run_steps`)."""
    data = schema.data
    return f"""SELECT {NONE}, {own_order(schema.table)}, ARRAY['']
FROM {incoming(schema)} r JOIN accounts o ON o.id = {ACCOUNT}
WHERE jsonb_array_length({ROWS}) = 1 AND o.document_id IS NOT NULL
  AND o.document_tags IS NOT DISTINCT FROM r.document_tags
  AND ({names(data, "o.")}) IS NOT DISTINCT FROM ({names(data, "r.")})"""


DECIDED = """FROM documents d JOIN accounts a ON a.id = d.account_id
        WHERE d.id = {0}.document_id
          AND (a.account_id, {0}.name COLLATE "C") <= (this.account_id, {1} COLLATE "C")"""
"""The document that decides how a product is written, if it is not this one."""


def due_products(schema: TableSchema) -> str:
    """The products that there are not yet, or that this document's account decides."""
    return f"""WITH this AS (SELECT a.account_id FROM accounts a WHERE a.id = {ACCOUNT}),
named AS (
    SELECT DISTINCT ON (lower(r.name)) r.name
    FROM {rows_of(schema.fields)} r
    ORDER BY lower(r.name), r.name COLLATE "C"),
due AS (
    SELECT n.name FROM named n CROSS JOIN this
    WHERE NOT EXISTS (
        SELECT FROM products p WHERE key_text(lower(p.name)) = key_text(lower(n.name))
          AND (p.document_id IS NULL OR EXISTS (SELECT {DECIDED.format("p", "n.name")}))))"""


@lru_cache(maxsize=64)
def products_unchanged_sql(schema: TableSchema) -> str:
    """Answer if no product is to be made or written otherwise (`run_steps`)."""
    return f"{due_products(schema)}\n{NOTHING_DUE}"


@lru_cache(maxsize=64)
def products_sql(schema: TableSchema) -> str:
    """Make the products that there are not yet, each with a document of the account that decides.

    Names that differ in case only are one product. Of the accounts that name it, the one whose id
    sorts first decides how it is written, and of its spellings the one that sorts first: the same
    whatever the order of loading. A product that people or the hub made keeps their spelling.
    """
    return f"""{due_products(schema)},
written AS (
    INSERT INTO products (name, document_id) SELECT n.name, {DOCUMENT} FROM due n
    ON CONFLICT (key_text(lower(name))) DO UPDATE
    SET name = excluded.name, document_id = excluded.document_id, updated_at = now()
    WHERE products.document_id IS NOT NULL AND EXISTS (
        SELECT FROM this WHERE NOT EXISTS (SELECT {DECIDED.format("products", "excluded.name")}))
    RETURNING xmax = 0 AS created)
SELECT count(*) FILTER (WHERE created), count(*) FILTER (WHERE NOT created), {NONE}
FROM written"""


@lru_cache(maxsize=64)
def without_product_sql(*, named: bool) -> tuple[str, str]:
    """Two statements: make the product None, and link the account to it while it has no other.

    So the link follows from the others, those that people made among them, whatever the order of
    loading; no document lists it. The product is there once a document has not `named` any.
    """
    none = "SELECT p.id FROM products p WHERE key_text(lower(p.name)) = 'none'"
    lone = f"NOT EXISTS (SELECT FROM product_accounts l WHERE l.account_id = {ACCOUNT})"
    made = f"""WITH made AS (
    INSERT INTO products (name) SELECT '{UNSET}'
    WHERE {not named} AND NOT EXISTS ({none})
    ON CONFLICT (key_text(lower(name))) DO NOTHING RETURNING id)
SELECT count(*), {NONE}, {NONE} FROM made"""
    linked = f"""WITH due AS (
    SELECT p.id AS product_id, {ACCOUNT}, {DOCUMENT} FROM ({none}) p WHERE {lone}),
linked AS (
    INSERT INTO product_accounts (product_id, account_id, document_id) SELECT * FROM due
    RETURNING id),
lapsed AS (
    SELECT t.id FROM product_accounts t
    WHERE t.account_id = {ACCOUNT} AND t.product_id IN ({none})
      AND EXISTS (SELECT FROM product_accounts l
                  WHERE l.account_id = t.account_id AND l.product_id <> t.product_id)),
ended AS (DELETE FROM product_accounts t USING lapsed o WHERE t.id = o.id RETURNING t.id),
done AS (
    SELECT (SELECT count(*) FROM linked) AS linked, (SELECT count(*) FROM ended) AS ended,
           (SELECT count(*) FROM due) + (SELECT count(*) FROM lapsed) AS due)
SELECT CASE WHEN linked + ended < due THEN linked + ended - due ELSE linked END, {NONE}, ended
FROM done"""
    return made, linked


# The first two are the S3 key's to say; the others have tables of their own.
ACCOUNT_ELSEWHERE = {"account_id", "region", "product", "contact_info", "alternate_contacts"}
TAGS = ("partner_name", "customer_name", "category", "account_type")
UNSET = "None"
"""What is not set, so that dashboards have something to filter by; also a product's name."""
ALTERNATE_NAMES = {"full_name": "name", "phone_number": "phone"}


def load_account_data(parts: Parts) -> Loaded:
    """accounts, contact_info, alternate_contacts, and product_accounts by product name."""
    for part in parts:
        account = part.value
        own = {k: v for k, v in account.items() if k not in ACCOUNT_ELSEWHERE}
        tags = {name: own.get(name) or UNSET for name in TAGS}
        yield Row("accounts", part.where, {**own, **tags})
        if account.get("contact_info"):
            yield Row("contact_info", f"{part.where}.contact_info", account["contact_info"])
        if "contact_info" in account:
            yield Complete("contact_info")
        if account.get("alternate_contacts") is not None:
            yield Complete("alternate_contacts")
            contacts = account["alternate_contacts"]
            yield from alternate_contacts(contacts, f"{part.where}.alternate_contacts")
        if "product" in account:
            yield Complete("product_accounts")
            yield from products(account["product"], f"{part.where}.product")


def products(product: Any, where: str) -> Loaded:
    """A row for each product; a name that could be taken for another one is wrong."""
    for named in product_names(product):
        name = named.get("name") if isinstance(named, dict) else None
        if isinstance(name, str) and (flaw := flaw_of(name)):
            yield Fault("product_accounts", f"{where}: {name!r} {flaw}")
        else:
            yield Row("product_accounts", where, named)


def alternate_contacts(contacts: Any, where: str) -> Loaded:
    if not isinstance(contacts, dict):
        yield Row("alternate_contacts", where, contacts)
        return
    for kind, contact in contacts.items():
        if isinstance(contact, dict):
            renamed = {ours: contact.get(theirs) for ours, theirs in ALTERNATE_NAMES.items()}
            rest = {k: v for k, v in contact.items() if k not in ALTERNATE_NAMES.values()}
            contact = contact and {"contact_type": kind, **renamed, **rest}
        if contact:
            yield Row("alternate_contacts", f"{where}.{kind}", contact)


def product_names(product: Any) -> list[Any]:
    """'A, B', ['A', 'B'] or [{'name': 'A'}, 'B'] are two rows; 'None' and '' name no product."""
    listed = product.split(",") if isinstance(product, str) else product
    rows = map(product_row, listed if isinstance(listed, list) else [listed])
    return [row for row in rows if row is not None]


def product_row(named: Any) -> Any:
    """A product's row with the name as it is kept; None if it names no product."""
    row = {"name": named} if isinstance(named, str) else named
    if not isinstance(row, dict) or not isinstance(row.get("name"), str):
        return row
    name = plain_name(row["name"])
    return {**row, "name": name} if name.lower() not in ("", "none") else None


LOADER = Loader(
    category="account",
    function=load_account_data,
    rows=("account",),
    tables=(
        Table("accounts", Kind.OWNER, by_day=True, ours=("region", "csp", "document_tags")),
        snapshot("contact_info", path="account.contact_info"),
        snapshot("alternate_contacts", path="account.alternate_contacts"),
        Table(
            "product_accounts",
            Kind.PERIOD,
            path="account.product",
            parent=Parent("products", "product_id", {"name": "name"}, by_name=True),
            by_day=True,
            late=True,
            ours=("from_tags",),
            derived="t.product_id IN"
            " (SELECT id FROM products WHERE key_text(lower(name)) = 'none')",
        ),
    ),
)
