"""Names may be longer than an entry of an index, whichever row they identify."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from observability.database.catalogue import TableSchema
from observability.receiving.result import FileStatus
from tests import documents
from tests.documents import Document, document
from tests.warehouse import Warehouse

DAYS = (date(2026, 11, 21), date(2026, 11, 22))
# Longer than an index takes (2,704 bytes), however well it is compressed.
ENDLESS = "".join(hashlib.sha256(bytes([n % 256, n // 256])).hexdigest() for n in range(500))
NAMES = {
    "account_id", "instance_id", "key_id", "arn", "finding_arn", "app_arn", "resource_arn", "id",
    "name", "version", "architecture", "title", "product_code", "category", "check_name", "case_id",
    "service", "usage_types", "service_name", "resource_type", "resource_id", "rule_name",
    "evaluation_mode", "web_acl_name", "scope", "reservation_type", "subscription_id",
    "finding_id", "key_attributes", "product", "region", "group", "tag_key", "tag_value",
}  # fmt: skip
"""Fields of documents that identify a row, in whichever list."""


def lengthened(value: Any, name: str = "") -> Any:
    """A part of a document whose names are endless, those that were alike still alike."""
    if isinstance(value, dict):
        return {key: lengthened(each, key if name not in NAMES else name)
                for key, each in value.items()}  # fmt: skip
    if isinstance(value, list):
        return [lengthened(each, name) for each in value]
    return f"{value}{ENDLESS}" if name in NAMES and isinstance(value, str) else value


def endless(day: date) -> Document:
    made = document(day)
    named = ("meta", "account", "logs", "config")
    long = {name: part if name in named else lengthened(part) for name, part in made.items()}
    long["account"]["product"] = f"Shop{ENDLESS}"
    violations = made["config"]["non_compliant_resources"]
    long["config"]["non_compliant_resources"] = lengthened(violations)
    contacts = long["account"]["alternate_contacts"]
    contacts[f"of{ENDLESS}"] = contacts["billing"]
    return long


def keys_of_text(schemas: Iterable[TableSchema]) -> Iterator[tuple[str, str]]:
    """The columns of natural keys that hold names, by table."""
    for schema in schemas:
        for name in schema.key:
            if not schema.table.stored_in and schema.columns[name].type in ("text", "jsonb"):
                yield schema.table.name, name


def test_a_name_of_32000_characters_is_loaded_wherever_it_stands(warehouse: Warehouse) -> None:
    for day in DAYS:
        result = warehouse.load(endless(day), documents.key(day))
        assert result.status is FileStatus.LOADED, result.reasons
    again = warehouse.load(endless(DAYS[1]), documents.key(DAYS[1]))
    assert (again.totals["CREATED"], again.totals["UPDATED"], again.totals["GONE"]) == (0, 0, 0)
    short = [
        f"{table}.{name}"
        for table, name in keys_of_text(warehouse.receiver.schemas.read())
        if not warehouse.query(f"SELECT FROM {table} WHERE length(CAST({name} AS text)) > 32000")
    ]
    # The key of the object says the one, and the others are Global.
    bounded = ("accounts", "cost_reports", "service_costs", "cost_forecasts")
    assert short == [f"{table}.region" for table in bounded]
    assert warehouse.query("SELECT FROM products WHERE length(name) > 32000")
