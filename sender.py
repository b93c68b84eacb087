#!/usr/bin/env python3
"""Collect what AWS knows about an account and ship it to S3 as one JSON document.

    settings  ->  who am I (STS)  ->  which days does the bucket have already
              ->  collectors, all at once: get from AWS, shape into rows, write to a temporary file
              ->  logs (statuses, messages, calls)  ->  document  ->  S3, encrypted with SSE-KMS

A daily run reads yesterday, the last complete UTC day: what exists now, what changed since the
last document, and the costs of the last few days, because AWS corrects them. --start and --end
read past days instead, one document per day; what AWS cannot tell about a past day is Skipped
there. A run that fails in part uploads what it has, says which categories failed, and exits with 1.

stdout has the result (paths and a summary, or the document), stderr has the log.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import logging
import random
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from pathlib import Path
from typing import Any, NoReturn

if sys.flags.isolated and (Path(__file__).parent / "observability").is_dir():
    sys.path.insert(0, str(Path(__file__).resolve().parent))  # `python -I` does not look there

from observability.aws.cache import Lazy
from observability.aws.errors import DeadlineExceeded, aws_errors, describe_error
from observability.aws.limits import UPLOAD_RESERVE
from observability.aws.session import Aws
from observability.collecting.collector import NOT_ASKED, why_not
from observability.collecting.organization import assume_account_role, tags_of
from observability.collecting.parallel import run_isolated
from observability.collecting.result import CategoryResult
from observability.collecting.run import AccountRun, Run
from observability.collecting.scan import Scan, attempt
from observability.collecting.shared import SharedReads
from observability.collecting.spool import DocumentBuilder, DocumentBuilders
from observability.collectors import CATEGORIES, COLLECTORS
from observability.collectors.account import account_row
from observability.collectors.names import *  # noqa: F403  names that other programs use
from observability.command import exit_code, run_command, start_log
from observability.log import Log, log_to, printable
from observability.rows import Row
from observability.sending.accounts import find_targets
from observability.sending.bucket import (
    check_bucket,
    document_key,
    end_uploads,
    is_uploaded,
    put_locally,
    ship_document,
    why_not_uploaded,
)
from observability.sending.bucket import upload_to_s3 as upload_to_s3
from observability.sending.coverage import upload_expected_accounts
from observability.sending.document import document, encode
from observability.sending.document import set_log as set_log
from observability.sending.garbage import collect_garbage_rarely
from observability.sending.period import choose_window
from observability.sending.permissions import AWSBoto3Permissions as AWSBoto3Permissions
from observability.sending.permissions import check, list_collectors
from observability.sending.progress import LiveProgress, Progress
from observability.sending.regions import (
    UPLOADED,
    check_regions,
    enabled_regions,
    fail_region,
    is_closed,
    leave_out,
    log_of_region,
    reading_order,
    regions_to_read,
    why_closed,
)
from observability.sending.summary import RunSummary, log_result
from observability.settings.sender import (
    SCRIPT,
    Settings,
    arguments,
    read_event,
    read_settings,
)
from observability.settings.values import Target
from observability.stopping import interrupt, lambda_deadline


def run_all(
    settings: Settings, log: Log, progress: Progress, deadline: float | None = None
) -> RunSummary:
    """Collect and ship the documents of one account, or of several at once."""
    run = Run(settings, log, deadline)
    summary = RunSummary()
    wide = settings.several or settings.regions != (settings.region,)
    try:
        run.identify()
        check_regions(run.caller, settings)
        check_bucket(run.caller, settings)
        with progress.over(summary) if wide else contextlib.nullcontext():
            if settings.several:
                run_accounts(run, settings, progress, summary)
            else:
                run_account(AccountRun(run, run.caller), settings, progress, summary)
    finally:
        run.caller.stopped.set()
        end_uploads(run)
        run.caller.close()
    return summary


def run_accounts(run: Run, settings: Settings, progress: Progress, summary: RunSummary) -> None:
    """Collect several accounts at the same time; the caller lists, assumes roles and uploads."""
    log = run.caller.log

    left: dict[str, str] = {}

    def note(why: str, account: str) -> None:
        log.say("INFO", f"{account} is left out: {why}", account=account)
        summary.leave_out(why, account)
        left[account] = why

    targets = find_targets(run.caller, settings, note)
    random.shuffle(targets)  # if time runs out, other accounts are left out each day
    summary.accounts = run.slots.accounts = len(targets)
    log.say("INFO", f"{len(targets)} accounts, {settings.at_once} regions at once")
    if len(targets) >= SharedReads.LEAST and not settings.per_account_reads:
        run.shared = SharedReads(run.caller, settings, [target.account for target in targets])
    collect_garbage_rarely()
    pool = ThreadPoolExecutor(settings.at_once, "account")
    try:
        running = [
            pool.submit(run_target, run, settings, target, progress, summary) for target in targets
        ]
        for future in as_completed(running):
            future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    upload_expected_accounts(run, settings, targets, left, summary)
    if run.shared:
        summary.calls += run.shared.result.total_calls
        summary.throttles += sum(aws.throttles for aws in run.shared.administrators)
        run.shared.close()


def run_target(
    run: Run, settings: Settings, target: Target, progress: Progress, summary: RunSummary
) -> None:
    """Collect one account of several; an error is logged, and affects no other account."""
    log = run.caller.log.of(account=target.account)

    def on_error(error: Exception) -> None:
        log.say("ERROR", describe_error(error))
        summary.fail(target.account, describe_error(error))

    run_isolated(lambda: read_target(run, settings, target, progress, summary), on_error, log)
    run.slots.leave()
    with summary.lock:
        summary.over += 1


def read_target(
    run: Run, settings: Settings, target: Target, progress: Progress, summary: RunSummary
) -> None:
    """Collect one account of several, with its own tags and its own time limit."""
    if run.caller.deadline <= time.monotonic():
        raise DeadlineExceeded("the run's time is used up; the next run reads this account")
    tags: Row = dict(tags_of(run.caller, run.tags, settings, target))
    own = dataclasses.replace(settings, **tags)
    aws = assume_account_role(run.caller, own, target.account)
    try:
        run_account(AccountRun(run, aws, target.listed), own, progress, summary)
    finally:
        with summary.lock:
            summary.throttles += aws.throttles
        aws.close()


def run_account(
    account: AccountRun, settings: Settings, progress: Progress, summary: RunSummary
) -> None:
    """Collect the regions of an account and upload its documents; the home region comes first.

    How many regions are read at the same time is decided by the slots of the run.
    """
    aws, slots = account.aws, account.run.slots
    enabled = Lazy(functools.partial(enabled_regions, aws))
    regions = regions_to_read(settings, enabled, functools.partial(leave_out, aws, summary))
    settings = dataclasses.replace(settings, regions=tuple(regions))
    summary.regions[aws.account] = {*regions}
    asking = aws.for_region(log_of_region(aws.log, settings, settings.region))
    account.closed = {
        name: Lazy(functools.partial(why_closed, asking, name, enabled)) for name in regions[1:]
    }
    pool = ThreadPoolExecutor(settings.at_once, "region")
    running: list[Future[None]] = []
    try:
        for region in reading_order(settings, regions):
            try:
                slots.acquire(aws.account, aws.deadline)
            except DeadlineExceeded as error:
                fail_region(aws, summary, region, error)
                continue
            earlier = tuple(running)
            future = pool.submit(read_region, account, settings, region, progress, summary, earlier)
            future.add_done_callback(lambda _: slots.release(aws.account))
            running.append(future)
        for future in as_completed(running):
            future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        asking.close()


def read_region(
    account: AccountRun,
    settings: Settings,
    region: str,
    progress: Progress,
    summary: RunSummary,
    earlier: Sequence[Future[None]],
) -> None:
    """Collect one region of an account; an error is logged, and affects no other region."""
    aws, closed = account.aws, account.closed

    def work() -> None:
        if settings.resume and is_uploaded(account.run, aws.account, settings, region):
            leave_out(aws, summary, UPLOADED, region)
            return
        if region in closed and (why := is_closed(aws, closed[region], region)):
            leave_out(aws, summary, why, region)
            return
        own = aws.for_region(log_of_region(aws.log, settings, region))
        try:
            run_region(account, own, settings, region, progress, summary, earlier)
        finally:
            own.close()
            with summary.lock:
                summary.throttles += own.throttles

    run_isolated(work, functools.partial(fail_region, aws, summary, region), aws.log)


def run_region(
    account: AccountRun,
    aws: Aws,
    settings: Settings,
    region: str,
    progress: Progress,
    summary: RunSummary,
    earlier: Sequence[Future[None]],
) -> None:
    """Collect one region and upload its documents.

    A dry run prints them once the `earlier` regions are done, so that their order is fixed.
    """
    window, notes = choose_window(account.run, aws.account, settings, region)
    scan = Scan(account, aws, settings, region, window, notes)
    place = f"account {aws.account}, region {region}"
    account.run.caller.log.say("INFO", f"{place}, {scan.title}", account=aws.account, region=region)
    for note in scan.notes:
        aws.log.say("INFO", note)
    with contextlib.closing(scan.store):
        builders = DocumentBuilders(scan.window, scan.store)
        results = collect(scan, builders, progress)
        summary.add(scan, results)
        if settings.dry_run:
            wait(earlier)
        for builder in builders.all:
            ship(scan, builder, results, summary)


def collect(
    scan: Scan, builders: DocumentBuilders, progress: Progress
) -> dict[str, CategoryResult]:
    """Run all collectors that apply at the same time; returns the result of each category."""
    results = {
        collector.category: CategoryResult(
            collector.category, builders, required=collector.essential, lists=collector.all_lists
        )
        for collector in COLLECTORS
    }
    for builder in builders.all:
        builder.heads["account"].update(account_row(scan))
    pool = ThreadPoolExecutor(len(COLLECTORS), "collector")
    running: dict[Future[None], CategoryResult] = {}
    for collector in COLLECTORS:
        result = results[collector.category]
        result.skipped = why_not(scan, collector)
        if result.skipped is None:
            running[pool.submit(attempt, collector.collect, scan, result)] = result
        elif result.skipped != NOT_ASKED:
            log_result(scan.aws.log, result)
    with progress.showing(scan, results):
        try:
            for future in as_completed(running):
                future.result()
                log_result(scan.aws.log, running[future])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return results


def ship(
    scan: Scan, builder: DocumentBuilder, results: Mapping[str, CategoryResult], summary: RunSummary
) -> None:
    """Write a document out and upload it, or print it in a dry run."""
    settings, log = scan.settings, scan.aws.log
    with tempfile.TemporaryFile() as body:
        for piece in encode(document(scan, builder, results)):
            body.write(piece)
        if settings.dry_run:
            with summary.lock:  # regions run in parallel, but print one document at a time
                put_locally(body, settings.output, more=bool(summary.documents))
                summary.documents += 1
            return
        key = document_key("data", scan.account, scan.region, builder.start)
        place = f"s3://{settings.bucket}/{key}"
        try:
            whole = not (scan.window.backfill or settings.only)
            key, size = ship_document(scan.run, settings, key, body, whole=whole)
        except aws_errors() as error:
            failure = f"{place} is not uploaded: {why_not_uploaded(error)}"
            log.say("ERROR", failure)
            summary.fail(scan.account, failure)
        else:
            place = f"s3://{settings.bucket}/{key}"
            summary.add_document(f"{place} {size} bytes")
            log.say("SUCCESS", f"{place}: {size} bytes", key=key, size=size)


def lambda_handler(event: Mapping[str, Any] | None, context: Any) -> dict[str, Any]:
    """AWS Lambda: the event may give what EVENT_FIELDS names; the environment gives the rest.

    Raises on any failure, so that retries and alarms see it. Calls to AWS stop early enough to
    upload what was collected before Lambda's own time limit.
    """
    log_to(sys.stderr, as_json=True)
    log = Log()
    flags = read_event(event or {})
    deadline = lambda_deadline(context, UPLOAD_RESERVE)
    summary = run_all(read_settings(flags, CATEGORIES), log, Progress(), deadline)
    log.say("INFO", summary.line)
    if summary.problems:
        raise RuntimeError(f"failed: {summary.line}")
    return {"documents": sorted(summary.written), "summary": summary.line}


def collect_and_ship(settings: Settings, log: Log, *, live: bool, quiet: bool) -> int:
    """Run, and print the paths of the documents and a summary to stdout; returns the exit code."""
    started = time.monotonic()
    summary = run_all(settings, log, LiveProgress(sys.stderr) if live else Progress())
    timing = f"{time.monotonic() - started:.3f} s, {summary.calls.total()} calls"
    log.say("TIMING", timing, logging.INFO)
    stream = sys.stderr if settings.dry_run and not settings.output else sys.stdout
    if settings.output and summary.documents:
        print(settings.output)
    if not (quiet and stream is sys.stderr):  # with --quiet, stderr has failures only
        print(*map(printable, summary.lines(several=settings.several)), sep="\n", file=stream)
    return int(bool(summary.problems))


def act(flags: argparse.Namespace) -> int:
    """Do what the command line asks for; returns the exit code."""
    if flags.list:
        return list_collectors()
    uploads = not (flags.dry_run or flags.check)
    settings = read_settings(vars(flags), CATEGORIES, uploads=uploads)
    if flags.check:
        return check(settings, Log())
    live = sys.stderr.isatty() and flags.log_format == "text" and not flags.quiet
    return collect_and_ship(settings, Log(), live=live, quiet=flags.quiet)


def main(argv: Sequence[str] | None = None, script: str = SCRIPT) -> int:
    """The command line; returns the exit code."""
    flags = arguments(script).parse_args(argv)
    start_log(flags)
    return exit_code(
        script, lambda: act(flags), lambda error: Log().say("ERROR", describe_error(error))
    )


def command() -> NoReturn:
    """Run as a command: signals end it at once, though calls may still be waiting for AWS."""
    signal.signal(signal.SIGTERM, interrupt)
    run_command(lambda script: main(script=script), left="nothing half is uploaded")


if __name__ == "__main__":
    command()
