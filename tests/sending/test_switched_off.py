"""Categories and personal data that are switched off for good."""

from __future__ import annotations

from pathlib import Path

import pytest

from observability.collectors import CATEGORIES
from observability.contract import SKIPPED
from observability.settings.sender import read_settings
from tests.cloud import Account, EmbeddedCloud, Size
from tests.cloud.organization import Organization
from tests.conftest import REGIONS, MakeAccount
from tests.runs import send

HOME, OTHER = REGIONS
PEOPLE = ("account_email", "contact_info", "alternate_contacts")


@pytest.fixture
def embedded_account(make_account: MakeAccount) -> Account:
    """A small account with contacts and support cases."""
    return make_account(Size.small())


def test_the_variable_skip_switches_categories_off(
    embedded_account: Account, embedded: EmbeddedCloud, tmp_path: Path
) -> None:
    environment = embedded.environment(embedded_account.id) | {"SKIP": "cost,support_tickets"}
    sent = send(environment, tmp_path)
    assert sent.code == 0
    skipped = {name for name, status in sent.statuses.items() if status == SKIPPED}
    assert {"cost", "support_tickets"} <= skipped
    assert "health" not in skipped
    told = [line["message"] for line in sent.story]
    assert sum("switched off (SKIP, ONLY)" in line for line in told) == 2
    asked = {(call.service, call.operation) for call in embedded.calls}
    assert ("health", "DescribeEvents") in asked
    assert not {("support", "DescribeCases"), ("ce", "GetCostForecast")} & asked


def test_the_variable_only_switches_all_others_off_and_the_option_says_nothing_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ONLY", "health,config")
    always = read_settings({"region": HOME}, CATEGORIES, uploads=False)
    assert not always.only
    assert always.skip == CATEGORIES.keys() - {"health", "config"}
    once = read_settings({"region": HOME, "only": ["health"]}, CATEGORIES, uploads=False)
    assert once.only == {"health"}
    assert not once.skip


def test_personal_data_is_left_out_and_not_asked_for(
    embedded_account: Account, embedded: EmbeddedCloud, tmp_path: Path
) -> None:
    embedded.cloud.organizations.append(Organization(embedded_account))  # which tells the email
    wanted = ("--only", "account,support_tickets")
    environment = embedded.environment(embedded_account.id)
    whole = send(environment, tmp_path, *wanted).document
    assert all(whole["account"][name] for name in PEOPLE)
    embedded.forget_calls()
    sent = send(environment | {"NO_PERSONAL_DATA": "1"}, tmp_path, *wanted)
    assert sent.code == 0
    assert not any(sent.document["account"].get(name) for name in PEOPLE)
    assert sent.document["account"]["account_name"] == whole["account"]["account_name"]
    cases = sent.document["support_tickets"]
    assert len(cases) == len(whole["support_tickets"]) > 0
    assert {(case["subject"], case["submitted_by"]) for case in cases} == {(None, None)}
    assert not {call.operation for call in embedded.calls} & {
        "GetContactInformation",
        "GetAlternateContact",
    }
