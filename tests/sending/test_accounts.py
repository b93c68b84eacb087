"""One run over the accounts of an organization: which of them, and each for itself."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest

import sender
from observability.aws.errors import THROTTLED
from observability.receiving.result import FileStatus
from tests.cloud import Size
from tests.cloud.switches import InstantAnswer
from tests.conftest import REGIONS, MakeEnvironment
from tests.party import MEMBERSHIP, ROLE, Party, RunOrganization, called, documents, places
from tests.runs import Document, lists, statuses
from tests.warehouse import Rows, Warehouse, by_columns

HOME, OTHER = REGIONS
BOTH = ("--regions", ",".join(REGIONS))


# Which accounts


def test_one_run_writes_a_document_per_account_and_region_under_its_own_tags(
    party: Party, run_organization: RunOrganization
) -> None:
    done = run_organization("--organization", *BOTH, "--exclude-accounts", party.broken.id)
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
    party: Party, run_organization: RunOrganization
) -> None:
    run_organization("--organization", "--exclude-accounts", party.broken.id)
    calls = party.embedded.calls
    assert {c.account for c in calls if c.operation == "PutObject"} == {party.payer.id}
    readers = {c.account for c in calls if c.operation == "ListSecrets"}
    assert readers == {account.id for account in party.whole}
    assert {c.identity for c in calls if c.account == party.payer.id} == {
        f"arn:aws:iam::{party.payer.id}:user/observability"
    }
    roles = {c.identity.split("/")[1] for c in calls if c.account == party.shop.id}
    assert roles == {ROLE}


def test_global_data_comes_once_per_account_in_the_home_region(
    party: Party, run_organization: RunOrganization
) -> None:
    flags = ("--only", "cost,security", "--per-account-reads")
    run_organization("--organization", *BOTH, *flags, REGION=OTHER)
    found = documents(party)
    for account in party.whole:
        home, other = (found[f"{account.id}/{region}"] for region in (OTHER, HOME))
        assert (statuses(home)["cost"], statuses(other)["cost"]) == ("Pass", "Skipped")
        assert home["security"]["kms"]
        assert other["security"]["kms"]
        assert called(party, "GetCostAndUsage", account) == 1


def test_a_broken_account_fails_alone_and_is_named(
    party: Party, run_organization: RunOrganization
) -> None:
    done = run_organization("--organization", "--only", "security")
    assert done.code == 1
    assert documents(party).keys() == places(*party.whole, regions=(HOME,))
    [line] = done.beginning("failed, ")
    assert line.startswith(f"failed, {party.broken.id}: sts:AssumeRole denied, AccessDenied: ")
    assert f"role/{ROLE}" in line
    assert done.summary.startswith("5 accounts, 1 failed; 4 Pass, 0 Fail, ")
    assert any("sts:AssumeRole denied" in text for text in done.messages(party.broken.id))
    assert not any("denied" in text for text in done.messages(party.shop.id))


def test_a_category_that_fails_in_one_account_is_told_with_its_region(
    party: Party, run_organization: RunOrganization
) -> None:
    party.embedded.switches.deny("secretsmanager", account=party.shop.id, region=OTHER)
    done = run_organization(
        "--accounts", f"{party.shop.id},{party.europe.id}", "--only", "security,cost", *BOTH
    )
    assert done.code == 1
    assert done.beginning("failed, ") == [f"failed, {party.shop.id}: {OTHER} security"]
    assert done.summary.startswith("2 accounts, 1 failed; 5 Pass, 1 Fail, ")


def test_an_account_whose_answers_break_the_sender_is_not_the_others_harm(
    party: Party, run_organization: RunOrganization
) -> None:
    def answer(_request: object) -> None:
        raise InstantAnswer({"Regions": [{"RegionName": "eu-west-9"}]})

    party.embedded.switches.intercept("account", "ListRegions", answer, account=party.shop.id)
    done = run_organization(
        "--accounts", f"{party.shop.id},{party.europe.id}", "--only", "security", "--regions", "all"
    )
    assert done.code == 1
    assert done.beginning("failed, ") == [f"failed, {party.shop.id}: KeyError: 'RegionOptStatus'"]
    assert documents(party).keys() == places(party.europe)


def test_an_account_whose_tags_cannot_be_read_is_not_read_under_others(
    party: Party, run_organization: RunOrganization
) -> None:
    party.embedded.switches.deny(
        "organizations", "ListTagsForResource",
        predicate=lambda request: request.params["ResourceId"] == party.shop.id,
    )  # fmt: skip
    done = run_organization(
        "--organization", "--only", "security", "--exclude-accounts", party.broken.id
    )
    [line] = done.beginning("failed, ")
    assert line.startswith(f"failed, {party.shop.id}: organizations:ListTagsForResource denied")
    assert documents(party).keys() == places(
        *(account for account in party.whole if account is not party.shop), regions=(HOME,)
    )


def test_a_run_that_would_read_no_account_is_no_success(
    party: Party, run_organization: RunOrganization
) -> None:
    assert (
        run_organization("--accounts", party.shop.id, "--exclude-accounts", party.shop.id).code == 2
    )
    empty = party.organization.unit("Empty")
    assert run_organization("--organization", "--include-ou", empty).code == 2


def test_quotas_of_each_account_make_a_run_later_and_no_less_complete(
    party: Party, run_organization: RunOrganization
) -> None:
    asked = ("--organization", "--exclude-accounts", party.broken.id)
    free = run_organization(*asked, "--dry-run", "--output", os.devnull)
    party.embedded.switches.realistic_quotas(used_up=True)
    party.embedded.forget_calls()
    limited = run_organization(*asked)
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
    party: Party, run_organization: RunOrganization, flags: str, expected: str
) -> None:
    party.embedded.cloud.page_size = 1
    told = flags.format(
        shops=party.shops, europeans=party.europeans, root=party.organization.root,
        shop=party.shop.id, closed=party.closed.id,
    )  # fmt: skip
    done = run_organization("--organization", "--check", "--only", "service", *told.split())
    wanted = {getattr(party, name).id for name in expected.split()}
    assert {line.split()[0] for line in done.out[1:-1]} == wanted
    entered = {line.split()[0] for line in done.out[1:-1] if re.search(r"\byes\b", line)}
    assert entered == wanted - {party.broken.id}
    assert done.code == int(party.broken.id in wanted)


def test_check_tells_of_each_account_what_its_role_cannot_read(
    party: Party, run_organization: RunOrganization
) -> None:
    """Bucket and key are tried too; what is not essential does not decide the exit code."""
    switches, (shop, europe) = party.embedded.switches, (party.shop, party.europe)
    names = ",".join(account.id for account in (party.payer, shop, europe))

    def check(*accounts: str) -> tuple[int, dict[str, list[str]]]:
        done = run_organization("--check", "--accounts", ",".join(accounts) or names)
        assert done.out[0].split() == ["ACCOUNT", "ROLE", "ASSUMABLE", "READABLE", "REASON"]
        lines = (re.split(r" {2,}", line) for line in done.out[1:])
        return done.code, {line[0]: line[2:] for line in lines}

    switches.deny("health", "DescribeEvents", account=europe.id)
    code, found = check()
    assert code == 0
    count = int(found[shop.id][1].split(" of ")[1])
    assert count > 30
    assert found == {
        party.payer.id: ["yes", f"{count} of {count}", "the caller's own"],
        shop.id: ["yes", f"{count} of {count}"],
        europe.id: [
            "yes", f"{count - 1} of {count}", "health:DescribeEvents denied, AccessDeniedException",
        ],
        "(upload)": ["yes"],
    }  # fmt: skip
    switches.deny("kms", "*", account=shop.id)
    switches.deny("s3", "CreateMultipartUpload", account=party.payer.id)
    code, found = check(shop.id, party.broken.id)
    assert code == 1
    assert found[shop.id][2].startswith("kms:ListKeys denied, AccessDenied")
    assert found[party.broken.id][0] == found["(upload)"][0] == "no"
    assert "sts:AssumeRole denied" in found[party.broken.id][1]
    assert "s3:CreateMultipartUpload denied" in found["(upload)"][1]
    bucket = party.environment["BUCKET"]
    s3 = party.embedded.client("s3", party.embedded.analytics.id)
    assert not s3.list_objects_v2(Bucket=bucket).get("Contents")
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_a_unit_that_is_not_there_cannot_be_left_out(
    party: Party, run_organization: RunOrganization
) -> None:
    unknown = "ou-abcd-12345678"
    assert run_organization("--organization", "--exclude-ou", unknown).code == 2
    assert run_organization("--organization", "--include-ou", unknown).code == 2
    assert run_organization("--organization", "--include-ou", "Shops").code == 2
    assert not documents(party)


def test_a_member_may_not_list_the_organization(
    party: Party, run_organization: RunOrganization, environment_of: MakeEnvironment
) -> None:
    done = run_organization("--organization", **environment_of(party.shop))
    assert done.code == 2
    assert "You don't have permissions to access this resource" in done.messages()[-1]


def test_a_delegated_administrator_may_run_it_too(
    party: Party, run_organization: RunOrganization, environment_of: MakeEnvironment
) -> None:
    for account in (party.payer, party.shop, party.europe):
        party.embedded.keys.make_role(account.id, ROLE, party.security.id)
    done = run_organization(
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


def test_a_flag_wins_over_the_variables_that_name_other_accounts(
    party: Party, run_organization: RunOrganization
) -> None:
    """As when one account is read again where the variables are those of the nightly run."""
    variables = {"ORGANIZATION": "1", "INCLUDE_OU": party.europeans}
    done = run_organization("--accounts", party.shop.id, "--only", "security", **variables)
    assert done.code == 0, done.out
    assert documents(party).keys() == places(party.shop, regions=(HOME,))


def test_units_of_a_variable_go_with_the_flag_of_the_organization(
    party: Party, run_organization: RunOrganization
) -> None:
    """As in the task of deploy/."""
    variables = {"ACCOUNTS": party.shop.id, "INCLUDE_OU": party.europeans}
    flags = ("--organization", "--exclude-accounts", party.broken.id, "--only", "security")
    done = run_organization(*flags, **variables)
    assert done.code == 0, done.out
    assert documents(party).keys() == places(party.europe, regions=(HOME,))


# The same as many runs


def test_one_run_is_what_many_separate_runs_are(
    party: Party,
    run_organization: RunOrganization,
    warehouse: Warehouse,
    environment_of: MakeEnvironment,
) -> None:
    """But for what the organization tells the one run's caller and not its members."""
    for account in (party.shop, party.europe):
        account.size = Size.small()
        account._made.clear()
        party.organization.members[account.id].tags.clear()
    several = (party.shop, party.europe, party.payer)
    done = run_organization("--accounts", ",".join(account.id for account in several), *BOTH)
    assert done.code == 0, done.out
    together = documents(party)
    other = party.embedded.create_bucket()
    for account in several:
        assert run_organization(*BOTH, **(environment_of(account) | {"BUCKET": other})).code == 0
    apart = documents(party, other)
    assert together.keys() == apart.keys() == places(*several)
    for place, document in together.items():
        assert statuses(document) == statuses(apart[place])
        assert content(document) == content(apart[place])
    assert loaded_rows(warehouse) == loaded_rows(
        Warehouse(party.embedded, other, warehouse.database)
    )


