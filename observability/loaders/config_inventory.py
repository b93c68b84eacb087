"""config_inventory: rows of config_inventory."""

from __future__ import annotations

from observability.database.tables import snapshot
from observability.loaders.loader import Loader
from observability.loaders.rows import Loaded, Parts, straight


def load_config_inventory_data(parts: Parts) -> Loaded:
    """config_inventory."""
    return straight(parts, {"config_inventory": "config_inventory"})


LOADER = Loader(
    category="config_inventory",
    function=load_config_inventory_data,
    rows=("config_inventory",),
    required=False,
    tables=(
        snapshot("config_inventory", moving=("available_ip_count",), chunked="config_inventory"),
    ),
)
