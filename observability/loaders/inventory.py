"""inventory: rows of inventory_instances, inventory_applications, inventory_patches."""

from __future__ import annotations

from collections.abc import Iterable

from observability.database.tables import Kind, Parent, Table, snapshot
from observability.loaders.loader import Loader
from observability.loaders.rows import (
    Chunked,
    EndOfTable,
    Loaded,
    Orphans,
    Parts,
    Row,
    Waiting,
    straight,
)

INSTANCE = Parent("inventory_instances", "instance_id", {"instance_id": "instance_id"})

INVENTORY_TABLES = {
    "inventory.instances": "inventory_instances",
    "inventory.applications": "inventory_applications",
    "inventory.patches": "inventory_patches",
}


def load_inventory_data(parts: Parts) -> Loaded:
    """inventory_instances, and the applications and patches of each.

    A part of a machine that the document does not list hangs on nothing, whatever the database
    has: what a document is worth must not depend on what was loaded before it. So parts are not
    said to be over before all are known to have their machine.
    """
    named: dict[str, dict[str, str]] = {}
    waiting = Waiting("inventory")
    for loaded in straight(parts, INVENTORY_TABLES):
        if isinstance(loaded, Row | Chunked):
            known = named.setdefault(loaded.table, {})
            for instance in instances_of(loaded):
                if instance not in known:
                    waiting.add(len(instance))
                    known[instance] = loaded.where
        if not isinstance(loaded, EndOfTable) or loaded.table == "inventory_instances":
            yield loaded
    listed = named.pop("inventory_instances", {})
    for table, instances in named.items():
        lost = {name: where for name, where in instances.items() if name and name not in listed}
        if lost:
            yield Orphans(table, "instance_id", lost)


def instances_of(loaded: Row | Chunked) -> Iterable[str]:
    """The machines that a row or a chunk of rows names."""
    if isinstance(loaded, Chunked):
        return loaded.chunk.parents
    return (str(loaded.values.get("instance_id") or ""),)


LOADER = Loader(
    category="inventory",
    function=load_inventory_data,
    rows=tuple(INVENTORY_TABLES),
    tables=(
        snapshot(
            "inventory_instances",
            path="inventory.instances",
            moving=(
                "last_ping_date_time",
                "association_execution_date",
                "association_success_date",
            ),
        ),
        Table(
            "inventory_applications",
            Kind.PART,
            parent=INSTANCE,
            by_day=True,
            path="inventory.applications",
            chunked="inventory.applications",
        ),
        Table(
            "inventory_patches",
            Kind.PART,
            parent=INSTANCE,
            by_day=True,
            path="inventory.patches",
            chunked="inventory.patches",
        ),
    ),
)
