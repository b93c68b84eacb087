"""trusted_advisor: rows of trusted_advisor_checks."""

from __future__ import annotations

from observability.database.tables import snapshot
from observability.loaders.loader import Loader
from observability.loaders.rows import Loaded, Parts, straight


def load_trusted_advisor_data(parts: Parts) -> Loaded:
    """trusted_advisor_checks."""
    return straight(parts, {"trusted_advisor": "trusted_advisor_checks"})


LOADER = Loader(
    category="trusted_advisor",
    function=load_trusted_advisor_data,
    rows=("trusted_advisor",),
    tables=(snapshot("trusted_advisor_checks", moving=("timestamp",)),),
)
