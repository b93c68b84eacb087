"""What both scripts do around a run as a command: messages, signals, stdout, exit codes."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from observability.aws.errors import PASSING, THROTTLED, aws_errors
from observability.errors import UsageError
from observability.log import end_log, log_to, printable
from observability.rows import get_path
from observability.stopping import Stopped

FAILED, USAGE = 1, 2
"""Exit codes: something failed in this run; wrong use or configuration."""

UNCONFIGURED = frozenset({
    "ConfigNotFound", "ConfigParseError", "CredentialRetrievalError", "InvalidConfigError",
    "InvalidRegionError", "NoCredentialsError", "PartialCredentialsError", "ProfileNotFound",
    "SSOError", "SSOTokenLoadError", "TokenRetrievalError", "UnauthorizedSSOTokenError",
    "UnknownEndpointError",
})  # fmt: skip
"""Errors of the SDK before any call: what it was told, or found, lets it make none."""


def print_problems(script: str, *lines: str) -> None:
    """Write lines that are for who runs the script, in whatever form the log has."""
    for line in lines:
        sys.stderr.write(f"{script}: {printable(line)}\n")  # one write: no thread comes between
    sys.stderr.flush()


def start_log(flags: argparse.Namespace) -> None:
    """Log to stderr, in the form and as much as the flags say."""
    as_json = flags.log_format == "json"
    log_to(sys.stderr, as_json=as_json, verbose=bool(flags.verbose), quiet=bool(flags.quiet))


def is_misconfigured(error: Exception) -> bool:
    """Whether an error of AWS that ends a run is of the configuration, which somebody must correct.

    So it is where the SDK has no credentials, and where AWS refuses what it is asked: it knows no
    such credentials, bucket, cluster or secret, or denies them. What is throttled, broken or does
    not answer is a failure of this run.
    """
    response = getattr(error, "response", None)
    status = get_path(response, "ResponseMetadata.HTTPStatusCode") or 0
    code = get_path(response, "Error.Code")
    refused = 400 <= status < 500 and code not in THROTTLED | PASSING
    return refused or type(error).__name__ in UNCONFIGURED


def exit_code(script: str, work: Callable[[], int], tell: Callable[[Exception], None]) -> int:
    """Do the work; its exit code, or that of what went wrong, which is told in a line each.

    `tell` writes the line of an error of AWS.
    """
    try:
        return work()
    except UsageError as error:
        print_problems(script, *str(error).split("\n"))
    except ModuleNotFoundError as error:
        print_problems(script, f"{error.name} is missing: pip install -r requirements.txt")
    except aws_errors() as error:
        tell(error)
        return USAGE if is_misconfigured(error) else FAILED
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
        end_log()
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
