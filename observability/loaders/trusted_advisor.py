"""trusted_advisor: rows of trusted_advisor_checks."""

from __future__ import annotations

from observability.loaders.rows import Loaded, Parts, straight


def load_trusted_advisor_data(parts: Parts) -> Loaded:
    """trusted_advisor_checks."""
    return straight(parts, {"trusted_advisor": "trusted_advisor_checks"})