def content(document: Document) -> dict[str, list[str]]:
    """Every row of a document, less what is told of memberships, in an order of its own."""
    return {
        path: sorted(repr({k: v for k, v in row.items() if k not in MEMBERSHIP}) for row in held)
        for path, held in lists(document).items()
    }


def loaded_rows(warehouse: Warehouse) -> Rows:
    """All rows that the receiver makes of a bucket's documents, less what differs in each run."""
    warehouse.empty()
    found = [warehouse.receiver.s3.find(key) for key in sorted(keys_of(warehouse))]
    results = [warehouse.receiver.load_file(held) for held in found if held]
    assert {result.status for result in results} == {FileStatus.LOADED}
    rows = warehouse.rows()
    assert rows["findings"]
    assert rows["services"]
    differing = ("collected_at", *MEMBERSHIP)
    return {
        table: sorted(
            ({k: v for k, v in row.items() if k not in differing} for row in held), key=by_columns
        )
        for table, held in rows.items()
        if table not in ("logs", "log_messages")
    }


def keys_of(warehouse: Warehouse) -> list[str]:
    """The documents that wait in a bucket."""
    listed = warehouse.s3.list_objects_v2(Bucket=warehouse.bucket, Prefix="data/")
    return [held["Key"] for held in listed["Contents"]]
