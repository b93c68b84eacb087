"""Columns, types and keys as the database has them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from observability.database.tables import Table
from observability.errors import UsageError

OTHER_TABLES = ("products", "documents", "listings")
FUNCTION = "run_steps()"

CATALOGUE_SQL = """
SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
       a.attnotnull AND NOT a.atthasdef, NOT a.attnotnull, coalesce(k.position, 0),
       coalesce((SELECT string_agg(e.enumlabel::text, ',' ORDER BY e.enumsortorder)
                 FROM pg_enum e WHERE e.enumtypid = a.atttypid), '')
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN (SELECT i.indrelid, g.position, pg_get_indexdef(i.indexrelid, g.position, true) AS part
           FROM pg_index i
           JOIN pg_class x ON x.oid = i.indexrelid AND i.indisunique
           JOIN pg_class y ON y.oid = i.indrelid AND x.relname = y.relname || '_key'
           CROSS JOIN LATERAL generate_series(1, i.indnkeyatts::integer) AS g (position)
          ) k ON k.indrelid = c.oid AND (k.part = quote_ident(a.attname)
              OR starts_with(k.part, 'COALESCE(' || quote_ident(a.attname) || ','))
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
UNION ALL
SELECT proname || '()', '', '', false, false, 0, '' FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND proname = 'run_steps'
ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Column:
    name: str
    type: str  # as PostgreSQL writes it, ready for a cast
    required: bool
    nullable: bool
    key_position: int  # in the natural key, from 1; 0: not part of it
    labels: tuple[str, ...]  # of an enumeration


MANAGED = {"id", "account_id", "document_id", "gone_at", "created_at", "updated_at"}


@dataclass(frozen=True, eq=False)
class TableSchema:
    """A table with its columns: what a document may fill, and what rows are found by."""

    table: Table
    columns: Mapping[str, Column]
    fields: Mapping[str, Column]  # of an incoming row: the data columns, parent's key for its id
    found_by: Mapping[str, Column]  # the parent's key

    @classmethod
    def of(cls, table: Table, catalogue: Mapping[str, Mapping[str, Column]]) -> TableSchema:
        columns = catalogue[table.stored_in or table.name]
        managed = MANAGED - set(table.aws_times) | set(table.ours)
        fields = {name: c for name, c in columns.items() if name not in managed}
        if table.fields:
            fields = {name: columns[name] for name in table.fields}
        found_by: dict[str, Column] = {}
        if table.parent:
            fields.pop(table.parent.column)
            theirs = catalogue[table.parent.table]
            found_by = {f: theirs[column] for f, column in table.parent.fields.items()}
        return cls(table, columns, found_by | fields, found_by)

    @property
    def data(self) -> list[str]:
        """Columns that a document decides, the parent's id among them."""
        parent = self.table.parent.column if self.table.parent else None
        return [c for c in self.columns if c in self.fields and c != parent] + (
            [parent] if parent else []
        )

    @property
    def key(self) -> list[str]:
        """The natural key, in its index's order."""
        keyed = sorted((c.key_position, n) for n, c in self.columns.items() if c.key_position)
        return [name for _, name in keyed]

    @property
    def stamped(self) -> bool:
        """Whether updated_at is ours: when the row last changed."""
        return "updated_at" in self.columns and "updated_at" not in self.table.aws_times

    def key_of(self, alias: str) -> list[str]:
        """The natural key of a row as its index has it: no value counts as an empty text."""
        key = [(f'{alias}"{c}"', self.columns[c].nullable) for c in self.key]
        return [f"(coalesce({column}, ''))" if nullable else column for column, nullable in key]

    @property
    def owner(self) -> list[str]:
        """account_id, where the table has it: parts of a report or log have their parent only."""
        return ["account_id"] if "account_id" in self.columns else []


Catalogue = Mapping[str, Mapping[str, Column]]


def read_catalogue(records: Iterable[Sequence[Any]], tables: Collection[str]) -> Catalogue:
    """Group the rows of CATALOGUE_SQL by table.

    UsageError where the schema lacks one of `tables`, which have a document_id, or what is beside
    them: then it is too old.
    """
    catalogue: dict[str, dict[str, Column]] = {}
    for table, name, type_, required, nullable, position, labels in records:
        known = tuple(filter(None, labels.split(",")))
        column = Column(name, type_, required, nullable, position, known)
        catalogue.setdefault(table, {})[name] = column
    if catalogue.keys().isdisjoint(tables):
        raise UsageError("the database has no schema: run receiver.py --init-schema")
    missing = [name for name in (*tables, *OTHER_TABLES, FUNCTION) if name not in catalogue]
    missing += [
        f"{name}.document_id"
        for name in tables
        if name in catalogue and "document_id" not in catalogue[name]
    ]
    if missing:
        raise UsageError(f"the database lacks {', '.join(missing)}: run receiver.py --init-schema")
    return catalogue
