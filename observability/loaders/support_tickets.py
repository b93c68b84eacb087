"""support_tickets: rows of support_tickets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from observability.database.tables import Kind, Table
from observability.loaders.loader import Loader
from observability.loaders.rows import Loaded, Part, Parts, Row


def load_support_tickets_data(parts: Parts) -> Loaded:
    """support_tickets; a list, or an object whose window its tickets take."""
    waiting: list[Part] = []
    for part in parts:
        if part.where == "support_tickets" and not part.opened:
            yield from (ticket(late, part.value) for late in waiting)
        elif part.path == "support_tickets.tickets" and not part.opened:
            waiting.append(part)  # the window may come after them
        elif not part.opened:
            yield ticket(part, {})


def ticket(part: Part, window: Mapping[str, Any]) -> Row:
    dates = {name: window[name] for name in ("date_from", "date_to") if name in window}
    return Row("support_tickets", part.where, {**dates, **part.value})


LOADER = Loader(
    category="support_tickets",
    function=load_support_tickets_data,
    rows=("support_tickets", "support_tickets.tickets"),
    required=False,
    tables=(Table("support_tickets", Kind.EVENT, moving=("date_from", "date_to")),),
)
