"""Events of the public sample: {"history": true, "start": "20-11-2026", "end": "25-11-2026"}.

Its sender reads the days from `start` to `end` then, which are day-month-year, and yesterday
without `history`. https://github.com/aws-samples/sample-aws-multi-account-observability
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from observability.errors import UsageError
from observability.settings.kinds import is_on

HISTORY = "history"
FIELDS = frozenset({HISTORY, "start", "end"})
DAY_FIRST = re.compile(r"(\d{1,2})-(\d{1,2})-(\d{4})", re.ASCII)


def is_of_sample(event: Any) -> bool:
    """Whether an event says `history`, and nothing that does not go with it."""
    return isinstance(event, dict) and HISTORY in event and event.keys() <= FIELDS


def translated(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event in this sender's words: `start` and `end` as YYYY-MM-DD, of complete days.

    As with the sample, without `end` it is up to now, and without `start` from the first of January
    of that year. UsageError for what is no day, or for days without history.
    """
    rest = {name: value for name, value in event.items() if name not in FIELDS}
    days = {name: event[name] for name in ("start", "end") if event.get(name)}
    try:
        past = is_on(event[HISTORY])
    except ValueError as error:
        raise UsageError(f"the event's history: {error}") from None
    if not past and days:
        raise UsageError(f"the event's {' and '.join(days)} go with history: true only")
    if not past:
        return rest
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    end = min(read_day("end", days["end"]), yesterday) if "end" in days else yesterday
    start = read_day("start", days["start"]) if "start" in days else date(end.year, 1, 1)
    return {**rest, "start": str(start), "end": str(end)}


def read_day(name: str, given: Any) -> date:
    """A day, DD-MM-YYYY as in the sample or YYYY-MM-DD."""
    text = str(given)
    try:
        if matched := DAY_FIRST.fullmatch(text):
            day, month, year = map(int, matched.groups())
            return date(year, month, day)
        return date.fromisoformat(text)
    except ValueError:
        wrong = f"{text[:40]!r} is no day, such as 20-11-2026 or 2026-11-20"
        raise UsageError(f"the event's {name}: {wrong}") from None
