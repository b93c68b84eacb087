"""Costs by the values of cost allocation tags."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

from observability.collectors.cost_by_tag import tag_cost_row
from tests.cloud import EmbeddedCloud, Size
from tests.cloud.content.costs import charges
from tests.collectors.reading import calls, paid
from tests.collectors.truth import Place, Truth, money, same_rows
from tests.conftest import MakeAccount
from tests.runs import Row, period, send


def tag_costs(place: Place) -> Iterator[Row]:
    """A row per day and value of the tag team, and one of all that cannot have the tag project."""
    for day in place.cost_days if place.home else ():
        found: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        for held in charges(place.account, day):
            for key in ("team", "project"):
                sums = found[key, held.line.tag(f"{key}$")]
                sums[0] += held.cost
                sums[1] += held.amortized
        for (key, value), (cost, amortized) in found.items():
            yield {
                "day": str(day),
                "tag_key": key,
                "tag_value": value,
                "cost": money(cost),
                "amortized_cost": money(amortized),
                "currency": "USD",
            }


KEY = ("day", "tag_key", "tag_value")


TRUTH: Mapping[str, Truth] = {"cost_by_tag": Truth(tag_costs, "cost_by_tag", KEY)}


def test_costs_are_read_by_each_tag_that_is_named(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())
    environment = embedded.environment(account.id) | {"BUCKET": "", "COST_TAGS": "team, project"}
    sent = send(environment, tmp_path)
    assert (sent.code, sent.statuses["cost_by_tag"]) == (0, "Pass")
    start, end = period(sent.document)
    place = Place(account, sent.document["meta"]["region"], start, end)
    truth = list(tag_costs(place))
    told = [
        row | {name: Decimal(row[name]) for name in ("cost", "amortized_cost")}
        for row in sent.document["cost_by_tag"]
    ]
    same_rows(told, truth, KEY)
    assert {(row["tag_key"], row["tag_value"]) for row in truth} == {
        ("team", ""), ("team", "Web"), ("team", "Data $"), ("project", ""),
    }  # fmt: skip


def test_a_tag_is_one_paid_request_and_none_is_asked_for_by_itself(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())
    environment = embedded.environment(account.id) | {"BUCKET": ""}
    embedded.forget_calls()
    sent = send(environment, tmp_path)
    assert sent.statuses["cost_by_tag"] == "Skipped"
    before = paid(calls(embedded))
    embedded.forget_calls()
    send(environment, tmp_path, "--cost-tags", "team,project")
    assert paid(calls(embedded)) == before + 2


def test_a_tag_that_is_refused_costs_itself(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())
    embedded.switches.deny("ce", "GetCostAndUsage", account=account.id)
    environment = embedded.environment(account.id) | {"BUCKET": ""}
    sent = send(environment, tmp_path, "--only", "cost_by_tag", "--cost-tags", "team")
    assert (sent.code, sent.statuses["cost_by_tag"]) == (1, "Fail")
    assert any("team" in text for text in sent.said("FAIL"))


def test_the_value_of_a_tag_may_hold_any_character() -> None:
    money = {"UnblendedCost": {"Amount": "1.5", "Unit": "USD"}, "AmortizedCost": {"Amount": "2"}}
    assert tag_cost_row({"Keys": ["team$a$b"], "Metrics": money}) == {
        "tag_value": "a$b", "cost": "1.5", "amortized_cost": "2", "currency": "USD",
    }  # fmt: skip
    assert tag_cost_row({"Keys": ["team$"], "Metrics": money})["tag_value"] == ""
