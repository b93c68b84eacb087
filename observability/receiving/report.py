"""What became of the files of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from observability.log import tell


class Outcome(Enum):
    LOADED = "loaded"
    LOADABLE = "loadable"  # a dry run has loaded it and rolled back
    REJECTED = "rejected"
    DEFERRED = "deferred"  # may pass later; still under data/
    FAILED = "failed"  # needs somebody; still under data/
    VANISHED = "vanished"  # somebody else took it


@dataclass
class Result:
    """What became of a file. Counters are per table: CREATED, UPDATED, SKIPPED, GONE, TOTAL."""

    key: str
    outcome: Outcome
    counters: dict[str, Counter[str]] = field(default_factory=dict)
    reasons: Sequence[str] = ()
    seconds: float = 0.0

    @property
    def totals(self) -> Counter[str]:
        return sum(self.counters.values(), Counter())


TOLD = {
    Outcome.LOADED: "SUCCESS",
    Outcome.LOADABLE: "SUCCESS",
    Outcome.REJECTED: "FAIL",
    Outcome.DEFERRED: "FAIL",
    Outcome.FAILED: "ERROR",
    Outcome.VANISHED: "INFO",
}
COUNTED = ("CREATED", "UPDATED", "SKIPPED", "GONE", "TOTAL")


def report(result: Result) -> None:
    """One line of the story per file, and its timing."""
    totals = result.totals
    facts = {"key": result.key, "outcome": result.outcome.value, **totals}
    numbers = " ".join(f"{name} {totals[name]}" for name in COUNTED)
    about = numbers if TOLD[result.outcome] == "SUCCESS" else "; ".join(result.reasons[:5])
    if len(result.reasons) > 5:
        about += f"; and {len(result.reasons) - 5} more"
    tell(TOLD[result.outcome], f"{result.outcome.value} {result.key}: {about}", **facts)
    tell("TIMING", f"{result.key}: {result.seconds:.3f} s", seconds=round(result.seconds, 3))


def summary(results: Sequence[Result], seconds: float, not_begun: int = 0) -> str:
    """Counters per table over all files, then the files by outcome."""
    tables: dict[str, Counter[str]] = {}
    for result in results:
        for name, counters in result.counters.items():
            tables[name] = tables.get(name, Counter()) + counters
    lines = [f"{'table':26}" + "".join(f"{name:>10}" for name in COUNTED)] if tables else []
    for name in sorted(tables):
        lines.append(f"{name:26}" + "".join(f"{tables[name][c]:>10}" for c in COUNTED))
    outcomes = Counter(result.outcome.value for result in results)
    outcomes += Counter({"not begun": not_begun})
    total = sum(tables.values(), Counter())
    told = ", ".join(f"{n} {outcome}" for outcome, n in sorted(outcomes.items())) or "nothing to do"
    lines.append(f"{len(results)} files ({told}), {total['TOTAL']} rows, {seconds:.1f} s")
    return "\n".join(lines)


SETTLED = (Outcome.LOADED, Outcome.VANISHED, Outcome.REJECTED)
"""What need not be tried again."""


def failed(results: Iterable[Result]) -> bool:
    return any(TOLD[result.outcome] not in ("SUCCESS", "INFO") for result in results)
