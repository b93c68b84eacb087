"""Rows on their way into a document, on disk."""

from __future__ import annotations

import collections
import heapq
import json
import re
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date

from observability.collecting.window import Window
from observability.limits import MIB
from observability.rows import REJECT, Row


class Store:
    """The temporary file that all rows of a region are written to; it has no name to clean up.

    It is one file, not one for each list: a backfill of a year makes 365 documents with some 26
    lists each at the same time, and a process may often have 1,024 files open.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed with the store
        self._end = 0
        self._lock = threading.Lock()

    def append(self, data: bytes) -> tuple[int, int]:
        """Write data; its place is (offset, size)."""
        with self._lock:
            offset, self._end = self._end, self._end + len(data)
            self._file.seek(offset)
            self._file.write(data)
        return offset, len(data)

    def read(self, place: tuple[int, int]) -> bytes:
        """The data at a place."""
        with self._lock:
            self._file.seek(place[0])
            return self._file.read(place[1])

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()


NUL, BACKSLASHES = "\\u0000", re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
SURROGATE = re.compile("[\ud800-\udfff]")
REPLACEMENT = "\ufffd"


def to_json(value: object) -> bytes:
    """JSON text of a value, with U+FFFD in place of what no database takes: U+0000, and halves of
    surrogate pairs. Names of installed programs have both, and descriptions that were cut off.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    if NUL in text:
        text = BACKSLASHES.sub(rf"\1{REPLACEMENT}", text)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return SURROGATE.sub(REPLACEMENT, text).encode()


class SpooledRows:
    """A list of rows as JSON text on disk: it grows without memory growing with it.

    Who iterates over it gets the rows as they were added, and is told what is missing, `rejected`.
    """

    CHUNK = 16_384
    SEPARATOR = b",\n"  # JSON text has no bare newline, so this separates rows unmistakably
    SORTED = MIB
    """Bytes of text that are sorted in memory."""
    MERGED = 2 * MIB
    """Bytes that all sorted runs of a list together have in memory while they are merged."""

    def __init__(self, store: Store) -> None:
        self.count = 0
        self.tally: Counter[str] = Counter()
        self.rejected: list[tuple[object, Exception]] = []
        self._store = store
        self._places: list[tuple[int, int]] = []
        self._buffer = bytearray()
        self._size = 0
        self._lock = threading.Lock()

    def add(self, row: Row, labels: Iterable[str] = ()) -> None:
        """Append a row; `tally` counts it under each label."""
        text = to_json(row)
        with self._lock:
            text = (self.SEPARATOR if self.count else b"") + text
            self._buffer += text
            self._size += len(text)
            self.count += 1
            self.tally.update(labels)
            if len(self._buffer) >= self.CHUNK:
                self._places.append(self._store.append(bytes(self._buffer)))
                self._buffer.clear()

    def reject(self, item: object, error: Exception) -> None:
        """Note an item that could not be made a row."""
        self.rejected.append((item, error))

    def flush(self) -> None:
        """Leave nothing in memory, once all rows are there."""
        with self._lock:
            self._places.append(self._store.append(bytes(self._buffer)))
            self._buffer.clear()

    def text(self) -> Iterator[bytes]:
        """The rows as the inside of a JSON array, sorted by their text.

        So it is the same text for the same rows, whichever call of several at once AWS answered
        first.
        """
        if self._size <= self.SORTED:
            yield from self._runs()
            return
        places = [self._store.append(run) for run in self._runs()]
        share = max(self.MERGED // len(places), self.CHUNK // 2)
        yield from self._joined(heapq.merge(*(self._rows(place, share) for place in places)))

    def _runs(self) -> Iterator[bytes]:
        """The text in runs, each sorted by itself; up to SORTED bytes are one run."""
        rows: list[bytes] = []
        size = 0
        for chunk in self._chunks():
            rows += filter(None, chunk.split(self.SEPARATOR))
            size += len(chunk)
            if size >= self.SORTED:
                yield self.SEPARATOR.join(sorted(rows))
                rows, size = [], 0
        if rows:
            yield self.SEPARATOR.join(sorted(rows))

    def _rows(self, place: tuple[int, int], size: int) -> Iterator[bytes]:
        """The rows of a run, read so many bytes at a time."""
        first, length = place
        rest = b""
        for offset in range(first, first + length, size):
            read = self._store.read((offset, min(size, first + length - offset)))
            *rows, rest = (rest + read).split(self.SEPARATOR)
            yield from rows
        yield rest

    def _joined(self, rows: Iterable[bytes]) -> Iterator[bytes]:
        """The text of rows, in pieces of some size: fewer are written faster."""
        piece = bytearray()
        separator = b""
        for row in rows:
            piece += separator + row
            separator = self.SEPARATOR
            if len(piece) >= self.CHUNK:
                yield bytes(piece)
                piece.clear()
        yield bytes(piece)

    def _chunks(self) -> Iterator[bytes]:
        """The text as it was written: whole rows, after those of the first a separator each."""
        yield from (self._store.read(place) for place in self._places)
        yield bytes(self._buffer)

    def __iter__(self) -> Iterator[Row]:
        for item, error in self.rejected:
            if tell := REJECT.get():
                tell(item, error)
        rest = b""
        for chunk in self._chunks():
            *rows, rest = (rest + chunk).split(self.SEPARATOR)
            yield from (json.loads(row) for row in rows if row)
        if rest:
            yield json.loads(rest)


class DocumentBuilder:
    """One document in the making: per category its fields and its lists of rows."""

    def __init__(self, period: tuple[date, date], store: Store) -> None:
        self.start, self.end = period
        self._store = store
        self.heads: dict[str, Row] = collections.defaultdict(dict)
        self.lists: dict[str, dict[str, SpooledRows]] = collections.defaultdict(dict)
        self._lock = threading.Lock()

    def spool(self, category: str, part: str) -> SpooledRows:
        """The list of that part of a category, made at first use."""
        known = self.lists[category].get(part)
        if known is None:
            with self._lock:
                known = self.lists[category].setdefault(part, SpooledRows(self._store))
        return known


class DocumentBuilders:
    """The documents of a run, one per period, and which one a row belongs to."""

    def __init__(self, window: Window, store: Store) -> None:
        self.all = [DocumentBuilder(period, store) for period in window.documents()]

    def of(self, day: date | None) -> DocumentBuilder:
        """The document of a day; what lies outside goes to the nearest, no day to the last."""
        if day is None or len(self.all) == 1:
            return self.all[-1]
        number = (day - self.all[0].start).days
        return self.all[min(max(number, 0), len(self.all) - 1)]
