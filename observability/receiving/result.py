"""What became of the files of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from observability.log import log_event
from observability.receiving.files import File


class FileStatus(Enum):
    LOADED = "loaded"
    LOADABLE = "loadable"  # a dry run has loaded it and rolled back
    REJECTED = "rejected"
    DEFERRED = "deferred"  # may pass later; still under data/
    FAILED = "failed"  # needs somebody; still under data/
    VANISHED = "vanished"  # somebody else took it


Counters = dict[str, Counter[str]]
"""By table."""


@dataclass
class FileResult:
    """What became of a file. Counters are per table: CREATED, UPDATED, SKIPPED, GONE, TOTAL.

    REWRITTEN is there where rows about days that are long over were changed.
    """

    key: str
    status: FileStatus
    counters: Counters = field(default_factory=dict)
    reasons: Sequence[str] = ()
    seconds: float = 0.0
    left_out: Counter[str] = field(default_factory=Counter)  # values by table.column, rows by table
    replaced_by: File | None = None  # a newer one, which nobody has loaded yet

    @property
    def totals(self) -> Counter[str]:
        totals = Counter[str]()
        for counters in self.counters.values():
            totals.update(counters)
        return +totals


def deferred(key: str, reason: object) -> FileResult:
    """A file that stays under data/, as what is in its way may pass."""
    return FileResult(key, FileStatus.DEFERRED, reasons=(str(reason),))


LOG_KINDS = {
    FileStatus.LOADED: "SUCCESS",
    FileStatus.LOADABLE: "SUCCESS",
    FileStatus.REJECTED: "FAIL",
    FileStatus.DEFERRED: "FAIL",
    FileStatus.FAILED: "ERROR",
    FileStatus.VANISHED: "INFO",
}
COUNTED = ("CREATED", "UPDATED", "SKIPPED", "GONE", "TOTAL")


def log_result(result: FileResult) -> None:
    """One line of the story per file, and its timing."""
    totals = result.totals
    facts = {"key": result.key, "outcome": result.status.value, **totals}
    numbers = " ".join(f"{name} {totals[name]}" for name in COUNTED)
    about = numbers if LOG_KINDS[result.status] == "SUCCESS" else "; ".join(result.reasons[:5])
    if len(result.reasons) > 5:
        about += f"; and {len(result.reasons) - 5} more"
    log_event(LOG_KINDS[result.status], f"{result.status.value} {result.key}: {about}", **facts)
    if result.left_out:
        text = f"{result.key}: left out of a document without meta: {listed(result.left_out)}"
        log_event("INFO", text, left_out=dict(result.left_out))
    if rewritten := totals["REWRITTEN"]:
        text = f"{result.key}: {rewritten_text(rewritten)}"
        log_event("INFO", text, rewritten=rewritten)
    log_event("TIMING", f"{result.key}: {result.seconds:.3f} s", seconds=round(result.seconds, 3))


def rewritten_text(rewritten: int) -> str:
    """How many rows were changed that should not change any more (schema.sql: rewritten)."""
    return f"{rewritten} rows about days over 35 days ago were rewritten"


def listed(left_out: Counter[str]) -> str:
    return ", ".join(f"{name} {times}" for name, times in sorted(left_out.items()))


def summary(results: Sequence[FileResult], seconds: float, not_begun: int = 0) -> str:
    """Counters per table over all files, then the files by outcome."""
    tables: dict[str, Counter[str]] = {}
    for result in results:
        for name, counters in result.counters.items():
            tables.setdefault(name, Counter()).update(counters)
    lines = [f"{'table':26}" + "".join(f"{name:>10}" for name in COUNTED)] if tables else []
    for name in sorted(tables):
        lines.append(f"{name:26}" + "".join(f"{tables[name][c]:>10}" for c in COUNTED))
    left_out = sum((result.left_out for result in results), Counter[str]())
    if left_out:
        lines.append(f"left out of documents without meta: {listed(left_out)}")
    if rewritten := sum(result.totals["REWRITTEN"] for result in results):
        lines.append(rewritten_text(rewritten))
    outcomes = Counter(result.status.value for result in results)
    outcomes += Counter({"not begun": not_begun})
    total = sum(tables.values(), Counter())
    by_status = (
        ", ".join(f"{n} {outcome}" for outcome, n in sorted(outcomes.items())) or "nothing to do"
    )
    lines.append(f"{len(results)} files ({by_status}), {total['TOTAL']} rows, {seconds:.1f} s")
    return "\n".join(lines)


SETTLED = (FileStatus.LOADED, FileStatus.VANISHED, FileStatus.REJECTED)
"""What need not be tried again."""


def failed(results: Iterable[FileResult]) -> bool:
    return any(LOG_KINDS[result.status] not in ("SUCCESS", "INFO") for result in results)
