"""receiver.py beside itself at an earlier commit, by turns on the same machine.

The documents of each version are made by its own code: what a row may hold has changed since.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tests import documents
from tests.bench.harness import ACCOUNT, REGION, ROOT, Line, Results, run, subprocess_environment
from tests.cloud import EmbeddedCloud

COMMIT = "12f44e1"
LATENCY = 0.020
SECTION = f"Receiver: beside commit {COMMIT}, by turns; the median of the ratios"
DAY = date(2026, 11, 21)
MAKE = """
import sys
from pathlib import Path
root, folder, rows, hour, region, *accounts = sys.argv[1:]
sys.path.insert(0, root)
from tests.bench.documents import many_rows, write
for account in accounts:
    made = many_rows(int(rows), account, region)
    made["meta"]["collected_at"] = f"2026-11-22T{int(hour):02}:00:00+00:00"
    with (Path(folder) / account).open("wb") as out:
        write(made, out)
"""


@contextmanager
def checked_out(commit: str) -> Iterator[Path | None]:
    """A working tree of a commit; None where the history does not have it."""
    git = ("git", "-C", str(ROOT))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / commit
        known = subprocess.run(
            [*git, "worktree", "add", "--detach", str(folder), commit],
            capture_output=True, check=False,
        )  # fmt: skip
        try:
            yield None if known.returncode else folder
        finally:
            if not known.returncode:
                subprocess.run([*git, "worktree", "remove", "--force", str(folder)], check=False)


class Version:
    """One version of the receiver, with a bucket, a database and a process of Lambda of its own."""

    def __init__(self, embedded: EmbeddedCloud, root: Path) -> None:
        self.embedded, self.root = embedded, root
        self.places = {"BUCKET": embedded.create_bucket(), "DB_NAME": embedded.create_database()}
        self.client = embedded.client("s3", ACCOUNT)
        self.receive("--init-schema")
        environment = subprocess_environment(embedded.environment(ACCOUNT) | self.places)
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("warm.py")), str(root)],
            env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def put(self, rows: int, hour: int, *accounts: str) -> list[str]:
        """Upload a document per account; their keys. What is archived of them is taken away."""
        names = []
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-c", MAKE, str(self.root), folder, str(rows), str(hour)]
            subprocess.run([*command, REGION, *accounts], check=True)
            for account in accounts:
                key = documents.key(DAY, account, REGION)
                self.client.delete_object(
                    Bucket=self.places["BUCKET"], Key=key.replace("data/", "loaded/")
                )
                self.client.upload_file(str(Path(folder) / account), self.places["BUCKET"], key)
                names.append(key)
        return names

    def receive(self, *arguments: str) -> float:
        """Seconds of receiver.py."""
        return run(self.embedded, str(self.root / "receiver.py"), *arguments, **self.places).seconds

    def handle(self, key: str) -> float:
        """Seconds of the process of Lambda for an event that names an object."""
        head = self.client.head_object(Bucket=self.places["BUCKET"], Key=key)
        held = {"key": key, "size": head["ContentLength"], "eTag": head["ETag"].strip('"')}
        record = {"s3": {"bucket": {"name": self.places["BUCKET"]}, "object": held}}
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"Records": [record]}) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        """End the process and drop the database."""
        self.process.terminate()
        self.process.wait()
        self.embedded.data_api.release_sessions()
        self.embedded.postgres.drop_database(self.places["DB_NAME"])


@dataclass(frozen=True)
class Pair:
    """What one round of both versions took."""

    now: float
    then: float


Measured = Callable[[Version, str], Iterator[tuple[str, float]]]


def warm(version: Version, account: str) -> Iterator[tuple[str, float]]:
    """One document in a process that has loaded others."""
    for what, hour in (("first", 3), ("unchanged", 4)):
        [key] = version.put(500, hour, account)
        yield f"500 rows in a warm process of Lambda, {what}", version.handle(key)


def whole(version: Version, account: str) -> Iterator[tuple[str, float]]:
    """One document, the whole process."""
    version.put(500, 3, account)
    yield "500 rows, whole process", version.receive()


def many(number: int) -> Measured:
    """Documents of so many accounts in one process."""

    def load(version: Version, account: str) -> Iterator[tuple[str, float]]:
        accounts = [str(int(account) + n) for n in range(number)]
        for what, hour in (("first", 3), ("unchanged", 4)):
            version.put(500, hour, *accounts)
            yield f"{number} documents of 500 rows, each, {what}", version.receive() / number

    return load


def large(rows: int) -> Measured:
    """One large document: first, the same object again, newer ones."""

    def load(version: Version, account: str) -> Iterator[tuple[str, float]]:
        days = (("first", 3), ("the same again", 3), ("second", 4), ("third", 5))
        for what, hour in days:
            version.put(rows, hour, account)
            name = f"{what} document, unchanged" if hour > 3 else what
            yield f"{rows:,} rows, {name}", version.receive()

    return load


BOUNDS = {
    "500 rows in a warm process of Lambda, first": 0.45,
    "500 rows in a warm process of Lambda, unchanged": 0.37,
    "500 rows, whole process": 0.8,
    "200 documents of 500 rows, each, first": 0.9,
    "200 documents of 500 rows, each, unchanged": 0.65,
}
SLOWER = 1.1
"""Nothing else may take longer than this times as long."""


def measure(embedded: EmbeddedCloud, results: Results, *, quick: bool) -> None:
    """Every way of loading by both versions."""
    with checked_out(COMMIT) as folder, ExitStack() as stack:
        if folder is None:
            results.add(SECTION, Line("not compared", f"the history has no {COMMIT}"))
            return
        now, then = Version(embedded, ROOT), Version(embedded, folder)
        stack.callback(now.close)
        stack.callback(then.close)
        rounds = 3 if quick else 7
        compare(results, now, then, warm, rounds + 1)
        compare(results, now, then, whole, rounds)
        compare(results, now, then, many(20 if quick else 200), 2 if quick else 5)
        for rows in (20_000,) if quick else (20_000, 200_000):
            compare(results, now, then, large(rows), 3, latency=0.0)


def compare(
    results: Results, now: Version, then: Version, load: Measured, rounds: int,
    latency: float = LATENCY,
) -> None:  # fmt: skip
    """Load by turns, documents of new accounts in each round; a line per thing measured."""
    switches, pairs = now.embedded.switches, dict[str, list[Pair]]()
    for number in range(rounds):
        account = str(int(ACCOUNT) + 1000 * (next(NUMBERS)))
        switches.latency = {"*": latency}
        taken: dict[Version, dict[str, float]] = {}
        for version in (now, then) if number % 2 else (then, now):
            taken[version] = {}
            for what, seconds in load(version, account):
                taken[version][what] = seconds
        switches.reset()
        if load is warm and number == 0:
            continue  # it was not warm yet
        for what, seconds in taken[now].items():
            pairs.setdefault(what, []).append(Pair(seconds, taken[then][what]))
    results.add(SECTION, *(line(what, done) for what, done in pairs.items()))


NUMBERS = iter(range(1, 1_000_000))


def line(what: str, pairs: list[Pair]) -> Line:
    """The median of the rounds' ratios, and of the seconds."""
    ratio = statistics.median(pair.now / pair.then for pair in pairs)
    now, then = (statistics.median(x) for x in zip(*((p.now, p.then) for p in pairs), strict=True))
    bound = BOUNDS.get(what, SLOWER)
    return Line(what, f"{now:.3f} s", f"{then:.3f} s", ratio, f"<= {bound}", ratio <= bound)
