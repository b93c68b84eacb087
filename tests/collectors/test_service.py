"""Costs by service and usage type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal

from tests.cloud.content.costs import USAGE_DIGITS
from tests.collectors.truth import Place, Truth, money, spent
from tests.runs import Row


def services(place: Place) -> Iterator[Row]:
    """A row per service, usage type and day."""
    for day in place.cost_days if place.home else ():
        for (service, usage_type), found in spent(place.account, day).items():
            cost, amortized, usage, unit = found
            yield {
                "service": service,
                "usage_types": usage_type,
                "date_from": day,
                "date_to": day + timedelta(days=1),
                "cost": money(cost),
                "amortized_cost": money(amortized),
                "currency": "USD",
                "utilization": Decimal(usage).scaleb(-USAGE_DIGITS),
                "utilization_unit": unit,
            }


TRUTH: Mapping[str, Truth] = {
    "service": Truth(services, "services", ("service", "usage_types", "date_from")),
}
