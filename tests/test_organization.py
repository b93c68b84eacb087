"""One run of sender.py over the accounts and regions of an organization of the embedded cloud."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import receiver
import sender
from observability.aws.errors import THROTTLED, ReadError
from observability.aws.limits import UNREACHABLE_AFTER, RegionSlots
from observability.aws.session import RETRIES
from observability.collectors import COLLECTORS
from observability.errors import UsageError
from observability.receiving.result import FileStatus
from observability.sending.bucket import document_key
from tests.cloud import Account, ApiRequest, EmbeddedCloud, Size
from tests.cloud.organization import Organization
from tests.cloud.switches import CutError, InstantAnswer
from tests.conftest import REGIONS, Clock, MakeAccount, MakeEnvironment
from tests.enforcement import recorder
from tests.lambda_runtime import Context
from tests.sending import Document, lists, statuses
from tests.warehouse import Rows, Warehouse

HOME, OTHER = REGIONS
BOTH = ("--regions", ",".join(REGIONS))
LITTLE = Size(keys=3, volumes=4, security_hub_findings=5, buckets=2, cost_lines=3, secrets=2)
ROLE = "ObservabilityReader"
ATTEMPTS = 1 + RETRIES


@dataclass
class Party:
    """An organization whose payer runs the sender, and its accounts by what they are there for."""

    embedded: EmbeddedCloud
    organization: Organization
    payer: Account
    security: Account
    shop: Account
    europe: Account
    broken: Account
    closed: Account
    shops: str
    europeans: str
    environment: dict[str, str] = field(repr=False)

    @property
    def whole(self) -> tuple[Account, ...]:
        """The accounts that can be read."""
        return (self.payer, self.security, self.shop, self.europe)


@pytest.fixture
def party(
    embedded: EmbeddedCloud, make_account: MakeAccount, environment_of: MakeEnvironment
) -> Party:
    """An organization of six accounts: one is suspended, and one has no role to assume."""
    accounts = [make_account(LITTLE) for _ in range(6)]
    payer, security, shop, europe, broken, closed = accounts
    organization = Organization(payer)
    embedded.cloud.organizations.append(organization)
    shops = organization.unit("Shops")
    europeans = organization.unit("Europe", shops)
    organization.join(security, organization.unit("Security"))
    organization.join(
        shop, shops, Customer="Shop Corp", partner="Partner of shops", CATEGORY="Retail",
        environment="staging", product="Web:Tills",
    )  # fmt: skip
    organization.join(europe, europeans, customer="Europe Corp")
    organization.join(broken, europeans)
    organization.join(closed, shops, state="SUSPENDED")
    organization.delegate(security, "securityhub.amazonaws.com", "guardduty.amazonaws.com")
    for account in (security, shop, europe):
        embedded.keys.make_role(account.id, ROLE, payer.id)
    embedded.keys.make_role(broken.id, "Administrator", payer.id)
    environment = environment_of(payer)
    return Party(
        embedded, organization, payer, security, shop, europe, broken, closed, shops, europeans,
        environment,
    )  # fmt: skip


@dataclass
class Done:
    """What came of a run of the sender."""

    code: int
    out: list[str]
    story: list[dict[str, Any]] = field(repr=False)

    @property
    def summary(self) -> str:
        """The last line."""
        return self.out[-1]

    def beginning(self, words: str) -> list[str]:
        """The lines of stdout that begin with these words."""
        return [line for line in self.out if line.startswith(words)]

    def messages(self, account: str = "") -> list[str]:
        """What the log says, or what it says of one account."""
        return [held["message"] for held in self.story if account in ("", held.get("account"))]


Send = Callable[..., Done]


@pytest.fixture
def send(party: Party, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Send:
    """Runs the sender in this process: `send("--organization", REGION="eu-west-1")`."""

    def run(*flags: str, **environment: str) -> Done:
        for name, value in (party.environment | environment).items():
            monkeypatch.setenv(name, value)
        code = sender.main(["--log-format", "json", *flags])
        out, story = capsys.readouterr()
        lines = [line for line in story.splitlines() if line.startswith("{")]
        return Done(code, out.splitlines(), list(map(json.loads, lines)))

    return run


def documents(party: Party, bucket: str = "") -> dict[str, Document]:
    """The documents in the bucket by account and region."""
    s3 = party.embedded.client("s3", party.embedded.analytics.id)
    where = {"Bucket": bucket or party.environment["BUCKET"]}
    keys = [held["Key"] for held in s3.list_objects_v2(**where).get("Contents", ())]
    return {
        "/".join(key.split("/")[1:3]): json.loads(
            s3.get_object(**where, Key=key)["Body"].read(), parse_float=Decimal
        )
        for key in keys
    }


def places(*accounts: Account, regions: tuple[str, ...] = REGIONS) -> set[str]:
    """Account and region of each document."""
    return {f"{account.id}/{region}" for account in accounts for region in regions}


def called(party: Party, operation: str, account: Account) -> int:
    """How often an account called an operation."""
    made = [call.account for call in party.embedded.calls if call.operation == operation]
    return made.count(account.id)


# Which accounts


def test_one_run_writes_a_document_per_account_and_region_under_its_own_tags(
    party: Party, send: Send
) -> None:
    done = send("--organization", *BOTH, "--exclude-accounts", party.broken.id)
    assert done.code == 0, done.out
    found = documents(party)
    assert found.keys() == places(*party.whole)
    assert len(done.beginning("s3://")) == 8
    assert done.beginning("left out, suspended") == [f"left out, suspended: {party.closed.id}"]
    assert done.summary.startswith("4 accounts, 0 failed; ")
    names = ("customer_name", "partner_name", "category", "account_type", "product")
    tags = {place: tuple(held["account"][name] for name in names) for place, held in found.items()}
    ours = ("Example Partner", "Production", "production", "Shop,Billing")
    for region in REGIONS:
        assert tags[f"{party.payer.id}/{region}"] == ("Example Corp", *ours)
        assert tags[f"{party.europe.id}/{region}"] == ("Europe Corp", *ours)
        assert tags[f"{party.shop.id}/{region}"] == (
            "Shop Corp", "Partner of shops", "Retail", "staging", "Web,Tills",
        )  # fmt: skip


def test_documents_are_the_hubs_to_upload_and_the_accounts_to_read(
    party: Party, send: Send
) -> None:
    send("--organization", "--exclude-accounts", party.broken.id)
    calls = party.embedded.calls
    assert {c.account for c in calls if c.operation == "PutObject"} == {party.payer.id}
    readers = {c.account for c in calls if c.operation == "ListSecrets"}
    assert readers == {account.id for account in party.whole}
    assert {c.identity for c in calls if c.account == party.payer.id} == {
        f"arn:aws:iam::{party.payer.id}:user/observability"
    }
    roles = {c.identity.split("/")[1] for c in calls if c.account == party.shop.id}
    assert roles == {ROLE}


def test_global_data_comes_once_per_account_in_the_home_region(party: Party, send: Send) -> None:
    flags = ("--only", "cost,security", "--per-account-reads")
    send("--organization", *BOTH, *flags, REGION=OTHER)
    found = documents(party)
    for account in party.whole:
        home, other = (found[f"{account.id}/{region}"] for region in (OTHER, HOME))
        assert (statuses(home)["cost"], statuses(other)["cost"]) == ("Pass", "Skipped")
        assert home["security"]["kms"]
        assert other["security"]["kms"]
        assert called(party, "GetCostAndUsage", account) == 1


def test_a_broken_account_fails_alone_and_is_named(party: Party, send: Send) -> None:
    done = send("--organization", "--only", "security")
    assert done.code == 1
    assert documents(party).keys() == places(*party.whole, regions=(HOME,))
    [line] = done.beginning("failed, ")
    assert line.startswith(f"failed, {party.broken.id}: sts:AssumeRole denied, AccessDenied: ")
    assert f"role/{ROLE}" in line
    assert done.summary.startswith("5 accounts, 1 failed; 4 Pass, 0 Fail, ")
    assert any("sts:AssumeRole denied" in text for text in done.messages(party.broken.id))
    assert not any("denied" in text for text in done.messages(party.shop.id))


def test_a_category_that_fails_in_one_account_is_told_with_its_region(
    party: Party, send: Send
) -> None:
    party.embedded.switches.deny("secretsmanager", account=party.shop.id, region=OTHER)
    done = send(
        "--accounts", f"{party.shop.id},{party.europe.id}", "--only", "security,cost", *BOTH
    )
    assert done.code == 1
    assert done.beginning("failed, ") == [f"failed, {party.shop.id}: {OTHER} security"]
    assert done.summary.startswith("2 accounts, 1 failed; 5 Pass, 1 Fail, ")


def test_an_account_whose_answers_break_the_sender_is_not_the_others_harm(
    party: Party, send: Send
) -> None:
    def answer(_request: object) -> None:
        raise InstantAnswer({"Regions": [{"RegionName": "eu-west-9"}]})

    party.embedded.switches.intercept("account", "ListRegions", answer, account=party.shop.id)
    done = send(
        "--accounts", f"{party.shop.id},{party.europe.id}", "--only", "security", "--regions", "all"
    )
    assert done.code == 1
    assert done.beginning("failed, ") == [f"failed, {party.shop.id}: KeyError: 'RegionOptStatus'"]
    assert documents(party).keys() == places(party.europe)


def test_an_account_whose_tags_cannot_be_read_is_not_read_under_others(
    party: Party, send: Send
) -> None:
    party.embedded.switches.deny(
        "organizations", "ListTagsForResource",
        predicate=lambda request: request.params["ResourceId"] == party.shop.id,
    )  # fmt: skip
    done = send("--organization", "--only", "security", "--exclude-accounts", party.broken.id)
    [line] = done.beginning("failed, ")
    assert line.startswith(f"failed, {party.shop.id}: organizations:ListTagsForResource denied")
    assert documents(party).keys() == places(
        *(account for account in party.whole if account is not party.shop), regions=(HOME,)
    )


TAGGED = ("customer_name", "partner_name", "category", "account_type", "product")
MEMBERSHIP = ("account_email", "account_arn", "joined_method", "joined_timestamp")


def told(document: Document, names: tuple[str, ...]) -> tuple[Any, ...]:
    """What a document says of its account."""
    return tuple(document["account"][name] for name in names)


def test_what_the_organization_knows_of_an_account_is_in_each_of_its_documents(
    party: Party, send: Send
) -> None:
    """It knows it from its list: neither the caller nor the accounts ask for it."""
    done = send("--organization", *BOTH, "--only", "account", "--exclude-accounts", party.broken.id)
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
    send: Send,
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
    first = send("--organization", *units, *asked, f"{others},{party.broken.id}", **environment)
    assert first.code == 0, first.out
    before = documents(party)
    party.embedded.calls.clear()
    again = send(
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
    send: Send,
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
    done = send("--accounts", named, *BOTH, "--only", "account", **environment_of(caller))
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
    party: Party, send: Send, make_account: MakeAccount
) -> None:
    strangers = [make_account(LITTLE), make_account(LITTLE)]
    for account in strangers:
        party.embedded.keys.make_role(account.id, ROLE, party.payer.id)
    named = ",".join(account.id for account in (party.shop, *strangers))
    done = send("--accounts", named, "--only", "account")
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
    code: str, lost: str, party: Party, send: Send
) -> None:
    """A failure does not say that there are no tags, nor does a refusal of one account's alone."""
    ids = {getattr(party, name).id for name in lost.split()}
    party.embedded.switches.fail(
        "organizations", "ListTagsForResource", code, "is not authorized to perform: it", 400,
        predicate=lambda request: request.params["ResourceId"] in ids,
    )  # fmt: skip
    both = {party.shop.id, party.europe.id}
    done = send("--accounts", ",".join(both), "--only", "account")
    assert done.code == 1
    failed = [line.partition(": ")[::2] for line in done.beginning("failed, ")]
    assert {account.removeprefix("failed, ") for account, _ in failed} == both & ids
    assert all(why.startswith("organizations:ListTagsForResource") for _, why in failed)
    assert {place.split("/")[0] for place in documents(party)} == both - ids


