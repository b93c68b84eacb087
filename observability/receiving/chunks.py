"""The chunks of a document's lists: which of them the database has noted, and which are new."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from observability import THIS
from observability.database.catalogue import TableSchema
from observability.database.chunks import KNOWN_SQL
from observability.database.client import DBManager, Value
from observability.database.kept import digest
from observability.database.merge import Extent
from observability.database.shorter import unchanged_sql
from observability.errors import DatabaseFault, NotAsNoted, Rejected, Transient, Unreachable
from observability.limits import EARLY_BYTES
from observability.loaders.rows import Chunk
from observability.receiving.files import File

CHARACTERS = 16 << 10
CHUNKS = 8192
"""A document has so many at most, or a few more: those of a large one have more characters."""
LISTS = 1000
"""Lists of a document are cut: the last chunk of each may be as short as a row."""
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
        self.begin("")

    def begin(self, head: str) -> None:
        self.head, self.rows, self.length, self.text = head, 0, 0, self.key.copy()

    def digest(self, text: str) -> str:
        made = self.key.copy()
        made.update(text.encode(errors="surrogatepass"))
        return made.hexdigest()

    def candidates(self, head: str) -> Sequence[Chunk]:
        """The chunks that begin with a row."""
        return self.known.found.get(head, ()) if self.known.spare > 0 else ()

    def hit(self) -> None:
        self.known.passed = True

    def miss(self, chunk: Chunk) -> None:
        """Note that text was looked at in vain: that is done for so much text only."""
        self.known.spare -= chunk.length

    def add(self, text: str, head: str, separator: str) -> Chunk | None:
        """Count a row after what separates it from the one before; the chunk that it completes."""
        if not self.rows:
            self.begin(head)
            separator = ""
        self.text.update((separator + text).encode(errors="surrogatepass"))
        self.rows += 1
        self.length += len(separator) + len(text)
        return self.end() if self.length >= self.characters else None

    def end(self) -> Chunk | None:
        """The chunk of the rows since the one before, if there are any."""
        if not self.rows:
            return None
        chunk = Chunk(self.rows, self.length, self.head, self.text.hexdigest())
        self.rows = 0
        return chunk


class KnownChunks:
    """What the database has noted of the lists of an account and region."""

    def __init__(
        self, stored: Iterable[Chunk], keys: Mapping[str, str], characters: int, spare: int
    ) -> None:
        self.keys = keys  # by path of a list: what makes values of its rows' text
        self.characters = characters  # of a chunk at least
        self.spare = spare  # characters that may turn out not to be a chunk's
        self.lists = 0
        self.passed = False  # whether the document has any of them
        self.found: dict[str, list[Chunk]] = {}
        for chunk in stored:
            self.found.setdefault(chunk.head, []).append(chunk)

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
def doubting(known: KnownChunks | None) -> Iterator[None]:
    """What is wrong with a document may be with what was passed over: then NotAsNoted is raised.

    It would be refused for what the receiver took for the rows of a chunk.
    """
    try:
        yield
    except Unreachable:
        raise
    except (Rejected, DatabaseFault, Transient) as error:
        if known is not None and known.passed:
            raise NotAsNoted(f"{error}: nothing is passed over") from error
        raise


def keys_of(schemas: Iterable[TableSchema]) -> dict[str, str]:
    """What makes values of the rows' text, by the path of each list that is cut into chunks."""
    return {schema.table.chunked: key_of(schema) for schema in schemas if schema.table.chunked}


def key_of(schema: TableSchema) -> str:
    compared = digest(unchanged_sql(schema, Extent.MORE, noting=True))
    return f"{THIS} {schema.table.name} {compared}"


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
    characters = max(CHARACTERS, file.size // CHUNKS)
    known = KnownChunks(stored, keys_of(schemas), characters, spare=file.size)
    # Rows that come between chunks make short ones. Once they are many, all is cut anew.
    if len(stored) > 4 * file.size // characters + LISTS:
        known.found = {}
    return known


def read_known(db: DBManager, file: File) -> list[Chunk] | None:
    """The chunks that are noted; None where nothing is to be passed over."""
    stored: list[Chunk] = []
    while True:
        after = stored[-1].number if stored else 0
        place: dict[str, Value] = {"account": file.account, "region": file.region}
        found = db.execute(KNOWN_SQL, place | {"day": file.day.isoformat(), "after": after})
        if not found:
            return None
        [[more]] = found
        if not more:
            return stored
        for number, rows, length, head, noted, parents in json.loads(more):
            stored.append(Chunk(rows, length, head, noted, number, tuple(parents)))
