"""What receiver.py does for those who read: --query, and --report to a file."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from observability.errors import UsageError
from observability.reading.formats import write_answer
from observability.reading.query import REACH, checked, open_database, run_query
from observability.reading.report import make_report
from observability.reading.session import read_only
from observability.settings.kinds import TO_BUCKET, read_report
from observability.settings.receiver import DRY_RUN_IS_FOR, Settings
from observability.settings.values import check_target
from observability.stopping import Stopped


def only_reads(flags: argparse.Namespace) -> bool:
    """Whether the command line asks for something that loads nothing."""
    if flags.format and flags.query is None:
        raise UsageError("--format goes with --query only")
    return flags.query is not None or report_file(flags) is not None


def report_file(flags: argparse.Namespace) -> str | None:
    """The file of --report, if that is not the bucket."""
    if flags.report is not None and not flags.report.strip():
        raise UsageError("--report is empty: give a file, or s3")
    given = read_report(flags.report) if flags.report else None
    return given if given != TO_BUCKET else None


def read(flags: argparse.Namespace) -> int:
    """Do what the command line asks for; returns the exit code."""
    settings = Settings.for_reading(vars(flags))
    if flags.dry_run:
        raise UsageError(DRY_RUN_IS_FOR)
    with ended_by_signals(), reader_blamed(settings):
        if flags.query is not None:
            return answer(settings, flags.query, flags.format)
        return write_report(settings, Path(str(report_file(flags))))


def answer(settings: Settings, sql: str, form: str | None) -> int:
    """Print the rows of a query; ends without a word where nobody reads them, as with `| head`."""
    own = checked(sys.stdin.read() if sql == "-" else sql)
    try:
        with read_only(open_database(settings, reach=REACH)) as reading:
            columns, rows = run_query(reading, own)
            write_answer(columns, rows, form)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is buffered
        return 1
    return 0


def write_report(settings: Settings, target: Path) -> int:
    """Write the report to a file."""
    check_target("--report", target)
    page, unread = make_report(settings, reach=REACH)
    target.write_text(page, encoding="utf-8")
    print(f"report written: {target}, {len(page.encode()):,} bytes")
    return int(unread > 0)


@contextmanager
def reader_blamed(settings: Settings) -> Iterator[None]:
    """Name the secret that was used where there is none of that name."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if settings.reader_secret_arn and "SecretsErrorException" in str(error):
            raise UsageError(f"READER_SECRET_ARN is wrong: {error}") from error
        raise


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the work at once: there is nothing to finish."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop(number: int, _frame: object) -> NoReturn:
    """A handler of signals."""
    raise Stopped(signal.Signals(number), "nothing was changed")
