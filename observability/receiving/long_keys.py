"""Rows whose natural key may be too long for its index, to be named if the database says so.

A key is as long as PostgreSQL can compress it, so only the database knows. Its error names the
index and no value (Data API: no DETAIL).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import Any

from observability.database.catalogue import TableSchema
from observability.loaders.rows import Row

MOST_BYTES = 2704
"""Of an index entry: BTMaxItemSize, a third of a page."""
SUSPECT = MOST_BYTES // 4  # characters, of which each may take four bytes
LISTED = 5
TEXTS = ("text", "jsonb", "character varying")


class LongKeys:
    """Where the rows of one table are whose keys may be too long, by the table of the index."""

    def __init__(self, shape: TableSchema) -> None:
        own = [n for n in shape.key if n in shape.fields and shape.columns[n].type in TEXTS]
        self.keys: dict[str, list[str]] = {shape.table.name: own} if own else {}
        if shape.table.parent and shape.table.parent.by_name:
            self.keys[shape.table.parent.table] = list(shape.found_by)
        self.found: dict[str, list[tuple[int, str]]] = {table: [] for table in self.keys}

    def look_at(self, rows: Iterable[Row]) -> None:
        """Remember the rows with long keys; of many the longest."""
        for row in rows:
            if row.size > SUSPECT and isinstance(row.values, dict):
                for table, names in self.keys.items():
                    self.measure(table, row, names)

    def measure(self, table: str, row: Row, names: Iterable[str]) -> None:
        if sum(length(row.values.get(name)) for name in names) <= SUSPECT:
            return
        texts = {name: as_key(row.values.get(name)).encode(errors="replace") for name in names}
        size = sum(map(len, texts.values()))
        if size > MOST_BYTES:
            longest = max(texts, key=lambda name: len(texts[name]))
            place = (
                f"{row.where}.{longest}: makes a key of {size} bytes, an index takes {MOST_BYTES}"
            )
            packed = len(zlib.compress(b"".join(texts.values())))
            self.found[table] = sorted([*self.found[table], (packed, place)])[-LISTED:]

    def places(self, table: str) -> list[str]:
        """The rows that the index of a table, '' for any, cannot hold.

        Those that would not compress, or else the one that comes nearest to it.
        """
        tables = [table] if table else self.found
        found = sorted(place for name in tables for place in self.found.get(name, []))
        certain = [place for packed, place in found if packed > MOST_BYTES]
        return certain or [place for _, place in found[-1:]]


def length(value: Any) -> int:
    """Characters of a value in a key; a list or object may be as long as it likes."""
    if isinstance(value, list | dict):
        return MOST_BYTES
    return len(value) if isinstance(value, str) else 0


def as_key(value: Any) -> str:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)
