"""The lists of a document, and the tables that the contract has for them."""

from __future__ import annotations

from collections.abc import Mapping

from tests.collectors.registry import stated

TRUTH = stated("TRUTH")
TABLES: Mapping[str, str] = {
    "account": "accounts",
    "config": "config_reports",
    "cost": "cost_reports",
    **{path: truth.table for path, truth in TRUTH.items()},
}
"""The contract's table of each list of the document."""

OWN_TABLES = {
    "account": {"contact_info", "alternate_contacts", "product"},
    "cost": {"period", "top_services", "forecast"},
}
"""Fields that have tables of their own, or columns for their parts; see the tests of these."""
