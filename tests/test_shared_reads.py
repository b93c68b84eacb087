"""Reads that serve all accounts of a run at once: the same rows as by account, for less money."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

import receiver
import sender
from observability.collecting.shared import SharedReads
from observability.collectors.config import BY_PLACE_AND_COMPLIANCE
from observability.collectors.config_inventory import (
    ACCOUNTS_PER_QUERY,
    place_conditions,
    resources_where,
)
from observability.receiving.result import FileStatus
from observability.sources.config import PAGE
from tests.cloud import Account, ApiRequest, EmbeddedCloud, Size
from tests.cloud.accounts import Aggregator
from tests.cloud.models import operation_model
from tests.cloud.organization import Organization
from tests.cloud.switches import InstantAnswer
from tests.conftest import REGIONS, Clock, MakeAccount
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

    def run_by(self, caller: Account) -> None:
        """Let another account run the sender, which may list the organization for StackSets."""
        self.organization.delegate(caller, "member.org.stacksets.cloudformation.amazonaws.com")
        for account in self.accounts:
            self.embedded.keys.make_role(account.id, ROLE, caller.id)

    def requests(self, *operations: str) -> Counter[str]:
        """How many requests of operations each account has made; they are forgotten then."""
        wanted = operations or ("GetCostAndUsage",)
        found = Counter(call.account for call in self.embedded.calls if call.operation in wanted)
        self.embedded.calls.clear()
        return found


SHARING = re.compile(
    r"costs|Health|(Security Hub|GuardDuty|Inspector|Compute Optimizer) in |Config\b"
)
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


RUNS = ("logs", "log_messages")
"""Tables about runs, whose rows differ from run to run."""


def load(family: Family, *, leave_out: tuple[str, ...] = RUNS) -> Rows:
    """The rows that come of the documents, which are used up, less some tables."""
    warehouse = family.warehouse
    with pytest.MonkeyPatch.context() as patch:
        for name, value in family.embedded.environment(family.embedded.analytics.id).items():
            patch.setenv(name, value)
        results = receiver.load_all(warehouse.receiver, receiver.list_data(warehouse.receiver))
    assert {result.outcome for result in results} == {FileStatus.LOADED}
    rows = warehouse.rows()
    warehouse.empty()
    s3, bucket = warehouse.s3, warehouse.bucket
    for held in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        s3.delete_object(Bucket=bucket, Key=held["Key"])
    return {name: found for name, found in rows.items() if name not in leave_out}


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


def test_an_account_of_another_payer_reads_its_own_costs(
    make_family: MakeFamily, make_account: MakeAccount, send: Send
) -> None:
    """Among accounts that are named: the payer sees nothing of it, which is not to say nothing."""
    family = make_family(PLAIN)
    stranger = make_account(PLAIN)
    family.embedded.keys.make_role(stranger.id, ROLE, family.payer.id)
    named = ",".join(account.id for account in (*family.accounts, stranger))
    family.requests()
    code, _ = send(family, "--accounts", named)
    assert code == 0
    assert family.requests() == {family.payer.id: 2, stranger.id: 1}
    shared = load(family)
    send(family, "--accounts", named, "--per-account-reads")
    same(shared, load(family))
    assert stranger.id in {row["account_id"][0] for row in shared["services"]}


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


# Health

HEALTH = "health.amazonaws.com"
EVENTS = ("DescribeEvents", "DescribeEventsForOrganization")


def happen(name: str, *accounts: Account, scope: str = "ACCOUNT_SPECIFIC", days: int = 1) -> None:
    """Let an event happen that is about accounts; it was updated so many days ago.

    At the beginning of that day, so that at any time of today it has happened.
    """
    code = "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED"
    updated = accounts[0].ago(days, seconds=-1)
    event = {
        "arn": f"arn:aws:health:us-east-1::event/EC2/{code}/{code}_{name}",
        "service": "EC2",
        "eventTypeCode": code,
        "eventTypeCategory": "scheduledChange",
        "region": "us-east-1",
        "availabilityZone": "us-east-1a",
        "startTime": accounts[0].ago(-5),
        "lastUpdatedTime": updated,
        "statusCode": "upcoming",
        "eventScopeCode": scope,
    }
    for account in accounts:
        earlier = account.items("health", "events")
        account.replace("health", "events", "", [event, *earlier])


@pytest.fixture
def make_ill(make_family: MakeFamily) -> MakeFamily:
    """Makes families with events: a public one, one of two accounts, of one and of the last one.

    One more is older than what a run reads, one has been updated since the day began.
    """

    def make() -> Family:
        family = make_family(Size.empty())
        accounts = family.accounts
        happen("PUBLIC", *accounts, scope="PUBLIC")
        happen("TWO", accounts[1], accounts[2], days=0)
        happen("ONE", accounts[4])
        happen("LAST", accounts[-1])
        happen("OLD", *accounts, days=40)
        family.organization.health_view = True
        return family

    return make


def falls_ill(
    family: Family,
    send: Send,
    *flags: str,
    caller: Account | None = None,
    old: tuple[Account, ...] | None = None,
) -> tuple[Counter[str], list[str], Rows]:
    """Read the events of all accounts: listings by account, what is said, and rows."""
    known(family, *(family.accounts if old is None else old))
    family.requests()
    named = () if "--accounts" in flags else ("--organization",)
    code, told = send(family, *named, *flags, caller=caller, only="health")
    assert code == 0, told
    return family.requests(*EVENTS), told, load(family)


@pytest.mark.parametrize("page_size", [None, 1])
@pytest.mark.parametrize("delegated", [False, True], ids=["payer", "administrator"])
def test_events_read_for_the_organization_are_those_that_each_account_reads(
    delegated: bool, page_size: int | None, make_ill: MakeFamily, send: Send
) -> None:
    """Also where an event is about an account that the run leaves out."""
    family = make_ill()
    _, caller, _, reader, _, left_out = family.accounts
    family.embedded.cloud.page_size = page_size
    if delegated:
        family.run_by(caller)
        family.organization.delegate(reader, HEALTH)
    else:
        caller = reader = family.payer
    flags: tuple[str, ...] = ("--exclude-accounts", left_out.id)
    asked, told, shared = falls_ill(family, send, *flags, caller=caller)
    assert asked.keys() == {reader.id}
    assert told == [f"Health: {reader.id} reads for 5 accounts"]
    flags = (*flags, "--per-account-reads")
    by_account, told, rows = falls_ill(family, send, *flags, caller=caller)
    assert told == []
    assert by_account.keys() == {account.id for account in family.accounts[:-1]}
    same(shared, rows, ("health_events",))
    found = Counter(row["account_id"][0] for row in shared["health_events"])
    assert found == {account.id: 1 for account in family.accounts[:-1]} | {
        family.accounts[number].id: 2 for number in (1, 2, 4)
    }


@pytest.mark.parametrize("whose", ["new", "past days"])
def test_all_events_that_are_open_and_past_days_are_read_by_account(
    whose: str, make_ill: MakeFamily, send: Send
) -> None:
    """The organization's view would lack what happened before it was turned on."""
    family = make_ill()
    new = family.accounts[2]
    old = tuple(account for account in family.accounts if account is not new)
    flags = () if whose == "new" else past(4)
    asked, _, shared = falls_ill(family, send, *flags, old=old)
    own = {new.id, family.payer.id} if whose == "new" else {a.id for a in family.accounts}
    assert asked.keys() == own
    _, _, rows = falls_ill(family, send, *flags, "--per-account-reads", old=old)
    same(shared, rows, ("health_events",))


