"""marketplace: rows of marketplace_usage."""

from __future__ import annotations

from observability.database.tables import Kind, Table
from observability.loaders.loader import Loader
from observability.loaders.rows import Complete, Loaded, Parts, Row, straight


def load_marketplace_data(parts: Parts) -> Loaded:
    """marketplace_usage."""
    for loaded in straight(parts, {"marketplace": "marketplace_usage"}):
        yield loaded
        if isinstance(loaded, Row):
            yield Complete(loaded.table, {"period_start": loaded.values.get("period_start")})


LOADER = Loader(
    category="marketplace",
    function=load_marketplace_data,
    rows=("marketplace",),
    tables=(Table("marketplace_usage", Kind.PERIOD, ("period_start",)),),
)
