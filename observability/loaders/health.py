"""health: rows of health_events."""

from __future__ import annotations

from observability.loaders.rows import Loaded, Parts, straight


def load_health_data(parts: Parts) -> Loaded:
    """health_events."""
    return straight(parts, {"health": "health_events"})
