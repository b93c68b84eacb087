#!/usr/bin/env python3
"""Load what sender.py put under data/ into Aurora PostgreSQL, then move it to loaded/.

    S3 data/ ─ read, validate, encode ─► one call or transaction per file ─► S3 loaded/
                  (LOADERS)                 (RDS Data API)                 └► S3 rejected/ + reason

The flow of one file:

    DocumentReader   parses the S3 object as it arrives and hands its rows to the loaders
    load_*_data      one loader per category: rows of the document → rows of tables
    DocumentSpool    casts and checks every value against the catalogue, cuts batches of ≤ 3.5 MiB
    merge_sql        one statement per batch: insert, update what changed, mark what is gone
    load_document    (schema.sql) loads a document in one call; a larger one in several
    DBManager        calls of the RDS Data API, transactions, and the meaning of errors
    S3Manager        finding, reading and moving files; a move is bound to the ETag that was loaded

Types and keys of columns are read from the database's catalogue: they are stated in schema.sql
and nowhere else. Every row of a file belongs to the account and region in its S3 key.
"""

from __future__ import annotations

import argparse
import gc
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

if sys.flags.isolated and (Path(__file__).parent / "observability").is_dir():
    sys.path.insert(0, str(Path(__file__).resolve().parent))  # `python -I` does not look there

from observability.aws.errors import aws_errors
from observability.command import exit_code, print_problems, run_command, start_log
from observability.database.catalogue import TableSchema
from observability.database.client import DBManager as DBManager
from observability.database.errors import without_values
from observability.errors import (
    Blocked,
    DatabaseFault,
    Forbidden,
    NotAsNoted,
    Rejected,
    Transient,
    Unreachable,
    UsageError,
)
from observability.limits import EARLY_BYTES
from observability.loaders import LOADERS, OPTIONAL, ROW_PATHS
from observability.loaders import validate_data_structure as validate_data_structure
from observability.loaders.names import *  # noqa: F403  names that other programs use
from observability.log import Log, log_event, log_fields, log_to
from observability.reading import only_reads, prepare_report, publish_report, read
from observability.receiving.actions import chosen_action
from observability.receiving.attempts import watched
from observability.receiving.batches import load_messages, load_tasks
from observability.receiving.bucket import Changed, check_key, find_file
from observability.receiving.bucket import S3Manager as S3Manager
from observability.receiving.chunks import doubting, known_chunks
from observability.receiving.events import ObjectName, is_batch, is_sweep, messages_of, read_event
from observability.receiving.facts import DocumentProblems, Facts
from observability.receiving.files import File
from observability.receiving.forget import forget_documents
from observability.receiving.gate import check_head
from observability.receiving.identity import check_identity, document_row
from observability.receiving.known import KnownSchemas
from observability.receiving.load import Load, find_loaded
from observability.receiving.named import find_each
from observability.receiving.notices import log_problems
from observability.receiving.process import LOADERS_AT_ONCE, AtOnce, check_whole, run_loaders
from observability.receiving.reader import DocumentReader
from observability.receiving.result import (
    SETTLED,
    Counters,
    FileResult,
    FileStatus,
    deferred,
    failed,
    log_result,
    summary,
)
from observability.receiving.room import Disk, Room
from observability.receiving.spool import DocumentSpool
from observability.receiving.sweep import finish_sweep, log_calls
from observability.settings.receiver import SCRIPT, Settings, parser, with_setting
from observability.stopping import STOP, Stopped, backoff, lambda_deadline, wait


