"""service_resources: rows of service_resources."""

from __future__ import annotations

from observability.loaders.rows import Loaded, Parts, straight


def load_service_resources_data(parts: Parts) -> Loaded:
    """service_resources."""
    return straight(parts, {"service_resources": "service_resources"})
