"""schema.sql: its statements, and the tables, columns and keys that it names.

What people add to the database is theirs: the receiver knows its own by this file, which lies
beside the scripts. Types may be widened there, so they are read from the catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from observability.errors import UsageError

PLACES = [folder / "schema.sql" for folder in Path(__file__).parents[1:3]]
"""In the package, where pip installs it, or beside the scripts."""

TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+) \(\n(.*)\n\)$", re.DOTALL)
COLUMN = re.compile(r"^ {4}([a-z]\w*) +(.+)$", re.MULTILINE)  # constraints are in capitals
ALTERED = re.compile(r"ALTER TABLE (\w+)\s")
ADDED = re.compile(r"ADD COLUMN IF NOT EXISTS (\w+) (.*?)(?=,\s*ADD COLUMN|$)", re.DOTALL)
KEY = re.compile(r"CREATE UNIQUE INDEX IF NOT EXISTS (\w+)_key\s+ON \1 \((.*)\)$", re.DOTALL)
KEY_PART = re.compile(r"\w+(?:\((?:[^()]|\([^()]*\))*\))?")  # a column, or a function of one
INDEX = re.compile(r"CREATE (UNIQUE )?INDEX IF NOT EXISTS (\w+)\s+ON (\w+)")
FUNCTION = re.compile(r"CREATE OR REPLACE FUNCTION (\w+)\(")
VERSION_FUNCTION = "schema_version"
VERSION = re.compile(rf"CREATE OR REPLACE FUNCTION {VERSION_FUNCTION}\(\) .* AS 'SELECT (\d+)'$")


@dataclass(frozen=True)
class OwnColumn:
    """A column that schema.sql names: what it demands, before the database adds the type."""

    not_null: bool
    has_default: bool
    key_position: int = 0  # in the natural key, from 1; 0: not part of it
    key_sql: str = "{}"  # what the key's index has of it, such as key_text({})

    @property
    def required(self) -> bool:
        return self.not_null and not self.has_default


@dataclass(frozen=True)
class Schema:
    """What schema.sql names; columns by table, in its order."""

    tables: Mapping[str, Mapping[str, OwnColumn]] = field(default_factory=dict)
    functions: frozenset[str] = frozenset()
    keys: Mapping[str, str] = field(default_factory=dict)  # the text of each natural key's index
    indexes: Mapping[str, tuple[str, bool]] = field(default_factory=dict)  # table; is it unique
    version: int = 0

    def identity(self, table: str) -> set[str]:
        """The columns without which a table of this name is somebody else's."""
        columns = self.tables[table]
        return {"id"} | {name for name, column in columns.items() if column.key_position}


def schema_text() -> str:
    """schema.sql; UsageError where it is missing."""
    for place in PLACES:
        if place.is_file():
            return place.read_text(encoding="utf-8")
    raise UsageError("schema.sql is not beside receiver.py: copy it there")


def split_statements(sql: str) -> Iterator[str]:
    """The statements of a schema file: each ends with `;` at the end of a line.

    Inside a quoted text, such as the body of DO, a `;` ends nothing.
    """
    statement = ""
    for line in sql.splitlines(keepends=True):
        if line.startswith("--") and not statement.strip():
            continue
        statement += line
        if line.rstrip().endswith(";") and statement.count("'") % 2 == 0:
            yield statement.strip().rstrip(";")
            statement = ""
    if statement.strip():
        yield statement.strip()


@cache
def own_schema() -> Schema:
    """schema.sql, read once; UsageError where it is missing."""
    return read_schema(schema_text())


def read_schema(sql: str) -> Schema:
    """The tables, columns, keys and functions that a schema file names."""
    columns: dict[str, dict[str, OwnColumn]] = {}
    keys: dict[str, str] = {}
    functions = set()
    indexes: dict[str, tuple[str, bool]] = {}
    version = 0
    for statement in split_statements(sql):
        if index := INDEX.match(statement):
            indexes[index[2]] = (index[3], bool(index[1]))
        if made := TABLE.match(statement):
            columns[made[1]] = {c[1]: own_column(c[2]) for c in COLUMN.finditer(made[2])}
        elif altered := ALTERED.match(statement):
            added = {c[1]: own_column(c[2]) for c in ADDED.finditer(statement)}
            columns.setdefault(altered[1], {}).update(added)
        elif key := KEY.match(statement):
            keys[key[1]] = key[2]
        elif function := FUNCTION.match(statement):
            functions.add(function[1])
        if own := VERSION.match(statement):
            version = int(own[1])
    tables = {name: with_key(own, keys.get(name, "")) for name, own in columns.items()}
    return Schema(tables, frozenset(functions), keys, indexes, version)


def own_column(definition: str) -> OwnColumn:
    """What the text after a column's name demands of its values."""
    key = "PRIMARY KEY" in definition
    default = " DEFAULT " in definition
    return OwnColumn(key or "NOT NULL" in definition, default)


def with_key(columns: Mapping[str, OwnColumn], key: str) -> dict[str, OwnColumn]:
    """The columns of a table, those of its natural key with their places in it."""
    placed = dict(columns)
    for position, part in enumerate(KEY_PART.findall(key), 1):
        [name] = (word for word in re.findall(r"\w+", part) if word in columns)
        key_sql = re.sub(rf"\b{name}\b", "{}", part)
        placed[name] = replace(columns[name], key_position=position, key_sql=key_sql)
    return placed
