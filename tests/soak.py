"""A soak: receivers that are killed at random under faults must end where one undisturbed would.

    python -m tests.soak            # 500 documents of 50 accounts, some minutes

Three receivers at a time work on one bucket. At calls drawn at random one of them is killed, or a
fault of the Data API or of S3 is planned for a call that follows. Once nothing is left in data/,
the same documents are loaded once into an empty database without faults, and all rows compared.
Exit code 1 if any differ, 2 for wrong use.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

import receiver
from tests import documents
from tests.cloud import ApiRequest, Cloud, EmbeddedCloud, Rule, Size, Switches, generate
from tests.cloud.data_api import DataApi, DataApiFaults
from tests.documents import CATEGORIES, Document, document
from tests.warehouse import Rows, Warehouse

RECEIVER = Path(receiver.__file__)
SCHEMA = RECEIVER.with_name("schema.sql")
AT_ONCE = 3
FIRST_DAY = date(2026, 11, 1)
CALLS_PER_DOCUMENT = 4
"""Fewer than a document needs, so that every kill and fault drawn meets a call."""

LARGE_EVERY = 6
"""Accounts of which one has documents that take a transaction."""

Made = list[tuple[str, Document]]


# Documents


def made_documents(accounts: int, days: int, chance: random.Random) -> Made:
    """Documents of some accounts and days, in the order in which they are to be uploaded.

    From day to day things vanish and return, findings close and reopen, costs are restated,
    categories fail, and some documents are backfilled late.
    """
    made = []
    for number in range(accounts):
        account = f"{555_500_000_000 + number}"
        for offset in range(days):
            day = FIRST_DAY + timedelta(days=offset)
            each = varied(document(day, account), day, chance)
            if number % LARGE_EVERY == 0:
                make_large(each)
            made.append((documents.key(day, account), each))
    chance.shuffle(made)
    return made


def varied(made: Document, day: date, chance: random.Random) -> Document:
    """A document in which chance decides what exists, in which state, and what was read."""
    late = chance.choice([0, 0, 0, 0, 9])
    at = datetime(day.year, day.month, day.day, 3, tzinfo=UTC) + timedelta(
        days=1 + late, seconds=chance.randrange(3600)
    )
    made["meta"]["collected_at"] = made["logs"]["date_created"] = at.isoformat()
    for category in CATEGORIES:
        made["logs"][f"{category}_status"] = chance.choice(["Pass"] * 6 + ["Fail", "Skipped"])
    made["account"]["account_name"] = chance.choice(["Shop", "Store"])
    made["account"]["product"] = ",".join(some(["Shop", "search", "Search", "Pay"], chance))
    vary_security(made, day, chance)
    vary_money(made, day, chance)
    vary_inventory(made, chance)
    return made


def make_large(made: Document) -> None:
    """Let the document take several calls in a transaction: a request has no room for its keys."""
    keys = made["security"]["kms"]
    for key in keys[:4]:
        key["description"] = (key["description"] or "-") * 1_000_000


def some(items: Sequence[Any], chance: random.Random) -> list[Any]:
    return [item for item in items if chance.random() < 0.7]


def vary_security(made: Document, day: date, chance: random.Random) -> None:
    key = made["security"]["kms"][0]
    made["security"]["kms"] = [
        {**key, "key_id": f"key-{n}", "description": chance.choice(["a", "b", None])}
        for n in some(range(20), chance)
    ]
    found = made["security"]["security_hub"][0]["findings"]
    for finding in found:
        finding["status"] = chance.choice(["NEW", "RESOLVED"])
        finding["updated_at"] = f"{day - timedelta(days=chance.randrange(3))}T12:00:00+00:00"
    made["security"]["security_hub"][0]["findings"] = some(found, chance)


def vary_money(made: Document, day: date, chance: random.Random) -> None:
    reread = [day - timedelta(days=2), day - timedelta(days=1), day]
    lines = [row for each in reread for row in documents.service_part(each)]
    made["service"] = [{**row, "cost": f"{chance.random():.10f}"} for row in some(lines, chance)]
    made["cost"] = [report for each in reread for report in documents.cost_part(each)]
    for report in made["cost"]:
        report["current_period_cost"] = f"{chance.random():.10f}"
        report["top_services"] = some(report["top_services"], chance)
    for report in made["cost"][:-1]:
        report.pop("forecast")


def vary_inventory(made: Document, chance: random.Random) -> None:
    inventory = made["inventory"]
    inventory["instances"] = some(inventory["instances"], chance)
    there = {instance["instance_id"] for instance in inventory["instances"]}
    for part in ("applications", "patches"):
        inventory[part] = [x for x in some(inventory[part], chance) if x["instance_id"] in there]
    config = made["config"]
    config["non_compliant_resources"] = some(config["non_compliant_resources"], chance)
    made["service_resources"] = some(made["service_resources"], chance)
    made["support_tickets"][0]["status"] = chance.choice(["opened", "resolved"])


# Receivers


def launch(warehouse: Warehouse, *arguments: str, **changes: str | None) -> subprocess.Popen[str]:
    """Start receiver.py on the warehouse; `changes` to its environment, None takes one away."""
    embedded = warehouse.embedded
    wanted: dict[str, str | None] = {
        **os.environ,
        **embedded.environment(embedded.analytics.id),
        "BUCKET": warehouse.bucket,
        "DB_NAME": warehouse.database,
        **changes,
    }
    environment = {name: value for name, value in wanted.items() if value is not None}
    return subprocess.Popen(
        [sys.executable, str(RECEIVER), *arguments],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@contextmanager
def short_transactions(api: DataApi) -> Iterator[None]:
    """Transactions that nobody uses end after a second, in place of AWS's three minutes."""
    usual, api.limits.idle_seconds = api.limits.idle_seconds, 1.0
    api.release_sessions()
    try:
        yield
    finally:
        api.limits.idle_seconds = usual
        api.release_sessions()


