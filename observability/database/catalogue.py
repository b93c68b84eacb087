"""The columns that schema.sql names, with the types that the database gives them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from observability.database.schema import VERSION_FUNCTION, OwnColumn, Schema, own_schema
from observability.database.tables import Table
from observability.errors import UsageError
from observability.log import shortened

CATALOGUE_SQL = """
WITH own AS (SELECT * FROM jsonb_to_recordset(CAST(:own AS jsonb)) AS own (t text, c text))
SELECT json_agg(json_build_array(t, c, type, labels))::text FROM (
    SELECT own.t, own.c, format_type(a.atttypid, CASE
               WHEN a.atttypid IN ('varchar'::regtype, 'bpchar'::regtype) THEN -1
               ELSE a.atttypmod END) AS type,
           coalesce((SELECT string_agg(e.enumlabel::text, ',' ORDER BY e.enumsortorder)
                     FROM pg_enum e WHERE e.enumtypid = a.atttypid), '') AS labels
    FROM own
    JOIN pg_class c ON c.relname = own.t AND c.relkind IN ('r', 'p')
                   AND c.relnamespace = 'public'::regnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = own.c
                       AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT own.t, '', coalesce(max(substring(p.prosrc FROM '[0-9]+')) FILTER (
               WHERE p.proname = 'schema_version' AND p.pronargs = 0), ''), '' FROM own
    JOIN pg_proc p ON p.proname = own.t AND p.pronamespace = 'public'::regnamespace
    WHERE own.c = '' GROUP BY own.t
    UNION ALL
    SELECT own.t, '', '', '' FROM own
    JOIN pg_class c ON c.relname = own.t AND c.relnamespace = 'public'::regnamespace
    WHERE own.c = '') AS there
"""
"""Of what schema.sql names, what there is, as one JSON text: the SDK takes 0.1 s to read as many
records. In the place of a type, the function schema_version has the version that it returns.

A cast to VARCHAR(n) would cut a text off in silence, where a column refuses it: such a type is told
without its length. A database is shared: asked for all of `public`, the Data API may refuse to
answer, as an answer has at most 1 MiB.
"""

ADDED_SQL = """
WITH ours AS (
    SELECT DISTINCT c.oid, c.relname
    FROM jsonb_to_recordset(CAST(:own AS jsonb)) AS own (t text, c text)
    JOIN pg_class c ON c.relname = own.t AND c.relnamespace = 'public'::regnamespace)
SELECT 'the trigger ' || t.tgname || ' on ' || ours.relname, ours.relname::text FROM ours
JOIN pg_trigger t ON t.tgrelid = ours.oid AND NOT t.tgisinternal
UNION ALL
SELECT 'the generated column ' || ours.relname || '.' || a.attname, ours.relname FROM ours
JOIN pg_attribute a ON a.attrelid = ours.oid AND a.attgenerated <> '' AND NOT a.attisdropped
UNION ALL
SELECT 'the row security policy ' || p.polname || ' on ' || ours.relname, ours.relname FROM ours
JOIN pg_policy p ON p.polrelid = ours.oid
UNION ALL
SELECT 'the rule ' || r.rulename || ' on ' || ours.relname, ours.relname FROM ours
JOIN pg_rewrite r ON r.ev_class = ours.oid AND r.rulename <> '_RETURN'
UNION ALL
SELECT 'the index ' || x.relname, ours.relname FROM ours
JOIN pg_index i ON i.indrelid = ours.oid AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
JOIN pg_class x ON x.oid = i.indexrelid
WHERE x.relname NOT IN (ours.relname || '_key', ours.relname || '_alive')
ORDER BY 1"""
"""What people have added to our tables that may refuse a row or leave it out, with its table."""

SAMPLE = (
    "the database holds the tables of the public sample (aws-samples/sample-aws-multi-account-"
    "observability): take them over with receiver.py --adopt-schema sample, which moves them to a "
    "schema of that name (docs/coming-from-the-sample.md), or give a database of its own"
)


@dataclass(frozen=True)
class Column:
    name: str
    type: str  # as PostgreSQL writes it, ready for a cast
    own: OwnColumn
    labels: tuple[str, ...]  # of an enumeration

    @property
    def required(self) -> bool:
        return self.own.required

    def in_key(self, value: str) -> str:
        """What the index of the natural key has of a value of this column."""
        return self.own.key_sql.format(value)


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
        keyed = sorted(
            (c.own.key_position, n) for n, c in self.columns.items() if c.own.key_position
        )
        return [name for _, name in keyed]

    @property
    def stamped(self) -> bool:
        """Whether updated_at is ours: when the row last changed."""
        return "updated_at" in self.columns and "updated_at" not in self.table.aws_times

    def key_of(self, alias: str) -> list[str]:
        """The natural key of a row as its index has it."""
        return [self.columns[c].in_key(f'{alias}"{c}"') for c in self.key]

    @property
    def owner(self) -> list[str]:
        """account_id, where the table has it: parts of a report or log have their parent only."""
        return ["account_id"] if "account_id" in self.columns else []


Catalogue = Mapping[str, Mapping[str, Column]]


def own_names() -> str:
    """The parameter of these statements: columns by table; without one tables and functions."""
    schema = own_schema()
    named = [(table, name) for table, columns in schema.tables.items() for name in columns]
    named += [(name, "") for name in sorted({*schema.functions, *schema.tables})]
    return json.dumps([{"t": table, "c": name} for table, name in named])


Names = Mapping[tuple[str, str], tuple[str, str]]
"""Type and labels of each column, by table and name; tables and functions have no name of a
column."""


def parse_names(answer: str | None) -> Names:
    """What CATALOGUE_SQL answered: NULL where there is nothing of ours."""
    return {
        (table, name): (type_, labels) for table, name, type_, labels in json.loads(answer or "[]")
    }


def catalogue_of(types: Names, schema: Schema) -> Catalogue:
    """Group names by table.

    UsageError where the database lacks what schema.sql names: then it is too old, or another's.
    """
    check_is_ours(types, schema)
    if not any(name for _, name in types):
        raise UsageError("the database has no schema: run receiver.py --init-schema")
    check_version(types, schema)
    return {
        table: {name: column_of(name, own, *types[table, name]) for name, own in columns.items()}
        for table, columns in schema.tables.items()
    }


def version_of(there: Names) -> int:
    """The version of the database's schema; 1 had no function schema_version."""
    version, _ = there.get((VERSION_FUNCTION, ""), ("", ""))
    return int(version) if version else 1


