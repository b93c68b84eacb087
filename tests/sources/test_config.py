"""What an aggregator of AWS Config has of all accounts at once."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import boto3
import pytest

from observability.collecting.shared import SharedReads
from observability.collectors.config import BY_PLACE_AND_COMPLIANCE
from observability.collectors.config_inventory import (
    ACCOUNTS_PER_QUERY,
    place_conditions,
    resources_where,
)
from observability.sources.config import PAGE
from tests.cloud import Account, ApiRequest, Size
from tests.cloud.accounts import Aggregator
from tests.cloud.models import operation_model
from tests.conftest import REGIONS, Clock, MakeAccount
from tests.family import BOTH, MEMBERS, ROLE, Family, MakeFamily, RunFamily, instead, load, same
from tests.warehouse import Rows

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


def record(family: Family, run_family: RunFamily, *flags: str) -> Recorded:
    """Read what AWS Config has of all accounts in both regions."""
    family.requests()
    flags = ("--organization", *BOTH, *flags)
    code, told = run_family(family, *flags, only="config,config_inventory")
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


def same_by_account(shared: Recorded, family: Family, run_family: RunFamily, *flags: str) -> None:
    """Fail unless reads by account ask no aggregator and have the same statuses and rows."""
    found = record(family, run_family, "--per-account-reads", *flags)
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
    count: int, page_size: int | None, home: str, make_family: MakeFamily, run_family: RunFamily
) -> None:
    """By two queries of counts, and one of resources for each twenty accounts but those at home."""
    family = make_family(RECORDING, count)
    family.embedded.cloud.page_size = page_size
    holder = family.accounts[2]
    family.organization.delegate(holder, "config.amazonaws.com")
    aggregate(family, holder, region=home)
    shared = record(family, run_family, "--region", home)
    assert shared.told == [
        f"Config: {holder.id} reads for {count} accounts, by its aggregator whole"
    ]
    assert shared.aggregated.keys() == {holder.id}
    if page_size is None:
        assert shared.own == each(family.accounts)
    same_by_account(shared, family, run_family, "--region", home)


def test_what_an_aggregator_has_not_is_read_by_account(
    make_family: MakeFamily, make_account: MakeAccount, run_family: RunFamily
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
    shared = record(family, run_family)
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
    same_by_account(shared, family, run_family)


def test_an_account_of_many_resources_lists_its_own(
    make_family: MakeFamily, make_account: MakeAccount, run_family: RunFamily
) -> None:
    """It takes as many requests either way, and other accounts would wait for it."""
    family = make_family(RECORDING)
    large = make_account(replace(RECORDING, volumes=PAGE))
    family.accounts.append(family.organization.join(large))
    family.embedded.keys.make_role(large.id, ROLE, family.payer.id)
    aggregate(family, family.payer)
    shared = record(family, run_family)
    assert shared.own == each(family.accounts) | {large.id: 2 * len(REGIONS)}  # two pages in each
    same_by_account(shared, family, run_family)


def test_a_throttled_aggregator_does_not_take_the_accounts_time(
    make_family: MakeFamily, run_family: RunFamily, clock: Clock
) -> None:
    """Nor is each further query tried."""
    family = make_family(RECORDING)
    aggregate(family, family.payer)
    query = ("config", "SelectAggregateResourceConfig")
    family.embedded.switches.intercept(*query, lambda _: clock.forward(90))
    family.embedded.switches.throttle(*query)
    shared = record(family, run_family, "--account-time-limit", "600")
    assert shared.own == each(family.accounts, 4)  # counts and resources, in both regions
    assert {*itertools.chain(*shared.statuses.values())} == {"Pass"}


def test_a_listing_by_an_aggregator_that_is_not_as_long_as_it_says_is_not_believed(
    make_family: MakeFamily, run_family: RunFamily
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
    shared = record(family, run_family)
    assert shared.own == each(family.accounts) | {short.id: 2}
    switches.reset()
    same_by_account(shared, family, run_family)


def test_what_nobody_expects_of_an_aggregator_is_not_the_accounts_loss(
    make_family: MakeFamily, run_family: RunFamily
) -> None:
    """A row that does not say whose it is: it is told, and accounts read their own."""
    family = make_family(RECORDING)
    aggregate(family, family.payer)
    family.embedded.switches.intercept(
        "config", "SelectAggregateResourceConfig", instead({"Results": ["{}"], "QueryInfo": {}})
    )
    shared = record(family, run_family)
    refused = [text for text in shared.told if "accounts read their own" in text]
    assert len(refused) == 2  # counts; sizes
    assert shared.own == each(family.accounts, 4)
    assert {*itertools.chain(*shared.statuses.values())} == {"Pass"}


def test_an_aggregator_that_has_nothing_of_an_account_is_not_believed(
    make_family: MakeFamily, run_family: RunFamily
) -> None:
    """What it lacks would look as if it were gone."""
    family = make_family(RECORDING)
    late = family.accounts[3]
    aggregate(family, family.payer, empty=[(late.id, REGIONS[1])])
    shared = record(family, run_family)
    assert shared.own == each(family.accounts) | {late.id: 3}
    same_by_account(shared, family, run_family)


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
    operation: str, why: str, make_family: MakeFamily, run_family: RunFamily
) -> None:
    """Because it is refused, there is none, or it takes too many pages to say what it has."""
    family = make_family(RECORDING, SharedReads.LEAST)
    if operation:
        aggregate(family, family.payer)
    if operation == "pages":
        family.embedded.cloud.page_size = 1
    elif operation:
        family.embedded.switches.deny("config", operation)
    shared = record(family, run_family)
    refused = [text for text in shared.told if "accounts read their own" in text]
    assert len(refused) == (2 if operation.startswith("Select") else 1)  # counts; resources
    assert any(why in text for text in shared.told)
    assert shared.own.keys() == each(family.accounts).keys()
    family.embedded.switches.reset()
    same_by_account(shared, family, run_family)


def test_a_query_of_an_aggregator_is_no_longer_than_it_may_be() -> None:
    shape: Any = operation_model("config", "SelectAggregateResourceConfig").input_shape
    longest = max(boto3.session.Session().get_available_regions("config"), key=len)
    accounts = ["1" * 12] * ACCOUNTS_PER_QUERY
    text = resources_where(*place_conditions(accounts, longest))
    assert len(text) < shape.members["Expression"].metadata["max"]
    assert len(BY_PLACE_AND_COMPLIANCE.split(", ")) == 3  # which AWS takes at most
