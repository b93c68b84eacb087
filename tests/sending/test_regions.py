"""Which regions a run reads, and how many at once."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import receiver
from observability.aws.session import RETRIES
from tests.cloud import Account, ApiRequest
from tests.cloud.switches import InstantAnswer
from tests.conftest import REGIONS, Clock
from tests.party import LITTLE, Party, RunOrganization, called, documents, places
from tests.runs import statuses
from tests.warehouse import Warehouse

HOME, OTHER = REGIONS
BOTH = ("--regions", ",".join(REGIONS))
ATTEMPTS = 1 + RETRIES


# Regions


def test_all_regions_are_those_that_are_enabled_and_allowed(
    party: Party, run_organization: RunOrganization
) -> None:
    party.europe.regions = (*REGIONS, "ap-east-1")
    party.embedded.switches.deny_by_scp(OTHER, account=party.shop.id)
    accounts = f"{party.shop.id},{party.europe.id}"
    done = run_organization("--accounts", accounts, "--regions", "all", "--only", "security")
    assert done.code == 0, done.out
    assert documents(party).keys() == {
        *places(party.shop, regions=(HOME,)),
        *places(party.europe, regions=(*REGIONS, "ap-east-1")),
    }
    assert done.beginning("left out") == [
        f"left out, region ap-east-1, not enabled: {party.shop.id}",
        f"left out, region {OTHER}, denied by a service control policy: {party.shop.id}",
        f"left out, region me-south-1, not enabled: {party.shop.id}, {party.europe.id}",
    ]
    assert any(f"{OTHER} is left out" in text for text in done.messages(party.shop.id))


def test_all_regions_are_asked_of_ec2_where_the_account_may_not_say(
    party: Party, run_organization: RunOrganization
) -> None:
    party.embedded.switches.deny("account", "ListRegions")
    done = run_organization("--accounts", party.shop.id, "--regions", "all", "--only", "security")
    assert done.code == 0, done.out
    assert documents(party).keys() == places(party.shop)
    assert done.beginning("left out") == [
        f"left out, region {region}, not enabled: {party.shop.id}"
        for region in ("ap-east-1", "me-south-1")
    ]


def test_an_enabled_region_that_takes_no_credentials_is_a_failure(
    party: Party, run_organization: RunOrganization
) -> None:
    """Nothing is known of it, though the account says that it is there."""
    text = "AWS was not able to validate the provided access credentials"
    party.embedded.switches.fail(
        "*", "*", "AuthFailure", text, 401, region=OTHER, account=party.shop.id
    )
    done = run_organization("--accounts", party.shop.id, "--regions", "all", "--only", "security")
    assert done.code == 1
    assert done.beginning("failed, ") == [f"failed, {party.shop.id}: {OTHER} security"]
    assert statuses(documents(party)[f"{party.shop.id}/{OTHER}"])["security"] == "Fail"


@pytest.mark.parametrize("several", [False, True])
def test_regions_that_are_named_but_closed_are_left_out(
    several: bool, party: Party, run_organization: RunOrganization
) -> None:
    account = party.shop if several else party.payer
    accounts = ("--accounts", account.id) if several else ()
    done = run_organization(*accounts, "--regions", f"{HOME},me-south-1", "--only", "security")
    assert done.code == 0, done.out
    assert documents(party).keys() == places(account, regions=(HOME,))
    assert done.beginning("left out") == [f"left out, region me-south-1, not enabled: {account.id}"]


def test_a_closed_region_changes_no_order_of_documents(
    party: Party, run_organization: RunOrganization, tmp_path: Path
) -> None:
    party.embedded.switches.slow("kms", "ListKeys", 2, region=HOME)
    target = tmp_path / "documents"
    regions = f"{HOME},me-south-1,{OTHER}"
    flags = ("--regions", regions, "--only", "security", "--dry-run", "--output", str(target))
    assert run_organization(*flags).code == 0
    told = [json.loads(line)["meta"]["region"] for line in target.read_text().splitlines()]
    assert told == [HOME, OTHER]


def test_a_region_where_only_ec2_is_denied_is_read(
    party: Party, run_organization: RunOrganization
) -> None:
    """The policy closes a service, not the region."""
    message = "not authorized with an explicit deny in a service control policy"
    party.embedded.switches.fail(
        "ec2", "DescribeInstances", "UnauthorizedOperation", message, 403, region=OTHER
    )
    done = run_organization(*BOTH, "--only", "security")
    assert done.code == 0, done.out
    assert documents(party).keys() == places(party.payer)
    assert not done.beginning("left out")


@pytest.mark.parametrize("closed", [False, True])
def test_a_trail_is_in_the_document_of_its_region_or_if_that_is_closed_of_the_home_region(
    closed: bool, party: Party, run_organization: RunOrganization
) -> None:
    party.payer.size = replace(LITTLE, trails=1)  # the first one records all regions
    party.payer.touch()
    if closed:
        party.embedded.switches.deny_by_scp(OTHER, account=party.payer.id)
    assert run_organization(*BOTH, "--only", "security").code == 0
    arn = party.payer.items("cloudtrail", "trails", OTHER)[0]["TrailARN"]
    told = {
        place
        for place, held in documents(party).items()
        if arn in {row["arn"] for row in held["security"]["cloudtrail"]}
    }
    assert told == places(party.payer, regions=(HOME if closed else OTHER,))


def test_a_region_that_does_not_answer_does_not_hold_up_the_home_region(
    party: Party, run_organization: RunOrganization
) -> None:
    begun = threading.Event()
    asked: list[str] = []

    def begin(_request: ApiRequest) -> None:
        asked.append(HOME)
        begun.set()

    def hold(_request: ApiRequest) -> None:
        asked.append(OTHER)
        begun.wait(60)

    switches = party.embedded.switches
    switches.intercept("kms", "ListKeys", begin, region=HOME)
    switches.intercept("ec2", "DescribeInstances", hold, region=OTHER)
    done = run_organization(*BOTH, "--only", "security")
    assert done.code == 0, done.out
    assert asked.index(HOME) < ATTEMPTS, "the home region waited until the other one was given up"
    assert documents(party).keys() == places(party.payer)


@pytest.mark.parametrize("several", [False, True])
def test_a_region_that_there_is_not_is_a_mistake(
    several: bool, party: Party, run_organization: RunOrganization
) -> None:
    """Nobody would notice that it is left out night for night."""
    accounts = ("--accounts", party.shop.id) if several else ()
    done = run_organization(*accounts, "--regions", f"{HOME},us-esat-1", "--only", "security")
    assert done.code == 2
    assert documents(party) == {}


def test_the_callers_own_account_may_be_read_in_all_regions(
    party: Party, run_organization: RunOrganization
) -> None:
    done = run_organization("--regions", "all", "--only", "security")
    assert done.code == 0, done.out
    assert documents(party).keys() == places(party.payer)
    assert not called(party, "AssumeRole", party.payer)


# Regions at once


def meet(party: Party, account: Account) -> None:
    """Hold an account's listing of keys in each of two regions until both have been asked."""
    both = threading.Barrier(2)

    def hold(_request: ApiRequest) -> None:
        both.wait(60)

    party.embedded.switches.intercept("kms", "ListKeys", hold, account=account.id, times=2)


