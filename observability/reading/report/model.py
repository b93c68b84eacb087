"""What the page is made of, before it is HTML: tiles, and sections with charts and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["text", "account", "money", "change", "figure", "count", "day", "time", "bar"]
"""How a cell is shown: `account` takes (name, number), `change` (difference, previous);
a `figure` is a text that stands at the right."""

Mood = Literal["", "good", "bad"]

RIGHT = ("money", "change", "figure", "count")
"""Kinds that stand at the right of their column."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    label: str
    kind: Kind = "text"

    @property
    def right(self) -> bool:
        return self.kind in RIGHT


@dataclass(frozen=True)
class Table:
    """A table; one that is `folded` opens by a click. `note` stands below it.

    One that is `wide` has texts that need the whole width of the page.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    note: str = ""
    folded: bool = False
    wide: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart: SVG of ours, and (number of the color, label) of each series."""

    title: str
    svg: str
    legend: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Tile:
    """A number at the top, what it is compared with, and of when it is."""

    label: str
    value: str
    detail: str
    as_of: str
    mood: Mood = ""


@dataclass(frozen=True)
class Section:
    """A section; `empty` is told where there is nothing else. `as_of`: of when its numbers are."""

    id: str
    title: str
    as_of: str
    empty: str
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = field(default=())
    note: str = ""

    @property
    def filled(self) -> bool:
        return bool(self.charts or any(table.rows for table in self.tables))