@dataclass(frozen=True)
class Receiver:
    """Everything that loading a file needs."""

    settings: Settings
    s3: S3Manager
    db: DBManager
    schemas: KnownSchemas
    dry_run: bool = False
    again: bool = False  # load a file even if this version has loaded it before
    off: frozenset[str] = frozenset()  # categories that are not loaded

    @cached_property
    def disk(self) -> Disk:
        return Disk.of_this_machine(self.settings.workers)

    def load_file(self, file: File) -> FileResult:
        """Load one file and move it; temporary failures are retried for `patience` seconds."""
        started = time.monotonic()
        deadline = started + self.settings.patience
        for attempt in count():
            try:
                self.db.check_time()
                check_head(file, self.settings.max_size)
                early = file.size > EARLY_BYTES  # for smaller files, load_document (SQL) checks it
                if early and not self.again and (known := find_loaded(self.db, self.s3, file)):
                    return self.settle(file, *known, before=True)
                with watched(self.db, self.settings.bucket, file):
                    file, chunks = self.s3.open(file)
                    return self.try_file(file, chunks, started, first=not attempt)
            except Changed:
                current = self.s3.find(file.key)
                if current is None:
                    return FileResult(file.key, FileStatus.VANISHED)
                if time.monotonic() > deadline:
                    return deferred(file.key, "replaced again and again")
                file = current
            except Rejected as refused:
                return self.refuse(file, refused)
            except Transient as transient:
                late = time.monotonic() > deadline and not isinstance(transient, NotAsNoted)
                if self.db.gave_up.is_set() or STOP.by or late:
                    if isinstance(transient, Unreachable):
                        self.db.gave_up.set()
                    return deferred(file.key, transient)
                log_event("INFO", f"{file.key}: {transient}; trying again", attempt=attempt + 1)
                wait(backoff(attempt))
        raise AssertionError("count() has no end")

    def settle(self, file: File, counters: Counters, dated: bool, before: bool) -> FileResult:
        """Move a file that is loaded; raises Changed where a newer one has taken its place."""
        if before:
            log_event("INFO", f"{file.key}: was loaded before")
        if self.dry_run:
            return FileResult(file.key, FileStatus.LOADABLE, counters)
        if not self.s3.move(file, dated=dated) and self.s3.find(file.key):
            raise Changed(file.key)  # no object: another receiver has moved it
        return FileResult(file.key, FileStatus.LOADED, counters)

    def try_file(
        self, file: File, chunks: Iterator[bytes], started: float, first: bool
    ) -> FileResult:
        """One try: read, load, move. Raises Rejected, Blocked, Transient or Changed."""
        schemas = self.schemas.read()
        refusals: tuple[type[Exception], ...] = (Rejected, DatabaseFault, *aws_errors())
        try:
            passing = first and not (self.again or self.dry_run)
            load, left_out = self.read_and_load(file, chunks, schemas, passing)
        except refusals as error:
            if self.schemas.out_of_date(schemas, started):  # then it does not count
                raise Transient("the database has another schema than before") from error
            raise
        settled = self.settle(file, load.counters, load.dated, load.before)
        return replace(settled, left_out=left_out)

    def load_document(self, file: File, chunks: Iterator[bytes]) -> FileResult:
        """Load a document from chunks that are not an S3 object (--adopt-schema)."""
        load, left_out = self.read_and_load(file, chunks, self.schemas.read(), False)
        return FileResult(file.key, FileStatus.LOADED, load.counters, left_out=left_out)

    def read_and_load(
        self, file: File, chunks: Iterator[bytes], schemas: Sequence[TableSchema], passing: bool
    ) -> tuple[Load, Counter[str]]:
        """Read a document and load it; also returns what was left out of one without meta."""
        room = Room(self.disk, self.settings.document_time)
        known = known_chunks(self.db, file, schemas, passing)
        spooled = DocumentSpool(schemas, self.off, room, file, known)
        reader = ThreadPoolExecutor(1, "reader") if spooled.early else AtOnce()
        with doubting(known, self.db, file), closing(spooled) as spool, reader as pool:
            reading = pool.submit(process_file_data, chunks, spool)
            reading.add_done_callback(lambda _: spool.end())
            try:
                load = self.load_spool(file, spool, reading)
            except DocumentProblems:
                reading.result()
                raise
            finally:
                spool.abandoned = True
            for name, times in spool.unknown_fields().items():
                log_event("INFO", f"{file.key}: {name} has no column, ignored {times} times")
        return load, spool.all_left_out() if not spool.facts.meta else Counter()

    def load_spool(self, file: File, spool: DocumentSpool, reading: Future[Facts]) -> Load:
        """Load as soon as enough has been read; raises DocumentProblems or Rejected."""
        spool.wait(spool.loadable)
        if spool.ended:
            reading.result()
        check_identity(file, spool.facts)
        row = document_row(file, spool.facts, self.settings.bucket)
        load = Load(self.db, spool, row, self.again)
        load.run(reading, keep=not self.dry_run)
        return load

    def refuse(self, file: File, refused: Rejected) -> FileResult:
        """Move a document to rejected/; a newer one under the same key is loaded next."""
        result = FileResult(file.key, FileStatus.REJECTED, reasons=refused.reasons)
        if not self.dry_run and not self.s3.reject(file, refused.reasons):
            log_event("INFO", f"{file.key}: replaced while it was refused; the newer one is next")
            result.replaced_by = self.s3.find(file.key)
        return result


