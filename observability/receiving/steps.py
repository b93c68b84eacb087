"""The steps of a document: statements with their rows, and how many of them a request takes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from observability import THIS
from observability.database.catalogue import TableSchema
from observability.database.kept import digest
from observability.database.merge import values_sql
from observability.loaders.rows import Chunk
from observability.receiving.casting import encode, room_after, size_in_request

TEXTS = "sql", "insert", "unchanged", "note", "versions"
"""The statements of a step, as `run_steps` calls them."""

PASSED_ROW_BYTES = 100
"""A row that is passed over takes the database about as long as so many bytes of a batch."""

PORTION = 30_000
"""Events that are passed over in one step: each is written, and a statement has 45 seconds."""


def portions(chunks: Iterable[Chunk]) -> Iterator[list[Chunk]]:
    """Chunks in order, with about so many rows at once."""
    taken: list[Chunk] = []
    rows = 0
    for chunk in chunks:
        taken.append(chunk)
        rows += chunk.rows
        if rows >= PORTION:
            yield taken
            taken, rows = [], 0
    if taken:
        yield taken


@dataclass(frozen=True)
class Step:
    """A statement of a document, with its rows and scopes as JSON texts."""

    table: str  # whose counters its counts go to
    sql: str
    rows: str
    rows_count: int
    schema: TableSchema
    scopes: str = "[]"
    insert: str = ""  # does the same where the account has nothing yet
    unchanged: str = ""  # does the same where nothing has changed, or answers nothing
    versions: str = ""  # sums up what is stored of a complete list; noted with its text
    without_meta: bool = False  # needed only beside documents without meta
    chunks: str = ""  # which of the rows are chunks, as JSON
    note: str = ""  # notes them afterwards
    carried: bool = False  # the request contains the statement: the database need not keep it

    def by_itself(self) -> Step:
        """The same without anything that the database would have to keep."""
        return replace(self, insert="", unchanged="", chunks="", note="", versions="", carried=True)

    @property
    def statements(self) -> list[str]:
        """What the database has to keep of it."""
        return [sql for sql in self.texts if sql and not self.carried]

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(getattr(self, name) for name in TEXTS)

    @property
    def digest(self) -> str:
        """Of the rows and of what makes values of them."""
        made = hashlib.sha256(f"{THIS} {digest(self.unchanged)} ".encode())
        made.update(self.rows.encode())
        return made.hexdigest()

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """The step's JSON text, in pieces: its rows may be megabytes, that are copied once."""
        about: dict[str, Any] = {"table": self.table, "total": self.rows_count}
        for name, sql in zip(TEXTS, self.texts, strict=True):
            about |= {name: sql if self.carried else digest(sql)} if sql else {}
        about |= {"without_meta": True} if self.without_meta else {}
        about |= {"digest": self.digest} if self.versions else {}
        chunks = f',"chunks":{self.chunks}' if self.chunks else ""
        head = f'{encode(about)[:-1]},"rows":'
        return head, self.rows, f',"scopes":{self.scopes}{chunks}}}'

    @property
    def size(self) -> int:
        """Bytes in a request; rows of chunks count as well, as the database has work with them."""
        passed = 0 if self.sql else self.rows_count * PASSED_ROW_BYTES
        return sum(map(size_in_request, self.pieces)) + passed

    @property
    def values(self) -> Step:
        """The same without writing: its values are cast, and no more."""
        rows = self.rows if self.sql else "[]"  # else they are chunks
        return replace(self.by_itself(), sql=values_sql(self.schema), rows=rows, scopes="[]")


def text_of(steps: Iterable[Step]) -> str:
    """Steps as a JSON array."""
    texts: list[str] = []
    for step in steps:
        texts += [",", *step.pieces]
    return "".join(["[", *texts[1:], "]"])


def in_requests(steps: Iterable[Step], early: bool) -> Iterator[tuple[list[Step], bool]]:
    """Steps in order, as many at once as one request has room for, and whether it is the last."""
    taken: list[Step] = []
    size = made = 0
    for step in steps:
        more = step.size
        if taken and size + more > room_after(made, early):
            yield taken, False
            taken, size, made = [], 0, made + 1
        taken.append(step)
        size += more
    yield taken, True
