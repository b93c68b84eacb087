"""`make demo`: two weeks of an invented company through the whole pipeline, on one machine.

It starts the embedded cloud and runs sender.py and receiver.py once a day, as a user would, with
nothing but the documented environment; the clock moves from day to day. Database and bucket are
kept in a folder. `make cloud` (--up) brings the cloud of a folder back, or plays the days first,
and stays up until Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg

from tests.cloud.company import PARTS, REGIONS
from tests.cloud.playing import DAY, EVERY_DAY, SENDER, PlayError, Stage
from tests.cloud.running import command
from tests.cloud.scripts import ROOT
from tests.cloud.story import DAYS, ONE_DAY

REPORT, ENVIRONMENT, LOG = "report.html", "cloud.env", "log.txt"
QUERY = "SELECT account_name, delivery, failing FROM account_overview"
QUERY_LINE = f'.venv/bin/python receiver.py --query "{QUERY}"'

DOCUMENTS = """
SELECT count(DISTINCT d.id), sum(CAST(c.value ->> 'CREATED' AS integer)),
       sum(CAST(c.value ->> 'UPDATED' AS integer)), sum(CAST(c.value ->> 'GONE' AS integer))
FROM documents d CROSS JOIN LATERAL jsonb_each(d.counters) c"""

COSTS = """
SELECT sum(unblended_cost), sum(previous_cost) FILTER (WHERE difference IS NOT NULL),
       sum(difference)
FROM weekly_cost_changes"""
"""As the report has it: what is compared is known in both weeks of an account."""

FINDINGS = """
SELECT count(*) FILTER (WHERE severity = 'CRITICAL'), count(*) FILTER (WHERE severity = 'HIGH')
FROM open_findings"""

GONE = """
SELECT string_agg(service_name || ' ' || resource_type || ' ' || number, ', '
                  ORDER BY service_name, resource_type)
FROM (SELECT service_name, resource_type, count(*) AS number FROM service_resources
      WHERE gone_at IS NOT NULL GROUP BY 1, 2) r"""

FRESHNESS = """
SELECT a.account_name, a.delivery, max(CAST(f.last_document_at AS date)),
       string_agg(DISTINCT c.key || ' since ' || left(c.value, 10), ', ')
FROM account_overview a
JOIN freshness f ON f.account_id = a.account_id
LEFT JOIN LATERAL jsonb_each_text(f.failing_since) c ON true
WHERE a.delivery IN ('failing', 'silent') GROUP BY 1, 2 ORDER BY 2, 1"""


def summary(connection: psycopg.Connection[Any]) -> Iterator[tuple[str, str]]:
    """What the database tells after the runs: lines by what they are about."""

    def first(query: str) -> Any:
        return connection.execute(query.encode()).fetchone()

    documents, created, updated, gone = first(DOCUMENTS)
    yield "loaded", f"{documents} documents: {created} rows created, {updated} updated, {gone} gone"
    last, before, difference = first(COSTS)
    change = f"{100 * difference / abs(before):+.1f} %" if before else "no comparison"
    yield "costs", f"{last or 0:,.0f} USD in 7 days, {change} against the 7 before"
    yield "findings", "{} critical and {} high are open".format(*first(FINDINGS))
    yield "gone", first(GONE)[0] or "nothing"
    for name, delivery, day, failing in connection.execute(FRESHNESS.encode()).fetchall():
        why = failing if delivery == "failing" else f"the last document is of {day}"
        yield delivery, f"{name}: {why}"


def play(parts: ExitStack, folder: Path, days: Sequence[int], *, verbose: bool) -> Stage:
    """Play the days, write the report and keep all of it in a folder; print what came of it."""
    now = datetime.now(UTC)
    first = now.date() - (DAYS - 1) * ONE_DAY
    folder.mkdir(parents=True, exist_ok=True)
    say("playing", f"{len(days)} daily runs for {len(PARTS)} accounts in {' and '.join(REGIONS)}")
    stage = Stage.empty(parts, first)
    live = sys.stdout.isatty() and not verbose
    log = nullcontext(None) if verbose else (folder / LOG).open("wb")
    with log as opened:
        stage.play(now, opened, show_day if live else ignore, days)
    with psycopg.connect(stage.dsn) as connection:
        for title, line in summary(connection):
            say(title, line)
    stage.keep(folder)
    write_report(stage, folder)
    return stage


def say(title: str, line: str) -> None:
    """Print one line of the summary."""
    print(f"{title:<9} {line}", flush=True)


def show_day(number: int, day: date) -> None:
    """Show on a terminal which day is played."""
    print(f"{day} ({number}/{DAYS})", end="\r", flush=True)


def ignore(_number: int, _day: date) -> None:
    """Show nothing."""


def write_report(stage: Stage, folder: Path) -> None:
    """Write the report, and say what it is called."""
    program = [sys.executable, str(ROOT / "receiver.py"), "--report", str(folder / REPORT)]
    done = subprocess.run(
        program, env=os.environ | stage.environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PlayError(f"receiver.py --report: {done.stderr.strip()}")
    say("report", str(folder / REPORT))


def stay_up(stage: Stage, folder: Path) -> None:
    """Print how to use the cloud, and wait for Ctrl-C."""
    exports = stage.environment.items()
    lines = [f"export {name}={shlex.quote(value)}" for name, value in exports]
    (folder / ENVIRONMENT).write_text("".join(f"{line}\n" for line in lines))
    print(*lines, sep="\n")
    print(f"\n# In another shell: . {folder / ENVIRONMENT}")
    print(".venv/bin/python", "sender.py", *SENDER)
    print(QUERY_LINE)
    print(shlex.join((str(stage.embedded.postgres.program("psql")), stage.dsn)))
    if (folder / REPORT).exists():
        print(f"# Report: {folder / REPORT}")
    print("# Ctrl-C ends the cloud; the folder keeps what the demo has loaded.", flush=True)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ended.set())
    ended.wait()


def days_of(text: str) -> list[int]:
    """Reads days of the story with commas between them; argparse tells its error."""
    parts = text.split(",")
    days = sorted({int(day) for day in parts}) if all(map(str.isdecimal, parts)) else []
    if not days or not set(days) <= {*EVERY_DAY}:
        raise argparse.ArgumentTypeError(f"{text!r} is not days from 1 to {DAYS} with commas")
    return days


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser("python -m tests.cloud.demo", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--up", action="store_true", help="stay up (make cloud)")
    parser.add_argument(
        "--data", type=Path, default=Path("demo-data"), metavar="DIR", help="folder (demo-data)"
    )
    parser.add_argument(
        "--days", type=days_of, default=EVERY_DAY, metavar="1,...,14",
        help="days of the story on which the scripts run (all)",
    )  # fmt: skip
    parser.add_argument("--verbose", action="store_true", help="print what the scripts print")
    return parser.parse_args()


def main() -> None:
    """Run the demo; it ends with exit code 1 if a script does otherwise than in the story."""
    options, started = parse_arguments(), time.monotonic()
    folder = options.data
    with ExitStack() as parts:
        try:
            if options.up and (folder / DAY).exists():
                stage = Stage.restored(parts, folder)
            else:
                stage = play(parts, folder, options.days, verbose=options.verbose)
            if options.up:
                stay_up(stage, folder)
                return
        except PlayError as error:
            sys.exit(f"{error}; see {folder / LOG}")
    say("query", f"make cloud, and in another shell . {folder / ENVIRONMENT}; {QUERY_LINE}")
    say("done", f"in {time.monotonic() - started:.0f} s; all is kept in {folder}/")


if __name__ == "__main__":
    command(main)
