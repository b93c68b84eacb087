"""LOADERS and TABLES: what each category is loaded by, declared in the files of this folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import replace

from observability.database.tables import Kind, Table
from observability.loaders.loader import Loader


def find_loaders() -> tuple[Loader, ...]:
    """The LOADER of each file here: what is required first, then by name; the logs last."""
    names = [found.name for found in pkgutil.iter_modules(__path__)]
    rooms = [importlib.import_module(f"{__name__}.{name}") for name in names]
    found: list[Loader] = [room.LOADER for room in rooms if hasattr(room, "LOADER")]
    return tuple(sorted(found, key=lambda x: (x.category == "logs", not x.required, x.category)))


def in_order(loaders: Iterable[Loader]) -> list[Table]:
    """All tables in the order of loading: of each loader in turn, those that say so last.

    A large document's categories are loaded as they come (`DocumentSpool.in_turn`).
    """
    tables = [
        replace(table, category=x.category, path=table.path or x.category)
        for x in loaders
        for table in x.tables
    ]
    return sorted(tables, key=lambda table: table.late)


LOADERS = find_loaders()
OPTIONAL = tuple(x.category for x in LOADERS if x.category not in ("account", "logs"))
"""The categories that may be switched off; a document is nothing without the others."""
ROW_PATHS = tuple(path for loader in LOADERS for path in loader.rows)

TABLES = {table.name: table for table in in_order(LOADERS)}
STORED = tuple(dict.fromkeys(table.stored_in or name for name, table in TABLES.items()))
"""The tables of the database that TABLES are stored in."""

LOADED_FIRST = {
    table.parent.table
    for table in TABLES.values()
    if table.parent and table.parent.table in TABLES
    if TABLES[table.parent.table].kind is Kind.OWNER
}
"""Owners whose rows are loaded as soon as they are met: those that hang on them follow."""


def validate_data_structure(present: Iterable[str]) -> list[str]:
    """What a document with these top-level attributes lacks, a line each."""
    lacking = [x.category for x in LOADERS if x.required and x.category not in set(present)]
    return [f"required attribute {category!r} is missing" for category in lacking]
