"""What a run has done."""

from __future__ import annotations

import collections
import threading
from collections import Counter
from collections.abc import Iterator, Mapping

from observability.collecting.collector import NOT_ASKED
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.contract import FAIL, PASS, SKIPPED
from observability.log import Log, shortened


def log_result(log: Log, result: CategoryResult) -> None:
    """Write what there is to say of a category."""
    for kind, text in result.messages():
        log.say(kind, text, category=result.category, status=result.status)


class RunSummary:
    """What a run has done: documents, failures, what was left out.

    `accounts` is how many it is over, `over` how many of them are done; both 0 without any named.
    `regions` are those of each account that a document should come from.
    """

    def __init__(self) -> None:
        self.accounts = self.over = 0
        self.written: list[str] = []
        self.documents = 0
        self.problems: dict[str, list[str]] = collections.defaultdict(list)
        self.left_out: dict[str, list[str]] = collections.defaultdict(list)
        self.regions: dict[str, set[str]] = {}
        self.statuses: Counter[str] = Counter()
        self.rows = 0
        self.calls: Counter[str] = Counter()
        self.throttles = 0
        self.lock = threading.Lock()

    def add(self, scan: Scan, results: Mapping[str, CategoryResult]) -> None:
        """Count a region's categories in."""
        with self.lock:
            asked = (result for result in results.values() if result.skipped != NOT_ASKED)
            self.statuses.update(result.status for result in asked)
            self.rows += sum(result.total_rows for result in results.values())
            self.calls += sum((result.total_calls for result in results.values()), Counter[str]())
        if failed := [name for name, result in results.items() if result.status == FAIL]:
            self.fail(scan.account, f"{scan.region} {', '.join(failed)}")

    def add_document(self, place: str) -> None:
        """A document is uploaded."""
        with self.lock:
            self.written.append(place)
            self.documents += 1

    def fail(self, account: str, text: str) -> None:
        """Something of an account has failed."""
        with self.lock:
            self.problems[account].append(text)

    def leave_out(self, why: str, what: str) -> None:
        """Something is not read, and that is no failure."""
        with self.lock:
            self.left_out[why].append(what)

    @property
    def line(self) -> str:
        """What the run has done, in one line."""
        over = f"{self.accounts} accounts, {len(self.problems)} failed; "
        found = ", ".join(f"{self.statuses[name]} {name}" for name in (PASS, FAIL, SKIPPED))
        return (
            f"{over if self.accounts else ''}{found}; {self.rows} rows, "
            f"{self.calls.total()} calls, {self.documents} documents"
        )

    def lines(self, *, several: bool) -> Iterator[str]:
        """The documents, what was left out, which of several accounts have failed, the summary."""
        yield from sorted(self.written)
        for why, listed in sorted(self.left_out.items()):
            yield f"left out, {why}: {shortened(sorted(listed), 5)}"
        for account, problems in sorted(self.problems.items() if several else ()):
            yield f"failed, {account}: {'; '.join(sorted(problems))}"
        yield self.line
