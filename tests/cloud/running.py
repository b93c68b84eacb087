"""What the demos share: running the scripts as a user would, and printing tables."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from tests.cloud.scripts import ROOT

WHOLE = ("account_id",)
"""Columns that stay on a line however narrow the terminal is."""
KEPT = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|TERM|COLORTERM|NO_COLOR|COLUMNS|LINES|LANG|LC_\w+|TZ|TMPDIR"
    r"|PYTHON\w*|LD_LIBRARY_PATH"
)
"""Variables of the user's environment that a demo runs with."""


def run(
    environment: dict[str, str], script: str, *arguments: str, codes: Sequence[int] = (0,)
) -> None:
    """Run a script of the project with this environment added to what `forget_settings` has left.

    The demo ends if the script does with another exit code than is expected.
    """
    print(f"\n$ {' '.join((script, *arguments))}", flush=True)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / script), *arguments], env=os.environ | environment
    )
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.wait()  # Ctrl-C is for the script as well, which tells what has become of its work
        raise
    if code not in codes:
        sys.exit(code or 1)


def show(
    connection: psycopg.Connection[Any], title: str, query: str, values: Sequence[Any] = ()
) -> None:
    """Print a query's rows as a table; on a narrow terminal columns not in WHOLE are folded."""
    cursor = connection.execute(query.encode(), values)
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in cursor.description or ():
        table.add_column(column.name, no_wrap=column.name in WHOLE, overflow="fold")
    for row in cursor.fetchall():
        table.add_row(*("" if value is None else str(value) for value in row))
    Console().print(table)


def forget_settings() -> None:
    """Keep of the user's environment what any program needs: no AWS, proxy or script's settings."""
    for name in [name for name in os.environ if not KEPT.fullmatch(name)]:
        del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def command(demo: Callable[[], None]) -> None:
    """Run a demo as a command: Ctrl-C ends its cloud, then it, without a traceback."""
    forget_settings()
    try:
        demo()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
