"""What an organization says of its accounts, and the way into them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest

from observability.aws.limits import UNREACHABLE_AFTER
from observability.aws.session import RETRIES
from observability.collectors import COLLECTORS
from tests.cloud import EmbeddedCloud
from tests.conftest import REGIONS, MakeAccount, MakeEnvironment
from tests.enforcement import recorder
from tests.party import LITTLE, MEMBERSHIP, ROLE, Party, RunOrganization, called, documents, places
from tests.paths import ROOT
from tests.runs import Document, statuses

HOME, OTHER = REGIONS
BOTH = ("--regions", ",".join(REGIONS))
ATTEMPTS = 1 + RETRIES


# Which accounts

TAGGED = ("customer_name", "partner_name", "category", "account_type", "product")


def told(document: Document, names: tuple[str, ...]) -> tuple[Any, ...]:
    """What a document says of its account."""
    return tuple(document["account"][name] for name in names)


def test_what_the_organization_knows_of_an_account_is_in_each_of_its_documents(
    party: Party, run_organization: RunOrganization
) -> None:
    """It knows it from its list: neither the caller nor the accounts ask for it."""
    done = run_organization(
        "--organization", *BOTH, "--only", "account", "--exclude-accounts", party.broken.id
    )
    assert done.code == 0, done.out
    assert "DescribeAccount" not in {call.operation for call in party.embedded.calls}
    client = party.embedded.client("organizations", party.payer.id)
    found = documents(party)
    for account in party.whole:
        held = client.describe_account(AccountId=account.id)["Account"]
        joined = held["JoinedTimestamp"].astimezone(UTC).isoformat()
        for region in REGIONS:
            assert told(found[f"{account.id}/{region}"], MEMBERSHIP) == (
                held["Email"], held["Arn"], held["JoinedMethod"], joined
            )  # fmt: skip


@pytest.mark.parametrize("who", ["payer", "security"])
@pytest.mark.parametrize("flags", [(), ("--include-ou", "{shops}")])
def test_an_account_that_is_read_again_says_the_same(
    who: str,
    flags: tuple[str, ...],
    party: Party,
    run_organization: RunOrganization,
    environment_of: MakeEnvironment,
) -> None:
    """Whoever reads it, by name or out of the organization: its payer or an administrator."""
    caller = getattr(party, who)
    for account in (party.shop, party.europe):
        party.embedded.keys.make_role(account.id, ROLE, caller.id)
    asked = (*BOTH, "--only", "account", "--exclude-accounts")
    others = ",".join({account.id for account in party.whole} - {party.shop.id, party.europe.id})
    units = [flag.format(shops=party.shops) for flag in flags]
    environment = environment_of(caller) | {"BUCKET": party.environment["BUCKET"]}
    first = run_organization(
        "--organization", *units, *asked, f"{others},{party.broken.id}", **environment
    )
    assert first.code == 0, first.out
    before = documents(party)
    party.embedded.forget_calls()
    again = run_organization(
        "--accounts", f"{party.shop.id},{party.europe.id}", *BOTH, "--only", "account",
        **(environment | {"BUCKET": (bucket := party.embedded.create_bucket())}),
    )  # fmt: skip
    assert again.code == 0, again.out
    after = documents(party, bucket)
    assert before.keys() == after.keys() == places(party.shop, party.europe)
    for place, document in after.items():
        assert document["account"] == before[place]["account"]
    assert not any("AWS Organizations tells none" in text for text in again.messages())
    for operation in ("ListTagsForResource", "DescribeAccount"):
        assert called(party, operation, caller) == 3  # of itself, and of each of the accounts
        assert not called(party, operation, party.shop)


@pytest.mark.parametrize("who", ["a member", "in no organization", "denied"])
def test_who_is_told_nothing_gives_accounts_the_settings_tags_and_says_so_once(
    who: str,
    party: Party,
    run_organization: RunOrganization,
    make_account: MakeAccount,
    environment_of: MakeEnvironment,
) -> None:
    callers = {"a member": party.europe, "denied": party.payer}
    caller = callers.get(who) or make_account(LITTLE)
    if who == "denied":
        party.embedded.switches.deny("organizations", account=caller.id)
    for account in (party.shop, party.security):
        party.embedded.keys.make_role(account.id, ROLE, caller.id)
    named = f"{party.shop.id},{party.security.id}"
    done = run_organization(
        "--accounts", named, *BOTH, "--only", "account", **environment_of(caller)
    )
    assert done.code == 0, done.out
    found = documents(party, environment_of(caller)["BUCKET"])
    assert found.keys() == places(party.shop, party.security)
    ours = ("Example Corp", "Example Partner", "Production", "production", "Shop,Billing")
    assert {told(held, TAGGED) for held in found.values()} == {ours}
    said = [text for text in done.messages() if "where AWS Organizations tells none" in text]
    assert len(said) == 1
    for operation in ("ListTagsForResource", "DescribeAccount"):
        assert called(party, operation, caller) == 1
    emails = {held["account"]["account_email"] for held in found.values()}
    assert emails == {None, party.security.email}  # an administrator is told about itself


def test_accounts_outside_the_organization_have_the_settings_tags(
    party: Party, run_organization: RunOrganization, make_account: MakeAccount
) -> None:
    strangers = [make_account(LITTLE), make_account(LITTLE)]
    for account in strangers:
        party.embedded.keys.make_role(account.id, ROLE, party.payer.id)
    named = ",".join(account.id for account in (party.shop, *strangers))
    done = run_organization("--accounts", named, "--only", "account")
    assert done.code == 0, done.out
    customers = {
        place.split("/")[0]: told(held, TAGGED)[0] for place, held in documents(party).items()
    }
    assert customers == dict.fromkeys((account.id for account in strangers), "Example Corp") | {
        party.shop.id: "Shop Corp"
    }
    assert (
        len([text for text in done.messages() if "they are not in the organization" in text]) == 1
    )


@pytest.mark.parametrize(
    ("code", "lost"),
    [
        ("ServiceException", "payer shop europe"),
        ("ServiceException", "shop"),
        ("AccessDeniedException", "shop"),
    ],
)
def test_a_named_account_whose_tags_cannot_be_read_is_not_read_under_others(
    code: str, lost: str, party: Party, run_organization: RunOrganization
) -> None:
    """A failure does not say that there are no tags, nor does a refusal of one account's alone."""
    ids = {getattr(party, name).id for name in lost.split()}
    party.embedded.switches.fail(
        "organizations", "ListTagsForResource", code, "is not authorized to perform: it", 400,
        predicate=lambda request: request.params["ResourceId"] in ids,
    )  # fmt: skip
    both = {party.shop.id, party.europe.id}
    done = run_organization("--accounts", ",".join(both), "--only", "account")
    assert done.code == 1
    failed = [line.partition(": ")[::2] for line in done.beginning("failed, ")]
    assert {account.removeprefix("failed, ") for account, _ in failed} == both & ids
    assert all(why.startswith("organizations:ListTagsForResource") for _, why in failed)
    assert {place.split("/")[0] for place in documents(party)} == both - ids


