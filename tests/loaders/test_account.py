"""The account, its contacts and its products in the database."""

from __future__ import annotations

from tests.conftest import REGIONS
from tests.loading import Loaded

HOME, OTHER = REGIONS


def test_the_account_has_a_row_per_region(loaded: Loaded) -> None:
    rows = loaded.query("SELECT * FROM accounts WHERE account_id = %s", loaded.account.id)
    assert {row["region"] for row in rows} == set(REGIONS)
    client = loaded.embedded.client("organizations", loaded.account.id)
    member = client.describe_account(AccountId=loaded.account.id)["Account"]
    for row in rows:
        assert row["account_name"] == loaded.account.name
        assert row["account_email"] == member["Email"]
        assert row["account_status"] == "ACTIVE"
        assert row["account_arn"] == member["Arn"]
        assert row["joined_method"] == member["JoinedMethod"]
        assert row["csp"] == "AWS"
        tags = [row[name] for name in ("partner_name", "customer_name", "category", "account_type")]
        assert tags == ["Example Partner", "Example Corp", "Production", "production"]


def test_contacts_are_those_of_the_account(loaded: Loaded) -> None:
    [contact] = loaded.rows("contact_info", HOME)
    told = loaded.account.items("account", "contact")[0]
    assert contact["full_name"] == told["FullName"]
    assert contact["address_line3"] == told["AddressLine3"]
    assert contact["website_url"] == told["WebsiteUrl"]
    found = [
        (row["contact_type"], row["full_name"], row["title"], row["email"], row["phone_number"])
        for row in loaded.rows("alternate_contacts", HOME)
    ]
    names = ("AlternateContactType", "Name", "Title", "EmailAddress", "PhoneNumber")
    expected = [
        [held[name] for name in names] for held in loaded.account.items("account", "alternates")
    ]
    assert sorted(found) == sorted((kind.lower(), *rest) for kind, *rest in expected)


def test_products_are_shared_by_the_regions_of_the_account(loaded: Loaded) -> None:
    found = loaded.query(
        """SELECT p.name, a.region, p.owner FROM product_accounts pa
           JOIN products p ON p.id = pa.product_id JOIN accounts a ON a.id = pa.account_id"""
    )
    expected = [(name, region, "System") for name in ("Billing", "Shop") for region in REGIONS]
    assert sorted((row["name"], row["region"], row["owner"]) for row in found) == sorted(expected)