# Faults

COMMIT = "/CommitTransaction"
DATABASE_FAULTS: tuple[Callable[[DataApiFaults], None], ...] = (
    lambda faults: faults.resume(times=1),
    lambda faults: faults.fail("InternalServerErrorException"),
    lambda faults: faults.fail("InternalServerErrorException", after=True),
    lambda faults: faults.fail("ServiceUnavailableError"),
    lambda faults: faults.fail("DatabaseUnavailableException"),
    lambda faults: faults.cut(),
    lambda faults: faults.cut(after=True),
    lambda faults: faults.cut_after_commit(),
    lambda faults: faults.cut(path=COMMIT),
    lambda faults: faults.time_out(),
    lambda faults: faults.time_out(after=True),
    lambda faults: faults.vanish(),
    lambda faults: faults.vanish(path=COMMIT),
    lambda faults: faults.database_error("40001"),
    lambda faults: faults.database_error("40001", path=COMMIT),
    lambda faults: faults.database_error("40P01"),
    lambda faults: faults.still_running(),
    lambda faults: faults.connection_limit(),
)
BUCKET_OPERATIONS = ("ListObjectsV2", "GetObject", "CopyObject", "DeleteObject")
BUCKET_FAULTS: tuple[Callable[[Switches, str], Rule], ...] = (
    lambda switches, operation: switches.throttle("s3", operation, times=1),
    lambda switches, operation: switches.cut("s3", operation, times=1),
    lambda switches, operation: switches.cut("s3", operation, times=1, after=True),
    lambda switches, operation: switches.fail(
        "s3", operation, "InternalError", "We encountered an internal error.", 500, times=1
    ),
)


@dataclass
class Figures:
    """What a soak did and found. `differences` has a line for each row, file or run that is not
    as it should be."""

    files: int
    kills: int = 0
    faults: int = 0
    runs: int = 0
    rows: int = 0
    differences: list[str] = field(default_factory=list)


