"""Time: what hangs or is throttled costs its own account, and what there is of it is uploaded."""

from __future__ import annotations

import threading

import pytest

from observability.aws.session import RETRIES
from tests.cloud import ApiRequest
from tests.cloud.switches import CutError
from tests.conftest import REGIONS, Clock
from tests.party import Party, RunOrganization, called, documents, places
from tests.runs import statuses

HOME, OTHER = REGIONS
BOTH = ("--regions", ",".join(REGIONS))
ATTEMPTS = 1 + RETRIES


def test_a_hung_account_takes_its_own_time_only(
    party: Party, run_organization: RunOrganization
) -> None:
    party.embedded.switches.hang("*", account=party.shop.id)
    done = run_organization(
        "--organization", "--only", "security", "--at-once", "2",
        "--exclude-accounts", party.broken.id,
    )  # fmt: skip
    assert done.code == 1
    others = (party.payer, party.security, party.europe)
    assert documents(party).keys() == places(*others, regions=(HOME,))
    [line] = done.beginning("failed, ")
    assert line.startswith(f"failed, {party.shop.id}: ReadTimeoutError")
    told = [held["message"][:11] for held in done.story if held["kind"] in ("SUCCESS", "ERROR")]
    assert told[-1] == "ReadTimeout"  # the others are over long before
    assert any(text.startswith("s3://") for text in told)


def test_an_account_out_of_time_ships_what_it_has(
    party: Party, run_organization: RunOrganization, clock: Clock
) -> None:
    other_over, keys_known = threading.Event(), threading.Event()

    def run_out(_request: ApiRequest) -> None:
        assert other_over.wait(60)
        assert keys_known.wait(60)
        clock.forward(600)

    switches, shop = party.embedded.switches, party.shop.id
    switches.intercept(
        "s3", "PutObject", lambda _: other_over.set(),
        predicate=lambda request: party.europe.id in request.params["Key"],
    )  # fmt: skip
    switches.intercept("kms", "DescribeKey", lambda _: keys_known.set(), account=shop)
    switches.intercept("secretsmanager", "ListSecrets", run_out, account=shop)
    switches.throttle("secretsmanager", account=shop)
    done = run_organization(
        "--accounts", f"{shop},{party.europe.id}", "--only", "security",
        "--account-time-limit", "600",
    )  # fmt: skip
    assert done.code == 1
    assert done.beginning("failed, ") == [f"failed, {party.shop.id}: {HOME} security"]
    assert called(party, "ListSecrets", party.shop) <= ATTEMPTS  # the run would have more time
    found = documents(party)
    assert found[f"{party.shop.id}/{HOME}"]["security"]["kms"]
    assert statuses(found[f"{party.europe.id}/{HOME}"])["security"] == "Pass"


@pytest.mark.parametrize(
    ("flag", "whose"), [("--account-time-limit", "account"), ("--time-limit", "run")]
)
def test_whose_time_is_used_up_is_told(
    flag: str, whose: str, party: Party, run_organization: RunOrganization, clock: Clock
) -> None:
    """So that it is known which limit to raise."""
    party.embedded.switches.intercept("kms", "ListKeys", lambda _: clock.forward(600))
    done = run_organization("--accounts", party.shop.id, "--only", "security", flag, "600")
    assert done.code == 1
    assert any(f"the {whose}'s time is used up" in text for text in done.messages())


def test_accounts_for_which_no_time_is_left_are_told(
    party: Party, run_organization: RunOrganization, clock: Clock
) -> None:
    for account in (party.shop, party.europe):
        party.embedded.switches.intercept(
            "sts", "GetCallerIdentity", lambda _: clock.forward(600), account=account.id
        )
    done = run_organization(
        "--accounts", f"{party.shop.id},{party.europe.id}", "--only", "security",
        "--at-once", "1", "--time-limit", "600",
    )  # fmt: skip
    assert done.code == 1
    reasons = sorted(line.partition(": ")[2] for line in done.beginning("failed, "))
    assert reasons == [
        "the run's time is used up; the next run reads this account",
        f"{HOME}: its time is used up; the next run reads this region",
    ]


def test_an_outage_of_the_bucket_costs_no_later_document(
    party: Party, run_organization: RunOrganization
) -> None:
    """All accounts upload through one client, which must ask again once it is over."""
    uploads: list[str] = []

    def cut(request: ApiRequest) -> None:
        uploads.append(request.operation)
        if len(uploads) <= 3 * ATTEMPTS:
            raise CutError

    party.embedded.switches.intercept(
        "s3", "*", cut, predicate=lambda request: bool(uploads) or request.operation == "PutObject"
    )
    accounts = f"{party.shop.id},{party.europe.id},{party.security.id}"
    done = run_organization("--accounts", accounts, *BOTH, "--only", "security", "--at-once", "1")
    assert done.code == 1
    failed = sum("is not uploaded" in text for text in done.messages())
    assert 0 < failed < 3
    assert len(documents(party)) == 6 - failed


def test_a_shared_read_leaves_accounts_the_time_to_read_their_own(
    party: Party, run_organization: RunOrganization, clock: Clock
) -> None:
    query = ("ce", "GetCostAndUsage")
    party.embedded.switches.intercept(*query, lambda _: clock.forward(90), account=party.payer.id)
    party.embedded.switches.throttle(*query, account=party.payer.id)
    done = run_organization(
        "--organization", "--exclude-accounts", f"{party.broken.id},{party.payer.id}",
        "--only", "service", "--time-limit", "600",
    )  # fmt: skip
    assert done.code == 0, done.out
    assert any("accounts read their own" in text for text in done.messages())
    assert all(held["service"] for held in documents(party).values())
