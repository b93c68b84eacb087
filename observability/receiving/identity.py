"""Which document this is and how old: its key, what it says of itself, and S3's own facts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from observability.contract import DOCUMENT_FORMAT
from observability.database.values import as_day, as_instant
from observability.errors import Rejected
from observability.limits import LONGEST_PERIOD, S3_BEGAN
from observability.receiving.facts import Facts
from observability.receiving.files import File

DAY = timedelta(days=1)


def check_identity(file: File, facts: Facts) -> None:
    """The key is the identity: a body that names another account or region is refused."""
    for name, stated in (("account", facts.account), ("meta", facts.meta)):
        for attribute, ours in (("account_id", file.account), ("region", file.region)):
            theirs = stated.get(attribute)
            if theirs is not None and str(theirs) != ours:
                raise Rejected(f"{name}.{attribute} is not the {attribute} in the key, {ours}")
    if not facts.meta:
        return
    period = facts.meta.get("period")
    start = period.get("start") if isinstance(period, dict) else None
    if start is not None and str(start)[:10] != str(file.day):
        raise Rejected(f"meta.period.start is not the day in the key, {file.day}")
    if facts.meta.get("format") not in (None, DOCUMENT_FORMAT):
        raise Rejected(f"meta.format is not {DOCUMENT_FORMAT}: written for a later receiver")


def document_row(file: File, facts: Facts, bucket: str) -> dict[str, Any]:
    """The row of `documents`, with the two orders that tell which of two documents is newer.

    Documents without `meta` come before those with it: always in time_order ('-' sorts before
    every digit), within a day in day_order.
    """
    start, end, collected = period_of(file, facts.meta) if facts.meta else uploaded(file)
    at = collected.isoformat(timespec="microseconds")
    known = min(end, collected.date() + DAY)  # nobody knows the future
    ours, last = bool(facts.meta), file.first_etag  # which encryption does not change
    return {
        "account": file.account,
        "region": file.region,
        "bucket": bucket,
        "key": file.key,
        "etag": file.etag,
        "size_bytes": file.size,
        "last_modified": file.uploaded.isoformat(),
        "format": facts.meta.get("format"),
        "with_meta": ours,
        "sender": str(facts.meta["sender"])[:200] if facts.meta.get("sender") else None,
        "interval": file.interval,
        "period_start": start.isoformat(),
        "period_end": end.isoformat(),
        "collected_at": at,
        "day_order": f"{known} {at} {last}" if ours else f"{start} - {at} {last}",
        "time_order": f"{at} {known} {last}" if ours else f"- {at} {last}",
    }


def uploaded(file: File) -> tuple[date, date, datetime]:
    """Period and age of a document without `meta`: the day on which it came, and when."""
    day = file.uploaded.date()
    return day, day + DAY, file.uploaded


def period_of(file: File, meta: Mapping[str, Any]) -> tuple[date, date, datetime]:
    """First day, day after the last, and time of collecting of a document with `meta`.

    Rejected where they cannot be, such as a day or time that is ahead of S3's own clock.
    """
    period: Any = meta.get("period")
    period = period if isinstance(period, dict) else {}
    try:
        collected = file.uploaded
        if meta.get("collected_at"):
            collected = datetime.fromisoformat(as_instant(meta["collected_at"])).astimezone(UTC)
        end = date.fromisoformat(as_day(period["end"])) if period.get("end") else file.next_day
    except (TypeError, ValueError, OverflowError) as error:
        raise Rejected(f"meta: collected_at or period.end {error}") from None
    end = max(end, file.day + DAY)
    if end - file.day > LONGEST_PERIOD:
        raise Rejected("meta: period.end is over a year after the day in the key")
    latest = file.last_modified + DAY
    for what, ahead in (
        ("the day in the key", file.day > latest.date()),
        ("meta.collected_at", collected > latest),
    ):
        if ahead:
            raise Rejected(f"{what} is over a day after S3 got the object: a clock is wrong")
    if collected < S3_BEGAN:
        raise Rejected(f"meta.collected_at is before S3 began, {S3_BEGAN.date()}: a clock is wrong")
    return file.day, end, collected


def speaks_of_now(document: Mapping[str, Any]) -> bool:
    """Whether a document was collected within a day of its period: not one of a past day."""
    collected = datetime.fromisoformat(document["collected_at"])
    end = datetime.fromisoformat(document["period_end"]).replace(tzinfo=UTC)
    return collected < end + DAY
