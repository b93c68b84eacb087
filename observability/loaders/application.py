"""application: rows of application_signals."""

from __future__ import annotations

from observability.database.tables import snapshot
from observability.loaders.loader import Loader
from observability.loaders.rows import Loaded, Parts, straight


def load_application_data(parts: Parts) -> Loaded:
    """application_signals."""
    return straight(parts, {"application": "application_signals"})


LOADER = Loader(
    category="application",
    function=load_application_data,
    rows=("application",),
    tables=(snapshot("application_signals"),),
)