def no_view(family: Family) -> None:
    family.organization.health_view = False


def young_view(family: Family) -> None:
    for account in family.accounts:
        old, *recent = account.items("health", "events")
        assert old["arn"].endswith("OLD")
        account.replace("health", "events", "", recent)


def silent_view(family: Family) -> None:
    def hide_recent(request: ApiRequest) -> None:
        if "from" in request.params["filter"]["lastUpdatedTime"]:
            raise InstantAnswer({"events": []})

    family.embedded.switches.intercept("health", EVENTS[1], hide_recent)


def many_events(family: Family) -> None:
    for number in range(3):
        happen(f"MORE_{number}", family.accounts[3])


def unclear_event(family: Family) -> None:
    happen("NONE", family.accounts[3], scope="NONE")


def about_nobody(family: Family) -> None:
    empty = {"affectedAccounts": [], "eventScopeCode": "ACCOUNT_SPECIFIC"}
    family.embedded.switches.intercept(
        "health", "DescribeAffectedAccountsForOrganization", instead(empty), times=1
    )


def instead(response: dict[str, Any]) -> Callable[[ApiRequest], None]:
    """Answers a request with something else."""

    def answer(_request: ApiRequest) -> None:
        raise InstantAnswer(response)

    return answer


def refuse(service: str, operation: str, times: int | None = None) -> Callable[[Family], None]:
    """Refuses an operation of an API."""

    def switch(family: Family) -> None:
        family.embedded.switches.fail(
            service, operation, "AccessDeniedException", "not authorized to perform this",
            times=times,
        )  # fmt: skip

    return switch


