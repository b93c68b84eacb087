"""What happens to the demo's company, without running a script."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from tests.cloud.accounts import Account, Cloud
from tests.cloud.company import DATA, HOME, PAYMENTS, SHOP, STAGING, make_company
from tests.cloud.content import CONTENT
from tests.cloud.content.costs import day_total
from tests.cloud.story import DAYS, begin, pass_day, tell

FIRST = date(2026, 11, 15)


def told(days: int) -> Cloud:
    """The company after so many days."""
    cloud = make_company(FIRST)
    begin(cloud)
    for number in range(1, days + 1):
        if number > 1:
            pass_day(cloud)
        tell(cloud, number)
    return cloud


@pytest.fixture(scope="module")
def start() -> Cloud:
    """The company on its first day."""
    return told(1)


@pytest.fixture(scope="module")
def end() -> Cloud:
    """The company two weeks later."""
    return told(DAYS)


def everything(cloud: Cloud) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """All that the accounts hold, by where it is."""
    for account in cloud.accounts.values():
        for service, kind in CONTENT:
            for region in ("", *account.regions):
                if region or service in ("account", "ce", "health", "s3", "support"):
                    place = f"{account.name} {service} {kind} {region}"
                    yield place, account.items(service, kind, region)


def test_the_same_day_always_has_the_same_story(end: Cloud) -> None:
    assert dict(everything(told(DAYS))) == dict(everything(end))


def test_all_names_and_texts_are_plain(end: Cloud) -> None:
    odd = {
        place
        for place, items in everything(end)
        if not json.dumps(items, default=str, ensure_ascii=False).isascii()
        or "DROP TABLE" in str(items)
    }
    assert odd == set()


@pytest.mark.parametrize(
    ("service", "kind", "name"),
    [
        ("acm", "certificates", "CertificateArn"),
        ("config", "resources", "resourceId"),
        ("config", "rules", "ConfigRuleName"),
        ("lambda", "functions", "FunctionName"),
        ("rds", "instances", "DBInstanceIdentifier"),
        ("secretsmanager", "secrets", "Name"),
        ("securityhub", "findings", "Id"),
    ],
)
def test_a_name_is_given_once(end: Cloud, service: str, kind: str, name: str) -> None:
    for account in end.accounts.values():
        names = Counter(held[name] for held in account.items(service, kind, HOME))
        assert {held for held, times in names.items() if times > 1} == set()


def instances(account: Account, service: str, kind: str, name: str) -> set[str]:
    """The instances that a list of a service is about."""
    return {str(held[name]).split("/")[-1] for held in account.items(service, kind, HOME)}


def test_a_terminated_instance_is_in_no_list_any_more(start: Cloud, end: Cloud) -> None:
    before, after = start.accounts[STAGING], end.accounts[STAGING]
    [gone] = instances(before, "ec2", "instances", "InstanceId") - instances(
        after, "ec2", "instances", "InstanceId"
    )
    for listed in (
        ("ssm", "instances", "InstanceId"),
        ("ssm", "patches", "InstanceId"),
        ("config", "resources", "resourceId"),
        ("compute-optimizer", "instances", "instanceArn"),
    ):
        assert gone in instances(before, *listed)
        assert gone not in instances(after, *listed)


def test_what_is_created_is_seen_by_all_services(start: Cloud, end: Cloud) -> None:
    def functions(cloud: Cloud) -> set[str]:
        return instances(cloud.accounts[DATA], "lambda", "functions", "FunctionName")

    [new] = functions(end) - functions(start)
    assert new == "lakehouse-webhook"
    assert new in instances(end.accounts[DATA], "config", "resources", "resourceId")


def test_costs_of_past_days_are_restated_and_one_service_costs_more(
    start: Cloud, end: Cloud
) -> None:
    before, after = start.accounts[SHOP], end.accounts[SHOP]
    restated, untouched = FIRST - timedelta(days=1), FIRST - timedelta(days=5)
    assert day_total(before, restated) != day_total(after, restated)
    assert day_total(before, untouched) == day_total(after, untouched)
    yesterday = after.day - timedelta(days=1)
    assert day_total(after, yesterday) > 1.2 * day_total(after, yesterday - timedelta(days=7))


def test_findings_open_and_are_fixed(start: Cloud, end: Cloud) -> None:
    def open_ones(cloud: Cloud, account: str) -> Counter[str]:
        return Counter(
            held["Severity"]["Label"]
            for held in cloud.accounts[account].items("securityhub", "findings", HOME)
            if held["Workflow"]["Status"] == "NEW"
        )

    assert open_ones(start, PAYMENTS)["CRITICAL"] > 0 == open_ones(end, PAYMENTS)["CRITICAL"]
    assert open_ones(end, SHOP)["CRITICAL"] == open_ones(start, SHOP)["CRITICAL"] + 1


def test_a_certificate_expires_unless_it_is_renewed(end: Cloud) -> None:
    statuses = {
        account: end.accounts[account].items("acm", "certificates", HOME)[0]["Status"]
        for account in (PAYMENTS, SHOP)
    }
    assert statuses == {PAYMENTS: "ISSUED", SHOP: "EXPIRED"}
