"""resilience_hub: rows of resilience_hub_apps."""

from __future__ import annotations

from observability.database.tables import snapshot
from observability.loaders.loader import Loader
from observability.loaders.rows import Loaded, Parts, straight


def load_resilience_hub_data(parts: Parts) -> Loaded:
    """resilience_hub_apps."""
    return straight(parts, {"resilience_hub": "resilience_hub_apps"})


LOADER = Loader(
    category="resilience_hub",
    function=load_resilience_hub_data,
    rows=("resilience_hub",),
    tables=(snapshot("resilience_hub_apps", moving=("last_assessment_time",)),),
)
