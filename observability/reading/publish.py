"""Putting the report into the bucket, where whoever may read it finds the newest one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from observability.log import log_event
from observability.settings.kinds import TO_BUCKET
from observability.settings.receiver import Settings

LATEST = "reports/latest.html"
HTML = "text/html; charset=utf-8"

Put = Callable[[str, bytes, str], None]
"""Writes an object: its key, its content, its type."""


def publish_report(settings: Settings, put: Put) -> None:
    """Write the report of now to reports/, if the settings ask for it."""
    if settings.report != TO_BUCKET:
        return
    from observability.reading.report import make_report

    page = make_report(settings.as_reader()).encode()
    for key in (f"reports/{datetime.now(UTC):%Y-%m-%d}.html", LATEST):
        put(key, page, HTML)
    log_event("SUCCESS", f"report written: s3://{settings.bucket}/{LATEST}", size=len(page))
