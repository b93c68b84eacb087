"""Reads that serve all accounts of a run at once: the same rows as by account, for less money."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import receiver
import sender
from tests.cloud import Account, ApiRequest, EmbeddedCloud, Size
from tests.cloud.models import operation_model
from tests.cloud.organization import Organization
from tests.conftest import REGIONS, MakeAccount
from tests.warehouse import Rows, Warehouse

MEMBERS = 6
ROLE = "ObservabilityReader"
BUYERS = Size(cost_lines=14, licenses=2, anomalies=3)
"""Accounts that have taxes and refunds, which share a usage type, and have bought two products on
AWS Marketplace, which share one as well: four services to be asked for by themselves."""
PLAIN = Size(cost_lines=9)
"""Accounts of which each usage type belongs to one service."""


@dataclass
class Family:
    """A payer and its members, and where their documents go."""

    embedded: EmbeddedCloud
    warehouse: Warehouse
    organization: Organization
    accounts: list[Account] = field(default_factory=list)

    @property
    def payer(self) -> Account:
        """The account that runs the sender."""
        return self.accounts[0]

    def requests(self, *operations: str) -> Counter[str]:
        """How many requests of operations each account has made; they are forgotten then."""
        wanted = operations or ("GetCostAndUsage",)
        found = Counter(call.account for call in self.embedded.calls if call.operation in wanted)
        self.embedded.calls.clear()
        return found


SHARING = re.compile(r"costs|(Security Hub|GuardDuty|Inspector) in ")
"""How what is said of shared reads begins."""

MakeFamily = Callable[..., Family]
Send = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def make_family(
    embedded: EmbeddedCloud, make_account: MakeAccount, warehouse: Warehouse
) -> MakeFamily:
    """Makes an organization of accounts of one size, whose payer may read all of them."""

    def make(size: Size, count: int = MEMBERS) -> Family:
        accounts = [make_account(size) for _ in range(count)]
        family = Family(embedded, warehouse, Organization(accounts[0]), accounts)
        embedded.cloud.organizations.append(family.organization)
        for account in family.accounts[1:]:
            family.organization.join(account)
            embedded.keys.make_role(account.id, ROLE, family.payer.id)
        return family

    return make


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Send:
    """Runs the sender as an account of a family: (exit code, what the log says)."""

    def run(
        family: Family,
        *flags: str,
        caller: Account | None = None,
        only: str = "cost,service,marketplace",
    ) -> tuple[int, list[str]]:
        environment = family.embedded.environment((caller or family.payer).id)
        for name, value in (environment | {"BUCKET": family.warehouse.bucket}).items():
            monkeypatch.setenv(name, value)
        code = sender.main(["--log-format", "json", "--only", only, *flags])
        lines = capsys.readouterr().err.splitlines()
        story = [json.loads(line)["message"] for line in lines if line.startswith("{")]
        return code, [text for text in story if SHARING.match(text)]

    return run


def load(family: Family) -> Rows:
    """The rows that come of the documents, which are used up; those about runs are left out."""
    warehouse = family.warehouse
    with pytest.MonkeyPatch.context() as patch:
        for name, value in family.embedded.environment(family.embedded.analytics.id).items():
            patch.setenv(name, value)
        results = receiver.load_all(warehouse.receiver, receiver.list_data(warehouse.receiver))
    assert {result.outcome for result in results} == {receiver.Outcome.LOADED}
    rows = warehouse.rows()
    warehouse.empty()
    s3, bucket = warehouse.s3, warehouse.bucket
    for held in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        s3.delete_object(Bucket=bucket, Key=held["Key"])
    return {name: found for name, found in rows.items() if name not in ("logs", "log_messages")}


COSTS = ("services", "cost_reports", "service_costs")


def same(ours: Rows, theirs: Rows, filled: tuple[str, ...] = COSTS) -> None:
    """Fail unless all tables have the same rows, and these have any."""
    for table, rows in ours.items():
        assert rows == theirs[table], table
    for table in filled:
        assert ours[table], table


def past(days: int) -> tuple[str, ...]:
    """The flags of a backfill of so many days."""
    last = datetime.now(UTC).date() - timedelta(days=1)
    return ("--start", str(last - timedelta(days=days - 1)), "--end", str(last))


@pytest.mark.parametrize("page_size", [None, 7])
@pytest.mark.parametrize("flags", [(), past(4)], ids=["yesterday", "past days"])
@pytest.mark.parametrize(("size", "queries"), [(PLAIN, 2), (BUYERS, 2 + 4)], ids=["plain", "mixed"])
def test_the_payers_costs_are_those_that_each_account_reads(
    size: Size,
    queries: int,
    flags: tuple[str, ...],
    page_size: int | None,
    make_family: MakeFamily,
    send: Send,
) -> None:
    family = make_family(size)
    family.embedded.cloud.page_size = page_size
    family.requests()
    code, told = send(family, "--organization", *flags)
    assert (code, told) == (0, [f"costs of {MEMBERS} accounts are read at once by their payer"])
    asked = family.requests()
    shared = load(family)
    family.requests()
    assert send(family, "--organization", "--per-account-reads", *flags) == (0, [])
    by_account = family.requests()
    assert asked.keys() == {family.payer.id}
    assert by_account.keys() == {account.id for account in family.accounts}
    if page_size is None:
        assert asked.total() == queries
        assert by_account.total() == MEMBERS
    same(shared, load(family))


def grouped_by_account(request: ApiRequest) -> bool:
    """Whether a request to Cost Explorer is about several accounts at once."""
    return "LINKED_ACCOUNT" in [held["Key"] for held in request.params.get("GroupBy", ())]


def test_accounts_read_their_own_costs_where_their_payer_is_refused(
    make_family: MakeFamily, send: Send
) -> None:
    family = make_family(PLAIN)
    family.embedded.switches.deny("ce", "GetCostAndUsage", predicate=grouped_by_account)
    code, [told] = send(family, "--organization")
    assert code == 0
    assert "accounts read their own, since ce:GetCostAndUsage denied" in told
    asked = family.requests()
    assert asked == dict.fromkeys([a.id for a in family.accounts], 1) | {family.payer.id: 3}
    fallen_back = load(family)
    send(family, "--organization", "--per-account-reads")
    same(fallen_back, load(family))


def test_costs_that_change_while_they_are_read_are_read_by_account(
    make_family: MakeFamily, send: Send
) -> None:
    """A usage type that the second query tells of, and the first one did not."""
    family = make_family(PLAIN)
    first = family.accounts[1].items("ce", "lines")
    line = first[0]["line"]

    def another(_request: ApiRequest) -> None:
        changed = replace(line, usage_type="Another")
        family.accounts[1].replace("ce", "lines", "", [*first, {"line": changed}])

    switches = family.embedded.switches
    switches.intercept("ce", "GetCostAndUsage", another, predicate=grouped_by_account)
    code, [told] = send(family, "--organization", only="service")
    assert code == 0
    assert told.endswith("since costs have changed while they were read")
    fallen_back = load(family)
    send(family, "--organization", "--per-account-reads", only="service")
    same(fallen_back, load(family), ("services",))


def test_a_caller_that_pays_for_nobody_asks_nothing_of_cost_explorer_in_vain(
    make_family: MakeFamily, send: Send
) -> None:
    family = make_family(PLAIN)
    caller, *others = family.accounts[1:]
    for account in others:
        family.embedded.keys.make_role(account.id, ROLE, caller.id)
    family.requests()
    named = ",".join(account.id for account in (caller, *others))
    code, [told] = send(family, "--accounts", named, caller=caller)
    assert code == 0
    assert told.endswith("since the caller is not their payer")
    assert family.requests() == dict.fromkeys([a.id for a in (caller, *others)], 1)


def test_few_accounts_read_their_own_costs(make_family: MakeFamily, send: Send) -> None:
    """Two do not ask; three find that many services of the same usage type cost more requests."""
    family = make_family(BUYERS)
    for count, payers_own in ((2, 1), (3, 2)):
        named = [account.id for account in family.accounts[:count]]
        family.requests()
        code, told = send(family, "--accounts", ",".join(named))
        assert code == 0
        asked = dict.fromkeys(named, 1) | {family.payer.id: payers_own}
        assert family.requests() == asked
        more = "costs: accounts read their own, since that takes no more requests"
        assert told == [more] * (payers_own - 1)
        load(family)


def test_an_account_that_has_missed_days_reads_its_own_costs(
    make_family: MakeFamily, send: Send
) -> None:
    family = make_family(PLAIN)
    late = family.accounts[3]
    today = datetime.now(UTC).date()
    key = f"loaded/{late.id}/{late.home_region}/{today - timedelta(days=9)}_DAILY.json"
    warehouse = family.warehouse

    def run(*flags: str) -> tuple[Counter[str], Rows]:
        warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=b"{}")
        family.requests()
        code, _ = send(family, "--organization", *flags)
        assert code == 0
        return family.requests(), load(family)

    asked, shared = run()
    assert asked == {family.payer.id: 2, late.id: 1}
    _, by_account = run("--per-account-reads")
    same(shared, by_account)
    days = Counter(row["account_id"][0] for row in shared["cost_reports"])
    assert days[late.id] == 8
    assert set(days.values()) == {8, 3}


def test_forecasts_and_anomalies_cannot_be_shared() -> None:
    """AWS has no way to ask for several accounts' forecasts apart from each other."""
    shape: Any = operation_model("ce", "GetCostForecast").input_shape
    assert "GroupBy" not in shape.members


