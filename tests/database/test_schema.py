"""What schema.sql names, as the receiver reads it, is what PostgreSQL makes of it."""

from __future__ import annotations

import re

import psycopg
import pytest

from observability.database.schema import own_schema, read_schema
from observability.loaders import STORED
from tests.cloud import EmbeddedCloud

COLUMNS = """
SELECT c.relname, a.attname, a.attnotnull, a.atthasdef OR a.attidentity <> ''
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
  AND a.attnum > 0 AND NOT a.attisdropped"""

KEYS = """
SELECT c.relname, pg_get_indexdef(i.indexrelid, g.position, true), g.position
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_class x ON x.oid = i.indexrelid AND x.relname = c.relname || '_key'
CROSS JOIN LATERAL generate_series(1, i.indnkeyatts::integer) AS g (position)
WHERE c.relnamespace = 'public'::regnamespace"""


def test_every_column_is_read_as_postgresql_makes_it(
    embedded: EmbeddedCloud, database: str
) -> None:
    with psycopg.connect(embedded.postgres.dsn_for(database)) as connection:
        made = {(t, c): (n, d) for t, c, n, d in connection.execute(COLUMNS)}
    read = {
        (table, name): (own.not_null, own.has_default)
        for table, columns in own_schema().tables.items()
        for name, own in columns.items()
    }
    assert read == made


def test_every_key_is_read_as_postgresql_makes_it(embedded: EmbeddedCloud, database: str) -> None:
    with psycopg.connect(embedded.postgres.dsn_for(database)) as connection:
        made = {(table, position): part for table, part, position in connection.execute(KEYS)}
    read = {
        (table, own.key_position): own.key_sql.format(name)
        for table, columns in own_schema().tables.items()
        for name, own in columns.items()
        if own.key_position
    }
    assert read.keys() == made.keys()
    for place, part in made.items():  # PostgreSQL writes the types of literals and COALESCE
        simple = re.sub("(?<=')::text|\"", "", part).replace("COALESCE", "coalesce")
        assert read[place] == simple


def test_every_table_that_is_loaded_is_named() -> None:
    assert set(STORED) <= own_schema().tables.keys()


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("ALTER TABLE t\n    ADD COLUMN IF NOT EXISTS b TEXT NOT NULL DEFAULT 'x';", "b"),
        ("ALTER TABLE t ADD COLUMN IF NOT EXISTS a NUMERIC(20, 10),\n"
         "    ADD COLUMN IF NOT EXISTS b TEXT NOT NULL DEFAULT 'x';", "b"),
    ],
)  # fmt: skip
def test_columns_that_came_later_are_read(statement: str, name: str) -> None:
    made = "CREATE TABLE IF NOT EXISTS t (\n    id  BIGINT PRIMARY KEY,\n    UNIQUE (id)\n);\n"
    columns = read_schema(made + statement).tables["t"]
    assert columns[name].not_null
    assert columns[name].has_default
    assert not columns[name].required
    assert "UNIQUE" not in columns
