"""Categories that the receiver is told not to load."""

from __future__ import annotations

from dataclasses import replace

import pytest

import receiver
from observability.errors import UsageError
from observability.receiving.result import FileStatus
from tests import documents
from tests.documents import document
from tests.warehouse import Warehouse

NOTHING: frozenset[str] = frozenset()
QUERY = """SELECT (SELECT count(*) FROM support_tickets) AS tickets,
    (SELECT count(*) FROM kms_keys) AS keys, support_tickets_status AS status,
    (SELECT last_complete_at IS NOT NULL FROM freshness) AS complete FROM logs"""


def loaded_with(
    warehouse: Warehouse, only: frozenset[str] = NOTHING, skip: frozenset[str] = NOTHING
) -> dict[str, object]:
    """What is there after a document was loaded under these settings."""
    settings = replace(warehouse.settings, only=only, skip=skip)
    warehouse.receiver = receiver.start(settings, again=True)
    assert warehouse.load(document(), documents.key()).status is FileStatus.LOADED
    [row] = warehouse.query(QUERY)
    return row


@pytest.mark.parametrize(
    "settings", [{"skip": frozenset({"support_tickets"})}, {"only": frozenset({"security"})}]
)
def test_what_is_switched_off_is_skipped_and_the_document_complete(
    warehouse: Warehouse, settings: dict[str, frozenset[str]]
) -> None:
    row = loaded_with(warehouse, **settings)
    assert row == {"tickets": 0, "keys": 1, "status": "Skipped", "complete": True}
    assert loaded_with(warehouse)["tickets"] == 1


@pytest.mark.parametrize("name", ["account", "logs", "suport_tickets"])
def test_only_categories_that_exist_and_may_be_absent_are_switched_off(
    warehouse: Warehouse, name: str
) -> None:
    with pytest.raises(UsageError, match=f"no such category: {name}; there are application, "):
        receiver.start(replace(warehouse.settings, skip=frozenset({name})))
