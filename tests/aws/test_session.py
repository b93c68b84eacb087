"""Quotas, silence and services that a region lacks, in whole runs of the sender."""

from __future__ import annotations

import itertools
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from observability.aws.errors import THROTTLED
from observability.aws.limits import UNREACHABLE_AFTER
from observability.aws.session import RETRIES
from tests.cloud import Account, EmbeddedCloud, Size
from tests.cloud.quotas import QUOTAS
from tests.conftest import MakeAccount, MakeEnvironment
from tests.runs import content, rows, send, ship, statuses, stored

ATTEMPTS = 1 + RETRIES


# Limits and silence


def test_quotas_of_aws_make_a_run_later_and_no_less_complete(
    embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    environment = embedded.environment(account.id) | {"BUCKET": ""}
    embedded.cloud.page_size = 20
    free = send(environment, tmp_path)
    embedded.switches.realistic_quotas(used_up=True)
    embedded.forget_calls()
    limited = send(environment, tmp_path)
    embedded.switches.reset()
    throttled = {call.service for call in embedded.calls if call.error in THROTTLED}
    assert throttled == {service for service, _ in QUOTAS}
    assert (free.code, limited.code) == (0, 0)
    assert limited.statuses == free.statuses
    assert {name for name, status in limited.statuses.items() if status != "Pass"} == {
        "cost_by_tag", "ri_sp_savings",  # which were not asked for
    }  # fmt: skip
    assert content(limited.document) == content(free.document)


def test_an_endpoint_that_hangs_costs_its_own_category_and_bounded_time(
    embedded: EmbeddedCloud, environment: dict[str, str]
) -> None:
    asked: list[str] = []
    for service in ("health", "acm", "support"):
        embedded.switches.intercept(service, "*", lambda request: asked.append(request.operation))
        embedded.switches.hang(service)
    code, story = ship(environment)
    embedded.switches.reset()
    [document] = stored(embedded, environment).values()
    failed = {name for name, status in statuses(document).items() if status == "Fail"}
    assert failed == {"health", "security", "trusted_advisor", "support_tickets"}
    assert (code, document["health"]) == (1, [])
    assert rows(document, "security.kms")
    assert "ReadTimeoutError" in story
    hung = {
        "DescribeEvents", "ListCertificates", "DescribeCases", "DescribeTrustedAdvisorChecks",
    }  # fmt: skip
    assert Counter(asked) == dict.fromkeys(hung, ATTEMPTS)
    last_attempt = min(n for n in range(len(asked)) if asked[:n].count(asked[n]) == ATTEMPTS - 1)
    assert {*asked[:last_attempt]} == hung, "they are not waited for at once"


def test_calls_that_wait_for_a_silent_endpoint_are_not_made(
    embedded: EmbeddedCloud, make_account: MakeAccount, environment_of: MakeEnvironment
) -> None:
    """WAF allows one call at a time, and all web ACLs wait for theirs at once."""
    embedded.switches.cut("wafv2", "GetWebACL")
    environment = environment_of(make_account(replace(Size.small(), web_acls=12)))
    embedded.forget_calls()
    code, story = ship(environment, "--only", "security")
    embedded.switches.reset()
    asked = [call.error for call in embedded.calls if call.service == "wafv2"]
    # Other listings of WAF may be answered in between, which begins the count anew.
    silent = list(itertools.takewhile(lambda error: error == "cut", reversed(asked)))
    assert len(silent) == UNREACHABLE_AFTER * ATTEMPTS
    assert code == 1
    assert "wafv2 in us-east-1 does not answer" in story


def test_the_time_limit_ends_a_throttled_run_with_what_it_has(
    embedded: EmbeddedCloud, environment: dict[str, str]
) -> None:
    embedded.switches.throttle("health")
    code, story = ship(environment, "--only", "health,cost", "--time-limit", "12")
    [document] = stored(embedded, environment).values()
    assert (code, statuses(document)["health"], statuses(document)["cost"]) == (1, "Fail", "Pass")
    assert "health" in story


# A service that a region does not have


@pytest.fixture
def closed_port() -> Iterator[str]:
    """An address of this machine at which nobody listens, nor anybody else can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def regions_of(service: str) -> set[str]:
    return set(boto3.session.Session().get_available_regions(service))


def test_a_service_that_a_region_lacks_is_skipped_and_one_that_is_silent_fails(
    closed_port: str, account: Account, environment: dict[str, str], tmp_path: Path
) -> None:
    without = min(regions_of("ec2") - regions_of("resiliencehub"))
    there = environment | {"AWS_ENDPOINT_URL_RESILIENCEHUB": closed_port}
    lacking = send(there | {"REGION": without}, tmp_path, "--only", "resilience_hub")
    assert (lacking.code, lacking.statuses["resilience_hub"]) == (0, "Skipped")
    assert f"{without} does not have resiliencehub" in " ".join(lacking.said("INFO"))
    silent = send(there, tmp_path, "--only", "resilience_hub")
    assert (silent.code, silent.statuses["resilience_hub"]) == (1, "Fail")


@pytest.mark.parametrize(
    ("service", "category"),
    [("HEALTH", "health"), ("SUPPORT", "support_tickets"), ("COST_EXPLORER", "service")],
)
def test_a_global_service_that_is_silent_fails(
    service: str, category: str, closed_port: str, environment: dict[str, str], tmp_path: Path
) -> None:
    """botocore's list does not have the region in which AWS serves it."""
    there = environment | {f"AWS_ENDPOINT_URL_{service}": closed_port}
    sent = send(there, tmp_path, "--only", category)
    assert (sent.code, sent.statuses[category]) == (1, "Fail")