class Storm:
    """Receivers at work on a bucket, killed and disturbed at calls that chance has drawn."""

    def __init__(
        self, warehouse: Warehouse, figures: Figures, chance: random.Random, seconds: float
    ) -> None:
        self.warehouse, self.figures, self.chance = warehouse, figures, chance
        self.deadline = time.monotonic() + seconds
        self.calls = 0
        self.kills: list[int] = []
        self.faults: list[int] = []
        self.rules: list[Rule] = []
        self.living: list[subprocess.Popen[str]] = []
        self.lock = threading.Lock()

    def draw(self, kills: int, faults: int) -> None:
        """Draw the calls at which to kill and to disturb, the last first."""
        calls = range(AT_ONCE, self.figures.files * CALLS_PER_DOCUMENT)
        self.kills = sorted(self.chance.sample(calls, kills), reverse=True)
        self.faults = sorted(self.chance.sample(calls, faults), reverse=True)

    def run(self) -> None:
        """Keep receivers running until data/ is empty or the time is over."""
        switches = self.warehouse.embedded.switches
        switches.intercept("*", "*", self.strike)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for done in [pool.submit(self.keep_receiving) for _ in range(AT_ONCE)]:
                done.result()
        switches.reset()
        faults = self.warehouse.embedded.data_api.faults
        self.figures.faults = faults.injected.total() + sum(not r.times for r in self.rules)
        faults.clear()

    def strike(self, _request: ApiRequest) -> None:
        """Do at this call what was drawn for it."""
        with self.lock:
            self.calls += 1
            if self.faults and self.calls >= self.faults[-1]:
                self.faults.pop()
                self.disturb()
            running = [process for process in self.living if process.poll() is None]
            if self.kills and self.calls >= self.kills[-1] and running:
                self.kills.pop()
                victim = self.chance.choice(running)
                victim.kill()
                self.living.remove(victim)

    def disturb(self) -> None:
        if self.chance.random() < 0.75:
            self.chance.choice(DATABASE_FAULTS)(self.warehouse.embedded.data_api.faults)
            return
        operation = self.chance.choice(BUCKET_OPERATIONS)
        fault = self.chance.choice(BUCKET_FAULTS)
        self.rules.append(fault(self.warehouse.embedded.switches, operation))

    def keep_receiving(self) -> None:
        while time.monotonic() < self.deadline and keys(self.warehouse, "data/"):
            with self.lock:
                process = launch(self.warehouse, "--patience", "30", "--workers", "4")
                self.living.append(process)
            self.see_through(process)

    def see_through(self, process: subprocess.Popen[str]) -> None:
        """Wait for a receiver's end, and count it."""
        try:
            _, story = process.communicate(timeout=max(1.0, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            _, story = process.communicate()
        with self.lock:
            if process in self.living:
                self.living.remove(process)
            self.figures.runs += 1
            self.figures.kills += process.returncode == -9
            wrong = process.returncode not in (0, 1, -9) or "Traceback" in story
            wrong_lines = [line for line in story.splitlines() if " ERROR " in line]
            if wrong or wrong_lines:
                last = (wrong_lines or story.splitlines() or [""])[-1]
                self.figures.differences.append(f"exit code {process.returncode}: {last}")


def keys(warehouse: Warehouse, prefix: str) -> list[str]:
    """The keys under a prefix, past all faults."""
    embedded = warehouse.embedded
    client = embedded.moto.client("s3", embedded.analytics.id, embedded.analytics.home_region)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=warehouse.bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", ())]


# The soak


def run(
    warehouse: Warehouse,
    *,
    accounts: int,
    days: int,
    kills: int,
    faults: int,
    seed: int,
    seconds: float = 200.0,
) -> Figures:
    """Load documents through the storm, then without it, and compare."""
    chance = random.Random(seed)
    made = made_documents(accounts, days, chance)
    figures = Figures(len(made))
    upload(warehouse, made)
    storm = Storm(warehouse, figures, chance, seconds)
    storm.draw(kills, faults)
    storm.run()
    figures.differences += misplaced(warehouse, made)
    disturbed = warehouse.rows()
    figures.rows = sum(map(len, disturbed.values()))
    warehouse.empty()
    upload(warehouse, made)
    calm = replace(warehouse.receiver, settings=replace(warehouse.settings, workers=2))
    receiver.load_all(calm, receiver.list_data(calm))
    figures.differences += differences(disturbed, warehouse.rows())
    return figures


def upload(warehouse: Warehouse, made: Made) -> None:
    for key, each in made:
        warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=documents.encode(each))


def misplaced(warehouse: Warehouse, made: Made) -> Iterator[str]:
    """Every document must be in loaded/ and have its row, and nothing else may be there."""
    expected = {key: 1 for key, _ in made}
    yield from (f"not in loaded/: {key}" for key in keys(warehouse, "data/"))
    yield from (f"rejected: {key}" for key in keys(warehouse, "rejected/"))
    moved = Counter(key.replace("loaded/", "data/", 1) for key in keys(warehouse, "loaded/"))
    rows = warehouse.query("SELECT key FROM documents WHERE loaded_at IS NOT NULL")
    for place, found in (("loaded/", moved), ("documents", Counter(row["key"] for row in rows))):
        if found != expected:
            yield f"{place} has {found.total()} documents of {len(expected)}, or others"


def differences(disturbed: Rows, calm: Rows) -> Iterator[str]:
    """A line for each row that only one of the two databases has."""
    for table in calm:
        one, other = (Counter(map(repr, rows[table])) for rows in (disturbed, calm))
        yield from (f"{table}: only after faults: {row}" for row in (one - other).elements())
        yield from (f"{table}: only without faults: {row}" for row in (other - one).elements())


@contextmanager
def opened_warehouse() -> Iterator[Warehouse]:
    """An embedded cloud with a bucket and a database for the soak."""
    analytics = generate("111122223333", Size.empty(), 1, datetime.now(UTC).date(), ["us-east-1"])
    with EmbeddedCloud(Cloud.of(analytics)) as embedded:
        os.environ.update(embedded.environment(analytics.id))
        database = embedded.create_database()
        with psycopg.connect(embedded.postgres.dsn_for(database)) as connection:
            connection.execute(SCHEMA.read_bytes())
        with short_transactions(embedded.data_api):
            yield Warehouse(embedded, embedded.create_bucket(), database)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="tests.soak", description=(__doc__ or "").split("\n")[0])
    for name, default in (("accounts", 50), ("days", 10), ("kills", 40), ("faults", 300)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--seconds", type=float, default=900.0, help="time for the storm")
    asked = parser.parse_args(arguments)
    started = time.monotonic()
    with opened_warehouse() as warehouse:
        figures = run(warehouse, **vars(asked))
    for line in figures.differences[:20]:
        print(line[:500])
    print(
        f"{figures.files} files, {figures.kills} kills, {figures.faults} faults, "
        f"{figures.runs} runs, {figures.rows} rows, {len(figures.differences)} differences; "
        f"seed {asked.seed}, {time.monotonic() - started:.0f} s"
    )
    return 1 if figures.differences else 0


if __name__ == "__main__":
    sys.exit(main())