def first_call(party: Party, account: Account, region: str) -> datetime:
    """When an account's region was begun."""
    return min(
        call.started
        for call in party.embedded.calls
        if (call.account, call.region, call.operation) == (account.id, region, "ListKeys")
    )


@pytest.mark.parametrize("who", ["the caller", "another account"])
def test_regions_of_an_account_are_read_at_once(
    party: Party, run_organization: RunOrganization, who: str
) -> None:
    account = party.payer if who == "the caller" else party.shop
    meet(party, account)
    accounts = () if account is party.payer else ("--accounts", account.id)
    done = run_organization(*accounts, *BOTH, "--only", "security,account")
    assert done.code == 0, done.out
    found = documents(party)
    assert found.keys() == places(account)
    assert all(held["security"]["kms"] for held in found.values())
    names = {held["account"]["account_name"] for held in found.values()}
    assert len(names) == 1
    assert all(names)
    written = done.beginning("s3://")
    assert written == sorted(written)
    told = {held["region"] for held in done.story if held["message"].startswith("security: ")}
    assert told == {*REGIONS}


@pytest.mark.parametrize("by", ["flag", "variable"])
def test_no_more_regions_are_read_at_once_than_the_run_is_told(
    party: Party, run_organization: RunOrganization, by: str
) -> None:
    party.payer.regions = (*REGIONS, "ap-east-1", "me-south-1")
    meet(party, party.payer)
    begun: set[str] = set()
    most: list[int] = []

    def begin(request: ApiRequest) -> None:
        if "StartAfter" in request.params:  # else it is this test, or asks for the bucket
            begun.add(request.params["Prefix"].split("/")[2])
            most.append(len(begun))

    def end(request: ApiRequest) -> None:
        begun.remove(request.params["Key"].split("/")[2])

    party.embedded.switches.intercept("s3", "ListObjectsV2", begin)
    party.embedded.switches.intercept("s3", "PutObject", end)
    flags, variables = (("--at-once", "2"), {}) if by == "flag" else ((), {"AT_ONCE": "2"})
    done = run_organization("--regions", "all", "--only", "security", *flags, **variables)
    assert done.code == 0, done.out
    assert documents(party).keys() == places(party.payer, regions=party.payer.regions)
    assert max(most) == 2


