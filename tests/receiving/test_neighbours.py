"""One hostile account among honest ones; `make soak` has 50, more days and larger documents."""

from __future__ import annotations

from tests import neighbours
from tests.warehouse import Warehouse


def test_a_hostile_account_costs_itself_and_nobody_else(warehouse: Warehouse) -> None:
    """All honest documents are loaded in one sweep, unchanged; its own rows can be had again.

    What is refused costs no call of the database, and what is loaded one or two.
    """
    figures = neighbours.run(warehouse, honest=20, days=1, size=1)
    assert figures.differences == []
    assert len(neighbours.KINDS) >= 18
    assert figures.outcomes == {
        "loaded": 2 + figures.honest + figures.recovered,
        "rejected": neighbours.REFUSED,
    }
    assert figures.recovered == figures.hostile - neighbours.REFUSED
    assert figures.calls < figures.honest + 2 * figures.recovered
