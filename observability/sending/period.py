"""Which days a run reads, by what the bucket has already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from observability.aws.errors import aws_errors, classify_error
from observability.collecting.run import Run
from observability.collecting.window import Window
from observability.dates import days
from observability.sending.bucket import days_with_documents
from observability.settings.sender import Settings

FULL_EVERY = 7
"""Each so many documents one reads everything open again, whatever an earlier run had missed."""
FULL_BY_DATE = 28
"""From so many on, it is the first of each week: old names go, so their number stops to grow."""


def reads_everything(known: Sequence[date], day: date) -> bool:
    """Whether the document of a day, after those of the `known` days, reads all that is open."""
    if len(known) < FULL_BY_DATE:
        return len(known) % FULL_EVERY == 0
    return known[-1].toordinal() // FULL_EVERY < day.toordinal() // FULL_EVERY


def choose_window(
    run: Run, account: str, settings: Settings, region: str
) -> tuple[Window, list[str]]:
    """The days to read and what is to be said about them, by what the bucket has already."""
    if settings.start and settings.end:
        return Window.of_backfill(settings.start, settings.end), []
    now = datetime.now(UTC)
    if not settings.bucket:
        return Window.of_yesterday(now, settings, None), ["no bucket: everything open is read"]
    try:
        known = days_with_documents(run, account, settings, region, now.date() - timedelta(days=1))
    except aws_errors() as error:
        _, what, _ = classify_error(error)
        window = Window.of_yesterday(now, settings, now.date() - timedelta(days=1), full=True)
        return window, [f"{what}: everything open is read"]
    if not known:
        window = Window.of_yesterday(now, settings, None)
        return window, ["the first document: everything open is read"]
    newest = known[-1]
    full = settings.full or reads_everything(known, now.date() - timedelta(days=1))
    window = Window.of_yesterday(now, settings, newest, full=full)
    if full:
        return window, ["everything open is read, not only what changed"]
    if window.since is None:
        missed = f"days from {newest + timedelta(days=1)} on have no document"
        return window, [f"{missed}: costs from {window.costs_from}, and everything open, are read"]
    gap = [str(day) for day in days(newest + timedelta(days=1), window.start)]
    return window, [f"caught up with days without a document: {', '.join(gap)}"] if gap else []
