"""Products of AWS Marketplace: what they cost, and how long they are licensed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta

import pytest

from observability.collecting.window import Window
from observability.collectors.marketplace import marketplace_rows
from tests.collectors.losses import Denial, Off, gone, listing
from tests.collectors.truth import Place, Truth, day_cost
from tests.runs import Row


def marketplace(place: Place) -> Iterator[Row]:
    """A row per product and day, from the day on which it was licensed."""
    for held in place.everywhere("license-manager", "received"):
        ends = [
            entitlement["ExpirationDate"]
            for entitlement in place.everywhere("marketplace-entitlement", "entitlements")
            if entitlement["ProductCode"] == held["ProductSKU"]
        ]
        for day in place.cost_days:
            cost = day_cost(place.account, day).get(held["ProductName"])
            over = max(ends) <= datetime.combine(day + timedelta(days=1), time(), UTC)
            yield {
                "product_code": held["ProductSKU"],
                "product_name": held["ProductName"],
                "cost_consumed": cost,
                "currency": None if cost is None else "USD",
                "period_start": day,
                "period_end": day + timedelta(days=1),
                "status": "EXPIRED" if over else "ACTIVE",
            }


TRUTH: Mapping[str, Truth] = {
    "marketplace": Truth(marketplace, "marketplace_usage", ("product_code", "period_start")),
}

DENIALS: Mapping[str, Denial] = {
    "license-manager:ListReceivedLicenses": listing("marketplace"),
    "marketplace-entitlement:GetEntitlements": listing("marketplace"),
}

SWITCHED_OFF: Mapping[str, Off] = {
    "license-manager": Off("License Manager", ("marketplace",), (), {"marketplace": gone}),
}


def test_a_product_is_told_from_the_day_of_its_license_and_expires_when_it_does() -> None:
    window = Window.of_backfill(date(2024, 2, 27), date(2024, 3, 2))
    product = {
        "ProductSKU": "sku", "ProductName": "Scanner", "Status": "AVAILABLE",
        "Validity": {"Begin": "2024-02-28T23:59:59Z"},
    }  # fmt: skip
    entitlements = [
        {"ExpirationDate": datetime(2024, 2, 29, tzinfo=UTC)},
        {"ExpirationDate": datetime(2024, 3, 1, 12, tzinfo=UTC)},
    ]
    costs = {("Scanner", "2024-02-29"): {"cost_consumed": "1.5", "currency": "USD"}}
    rows = list(marketplace_rows(window, product, entitlements, costs))
    assert [(row["period_start"], row["status"]) for row in rows] == [
        ("2024-02-28", "ACTIVE"),
        ("2024-02-29", "ACTIVE"),
        ("2024-03-01", "EXPIRED"),
        ("2024-03-02", "EXPIRED"),
    ]
    assert [row["cost_consumed"] for row in rows] == [None, "1.5", None, None]
    assert [row["currency"] for row in rows] == [None, "USD", None, None]


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        ([None], "ACTIVE"),
        ([datetime(2024, 1, 1, tzinfo=UTC), None], "ACTIVE"),
        ([datetime(2024, 1, 1, tzinfo=UTC)], "EXPIRED"),
        ([], "AVAILABLE"),
    ],
)
def test_an_entitlement_without_an_end_never_expires(
    ends: list[datetime | None], status: str
) -> None:
    window = Window.of_backfill(date(2024, 2, 27), date(2024, 2, 27))
    product = {"ProductSKU": "sku", "ProductName": "Scanner", "Status": "AVAILABLE"}
    held = [{"ExpirationDate": end} if end else {} for end in ends]
    rows = list(marketplace_rows(window, product, held, {}))
    assert [row["status"] for row in rows] == [status]