def check_version(there: Names, schema: Schema) -> None:
    """Raise UsageError where the schema is older than this program, or lacks something of ours."""
    found, missing = version_of(there), missing_names(there, schema)
    if found < schema.version:
        raise UsageError(
            f"the database's schema is version {found}, and this program needs {schema.version}: "
            "run receiver.py --init-schema"
        )
    lacking = shortened(missing, MOST_NAMED)
    if missing and found > schema.version:
        raise UsageError(f"{newer(found, schema)}, and lacks {lacking}: use a newer program")
    if missing:
        raise UsageError(f"the database lacks {lacking}: run receiver.py --init-schema")


def check_not_newer(there: Names, schema: Schema) -> None:
    """Raise UsageError where schema.sql would make a schema older than it is."""
    if (found := version_of(there)) > schema.version:
        raise UsageError(f"{newer(found, schema)}: nothing is applied, as it is never made older")


def newer(found: int, schema: Schema) -> str:
    return f"the database's schema is version {found}, newer than this program's {schema.version}"


MOST_NAMED = 20
"""Missing tables and columns that an error names."""


def column_of(name: str, own: OwnColumn, type_: str, labels: str) -> Column:
    return Column(name, type_, own, tuple(filter(None, labels.split(","))))


def missing_names(there: Collection[tuple[str, str]], schema: Schema) -> list[str]:
    """What the database lacks: whole tables, single columns, functions."""
    missing = []
    for table, columns in sorted(schema.tables.items()):
        lacking = [name for name in columns if (table, name) not in there]
        missing += [f"{table}.{n}" for n in lacking] if len(lacking) < len(columns) else [table]
    return missing + [f"{name}()" for name in sorted(schema.functions) if (name, "") not in there]


def is_of_sample(there: Collection[tuple[str, str]]) -> bool:
    """Whether tables and columns are the public sample's, also where half of it was converted."""
    return ("findings", "finding_id") in there and ("findings", "account_id") not in there


def check_is_ours(there: Collection[tuple[str, str]], schema: Schema) -> None:
    """Raise UsageError where a table of one of our names is not ours: our key is not in it."""
    tables = {table for table, _ in there}
    if is_of_sample(there):
        raise UsageError(SAMPLE)
    for table in sorted(schema.tables.keys() & tables):
        if lacking := sorted(n for n in schema.identity(table) if (table, n) not in there):
            raise UsageError(
                f"the database has a table {table} of another program, without the column "
                f"{lacking[0]}: give a database of its own"
            )
