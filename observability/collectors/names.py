"""The collectors by the names that other programs import from sender.py (contract, section 1)."""

from observability.collectors.account import get_account_details
from observability.collectors.application import get_application_signals
from observability.collectors.compute_optimizer import get_compute_optimizer
from observability.collectors.config import get_config
from observability.collectors.config_inventory import get_config_resource_inventory
from observability.collectors.cost import get_cost
from observability.collectors.health import get_health
from observability.collectors.inventory import get_inventory, get_patch_details
from observability.collectors.marketplace import get_marketplace
from observability.collectors.resilience_hub import get_resilience_hub_apps
from observability.collectors.security import get_security
from observability.collectors.security.certificate_manager import get_certificate_security
from observability.collectors.security.cloudtrail import get_cloudtrail_security
from observability.collectors.security.guard_duty import get_guard_duty_security
from observability.collectors.security.inspector import get_inspector
from observability.collectors.security.kms import get_kms_security
from observability.collectors.security.secrets_manager import get_secrets_security
from observability.collectors.security.security_hub import get_security_hub
from observability.collectors.security.waf import get_waf_security
from observability.collectors.service import get_services
from observability.collectors.service_resources import get_services_resources
from observability.collectors.support_tickets import get_support_tickets
from observability.collectors.trusted_advisor import get_trusted_advisor

__all__ = [
    "get_account_details",
    "get_application_signals",
    "get_certificate_security",
    "get_cloudtrail_security",
    "get_compute_optimizer",
    "get_config",
    "get_config_resource_inventory",
    "get_cost",
    "get_guard_duty_security",
    "get_health",
    "get_inspector",
    "get_inventory",
    "get_kms_security",
    "get_marketplace",
    "get_patch_details",
    "get_resilience_hub_apps",
    "get_secrets_security",
    "get_security",
    "get_security_hub",
    "get_services",
    "get_services_resources",
    "get_support_tickets",
    "get_trusted_advisor",
    "get_waf_security",
]
