"""What becomes of a category."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date

from observability.aws.cache import Result
from observability.aws.errors import (
    ABSENT,
    REFUSED,
    ListingError,
    aws_errors,
    classify_error,
)
from observability.aws.limits import CallCounter
from observability.collecting.spool import DocumentBuilders
from observability.contract import FAIL, PASS, SKIPPED
from observability.rows import Row, name_of


class CategoryResult:
    """What becomes of a category, or of a part of one: rows, status, messages, calls, seconds.

    It is Fail if anything failed, Skipped if there was nothing to be had, Pass otherwise. A part
    that is off does not make its category Skipped as long as another one passed.
    """

    def __init__(self, name: str, builders: DocumentBuilders, *, required: bool = True) -> None:
        self.name = name
        self.category = name.partition(".")[0]
        self.required = required
        self.builders = builders
        self.parts: list[CategoryResult] = []
        self.notes: list[str] = []
        self.skipped: str | None = None
        self.item_skipped: str | None = None
        self.problems: dict[str, tuple[int, str]] = {}
        self.refusals: dict[str, tuple[int, str]] = {}
        self.rows = 0
        self.calls = CallCounter()
        self.seconds = 0.0
        self.done = False
        self._lock = threading.Lock()

    def emit(
        self, row: Row, part: str = "", *, day: date | None = None, labels: Iterable[str] = ()
    ) -> None:
        """Write a row to the document of its day."""
        spool = self.builders.of(day).spool(self.category, part)
        try:
            spool.add(row, labels)
        except (TypeError, ValueError, RecursionError) as error:  # it has no JSON text
            self.reject(row, error)
            return
        with self._lock:
            self.rows += 1

    def emit_all(self, rows: Iterable[Row]) -> None:
        """Write rows as they come."""
        for row in rows:
            self.emit(row)

    def head(self, fields: Row) -> None:
        """Set fields of the category's own object."""
        self.builders.of(None).heads[self.category].update(fields)

    def note(self, text: str) -> None:
        """Say something that is no failure, once."""
        with self._lock:
            if text not in self.notes:
                self.notes.append(text)

    def fail(self, what: str, detail: str = "") -> None:
        """Record a failure; those of one kind are counted, the first one's detail is kept."""
        with self._lock:
            count, first = self.problems.get(what, (0, detail))
            self.problems[what] = (count + 1, first)

    def record_error(self, error: Exception, item: str = "", *, whole: bool = False) -> None:
        """Record an error by what it means: to one value, or to the `whole` of what was read.

        A value may be absent and a service off; a whole listing that is absent, or that its owner
        refuses, has failed.
        """
        outcome, what, detail = classify_error(error)
        if outcome == SKIPPED and whole:
            self.skipped = what
        elif outcome == SKIPPED:
            self.note(what)
        elif outcome == FAIL or whole:
            self.fail(what, ": ".join(filter(None, (item, detail))))
        elif outcome == REFUSED:
            self._refused(what, item)

    def record_item_error(self, error: Exception, item: str = "") -> None:
        """Record an error about one item of a listing, which stays complete without it.

        An item that is refused to everybody, or gone, is no failure: it would be one each day, and
        whatever is gone would never be marked so. What a permission could lift is a failure.
        """
        outcome, what, _ = classify_error(error)
        if outcome == SKIPPED:
            self.item_skipped = what
        else:
            self.record_error(error, item, whole=outcome not in (ABSENT, REFUSED))

    def finish(self) -> None:
        """Note that all is read.

        With an item skipped, the whole is: its rows may lack those of the item, and nothing may be
        taken for gone because of that.
        """
        self.skipped = self.skipped or self.item_skipped
        self.done = True

    def _refused(self, what: str, item: str) -> None:
        with self._lock:
            count, first = self.refusals.get(what, (0, item))
            self.refusals[what] = (count + 1, first)

    def reject(self, item: object, error: Exception) -> None:
        """Record that an item, as AWS sent it, could not be made a row: it costs itself only."""
        said = f"{type(error).__name__}: {error}"[:200]
        self.fail("an item is not as AWS's model says", f"{name_of(item)}: {said}")

    def try_read(
        self, read: Callable[[], Result], item: str = "", absent: Result | None = None
    ) -> Result | None:
        """A value that AWS may refuse or lack: None, and it is recorded, or `absent` then."""
        try:
            return read()
        except aws_errors() as error:
            self.record_error(error, item)
            return absent if classify_error(error)[0] == ABSENT else None

    def raise_if_incomplete(self) -> None:
        """Raise ListingError if anything of what was read is missing, and say what."""
        if self.problems or self.skipped:
            raise ListingError("; ".join([*self.problems, *filter(None, [self.skipped])]))

    @property
    def status(self) -> str:
        """Pass, Fail or Skipped."""
        statuses = {part.status for part in self.parts}
        finished = self.done or self.skipped is not None
        if self.problems or FAIL in statuses or not finished:
            return FAIL
        nothing = statuses == {SKIPPED} and not self.rows
        return SKIPPED if self.skipped or nothing else PASS

    def messages(self) -> Iterator[tuple[str, str]]:
        """(kind, text) of all there is to say, parts first."""
        for part in self.parts:
            yield from part.messages()
        yield from (("INFO", f"{self.name}: {text}") for text in self.notes)
        yield from (("INFO", text) for text in counted(self.name, self.refusals))
        kind = "ERROR" if self.required else "FAIL"
        yield from ((kind, text) for text in counted(self.name, self.problems))
        if self.skipped:
            yield "INFO", f"{self.name} is skipped: {self.skipped}"
        elif self.status == PASS:
            yield "SUCCESS", f"{self.name}: {self.total_rows} rows"
        if self.done and self.name == self.category:
            calls = self.total_calls.total()
            parts = "".join(f", {part.name} {part.seconds:.3f} s" for part in self.parts)
            yield "TIMING", f"{self.name}: {self.seconds:.3f} s, {calls} calls{parts}"

    @property
    def total_rows(self) -> int:
        """Rows of the category and its parts."""
        return self.rows + sum(part.total_rows for part in self.parts)

    @property
    def total_calls(self) -> Counter[str]:
        """AWS calls of the category and its parts, per service:Operation."""
        return sum((part.total_calls for part in self.parts), self.calls.counts.copy())


def counted(name: str, told: Mapping[str, tuple[int, str]]) -> Iterator[str]:
    """A line for each kind of what went wrong: how often, and the first one's detail."""
    for what, (count, detail) in told.items():
        first = f": {detail}" if detail else ""
        yield f"{name}: {what}{f' ({count} times)' if count > 1 else ''}{first}"
