"""What both scripts do around a run as a command: messages, signals, stdout, exit codes."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from observability.aws.errors import aws_errors
from observability.errors import UsageError
from observability.log import log_to, printable
from observability.stopping import Stopped

USAGE = 2
"""The exit code of wrong use or configuration."""


def print_problems(script: str, *lines: str) -> None:
    """Write lines that are for who runs the script, in whatever form the log has."""
    for line in lines:
        print(f"{script}: {printable(line)}", file=sys.stderr)
    sys.stderr.flush()


def start_log(flags: argparse.Namespace) -> None:
    """Log to stderr, in the form and as much as the flags say."""
    as_json = flags.log_format == "json"
    log_to(sys.stderr, as_json=as_json, verbose=bool(flags.verbose), quiet=bool(flags.quiet))


def exit_code(
    script: str, work: Callable[[], int], on_aws_error: Callable[[Exception], int]
) -> int:
    """Do the work; its exit code, or that of what went wrong, which is told in a line each.

    `on_aws_error` tells an error of AWS and returns its code.
    """
    try:
        return work()
    except UsageError as error:
        print_problems(script, *str(error).split("\n"))
    except ModuleNotFoundError as error:
        print_problems(script, f"{error.name} is missing: pip install -r requirements.txt")
    except aws_errors() as error:
        return on_aws_error(error)
    return USAGE


def run_command(main: Callable[[str], int], left: str) -> NoReturn:
    """Run a script's main function, which takes the script's name, as a command.

    `left` says what a run that a signal ends leaves behind. Threads may still wait for AWS: they
    would keep the interpreter for many seconds, so its own end is not waited for.
    """
    script = Path(sys.argv[0]).name
    try:
        code = flushed(lambda: main(script))
    except OSError as error:  # a closed or full stdout, or a file of credentials that is not there
        print_problems(script, f"{error.filename or 'stdout'}: {error.strerror or error}")
        code = 1
    except KeyboardInterrupt as error:
        by = error.by if isinstance(error, Stopped) else signal.SIGINT
        what = error.left if isinstance(error, Stopped) and error.left else left
        print_problems(script, f"stopped by {by.name}; {what}")
        code = 128 + by
    sys.stderr.flush()
    os._exit(code)


def flushed(work: Callable[[], int]) -> int:
    """The exit code of some work, once all is written that it wrote to stdout."""
    try:
        return work()
    except SystemExit as end:  # of argparse, after --help or a wrong flag
        return end.code if isinstance(end.code, int) else 0
    finally:
        print(end="", flush=True)
