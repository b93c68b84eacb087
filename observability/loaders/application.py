"""application: rows of application_signals."""

from __future__ import annotations

from observability.loaders.rows import Loaded, Parts, straight


def load_application_data(parts: Parts) -> Loaded:
    """application_signals."""
    return straight(parts, {"application": "application_signals"})
