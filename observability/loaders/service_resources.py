"""service_resources: rows of service_resources."""

from __future__ import annotations

from observability.database.tables import snapshot
from observability.loaders.loader import Loader
from observability.loaders.rows import Loaded, Parts, straight


def load_service_resources_data(parts: Parts) -> Loaded:
    """service_resources."""
    return straight(parts, {"service_resources": "service_resources"})


LOADER = Loader(
    category="service_resources",
    function=load_service_resources_data,
    rows=("service_resources",),
    required=False,
    tables=(
        snapshot("service_resources", moving=("available_ip_count",), chunked="service_resources"),
    ),
)
