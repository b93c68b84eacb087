"""Events of the public sample."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from observability.errors import UsageError
from observability.receiving.events import is_sweep
from observability.settings.sender import read_event

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
Event = dict[str, Any]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            {"history": True, "start": "20-01-2026", "end": "5-2-2026"},
            {"start": "2026-01-20", "end": "2026-02-05"},
        ),
        (
            {"history": "True", "start": "2026-01-20", "end": "2026-02-05", "only": "cost"},
            {"start": "2026-01-20", "end": "2026-02-05", "only": "cost"},
        ),
        (
            {"history": True, "end": "03-04-2026"},
            {"start": "2026-01-01", "end": "2026-04-03"},
        ),
        (
            {"history": True, "start": "1-1-2026", "end": f"{YESTERDAY + timedelta(days=3)}"},
            {"start": "2026-01-01", "end": str(YESTERDAY)},
        ),
        (
            {"history": True, "start": "1-1-2026"},
            {"start": "2026-01-01", "end": str(YESTERDAY)},
        ),
        ({"history": False}, {}),
        ({"history": "false", "only": "cost"}, {"only": "cost"}),
    ],
)
def test_history_names_the_days_of_a_backfill(event: Event, expected: Event) -> None:
    assert read_event(event) == expected


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"history": True, "start": "20/11/2026"}, "event's start: '20/11/2026' is no day"),
        ({"history": True, "end": "31-02-2026"}, "event's end"),
        ({"history": "perhaps"}, "event's history: 'perhaps'"),
        ({"history": False, "start": "20-11-2026"}, "start go with history: true only"),
        ({"history": True, "stop": "20-11-2026"}, "the event has stop"),
    ],
)
def test_what_is_no_such_event_is_an_error(event: Event, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("(", r"\(")):
        read_event(event)


@pytest.mark.parametrize("history", [True, False, "True"])
def test_the_receiver_loads_all_that_waits(history: bool | str) -> None:
    assert is_sweep({"history": history})
    assert is_sweep({"history": history, "start": "20-11-2026", "end": "25-11-2026"})
    assert not is_sweep({"history": history, "other": 1})
