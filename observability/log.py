"""The log of a run on stderr: `time KIND text`, or one JSON object per line.

It is the standard library's logging. Kinds are SUCCESS, FAIL, ERROR, INFO, TIMING and CALL; what
an event is about stands in its text, and for machines in fields of the JSON form.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TextIO

LOGGER = logging.getLogger("observability")
LOGGER.propagate = False  # AWS Lambda's root logger would write each line once more

LEVELS = {
    "FAIL": logging.ERROR,
    "ERROR": logging.ERROR,
    "TIMING": logging.DEBUG,
    "CALL": logging.DEBUG,
}
"""The level of each kind of event that has not that of INFO."""

CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
"""What begins a line, drives a terminal, turns the direction of text, or may not be in XML."""

NOTHING: Mapping[str, object] = MappingProxyType({})
CONTEXT: ContextVar[Mapping[str, object]] = ContextVar("log fields", default=NOTHING)
OF_RUN: dict[str, object] = {}
"""Fields of the JSON form that each line has where it has no others of that name."""


def printable(text: str) -> str:
    """Text with its control characters escaped, so that no data can forge a line."""
    return CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def shortened(names: Sequence[str], most: int, between: str = ", ") -> str:
    """A list of names, and how many there are besides the first ones."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return between.join(names[:most]) + more


def log_account(account: str) -> None:
    """Name the account that a run belongs to in each line that is about no other."""
    OF_RUN["account"] = account


@contextlib.contextmanager
def log_fields(**fields: object) -> Iterator[None]:
    """Give each event of this thread, while the block runs, these fields of the JSON form."""
    earlier = CONTEXT.set({**CONTEXT.get(), **fields})
    try:
        yield
    finally:
        CONTEXT.reset(earlier)


class Log:
    """The log of a run, or of one account or region of it.

    `names` begin each line of its text, `fields` are for the JSON form only, where both appear.
    """

    def __init__(
        self,
        names: Mapping[str, str] = MappingProxyType({}),
        fields: Mapping[str, object] = NOTHING,
    ) -> None:
        self.names, self.fields = names, fields
        self._lock = threading.Lock()
        self._logged: set[str] = set()

    def of(self, **names: str) -> Log:
        """The log of one account or region among several: each of its lines names it."""
        return Log({**self.names, **names}, self.fields)

    def with_fields(self, **fields: object) -> Log:
        """The log of the only account or region: it stands in JSON, and need not in the text."""
        return Log(self.names, {**self.fields, **fields})

    @property
    def verbose(self) -> bool:
        """Whether calls, timings and tracebacks are logged."""
        return LOGGER.isEnabledFor(logging.DEBUG)

    def say(self, kind: str, text: str, level: int | None = None, /, **facts: object) -> None:
        """Log an event; `facts` are fields of the JSON form."""
        self._write(level or LEVELS.get(kind, logging.INFO), kind, text, facts)

    def log_once(self, text: str) -> None:
        """Log what is about many accounts, however many of them come to it."""
        with self._lock:
            known = text in self._logged
            self._logged.add(text)
        if not known:
            self.say("INFO", text)

    def traceback(self, text: str) -> None:
        """Log where the exception that is being handled comes from, to those who ask."""
        self._write(logging.DEBUG, "ERROR", text, NOTHING, exc_info=True)

    def _write(
        self,
        level: int,
        kind: str,
        text: str,
        facts: Mapping[str, object],
        *,
        exc_info: bool = False,
    ) -> None:
        if LOGGER.isEnabledFor(level):
            fields = {**OF_RUN, **CONTEXT.get(), **self.fields, **self.names, **facts}
            named = " ".join((*self.names.values(), text))
            extra = {"kind": kind, "text": text, "fields": fields}
            LOGGER.log(level, named, exc_info=exc_info, extra=extra)


log_event = Log().say
"""Log an event of the whole run: (kind, text, **facts)."""


class EventFormatter(logging.Formatter):
    """`time KIND text`, or one JSON object per line."""

    def __init__(self, *, as_json: bool = False) -> None:
        super().__init__()
        self.as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """The line of an event; in text the lines of a traceback follow it, set in."""
        now = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        kind = getattr(record, "kind", record.levelname)
        trace = self.formatException(record.exc_info).splitlines() if record.exc_info else []
        if not self.as_json:
            return "\n  ".join(map(printable, (f"{now} {kind:<7} {record.getMessage()}", *trace)))
        message = "\n".join((getattr(record, "text", record.getMessage()), *trace))
        line = {"time": now, "level": record.levelname, "kind": kind, "message": message}
        return json.dumps({**line, **getattr(record, "fields", NOTHING)}, default=str)


class LineHandler(logging.Handler):
    """Writes each event as a line, by whatever writes lines."""

    def __init__(self, write: Callable[[str], object]) -> None:
        super().__init__()
        self.write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Write an event; a log that takes no more lines costs the run nothing else."""
        line = self.format(record)
        with contextlib.suppress(OSError, ValueError):  # ValueError: the stream is closed
            self.write(line)


def log_to(
    stream: TextIO, *, as_json: bool = False, verbose: bool = False, quiet: bool = False
) -> None:
    """Write the log to a stream: failures only if `quiet`; calls too if `verbose` or as JSON."""

    def write(line: str) -> None:
        stream.write(f"{line}\n")
        stream.flush()

    handler = LineHandler(write)
    handler.setFormatter(EventFormatter(as_json=as_json))
    LOGGER.handlers[:] = [handler]
    level = logging.DEBUG if verbose or as_json else logging.INFO
    LOGGER.setLevel(logging.ERROR if quiet else level)


def write_lines_with(write: Callable[[str], object]) -> None:
    """Let something else write the lines of the log, as a table that stays below them."""
    for handler in LOGGER.handlers:
        if isinstance(handler, LineHandler):
            handler.write = write


def end_log() -> None:
    """Write no more lines, whatever threads that are left behind have to say."""
    for handler in LOGGER.handlers:
        handler.acquire()  # a line that is being written is finished
        try:
            write_lines_with(lambda _: None)
        finally:
            handler.release()
