"""service: rows of services."""

from __future__ import annotations

from observability.database.tables import Kind, Table
from observability.loaders.loader import Loader
from observability.loaders.rows import Complete, Loaded, Parts, Row


def load_service_data(parts: Parts) -> Loaded:
    """services, one row per service, usage type and period."""
    for part in parts:
        if part.opened:
            yield Complete("services")
            continue
        row = dict(part.value)
        if isinstance(row.get("usage_types"), list):
            row["usage_types"] = ",".join(str(usage) for usage in row["usage_types"])
        yield Row("services", part.where, row, part.size)
        yield Complete("services", {"date_from": row.get("date_from")})


LOADER = Loader(
    category="service",
    function=load_service_data,
    rows=("service",),
    tables=(Table("services", Kind.PERIOD, ("date_from",)),),
)
