"""Which regions are not enabled: the account's own list says so, a refusal does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cloud import EmbeddedCloud, Size
from tests.cloud.answers.core import AwsError
from tests.cloud.switches import ApiRequest
from tests.conftest import MakeAccount
from tests.runs import Sent, send, statuses

HOME, OTHER = "us-east-1", "eu-west-1"
REFUSALS = {
    "ec2": ("AuthFailure", "AWS was not able to validate the provided access credentials"),
    "*": ("UnrecognizedClientException", "The security token included in the request is invalid."),
}


def refuse_credentials(embedded: EmbeddedCloud, region: str) -> None:
    """Answer as a region does that does not know the credentials."""
    for service, (code, words) in REFUSALS.items():
        embedded.switches.fail(service, "*", code, words, 401, region=region)


def lines(sent: Sent, word: str) -> list[str]:
    """What a run said with a word in it."""
    return [line["message"] for line in sent.story if word in str(line["message"])]


@pytest.mark.parametrize("regions", [f"{HOME},{OTHER}", "all"])
@pytest.mark.parametrize("list_regions", [True, False])
def test_an_enabled_region_that_refuses_the_credentials_fails_and_says_why(
    regions: str,
    list_regions: bool,
    embedded: EmbeddedCloud,
    make_account: MakeAccount,
    tmp_path: Path,
) -> None:
    account = make_account(Size.small())
    if not list_regions:
        embedded.switches.deny("account", "ListRegions")
    refuse_credentials(embedded, OTHER)
    environment = embedded.environment(account.id) | {"BUCKET": "", "REGIONS": regions}
    sent = send(environment, tmp_path, "--only", "inventory,ri_sp_savings,security")
    assert sent.code == 1
    home, other = sent.documents
    assert [held["meta"]["region"] for held in (home, other)] == [HOME, OTHER]
    assert "Fail" not in statuses(home).values(), "one region costs itself"
    assert statuses(other)["inventory"] == "Fail"
    [line] = [text for text in lines(sent, "is enabled, but") if text.startswith(OTHER)]
    assert "AuthFailure" in line
    assert "AWS_STS_REGIONAL_ENDPOINTS=regional" in line


def test_a_region_that_is_not_enabled_is_left_out(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small(), regions=(HOME,))
    off = "ap-east-1"
    environment = embedded.environment(account.id) | {"BUCKET": "", "REGIONS": f"{HOME},{off}"}
    sent = send(environment, tmp_path, "--only", "inventory")
    assert sent.code == 0
    assert lines(sent, f"{off} is left out: not enabled")


def test_where_no_list_can_be_read_a_refusal_is_a_failure(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())
    embedded.switches.deny("account", "ListRegions")
    embedded.switches.deny("ec2", "DescribeRegions")
    refuse_credentials(embedded, OTHER)
    environment = embedded.environment(account.id) | {"BUCKET": "", "REGIONS": f"{HOME},{OTHER}"}
    sent = send(environment, tmp_path, "--only", "inventory")
    assert sent.code == 1
    assert lines(sent, "whether it is enabled could not be read")


def test_an_account_that_is_not_activated_is_named_in_every_region(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())

    def unsubscribed(request: ApiRequest) -> None:
        if request.service not in ("sts", "account"):
            words = "You are not subscribed to this service."
            raise AwsError("OptInRequired", words, 401)

    embedded.switches.intercept("*", "*", unsubscribed)
    environment = embedded.environment(account.id) | {"BUCKET": "", "REGIONS": f"{HOME},{OTHER}"}
    sent = send(environment, tmp_path, "--only", "service_resources")
    assert sent.code == 1
    assert {statuses(held)["service_resources"] for held in sent.documents} == {"Fail"}
    assert not lines(sent, "not enabled")
    assert all(
        any(text.startswith(where) for text in lines(sent, "the account is not activated"))
        for where in ("service_resources.volumes", OTHER)
    )
