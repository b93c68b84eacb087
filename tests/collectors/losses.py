"""What becomes of a document's rows where an API is denied or a service is off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.runs import Row

# Denied


Effect = Callable[[Row], Row | None]
"""What becomes of a row: it is gone (None), or lacks some values."""


def gone(row: Row) -> None:
    """Nothing of the list can be read."""


def unless(**values: object) -> Effect:
    """Rows with these values cannot be read."""
    return lambda row: None if values.items() <= row.items() else row


def without(*columns: str) -> Effect:
    """These values are not known."""
    return lambda row: {name: row[name] for name in row if name not in columns}


def just(*columns: str) -> Effect:
    """Only these values are known."""
    return lambda row: {name: row[name] for name in columns}


@dataclass(frozen=True)
class Denial:
    """What is to happen when one API is denied: which categories fail, and what of them is lost.

    `unharmed` categories use the API too and can do without it.
    """

    fails: tuple[str, ...]
    lost: Mapping[str, Effect] = field(default_factory=dict)
    unharmed: tuple[str, ...] = ()


def security(**lost: Effect) -> Denial:
    """Parts of the security posture are lost."""
    return Denial(("security",), {f"security.{part}": effect for part, effect in lost.items()})


def listing(category: str) -> Denial:
    """A category's only list is lost."""
    return Denial((category,), {category: gone})


# Not enabled, or not covered by the support plan


@dataclass(frozen=True)
class Off:
    """What is to happen where a service is off: which categories say so, and what is missing."""

    reason: str
    skipped: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    lost: Mapping[str, Effect] = field(default_factory=dict)