def process_file_data(chunks: Iterator[bytes], spool: DocumentSpool) -> Facts:
    """Read a document and run its loaders: each reads its own part of it, and hands the rest on.

    Raises Rejected with everything that is wrong with the document, DocumentProblems once its load
    has been given up.
    """
    reader = DocumentReader(chunks, (*ROW_PATHS, "meta"), spool.known)
    loaders = [loader for loader in LOADERS if loader.category not in spool.off]
    with ThreadPoolExecutor(LOADERS_AT_ONCE, "loader") if spool.early else AtOnce() as pool:
        running = run_loaders(pool, loaders, reader, spool)
    for done in running:
        done.result()
    check_whole(reader, spool)
    return spool.facts


def load_safely(receiver: Receiver, file: File) -> FileResult:
    """Load one file in the pool; errors are logged, and affect no other file."""
    with log_fields(account=file.account, region=file.region):
        return try_to_load(receiver, file)


def try_to_load(receiver: Receiver, file: File) -> FileResult:
    """Load one file, and log the result; returns it, whatever was raised."""
    started = time.monotonic()
    try:
        result = receiver.load_file(file)
    except Transient as transient:  # stopped while waiting, or S3 does not let it be moved
        result = deferred(file.key, transient)
    except (Blocked, Forbidden, UsageError) as error:
        result = FileResult(file.key, FileStatus.FAILED, reasons=(str(error),))
    except Exception as error:  # noqa: BLE001  it must not take other files down
        Log().traceback(file.key)
        reason = f"{type(error).__name__}: {without_values(str(error))}"
        result = FileResult(file.key, FileStatus.FAILED, reasons=(reason,))
    result.seconds = time.monotonic() - started
    log_result(result)
    return result


def load_all(receiver: Receiver, files: Iterable[File]) -> list[FileResult]:
    """Load files concurrently; those of one account and region in order of their day.

    Accounts come in random order, so that receivers that run in parallel share the work.
    """
    groups: dict[tuple[str, str], list[File]] = {}
    for file in files:
        groups.setdefault((file.account, file.region), []).append(file)
    shuffled = random.sample(list(groups.values()), len(groups))

    def load_group(group: list[File]) -> list[FileResult]:
        results = []
        for file in sorted(group, key=lambda f: (f.day, f.key)):
            if STOP.by:
                break
            results.append(load_safely(receiver, file))
            while newer := results[-1].replaced_by:
                results.append(load_safely(receiver, newer))
        return results

    with ThreadPoolExecutor(receiver.settings.workers, "file") as pool:
        running: list[Future[list[FileResult]]] = [pool.submit(load_group, g) for g in shuffled]
        return [result for done in running for result in done.result()]


def connect(settings: Settings, **how: bool) -> Receiver:
    """A receiver that has not read the database's catalogue yet."""
    off = settings.off(OPTIONAL)
    db = DBManager(settings)
    return Receiver(settings, S3Manager(settings), db, KnownSchemas(db), off=off, **how)


def start(settings: Settings, **how: bool) -> Receiver:
    """Connect; raises UsageError where the schema is missing or too old."""
    receiver = connect(settings, **how)
    receiver.schemas.read()
    return receiver


kept = lru_cache(maxsize=1)(connect)
"""The receiver that a Lambda process keeps for its next events."""


RETRY = {"retry_rejected": True}
"""The event that asks for what --retry-rejected does."""

CALL_RESERVE = 90.0
"""Seconds before Lambda's own limit at which no new call is made: one may take 60."""


