"""What loaders take and give: parts of a document, rows of tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from observability.errors import Rejected
from observability.limits import MIB, WAITING_CHARACTERS, WAITING_ROWS
from observability.loaders.vocabulary import todays


@dataclass(slots=True)
class Chunk:
    """Rows that follow each other in a list, known by the digest of their text.

    With a `number`, the database has noted it, and its rows are passed over; else it is one that
    the rows before it make up.
    """

    rows: int
    length: int  # characters of its text
    head: str  # the digest of its first row
    digest: str
    number: int = 0
    parents: tuple[str, ...] = ()  # what its rows name that they belong to


@dataclass(slots=True)
class Part:
    """One piece of a document: a row of a list, an object, or (`opened`) that the list is there.

    Or, with a `chunk`, several rows.
    """

    path: str  # of the list or object, such as security.kms
    where: str  # the same with positions, for people: security.kms[12]
    value: Any
    context: Mapping[str, Any]  # what the enclosing object has said so far
    category: str
    size: int = 0  # of a row: characters of its text
    opened: bool = False
    chunk: Chunk | None = None


@dataclass(slots=True)
class Chunked:
    """A chunk of a table's rows, from the document."""

    table: str
    where: str
    chunk: Chunk


@dataclass(slots=True)
class Row:
    """A row for a table, still with the document's values."""

    table: str
    where: str
    values: Any  # an object by field; what is none is refused when it is taken
    size: int = MIB  # characters of its text, about
    fallback: Mapping[str, Any] = field(default_factory=dict)
    """Values for what it lacks, if its document has no meta; None: it may do without."""


@dataclass(slots=True)
class Fault:
    """Something small that is wrong: a document with meta is refused for it, another one is not.

    There what it is about is left out, and counted unless it said nothing in the first place.
    """

    table: str
    text: str  # where and what
    column: str = ""  # '' for a whole row
    counted: bool = True


@dataclass(slots=True)
class Orphans:
    """Rows of a table that hang on nothing: those whose column has one of these values."""

    table: str
    column: str
    values: Mapping[str, str]  # by value: where it was met first


@dataclass(slots=True)
class Complete:
    """The document states the whole of a table, or of the scope that these values name."""

    table: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class EndOfTable:
    """No row of a table follows: those that come after it need not wait for the whole category."""

    table: str


class Waiting:
    """Counts what a loader holds in memory until it knows what that hangs on."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.rows = self.characters = 0

    def add(self, characters: int) -> None:
        """Count one more; raises Rejected where they are too many, or too much text."""
        self.rows += 1
        self.characters += characters
        if self.rows > WAITING_ROWS or self.characters > WAITING_CHARACTERS:
            most = f"{WAITING_ROWS} or {WAITING_CHARACTERS // MIB} MiB"
            raise Rejected(f"{self.what}: over {most} before what they belong to")


Loaded = Iterator[Row | Chunked | Complete | EndOfTable | Fault | Orphans]
Parts = Iterable[Part]


def straight(parts: Parts, tables: Mapping[str, str]) -> Loaded:
    """Rows whose fields are named as their table's columns, one list after another."""
    before = ""
    for part in parts:
        if part.opened:
            if before:
                yield EndOfTable(before)
            before = tables[part.path]
            yield Complete(before)
        elif part.chunk:
            yield Chunked(tables[part.path], part.where, part.chunk)
        elif part.path in tables:
            table = tables[part.path]
            yield Row(table, part.where, todays(table, part.value), part.size)
