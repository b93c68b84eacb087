"""AWS Organizations may answer an empty page, and more after it."""

from __future__ import annotations

import json

import pytest

from observability.collecting.run import Run
from observability.collecting.shared import SharedReads
from observability.collectors import CATEGORIES
from observability.log import Log
from observability.settings.sender import read_settings
from tests.cloud import ApiRequest
from tests.cloud.switches import InstantAnswer
from tests.party import ROLE, Party, RunOrganization

MORE = "more"


def empty_first(party: Party, operation: str, member: str) -> None:
    """Answer a listing with an empty page first, and then as ever."""

    def answer(request: ApiRequest) -> None:
        if not request.params.get("NextToken"):
            raise InstantAnswer({member: [], "NextToken": MORE})
        if request.params["NextToken"] == MORE:
            request.params.pop("NextToken")  # type: ignore[attr-defined]

    party.embedded.switches.intercept("organizations", operation, answer)


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("ListRoots", "Roots"),
        ("ListAccountsForParent", "Accounts"),
        ("ListOrganizationalUnitsForParent", "OrganizationalUnits"),
    ],
)
def test_accounts_below_are_found_on_later_pages(
    operation: str, member: str, party: Party, run_organization: RunOrganization
) -> None:
    empty_first(party, operation, member)
    flags = ("--organization", "--exclude-ou", party.europeans, "--only", "health", "--dry-run")
    done = run_organization(*flags)
    read = {json.loads(line)["meta"]["account_id"] for line in done.out}
    assert read == {account.id for account in (party.payer, party.security, party.shop)}
    assert done.code == 0


def test_an_administrator_is_found_on_a_later_page(
    party: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in party.environment.items():
        monkeypatch.setenv(name, value)
    empty_first(party, "ListDelegatedAdministrators", "DelegatedAdministrators")
    settings = read_settings({"organization": True, "role_name": ROLE}, CATEGORIES)
    run = Run(settings, Log())
    run.caller.identify()
    shared = SharedReads(run.caller, settings, [account.id for account in party.whole])
    assert shared.administrator("securityhub").account == party.security.id
    shared.close()