# Findings

FINDERS = Size(
    instances=2, buckets=2, functions=2, security_hub_findings=12, guardduty_findings=9,
    inspector_findings=8,
)  # fmt: skip
FOUND = ("findings", "guard_duty_findings", "inspector_findings", "security")
LISTINGS = ("GetFindings", "ListFindings")
"""What Security Hub, GuardDuty and Inspector call theirs."""
ADMINISTERED = ("securityhub.amazonaws.com", "guardduty.amazonaws.com", "inspector2.amazonaws.com")


def known(family: Family, *accounts: Account, days: int = 2) -> None:
    """Give accounts a document of so many days ago, so that they read only what changed since."""
    day = datetime.now(UTC).date() - timedelta(days=days)
    for account, region in itertools.product(accounts, REGIONS):
        key = f"loaded/{account.id}/{region}/{day}_DAILY.json"
        family.warehouse.s3.put_object(Bucket=family.warehouse.bucket, Key=key, Body=b"{}")


def find(
    family: Family, send: Send, *flags: str, old: tuple[Account, ...] | None = None
) -> tuple[Counter[str], list[str], Rows]:
    """Read the findings of all accounts: listings by account, what is said, and rows."""
    known(family, *(family.accounts if old is None else old))
    family.requests()
    code, told = send(family, "--organization", *flags, only="security")
    assert code == 0, told
    asked = [call.operation for call in family.embedded.calls]
    assert asked.count("ListDelegatedAdministrators") == (
        0 if "--per-account-reads" in flags else 3
    )
    return family.requests(*LISTINGS), told, load(family)


