"""sender.py over an organization: accounts per minute, memory, calls and money, in one run and in
many separate ones.

With BESIDE=DIRECTORY the sender of another checkout reads the same accounts in the same session,
before and after: the machine may be busy, so what counts are the ratios, of CPU above all.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.harness import ACCOUNT, ROOT, Cost, Line, Results, run_command, running_cloud
from tests.bench.sending import DOLLARS_PER_REQUEST, paid
from tests.cloud import EmbeddedCloud, Size, generate
from tests.cloud.organization import Organization

REGIONS = ("us-east-1", "eu-west-1", "eu-central-1")
BESIDE = os.environ.get("BESIDE", "")
SEPARATE = 3
"""Accounts that are read by a run of their own each, for comparison."""
SECTION = "Organization: empty accounts in three regions"


@dataclass(frozen=True)
class Sent:
    """What one run over so many accounts took, and its calls by `service Operation`."""

    accounts: int
    cost: Cost
    calls: Counter[str]

    @property
    def per_minute(self) -> float:
        """Accounts a minute."""
        return 60 * self.accounts / self.cost.seconds

    @property
    def calls_each(self) -> float:
        """Calls per account."""
        return self.calls.total() / self.accounts

    @property
    def dollars_each(self) -> float:
        """What AWS charges per account."""
        return paid(self.calls) * DOLLARS_PER_REQUEST / self.accounts


def measure(results: Results, accounts: int) -> None:
    """One run over so many accounts and one over a tenth, beside separate runs of a few."""
    today = datetime.now(UTC).date()
    made = [
        generate(str(int(ACCOUNT) + number), Size.empty(), 1, today, REGIONS)
        for number in range(accounts)
    ]
    organization = Organization(made[0])
    for account in made[1:]:
        organization.join(account, customer="Example Corp")
    with running_cloud(*made) as embedded:
        embedded.cloud.organizations.append(organization)
        names = [account.id for account in made]
        few = together(embedded, names, max(accounts // 10, 8))
        apart = [separate(embedded, name) for name in names[-SEPARATE:]]
        roots = [Path(BESIDE), ROOT, Path(BESIDE)] if BESIDE else [ROOT]
        runs = [together(embedded, names, accounts, root) for root in roots]
    whole = runs[len(runs) // 2]
    tell(results, whole, few, apart)
    if BESIDE:
        compare(results, whole, runs[0], runs[-1])


def together(embedded: EmbeddedCloud, names: list[str], some: int, root: Path = ROOT) -> Sent:
    """One run over so many of the organization's accounts, all but the first of them by a role."""
    excluded = ("--exclude-accounts", ",".join(names[some:])) if names[some:] else ()
    return send(embedded, ACCOUNT, some, "--organization", *excluded, root=root)


def separate(embedded: EmbeddedCloud, name: str) -> Sent:
    """A run of an account's own."""
    return send(embedded, name, 1)


def send(
    embedded: EmbeddedCloud, caller: str, accounts: int, *arguments: str, root: Path = ROOT
) -> Sent:
    """Run sender.py into an empty bucket."""
    embedded.forget_calls()
    arguments = ("--regions", ",".join(REGIONS), "--time-limit", "7200", *arguments)
    bucket = embedded.create_bucket()
    environment = embedded.environment(caller) | {"BUCKET": bucket}
    cost = run_command([sys.executable, str(root / "sender.py"), *arguments], environment)
    calls = Counter(f"{c.service} {c.operation}" for c in embedded.calls if c.attempt == 1)
    print(f"{accounts} accounts in {cost.seconds:.1f} s", file=sys.stderr)
    return Sent(accounts, cost, calls)


def tell(results: Results, whole: Sent, few: Sent, apart: list[Sent]) -> None:
    """The lines of the table; separate runs are taken to follow one another."""
    seconds = sum(sent.cost.seconds for sent in apart) / len(apart)
    cpu = sum(sent.cost.cpu for sent in apart) / len(apart)
    calls = sum(sent.calls_each for sent in apart) / len(apart)
    dollars = sum(sent.dollars_each for sent in apart) / len(apart)
    runs = f"separate runs, by {len(apart)} that were measured"
    results.add(
        SECTION,
        Line(
            f"one run over {whole.accounts:,} accounts",
            f"{whole.per_minute:.0f} accounts a minute",
            f"{runs}: {60 / seconds:.0f}",
            whole.per_minute * seconds / 60,
        ),
        Line(
            "CPU per account",
            f"{whole.cost.cpu / whole.accounts:.2f} s",
            f"{runs}: {cpu:.2f} s",
            whole.cost.cpu / whole.accounts / cpu,
        ),
        Line(
            "peak memory",
            f"{whole.cost.mebibytes:.0f} MiB",
            f"{few.accounts:,} accounts: {few.cost.mebibytes:.0f} MiB",
            whole.cost.mebibytes / few.cost.mebibytes,
        ),
        Line(
            "calls per account",
            f"{whole.calls_each:.1f}",
            f"{runs}: {calls:.1f}",
            whole.calls_each / calls,
        ),
        Line(
            "dollars per account and day",
            f"${whole.dollars_each:.3f}",
            f"{runs}: ${dollars:.3f}",
            whole.dollars_each / dollars,
        ),
    )


def compare(results: Results, ours: Sent, *theirs: Sent) -> None:
    """The lines about another checkout's sender; of its runs the mean counts."""
    pace = sum(sent.per_minute for sent in theirs) / len(theirs)
    cpu = sum(sent.cost.cpu for sent in theirs) / len(theirs)
    memory = sum(sent.cost.mebibytes for sent in theirs) / len(theirs)
    results.add(
        SECTION,
        Line(
            "beside the other checkout: accounts a minute",
            f"{ours.per_minute:.0f}",
            f"{pace:.0f}",
            ours.per_minute / pace,
        ),
        Line(
            "beside the other checkout: CPU per account",
            f"{ours.cost.cpu / ours.accounts:.2f} s",
            f"{cpu / ours.accounts:.2f} s",
            ours.cost.cpu / cpu,
        ),
        Line(
            "beside the other checkout: peak memory",
            f"{ours.cost.mebibytes:.0f} MiB",
            f"{memory:.0f} MiB",
            ours.cost.mebibytes / memory,
        ),
    )
