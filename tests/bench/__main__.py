"""`make bench`: what sender.py and receiver.py cost on this machine, against what is possible.

Everything is measured in this run, on the embedded cloud. QUICK=1 makes everything smaller.
`python -m tests.bench organization 1000` is that part only, over so many accounts.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator

from tests.bench import (
    before,
    growth,
    organization,
    others,
    rebuild,
    receiving,
    report,
    sending,
    views,
)
from tests.bench.harness import Line, Results, account, running_cloud
from tests.cloud import Size

QUICK = bool(os.environ.get("QUICK"))
PARTS = (
    "receiver",
    "before",
    "others",
    "sender",
    "organization",
    "growth",
    "rebuild",
    "views",
    "report",
)


def main() -> int:
    started = time.monotonic()
    results = Results()
    numbers = [argument for argument in sys.argv[1:] if argument.isdecimal()]
    wanted = {*sys.argv[1:]} - {*numbers} or {*PARTS}
    if "receiver" in wanted:
        measure_receiver(results)
    if "before" in wanted:
        with running_cloud(account(Size.empty())) as embedded:
            before.measure(embedded, results, quick=QUICK)
    if "others" in wanted:
        with running_cloud(account(Size.empty())) as embedded:
            others.measure(embedded, results, 1_000 if QUICK else 10_000)
    if "sender" in wanted:
        sending.measure(results, quick=QUICK)
    if "organization" in wanted:
        organization.measure(results, int(numbers[0]) if numbers else 16 if QUICK else 40)
    if "growth" in wanted:
        growth.measure(results, quick=QUICK)
    if "rebuild" in wanted:
        rebuild.measure(results, 5 if QUICK else 30)
    if "views" in wanted:
        views.measure(results, *((50, 30) if QUICK else (1000, 365)))
    if "report" in wanted:
        report.measure(results, 50 if QUICK else 1000, 30)
    print("\n".join(table(results)))
    print(f"\n{machine()}; {time.monotonic() - started:.0f} s altogether")
    return 0


def measure_receiver(results: Results) -> None:
    with running_cloud(account(Size.empty())) as embedded:
        sizes = (500, 20_000) if QUICK else (500, 20_000, 200_000)
        receiving.throughput(embedded, results, sizes, 1 if QUICK else 3)
        receiving.latency(embedded, results, 20 if QUICK else 200)
        receiving.memory(embedded, results, (10,) if QUICK else (10, 100, 1000))


def table(results: Results) -> Iterator[str]:
    """All lines as one Markdown table."""
    yield "| what | measured | against | ratio | bound | holds |"
    yield "|---|---|---|---|---|---|"
    for title, lines in results.sections.items():
        yield f"| **{title}** | | | | | |"
        yield from map(row, lines)


def row(line: Line) -> str:
    ratio = "" if line.ratio is None else f"{line.ratio:.3g}"
    holds = "" if line.holds is None else "yes" if line.holds else "NO"
    cells = (line.what, line.measured, line.against, ratio, line.bound, holds)
    return f"| {' | '.join(cells)} |"


def machine() -> str:
    """What it was measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    busy = "/".join(f"{load:.1f}" for load in os.getloadavg())
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"Python {platform.python_version()}, load {busy}"
    )


if __name__ == "__main__":
    sys.exit(main())
