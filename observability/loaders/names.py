"""The loaders by the names that other programs import from receiver.py (contract, section 1)."""

from observability.loaders.account import load_account_data
from observability.loaders.application import load_application_data
from observability.loaders.compute_optimizer import load_compute_optimizer_data
from observability.loaders.config import load_config_data
from observability.loaders.config_inventory import load_config_inventory_data
from observability.loaders.cost import load_cost_data
from observability.loaders.health import load_health_data
from observability.loaders.inventory import load_inventory_data
from observability.loaders.logs import load_logs_data
from observability.loaders.marketplace import load_marketplace_data
from observability.loaders.resilience_hub import load_resilience_hub_data
from observability.loaders.security import load_security_data
from observability.loaders.service import load_service_data
from observability.loaders.service_resources import load_service_resources_data
from observability.loaders.support_tickets import load_support_tickets_data
from observability.loaders.trusted_advisor import load_trusted_advisor_data

__all__ = [
    "load_account_data",
    "load_application_data",
    "load_compute_optimizer_data",
    "load_config_data",
    "load_config_inventory_data",
    "load_cost_data",
    "load_health_data",
    "load_inventory_data",
    "load_logs_data",
    "load_marketplace_data",
    "load_resilience_hub_data",
    "load_security_data",
    "load_service_data",
    "load_service_resources_data",
    "load_support_tickets_data",
    "load_trusted_advisor_data",
]
