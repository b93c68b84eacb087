"""COLLECTORS: every category of the document, each declared in a file of this folder."""

from __future__ import annotations

import importlib
import pkgutil

from observability.aws.errors import expect_errors
from observability.collecting.collector import Collector


def find_collectors() -> tuple[Collector, ...]:
    """The COLLECTOR of each file here: what is essential first, then by name."""
    names = [found.name for found in pkgutil.iter_modules(__path__)]
    rooms = [importlib.import_module(f"{__name__}.{name}") for name in names]
    found: list[Collector] = [room.COLLECTOR for room in rooms if hasattr(room, "COLLECTOR")]
    return tuple(sorted(found, key=lambda one: (not one.essential, one.category)))


COLLECTORS = find_collectors()
CATEGORIES = {collector.category: collector for collector in COLLECTORS}
expect_errors(error for collector in COLLECTORS for error in collector.expected_errors)
