"""What a loader declares: category, function, where its rows are, and its tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from observability.database.tables import Table
from observability.loaders.rows import Loaded, Parts


@dataclass(frozen=True)
class Loader:
    """One category of the document: its loader, where its rows are, whether it must be there.

    `rows` are the paths of its lists. `tables` are in the order of loading: parents before their
    parts.
    """

    category: str
    function: Callable[[Parts], Loaded]
    rows: tuple[str, ...]
    tables: tuple[Table, ...]
    required: bool = True
