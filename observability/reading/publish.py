"""Putting the report into the bucket, where whoever may read it finds the newest one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from observability.errors import DatabaseFault
from observability.log import log_event
from observability.reading.report import import_packages, make_report
from observability.settings.kinds import TO_BUCKET
from observability.settings.receiver import Settings

LATEST = "reports/latest.html"
HTML = "text/html; charset=utf-8"

Put = Callable[[str, bytes, str], None]
"""Writes an object: its key, its content, its type."""


def prepare_report(settings: Settings) -> None:
    """Raise UsageError now, and not after a sweep, where a package of the report is missing."""
    if settings.report == TO_BUCKET:
        import_packages()


def publish_report(settings: Settings, put: Put, deadline: float) -> None:
    """Write the report of now to reports/, if the settings ask for it.

    Raises Transient where the run's time, which ends at `deadline` (monotonic), is used up, and
    DatabaseFault, once it is written, where a part of it could not be read.
    """
    if settings.report != TO_BUCKET:
        return
    text, unread = make_report(settings.as_reader(), deadline)
    page = text.encode()
    for key in (f"reports/{datetime.now(UTC):%Y-%m-%d}.html", LATEST):
        put(key, page, HTML)
    log_event("SUCCESS", f"report written: s3://{settings.bucket}/{LATEST}", size=len(page))
    if unread:
        raise DatabaseFault(f"the report lacks the answers to {unread} of its queries")
