"""The receiver's clients, which have no limits beside botocore's own."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from observability.aws.clients import CallObserver, open_client, open_session
from observability.log import Log
from observability.settings.receiver import Settings

READ_TIMEOUT = 60
"""Seconds: a statement of the Data API may take 45."""


@lru_cache(maxsize=1)
def session_of(_: Settings) -> Any:
    """The session of a run, for all its clients: making one takes 25 ms."""
    return open_session()


def connect(service: str, settings: Settings, attempts: int) -> Any:
    """A client whose answers are AWS's only; UsageError where there is no place to ask."""
    return open_client(
        session_of(settings),
        service,
        settings.region,
        read_timeout=READ_TIMEOUT,
        attempts=attempts,
        retry_mode="standard",
        connections=settings.workers + 1,
    )


def observe(client: Any) -> CallObserver:
    """Count and log the calls of a client from now on."""
    observer = CallObserver(Log(), client.meta.region_name)
    observer.register(client)
    return observer
