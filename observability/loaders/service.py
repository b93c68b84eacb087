"""service: rows of services."""

from __future__ import annotations

from observability.loaders.rows import Covers, Loaded, Parts, Row


def load_service_data(parts: Parts) -> Loaded:
    """services, one row per service, usage type and period."""
    for part in parts:
        if part.opened:
            yield Covers("services")
            continue
        row = dict(part.value)
        if isinstance(row.get("usage_types"), list):
            row["usage_types"] = ",".join(str(usage) for usage in row["usage_types"])
        yield Row("services", part.where, row, part.size)
        yield Covers("services", {"date_from": row.get("date_from")})
