"""Documents of days that follow one another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from tests.documents import Document, document

DAY = date(2026, 11, 10)


Change = Callable[[Document], None]


def day_after(changes: Change, days: int = 1) -> tuple[Document, Document]:
    """Yesterday's document and today's, which is the same but for the changes."""
    first, second = document(DAY), document(DAY + timedelta(days=days))
    changes(second)
    return first, second
