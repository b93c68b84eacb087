"""What a process knows of the database's tables, from one document to the next."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from observability.database.catalogue import Catalogue, TableSchema
from observability.database.client import DBManager
from observability.loaders import TABLES

KEPT_SECONDS = 300.0
"""After which the catalogue is read again: a function of Lambda lives for hours, and somebody may
change a column's type meanwhile."""


class KnownSchemas:
    """The tables as the database's catalogue has them, read when they are first needed."""

    def __init__(self, db: DBManager, kept_seconds: float = KEPT_SECONDS) -> None:
        self.db = db
        self.kept_seconds = kept_seconds
        self.lock = threading.Lock()
        self.catalogue: Catalogue = {}
        self.schemas: Sequence[TableSchema] = ()
        self.read_at = -float("inf")

    def read(self) -> Sequence[TableSchema]:
        """The tables; UsageError where the schema is missing or too old."""
        with self.lock:
            if time.monotonic() - self.read_at > self.kept_seconds:
                self.refresh()
            return self.schemas

    def out_of_date(self, used: Sequence[TableSchema], since: float) -> bool:
        """Whether the database has other tables than those that were used since a time (monotonic).

        To be asked before a document is refused: somebody may have applied another schema.
        """
        with self.lock:
            if self.schemas is used and self.read_at < since:
                self.refresh()
            return self.schemas is not used

    def refresh(self) -> None:
        """Read the catalogue; as long as it says the same, the tables stay the same objects, by
        which their statements are remembered."""
        catalogue = self.db.catalogue()
        if catalogue != self.catalogue:
            self.catalogue = catalogue
            self.schemas = [TableSchema.of(table, catalogue) for table in TABLES.values()]
        self.read_at = time.monotonic()
