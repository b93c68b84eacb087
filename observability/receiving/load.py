"""One document's transaction."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from observability import THIS
from observability.database.catalogue import ADDED_SQL, TableSchema, own_names
from observability.database.client import DBManager
from observability.database.merge import RUN_SQL, SEEN_SQL, Extent, merge_sql, values_sql
from observability.database.tables import Kind, Table
from observability.errors import DatabaseFault, Rejected, ValueRefused
from observability.loaders import AWAITED
from observability.loaders.account import accounts_sql, products_sql, without_product_sql
from observability.loaders.cost import PARTIAL_UPDATES, partial_update_sql
from observability.loaders.once import LOCK_ACCOUNT_SQL, ONCE, once_sql
from observability.loaders.security import RECOUNT_AND_FINISH_SQL, security_sql
from observability.receiving.casting import room_after, size_in_request
from observability.receiving.facts import Facts
from observability.receiving.identity import speaks_of_now
from observability.receiving.spool import Spool, TableSpool

# The lock on its account's row makes files of one account and region load one after another.
LOCK_SQL = """
INSERT INTO accounts (account_id, region) VALUES (CAST(:account AS text), CAST(:region AS text))
ON CONFLICT (account_id, region) DO UPDATE SET csp = accounts.csp WHERE false RETURNING id"""

AGES = (
    "last_modified", "period_start", "period_end", "collected_at", "day_order", "time_order",
)  # fmt: skip
"""Columns of a document that follow from when it was uploaded, where it does not say its age."""


def again(column: str) -> str:
    """A column of AGES if the same bytes come again: the document says that things are so again."""
    newest = f"greatest(documents.{column}, excluded.{column})"
    aged_by_s3 = "excluded.collected_at = excluded.last_modified"
    return f"CASE WHEN {aged_by_s3} THEN {newest} ELSE documents.{column} END"


DOCUMENT_SQL = f"""
INSERT INTO documents (account_id, bucket, key, etag, size_bytes, last_modified, format, sender,
                       with_meta, interval, period_start, period_end, collected_at, day_order,
                       time_order)
SELECT a.id, r.bucket, r.key, r.etag, r.size_bytes, r.last_modified, r.format, r.sender,
       r.with_meta, r.interval, r.period_start, r.period_end, r.collected_at, r.day_order,
       r.time_order
FROM jsonb_to_record(CAST(:document AS jsonb)) AS r(
    account text, region text, bucket text, key text, etag text, size_bytes bigint,
    last_modified timestamptz, format integer, sender text, with_meta boolean, interval text,
    period_start date, period_end date, collected_at timestamptz, day_order text, time_order text)
JOIN accounts a ON a.account_id = r.account AND a.region = r.region
ON CONFLICT (account_id, bucket, key, etag) DO UPDATE SET
    size_bytes = excluded.size_bytes, {", ".join(f"{c} = {again(c)}" for c in AGES)}
RETURNING id"""

LOADED_SQL = """
SELECT CAST(d.counters AS text), d.collected_at <> d.last_modified,
       d.collected_at <> d.last_modified OR d.last_modified >= CAST(:uploaded AS timestamptz),
       (SELECT count(*) FROM documents t
        WHERE t.account_id = a.id AND t.created_at > now() - interval '1 day')
FROM accounts a
LEFT JOIN documents d ON d.account_id = a.id AND d.bucket = CAST(:bucket AS text)
     AND d.key = CAST(:key AS text) AND d.etag = CAST(:etag AS text)
     AND d.loaded_by = CAST(:receiver AS text)
WHERE a.account_id = CAST(:account AS text) AND a.region = CAST(:region AS text)"""
"""Whether a version of an object was loaded: its counters, whether it says when it was collected,
whether it is the same document, and how many documents were first loaded in 24 hours.
"""

FINISH_SQL = """
UPDATE documents SET loaded_at = now(), loaded_by = CAST(:receiver AS text),
    counters = CAST(:counters AS jsonb)
