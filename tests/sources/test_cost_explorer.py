"""Costs that a payer reads for all its accounts at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cloud import ApiRequest, Size
from tests.cloud.models import operation_model
from tests.conftest import MakeAccount
from tests.family import BUYERS, MEMBERS, PLAIN, ROLE, MakeFamily, RunFamily, load, past, same
from tests.warehouse import Rows


# Each two of these conditions are met together.
@pytest.mark.parametrize(
    ("size", "queries", "flags", "page_size"),
    [
        pytest.param(PLAIN, 2, (), 7, id="plain, yesterday, many pages"),
        pytest.param(PLAIN, 2, past(4), None, id="plain, past days, one page"),
        pytest.param(BUYERS, 2 + 4, (), None, id="mixed, yesterday, one page"),
        pytest.param(BUYERS, 2 + 4, past(4), 7, id="mixed, past days, many pages"),
    ],
)
def test_the_payers_costs_are_those_that_each_account_reads(
    size: Size,
    queries: int,
    flags: tuple[str, ...],
    page_size: int | None,
    make_family: MakeFamily,
    run_family: RunFamily,
) -> None:
    family = make_family(size)
    family.embedded.cloud.page_size = page_size
    family.requests()
    code, told = run_family(family, "--organization", *flags)
    assert (code, told) == (0, [f"costs of {MEMBERS} accounts are read at once by their payer"])
    asked = family.requests()
    shared = load(family)
    family.requests()
    assert run_family(family, "--organization", "--per-account-reads", *flags) == (0, [])
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
    make_family: MakeFamily, run_family: RunFamily
) -> None:
    family = make_family(PLAIN)
    family.embedded.switches.deny("ce", "GetCostAndUsage", predicate=grouped_by_account)
    code, [told] = run_family(family, "--organization")
    assert code == 0
    assert "accounts read their own, since ce:GetCostAndUsage denied" in told
    asked = family.requests()
    assert asked == dict.fromkeys([a.id for a in family.accounts], 1) | {family.payer.id: 3}
    fallen_back = load(family)
    run_family(family, "--organization", "--per-account-reads")
    same(fallen_back, load(family))


def test_costs_that_change_while_they_are_read_are_read_by_account(
    make_family: MakeFamily, run_family: RunFamily
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
    code, [told] = run_family(family, "--organization", only="service")
    assert code == 0
    assert told.endswith("since costs have changed while they were read")
    fallen_back = load(family)
    run_family(family, "--organization", "--per-account-reads", only="service")
    same(fallen_back, load(family), ("services",))


def test_a_caller_that_pays_for_nobody_asks_nothing_of_cost_explorer_in_vain(
    make_family: MakeFamily, run_family: RunFamily
) -> None:
    family = make_family(PLAIN)
    caller, *others = family.accounts[1:]
    for account in others:
        family.embedded.keys.make_role(account.id, ROLE, caller.id)
    family.requests()
    named = ",".join(account.id for account in (caller, *others))
    code, [told] = run_family(family, "--accounts", named, caller=caller)
    assert code == 0
    assert told.endswith("since the caller is not their payer")
    assert family.requests() == dict.fromkeys([a.id for a in (caller, *others)], 1)


def test_few_accounts_read_their_own_costs(make_family: MakeFamily, run_family: RunFamily) -> None:
    """Two do not ask; three find that many services of the same usage type cost more requests."""
    family = make_family(BUYERS)
    for count, payers_own in ((2, 1), (3, 2)):
        named = [account.id for account in family.accounts[:count]]
        family.requests()
        code, told = run_family(family, "--accounts", ",".join(named))
        assert code == 0
        asked = dict.fromkeys(named, 1) | {family.payer.id: payers_own}
        assert family.requests() == asked
        more = "costs: accounts read their own, since that takes no more requests"
        assert told == [more] * (payers_own - 1)
        load(family)


def test_an_account_that_has_missed_days_reads_its_own_costs(
    make_family: MakeFamily, run_family: RunFamily
) -> None:
    family = make_family(PLAIN)
    late = family.accounts[3]
    today = datetime.now(UTC).date()
    key = f"loaded/{late.id}/{late.home_region}/{today - timedelta(days=9)}_DAILY.json"
    warehouse = family.warehouse

    def run(*flags: str) -> tuple[Counter[str], Rows]:
        warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=b"{}")
        family.requests()
        code, _ = run_family(family, "--organization", *flags)
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
    make_family: MakeFamily, make_account: MakeAccount, run_family: RunFamily
) -> None:
    """Among accounts that are named: the payer sees nothing of it, which is not to say nothing."""
    family = make_family(PLAIN)
    stranger = make_account(PLAIN)
    family.embedded.keys.make_role(stranger.id, ROLE, family.payer.id)
    named = ",".join(account.id for account in (*family.accounts, stranger))
    family.requests()
    code, _ = run_family(family, "--accounts", named)
    assert code == 0
    assert family.requests() == {family.payer.id: 2, stranger.id: 1}
    shared = load(family)
    run_family(family, "--accounts", named, "--per-account-reads")
    same(shared, load(family))
    assert stranger.id in {row["account_id"][0] for row in shared["services"]}


def test_forecasts_and_anomalies_cannot_be_shared() -> None:
    """AWS has no way to ask for several accounts' forecasts apart from each other."""
    shape: Any = operation_model("ce", "GetCostForecast").input_shape
    assert "GroupBy" not in shape.members
