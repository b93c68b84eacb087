"""The progress of a run, on a terminal."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TextIO

from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.log import write_lines_with
from observability.sending.summary import RunSummary


class Progress:
    """Where the progress of a run is shown: nowhere, as under cron."""

    @contextlib.contextmanager
    def showing(self, scan: Scan, results: Mapping[str, CategoryResult]) -> Iterator[None]:
        """Show the progress of the categories while the block runs."""
        yield

    @contextlib.contextmanager
    def over(self, summary: RunSummary) -> Iterator[None]:
        """Show the progress of a run over several accounts or regions while the block runs."""
        yield


class RegionProgress:
    """A region that is being collected."""

    def __init__(self, scan: Scan, results: Mapping[str, CategoryResult]) -> None:
        self.scan, self.results = scan, results
        self.since = time.monotonic()

    @property
    def rows(self) -> int:
        """Rows so far."""
        return sum(result.total_rows for result in self.results.values())

    @property
    def calls(self) -> int:
        """AWS calls so far."""
        return sum(result.total_calls.total() for result in self.results.values())


class LiveProgress(Progress):
    """A table on a terminal: the categories of a region, or the regions that are being read."""

    def __init__(self, terminal: TextIO) -> None:
        from rich.console import Console

        self.console = Console(file=terminal)
        self.running: dict[tuple[str, str], RegionProgress] = {}
        self.wide = False
        write_lines_with(
            functools.partial(self.console.print, markup=False, highlight=False, soft_wrap=True)
        )

    @contextlib.contextmanager
    def showing(self, scan: Scan, results: Mapping[str, CategoryResult]) -> Iterator[None]:
        """Show the categories, or the region among those that are being read."""
        place = (scan.account, scan.region)
        shown = self.running[place] = RegionProgress(scan, results)
        try:
            with contextlib.nullcontext() if self.wide else self._live(lambda: categories(shown)):
                yield
        finally:
            del self.running[place]

    @contextlib.contextmanager
    def over(self, summary: RunSummary) -> Iterator[None]:
        """Show how far a run is, and the regions that are being read."""
        self.wide = True
        since = time.monotonic()
        with self._live(lambda: overview(summary, list(self.running.values()), since)):
            yield

    def _live(self, table: Callable[[], Any]) -> contextlib.AbstractContextManager[Any]:
        from rich.live import Live

        return Live(
            get_renderable=table, console=self.console, refresh_per_second=4, transient=True
        )


def categories(shown: RegionProgress) -> Any:
    """A table of the categories of a region: state, rows, calls and seconds."""
    from rich.table import Table

    passed = time.monotonic() - shown.since
    table = Table(
        "category", "state", "rows", "calls", "seconds", title=shown.scan.region, box=None
    )
    for name, result in shown.results.items():
        over = result.done or result.skipped is not None
        seconds = result.seconds if over else passed
        facts = (str(result.total_rows), str(result.total_calls.total()), f"{seconds:.1f}")
        table.add_row(name, result.status if over else "…", *facts)
    return table


def overview(summary: RunSummary, running: Sequence[RegionProgress], since: float) -> Any:
    """A table of the regions that are being read, under how far the whole run is."""
    from rich.table import Table

    now = time.monotonic()
    with summary.lock:
        known = sum(summary.calls.values())
    waiting = summary.accounts - summary.over
    left = f"{(now - since) / summary.over * waiting:.0f} s left" if summary.over else "…"
    done = f"{summary.over} of {summary.accounts} accounts done, {len(summary.problems)} failed"
    if not summary.accounts:
        done = f"{summary.documents} documents"
    rows = summary.rows + sum(shown.rows for shown in running)
    calls = known + sum(shown.calls for shown in running)
    throttles = summary.throttles + sum(shown.scan.aws.throttles for shown in running)
    title = (
        f"{done}, {len(running)} running; {rows} rows, {calls} calls, {throttles} throttled; {left}"
    )
    table = Table("account", "region", "rows", "calls", "seconds", title=title, box=None)
    for shown in running:
        facts = (str(shown.rows), str(shown.calls), f"{now - shown.since:.1f}")
        table.add_row(shown.scan.account, shown.scan.region, *facts)
    return table