UNSHARED: dict[str, Callable[[Family], None]] = {
    "does not include it: AWS Health has no access": no_view,
    "the organization's view may be younger than what changed": young_view,
    "the organization's view has nothing": silent_view,
    "that takes no more requests": many_events,
    "AWS does not tell whom": unclear_event,
    "AWS does not tell whom arn": about_nobody,
    "health:DescribeEventsForOrganization denied": refuse("health", EVENTS[1]),
    "health:DescribeAffectedAccountsForOrganization denied": refuse(
        "health", "DescribeAffectedAccountsForOrganization", 1
    ),
    "organizations:DescribeOrganization denied": refuse("organizations", "DescribeOrganization"),
}


@pytest.mark.parametrize("why", UNSHARED)
def test_accounts_read_their_own_events_where_the_organizations_are_not_to_be_had(
    why: str, make_ill: MakeFamily, send: Send
) -> None:
    family = make_ill()
    UNSHARED[why](family)
    asked, [told], shared = falls_ill(family, send)
    assert told.startswith("Health: accounts read their own, since ")
    assert why in told
    assert asked.keys() == {account.id for account in family.accounts}
    family.embedded.switches.reset()
    _, _, rows = falls_ill(family, send, "--per-account-reads")
    same(shared, rows, ("health_events",))


def test_a_throttled_view_does_not_take_the_accounts_time(
    make_ill: MakeFamily, send: Send, clock: Clock
) -> None:
    """AWS is asked again for a part of an account's time only: all wait for it."""
    family = make_ill()
    family.embedded.switches.intercept("health", EVENTS[1], lambda _: clock.forward(90))
    family.embedded.switches.throttle("health", EVENTS[1])
    asked, [told], shared = falls_ill(family, send, "--account-time-limit", "600")
    assert told.startswith("Health: accounts read their own, since ")
    assert asked.keys() == {account.id for account in family.accounts}
    found = Counter(row["arn"].rpartition("_")[2] for row in shared["health_events"])
    assert found == {"PUBLIC": len(family.accounts), "TWO": 2, "ONE": 1, "LAST": 1}


def test_accounts_that_are_named_read_their_own_events(make_ill: MakeFamily, send: Send) -> None:
    """They may be of another organization than the caller."""
    family = make_ill()
    named = ",".join(account.id for account in family.accounts)
    asked, [told], _ = falls_ill(family, send, "--accounts", named)
    assert told.endswith("since the run is not over an organization (--organization)")
    assert asked.keys() == {account.id for account in family.accounts}


# Compute Optimizer

OPTIMIZER = "compute-optimizer.amazonaws.com"
RECOMMENDATIONS = (
    "GetEC2InstanceRecommendations", "GetEBSVolumeRecommendations",
    "GetLambdaFunctionRecommendations",
)  # fmt: skip
SERVERS = Size(instances=2, volumes=2, functions=2)


def enroll(status: str, *accounts: Account) -> None:
    """Set what the enrollment of accounts has come to."""
    for account in accounts:
        held = {"status": status, "lastUpdatedTimestamp": account.ago(3)}
        account.replace("compute-optimizer", "enrollment", "", [held])


def optimize(
    family: Family, send: Send, *flags: str, caller: Account | None = None
) -> tuple[Counter[str], list[str], Rows]:
    """Read recommendations: requests by account, what is said, and rows, those of logs too."""
    family.requests()
    named = ("--organization", *BOTH, *flags)
    code, told = send(family, *named, caller=caller, only="compute_optimizer")
    assert code == 0, told
    return family.requests(*RECOMMENDATIONS), told, load(family, leave_out=())


def statuses(rows: Rows) -> set[tuple[Any, ...]]:
    """What the log has on each account's recommendations, less times and counts of calls."""
    logs = {(str(row["date_created"]),): row for row in rows["logs"]}
    assert len(logs) == len(rows["logs"])
    said = {
        (logs[row["log_id"]]["account_id"], row["message"])
        for row in rows["log_messages"]
        if row["message"].startswith("compute_optimizer") and row["message_type"] != "TIMING"
    }
    return {(row["account_id"], row["compute_optimizer_status"]) for row in rows["logs"]} | said


