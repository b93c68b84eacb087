"""marketplace: products bought on AWS Marketplace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from observability.aws.errors import NO_VALUE, OFF, ExpectedError, aws_errors, classify_error
from observability.aws.pages import tokens
from observability.collecting.collector import GLOBAL, PERIOD, Collector, Probe
from observability.collecting.parallel import map_items
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan
from observability.collecting.window import Window
from observability.contract import FAIL
from observability.dates import day_of, days, midnight, to_iso
from observability.rows import Row, decimal_text, get_path, listed, shaped
from observability.sources.cost_explorer import COST_EXPLORER_ERRORS, days_told, read_costs

if TYPE_CHECKING:
    from mypy_boto3_license_manager import LicenseManagerClient
    from mypy_boto3_license_manager.type_defs import FilterTypeDef
    from mypy_boto3_marketplace_entitlement import MarketplaceEntitlementServiceClient


def get_marketplace(scan: Scan, result: CategoryResult) -> None:
    """Products bought on AWS Marketplace, and what each cost on each day.

    A buyer learns its product codes from License Manager (ListReceivedLicenses); their
    entitlements are asked for one product at a time, AWS has no other way (GetEntitlements).
    Cost Explorer calls a product by its name.
    """
    client: MarketplaceEntitlementServiceClient = scan.global_client("marketplace-entitlement")

    def entitlements(product: Mapping[str, Any]) -> list[Any]:
        pages = client.get_paginator("get_entitlements").paginate(
            ProductCode=product["ProductSKU"],
            Filter={"CUSTOMER_AWS_ACCOUNT_ID": [scan.account]},
        )
        return [*listed(pages, "Entitlements", "ProductCode")]

    window, costs = scan.window, None
    try:
        known_costs = scan.once(read_costs)
        costs = product_costs(known_costs.rows)
        window = window._replace(costs_from=days_told(window, known_costs.first, result)[0])
    except aws_errors() as error:
        if classify_error(error)[0] == FAIL:
            raise  # rows without costs would take away those that earlier documents know
    none: list[Any] = []

    def rows_of(found: tuple[Mapping[str, Any], list[Any] | None]) -> list[Row]:
        product, entitled = found
        known = entitled is not None or (result.item_skipped and costs is not None)
        return [*marketplace_rows(window, product, entitled, costs)] if known else []

    products = bought(scan)
    found = map_items(scan.aws, products, entitlements, result, absent=none, fills=result.lists)
    for row in (row for rows in shaped(found, rows_of) for row in rows):
        result.emit(row, day=date.fromisoformat(row["period_start"]))


def bought(scan: Scan) -> list[Mapping[str, Any]]:
    """The licenses that AWS Marketplace has issued to the account, one per product."""
    client: LicenseManagerClient = scan.global_client("license-manager")
    issuer: list[FilterTypeDef] = [{"Name": "IssuerName", "Values": ["AWS/Marketplace"]}]
    pages = tokens(
        lambda **token: client.list_received_licenses(Filters=issuer, MaxResults=100, **token),
        "NextToken",
    )
    return list(
        {item["ProductSKU"]: item for item in listed(pages, "Licenses", "ProductSKU")}.values()
    )


def product_costs(rows: Iterable[Row]) -> Mapping[tuple[str, str], Row]:
    """Cost and currency by (service, day)."""
    costs: dict[tuple[str, str], Row] = {}
    for row in rows:
        known = costs.setdefault((row["service"], row["date_from"]), {"cost_consumed": "0"})
        known["cost_consumed"] = decimal_text(
            Decimal(known["cost_consumed"]) + Decimal(row["cost"])
        )
        known["currency"] = row["currency"]
    return costs


def marketplace_rows(
    window: Window,
    product: Mapping[str, Any],
    entitlements: Sequence[Mapping[str, Any]] | None,
    costs: Mapping[tuple[str, str], Row] | None,
) -> Iterator[Row]:
    """A row for each day of the window on which the product was licensed already.

    The cost is null where Cost Explorer has none of that name. Where costs or entitlements are not
    to be had (None), rows say nothing about cost or status. An entitlement without an end is
    perpetual; one that lasts beyond the day makes the product ACTIVE.
    """
    begin = day_of(to_iso(get_path(product, "Validity.Begin"))) or window.costs_from
    ends = [item.get("ExpirationDate") for item in entitlements or ()]
    unpaid: Row = {"cost_consumed": None, "currency": None}
    for day in days(max(begin, window.costs_from), window.end):
        after = day + timedelta(days=1)
        lasts = any(end is None or end > midnight(after) for end in ends)
        entitled = "ACTIVE" if lasts else "EXPIRED"
        status = {"status": entitled if ends else product["Status"]}
        paid = {} if costs is None else costs.get((product["ProductName"], str(day)), unpaid)
        row = {
            "product_code": product["ProductSKU"],
            "product_name": product["ProductName"],
            "period_start": str(day),
            "period_end": str(after),
        }
        yield row | paid | ({} if entitlements is None else status)


EXPECTED_ERRORS = (
    ExpectedError(
        "license-manager", "AccessDeniedException", OFF,
        "License Manager, which knows the licenses, was never set up",
        "(?i)service(.linked)? role (not found|is not present)",
    ),
    ExpectedError("marketplace-entitlement", "InvalidParameterException", NO_VALUE),
    *COST_EXPLORER_ERRORS,
)  # fmt: skip

COLLECTOR = Collector(
    category="marketplace",
    collect=get_marketplace,
    scope=GLOBAL,
    backfill=PERIOD,
    actions=(
        "license-manager:ListReceivedLicenses",
        "aws-marketplace:GetEntitlements",
        "ce:GetCostAndUsage",
    ),
    probes=(Probe("license-manager:ListReceivedLicenses", {"MaxResults": 1}),),
    expected_errors=EXPECTED_ERRORS,
)