def test_what_the_organization_knows_is_not_told_as_unknown_where_it_cannot_be_read(
    party: Party, run_organization: RunOrganization
) -> None:
    """So that the receiver keeps what it has of the account."""
    party.embedded.switches.fail(
        "organizations", "DescribeAccount", "ServiceException", "oops", 500, account=party.payer.id
    )
    done = run_organization("--accounts", f"{party.shop.id},{party.payer.id}", "--only", "account")
    assert done.code == 1
    assert {statuses(held)["account"] for held in documents(party).values()} == {"Fail"}


# Getting in


def test_a_role_may_ask_for_an_external_id(party: Party, run_organization: RunOrganization) -> None:
    party.embedded.keys.make_role(party.shop.id, "Reader", party.payer.id, external_id="sesame")
    known = ("--accounts", party.shop.id, "--only", "security", "--role-name", "Reader")
    for wrong in ((), ("--external-id", "seed")):
        done = run_organization(*known, *wrong)
        assert (done.code, documents(party)) == (1, {})
        assert "sts:AssumeRole denied" in done.beginning("failed")[0]
    assert run_organization(*known, EXTERNAL_ID="sesame").code == 0
    assert documents(party).keys() == places(party.shop, regions=(HOME,))


def test_a_role_may_have_a_path(party: Party, run_organization: RunOrganization) -> None:
    party.embedded.keys.make_role(party.shop.id, "team/a:b/Reader", party.payer.id)
    for name in ("team/a:b/Reader", "/team/a:b/Reader"):
        done = run_organization("--accounts", party.shop.id, "--check", "--role-name", name)
        assert done.code == 0, done.out
        assert done.beginning(party.shop.id)[0].split()[2] == "yes"
    assert (
        run_organization("--accounts", party.shop.id, "--check", "--role-name", "Reader").code == 1
    )