WHERE id = CAST(:document AS integer) RETURNING id"""


NOT_WRITTEN = (
    "a row of accounts, documents or security was not written: a trigger, rule or policy that "
    "somebody added to one of them left it out"
)

OWN_DAY = {
    ("date_from",): "period_start",
    ("period_start",): "period_start",
    ("date_to",): "period_end",
}
"""What scopes that are days are for the day that a document is about."""


@dataclass
class Load:
    """One document's transaction: drains the spool's batches through it, one at a time.

    Those of a large document are drained while the rest of it is still being read.
    """

    db: DBManager
    transaction: str
    spool: Spool
    document: Mapping[str, Any]
    counters: dict[str, Counter[str]] = field(default_factory=dict)
    document_id: int = 0
    account_created: int = 0

    def run(self, reading: Future[Facts]) -> None:
        """Account and document first, then each table, the derived counts last.

        Nothing is kept unless the document turns out well to its end: raises Rejected if not.
        """
        lock = {"account": self.document["account"], "region": self.document["region"]}
        self.account_created = len(self.statement(LOCK_SQL, lock))
        row = {"document": json.dumps(self.document)}
        made = self.statement(DOCUMENT_SQL, row)
        if not made:
            raise DatabaseFault(NOT_WRITTEN)
        self.document_id = made[0][0]
        if self.spool.large():
            self.statement(SEEN_SQL, {})
        with ThreadPoolExecutor(1, "request") as pool:
            running: list[Future[None]] = []
            for steps in in_requests(self.steps()):  # made while the one before is carried out
                for before in running:
                    before.result()
                running = [pool.submit(self.run_steps, steps)]
            for last in running:
                last.result()
        reading.result()
        self.finish()

    def run_steps(self, steps: Sequence[Step]) -> None:
        texts = "[" + ",".join(step.text for step in steps) + "]"
        try:
            answers = self.statement(RUN_SQL, {"document": self.document_id, "steps": texts})
        except ValueRefused as refused:
            raise self.explanation(refused, steps) from refused
        except (DatabaseFault, Rejected) as error:
            raise self.with_names(error, steps) from error
        for step, answer in zip(steps, answers, strict=True):
            if answer[0] < 0:
                raise self.swallowed(step, -answer[0])
            self.count(step, *answer)

    def explanation(self, refused: ValueRefused, steps: Sequence[Step]) -> Exception:
        """Whose fault it is that a value was refused.

        The values alone are tried once more. If PostgreSQL takes them, a generated column, an index
        or a trigger that somebody added to the table does not: its error has the same states.
        """
        if refused.key_of is not None:
            rows = self.spool.long_keys(refused.key_of)
            return Rejected(*rows) if rows else DatabaseFault(str(refused))
        values = "[" + ",".join(step.values for step in steps) + "]"
        try:
            self.db.execute(RUN_SQL, {"document": self.document_id, "steps": values})
        except Rejected as still:
            return still
        theirs = self.added(steps) or "what was added to its table"
        return DatabaseFault(f"{refused}: nothing is wrong with the value, so {theirs} refuses it")

    def with_names(self, error: DatabaseFault | Rejected, steps: Iterable[Step]) -> Exception:
        """An error of a function that somebody added, or of a row without its parent, explained.

        A parent's row may be missing as something that was added to its table has left it out.
        """
        if isinstance(error, DatabaseFault) and not error.raised:
            return error
        theirs = self.added(steps)
        return DatabaseFault(f"{error}: look at {theirs}") if theirs else error

    def added(self, steps: Iterable[Step]) -> str:
        """What people have added to the tables of these steps that decides about rows."""
        tables = {step.shape.table.stored_in or step.table for step in steps}
        found = self.db.execute(ADDED_SQL, {"own": own_names()})
        return ", ".join([name for name, table in found if table in tables][:5])

    def swallowed(self, step: Step, rows: int) -> DatabaseFault:
        """That rows were not written, which PostgreSQL counts as none, and by what."""
        theirs = self.added([step]) or "a trigger, rule or policy that somebody added"
        return DatabaseFault(
            f"{rows} rows of {step.table} were not written: {theirs} left them out"
        )

    def statement(self, sql: str, parameters: Mapping[str, str | int]) -> list[list[Any]]:
        self.spool.room.check_time()
        return self.db.execute(sql, parameters, self.transaction)

    def complete(self, table: Table) -> bool:
        """Whether the document may say what is missing: it has meta, read all, and is of now.

        What was read whole it says in meta.complete, else by the status of the category.
        """
        facts = self.spool.facts
        listed = facts.meta.get("complete")
        if table.category == "logs":
            whole = True
        elif isinstance(listed, list):
            whole = table.path in listed
        else:
            whole = facts.statuses.get(table.category) == "Pass"
        of_now = speaks_of_now(self.document) or not table.by_day
        return whole and of_now and bool(self.document["with_meta"])

    def steps(self) -> Iterator[Step]:
        """The statements of the document in order; a batch is read when its turn comes."""
        for name, spool in self.spool.tables.items():
            if spool.shape.table.kind is not Kind.OWNER:
                yield from self.merges(name, spool)
            elif name not in AWAITED:
                for batch, _ in self.spool.batches(spool):
                    yield self.owner(spool, spool.read(batch), batch.rows)

        yield from self.once()

    def once(self) -> Iterator[Step]:
        """Costs that other regions of the account repeat: last, as parts hang on the reports."""
        for spool in (self.spool.tables[name] for name in ONCE):
            scopes = self.scopes(spool) if spool.batches else []
            for sql in (LOCK_ACCOUNT_SQL, once_sql(spool.shape)) if scopes else ():
                name = spool.shape.table.name
                yield Step(name, sql, "[]", 0, spool.shape, f"[{','.join(scopes)}]")

    def owner(self, spool: TableSpool, rows: str, count: int) -> Step:
        name = spool.shape.table.name
        return Step(name, self.owner_sql(name, spool.shape), rows, count, spool.shape)

    def owners(self, table: Table) -> Iterator[Step]:
        """What rows of a table hang on and has been met since this was last asked."""
        if table.parent and table.parent.table in AWAITED:
            spool = self.spool.tables[table.parent.table]
            while (more := spool.read_more())[1]:
                yield self.owner(spool, *more)

    def owner_sql(self, name: str, shape: TableSchema) -> str:
        if name == "accounts":
            return accounts_sql(shape, self.complete(shape.table))
        return partial_update_sql(shape) if name in PARTIAL_UPDATES else security_sql(shape)

    def merges(self, name: str, spool: TableSpool) -> Iterator[Step]:
        """A step per batch; one without rows where the document says that there are none."""
        extent = Extent.WHOLE
        for number, (batch, last) in enumerate(self.spool.batches(spool)):
            rows = spool.read(batch)
            if number or not last:
                extent = Extent.LAST if last else Extent.MORE
            if name == "product_accounts":
                yield Step("products", products_sql(spool.shape), rows, batch.rows, spool.shape)
            yield from self.owners(spool.shape.table)
            yield self.merge(spool, extent, rows, batch.rows)
        yield from self.owners(spool.shape.table)
        if not spool.batches and self.is_complete_listing(spool):
            yield self.merge(spool, extent, "[]", 0)
        if name == "product_accounts":
            for table, sql in zip(("products", name), without_product_sql(), strict=True):
                yield Step(table, sql, "[]", 0, spool.shape)

    def merge(self, spool: TableSpool, extent: Extent, rows: str, count: int) -> Step:
        known = extent if self.is_complete_listing(spool) else Extent.SOME
        sql = merge_sql(spool.shape, known)
        scopes = f"[{','.join(self.scopes(spool))}]"
        return Step(spool.shape.table.name, sql, rows, count, spool.shape, scopes)

    def is_complete_listing(self, spool: TableSpool) -> bool:
        """Whether the document states the whole of the table, or of periods or parents in it."""
        table = spool.shape.table
        covered = spool.covered and (self.scopes(spool) or not table.scope)
        return bool(covered) and table.kind is not Kind.EVENT and self.complete(table)

    def scopes(self, spool: TableSpool) -> list[str]:
        """The periods or parents that the document states the whole of, once all is read."""
        scope = spool.shape.table.scope
        if scope:
            self.spool.wait(lambda: spool.finished)
        listed = dict(spool.scopes)
        if spool.covers_own_day and scope in OWN_DAY:
            # Also where it has no row for its own day: then there was nothing.
            listed[json.dumps({scope[0]: self.document[OWN_DAY[scope]]})] = None
        return list(listed)

    def count(self, step: Step, created: int, updated: int, gone: int) -> None:
        rows = max(step.rows_count, created)  # what follows from others is no row of the document
        table, total = step.table, counted(rows, created, updated, gone)
        if table == "accounts":
            updated = max(0, updated - self.account_created)
            total = counted(step.rows_count, self.account_created, updated)
        elif table in PARTIAL_UPDATES:
            table = "cost_reports"
            more = min(updated, self.counters[table]["SKIPPED"])
            total = Counter(UPDATED=more, SKIPPED=-more)
        self.counters.setdefault(table, Counter()).update(total)

    def finish(self) -> None:
        """Recount `security` where findings were loaded; close the document's row."""
        row: dict[str, str | int] = {
            "document": self.document_id,
            "counters": json.dumps(self.counters),
            "receiver": THIS,
        }
        security = self.counters.get("security")
        if security is None:
            if not self.statement(FINISH_SQL, row):
                raise DatabaseFault(NOT_WRITTEN)
            return
        [[changed, due]] = self.statement(RECOUNT_AND_FINISH_SQL, row) or [[0, 1]]
        if changed < due:
            raise DatabaseFault(NOT_WRITTEN)
        updated = max(0, changed - security["CREATED"])
        self.counters["security"] = counted(security["TOTAL"], security["CREATED"], updated)


