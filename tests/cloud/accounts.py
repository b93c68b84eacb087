"""Whole AWS accounts of any size, made up from a seed: the truth that tests compare rows to.

An `Account` holds plain dictionaries in AWS's own response shapes (the names, enumerations and
types of botocore's models). They are made at first use by the functions of `tests.cloud.content`,
one module per AWS service, and each depends only on the account's id, seed, size and day. One
account tells one story: the instances that EC2 lists are those that Systems Manager manages, that
findings name, that Config records and that Compute Optimizer would resize.

    account = generate("111122223333", Size.small(), seed=1, today=date(2026, 11, 22),
                       regions=["us-east-1", "eu-west-1"])
    account.items("ec2", "instances", "eu-west-1")   # DescribeInstances' Instance dictionaries
    account.items("health", "events")                # global services have no region

Lists may be changed by a test (a finding closes, a key vanishes); `touch()` then makes answers
that were remembered forget. Times are UTC and, other than those of upcoming events, before the
midnight that begins `today`.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from tests.cloud.content import CONTENT
from tests.cloud.content.words import ODD, Words

if TYPE_CHECKING:
    from tests.cloud.organization import Organization

Item = dict[str, Any]

_REVISIONS = itertools.count()

GLOBAL = ""
"""The region of what belongs to the account as a whole (health, support, costs, buckets)."""

GLOBAL_REGION = "us-east-1"
"""Where AWS serves its global services, CLOUDFRONT web ACLs among them."""


OPT_IN_REGIONS = ("ap-east-1", "me-south-1")
"""Regions that are off in an account until it opts in to them, as those in its `regions` are."""


@dataclass(frozen=True)
class Size:
    """How many of each thing there are: per region, or in the account where the thing is global."""

    instances: int = 0
    volumes: int = 0
    subnets: int = 0
    databases: int = 0
    load_balancers: int = 0
    scaling_groups: int = 0
    functions: int = 0
    buckets: int = 0
    applications_per_instance: int = 0
    patches_per_instance: int = 0
    keys: int = 0
    web_acls: int = 0
    trails: int = 0
    events: int = 0
    secrets: int = 0
    certificates: int = 0
    security_hub_findings: int = 0
    guardduty_findings: int = 0
    inspector_findings: int = 0
    config_rules: int = 0
    conformance_packs: int = 0
    evaluations_per_rule: int = 0
    advisor_checks: int = 0
    health_events: int = 0
    cases: int = 0
    licenses: int = 0
    services: int = 0
    resilience_apps: int = 0
    cost_lines: int = 0
    anomalies: int = 0
    commitments: int = 0
    contacts: bool = False

    @classmethod
    def empty(cls) -> Size:
        """An account in which nobody has done anything yet."""
        return cls()

    @classmethod
    def small(cls) -> Size:
        """Everything is present, and every list is longer than a page of `page_size` 2 to 5."""
        return cls(
            instances=8, volumes=10, subnets=6, databases=7, load_balancers=6, scaling_groups=6,
            functions=7, buckets=7, applications_per_instance=6, patches_per_instance=7, keys=8,
            web_acls=6, trails=6, events=12, secrets=8, certificates=12,
            security_hub_findings=40, guardduty_findings=18, inspector_findings=16,
            config_rules=16, conformance_packs=6, evaluations_per_rule=7, advisor_checks=12,
            health_events=14, cases=12, licenses=6, services=8, resilience_apps=7,
            cost_lines=18, anomalies=6, commitments=6, contacts=True,
        )  # fmt: skip

    @classmethod
    def large(cls) -> Size:
        """The account that the benchmarks read: 20,000 findings, 100,000 inventory items."""
        return cls(
            instances=500, volumes=800, subnets=60, databases=80, load_balancers=60,
            scaling_groups=60, functions=400, buckets=300, applications_per_instance=160,
            patches_per_instance=40, keys=2000, web_acls=100, trails=6, events=500, secrets=800,
            certificates=1000, security_hub_findings=12_000, guardduty_findings=3_000,
            inspector_findings=5_000, config_rules=400, conformance_packs=12,
            evaluations_per_rule=30, advisor_checks=250, health_events=300, cases=200,
            licenses=30, services=200, resilience_apps=60, cost_lines=220, anomalies=40,
            commitments=40, contacts=True,
        )  # fmt: skip

    def scaled(self, factor: float) -> Size:
        """Every count multiplied by the factor; what is present stays present."""
        counts = {
            name: max(1, round(count * factor))
            for name, count in vars(self).items()
            if not isinstance(count, bool) and count
        }
        return replace(self, **counts)


@dataclass
class Account:
    """One account and all that AWS would answer about it.

    `delegated_for` names the accounts whose findings and health events this one sees as their
    delegated administrator, `payer_for` those whose costs it sees as their payer.

    `today` is the day for which it was made; `passed` days later it is `day`. Its costs go up to
    that day: `spending` times the catalogue's, a service in `surges` so much more since a day.
    """

    id: str
    name: str
    email: str
    regions: tuple[str, ...]
    size: Size
    seed: int
    today: date
    created: datetime
    words: Words = ODD
    delegated_for: tuple[str, ...] = ()
    payer_for: tuple[str, ...] = ()
    passed: int = 0
    spending: float = 1.0
    surges: dict[str, tuple[date, float]] = field(default_factory=dict)
    restatements: list[date] = field(default_factory=list)
    revision: int = field(default_factory=_REVISIONS.__next__)
    _made: dict[tuple[str, str, str], list[Item]] = field(default_factory=dict, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def home_region(self) -> str:
        """The first of its regions, whose document carries what is global."""
        return self.regions[0]

    @property
    def day(self) -> date:
        """The day that it is."""
        return self.today + timedelta(days=self.passed)

    def items(self, service: str, kind: str, region: str = GLOBAL) -> list[Item]:
        """The account's things of one kind, made at first use, the same list ever after.

        A region that the account does not use holds nothing. A kind that no module of
        `tests.cloud.content` makes is a KeyError.
        """
        make = CONTENT[service, kind]
        if region and region not in (*self.regions, GLOBAL_REGION):
            return []
        key = (service, kind, region)
        with self._lock:
            if key not in self._made:
                self._made[key] = make(self, region)
            return self._made[key]

    def replace(self, service: str, kind: str, region: str, items: list[Item]) -> None:
        """Set what the account holds from now on (a resource vanishes, a finding closes)."""
        with self._lock:
            self._made[service, kind, region] = items
            self.touch()

    def touch(self) -> None:
        """Make answers forget what they remember of this account, after a list was changed."""
        self.revision = next(_REVISIONS)

    def is_off(self, region: str) -> bool:
        """Whether the account would have to opt in to a region first."""
        return region in OPT_IN_REGIONS and region not in self.regions

    def ids(self, prefix: str, region: str, count: int) -> list[str]:
        """Identifiers as EC2 forms them: the prefix and 17 hexadecimal digits."""
        return [f"{prefix}-{self.hex(17, prefix, region, number)}" for number in range(count)]

    def restate(self, since: date) -> None:
        """Change the costs of the days from `since` on, as AWS does for days afterwards."""
        self.restatements.append(since)
        self.touch()

    def random(self, *names: object) -> random.Random:
        """A source of random numbers of its own for each thing that is named."""
        return random.Random(f"{self.seed}/{self.id}/{'/'.join(map(str, names))}")

    def hex(self, length: int, *names: object) -> str:
        """Hexadecimal digits that identify the thing named, within and across accounts."""
        text = f"{self.seed}/{self.id}/{'/'.join(map(str, names))}"
        return hashlib.sha256(text.encode()).hexdigest()[:length]

    def uuid(self, *names: object) -> str:
        """An identifier in the form of a UUID for the thing named."""
        digits = self.hex(32, *names)
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"

    def arn(self, service: str, resource: str, region: str = GLOBAL) -> str:
        """The Amazon Resource Name of something of this account."""
        return f"arn:aws:{service}:{region}:{self.id}:{resource}"

    def ago(self, days: float, seconds: float = 0) -> datetime:
        """The instant so many days and seconds before the midnight that begins `today`."""
        midnight = datetime.combine(self.today, time(), UTC)
        return midnight - timedelta(days=days, seconds=seconds)


@dataclass
class Cloud:
    """All accounts, and what holds for all answers.

    `page_size` makes every page at most that long (None: AWS's own sizes); AWS may always send
    less than was asked for, so a sender has to go by the token.
    """

    accounts: dict[str, Account]
    page_size: int | None = None
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    organizations: list[Organization] = field(default_factory=list)

    @classmethod
    def of(cls, *accounts: Account, page_size: int | None = None) -> Cloud:
        """A cloud of these accounts, the clock being the machine's."""
        return cls({account.id: account for account in accounts}, page_size)

    def organization_of(self, account_id: str) -> Organization | None:
        """The organization that an account is a member of, if any."""
        found = (held for held in self.organizations if account_id in held.members)
        return next(found, None)

    def restate(self, account_id: str, since: date) -> None:
        """Change the account's costs of the days from `since` on."""
        self.accounts[account_id].restate(since)


def generate(
    account_id: str, size: Size, seed: int, today: date, regions: Sequence[str]
) -> Account:
    """An account of that size; the same arguments always give the same account."""
    tail = account_id[-4:]
    created = datetime.combine(today, time(9, 41, 27), UTC) - timedelta(days=1200 + seed % 100)
    return Account(
        id=account_id,
        name=f'O\'Neil & "Sons" {tail}',
        email=f"aws+{tail}@example.com",
        regions=tuple(regions),
        size=size,
        seed=seed,
        today=today,
        created=created,
    )