def test_what_the_role_and_the_caller_need_is_documented(
    party: Party, run_organization: RunOrganization
) -> None:
    role: set[str] = set()
    caller: set[str] = set()
    party.embedded.switches.policies[party.shop.id] = recorder(role)
    party.embedded.switches.policies[party.payer.id] = recorder(caller)
    run_organization("--organization", "--regions", "all", "--exclude-accounts", party.broken.id)
    run_organization("--organization", "--check", "--exclude-ou", party.europeans)
    party.embedded.switches.deny("account", "ListRegions")
    run_organization("--accounts", party.shop.id, "--regions", "all", "--only", "cost")
    reading = {action for collector in COLLECTORS for action in collector.actions}
    assert role - reading == {"account:ListRegions", "ec2:DescribeRegions"}
    beyond = caller - reading
    assert beyond >= {"sts:AssumeRole", "organizations:ListAccounts", "s3:PutObject"}
    docs = ROOT / "docs"
    text = "".join((docs / f"{page}.md").read_text() for page in ("organization", "categories"))
    assert [action for action in beyond if action.partition(":")[2] not in text] == []


@pytest.fixture
def short_sessions(embedded: EmbeddedCloud) -> Iterator[timedelta]:
    """Sessions of roles end after eight seconds, less than a sender waits for an answer."""
    embedded.keys.lifetime = timedelta(seconds=8)
    yield embedded.keys.lifetime
    embedded.keys.lifetime = None


def test_a_session_that_ends_in_the_middle_of_a_run_is_renewed(
    party: Party, run_organization: RunOrganization, short_sessions: timedelta
) -> None:
    party.embedded.switches.slow("kms", "ListKeys", short_sessions.total_seconds() + 1, times=1)
    done = run_organization("--accounts", party.shop.id, "--only", "security")
    assert done.code == 0, done.out
    assert documents(party)[f"{party.shop.id}/{HOME}"]["security"]["kms"]
    calls = party.embedded.calls
    first = next(c.started for c in calls if c.operation == "AssumeRole")
    late = [c for c in calls if c.operation == "DescribeKey"]
    assert late
    assert all(c.started - first > short_sessions for c in late)
    assert not [c for c in calls if "Expired" in c.error]


def test_an_organization_that_does_not_answer_is_not_waited_for_by_each_account(
    party: Party, run_organization: RunOrganization, tmp_path: Path
) -> None:
    file = tmp_path / "accounts.csv"
    accounts = (party.shop, party.europe, party.security)
    file.write_text("account_id,customer\n" + "".join(f"{held.id},Ours\n" for held in accounts))
    party.embedded.switches.cut("organizations")
    party.embedded.forget_calls()
    done = run_organization("--accounts-file", str(file), "--only", "account", "--at-once", "1")
    assert done.code == 1
    asked = [call for call in party.embedded.calls if call.service == "organizations"]
    assert 0 < len(asked) <= UNREACHABLE_AFTER * ATTEMPTS
    held = documents(party)
    assert held.keys() == places(*accounts, regions=(HOME,))
    assert {statuses(document)["account"] for document in held.values()} == {"Fail"}
