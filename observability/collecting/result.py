"""What becomes of a category."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date

from observability.aws.cache import Result
from observability.aws.errors import (
    ABSENT,
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

    Apart from that is whether its `lists` are complete, so that what they lack is gone. An item
    whose details are denied fails its category, and its listing is complete all the same. A list
    is `unread` if a page of it was not read, or an item whose rows are missing from it.
    """

    def __init__(
        self,
        name: str,
        builders: DocumentBuilders,
        *,
        required: bool = True,
        lists: Iterable[str] = ("",),
    ) -> None:
        self.name = name
        self.category = name.partition(".")[0]
        self.required = required
        self.builders = builders
        self.lists = tuple(lists)
        self.unread: set[str] = set()
        self.parts: list[CategoryResult] = []
        self.notes: list[str] = []
        self.skipped: str | None = None
        self.item_skipped: str | None = None
        self.problems: dict[str, tuple[int, str]] = {}
        self.minor_problems: dict[str, tuple[int, str]] = {}
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
            self.unread.update(self.lists if self.rows else ())  # it broke off
        elif outcome == SKIPPED:
            self.note(what)
        elif outcome == FAIL or whole:
            self.fail(what, ": ".join(filter(None, (item, detail))))
            self.unread.update(self.lists if whole else ())
        else:
            with self._lock:
                count, first = self.minor_problems.get(what, (0, item))
                self.minor_problems[what] = (count + 1, first)

    def reject(self, item: object, error: Exception, *, row: bool = True) -> None:
        """Record that an item is not as AWS's model says: it costs itself, and its `row` if so."""
        said = f"{type(error).__name__}: {error}"[:200]
        self.fail("an item is not as AWS's model says", f"{name_of(item)}: {said}")
        self.unread.update(self.lists if row else ())

    def try_read(
        self,
        read: Callable[[], Result],
        item: str = "",
        absent: Result | None = None,
        fills: Iterable[str] = (),
    ) -> Result | None:
        """What AWS may refuse or lack: None, and it is recorded.

        It is `absent` where that is given and AWS has no such value. Lists that it `fills` are not
        complete without it.
        """
        try:
            return read()
        except aws_errors() as error:
            outcome, what, _ = classify_error(error)
            if outcome == ABSENT and absent is not None:
                return absent
            if outcome == SKIPPED:
                self.item_skipped = what
            self.record_error(error, item)
        except BrokenPipeError:
            raise  # nobody reads any longer what the run writes
        except Exception as error:  # noqa: BLE001  whatever is wrong with an item costs it only
            self.reject(item, error, row=False)
        self.unread.update(fills)
        return None

    def finish(self) -> None:
        """Note that all is read: what has no rows, as items were skipped, is skipped itself."""
        if self.item_skipped and self.unread and not self.total_rows and not self.problems:
            self.skipped = self.skipped or self.item_skipped
        self.done = True

    def raise_if_incomplete(self) -> None:
        """Raise ListingError if anything of what was read is missing, and say what."""
        if self.problems or self.skipped or self.unread:
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

    @property
    def complete(self) -> set[str]:
        """Its lists that were read whole."""
        whole, unread = self._read_and_unread()
        return whole - unread

    def _read_and_unread(self) -> tuple[set[str], set[str]]:
        """Lists of which all that it reads was read, and those of which something was not.

        What is skipped has nothing for its lists: others that fill them decide. A Skipped category
        says nothing of what there is.
        """
        whole: set[str] = set()
        unread = {*self.unread}
        if self.status != SKIPPED:
            (whole if self.done else unread).update(self.lists)
        for part in self.parts:
            of_part = part._read_and_unread()
            whole |= of_part[0]
            unread |= of_part[1]
        return whole, unread

    def messages(self) -> Iterator[tuple[str, str]]:
        """(kind, text) of all there is to say, parts first."""
        for part in self.parts:
            yield from part.messages()
        notes = (text for text in self.notes if text != self.skipped)
        yield from (("INFO", f"{self.name}: {text}") for text in notes)
        yield from (("INFO", text) for text in counted(self.name, self.minor_problems))
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


def counted(name: str, problems: Mapping[str, tuple[int, str]]) -> Iterator[str]:
    """A line for each kind of what went wrong: how often, and the first one's detail."""
    for what, (count, detail) in problems.items():
        first = f": {detail}" if detail else ""
        yield f"{name}: {what}{f' ({count} times)' if count > 1 else ''}{first}"
