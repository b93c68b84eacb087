"""LOADERS: which function makes the rows of which category."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from observability.loaders.account import load_account_data
from observability.loaders.application import load_application_data
from observability.loaders.compute_optimizer import load_compute_optimizer_data
from observability.loaders.config import load_config_data
from observability.loaders.config_inventory import load_config_inventory_data
from observability.loaders.cost import load_cost_data
from observability.loaders.health import load_health_data
from observability.loaders.inventory import INVENTORY_TABLES, load_inventory_data
from observability.loaders.logs import load_logs_data
from observability.loaders.marketplace import load_marketplace_data
from observability.loaders.resilience_hub import load_resilience_hub_data
from observability.loaders.ri_sp_savings import load_ri_sp_savings_data
from observability.loaders.rows import Loaded, Parts
from observability.loaders.security import SECURITY_TABLES, load_security_data
from observability.loaders.service import load_service_data
from observability.loaders.service_resources import load_service_resources_data
from observability.loaders.support_tickets import load_support_tickets_data
from observability.loaders.trusted_advisor import load_trusted_advisor_data


@dataclass(frozen=True)
class Loader:
    """One category of the document: its loader, where its rows are, whether it must be there."""

    category: str
    function: Callable[[Parts], Loaded]
    rows: tuple[str, ...]
    required: bool = True


LOADERS = (
    Loader("account", load_account_data, ("account",)),
    Loader("cost", load_cost_data, ("cost",)),
    Loader("service", load_service_data, ("service",)),
    Loader(
        "security",
        load_security_data,
        ("security.security_hub", "security.security_hub.findings", *SECURITY_TABLES),
    ),
    Loader("config", load_config_data, ("config.non_compliant_resources",)),
    Loader("inventory", load_inventory_data, tuple(INVENTORY_TABLES)),
    Loader("marketplace", load_marketplace_data, ("marketplace",)),
    Loader("ri_sp_savings", load_ri_sp_savings_data, ("ri_sp_savings",), False),
    Loader("trusted_advisor", load_trusted_advisor_data, ("trusted_advisor",)),
    Loader("health", load_health_data, ("health",)),
    Loader("application", load_application_data, ("application",)),
    Loader("resilience_hub", load_resilience_hub_data, ("resilience_hub",)),
    Loader("compute_optimizer", load_compute_optimizer_data, ("compute_optimizer",), False),
    Loader("service_resources", load_service_resources_data, ("service_resources",), False),
    Loader("config_inventory", load_config_inventory_data, ("config_inventory",), False),
    Loader(
        "support_tickets",
        load_support_tickets_data,
        ("support_tickets", "support_tickets.tickets"),
        False,
    ),
    Loader("logs", load_logs_data, ("logs.message",)),
)
ROW_PATHS = tuple(path for loader in LOADERS for path in loader.rows)


def validate_data_structure(present: Iterable[str]) -> list[str]:
    """What a document with these top-level attributes lacks, a line each."""
    lacking = [x.category for x in LOADERS if x.required and x.category not in set(present)]
    return [f"required attribute {category!r} is missing" for category in lacking]
