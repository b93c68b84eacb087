"""Numbers and times as the page writes them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

UNKNOWN = "–"  # noqa: RUF001  what is not known is never shown as zero
SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}
WHOLE_FROM = 1_000
"""Amounts from here on are written without cents."""


def money(value: Any, currency: str, *, whole: bool = False) -> str:
    """An amount: $1,234 or $12.34; `whole` without cents in any case."""
    if value is None:
        return UNKNOWN
    amount = Decimal(value)
    digits = 0 if whole or abs(amount) >= WHOLE_FROM else 2
    text = f"{abs(amount):,.{digits}f}"  # round() fails where it has over 28 digits
    sign = "−" if amount < 0 and text.strip("0,.") else ""  # noqa: RUF001
    return f"{sign}{SIGNS.get(currency, f'{currency} ')}{text}"


def percent(part: Any, whole: Any) -> str:
    """A part of a whole in percent, with one digit."""
    if part is None or not whole:
        return UNKNOWN
    return f"{Decimal(part) * 100 / Decimal(whole):.1f} %"


def change(difference: Any, previous: Any, currency: str) -> str:
    """How much an amount rose or fell: ▲ $12.30 (4.5 %); = $0.00 if that rounds to nothing."""
    if difference is None:
        return UNKNOWN
    amount = abs(Decimal(difference))
    arrow = {"up": "▲", "down": "▼"}.get(direction(difference))
    if not arrow:
        return f"= {money(0, currency)}"
    share = f" ({percent(amount, abs(Decimal(previous)))})" if previous else ""
    return f"{arrow} {money(amount, currency)}{share}"


def direction(difference: Any) -> str:
    """Whether an amount rose (up) or fell (down); '' if that is unknown or rounds to nothing."""
    amount = Decimal(difference or 0)
    if not f"{amount:.2f}".strip("-0."):
        return ""
    return "up" if amount > 0 else "down"


def count(value: Any) -> str:
    """A number of things: 1,234."""
    return UNKNOWN if value is None else f"{int(value):,}"


def things(number: Any, one: str, many: str = "") -> str:
    """A number with its noun: 1 account, 2 accounts."""
    return f"{count(number)} {one if number == 1 else many or f'{one}s'}"


def as_time(value: Any) -> datetime | None:
    """The time, in UTC, of an ISO day or time; None for one before the year 1 or after 9999.

    A document may tell of the last days of these, and PostgreSQL of those beside them.
    """
    if value is None or isinstance(value, datetime):
        return value
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def as_day(value: Any) -> date | None:
    """The day of an ISO day or time; times are in UTC. None where as_time is."""
    if isinstance(value, date):
        return value
    found = as_time(value)
    return found.date() if found else None


def day(value: Any) -> str:
    """A day: 27 Nov 2026."""
    found = as_day(value)
    return f"{found.day} {found:%b %Y}" if found else UNKNOWN


def short_day(value: Any) -> str:
    """A day where the year is clear: 27 Nov."""
    found = as_day(value)
    return f"{found.day} {found:%b}" if found else UNKNOWN


def period(first: Any, last: Any) -> str:
    """Days from the first to the last: 21 Nov to 27 Nov 2026."""
    return f"{short_day(first)} to {day(last)}"


def moment(value: Any) -> str:
    """A time in UTC: 27 Nov 2026, 03:12."""
    found = as_time(value)
    return f"{found.day} {found:%b %Y, %H:%M}" if found else UNKNOWN
