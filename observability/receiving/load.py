"""One document's way into the database: one call, or a transaction of several."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from observability import THIS
from observability.database.catalogue import ADDED_SQL, TableSchema, own_names
from observability.database.chunks import FORGET_CHUNKS_SQL, NOTHING_SQL, listed_sql, pass_sql
from observability.database.client import DBManager, Value
from observability.database.kept import digest, keep
from observability.database.merge import LOAD_SQL, RUN_SQL, SEEN_SQL, Extent, merge_sql
from observability.database.shorter import insert_sql, note_sql, unchanged_sql, versions_sql
from observability.database.tables import Kind, Table
from observability.errors import DatabaseFault, NotAsNoted, Rejected, ValueRefused
from observability.limits import DOCUMENTS_A_DAY
from observability.loaders import LOADED_FIRST
from observability.loaders.account import products_sql, products_unchanged_sql, without_product_sql
from observability.loaders.cost import PARTIAL_UPDATES
from observability.loaders.once import LOCK_ACCOUNT_SQL, ONCE, once_sql
from observability.loaders.security import RECOUNT_SQL
from observability.receiving.bucket import S3Manager
from observability.receiving.casting import encode
from observability.receiving.facts import Facts
from observability.receiving.files import File
from observability.receiving.gate import check_number
from observability.receiving.identity import speaks_of_now
from observability.receiving.result import Counters
from observability.receiving.spool import DocumentSpool
from observability.receiving.statements import owner_sql
from observability.receiving.steps import Step, in_requests, portions, text_of
from observability.receiving.table_spool import TableSpool

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


def find_loaded(db: DBManager, s3: S3Manager, file: File) -> tuple[Counters, bool] | None:
    """The counters of an object that this version has loaded, and whether it says its own age.

    Such objects are left where a receiver died once it had loaded them, and come with messages
    that SQS delivers twice. Raises Blocked where too many others were loaded.
    """
    identity = {"account": file.account, "region": file.region, "receiver": THIS}
    place = {"bucket": s3.bucket, "key": file.key, "etag": file.etag}
    at = {"uploaded": file.uploaded.isoformat()}
    [[counters, dated, same, today]] = db.execute(LOADED_SQL, identity | place | at) or [
        [None, None, None, 0]
    ]
    if counters is None or not same:
        check_number(today)
    if counters is None:
        return None
    if not same:  # unless it was moved, and only its metadata say when it came
        return find_loaded(db, s3, s3.look(file)) if file.metadata is None else None
    return as_counters(counters, before=True), dated


NOT_KEPT = (
    "rows of the table statements were not written: a trigger, rule or policy leaves them out"
)
OWN_DAY = {
    ("date_from",): "period_start",
    ("period_start",): "period_start",
    ("date_to",): "period_end",
}
"""What scopes that are days are for the day that a document is about."""


@dataclass
class Load:
    """One document on its way from the spool into the database, all of it or nothing.

    One call where its rows fit a request: `load_document` is atomic by itself, and if its answer is
    lost, to repeat it is safe. Else, and to try without keeping, calls within a transaction; those
    of a large document while the rest of it is still being read.
    """

    db: DBManager
    spool: DocumentSpool
    document: dict[str, Any]
    again: bool = False  # also what this version has loaded before
    transaction: str | None = None
    counters: Counters = field(default_factory=dict)
    before: bool = False  # a receiver of this version had loaded it

    @property
    def dated(self) -> bool:
        """Whether the document says itself when it was collected."""
        return bool(self.spool.facts.meta.get("collected_at"))

    def run(self, reading: Future[Facts], *, keep: bool = True) -> None:
        """Account and document first, then each table, the derived counts last.

        Nothing is kept unless the document turns out well to its end: raises Rejected if not.
        """
        steps = self.steps() if keep else map(Step.by_itself, self.steps())
        requests = in_requests(steps, self.spool.early)
        if self.spool.ended and not self.spool.large():
            first, *more = requests
            if keep and not more:
                self.request(*first)
                return
            requests = iter([first, *more])
        with self.db.transaction(keep=keep) as self.transaction:
            if self.spool.large():
                self.db.execute(SEEN_SQL, {}, self.transaction)
            self.run_all(requests, reading)

    def run_all(
        self, requests: Iterable[tuple[Sequence[Step], bool]], reading: Future[Facts]
    ) -> None:
        """Carry out requests in turn; each is made while the one before is carried out."""
        with ThreadPoolExecutor(2, "request") as pool:
            running: Future[None] | None = None
            for steps, ends in requests:
                if ends:
                    reading.result()
                earlier, running = running, pool.submit(self.request, steps, ends, running)
                if earlier:
                    earlier.result()
                if self.before:
                    return
            if running:
                running.result()

    def request(
        self, steps: Sequence[Step], ends: bool, earlier: Future[None] | None = None
    ) -> None:
        """One call of the database with some of the document's steps, after an earlier one."""
        ours = {"loaded_by": THIS, "again": self.again, "most": DOCUMENTS_A_DAY}
        document = json.dumps(self.document | ours)
        given: dict[str, Value] = {"document": document, "steps": text_of(steps)}
        given |= {"begins": not earlier, "ends": ends}

        def turn() -> None:
            if earlier and (earlier.exception() or self.before):
                raise CancelledError
            self.db.check_time()
            self.spool.room.check_time()

        try:
            [answer] = self.db.execute(LOAD_SQL, given, self.transaction, turn=turn)
            if answer[-1]:
                statements = {digest(sql): sql for step in steps for sql in step.statements}
                keep(self.db, [statements[name] for name in answer[-1].split(",")])
                [answer] = self.db.execute(LOAD_SQL, given, self.transaction)
            self.before, today, counted, unknown = answer
            if unknown:
                raise DatabaseFault(NOT_KEPT)
        except ValueRefused as refused:
            raise self.explanation(refused, steps) from refused
        except (DatabaseFault, Rejected) as error:
            raise self.with_names(error, steps) from error
        if counted is None:
            check_number(today)
        self.counters = as_counters(counted, before=self.before)

    def explanation(self, refused: ValueRefused, steps: Sequence[Step]) -> Exception:
        """Whose fault it is that a value was refused.

        The values alone are tried once more. If PostgreSQL takes them, a generated column, an index
        or a trigger that somebody added to the table does not: its error has the same states.
        """
        values = text_of(step.values for step in steps)
        try:
            self.db.execute(RUN_SQL, {"document": 0, "steps": values})
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
        tables = {step.schema.table.stored_in or step.table for step in steps}
        found = self.db.execute(ADDED_SQL, {"own": own_names()})
        return ", ".join([name for name, table in found if table in tables][:5])

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
        """The statements of the document, category by category as they are read (`in_turn`)."""
        for spool in self.spool.in_turn():
            name = spool.schema.table.name
            if spool.schema.table.kind is not Kind.OWNER:
                yield from self.merges(name, spool)
            elif name not in LOADED_FIRST:
                for batch, _ in self.spool.batches(spool):
                    yield self.owner(spool, spool.read(batch), batch.rows)
        findings = self.spool.tables["security"]
        if findings.batches:
            yield Step("security", RECOUNT_SQL, "[]", 0, findings.schema)
        yield from self.once()
        if self.spool.known is not None:
            schema = self.spool.tables["logs"].schema
            yield Step("logs", NOTHING_SQL, "[]", 0, schema, unchanged=FORGET_CHUNKS_SQL)

    def once(self) -> Iterator[Step]:
        """Costs that other regions of the account repeat: last, as parts hang on the reports."""
        locked = False
        for spool in (self.spool.tables[name] for name in ONCE):
            name, scopes = spool.schema.table.name, self.scopes(spool) if spool.batches else []
            if scopes and not locked:
                locked = True
                yield Step(name, LOCK_ACCOUNT_SQL, "[]", 0, spool.schema)
            if scopes:
                sql, texts = once_sql(spool.schema), f"[{','.join(scopes)}]"
                yield Step(name, sql, "[]", 0, spool.schema, texts, without_meta=True)

    def owner(self, spool: TableSpool, rows: str, count: int) -> Step:
        name, schema = spool.schema.table.name, spool.schema
        sql, unchanged = owner_sql(schema, self.complete(schema.table))
        if name in PARTIAL_UPDATES:  # they say more of rows that are counted already
            return Step("cost_reports", sql, rows, 0, schema)
        return Step(name, sql, rows, count, schema, unchanged=unchanged)

    def products(self, schema: TableSchema, rows: str, count: int) -> Step:
        sql, unchanged = products_sql(schema), products_unchanged_sql(schema)
        return Step("products", sql, rows, count, schema, unchanged=unchanged)

    def owners(self, table: Table) -> Iterator[Step]:
        """What rows of a table hang on and has been met since this was last asked."""
        if table.parent and table.parent.table in LOADED_FIRST:
            spool = self.spool.tables[table.parent.table]
            while (more := spool.read_more())[1]:
                yield self.owner(spool, *more)

    def merges(self, name: str, spool: TableSpool) -> Iterator[Step]:
        """A step per batch; one without rows where the document says that there are none."""
        extent = Extent.WHOLE
        for number, (batch, last) in enumerate(self.spool.batches(spool)):
            rows = spool.read(batch)
            last = last and not spool.passed
            if number or not last:
                extent = Extent.LAST if last else Extent.MORE
            if name == "product_accounts":
                yield self.products(spool.schema, rows, batch.rows)
            yield from self.owners(spool.schema.table)
            step = self.merge(spool, extent, rows, batch.rows)
            yield self.with_chunks(step, extent, batch.chunks)
        yield from self.owners(spool.schema.table)
        if spool.passed:
            yield from self.passed_over(spool)
        elif not spool.batches and self.is_complete_listing(spool):
            yield self.merge(spool, extent, "[]", 0)
        if name == "product_accounts":
            statements = without_product_sql(named=bool(spool.batches))
            for table, sql in zip(("products", name), statements, strict=True):
                yield Step(table, sql, "[]", 0, spool.schema)

    def with_chunks(self, step: Step, extent: Extent, chunks: Sequence[dict[str, Any]]) -> Step:
        """The step of a batch so that it also notes the batch's chunks.

        While none of the table is known, with the comparison of its rows, which most likely are as
        they were. Else they have changed, or are beside such that have: they are merged without
        being compared before. What was merged is compared once more.
        """
        known, table = self.spool.known, step.schema.table
        lasting = table.kind is Kind.EVENT or self.complete(table)
        if known is None or not chunks or not lasting:  # what is not complete is never passed over
            return step
        step = replace(step, chunks=encode(chunks))
        merged = table.name in known.tables and table.kind is not Kind.EVENT
        unchanged = (
            "" if merged or not step.unchanged else unchanged_sql(step.schema, extent, noting=True)
        )
        return replace(step, unchanged=unchanged, note=note_sql(step.schema))

    def passed_over(self, spool: TableSpool) -> Iterator[Step]:
        """The chunks that the database has noted, after the rows of the others.

        Where one of those has the key of a chunk's row and other values, it is written by then, and
        the chunk is not as it was.
        """
        schema = spool.schema
        name, is_event = schema.table.name, schema.table.kind is Kind.EVENT
        if not is_event and not self.is_complete_listing(spool):
            raise NotAsNoted("the list is not complete")
        passed = pass_sql(schema)
        for chunks in portions(spool.passed) if is_event else [spool.passed]:
            numbers = json.dumps([*dict.fromkeys(c.number for c in chunks)])
            count = sum(c.rows for c in chunks)
            yield Step(name, "", numbers, count, schema, unchanged=passed)
        if not is_event:
            last = self.merge(spool, Extent.LAST, "[]", 0)
            yield replace(last, unchanged=listed_sql(schema))

    def merge(self, spool: TableSpool, extent: Extent, rows: str, count: int) -> Step:
        known = extent if self.is_complete_listing(spool) else Extent.SOME
        sql = merge_sql(spool.schema, known)
        scopes = f"[{','.join(self.scopes(spool))}]"
        shorter = (insert_sql(spool.schema, known), unchanged_sql(spool.schema, known))
        step = Step(spool.schema.table.name, sql, rows, count, spool.schema, scopes, *shorter)
        if known is Extent.WHOLE and not self.again and not self.spool.early:
            return replace(step, versions=versions_sql(spool.schema))
        return step

    def is_complete_listing(self, spool: TableSpool) -> bool:
        """Whether the document states the whole of the table, or of periods or parents in it."""
        table = spool.schema.table
        covered = spool.covered and (self.scopes(spool) or not table.scope)
        return bool(covered) and table.kind is not Kind.EVENT and self.complete(table)

    def scopes(self, spool: TableSpool) -> list[str]:
        """The periods or parents that the document states the whole of, once all is read."""
        scope = spool.schema.table.scope
        if scope:
            self.spool.wait(lambda: spool.finished)
        listed = dict(spool.scopes)
        if spool.covers_own_day and scope in OWN_DAY:
            # Also where it has no row for its own day: then there was nothing.
            listed[json.dumps({scope[0]: self.document[OWN_DAY[scope]]})] = None
        return list(listed)


def as_counters(counted: str, *, before: bool) -> Counters:
    """The counters of a document's tables; where it was loaded before, nothing was done now."""
    tables = {table: Counter(counts) for table, counts in json.loads(counted).items()}
    if not before:
        return tables
    return {t: Counter(SKIPPED=c["TOTAL"], TOTAL=c["TOTAL"]) for t, c in tables.items()}
