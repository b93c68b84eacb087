"""The list of accounts that a run over several leaves for the receiver."""

from __future__ import annotations

import json
from typing import Any

import receiver
from tests.conftest import REGIONS
from tests.party import Party, RunOrganization
from tests.runs import Row
from tests.warehouse import Warehouse

HOME, OTHER = REGIONS


def listed(party: Party) -> dict[str, Any]:
    """What the newest run has left."""
    s3 = party.embedded.client("s3", party.embedded.analytics.id)
    key = f"accounts/{party.payer.id}.json"
    held = s3.get_object(Bucket=party.environment["BUCKET"], Key=key)
    assert held["ServerSideEncryption"] == "aws:kms"
    found: dict[str, Any] = json.loads(held["Body"].read())
    return found


def keys(party: Party) -> list[str]:
    s3 = party.embedded.client("s3", party.embedded.analytics.id)
    found = s3.list_objects_v2(Bucket=party.environment["BUCKET"], Prefix="accounts/")
    return [held["Key"] for held in found.get("Contents", ())]


def test_a_run_lists_every_account_of_the_organization_and_what_became_of_it(
    party: Party, run_organization: RunOrganization, warehouse: Warehouse
) -> None:
    done = run_organization("--organization", "--exclude-accounts", party.europe.id)
    assert done.code == 1  # one has no role
    found = listed(party)
    assert (found["account_id"], found["whole"]) == (party.payer.id, True)
    accounts: dict[str, Row] = {row["account_id"]: row for row in found["accounts"]}
    assert {name: row["state"] for name, row in accounts.items()} == {
        party.payer.id: "ACTIVE",
        party.security.id: "ACTIVE",
        party.shop.id: "ACTIVE",
        party.europe.id: "EXCLUDED",
        party.broken.id: "ACTIVE",
        party.closed.id: "SUSPENDED",
    }
    assert {name for name, row in accounts.items() if row["failed"]} == {party.broken.id}
    assert accounts[party.shop.id]["account_name"] == party.shop.name
    assert "AssumeRole" in accounts[party.broken.id]["reason"]
    assert {tuple(row.get("regions", ())) for row in accounts.values()} == {(HOME,), ()}
    assert receiver.main([]) == 0
    rows = warehouse.query("SELECT account_id, delivery FROM account_overview")
    assert {row["account_id"]: row["delivery"] for row in rows} == {
        party.payer.id: "complete",
        party.security.id: "complete",
        party.shop.id: "complete",
        party.broken.id: "never",
    }


def test_a_list_names_the_regions_that_should_deliver(
    party: Party, run_organization: RunOrganization
) -> None:
    """But those that are closed; of an account that could not be entered, those of the settings."""
    party.embedded.switches.deny_by_scp(OTHER, account=party.shop.id)

    def regions(*flags: str) -> dict[str, list[str]]:
        run_organization("--organization", "--regions", *flags)
        return {row["account_id"]: row.get("regions", []) for row in listed(party)["accounts"]}

    both = sorted(REGIONS)
    assert regions(",".join(REGIONS)) == {
        **{account.id: both for account in (*party.whole, party.broken)},
        party.shop.id: [HOME], party.closed.id: [],
    }  # fmt: skip
    everywhere = regions("all", "--resume")
    assert {*both} <= {*everywhere[party.europe.id]}
    assert everywhere[party.broken.id] == []


def test_a_run_that_is_about_less_or_uploads_nothing_lists_nothing(
    party: Party, run_organization: RunOrganization, tmp_path: Any
) -> None:
    run_organization("--organization", "--include-ou", party.shops)
    assert listed(party)["whole"] is False
    s3 = party.embedded.client("s3", party.embedded.analytics.id)
    s3.delete_object(Bucket=party.environment["BUCKET"], Key=f"accounts/{party.payer.id}.json")
    for flags in (
        ("--accounts", party.shop.id),
        ("--organization", "--only", "health"),
        ("--organization", "--only", "service", "--start", "2026-11-01", "--end", "2026-11-01"),
        ("--organization", "--dry-run", "--output", str(tmp_path / "documents")),
    ):
        run_organization(*flags)
        assert keys(party) == [], flags


def test_a_name_that_no_database_takes_does_not_cost_the_list(
    party: Party, run_organization: RunOrganization, warehouse: Warehouse
) -> None:
    party.shop.name = "Shop \x00"
    run_organization("--organization")
    names = {row["account_id"]: row.get("account_name") for row in listed(party)["accounts"]}
    assert names[party.shop.id] == "Shop \ufffd"
    assert receiver.main([]) == 0
    told = f"SELECT account_name FROM expected_accounts WHERE account_id = '{party.shop.id}'"
    assert warehouse.query(told) == [{"account_name": "Shop \ufffd"}]
