"""config_inventory: rows of config_inventory."""

from __future__ import annotations

from observability.loaders.rows import Loaded, Parts, straight


def load_config_inventory_data(parts: Parts) -> Loaded:
    """config_inventory."""
    return straight(parts, {"config_inventory": "config_inventory"})