def test_what_the_organization_knows_is_not_told_as_unknown_where_it_cannot_be_read(
    party: Party, send: Send
) -> None:
    """So that the receiver keeps what it has of the account."""
    party.embedded.switches.fail(
        "organizations", "DescribeAccount", "ServiceException", "oops", 500, account=party.payer.id
    )
    done = send("--accounts", f"{party.shop.id},{party.payer.id}", "--only", "account")
    assert done.code == 1
    assert {statuses(held)["account"] for held in documents(party).values()} == {"Fail"}


def test_a_run_that_would_read_no_account_is_no_success(party: Party, send: Send) -> None:
    assert send("--accounts", party.shop.id, "--exclude-accounts", party.shop.id).code == 2
    empty = party.organization.unit("Empty")
    assert send("--organization", "--include-ou", empty).code == 2


def test_quotas_of_each_account_make_a_run_later_and_no_less_complete(
    party: Party, send: Send
) -> None:
    asked = ("--organization", "--exclude-accounts", party.broken.id)
    free = send(*asked, "--dry-run", "--output", os.devnull)
    party.embedded.switches.realistic_quotas(used_up=True)
    party.embedded.calls.clear()
    limited = send(*asked)
    calls = party.embedded.calls
    throttled = {call.account for call in calls if call.error in THROTTLED}
    assert throttled == {account.id for account in party.whole}
    assert (free.code, limited.code) == (0, 0)
    assert all(
        set(statuses(held).values()) <= {"Pass", "Skipped"} for held in documents(party).values()
    )
    assert limited.summary.split(";")[1] == free.summary.split(";")[1]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("", "payer security shop europe broken"),
        ("--include-ou {shops}", "shop europe broken"),
        ("--include-ou {europeans},{shops}", "shop europe broken"),
        ("--include-ou {europeans}", "europe broken"),
        ("--exclude-ou {shops}", "payer security"),
        ("--exclude-ou {europeans}", "payer security shop"),
        ("--include-ou {shops} --exclude-ou {europeans}", "shop"),
        ("--include-ou {root} --exclude-accounts {shop},{closed}", "payer security europe broken"),
    ],
)
def test_units_choose_the_accounts_and_check_tells_which_can_be_entered(
    party: Party, send: Send, flags: str, expected: str
) -> None:
    party.embedded.cloud.page_size = 1
    told = flags.format(
        shops=party.shops, europeans=party.europeans, root=party.organization.root,
        shop=party.shop.id, closed=party.closed.id,
    )  # fmt: skip
    done = send("--organization", "--check", *told.split())
    wanted = {getattr(party, name).id for name in expected.split()}
    assert {line.split()[0] for line in done.out[1:]} == wanted
    entered = {line.split()[0] for line in done.out if re.search(r"\byes\b", line)}
    assert entered == wanted - {party.broken.id}
    assert done.code == int(party.broken.id in wanted)


