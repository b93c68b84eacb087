"""All statements that documents are loaded with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from observability.database.catalogue import TableSchema
from observability.database.chunks import FORGET_CHUNKS_SQL, NOTHING_SQL, listed_sql, pass_sql
from observability.database.merge import Extent, merge_sql
from observability.database.shorter import insert_sql, note_sql, unchanged_sql, versions_sql
from observability.database.tables import Kind
from observability.loaders.account import (
    accounts_sql,
    accounts_unchanged_sql,
    products_sql,
    products_unchanged_sql,
    without_product_sql,
)
from observability.loaders.cost import PARTIAL_UPDATES, partial_update_sql
from observability.loaders.once import LOCK_ACCOUNT_SQL, ONCE, once_sql
from observability.loaders.security import RECOUNT_SQL, security_sql, security_unchanged_sql


def all_statements(schemas: Sequence[TableSchema]) -> list[str]:
    """Each that a document may need, for the tables as they are."""
    made = [sql for schema in schemas for sql in statements_of(schema)]
    made += [RECOUNT_SQL, LOCK_ACCOUNT_SQL, NOTHING_SQL, FORGET_CHUNKS_SQL]
    made += [sql for named in (True, False) for sql in without_product_sql(named=named)]
    return [*dict.fromkeys(made)]


def statements_of(schema: TableSchema) -> Iterator[str]:
    """Those of one table."""
    if schema.table.kind is Kind.OWNER:
        for complete in (True, False):
            yield from filter(None, owner_sql(schema, complete))
        return
    for extent in Extent:
        made = (
            merge_sql(schema, extent),
            unchanged_sql(schema, extent),
            insert_sql(schema, extent),
        )
        yield from filter(None, made)
        if schema.table.chunked and (noting := unchanged_sql(schema, extent, noting=True)):
            yield noting
    if schema.table.chunked:
        yield from (pass_sql(schema), listed_sql(schema), note_sql(schema))
    if sums := versions_sql(schema):
        yield sums
    if schema.table.name in ONCE:
        yield once_sql(schema)
    if schema.table.name == "product_accounts":
        yield from (products_sql(schema), products_unchanged_sql(schema))


@lru_cache(maxsize=64)
def owner_sql(schema: TableSchema, complete: bool) -> tuple[str, str]:
    """The statement of a table that others hang on, and its shorter way, if it has one."""
    name = schema.table.name
    if name == "accounts":
        return accounts_sql(schema, complete), accounts_unchanged_sql(schema) if complete else ""
    if name in PARTIAL_UPDATES:
        return partial_update_sql(schema), ""
    return security_sql(schema), security_unchanged_sql(schema)
