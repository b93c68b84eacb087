"""The chunks of a document's lists: which of them the database has noted, and which are new."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from observability import THIS
from observability.database.catalogue import TableSchema
from observability.database.chunks import FORGET_ALL_CHUNKS_SQL, KNOWN_SQL
from observability.database.client import DBManager, Value
from observability.database.kept import digest
from observability.database.shorter import note_sql
from observability.errors import DatabaseFault, NotAsNoted, Rejected, Transient
from observability.limits import EARLY_BYTES
from observability.loaders.rows import Chunk
from observability.receiving.files import File

LEAST_CHARACTERS = 16 << 10
MOST_CHUNKS = 8192
"""A document has so many at most, or a few more: those of a large one have more characters."""
LISTS = 1000
"""Lists of a document are cut: the last chunk of each may be as short as a row."""
ALIKE = 4
"""Of chunks that begin with the same row, so many are looked for."""
HEAD = 16
"""Digits of the digest of a chunk's first row."""


class ListChunks:
    """Cuts the rows of one list into chunks, and knows those that the database has noted.

    A digest is of the text between the first character of the first row and the last of the last,
    so the same text at the beginning of a row is the same rows. It also covers what makes values of
    a text: the receiver's version, the statement that compares them, and what the rows belong to.
    """

    def __init__(self, known: KnownChunks, key: str) -> None:
        self.known, self.characters = known, known.characters
        self.key = hashlib.sha256(key.encode())
        self.texts: list[str] = []  # of the rows of the chunk in the making

    def digest_of(self, text: str) -> str:
        made = self.key.copy()
        made.update(text.encode())
        return made.hexdigest()

    def candidates(self, text: str) -> Sequence[Chunk]:
        """The chunks that begin with a row."""
        if not self.known.found or self.known.spare <= 0:
            return ()
        return self.known.found.get(self.digest_of(text)[:HEAD], ())

    def hit(self) -> None:
        self.known.passed = True

    def miss(self, chunk: Chunk) -> None:
        """Note that text was looked at in vain: that is done for so much text only."""
        self.known.spare -= chunk.length

    def add(self, text: str, separator: str) -> Chunk | None:
        """Count a row after what separates it from the one before; the chunk that it completes."""
        if not self.texts:
            self.length, self.rows = 0, 0
            self.head = text
        else:
            self.texts.append(separator)
            self.length += len(separator)
        self.texts.append(text)
        self.rows += 1
        self.length += len(text)
        return self.end() if self.length >= self.characters else None

    def end(self) -> Chunk | None:
        """The chunk of the rows since the one before, if there are any."""
        if not self.texts:
            return None
        head, whole = self.digest_of(self.head)[:HEAD], self.digest_of("".join(self.texts))
        self.texts.clear()
        return Chunk(self.rows, self.length, head, whole)


class KnownChunks:
    """What the database has noted of the lists of an account and region."""

    def __init__(
        self,
        stored: Iterable[tuple[str, Chunk]],
        keys: Mapping[str, str],
        characters: int,
        spare: int,
    ) -> None:
        self.keys = keys  # by path of a list: what makes values of its rows' text
        self.characters = characters  # of a chunk at least
        self.spare = spare  # characters that may turn out not to be a chunk's
        self.lists = 0
        self.passed = False  # whether the document has any of them
        self.found: dict[str, list[Chunk]] = {}
        self.tables: set[str] = set()  # that have any
        for table, chunk in stored:
            self.tables.add(table)
            alike = self.found.setdefault(chunk.head, [])
            if len(alike) < ALIKE:
                alike.append(chunk)

    def of_list(self, path: str, context: Mapping[str, Any]) -> ListChunks | None:
        """Those of a list of rows; None where it is always read whole."""
        if path not in self.keys or self.lists == LISTS:
            return None
        group = context.get("service")
        if path.startswith("security.security_hub") and not (isinstance(group, str) and group):
            return None  # its name follows or is its findings': nobody knows to what rows belong
        self.lists += 1
        return ListChunks(self, f"{self.keys[path]} {json.dumps(group)}")


@contextmanager
def doubting(known: KnownChunks | None, db: DBManager, file: File) -> Iterator[None]:
    """What is wrong with a document may be with what was passed over: then NotAsNoted is raised.

    It would be refused for what the receiver took for the rows of a chunk. All chunks are
    forgotten: a receiver that has no time to try again passes over none the next time either.
    """
    try:
        yield
    except (Rejected, DatabaseFault, NotAsNoted) as error:
        if known is None or not known.passed:
            raise
        with suppress(Transient):
            db.execute(FORGET_ALL_CHUNKS_SQL, {"account": file.account, "region": file.region})
        raise NotAsNoted(f"{error}: nothing is passed over") from error


def keys_of(schemas: Iterable[TableSchema]) -> dict[str, str]:
    """What makes values of the rows' text, by the path of each list that is cut into chunks."""
    return {schema.table.chunked: key_of(schema) for schema in schemas if schema.table.chunked}


def key_of(schema: TableSchema) -> str:
    return f"{THIS} {schema.table.name} {digest(note_sql(schema))}"


def known_chunks(
    db: DBManager, file: File, schemas: Sequence[TableSchema], passing: bool
) -> KnownChunks | None:
    """The chunks that a large document may have; None where nothing is to be passed over.

    Without `passing`, none are passed over, but the document's own are noted for the next one.
    """
    if file.size <= EARLY_BYTES:
        return None
    stored = read_known(db, file) if passing else []
    if stored is None:
        return None
    characters = max(LEAST_CHARACTERS, file.size // MOST_CHUNKS)
    if len(stored) > 4 * file.size // characters + LISTS:
        stored = []  # rows that come between chunks make short ones: once too many, all is cut anew
    return KnownChunks(stored, keys_of(schemas), characters, spare=file.size)


def read_known(db: DBManager, file: File) -> list[tuple[str, Chunk]] | None:
    """The chunks that are noted, each with its table; None where nothing is to be passed over."""
    stored: list[tuple[str, Chunk]] = []
    while True:
        after = stored[-1][1].number if stored else 0
        place: dict[str, Value] = {"account": file.account, "region": file.region}
        found = db.execute(KNOWN_SQL, place | {"day": file.day.isoformat(), "after": after})
        if not found:
            return None
        [[more]] = found
        if not more:
            return stored
        for number, rows, length, head, noted, parents, table in json.loads(more):
            stored.append((table, Chunk(rows, length, head, noted, number, tuple(parents))))