@dataclass(frozen=True)
class Step:
    """A statement of a document, with its rows and scopes as JSON texts."""

    table: str  # whose counters its counts go to
    sql: str
    rows: str
    rows_count: int
    shape: TableSchema
    scopes: str = "[]"

    @cached_property
    def text(self) -> str:
        return f'{{"sql":{json.dumps(self.sql)},"rows":{self.rows},"scopes":{self.scopes}}}'

    @property
    def values(self) -> str:
        """The same without writing: its values are cast, and no more."""
        sql = values_sql(self.shape)
        return f'{{"sql":{json.dumps(sql)},"rows":{self.rows},"scopes":[]}}'


def in_requests(steps: Iterable[Step]) -> Iterator[list[Step]]:
    """Steps in order, as many at once as one request has room for."""
    taken: list[Step] = []
    size = made = 0
    for step in steps:
        more = size_in_request(step.text)
        if taken and size + more > room_after(made):
            yield taken
            taken, size, made = [], 0, made + 1
        taken.append(step)
        size += more
    if taken:
        yield taken


def counted(total: int, created: int, updated: int = 0, gone: int = 0) -> Counter[str]:
    skipped = max(0, total - created - updated)
    return Counter(CREATED=created, UPDATED=updated, SKIPPED=skipped, TOTAL=total, GONE=gone)
