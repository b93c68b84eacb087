"""Days and instants, all in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta


def midnight(day: date) -> datetime:
    """The instant at which a UTC day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def days(start: date, end: date) -> list[date]:
    """The days from start up to, not including, end."""
    return [start + timedelta(days=number) for number in range((end - start).days)]


def to_iso(value: datetime | str | None) -> str | None:
    """An instant, as botocore or as AWS's text has it, in ISO 8601 and UTC; None if it is none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if value is None:
        return None
    try:
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except OverflowError:  # the first or last hours that the calendar has, in another offset
        return None


def day_of(instant: str | None) -> date | None:
    """The UTC day of an instant that `to_iso` made."""
    return date.fromisoformat(instant[:10]) if instant else None


def zulu(moment: datetime) -> str:
    """An instant as Security Hub and Support want it, in milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
