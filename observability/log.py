"""The story of a run on stderr: a line of text each, or a JSON object."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import IO, Any, TextIO


class Log:
    """The story of a run on stderr: `time KIND text`, or one JSON object per line."""

    UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

    def __init__(self, stream: TextIO, *, as_json: bool = False, verbose: bool = False) -> None:
        self.stream, self.as_json, self.verbose = stream, as_json, verbose
        self.write: Callable[[str], object] = self._write
        self.names: Mapping[str, str] = {}
        self._lock = threading.Lock()
        self._said: set[str] = set()

    def of(self, **names: str) -> Log:
        """The log of one account or region among several: each of its lines names it."""
        log = Log(self.stream, as_json=self.as_json, verbose=self.verbose)
        log.names, log.write = {**self.names, **names}, lambda line: self.write(line)
        return log

    def log_once(self, text: str) -> None:
        """Write a line that is about many accounts, however many of them come to it."""
        with self._lock:
            known = text in self._said
            self._said.add(text)
        if not known:
            self.say("INFO", text)

    def say(self, kind: str, text: str, **facts: object) -> None:
        """Write a line; `facts` are for machines and appear in JSON only."""
        self._say(kind, text, self.names, facts)

    def call(
        self, name: str, account: str, region: str, seconds: float, attempts: int, outcome: str
    ) -> None:
        """Write one AWS call, for machines and for those who ask, and which account made it."""
        if self.as_json or self.verbose:
            text = f"{name} {region} {seconds:.3f} s, attempts {attempts}, {outcome}"
            facts = {"operation": name, "region": region, "seconds": round(seconds, 4)}
            names = {"account": account} if account else self.names
            self._say("CALL", text, names, facts | {"attempts": attempts, "outcome": outcome})

    def _say(
        self, kind: str, text: str, names: Mapping[str, str], facts: Mapping[str, object]
    ) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        if self.as_json:
            line = {"time": now, "kind": kind, "message": text}
            self.write(json.dumps({**line, **names, **facts}, default=str))
        else:
            named = " ".join((*names.values(), text))
            self.write(f"{now} {kind:<7} {self.safe(named)}")

    @classmethod
    def safe(cls, text: str) -> str:
        """Text with its control characters visible, so that AWS data cannot forge lines."""
        return cls.UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)

    def _write(self, line: str) -> None:
        with self._lock:  # lines of several threads must not mix
            self.stream.write(f"{line}\n")
            self.stream.flush()


log = logging.getLogger("receiver")

CATEGORIES = ("SUCCESS", "FAIL", "ERROR", "INFO", "TIMING")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Escape what could forge a line or drive a terminal."""
    return UNPRINTABLE.sub(lambda m: f"\\x{ord(m[0]):02x}", text)


def log_event(category: str, text: str, **facts: Any) -> None:
    """Log one line in one of the five CATEGORIES; `facts` are fields of the JSON form."""
    level = logging.ERROR if category in ("ERROR", "FAIL") else logging.INFO
    level = logging.DEBUG if category in ("TIMING", "CALL") else level
    log.log(level, text, extra={"category": category, "facts": facts})


class StoryFormatter(logging.Formatter):
    """`time CATEGORY text`, or one JSON object per line."""

    def __init__(self, as_json: bool) -> None:
        super().__init__()
        self.as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        category = getattr(record, "category", record.levelname)
        text = record.getMessage()
        trace = self.formatException(record.exc_info).splitlines() if record.exc_info else []
        if self.as_json:
            facts = getattr(record, "facts", {})
            message = "\n".join((text, *trace))
            return json.dumps({"time": at, "kind": category, "message": message, **facts})
        return "\n  ".join(map(printable, (f"{at} {category:7} {text}", *trace)))


def log_to(stream: IO[str], *, as_json: bool, verbose: bool) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(StoryFormatter(as_json))
    log.handlers[:] = [handler]
    log.setLevel(logging.DEBUG if verbose or as_json else logging.INFO)
    log.propagate = False