@pytest.mark.parametrize("delegated", [False, True], ids=["payer", "administrator"])
def test_accounts_that_have_not_opted_in_are_not_asked_for_recommendations(
    delegated: bool, make_family: MakeFamily, send: Send
) -> None:
    """Any other status than Inactive is: pending, failed, or not listed, as the payer's is."""
    family = make_family(SERVERS)
    payer, active, pending, failed, *inactive = family.accounts
    caller = reader = payer
    if delegated:
        caller, reader = pending, active
        family.run_by(caller)
        family.organization.delegate(reader, OPTIMIZER)
    enroll("Pending", pending)
    enroll("Failed", failed)
    enroll("Inactive", payer, *inactive)
    asked, told, shared = optimize(family, send, caller=caller)
    assert sorted(told) == [
        f"Compute Optimizer in {region}: {reader.id} says who has opted in"
        for region in sorted(REGIONS)
    ]
    assert asked.keys() == {payer.id, active.id, pending.id, failed.id}
    by_account, _, rows = optimize(family, send, "--per-account-reads", caller=caller)
    assert by_account == asked | {account.id: 3 * len(REGIONS) for account in inactive}
    assert statuses(shared) == statuses(rows)
    facts = {name: found for name, found in shared.items() if name not in RUNS}
    same(facts, rows, ("compute_optimizer",))


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("organizations", "DescribeOrganization"),
        ("compute-optimizer", "GetEnrollmentStatusesForOrganization"),
    ],
)
def test_all_accounts_are_asked_for_recommendations_if_it_is_unknown_who_has_opted_in(
    service: str, operation: str, make_family: MakeFamily, send: Send
) -> None:
    family = make_family(SERVERS)
    enroll("Inactive", *family.accounts[3:])
    refuse(service, operation)(family)
    asked, told, shared = optimize(family, send)
    assert len(told) == len(REGIONS)
    for text in told:
        assert f"accounts read their own, since {service}:{operation} denied" in text
    assert asked == {account.id: 3 * len(REGIONS) for account in family.accounts}
    family.embedded.switches.reset()
    _, _, rows = optimize(family, send, "--per-account-reads")
    assert statuses(shared) == statuses(rows)


# AWS Config

RECORDING = Size(
    instances=3, volumes=2, buckets=2, functions=2, config_rules=5, evaluations_per_rule=6
)
RECORDED = ("config_inventory", "config_reports", "non_compliant_resources")


def aggregate(family: Family, holder: Account, **fields: Any) -> None:
    """Give an account an aggregator, of all the family's accounts if nothing else is said."""
    accounts = tuple(account.id for account in family.accounts)
    made = Aggregator(**{"name": "whole", "region": REGIONS[0], "accounts": accounts, **fields})
    holder.aggregators = (*holder.aggregators, made)
    holder.touch()


@dataclass
class Recorded:
    """A run's reading of AWS Config: queries by account, what is said, statuses, and rows."""

    own: Counter[str]
    aggregated: Counter[str]
    told: list[str]
    statuses: dict[tuple[str, str], tuple[str, str]]
    rows: Rows


def record(family: Family, send: Send, *flags: str) -> Recorded:
    """Read what AWS Config has of all accounts in both regions."""
    family.requests()
    flags = ("--organization", *BOTH, *flags)
    code, told = send(family, *flags, only="config,config_inventory")
    assert code == 0, told
    own, aggregated = (
        Counter(call.account for call in family.embedded.calls if call.operation == operation)
        for operation in ("SelectResourceConfig", "SelectAggregateResourceConfig")
    )
    return Recorded(own, aggregated, told, said_of_config(family), load(family))


def said_of_config(family: Family) -> dict[tuple[str, str], tuple[str, str]]:
    """What the document of each account and region says of both categories."""
    s3, bucket = family.warehouse.s3, family.warehouse.bucket
    found = {}
    for held in s3.list_objects_v2(Bucket=bucket, Prefix="data/")["Contents"]:
        logs = json.load(s3.get_object(Bucket=bucket, Key=held["Key"])["Body"])["logs"]
        _, account, region, _ = held["Key"].split("/")
        found[account, region] = logs["config_status"], logs["config_inventory_status"]
    return found