BOTH = ("--regions", ",".join(REGIONS))


@pytest.mark.parametrize("flags", [BOTH, past(4)], ids=["what changed", "past days"])
def test_findings_that_administrators_read_are_those_that_each_account_reads(
    flags: tuple[str, ...], make_family: MakeFamily, send: Send
) -> None:
    """Twelve accounts: more than Inspector takes at once."""
    family = make_family(FINDERS, 12)
    one, other = family.accounts[3], family.accounts[7]
    family.organization.delegate(one, *ADMINISTERED[:2])
    family.organization.delegate(other, ADMINISTERED[2])
    asked, told, shared = find(family, send, *flags)
    assert asked.keys() == {one.id, other.id}
    assert sorted(told) == [
        f"{name} in {region}: {administrator.id} reads for 12 accounts"
        for name, administrator in (("GuardDuty", one), ("Inspector", other), ("Security Hub", one))
        for region in (sorted(REGIONS) if flags == BOTH else REGIONS[:1])
    ]
    by_account, told, rows = find(family, send, "--per-account-reads", *flags)
    assert told == []
    assert by_account.keys() == {account.id for account in family.accounts}
    assert asked.total() < by_account.total() / 2
    same(shared, rows, FOUND)
    accounts = {row["account_id"][0] for row in shared["guard_duty_findings"]}
    assert accounts == {account.id for account in family.accounts}
    detectors = {row["account_id"][0]: row["detector_id"] for row in shared["guard_duty_findings"]}
    assert len(set(detectors.values())) == 12


def test_findings_of_accounts_that_an_administrator_does_not_see_are_read_by_themselves(
    make_family: MakeFamily, send: Send
) -> None:
    """Also all that is open, as an account's first document has it."""
    family = make_family(FINDERS)
    administrator, stranger, new = family.accounts[1:4]
    family.organization.delegate(administrator, *ADMINISTERED)
    administrator.delegated_for = tuple(
        name for name in administrator.delegated_for if name != stranger.id
    )
    administrator.touch()
    old = tuple(account for account in family.accounts if account is not new)
    asked, _, shared = find(family, send, old=old)
    assert asked.keys() == {administrator.id, stranger.id, new.id}
    _, _, rows = find(family, send, "--per-account-reads", old=old)
    same(shared, rows, FOUND)
    assert not [c for c in family.embedded.calls if c.error]


REFUSED = (
    ("organizations", "ListDelegatedAdministrators", 3),
    ("securityhub", "ListMembers", 1),
    ("securityhub", "GetFindings", 1),
    ("guardduty", "ListFindings", 1),
    ("guardduty", "GetFindings", 1),
    ("inspector2", "ListFindings", 1),
)


@pytest.mark.parametrize(("service", "operation", "services"), REFUSED)
def test_accounts_read_their_own_findings_where_their_administrator_is_refused(
    service: str, operation: str, services: int, make_family: MakeFamily, send: Send
) -> None:
    family = make_family(FINDERS)
    family.organization.delegate(family.accounts[1], *ADMINISTERED)
    by_id = (service, operation) == ("guardduty", "GetFindings")  # whose they are it does not say
    family.embedded.switches.fail(
        service, operation, "AccessDeniedException", "not authorized to perform this",
        times=1 if by_id else None, predicate=None if by_id else about_several,
    )  # fmt: skip
    _, told, shared = find(family, send)
    refused = [text for text in told if "accounts read their own" in text]
    assert len(refused) == services
    assert all(f"since {service}:{operation} denied" in text for text in refused)
    family.embedded.switches.reset()
    _, _, rows = find(family, send, "--per-account-reads")
    same(shared, rows, FOUND)


def about_several(request: ApiRequest) -> bool:
    """Whether a request lists administrators or members, or what is of several accounts."""
    accounts = re.findall(r"\b\d{12}\b", repr(request.params))
    return request.operation.startswith(("ListDelegated", "ListMembers")) or len(accounts) > 1
