"""The chunks of a document's lists: which of them the database has noted, and which are new."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from observability import THIS
from observability.database.catalogue import TableSchema
from observability.database.chunks import KNOWN_SQL
from observability.database.client import DBManager, Value
from observability.database.kept import digest
from observability.database.merge import Extent
from observability.database.shorter import unchanged_sql
from observability.limits import EARLY_BYTES
from observability.loaders.rows import Chunk
from observability.receiving.files import File

CHARACTERS = 16 << 10
CHUNKS = 8192
"""A document has so many at most, or a few more: those of a large one have more characters."""
ALIKE = 4
"""Of chunks that begin with the same row, so many are looked for: each is a digest."""
HEAD = 16
"""Digits of the digest of a chunk's first row."""


class ListChunks:
    """Cuts the rows of one list into chunks, and knows those that the database has noted.

    A digest is of the text between the first character of the first row and the last of the last,
    so the same text at the beginning of a row is the same rows. It also covers what makes values of
    a text: the receiver's version, the statement that compares them, and what the rows belong to.
    """

    def __init__(self, known: Mapping[str, Sequence[Chunk]], key: str, characters: int) -> None:
        self.known, self.characters = known, characters
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
        return self.known.get(head, ())

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

    def __init__(self, stored: Iterable[Chunk], keys: Mapping[str, str], size: int = 0) -> None:
        self.keys = keys  # by path of a list: what makes values of its rows' text
        self.characters = max(CHARACTERS, size // CHUNKS)
        self.found: dict[str, list[Chunk]] = {}
        for chunk in stored:
            alike = self.found.setdefault(chunk.head, [])
            if len(alike) < ALIKE:
                alike.append(chunk)

    def of_list(self, path: str, context: Mapping[str, Any]) -> ListChunks | None:
        """Those of a list of rows; None where it is always read whole."""
        group = context.get("service", "")
        if path not in self.keys or not isinstance(group, str):
            return None
        if "service" not in context and path.startswith("security.security_hub"):
            return None  # its name follows: until then nobody knows to what its rows belong
        return ListChunks(self.found, f"{self.keys[path]} {group}", self.characters)


def keys_of(schemas: Iterable[TableSchema]) -> dict[str, str]:
    """What makes values of the rows' text, by the path of each list that is cut into chunks."""
    return {schema.table.chunked: key_of(schema) for schema in schemas if schema.table.chunked}


def key_of(schema: TableSchema) -> str:
    compared = digest(unchanged_sql(schema, Extent.MORE, noting=True))
    return f"{THIS} {schema.table.name} {compared}"


def known_chunks(
    db: DBManager, file: File, schemas: Sequence[TableSchema], passing: bool
) -> KnownChunks | None:
    """The chunks of the account and region of a large document; None if it has no documents yet.

    Without `passing`, none are passed over, but the document's own are noted for the next one.
    """
    if file.size <= EARLY_BYTES:
        return None
    stored = read_known(db, file) if passing else []
    characters = max(CHARACTERS, file.size // CHUNKS)
    return None if stored is None else KnownChunks(stored, keys_of(schemas), characters)


def read_known(db: DBManager, file: File) -> list[Chunk] | None:
    """The chunks that are noted; None of an account without documents."""
    stored: list[Chunk] = []
    while True:
        after = stored[-1].number if stored else 0
        place: dict[str, Value] = {"account": file.account, "region": file.region, "after": after}
        found = db.execute(KNOWN_SQL, place)
        if not found:
            return None
        [[more]] = found
        if not more:
            return stored
        for number, rows, length, head, noted, parents in json.loads(more):
            stored.append(Chunk(rows, length, head, noted, number, tuple(parents)))
