"""cost_by_tag: rows of cost_by_tag."""

from __future__ import annotations

from observability.database.tables import Kind, Table
from observability.loaders.loader import Loader
from observability.loaders.rows import Complete, Loaded, Parts, Row, straight


def load_cost_by_tag_data(parts: Parts) -> Loaded:
    """cost_by_tag; a document states whole days of the tags that it tells of."""
    for loaded in straight(parts, {"cost_by_tag": "cost_by_tag"}):
        if isinstance(loaded, Row):
            yield loaded
            key = {name: loaded.values.get(name) for name in ("day", "tag_key")}
            yield Complete(loaded.table, key)


LOADER = Loader(
    category="cost_by_tag",
    function=load_cost_by_tag_data,
    rows=("cost_by_tag",),
    required=False,
    tables=(Table("cost_by_tag", Kind.PERIOD, ("day", "tag_key")),),
)