def lambda_handler(event: Mapping[str, Any] | None, context: Any) -> dict[str, Any]:
    """Load the documents that an event names, or everything under data/ (a sweep).

    The event may be nested in those of other services, such as SQS. An empty event or that of a
    schedule starts a sweep; {"retry_rejected": true} moves refused documents back first. For SQS it
    returns the partial batch response, so that messages that failed are delivered again. For other
    events it raises RuntimeError if something failed. What is not loaded when the time is nearly
    used up stays under data/.
    """
    log_to(sys.stderr, as_json=True)
    settings = Settings.of({})
    receiver = kept(settings)
    receiver.db.begin(lambda_deadline(context, CALL_RESERVE))
    load_objects = partial(load_named, receiver)
    if messages := messages_of(event):
        return load_messages(messages, settings.bucket, load_objects)
    if event and is_batch(event):
        return load_tasks(event, settings.bucket, load_objects)
    understood = True
    if is_sweep(event) or event == RETRY:
        results = load_waiting(receiver, retry=event == RETRY)
        publish_report(settings, receiver.s3.put, receiver.db.deadline)
    else:
        named = read_event(event, settings.bucket, "the event")
        results, understood = load_objects(named.objects), named.understood
    if failed(results) or not understood:
        more = "" if understood else "; the event is not understood, or a part of it"
        raise RuntimeError(summary(results, 0.0).splitlines()[-1] + more)
    return {"files": len(results), "rows": sum(r.totals["TOTAL"] for r in results)}


def load_waiting(receiver: Receiver, *, retry: bool) -> list[FileResult]:
    """Load everything under data/, with `retry` also what was refused before."""
    receiver.schemas.read()
    retried = receiver.s3.put_back() if retry else []
    results = load_all(receiver, list_data(receiver))
    receiver.s3.forget(retried, results)
    results += finish_sweep(receiver.s3, receiver.db)
    log_problems(receiver.db)
    return results


def load_named(receiver: Receiver, objects: Iterable[ObjectName]) -> list[FileResult]:
    """Load objects; a paused database is resumed only if there are any."""
    files, unseen = find_each(receiver.s3, {named.key: named for named in objects}.values())
    return unseen + load_all(receiver, files)


def list_data(receiver: Receiver) -> Iterator[File]:
    return receiver.s3.list_files("data/")


def act(flags: argparse.Namespace) -> int:
    """Do what the command line asks for; returns the exit code."""
    settings = Settings.of(vars(flags))
    prepare_report(settings)
    if flags.file is not None:  # an empty key, say of an unset variable, must not load everything
        check_key(flags.file, settings)
    if action := chosen_action(flags):
        return action(settings, flags, start)
    started = time.monotonic()
    receiver = start(settings, dry_run=flags.dry_run, again=bool(flags.file))
    if flags.forget is not None:
        forget_documents(receiver.s3, receiver.db, flags.forget, dry_run=flags.dry_run)
    retried = receiver.s3.put_back() if flags.retry_rejected else []
    named = [find_file(receiver.s3, flags.file, settings)] if flags.file else None
    files = named or list(list_data(receiver))
    results = load_all(receiver, files)
    receiver.s3.forget(retried, results)
    if swept := not (flags.file or flags.dry_run or STOP.by):
        results += finish_sweep(receiver.s3, receiver.db)
    log_calls(receiver.s3, receiver.db)
    print(summary(results, time.monotonic() - started, len(files) - len(results)))
    if swept:
        publish_report(settings, receiver.s3.put, receiver.db.deadline)
    if flags.dry_run:
        print("dry run: everything was rolled back, nothing was moved")
    if STOP.by:
        gone = sum(result.status in SETTLED for result in results if not flags.dry_run)
        raise Stopped(STOP.by, f"{len(files) - gone} files stay in data/")
    return int(failed(results))


def run(flags: argparse.Namespace) -> int:
    """Read or load; temporary failures and refusals are exit code 1, not 2."""
    try:
        return read(flags) if only_reads(flags) else act(flags)
    except (DatabaseFault, Rejected, Transient) as error:
        if STOP.by:
            raise Stopped(STOP.by) from None
        log_event("FAIL", str(error))
        return 1


def main(arguments: Sequence[str] | None = None, script: str = SCRIPT) -> int:
    """The command line; returns the exit code."""
    flags = parser(script).parse_args(arguments)
    start_log(flags)
    gc.freeze()  # rows have no reference cycles, so collect garbage rarely
    gc.set_threshold(100_000, 50, 100)
    sys.setswitchinterval(0.0005)  # a request goes out at once beside a document that is read
    return exit_code(
        script, lambda: run(flags), lambda error: print_problems(script, with_setting(error))
    )


def command() -> NoReturn:
    """Run as a command: a signal ends it after the files that are being loaded."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, STOP.ask)
    run_command(lambda script: main(script=script), left="what is not loaded stays in data/")


if __name__ == "__main__":
    command()