def same_by_account(shared: Recorded, family: Family, send: Send, *flags: str) -> None:
    """Fail unless reads by account ask no aggregator and have the same statuses and rows."""
    found = record(family, send, "--per-account-reads", *flags)
    assert (found.told, found.aggregated) == ([], {})
    assert found.statuses == shared.statuses
    same(shared.rows, found.rows, RECORDED)


def each(accounts: Iterable[Account], times: int = 1) -> dict[str, int]:
    """So many requests of each account."""
    return dict.fromkeys((account.id for account in accounts), times)


@pytest.mark.parametrize(
    ("count", "page_size", "home"),
    [(22, None, REGIONS[0]), (MEMBERS, 7, REGIONS[0]), (MEMBERS, None, REGIONS[1])],
    ids=["more than a query names", "by page", "home that records nothing global"],
)
def test_what_an_aggregator_has_is_what_each_account_reads(
    count: int, page_size: int | None, home: str, make_family: MakeFamily, send: Send
) -> None:
    """By two queries of counts, and one of resources for each twenty accounts but those at home."""
    family = make_family(RECORDING, count)
    family.embedded.cloud.page_size = page_size
    holder = family.accounts[2]
    family.organization.delegate(holder, "config.amazonaws.com")
    aggregate(family, holder, region=home)
    shared = record(family, send, "--region", home)
    assert shared.told == [
        f"Config: {holder.id} reads for {count} accounts, by its aggregator whole"
    ]
    assert shared.aggregated.keys() == {holder.id}
    if page_size is None:
        assert shared.own == each(family.accounts)
    same_by_account(shared, family, send, "--region", home)


def test_what_an_aggregator_has_not_is_read_by_account(
    make_family: MakeFamily, make_account: MakeAccount, send: Send
) -> None:
    """An account that it lacks, sources that it is behind of, and one that records nothing.

    Nor does it say which region has a verdict on something global. It is the caller's, and there
    are others: of fewer accounts, and of some types of resources.
    """
    family = make_family(RECORDING)
    nothing = make_account(Size.empty())
    family.accounts.append(family.organization.join(nothing))
    family.embedded.keys.make_role(nothing.id, ROLE, family.payer.id)
    lacking, outdated, failed, worldly = family.accounts[1:5]
    here, there = REGIONS
    first, *others = worldly.items("config", "compliance", there)
    worldly.replace("config", "compliance", there, [first | {"awsRegion": "global"}, *others])
    held = tuple(account.id for account in family.accounts if account is not lacking)
    behind = {(outdated.id, here): "OUTDATED", (failed.id, there): "FAILED"}
    aggregate(family, family.payer, name="types", types=("AWS::EC2::Volume",))
    aggregate(family, family.payer, name="few", accounts=held[:3])
    aggregate(family, family.payer, accounts=held, behind=behind)
    shared = record(family, send)
    assert shared.told == [
        "Config: the caller's own aggregators are asked, since it has no delegated administrator",
        f"Config: {family.payer.id} reads for {MEMBERS} accounts, by its aggregator whole",
    ]
    resources_at_home = each(family.accounts)
    more = {
        lacking.id: 4,  # counts and resources, in both regions
        outdated.id: 2,  # counts too
        failed.id: 3,  # both in the other region
        worldly.id: 3,  # counts, in both regions
        nothing.id: 2,  # of nothing in the other region one is never sure
    }
    assert shared.own == resources_at_home | more
    assert shared.aggregated == {family.payer.id: 3}
    for region in REGIONS:
        assert shared.statuses[nothing.id, region] == ("Skipped", "Skipped")
    same_by_account(shared, family, send)


def test_an_account_of_many_resources_lists_its_own(
    make_family: MakeFamily, make_account: MakeAccount, send: Send
) -> None:
    """It takes as many requests either way, and other accounts would wait for it."""
    family = make_family(RECORDING)
    large = make_account(replace(RECORDING, volumes=PAGE))
    family.accounts.append(family.organization.join(large))
    family.embedded.keys.make_role(large.id, ROLE, family.payer.id)
    aggregate(family, family.payer)
    shared = record(family, send)
    assert shared.own == each(family.accounts) | {large.id: 2 * len(REGIONS)}  # two pages in each
    same_by_account(shared, family, send)


