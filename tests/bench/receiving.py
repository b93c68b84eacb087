"""receiver.py: throughput against the database's limit, calls, latency, memory."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from tests import documents
from tests.bench.documents import DAY, many_rows, write
from tests.bench.harness import ACCOUNT, MIB, REGION, Cost, Line, Results, query, run
from tests.bench.limit import limit_of
from tests.cloud import EmbeddedCloud
from tests.documents import Document

BATCH = 3.5 * MIB
LATENCY = 0.020
BYTES_PER_ROW = 470
FIRST, AGAIN = "first load", "the same document again"
NEWER = "the second document, rows unchanged"
PASSED = "the third document, rows unchanged"
FEW = "the fourth document, 0.1 % of the rows changed"
BOUNDS: Mapping[int, Mapping[str, float]] = {
    20_000: {PASSED: 0.3},
    200_000: {FIRST: 0.55, AGAIN: 0.5, PASSED: 0.7, FEW: 0.5},
}
"""What the throughput is to be, of that of COPY and upsert, by rows."""


@dataclass(frozen=True)
class Loaded:
    """What one run of receiver.py took, and the calls of the Data API that it made."""

    cost: Cost
    calls: int
    document_bytes: int


class Warehouse:
    """A database and a bucket of their own, and receiver.py on them."""

    def __init__(self, embedded: EmbeddedCloud) -> None:
        self.embedded = embedded
        self.environment = {
            "BUCKET": embedded.create_bucket(),
            "DB_NAME": embedded.create_database(),
        }
        run(embedded, "receiver.py", "--init-schema", **self.environment)

    @property
    def database(self) -> str:
        return self.environment["DB_NAME"]

    def put(self, made: Document, key: str) -> int:
        """Upload a document; its size in bytes."""
        with tempfile.TemporaryFile() as file:
            write(made, file)
            size = file.tell()
            file.seek(0)
            client = self.embedded.client("s3", ACCOUNT)
            client.upload_fileobj(file, self.environment["BUCKET"], key)
        return size

    def receive(self, size: int = 0) -> Loaded:
        """Load what is in the bucket."""
        self.embedded.data_api.forget_calls()
        cost = run(self.embedded, "receiver.py", **self.environment)
        return Loaded(cost, len(self.embedded.data_api.calls), size)

    def load(self, made: Document, key: str) -> Loaded:
        return self.receive(self.put(made, key))

    def tables_touched(self) -> int:
        """Tables that the last document had rows for."""
        statement = """
            SELECT count(*) FROM documents d, jsonb_each(d.counters) AS c
            WHERE d.id = (SELECT max(id) FROM documents)
              AND CAST(c.value ->> 'TOTAL' AS integer) > 0"""
        return int(str(query(self.embedded, self.database, statement)[0][0]))

    def drop(self) -> None:
        self.embedded.data_api.release_sessions()
        self.embedded.postgres.drop_database(self.database)


def collected(made: Document, hour: int) -> Document:
    """The document as a later run would collect it again."""
    made["meta"]["collected_at"] = f"{DAY + timedelta(days=1)}T{hour:02}:00:00+00:00"
    return made


@dataclass(frozen=True)
class Trial:
    """One load beside the limit for the same rows."""

    rows: int
    seconds: float
    limit: float

    @property
    def ratio(self) -> float:
        return self.limit / self.seconds


def throughput(
    embedded: EmbeddedCloud, results: Results, sizes: tuple[int, ...], times: int
) -> None:
    """Rows a second of the whole process beside COPY and one upsert per table.

    The second document of an account is compared row by row. Later ones send only the chunks of
    rows that have changed.
    """
    for size in sizes:
        trials: dict[str, list[Trial]] = {}
        for _ in range(times):
            first, touched, made = trial(embedded, size)
            for what, one in made.items():
                trials.setdefault(what, []).append(one)
        section = "Receiver: throughput of the whole process against COPY and upsert"
        results.add(section, *(rate_line(size, what, done) for what, done in trials.items()))
        line = call_line(trials[FIRST][0].rows, first, touched)
        results.add("Receiver: calls of the Data API per document", line)


def trial(embedded: EmbeddedCloud, size: int) -> tuple[Loaded, int, dict[str, Trial]]:
    """Load a document day after day into a new database: the first load, the tables that it
    touched, and each load beside the limit."""
    warehouse = Warehouse(embedded)
    key = documents.key(DAY, region=REGION)
    first = warehouse.load(many_rows(size, ACCOUNT, REGION), key)
    touched = warehouse.tables_touched()
    again = warehouse.load(many_rows(size, ACCOUNT, REGION), key)
    newer = warehouse.load(collected(many_rows(size, ACCOUNT, REGION), 4), key)
    passed = warehouse.load(collected(many_rows(size, ACCOUNT, REGION), 5), key)
    changed = many_rows(size, ACCOUNT, REGION, churn=1, every=1000)
    few = warehouse.load(collected(changed, 6), key)
    limit = limit_of(embedded, warehouse.database)
    warehouse.drop()
    later = ((AGAIN, again), (NEWER, newer), (PASSED, passed), (FEW, few))
    made = ((FIRST, first, limit.first), *((what, one, limit.again) for what, one in later))
    return (
        first,
        touched,
        {what: Trial(limit.rows, done.cost.seconds, seconds) for what, done, seconds in made},
    )


def rate_line(size: int, what: str, trials: list[Trial]) -> Line:
    """The trial whose ratio is the median, and how far the others are from it."""
    ordered = sorted(trials, key=lambda one: one.ratio)
    middle = ordered[len(ordered) // 2]
    bound = BOUNDS.get(size, {}).get(what)
    spread = f"ratio in {len(trials)} trials {ordered[0].ratio:.2f} to {ordered[-1].ratio:.2f}"
    return Line(
        f"{size:,} rows, {what}" + (f"; {spread}" if len(trials) > 1 else ""),
        f"{middle.rows / middle.seconds:,.0f} rows/s",
        f"{middle.rows / middle.limit:,.0f} rows/s",
        middle.ratio,
        f">= {bound}" if bound else "",
        middle.ratio >= bound if bound else None,
    )


def call_line(rows: int, loaded: Loaded, touched: int) -> Line:
    """Calls beside their bound, and beside one or two calls per row."""
    bound = touched + 5 + math.ceil(loaded.document_bytes / BATCH)
    return Line(
        f"{rows:,} rows, {loaded.document_bytes / MIB:.1f} MiB, {touched} tables",
        f"{loaded.calls} calls",
        f"{rows:,} to {2 * rows:,} calls, row by row",
        loaded.calls / rows,
        f"<= {bound}",
        loaded.calls <= bound,
    )


def latency(embedded: EmbeddedCloud, results: Results, files: int) -> None:
    """Small documents where every call takes 20 ms longer."""
    section = f"Receiver: with {LATENCY * 1000:.0f} ms per call"
    warehouse = Warehouse(embedded)
    size = warehouse.put(many_rows(500, ACCOUNT, REGION), documents.key(DAY, region=REGION))
    embedded.switches.latency = {"*": LATENCY}
    one = warehouse.receive(size)
    embedded.switches.reset()
    results.add(
        section,
        Line("a document of 500 rows, whole process", f"{one.cost.seconds:.2f} s",
             f"{one.calls} calls, {one.calls * LATENCY:.2f} s of waiting",
             one.cost.seconds / 1.5, "<= 1.5 s", one.cost.seconds <= 1.5)
    )  # fmt: skip
    for number in range(files):
        account = str(400_000_000_000 + number)
        made = many_rows(500, account, REGION)
        warehouse.put(made, documents.key(DAY, account, REGION))
    embedded.switches.latency = {"*": LATENCY}
    many = warehouse.receive()
    embedded.switches.reset()
    each = many.cost.seconds / files
    bound = ("< 0.1 s", each < 0.1) if files >= 200 else ()  # of fewer the start is too much
    results.add(
        section,
        Line(f"{files} such documents of {files} accounts, each", f"{each:.3f} s",
             f"{many.calls / files:.1f} calls, {many.cost.cpu / files:.3f} s CPU of receiver.py",
             each / 0.1, *bound)
    )  # fmt: skip
    warehouse.drop()


def memory(embedded: EmbeddedCloud, results: Results, megabytes: tuple[int, ...]) -> None:
    """Peak memory by the size of the document."""
    for size in megabytes:
        warehouse = Warehouse(embedded)
        made = many_rows(size * 1_000_000 // BYTES_PER_ROW, ACCOUNT, REGION)
        loaded = warehouse.load(made, documents.key(DAY, region=REGION))
        results.add(
            "Receiver: peak memory",
            Line(f"a document of {loaded.document_bytes / 1e6:,.0f} MB",
                 f"{loaded.cost.mebibytes:.0f} MiB", f"{loaded.cost.seconds:.1f} s",
                 loaded.cost.mebibytes / 200, "<= 200 MiB", loaded.cost.mebibytes <= 200)
        )  # fmt: skip
        warehouse.drop()
