"""health: rows of health_events."""

from __future__ import annotations

from observability.database.tables import Kind, Table
from observability.loaders.loader import Loader
from observability.loaders.rows import Loaded, Parts, straight


def load_health_data(parts: Parts) -> Loaded:
    """health_events."""
    return straight(parts, {"health": "health_events"})


LOADER = Loader(
    category="health",
    function=load_health_data,
    rows=("health",),
    tables=(Table("health_events", Kind.EVENT, version="last_updated_time"),),
)
