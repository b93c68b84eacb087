"""The rows of a document on their way to the database, and what is wrong with it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from observability.database.catalogue import TableSchema
from observability.errors import Rejected
from observability.limits import EARLY_BYTES, LISTED_PROBLEMS, UNKNOWN_NAMES
from observability.loaders import LOADED_FIRST
from observability.loaders.rows import Chunked, Complete, EndOfTable, Fault, Orphans, Row
from observability.receiving.casting import LAST_DAY, shown
from observability.receiving.chunks import KnownChunks
from observability.receiving.facts import DocumentProblems, Facts
from observability.receiving.files import File
from observability.receiving.room import Batch, Room, unlimited
from observability.receiving.table_spool import TableSpool


class DocumentSpool:
    """All tables of one document on their way, and everything that is wrong with it."""

    def __init__(
        self,
        schemas: Iterable[TableSchema],
        off: frozenset[str] = frozenset(),
        room: Room | None = None,
        file: File | None = None,
        known: KnownChunks | None = None,
    ) -> None:
        self.known = known  # chunks of its rows; None: none are passed over or noted
        self.progress = threading.Condition()
        self.off = off  # categories that are not loaded
        self.room = room or unlimited()
        self.early = early = file is not None and file.size > EARLY_BYTES  # loaded while it is read
        how = (self.progress, self.room, early, file.latest_day if file else LAST_DAY)
        self.tables = {s.table.name: TableSpool(s, *how) for s in schemas}
        for table in self.tables.values():
            if table.schema.table.category in off:
                table.finish()
        self.facts = Facts()
        self.problems: list[str] = []
        self.problem_count = 0
        self.faults: list[str] = []  # what only a document with meta is refused for
        self.fault_count = 0
        self.left_out: Counter[str] = Counter()
        self.ended = False  # all is read, or no more will be
        self.abandoned = False  # nobody wants the rest

    def take(self, loaded: Row | Chunked | Complete | EndOfTable | Fault | Orphans) -> None:
        table = self.tables[loaded.table]
        if isinstance(loaded, Row):
            self.add_faults(table.add(loaded))
            if loaded.table in LOADED_FIRST:
                self.add_faults(table.cut())
        elif isinstance(loaded, Chunked):
            self.add_faults(table.take_chunk(loaded.chunk))
        elif isinstance(loaded, EndOfTable):
            self.finish(table)
        elif isinstance(loaded, Fault):
            table.left_out.update([loaded.column] if loaded.counted else [])
            self.add_faults([loaded.text])
        elif isinstance(loaded, Orphans):
            table.orphans.setdefault(loaded.column, set()).update(loaded.values)
            places = (f"{where}.{loaded.column}" for where in loaded.values.values())
            self.add_faults([f"{place}: no instance of this document" for place in places])
        else:
            self.cover(table, loaded)

    def cover(self, table: TableSpool, stated: Complete) -> None:
        try:
            table.cover(stated.values)
        except Rejected as refused:
            self.add_faults(refused.reasons)
        except ValueError:
            pass  # the row with the value says what is wrong with it

    def know_meta(self, meta: Mapping[str, Any]) -> None:
        """Note what the document says of itself; then what is wrong with it is no small thing."""
        with self.progress:
            self.facts.meta = meta
        if meta:
            faults, count = self.faults, self.fault_count
            self.faults, self.fault_count = [], 0
            self.add_problems(faults, count)

    def add_faults(self, faults: Sequence[str], path: str = "") -> None:
        """Note small things that are wrong; `path` counts a value of that place as left out."""
        if path:
            self.left_out[path] += len(faults)
        if not faults:
            return
        with self.progress:
            ours = bool(self.facts.meta)
            if not ours:
                self.fault_count += len(faults)
                self.faults += shown(faults, LISTED_PROBLEMS - len(self.faults))
        if ours:
            self.add_problems(faults)

    def add_problems(self, problems: Sequence[str], number: int = 0) -> None:
        """Note what the document is refused for; `number` where there are more than are listed."""
        if problems:
            with self.progress:
                self.problem_count += max(number, len(problems))
                self.problems += shown(problems, LISTED_PROBLEMS - len(self.problems))

    def drop_orphans(self) -> None:
        """In a document that is loaded nevertheless, leave out rows that hang on nothing."""
        for table in self.tables.values():
            table.drop_orphans()

    def all_left_out(self) -> Counter[str]:
        """What was left out of a document without meta: values by table.column, rows by table."""
        counts = Counter(self.left_out)
        for name, table in self.tables.items():
            counts.update({f"{name}.{c}" if c else name: n for c, n in table.left_out.items()})
        return counts

    def finish(self, table: TableSpool) -> None:
        """Note that no row of a table follows."""
        self.add_faults(table.finish())
        with self.progress:
            self.progress.notify_all()

    def finish_category(self, category: str) -> None:
        """Note that no row of a category follows."""
        for table in self.tables.values():
            if table.schema.table.category == category:
                self.finish(table)

    def end(self) -> None:
        """Note that nothing follows at all."""
        with self.progress:
            self.ended = True
            self.progress.notify_all()

    def wait(self, ready: Callable[[], bool]) -> None:
        """Wait until something is so; raises DocumentProblems if it cannot be any more."""
        with self.progress:
            self.progress.wait_for(lambda: self.ended or self.problems or ready())
            if self.problems or not ready():
                raise DocumentProblems

    def large(self) -> bool:
        """Whether a table takes several batches, or chunks of one are passed over."""
        return any(
            len(table.batches) > 1 or table.passed
            for name, table in self.tables.items()
            if name not in LOADED_FIRST
        )

    def loadable(self) -> bool:
        """Whether loading may begin: all is read, or much, and what decides how it is loaded."""
        facts = self.facts
        known = facts.meta and facts.account and facts.statuses
        return self.ended or bool(self.early and known and self.large())

    def in_turn(self) -> Iterator[TableSpool]:
        """All tables: those of each category together, as soon as its first has rows or has ended.

        So none waits for a category that the document has further on. The account comes first, late
        tables last; within a category the order is kept, as rows hang on others of it.
        """
        late = [table for table in self.tables.values() if table.schema.table.late]
        left: dict[str, list[TableSpool]] = {}
        for table in self.tables.values():
            if table not in late:
                left.setdefault(table.schema.table.category, []).append(table)
        yield from left.pop(next(iter(left)))
        while left:
            yield from left.pop(self.next_begun(left))
        yield from late

    def next_begun(self, left: Mapping[str, Sequence[TableSpool]]) -> str:
        """Wait for a category whose first table has begun."""
        self.wait(lambda: any(tables[0].begun for tables in left.values()))
        return next(name for name, tables in left.items() if tables[0].begun)

    def batches(self, table: TableSpool) -> Iterator[tuple[Batch, bool]]:
        """The batches of a table as they are finished, and whether it is the last one."""
        for number in count():
            self.wait(lambda n=number: table.finished or table.ready > n)  # type: ignore[misc]
            if number == len(table.batches):
                return
            yield table.batches[number], table.finished and number + 1 == len(table.batches)

    def unknown_fields(self) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for name, table in self.tables.items():
            counts.update({f"{name}.{field}": n for field, n in table.unknown.items()})
        listed = counts.most_common(UNKNOWN_NAMES)
        more = counts.total() - sum(times for _, times in listed)
        return dict([*listed, ("(others)", more)] if more else listed)

    def close(self) -> None:
        for table in self.tables.values():
            table.file.close()
        self.room.close()
