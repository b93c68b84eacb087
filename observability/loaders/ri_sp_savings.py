"""ri_sp_savings: rows of ri_sp_daily_savings."""

from __future__ import annotations

from observability.database.tables import Kind, Table
from observability.loaders.loader import Loader
from observability.loaders.rows import Complete, Loaded, Parts, Row, straight


def load_ri_sp_savings_data(parts: Parts) -> Loaded:
    """ri_sp_daily_savings."""
    for loaded in straight(parts, {"ri_sp_savings": "ri_sp_daily_savings"}):
        yield loaded
        if isinstance(loaded, Row):
            yield Complete(loaded.table, {"date_to": loaded.values.get("date_to")})


LOADER = Loader(
    category="ri_sp_savings",
    function=load_ri_sp_savings_data,
    rows=("ri_sp_savings",),
    required=False,
    tables=(Table("ri_sp_daily_savings", Kind.PERIOD, ("date_to",)),),
)