def test_a_throttled_aggregator_does_not_take_the_accounts_time(
    make_family: MakeFamily, send: Send, clock: Clock
) -> None:
    """Nor is each further query tried."""
    family = make_family(RECORDING)
    aggregate(family, family.payer)
    query = ("config", "SelectAggregateResourceConfig")
    family.embedded.switches.intercept(*query, lambda _: clock.forward(90))
    family.embedded.switches.throttle(*query)
    shared = record(family, send, "--account-time-limit", "600")
    assert shared.own == each(family.accounts, 4)  # counts and resources, in both regions
    assert {*itertools.chain(*shared.statuses.values())} == {"Pass"}


def test_a_listing_by_an_aggregator_that_is_not_as_long_as_it_says_is_not_believed(
    make_family: MakeFamily, send: Send
) -> None:
    """What is missing would look as if it were gone."""
    family = make_family(RECORDING)
    aggregate(family, family.payer)
    short = family.accounts[3]
    held = short.items("config", "resources", REGIONS[1])

    def lose_one(request: ApiRequest) -> None:
        if " IN (" in request.params["Expression"]:
            short.replace("config", "resources", REGIONS[1], held[1:])

    def find(_request: ApiRequest) -> None:
        short.replace("config", "resources", REGIONS[1], held)

    switches = family.embedded.switches
    switches.intercept("config", "SelectAggregateResourceConfig", lose_one)
    switches.intercept("config", "SelectResourceConfig", find, account=short.id, region=REGIONS[1])
    shared = record(family, send)
    assert shared.own == each(family.accounts) | {short.id: 2}
    switches.reset()
    same_by_account(shared, family, send)


def test_what_nobody_expects_of_an_aggregator_is_not_the_accounts_loss(
    make_family: MakeFamily, send: Send
) -> None:
    """A row that does not say whose it is: it is told, and accounts read their own."""
    family = make_family(RECORDING)
    aggregate(family, family.payer)
    family.embedded.switches.intercept(
        "config", "SelectAggregateResourceConfig", instead({"Results": ["{}"], "QueryInfo": {}})
    )
    shared = record(family, send)
    refused = [text for text in shared.told if "accounts read their own" in text]
    assert len(refused) == 2  # counts; sizes
    assert shared.own == each(family.accounts, 4)
    assert {*itertools.chain(*shared.statuses.values())} == {"Pass"}


def test_an_aggregator_that_has_nothing_of_an_account_is_not_believed(
    make_family: MakeFamily, send: Send
) -> None:
    """What it lacks would look as if it were gone."""
    family = make_family(RECORDING)
    late = family.accounts[3]
    aggregate(family, family.payer, empty=[(late.id, REGIONS[1])])
    shared = record(family, send)
    assert shared.own == each(family.accounts) | {late.id: 3}
    same_by_account(shared, family, send)


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        ("DescribeConfigurationAggregators", "config:DescribeConfigurationAggregators denied"),
        ("DescribeConfigurationAggregatorSourcesStatus", "SourcesStatus denied"),
        ("SelectAggregateResourceConfig", "config:SelectAggregateResourceConfig denied"),
        ("", "has no aggregator that is up to date with them"),
        ("pages", "what whole has takes no fewer requests"),
    ],
)
def test_accounts_read_their_own_config_where_no_aggregator_answers(
    operation: str, why: str, make_family: MakeFamily, send: Send
) -> None:
    """Because it is refused, there is none, or it takes too many pages to say what it has."""
    family = make_family(RECORDING, SharedReads.LEAST)
    if operation:
        aggregate(family, family.payer)
    if operation == "pages":
        family.embedded.cloud.page_size = 1
    elif operation:
        family.embedded.switches.deny("config", operation)
    shared = record(family, send)
    refused = [text for text in shared.told if "accounts read their own" in text]
    assert len(refused) == (2 if operation.startswith("Select") else 1)  # counts; resources
    assert any(why in text for text in shared.told)
    assert shared.own.keys() == each(family.accounts).keys()
    family.embedded.switches.reset()
    same_by_account(shared, family, send)


def test_a_query_of_an_aggregator_is_no_longer_than_it_may_be() -> None:
    shape: Any = operation_model("config", "SelectAggregateResourceConfig").input_shape
    longest = max(boto3.session.Session().get_available_regions("config"), key=len)
    accounts = ["1" * 12] * ACCOUNTS_PER_QUERY
    text = resources_where(*place_conditions(accounts, longest))
    assert len(text) < shape.members["Expression"].metadata["max"]
    assert len(BY_PLACE_AND_COMPLIANCE.split(", ")) == 3  # which AWS takes at most