def test_an_account_whose_regions_wait_takes_no_other_accounts_turn(
    party: Party, run_organization: RunOrganization
) -> None:
    """Its second region is begun when the other account is over, and has no more use for one."""
    meet(party, party.shop)
    asked = ("--accounts", f"{party.shop.id},{party.europe.id}", *BOTH, "--at-once", "2")
    done = run_organization(*asked, "--only", "security")
    assert done.code == 0, done.out
    assert documents(party).keys() == places(party.shop, party.europe)
    others = [first_call(party, party.europe, region) for region in REGIONS]
    assert max(others) < max(first_call(party, party.shop, region) for region in REGIONS)


def test_a_region_that_cannot_begin_for_lack_of_time_is_a_failure(
    party: Party, run_organization: RunOrganization, clock: Clock
) -> None:
    """Its account has one turn, which another region takes with it beyond the account's time."""
    party.embedded.switches.intercept(
        "kms", "ListKeys", lambda _: clock.forward(600), account=party.shop.id, region=HOME
    )
    accounts = ("--accounts", f"{party.shop.id},{party.europe.id}", *BOTH, "--at-once", "1")
    done = run_organization(*accounts, "--only", "security", "--account-time-limit", "600")
    assert done.code == 1
    [failed] = [line for line in done.beginning("failed, ") if party.shop.id in line]
    assert f"{OTHER}: its time is used up; the next run reads this region" in failed
    assert documents(party).keys() >= places(party.europe)


def test_a_region_that_breaks_the_sender_is_not_the_others_harm(
    party: Party, run_organization: RunOrganization
) -> None:
    def answer(_request: object) -> None:
        raise InstantAnswer({"Contents": [{"Size": 1}]})

    party.embedded.switches.intercept(
        "s3", "ListObjectsV2", answer,
        predicate=lambda request: f"/{HOME}/" in request.params.get("Prefix", ""),
    )  # fmt: skip
    done = run_organization(*BOTH, "--only", "security,account")
    assert done.code == 1
    assert documents(party).keys() == places(party.payer, regions=(OTHER,))
    assert f"{HOME}: KeyError: 'Key'" in done.messages()


def test_a_region_knows_its_account_also_where_the_home_region_is_not_read_again(
    party: Party, run_organization: RunOrganization
) -> None:
    asked = ("--accounts", party.shop.id, "--only", "security,account")
    assert run_organization(*asked).code == 0
    assert run_organization(*asked, *BOTH, "--resume").code == 0
    home, other = (documents(party)[f"{party.shop.id}/{region}"] for region in REGIONS)
    assert other["account"]["account_name"]
    for name in ("account_name", "account_status", "account_arn", "joined_timestamp"):
        assert other["account"][name] == home["account"][name]


def test_no_later_run_takes_away_what_is_known_of_an_account_in_any_region(
    party: Party, run_organization: RunOrganization, warehouse: Warehouse, tmp_path: Path
) -> None:
    facts = """SELECT region, account_name, account_status, account_arn, joined_timestamp,
        customer_name, array(
            SELECT p.name FROM product_accounts pa JOIN products p ON p.id = pa.product_id
            WHERE pa.account_id = a.id AND pa.gone_at IS NULL ORDER BY p.name) AS products
        FROM accounts a ORDER BY region"""
    other = tmp_path / "accounts.csv"
    other.write_text(f"account_id,customer,product\n{party.shop.id},Others,Zeta\n")

    def load() -> list[dict[str, Any]]:
        receiver.load_all(warehouse.receiver, receiver.list_data(warehouse.receiver))
        return warehouse.query(facts)

    asked = ("--accounts", party.shop.id, *BOTH)
    assert run_organization(*asked, "--only", "account,security").code == 0
    known = load()
    assert [row["region"] for row in known] == sorted(REGIONS)
    assert all(None not in row.values() for row in known)
    assert [row["products"] for row in known] == [["Tills", "Web"]] * len(REGIONS)
    assert run_organization(*asked, "--only", "security").code == 0
    assert load() == known
    yesterday = str(datetime.now(UTC).date() - timedelta(days=1))
    for flags in (("--only", "security"), ("--start", yesterday)):
        assert run_organization("--accounts-file", str(other), *BOTH, *flags).code == 0
        assert load() == known
    party.embedded.switches.deny("account", "GetAccountInformation")
    party.embedded.switches.deny("organizations", "DescribeAccount")
    done = run_organization(*asked, "--only", "account")
    assert done.code == 1
    problems = "; ".join(f"{region} account" for region in sorted(REGIONS))
    assert done.beginning("failed, ") == [f"failed, {party.shop.id}: {problems}"]
    assert load() == known