def test_a_unit_that_is_not_there_cannot_be_left_out(party: Party, send: Send) -> None:
    unknown = "ou-abcd-12345678"
    assert send("--organization", "--exclude-ou", unknown).code == 2
    assert send("--organization", "--include-ou", unknown).code == 2
    assert send("--organization", "--include-ou", "Shops").code == 2
    assert not documents(party)


def test_a_member_may_not_list_the_organization(
    party: Party, send: Send, environment_of: MakeEnvironment
) -> None:
    done = send("--organization", **environment_of(party.shop))
    assert done.code == 1
    assert "You don't have permissions to access this resource" in done.messages()[-1]


def test_a_delegated_administrator_may_run_it_too(
    party: Party, send: Send, environment_of: MakeEnvironment
) -> None:
    for account in (party.payer, party.shop, party.europe):
        party.embedded.keys.make_role(account.id, ROLE, party.security.id)
    done = send(
        "--organization", "--only", "security", "--exclude-accounts", party.broken.id,
        **environment_of(party.security),
    )  # fmt: skip
    assert done.code == 0, done.out
    assert documents(party).keys() == places(*party.whole, regions=(HOME,))


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--accounts", "12345"), "'12345'"),
        (("--accounts", "111122223333", "--organization"), "give one of them"),
        (("--include-ou", "ou-1"), "--organization"),
        (("--accounts", "111122223333", "--exclude-accounts", "x"), "'x'"),
        (("--accounts-file", "/nowhere/accounts.csv"), "/nowhere/accounts.csv"),
        (("--organization", "--at-once", "0"), "AT_ONCE (--at-once): '0'"),
        (("--at-once", "few"), "AT_ONCE (--at-once): 'few'"),
    ],
)
def test_settings_that_make_no_sense_are_exit_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: tuple[str, ...],
    named: str,
) -> None:
    for name in ("REGION", "BUCKET"):
        monkeypatch.setenv(name, HOME)
    monkeypatch.setenv("ANALYTICS_KMS_KEY", "alias/documents")
    try:
        code: Any = sender.main(flags)
    except SystemExit as end:
        code = end.code
    out, story = capsys.readouterr()
    assert (code, out) == (2, "")
    assert named in story.splitlines()[-1]


def test_a_flag_wins_over_the_variables_that_name_other_accounts(party: Party, send: Send) -> None:
    """As when one account is read again where the variables are those of the nightly run."""
    variables = {"ORGANIZATION": "1", "INCLUDE_OU": party.europeans}
    done = send("--accounts", party.shop.id, "--only", "security", **variables)
    assert done.code == 0, done.out
    assert documents(party).keys() == places(party.shop, regions=(HOME,))


def test_units_of_a_variable_go_with_the_flag_of_the_organization(party: Party, send: Send) -> None:
    """As in the task of deploy/."""
    variables = {"ACCOUNTS": party.shop.id, "INCLUDE_OU": party.europeans}
    flags = ("--organization", "--exclude-accounts", party.broken.id, "--only", "security")
    done = send(*flags, **variables)
    assert done.code == 0, done.out
    assert documents(party).keys() == places(party.europe, regions=(HOME,))


# The accounts file


