"""Accounts and how they deliver, as views tell it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.database.estates import BANK, HOME, OTHER, SHOP, YESTERDAY, load, quiet, view
from tests.warehouse import Warehouse


def overview(warehouse: Warehouse, columns: str, account: str = SHOP) -> Any:
    [row] = view(warehouse, "account_overview", columns, f"account_id = '{account}'")
    return row


def test_an_account_is_one_row_whatever_its_regions_and_products(warehouse: Warehouse) -> None:
    home, other = quiet(), quiet(region=OTHER)
    home["account"]["product"] = "Shop, Search"
    other["account"]["product"] = "Search, Ads"
    load(warehouse, home, other, quiet(account=BANK))
    about = "account_name, customer_name, regions, products, delivery"
    assert overview(warehouse, about) == (
        f"Name of {SHOP}",
        f"Customer of {SHOP}",
        f"{OTHER}, {HOME}",
        "Ads, Search, Shop",
        "complete",
    )
    assert view(warehouse, "account_overview", "account_id") == [SHOP, BANK]


def test_an_account_is_told_as_its_newest_document_has_it(warehouse: Warehouse) -> None:
    renamed = quiet()
    renamed["account"]["account_name"] = "Renamed"
    load(warehouse, quiet(YESTERDAY - timedelta(days=40), region=OTHER), renamed)
    assert overview(warehouse, "account_name, regions") == ("Renamed", HOME)


def test_products_that_an_account_no_longer_serves_are_left_out(warehouse: Warehouse) -> None:
    before = quiet(YESTERDAY - timedelta(days=1))
    before["account"]["product"] = "Shop, Ads"
    after = quiet()
    after["account"]["product"] = "Shop"
    load(warehouse, before, after)
    assert overview(warehouse, "products") == "Shop"


def test_how_an_account_delivers(warehouse: Warehouse) -> None:
    assert view(warehouse, "account_overview", "account_id") == []
    warehouse.query(f"""INSERT INTO accounts (account_id, region)
        VALUES ('{BANK}', '{HOME}')""", fetch=False)  # fmt: skip
    assert overview(warehouse, "delivery, last_document_at", BANK) == ("never", None)

    def delivered(
        day: date, region: str = HOME, hour: int = 3, **statuses: str
    ) -> tuple[str, str | None]:
        made = quiet(day, region=region)
        made["logs"] |= {f"{name}_status": status for name, status in statuses.items()}
        collected_at = f"{day + timedelta(days=1)}T0{hour}:00:00+00:00"
        made["meta"]["collected_at"] = made["logs"]["date_created"] = collected_at
        load(warehouse, made)
        found: tuple[str, str | None] = overview(warehouse, "delivery, failing")
        return found

    assert delivered(YESTERDAY - timedelta(days=9)) == ("silent", None)
    assert delivered(YESTERDAY, cost="None") == ("incomplete", None)
    assert delivered(YESTERDAY, OTHER, health="Fail", cost="Fail") == ("failing", "cost, health")
    assert overview(warehouse, "last_complete_at") is None
    assert delivered(YESTERDAY, OTHER, hour=4) == ("incomplete", None)
    assert delivered(YESTERDAY, hour=5) == ("complete", None)
    assert overview(warehouse, "last_document_at - last_complete_at") == timedelta(hours=1)
