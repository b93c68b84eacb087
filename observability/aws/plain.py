"""The receiver's clients, and the count of their calls."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from observability.errors import UsageError
from observability.log import log_event
from observability.settings.receiver import Settings, not_set


def connect(service: str, settings: Settings, attempts: int) -> Any:
    """A client of boto3; raises UsageError where boto3 is missing or finds no place to ask."""
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import NoRegionError
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is missing: pip install -r requirements.txt") from None
    client: Callable[..., Any] = boto3.client
    config = Config(
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=settings.workers + 1,
        retries={"total_max_attempts": attempts, "mode": "standard"},
    )
    try:
        return client(service, region_name=settings.region, config=config)
    except NoRegionError:
        raise not_set("region") from None
    except ValueError as error:  # an endpoint or a region that can be none
        known = "check REGION (--region), and AWS_ENDPOINT_URL if it is set"
        raise UsageError(f"{error}: {known}") from None


class Calls:
    """Counts the calls of an AWS client and tells each one, through botocore's events."""

    def __init__(self, client: Any) -> None:
        self.counts: Counter[str] = Counter()
        self.lock = threading.Lock()
        events = client.meta.events
        events.register("before-call", self.before)
        events.register("after-call", self.after)
        events.register("after-call-error", self.broke)

    def before(self, model: Any, context: dict[str, Any], **_: Any) -> None:
        name = f"{model.service_model.service_name}:{model.name}"
        context["receiver"] = (name, time.monotonic())
        with self.lock:
            self.counts[name] += 1

    def after(self, parsed: Mapping[str, Any], context: Mapping[str, Any], **_: Any) -> None:
        attempts = 1 + parsed.get("ResponseMetadata", {}).get("RetryAttempts", 0)
        self.done(context, attempts, parsed.get("Error", {}).get("Code", "ok"))

    def broke(self, exception: Exception, context: Mapping[str, Any], **_: Any) -> None:
        self.done(context, 1, type(exception).__name__)

    def done(self, context: Mapping[str, Any], attempts: int, outcome: str) -> None:
        name, started = context["receiver"]
        seconds = round(time.monotonic() - started, 4)
        facts = {"operation": name, "seconds": seconds, "attempts": attempts, "outcome": outcome}
        log_event("CALL", f"{name}: {seconds} s, attempts {attempts}, {outcome}", **facts)
