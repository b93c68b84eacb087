"""The one place that makes clients of boto3, and what counts and logs their calls."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

from observability import __version__
from observability.aws.bodies import check_bodies
from observability.errors import UsageError
from observability.log import Log
from observability.settings.values import not_set

CONNECT_TIMEOUT = 5
"""Seconds."""


def open_session(core: Any = None, region: str | None = None) -> Any:
    """A session of boto3 around one of botocore's, whose clients take AWS's answers only."""
    import boto3
    from botocore.session import Session

    core = core or Session()
    check_bodies(core)
    return boto3.session.Session(botocore_session=core, region_name=region)


def open_client(
    session: Any,
    service: str,
    region: str | None,
    *,
    read_timeout: float,
    attempts: int,
    retry_mode: Literal["standard", "adaptive"],
    connections: int,
) -> Any:
    """A client of a boto3 session.

    `attempts` of each call include the first one. UsageError where there is no region, or where
    the region or the endpoint's URL can be none.
    """
    from botocore.config import Config
    from botocore.exceptions import NoRegionError

    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=read_timeout,
        max_pool_connections=connections,
        retries={"total_max_attempts": attempts, "mode": retry_mode},
        user_agent_extra=f"multi-account-observability/{__version__}",
    )
    try:
        return session.client(service, region_name=region, config=config)
    except NoRegionError:
        raise not_set("REGION", "--region") from None
    except ValueError as error:
        known = "check REGION (--region), and AWS_ENDPOINT_URL if it is set"
        raise UsageError(f"{error}: {known}") from None


class CallObserver:
    """Counts the calls of a client and logs how each one ends, through botocore's events."""

    def __init__(self, log: Log, region: str) -> None:
        self.log, self.region = log, region
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def register(self, client: Any) -> None:
        """Listen to a client's events."""
        for event, listener in self.listeners().items():
            client.meta.events.register(event, listener)

    def unregister(self, client: Any) -> None:
        """Listen no longer to a client's events."""
        for event, listener in self.listeners().items():
            client.meta.events.unregister(event, listener)

    def listeners(self) -> dict[str, Callable[..., Any]]:
        """What is done at which of botocore's events."""
        return {
            "before-call": self.before,
            "after-call": self.after,
            "after-call-error": self.broke,
        }

    def before(self, model: Any, context: dict[str, Any], **_: Any) -> None:
        """Count a call that is about to be made."""
        name = f"{model.service_model.service_name}:{model.name}"
        context["observed"] = (name, time.monotonic())
        self.count(name)

    def after(self, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        """Log a call that was answered."""
        attempts = 1 + parsed.get("ResponseMetadata", {}).get("RetryAttempts", 0)
        error = parsed.get("Error")
        outcome = error.get("Code", "error") if error else "ok"
        self.log_call(context, attempts, outcome, self.caller(parsed))

    def broke(self, exception: Exception, context: dict[str, Any], **_: Any) -> None:
        """Log a call that got no answer."""
        self.log_call(context, self.attempts, type(exception).__name__, self.caller({}))

    attempts = 1
    """How often a call without any answer is made."""

    def count(self, name: str) -> None:
        """Count a call, `service:Operation`."""
        with self._lock:
            self.counts[name] += 1

    def caller(self, parsed: dict[str, Any]) -> str:
        """The account that makes the calls, where it is known; `parsed` is a call's answer."""
        return ""

    def log_call(self, context: dict[str, Any], attempts: int, outcome: str, account: str) -> None:
        """Log a call, and by the account that made it, if known, in place of the log's own."""
        name, started = context["observed"]
        seconds = time.monotonic() - started
        log = Log({"account": account}, self.log.fields) if account else self.log
        text = f"{name} {self.region} {seconds:.3f} s, attempts {attempts}, {outcome}"
        facts = {"seconds": round(seconds, 4), "attempts": attempts, "outcome": outcome}
        log.say("CALL", text, operation=name, region=self.region, **facts)
