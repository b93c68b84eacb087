"""What the gateway knows of a request while it answers it, and what stays in the call log."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class CallRecord:
    """One request in the call log. It is there before the client has the answer; `seconds` and
    `response_bytes` then grow until the answer's last byte is sent.

    `error` is AWS's code, "cut" for a connection closed without an answer, else empty.
    `attempt` counts the client's tries of one call, from 1.
    """

    service: str
    operation: str
    account: str
    region: str
    started: datetime
    seconds: float
    status: int
    error: str
    request_bytes: int
    response_bytes: int
    attempt: int
    identity: str


@dataclass
class Exchange:
    """What is known about a request while it is being answered, for errors and for the `log`."""

    service: str = "unknown"
    protocol: str = "json"
    operation: str = ""
    account: str = ""
    region: str = ""
    identity: str = ""
    error: str = ""
    received: int = 0
    status: int = 0
    log: list[CallRecord] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)
