"""Health events, of the account or of the organization at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

import pytest

from observability.collectors.health import event_row
from tests.cloud import Account, ApiRequest, EmbeddedCloud, Size
from tests.cloud.switches import InstantAnswer
from tests.collectors.losses import Denial, Off, gone, listing
from tests.collectors.reading import Send
from tests.collectors.registry import Golden, MadeOf
from tests.collectors.truth import Place, Truth
from tests.conftest import Clock
from tests.family import Family, MakeFamily, RunFamily, instead, known, load, past, refuse, same
from tests.runs import Document, Row
from tests.warehouse import Rows

# Operations


def health(place: Place) -> Iterator[Row]:
    """Health events."""
    for held in place.everywhere("health", "events"):
        if place.tells(held["lastUpdatedTime"], is_open=True):
            yield {"arn": held["arn"], "last_updated_time": held["lastUpdatedTime"]}


TRUTH: Mapping[str, Truth] = {
    "health": Truth(health, "health_events", ("arn",)),
}

ISSUE = "arn:aws:health:us-west-1::event/ECS/AWS_ECS_OPERATIONAL_ISSUE/AWS_ECS_OPERATIONAL_ISSUE_KW"

# https://docs.aws.amazon.com/cli/latest/reference/health/describe-events.html
GOLDEN: Mapping[str, Golden] = {
    "health": Golden(
        event_row,
        {
            "arn": ISSUE,
            "service": "ECS",
            "eventTypeCode": "AWS_ECS_OPERATIONAL_ISSUE",
            "eventTypeCategory": "issue",
            "region": "us-west-1",
            "startTime": datetime.fromtimestamp(1589077890.53, UTC),
            "endTime": datetime.fromtimestamp(1589086345.5, UTC),
            "lastUpdatedTime": datetime.fromtimestamp(1589086346, UTC),
            "statusCode": "closed",
            "eventScopeCode": "PUBLIC",
        },
        {
            "arn": ISSUE,
            "service": "ECS",
            "event_type_code": "AWS_ECS_OPERATIONAL_ISSUE",
            "event_type_category": "issue",
            "event_scope_code": "PUBLIC",
            "region": "us-west-1",
            "start_time": "2020-05-10T02:31:30.530000+00:00",
            "end_time": "2020-05-10T04:52:25.500000+00:00",
            "last_updated_time": "2020-05-10T04:52:26+00:00",
            "status_code": "closed",
        },
    ),
}

DENIALS: Mapping[str, Denial] = {
    "health:DescribeEvents": listing("health"),
}

SWITCHED_OFF: Mapping[str, Off] = {
    "health": Off("support plan", ("health",), (), {"health": gone}),
}

MADE_OF: Mapping[str, MadeOf] = {
    "event": (event_row, "health", "DescribeEvents", "events"),
}

# Denied


def test_pages_that_were_read_before_a_failure_are_kept(
    embedded: EmbeddedCloud, account: Account, whole: Document, only: Send
) -> None:
    embedded.cloud.page_size = 3
    embedded.switches.deny("health", "DescribeEvents", predicate=lambda r: "nextToken" in r.params)
    sent = only("health")
    assert sent.code == 1
    assert sent.statuses["health"] == "Fail"
    found = sent.document["health"]
    assert len(found) == 3
    assert all(row in whole["health"] for row in found)


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
    run_family: RunFamily,
    *flags: str,
    caller: Account | None = None,
    old: tuple[Account, ...] | None = None,
) -> tuple[Counter[str], list[str], Rows]:
    """Read the events of all accounts: listings by account, what is said, and rows."""
    known(family, *(family.accounts if old is None else old))
    family.requests()
    named = () if "--accounts" in flags else ("--organization",)
    code, told = run_family(family, *named, *flags, caller=caller, only="health")
    assert code == 0, told
    return family.requests(*EVENTS), told, load(family)


@pytest.mark.parametrize("page_size", [None, 1])
@pytest.mark.parametrize("delegated", [False, True], ids=["payer", "administrator"])
def test_events_read_for_the_organization_are_those_that_each_account_reads(
    delegated: bool, page_size: int | None, make_ill: MakeFamily, run_family: RunFamily
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
    asked, told, shared = falls_ill(family, run_family, *flags, caller=caller)
    assert asked.keys() == {reader.id}
    assert told == [f"Health: {reader.id} reads for 5 accounts"]
    flags = (*flags, "--per-account-reads")
    by_account, told, rows = falls_ill(family, run_family, *flags, caller=caller)
    assert told == []
    assert by_account.keys() == {account.id for account in family.accounts[:-1]}
    same(shared, rows, ("health_events",))
    found = Counter(row["account_id"][0] for row in shared["health_events"])
    assert found == {account.id: 1 for account in family.accounts[:-1]} | {
        family.accounts[number].id: 2 for number in (1, 2, 4)
    }


@pytest.mark.parametrize("whose", ["new", "past days"])
def test_all_events_that_are_open_and_past_days_are_read_by_account(
    whose: str, make_ill: MakeFamily, run_family: RunFamily
) -> None:
    """The organization's view would lack what happened before it was turned on."""
    family = make_ill()
    new = family.accounts[2]
    old = tuple(account for account in family.accounts if account is not new)
    flags = () if whose == "new" else past(4)
    asked, _, shared = falls_ill(family, run_family, *flags, old=old)
    own = {new.id, family.payer.id} if whose == "new" else {a.id for a in family.accounts}
    assert asked.keys() == own
    _, _, rows = falls_ill(family, run_family, *flags, "--per-account-reads", old=old)
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
    why: str, make_ill: MakeFamily, run_family: RunFamily
) -> None:
    family = make_ill()
    UNSHARED[why](family)
    asked, [told], shared = falls_ill(family, run_family)
    assert told.startswith("Health: accounts read their own, since ")
    assert why in told
    assert asked.keys() == {account.id for account in family.accounts}
    family.embedded.switches.reset()
    _, _, rows = falls_ill(family, run_family, "--per-account-reads")
    same(shared, rows, ("health_events",))


def test_a_throttled_view_does_not_take_the_accounts_time(
    make_ill: MakeFamily, run_family: RunFamily, clock: Clock
) -> None:
    """AWS is asked again for a part of an account's time only: all wait for it."""
    family = make_ill()
    family.embedded.switches.intercept("health", EVENTS[1], lambda _: clock.forward(90))
    family.embedded.switches.throttle("health", EVENTS[1])
    asked, [told], shared = falls_ill(family, run_family, "--account-time-limit", "600")
    assert told.startswith("Health: accounts read their own, since ")
    assert asked.keys() == {account.id for account in family.accounts}
    found = Counter(row["arn"].rpartition("_")[2] for row in shared["health_events"])
    assert found == {"PUBLIC": len(family.accounts), "TWO": 2, "ONE": 1, "LAST": 1}


def test_accounts_that_are_named_read_their_own_events(
    make_ill: MakeFamily, run_family: RunFamily
) -> None:
    """They may be of another organization than the caller."""
    family = make_ill()
    named = ",".join(account.id for account in family.accounts)
    asked, [told], _ = falls_ill(family, run_family, "--accounts", named)
    assert told.endswith("since the run is not over an organization (--organization)")
    assert asked.keys() == {account.id for account in family.accounts}
