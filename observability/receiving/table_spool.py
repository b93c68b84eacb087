"""Checked rows on their way to the database, in batches on disk."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Any

from observability.database.catalogue import TableSchema
from observability.errors import Rejected
from observability.limits import (
    BATCH_BYTES,
    MIB,
    PERIODS,
    TEXT_BYTES,
)
from observability.loaders.rows import (
    Chunk,
    Row,
)
from observability.receiving.casting import (
    AHEAD,
    EMPTY,
    ahead,
    casting,
    count_unknown,
    encode,
    room_after,
    size_in_request,
    storable,
)
from observability.receiving.room import Batch, Room, temporary_file

ENCODED_AT_ONCE = 64
CHUNKS_OF_BATCH = 1000
"""More are not noted: a request has no room for what is said of them."""


class TableSpool:
    """The rows of one table: cast, encoded, and cut into batches below BATCH_BYTES.

    They lie in a temporary file once they are many, so memory is bounded by one batch. Finished
    batches may be read while rows are still added; `progress` guards what both touch.
    """

    def __init__(
        self,
        schema: TableSchema,
        progress: threading.Condition,
        room: Room,
        early: bool,
        latest: str,
    ) -> None:
        self.schema = schema
        self.latest = latest  # the last day that the document can know
        self.early = early
        self.progress = progress
        self.room = room
        self.finished = False  # no row follows
        self.ready = 0  # batches that no row follows
        self.fetched = 0  # of those, for `read_more`
        self.casts = casting(schema)
        self.file = temporary_file()
        self.waiting: list[Row] = []  # those that are not cast and encoded yet
        self.waiting_characters = 0
        self.unwritten = bytearray()  # what follows in the file
        self.batches: list[Batch] = []
        self.scopes: dict[str, None] = {}
        self.covered = self.covers_own_day = False
        self.open_bytes = BATCH_BYTES  # of the encoded batch in the making; full: none is
        self.unknown: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()  # by column of a value, '' for a whole row
        self.orphans: dict[str, set[str]] = {}
        self.since_chunk = 0  # rows that were added since the last chunk ended
        self.flaws = 0  # what had been wrong or unknown by then
        self.passed: list[Chunk] = []  # those that are passed over

    @property
    def begun(self) -> bool:
        """Whether a batch may be read, or there will be none."""
        return self.finished or self.ready > 0

    @property
    def rows(self) -> int:
        return sum(batch.rows for batch in self.batches)

    def cover(self, values: Mapping[str, Any]) -> None:
        self.covered = True
        self.covers_own_day |= not values
        cast = {name: self.casts.one[name](value) for name, value in values.items() if value}
        if len(cast) == len(values) and values:
            self.scopes[json.dumps(cast)] = None
        if len(self.scopes) > PERIODS:
            raise Rejected(f"{self.schema.table.name}: more than {PERIODS} periods in one document")

    def add(self, row: Row) -> list[str]:
        """Append a row; what is wrong with it or with those that waited for it."""
        if not isinstance(row.values, dict):
            self.left_out.update([""] if row.values != [] else [])
            return [f"{row.where}: must be an object, is {type(row.values).__name__}"]
        self.waiting.append(row)
        self.waiting_characters += row.size
        full = len(self.waiting) == ENCODED_AT_ONCE or self.waiting_characters > MIB // 16
        return self.settle() if full else []

    def settle(self) -> list[str]:
        """Encode the rows that wait, together if nothing is wrong with them; what is wrong."""
        waiting, self.waiting, self.waiting_characters = self.waiting, [], 0
        if not waiting:
            return []
        rows = [row.values for row in waiting]
        count_unknown(self.unknown, rows, self.casts.one)
        with suppress(RecursionError, ValueError):
            text = encode(self.cast_columns(rows))
            if "\\u0000" not in text and len(text) <= TEXT_BYTES // 4:
                self.append(text[1:-1], len(waiting))
                return []
        return [problem for row in waiting for problem in self.encode_row(row)]

    def cast_columns(self, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
        """The rows' values in the order of the fields; ValueError if anything is wrong."""
        columns = {
            name: cast([row.get(name) for row in rows]) for name, cast in self.casts.many.items()
        }
        if any(empty in columns[name] for name in self.casts.required for empty in EMPTY):
            raise ValueError("is missing")
        if any(ahead(day, self.latest) for name in self.casts.dated for day in columns[name]):
            raise ValueError(AHEAD)
        return list(zip(*columns.values(), strict=True))

    def encode_row(self, row: Row) -> list[str]:
        """Cast and encode a row by itself, without what is wrong with it; what that is."""
        values, problems, whole = self.cast(row)
        if not whole:
            self.left_out[""] += 1
            return problems
        try:
            self.append(encode([*values.values()]), 1)
        except ValueError as error:
            self.left_out[""] += 1
            problems.append(f"{row.where}: {error}")
        return problems

    def cast(self, row: Row) -> tuple[dict[str, Any], list[str], bool]:
        """The row's values in the order of the fields, what is wrong, whether it has its key."""
        values = {name: row.values.get(name) for name in self.casts.one}
        problems: list[str] = []
        wrong: list[str] = []
        for name, value in values.items():
            try:
                values[name] = None if value is None else storable(self.casts.one[name](value))
                if name in self.casts.dated and ahead(values[name], self.latest):
                    raise ValueError(AHEAD)
            except (ValueError, RecursionError) as error:
                reason = "is nested too deeply" if isinstance(error, RecursionError) else error
                problems.append(f"{row.where}.{name}: {reason}")
                values[name] = None
                wrong += [name] if value != "" else []
        missing = [name for name in self.casts.required if values[name] in EMPTY]
        empty = [name for name in missing if row.values.get(name) in EMPTY]
        problems += [f"{row.where}.{name}: is missing" for name in empty]
        for name in (name for name in missing if name in row.fallback):
            values[name] = row.fallback[name]
        kept = all(values[n] not in EMPTY or row.fallback.get(n, n) is None for n in missing)
        self.left_out.update(wrong if kept else [])
        return values, problems, kept

    def append(self, text: str, rows: int) -> None:
        """Add encoded rows to a batch; ValueError if they are larger than one or no UTF-8."""
        assert not self.finished, f"a row of {self.schema.table.name} after its last one"
        encoded = text.encode()
        size = size_in_request(text) + 1
        if size > BATCH_BYTES:
            raise ValueError(f"is larger than {BATCH_BYTES / MIB} MiB")
        if self.open_bytes + size > room_after(len(self.batches) - 1, self.early):
            self.flush()
            with self.progress:
                self.ready = len(self.batches)
                self.batches.append(Batch(self.file.seek(0, os.SEEK_END)))
                self.progress.notify_all()
            self.open_bytes = 0
        batch = self.batches[-1]
        self.unwritten += b"," if batch.rows else b"["
        self.unwritten += encoded
        self.open_bytes += size
        batch.rows += rows
        self.since_chunk += rows
        batch.length += 1 + len(encoded)
        batch.size += size
        if len(self.unwritten) > MIB // 16:
            self.flush()

    def take_chunk(self, chunk: Chunk) -> list[str]:
        """Count the rows of one that is passed over, or note that the last rows are one."""
        problems = self.settle()
        if chunk.number:
            self.passed.append(chunk)
        flaws = self.unknown.total() + self.left_out.total()
        batch = self.batches[-1] if self.batches else Batch(0)
        rows, had = chunk.rows, self.since_chunk
        whole = flaws == self.flaws and rows == had and batch.rows >= rows
        if whole and not chunk.number and len(batch.chunks) < CHUNKS_OF_BATCH:
            about = {"length": chunk.length, "head": chunk.head, "digest": chunk.digest}
            batch.chunks.append({"place": batch.rows - rows + 1, "rows": rows, **about})
        self.since_chunk, self.flaws = 0, flaws
        return problems

    def flush(self) -> None:
        """Write what waits, if anything does; Blocked if the disk takes no more."""
        if self.unwritten:
            with self.progress:
                self.room.append(self.file, self.unwritten)
            self.unwritten.clear()

    def cut(self) -> list[str]:
        """Let the rows so far be read as they are; what is wrong with the last of them."""
        problems = self.settle()
        self.flush()
        self.ready, self.open_bytes = len(self.batches), BATCH_BYTES
        return problems

    def finish(self) -> list[str]:
        """Encode and write the last rows, if there are any more; what is wrong with them."""
        problems = self.settle()
        self.flush()
        self.finished = True
        return problems

    def drop_orphans(self) -> None:
        """Take out the rows whose column has one of the values that `orphans` names for it."""
        if not self.orphans:
            return
        places = {[*self.casts.one].index(name): lost for name, lost in self.orphans.items()}
        before, batches = self.file, self.batches
        self.file, self.batches = temporary_file(), []
        self.finished, self.open_bytes = False, BATCH_BYTES
        for batch in batches:
            before.seek(batch.offset)
            for row in json.loads(before.read(batch.length).decode() + "]"):
                if any(row[place] in lost for place, lost in places.items()):
                    self.left_out[""] += 1
                else:
                    self.append(encode(row), 1)
        before.close()
        self.finish()

    def read(self, batch: Batch) -> str:
        with self.progress:
            self.file.seek(batch.offset)
            return self.file.read(batch.length).decode() + "]"

    def read_more(self) -> tuple[str, int]:
        """Rows that are ready and were not read by this, as many as one has room for; how many."""
        sizes = accumulate(b.size for b in self.batches[self.fetched : self.ready])
        room = sum(1 for size in sizes if size <= BATCH_BYTES)
        fresh = self.batches[self.fetched : self.fetched + room]
        self.fetched += len(fresh)
        texts = ",".join(self.read(batch)[1:-1] for batch in fresh)
        return f"[{texts}]", sum(batch.rows for batch in fresh)