def test_the_accounts_file_speaks_for_the_accounts_that_it_tags(
    party: Party, send: Send, tmp_path: Path
) -> None:
    asked: list[str] = []
    party.embedded.switches.intercept(
        "organizations", "ListTagsForResource",
        lambda request: asked.append(request.params["ResourceId"]),
    )  # fmt: skip
    file = tmp_path / "accounts.csv"
    file.write_text(
        f'account_id,product,customer\n{party.shop.id},"Web,Tills",Ours\n{party.europe.id},,\n',
        encoding="utf-8-sig",
    )
    done = send("--only", "account", ACCOUNTS_FILE=str(file))
    assert done.code == 0, done.out
    found = documents(party)
    assert found.keys() == places(party.shop, party.europe, regions=(HOME,))
    named = [
        (found[f"{account.id}/{HOME}"]["account"]["customer_name"],
         found[f"{account.id}/{HOME}"]["account"]["product"])
        for account in (party.shop, party.europe)
    ]  # fmt: skip
    assert named == [("Ours", "Web,Tills"), ("Europe Corp", "Shop,Billing")]
    assert asked == [party.payer.id, party.europe.id]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("account_id\n1234\n111122223333\n,\n111122223333\n",
         ("2: '1234' is not", "4: more values", "5: 111122223333 is there twice")),
        ("account_id,customer\n111122223333,A,B\n", ("2: more values than",)),
        ("account_id,colour\n111122223333,red\n", (" the header has 'colour'; its columns are",)),
        ("account_id;customer\n", (" the header has 'account_id;customer'; its columns are",)),
        ("account_id,customer,customer\n", (" the header has customer more than once",)),
        ("customer\nA\n", (" the header lacks account_id; its columns are account_id[,custom",)),
        ("account_id\n", (" there is no account",)),
        ("", (" the header lacks account_id",)),
        ('account_id\n"111122223333\n', (" unexpected end of data",)),
    ],
)  # fmt: skip
def test_each_line_of_the_accounts_file_that_is_wrong_is_told(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    text: str,
    lines: tuple[str, ...],
) -> None:
    for name in ("REGION", "BUCKET"):
        monkeypatch.setenv(name, HOME)
    monkeypatch.setenv("ANALYTICS_KMS_KEY", "alias/documents")
    file = tmp_path / "accounts.csv"
    file.write_text(text)
    assert sender.main(["--accounts-file", str(file)]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == len(lines)
    for line, expected in zip(told, lines, strict=True):
        assert line.startswith(f"sender.py: {file}:{expected}")


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_an_accounts_file_of_another_encoding_is_to_be_saved_anew(
    encoding: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("REGION", HOME)
    file = tmp_path / "accounts.csv"
    file.write_text("account_id,customer\n111122223333,K\u00f6ln\n", encoding=encoding)
    assert sender.main(["--dry-run", "--accounts-file", str(file)]) == 2
    told = capsys.readouterr().err
    assert told == f"sender.py: {file}: it is not UTF-8; save it as CSV UTF-8\n"


# Getting in


def test_a_role_may_ask_for_an_external_id(party: Party, send: Send) -> None:
    party.embedded.keys.make_role(party.shop.id, "Reader", party.payer.id, external_id="sesame")
    known = ("--accounts", party.shop.id, "--only", "security", "--role-name", "Reader")
    for wrong in ((), ("--external-id", "seed")):
        done = send(*known, *wrong)
        assert (done.code, documents(party)) == (1, {})
        assert "sts:AssumeRole denied" in done.beginning("failed")[0]
    assert send(*known, EXTERNAL_ID="sesame").code == 0
    assert documents(party).keys() == places(party.shop, regions=(HOME,))


def test_a_role_may_have_a_path(party: Party, send: Send) -> None:
    party.embedded.keys.make_role(party.shop.id, "team/a:b/Reader", party.payer.id)
    for name in ("team/a:b/Reader", "/team/a:b/Reader"):
        done = send("--accounts", party.shop.id, "--check", "--role-name", name)
        assert done.code == 0, done.out
        assert done.beginning(party.shop.id)[0].split()[2] == "yes"
    assert send("--accounts", party.shop.id, "--check", "--role-name", "Reader").code == 1


def test_what_the_role_and_the_caller_need_is_in_the_readme(party: Party, send: Send) -> None:
    role: set[str] = set()
    caller: set[str] = set()
    party.embedded.switches.policies[party.shop.id] = recorder(role)
    party.embedded.switches.policies[party.payer.id] = recorder(caller)
    send("--organization", "--regions", "all", "--exclude-accounts", party.broken.id)
    send("--organization", "--check", "--exclude-ou", party.europeans)
    party.embedded.switches.deny("account", "ListRegions")
    send("--accounts", party.shop.id, "--regions", "all", "--only", "cost")
    reading = {action for collector in COLLECTORS for action in collector.actions}
    assert role - reading == {"account:ListRegions", "ec2:DescribeRegions"}
    beyond = caller - reading
    assert beyond >= {"sts:AssumeRole", "organizations:ListAccounts", "s3:PutObject"}
    text = Path(sender.__file__).with_name("README.md").read_text(encoding="utf-8")
    assert [action for action in beyond if action.partition(":")[2] not in text] == []


@pytest.fixture
def short_sessions(embedded: EmbeddedCloud) -> Iterator[timedelta]:
    """Sessions of roles end after eight seconds, less than a sender waits for an answer."""
    embedded.keys.lifetime = timedelta(seconds=8)
    yield embedded.keys.lifetime
    embedded.keys.lifetime = None


def test_a_session_that_ends_in_the_middle_of_a_run_is_renewed(
    party: Party, send: Send, short_sessions: timedelta
) -> None:
    party.embedded.switches.slow("kms", "ListKeys", short_sessions.total_seconds() + 1, times=1)
    done = send("--accounts", party.shop.id, "--only", "security")
    assert done.code == 0, done.out
    assert documents(party)[f"{party.shop.id}/{HOME}"]["security"]["kms"]
    calls = party.embedded.calls
    first = next(c.started for c in calls if c.operation == "AssumeRole")
    late = [c for c in calls if c.operation == "DescribeKey"]
    assert late
    assert all(c.started - first > short_sessions for c in late)
    assert not [c for c in calls if "Expired" in c.error]


def test_a_hung_account_takes_its_own_time_only(party: Party, send: Send) -> None:
    party.embedded.switches.hang("*", account=party.shop.id)
    done = send(
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


def test_an_account_out_of_time_ships_what_it_has(party: Party, send: Send, clock: Clock) -> None:
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
    done = send(
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
    flag: str, whose: str, party: Party, send: Send, clock: Clock
) -> None:
    """So that it is known which limit to raise."""
    party.embedded.switches.intercept("kms", "ListKeys", lambda _: clock.forward(600))
    done = send("--accounts", party.shop.id, "--only", "security", flag, "600")
    assert done.code == 1
    assert any(f"the {whose}'s time is used up" in text for text in done.messages())


def test_accounts_for_which_no_time_is_left_are_told(
    party: Party, send: Send, clock: Clock
) -> None:
    for account in (party.shop, party.europe):
        party.embedded.switches.intercept(
            "sts", "GetCallerIdentity", lambda _: clock.forward(600), account=account.id
        )
    done = send(
        "--accounts", f"{party.shop.id},{party.europe.id}", "--only", "security",
        "--at-once", "1", "--time-limit", "600",
    )  # fmt: skip
    assert done.code == 1
    reasons = sorted(line.partition(": ")[2] for line in done.beginning("failed, "))
    assert reasons == [
        "the run's time is used up; the next run reads this account",
        f"{HOME}: its time is used up; the next run reads this region",
    ]


def test_an_outage_of_the_bucket_costs_no_later_document(party: Party, send: Send) -> None:
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
    done = send("--accounts", accounts, *BOTH, "--only", "security", "--at-once", "1")
    assert done.code == 1
    failed = sum("is not uploaded" in text for text in done.messages())
    assert 0 < failed < 3
    assert len(documents(party)) == 6 - failed


def test_an_organization_that_does_not_answer_is_not_waited_for_by_each_account(
    party: Party, send: Send, tmp_path: Path
) -> None:
    file = tmp_path / "accounts.csv"
    accounts = (party.shop, party.europe, party.security)
    file.write_text("account_id,customer\n" + "".join(f"{held.id},Ours\n" for held in accounts))
    party.embedded.switches.cut("organizations")
    party.embedded.calls.clear()
    done = send("--accounts-file", str(file), "--only", "account", "--at-once", "1")
    assert done.code == 1
    asked = [call for call in party.embedded.calls if call.service == "organizations"]
    assert 0 < len(asked) <= UNREACHABLE_AFTER * ATTEMPTS
    held = documents(party)
    assert held.keys() == places(*accounts, regions=(HOME,))
    assert {statuses(document)["account"] for document in held.values()} == {"Fail"}


def test_a_shared_read_leaves_accounts_the_time_to_read_their_own(
    party: Party, send: Send, clock: Clock
) -> None:
    query = ("ce", "GetCostAndUsage")
    party.embedded.switches.intercept(*query, lambda _: clock.forward(90), account=party.payer.id)
    party.embedded.switches.throttle(*query, account=party.payer.id)
    done = send(
        "--organization", "--exclude-accounts", f"{party.broken.id},{party.payer.id}",
        "--only", "service", "--time-limit", "600",
    )  # fmt: skip
    assert done.code == 0, done.out
    assert any("accounts read their own" in text for text in done.messages())
    assert all(held["service"] for held in documents(party).values())


# Regions


def test_all_regions_are_those_that_are_enabled_and_allowed(party: Party, send: Send) -> None:
    party.europe.regions = (*REGIONS, "ap-east-1")
    party.embedded.switches.deny_by_scp(OTHER, account=party.shop.id)
    accounts = f"{party.shop.id},{party.europe.id}"
    done = send("--accounts", accounts, "--regions", "all", "--only", "security")
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
    party: Party, send: Send
) -> None:
    party.embedded.switches.deny("account", "ListRegions")
    done = send("--accounts", party.shop.id, "--regions", "all", "--only", "security")
    assert done.code == 0, done.out
    assert documents(party).keys() == places(party.shop)
    assert done.beginning("left out") == [
        f"left out, region {region}, not enabled: {party.shop.id}"
        for region in ("ap-east-1", "me-south-1")
    ]


def test_an_enabled_region_that_takes_no_credentials_is_a_failure(party: Party, send: Send) -> None:
    """Nothing is known of it, though the account says that it is there."""
    text = "AWS was not able to validate the provided access credentials"
    party.embedded.switches.fail(
        "*", "*", "AuthFailure", text, 401, region=OTHER, account=party.shop.id
    )
    done = send("--accounts", party.shop.id, "--regions", "all", "--only", "security")
    assert done.code == 1
    assert done.beginning("failed, ") == [f"failed, {party.shop.id}: {OTHER} security"]
    assert statuses(documents(party)[f"{party.shop.id}/{OTHER}"])["security"] == "Fail"


@pytest.mark.parametrize("several", [False, True])
def test_regions_that_are_named_but_closed_are_left_out(
    several: bool, party: Party, send: Send
) -> None:
    account = party.shop if several else party.payer
    accounts = ("--accounts", account.id) if several else ()
    done = send(*accounts, "--regions", f"{HOME},me-south-1", "--only", "security")
    assert done.code == 0, done.out
    assert documents(party).keys() == places(account, regions=(HOME,))
    assert done.beginning("left out") == [f"left out, region me-south-1, not enabled: {account.id}"]


def test_a_closed_region_changes_no_order_of_documents(
    party: Party, send: Send, tmp_path: Path
) -> None:
    party.embedded.switches.slow("kms", "ListKeys", 2, region=HOME)
    target = tmp_path / "documents"
    regions = f"{HOME},me-south-1,{OTHER}"
    flags = ("--regions", regions, "--only", "security", "--dry-run", "--output", str(target))
    assert send(*flags).code == 0
    told = [json.loads(line)["meta"]["region"] for line in target.read_text().splitlines()]
    assert told == [HOME, OTHER]


def test_a_region_where_only_ec2_is_denied_is_read(party: Party, send: Send) -> None:
    """The policy closes a service, not the region."""
    message = "not authorized with an explicit deny in a service control policy"
    party.embedded.switches.fail(
        "ec2", "DescribeInstances", "UnauthorizedOperation", message, 403, region=OTHER
    )
    done = send(*BOTH, "--only", "security")
    assert done.code == 0, done.out
    assert documents(party).keys() == places(party.payer)
    assert not done.beginning("left out")


@pytest.mark.parametrize("closed", [False, True])
def test_a_trail_is_in_the_document_of_its_region_or_if_that_is_closed_of_the_home_region(
    closed: bool, party: Party, send: Send
) -> None:
    party.payer.size = replace(LITTLE, trails=1)  # the first one records all regions
    party.payer.touch()
    if closed:
        party.embedded.switches.deny_by_scp(OTHER, account=party.payer.id)
    assert send(*BOTH, "--only", "security").code == 0
    arn = party.payer.items("cloudtrail", "trails", OTHER)[0]["TrailARN"]
    told = {
        place
        for place, held in documents(party).items()
        if arn in {row["arn"] for row in held["security"]["cloudtrail"]}
    }
    assert told == places(party.payer, regions=(HOME if closed else OTHER,))


def test_a_region_that_does_not_answer_does_not_hold_up_the_home_region(
    party: Party, send: Send
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
    done = send(*BOTH, "--only", "security")
    assert done.code == 0, done.out
    assert asked.index(HOME) < ATTEMPTS, "the home region waited until the other one was given up"
    assert documents(party).keys() == places(party.payer)


@pytest.mark.parametrize("several", [False, True])
def test_a_region_that_there_is_not_is_a_mistake(several: bool, party: Party, send: Send) -> None:
    """Nobody would notice that it is left out night for night."""
    accounts = ("--accounts", party.shop.id) if several else ()
    done = send(*accounts, "--regions", f"{HOME},us-esat-1", "--only", "security")
    assert done.code == 2
    assert documents(party) == {}


def test_the_callers_own_account_may_be_read_in_all_regions(party: Party, send: Send) -> None:
    done = send("--regions", "all", "--only", "security")
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
def test_regions_of_an_account_are_read_at_once(party: Party, send: Send, who: str) -> None:
    account = party.payer if who == "the caller" else party.shop
    meet(party, account)
    accounts = () if account is party.payer else ("--accounts", account.id)
    done = send(*accounts, *BOTH, "--only", "security,account")
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
    party: Party, send: Send, by: str
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
    done = send("--regions", "all", "--only", "security", *flags, **variables)
    assert done.code == 0, done.out
    assert documents(party).keys() == places(party.payer, regions=party.payer.regions)
    assert max(most) == 2


def test_an_account_whose_regions_wait_takes_no_other_accounts_turn(
    party: Party, send: Send
) -> None:
    """Its second region is begun when the other account is over, and has no more use for one."""
    meet(party, party.shop)
    asked = ("--accounts", f"{party.shop.id},{party.europe.id}", *BOTH, "--at-once", "2")
    done = send(*asked, "--only", "security")
    assert done.code == 0, done.out
    assert documents(party).keys() == places(party.shop, party.europe)
    others = [first_call(party, party.europe, region) for region in REGIONS]
    assert max(others) < max(first_call(party, party.shop, region) for region in REGIONS)


def turns_taken(turns: RegionSlots, *accounts: str) -> list[str]:
    """The accounts that may begin a region now, of those that ask one after the other."""
    taken = []
    for account in accounts:
        with contextlib.suppress(ReadError):
            turns.acquire(account, time.monotonic() + 0.1)
            taken.append(account)
    return taken


def test_accounts_share_all_turns_and_none_takes_what_another_may_need(clock: Clock) -> None:
    clock.stop()
    turns = RegionSlots(8)
    turns.accounts = 5  # one each, and three of them have one more
    assert turns_taken(turns, *"aaabbccdd") == [*"aabbcc", "d"]
    assert turns_taken(turns, "e") == ["e"]
    turns.release("a")
    assert turns_taken(turns, *"aadd") == ["a"]
    turns.release("b")
    assert turns_taken(turns, *"dd") == ["d"]


def test_an_account_alone_has_all_turns_and_one_of_many_has_one(clock: Clock) -> None:
    clock.stop()
    alone, among = RegionSlots(3), RegionSlots(3)
    assert turns_taken(alone, *"aaaa") == [*"aaa"]
    among.accounts = 100
    assert turns_taken(among, *"abca") == [*"abc"]
    among.release("a")
    among.release("b")
    for _ in range(98):
        among.leave()
    assert turns_taken(among, *"aaac") == ["a", "a"]


def test_an_account_whose_time_is_used_up_does_not_wait_for_a_turn() -> None:
    turns = RegionSlots(1)
    with pytest.raises(ReadError, match="time is used up"):
        turns.acquire("a", time.monotonic())
    turns.acquire("a", time.monotonic() + 60)
    with pytest.raises(ReadError, match="time is used up"):
        turns.acquire("a", time.monotonic() + 0.05)
    turns.release("a")
    turns.acquire("a", time.monotonic() + 60)


def test_a_region_that_cannot_begin_for_lack_of_time_is_a_failure(
    party: Party, send: Send, clock: Clock
) -> None:
    """Its account has one turn, which another region takes with it beyond the account's time."""
    party.embedded.switches.intercept(
        "kms", "ListKeys", lambda _: clock.forward(600), account=party.shop.id, region=HOME
    )
    accounts = ("--accounts", f"{party.shop.id},{party.europe.id}", *BOTH, "--at-once", "1")
    done = send(*accounts, "--only", "security", "--account-time-limit", "600")
    assert done.code == 1
    [failed] = [line for line in done.beginning("failed, ") if party.shop.id in line]
    assert f"{OTHER}: its time is used up; the next run reads this region" in failed
    assert documents(party).keys() >= places(party.europe)


def test_a_region_that_breaks_the_sender_is_not_the_others_harm(party: Party, send: Send) -> None:
    def answer(_request: object) -> None:
        raise InstantAnswer({"Contents": [{"Size": 1}]})

    party.embedded.switches.intercept(
        "s3", "ListObjectsV2", answer,
        predicate=lambda request: f"/{HOME}/" in request.params.get("Prefix", ""),
    )  # fmt: skip
    done = send(*BOTH, "--only", "security,account")
    assert done.code == 1
    assert documents(party).keys() == places(party.payer, regions=(OTHER,))
    assert f"{HOME}: KeyError: 'Key'" in done.messages()


def test_a_region_knows_its_account_also_where_the_home_region_is_not_read_again(
    party: Party, send: Send
) -> None:
    asked = ("--accounts", party.shop.id, "--only", "security,account")
    assert send(*asked).code == 0
    assert send(*asked, *BOTH, "--resume").code == 0
    home, other = (documents(party)[f"{party.shop.id}/{region}"] for region in REGIONS)
    assert other["account"]["account_name"]
    for name in ("account_name", "account_status", "account_arn", "joined_timestamp"):
        assert other["account"][name] == home["account"][name]


def test_no_later_run_takes_away_what_is_known_of_an_account_in_any_region(
    party: Party, send: Send, warehouse: Warehouse, tmp_path: Path
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
    assert send(*asked, "--only", "account,security").code == 0
    known = load()
    assert [row["region"] for row in known] == sorted(REGIONS)
    assert all(None not in row.values() for row in known)
    assert [row["products"] for row in known] == [["Tills", "Web"]] * len(REGIONS)
    assert send(*asked, "--only", "security").code == 0
    assert load() == known
    yesterday = str(datetime.now(UTC).date() - timedelta(days=1))
    for flags in (("--only", "security"), ("--start", yesterday)):
        assert send("--accounts-file", str(other), *BOTH, *flags).code == 0
        assert load() == known
    party.embedded.switches.deny("account", "GetAccountInformation")
    party.embedded.switches.deny("organizations", "DescribeAccount")
    done = send(*asked, "--only", "account")
    assert done.code == 1
    problems = "; ".join(f"{region} account" for region in sorted(REGIONS))
    assert done.beginning("failed, ") == [f"failed, {party.shop.id}: {problems}"]
    assert load() == known


# Going on


def test_resume_reads_what_was_not_uploaded_today(party: Party, send: Send) -> None:
    asked = ("--organization", "--only", "security", *BOTH, "--resume")
    assert send(*asked).code == 1
    party.embedded.keys.make_role(party.broken.id, ROLE, party.payer.id)
    party.embedded.calls.clear()
    done = send(*asked)
    assert done.code == 0, done.out
    assert documents(party).keys() == places(*party.whole, party.broken)
    assert {c.account for c in party.embedded.calls if c.operation == "ListSecrets"} == {
        party.broken.id
    }
    before = ", ".join(sorted(account.id for account in party.whole))
    assert done.beginning("left out, region") == [
        f"left out, region {region}, uploaded earlier today: {before}" for region in sorted(REGIONS)
    ]
    assert len(done.beginning("s3://")) == 2


def test_resume_knows_documents_that_are_loaded_and_those_of_another_day(
    party: Party, send: Send
) -> None:
    asked = ("--accounts", party.shop.id, "--only", "security", "--resume")
    assert send(*asked).code == 0
    s3 = party.embedded.client("s3", party.embedded.analytics.id)
    bucket = party.environment["BUCKET"]
    [key] = [held["Key"] for held in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    loaded = key.replace("data/", "loaded/", 1)
    s3.copy_object(Bucket=bucket, Key=loaded, CopySource=f"{bucket}/{key}")
    s3.delete_object(Bucket=bucket, Key=key)
    assert send(*asked).beginning(f"left out, region {HOME}, uploaded earlier today")

    yesterday = datetime.now(UTC) - timedelta(days=1)

    def answer(request: Any) -> None:
        raise InstantAnswer(
            {
                "Name": bucket, "Prefix": request.params["Prefix"], "IsTruncated": False,
                "KeyCount": 1, "MaxKeys": 1000,
                "Contents": [{"Key": key, "Size": 1, "LastModified": yesterday}],
            }
        )  # fmt: skip

    party.embedded.switches.intercept("s3", "ListObjectsV2", answer)
    done = send(*asked)
    assert not done.beginning("left out")
    assert len(done.beginning("s3://")) == 1


def test_resume_of_a_backfill_wants_every_day(party: Party, send: Send) -> None:
    today = datetime.now(UTC).date()
    first, middle, last = (str(today - timedelta(days=ago)) for ago in (4, 3, 2))
    asked = ("--accounts", party.shop.id, "--only", "cost", "--resume", "--start", first)
    assert send(*asked, "--end", middle).code == 0
    assert not send(*asked, "--end", middle).beginning("s3://")
    assert send(*asked, "--end", last).beginning("failed, ")  # the first two days wait to be loaded
    assert send(*asked, "--end", last).beginning(f"left out, region {HOME}, uploaded earlier")


# The same as many runs


def test_one_run_is_what_many_separate_runs_are(
    party: Party,
    send: Send,
    warehouse: Warehouse,
    environment_of: MakeEnvironment,
) -> None:
    """But for what the organization tells the one run's caller and not its members."""
    for account in (party.shop, party.europe):
        account.size = Size.small()
        account._made.clear()
        party.organization.members[account.id].tags.clear()
    several = (party.shop, party.europe, party.payer)
    done = send("--accounts", ",".join(account.id for account in several), *BOTH)
    assert done.code == 0, done.out
    together = documents(party)
    other = party.embedded.create_bucket()
    for account in several:
        assert send(*BOTH, **(environment_of(account) | {"BUCKET": other})).code == 0
    apart = documents(party, other)
    assert together.keys() == apart.keys() == places(*several)
    for place, document in together.items():
        assert statuses(document) == statuses(apart[place])
        assert content(document) == content(apart[place])
    assert loaded_rows(warehouse) == loaded_rows(
        Warehouse(party.embedded, other, warehouse.database)
    )


def content(document: Document) -> dict[str, list[str]]:
    """Every row of a document; parts that are read at once come in no certain order."""
    return {
        path: sorted(repr({k: v for k, v in row.items() if k not in MEMBERSHIP}) for row in held)
        for path, held in lists(document).items()
    }


def loaded_rows(warehouse: Warehouse) -> Rows:
    """All rows that the receiver makes of a bucket's documents, less what differs in each run."""
    warehouse.empty()
    found = [warehouse.receiver.s3.find(key) for key in sorted(keys_of(warehouse))]
    results = [warehouse.receiver.load_file(held) for held in found if held]
    assert {result.outcome for result in results} == {FileStatus.LOADED}
    rows = warehouse.rows()
    assert rows["findings"]
    assert rows["services"]
    differing = ("collected_at", *MEMBERSHIP)
    return {
        table: [{k: v for k, v in row.items() if k not in differing} for row in held]
        for table, held in rows.items()
        if table not in ("logs", "log_messages")
    }


def keys_of(warehouse: Warehouse) -> list[str]:
    """The documents that wait in a bucket."""
    listed = warehouse.s3.list_objects_v2(Bucket=warehouse.bucket, Prefix="data/")
    return [held["Key"] for held in listed["Contents"]]


# How it is told


def test_a_dry_run_writes_one_document_a_line(party: Party, send: Send, tmp_path: Path) -> None:
    target = tmp_path / "documents.json"
    done = send(
        "--organization", *BOTH, "--only", "security", "--dry-run", "--output", str(target),
        "--exclude-accounts", party.broken.id,
    )  # fmt: skip
    assert done.code == 0
    metas = [json.loads(line)["meta"] for line in target.read_text().splitlines()]
    assert {f"{m['account_id']}/{m['region']}" for m in metas} == places(*party.whole)


def test_lines_of_the_log_name_the_account(party: Party) -> None:
    done = subprocess.run(
        [sys.executable, sender.__file__, "--organization", "--only", "security"],
        env=os.environ | party.environment,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    for account in party.whole:
        assert any(re.search(rf" SUCCESS {account.id} security: \d+ rows", line) for line in lines)
    assert any(f" ERROR   {party.broken.id} sts:AssumeRole denied" in line for line in lines)
    assert "Traceback" not in done.stderr


def test_each_call_in_the_log_names_the_account_that_made_it(party: Party, send: Send) -> None:
    s3 = party.embedded.client("s3", party.embedded.analytics.id)
    earlier = datetime.now(UTC).date() - timedelta(days=2)
    for account in party.whole:  # what has changed since is the administrator's to read
        key = document_key("data", account.id, HOME, earlier)
        s3.put_object(Bucket=party.environment["BUCKET"], Key=key, Body=b"{}")
    party.embedded.calls.clear()
    flags = ("--only", "security,account", "--exclude-accounts", party.broken.id)
    done = send("--organization", *flags)
    told = Counter(
        (held.get("account"), held["operation"]) for held in done.story if held["kind"] == "CALL"
    )
    made = [call for call in party.embedded.calls if call.attempt == 1]
    assert told == Counter((call.account, f"{call.service}:{call.operation}") for call in made)
    by_administrator = {operation for account, operation in told if account == party.security.id}
    assert "securityhub:ListMembers" in by_administrator
    assert told[party.payer.id, "sts:AssumeRole"] >= 3


def test_each_call_is_told_to_those_who_ask_with_its_account(party: Party) -> None:
    done = subprocess.run(
        [sys.executable, sender.__file__, "--accounts", party.shop.id, "--only", "security", "-v"],
        env=os.environ | party.environment,
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    calls = re.findall(r" CALL +(\S+) (\w+:\w+) \S+ \d", done.stderr)
    assert (party.payer.id, "sts:AssumeRole") in calls
    assert (party.payer.id, "s3:PutObject") in calls
    assert (party.shop.id, "kms:ListKeys") in calls
    assert {account for account, _ in calls} == {party.payer.id, party.shop.id}


def test_a_signal_stops_it_and_uploads_nothing_half(party: Party) -> None:
    party.embedded.switches.hang("secretsmanager", account=party.shop.id)
    with subprocess.Popen(
        [sys.executable, sender.__file__, "--organization", "--only", "security"],
        env=os.environ | party.environment, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr
        uploaded = 0
        while uploaded < 3:  # the payer, security and europe; the shop hangs
            line = process.stderr.readline()
            assert line, "it ended by itself"
            uploaded += " s3://" in line
        process.send_signal(signal.SIGTERM)
        assert "nothing half is uploaded" in process.stderr.read()
    assert process.returncode == 128 + signal.SIGTERM
    others = (party.payer, party.security, party.europe)
    assert documents(party).keys() == places(*others, regions=(HOME,))


def on_a_terminal(
    party: Party, *flags: str, held: tuple[str, str], wanted: Sequence[str]
) -> tuple[int, str, str]:
    """Run the sender on a terminal: exit code, stdout, and what the terminal has shown.

    An API, as service and operation, is held up until all that is wanted has been shown.
    """
    seen = threading.Event()

    def hold(_request: ApiRequest) -> None:
        seen.wait(60)

    party.embedded.switches.intercept(*held, hold)
    outside, inside = pty.openpty()
    with subprocess.Popen(
        [sys.executable, sender.__file__, *flags],
        env=os.environ | party.environment | {"TERM": "xterm", "COLUMNS": "160"},
        stdout=subprocess.PIPE, stderr=inside, text=True,
    ) as process:  # fmt: skip
        os.close(inside)
        shown = b""
        try:
            while piece := os.read(outside, 65536):
                shown += piece
                if all(re.search(text.encode(), shown) for text in wanted):
                    seen.set()
        except OSError:  # the terminal's other end is closed
            pass
        assert process.stdout
        out = process.stdout.read()
    os.close(outside)
    return process.returncode, out, shown.decode()


def test_a_terminal_shows_how_far_the_run_is(party: Party) -> None:
    wanted = (
        r"[0-4] of 5 accounts done, [01] failed, [1-5] running",
        rf"{party.shop.id}\s+{HOME}\s+\d+\s+\d+",
    )
    flags = ("--organization", "--only", "security")
    code, out, shown = on_a_terminal(party, *flags, held=("kms", "ListKeys"), wanted=wanted)
    assert code == 1
    assert "5 accounts, 1 failed" in out
    for text in wanted:
        assert re.search(text, shown)


def test_a_terminal_shows_the_regions_of_the_callers_own_account(party: Party) -> None:
    wanted = (
        "0 documents, 2 running; ",
        *(rf"{party.payer.id}\s+{region}\s+\d+\s+\d+" for region in REGIONS),
    )
    held = ("secretsmanager", "ListSecrets")
    code, out, shown = on_a_terminal(party, *BOTH, "--only", "security", held=held, wanted=wanted)
    assert (code, out.count("s3://")) == (0, 2)
    for text in wanted:
        assert re.search(text, shown)
    for region in REGIONS:
        assert re.search(rf" SUCCESS {region} security: \d+ rows", shown)


def test_a_lambda_function_reads_the_accounts_that_the_event_names(
    party: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in party.environment.items():
        monkeypatch.setenv(name, value)
    event = {"accounts": [party.shop.id, party.europe.id], "only": ["security"]}
    told = sender.lambda_handler(event, Context(300.0))
    assert len(told["documents"]) == 2
    assert documents(party).keys() == places(party.shop, party.europe, regions=(HOME,))
    with pytest.raises(RuntimeError, match="1 failed"):
        sender.lambda_handler({**event, "accounts": [party.broken.id]}, Context(300.0))


def test_a_lambda_function_uploads_before_its_end_though_its_account_is_throttled(
    party: Party, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    for name, value in party.environment.items():
        monkeypatch.setenv(name, value)
    context = Context(200.0)
    left: list[int] = []
    party.embedded.switches.intercept(
        "account", "GetAccountInformation", lambda _: clock.forward(50)
    )
    party.embedded.switches.throttle("account", "GetAccountInformation")
    party.embedded.switches.intercept(
        "s3", "PutObject", lambda _: left.append(context.get_remaining_time_in_millis())
    )
    with pytest.raises(RuntimeError, match="1 Fail"):
        sender.lambda_handler({"only": "account"}, context)
    assert len(left) == 1
    assert left[0] > 0


@pytest.mark.parametrize(
    "event",
    [
        {"strat": "2026-01-01"}, {"accounts": []}, {"accounts": 111122223333}, {"only": ""},
        {"only": ["health", 5]}, {"only": [None]}, {"only": ","}, {"accounts": [","]},
        {"accounts": ["111122223333", ""]}, {"full": "maybe"}, {"resume": "o-abcdefghij"},
    ],
)  # fmt: skip
def test_a_lambda_function_does_not_guess_what_an_event_means(
    event: dict[str, Any], party: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in party.environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=next(iter(event))):
        sender.lambda_handler(event, Context(300.0))
    assert documents(party) == {}
