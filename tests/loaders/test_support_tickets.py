"""Support cases in the database."""

from __future__ import annotations

from datetime import date

from tests import documents
from tests.documents import document
from tests.warehouse import Warehouse

DAY = date(2026, 11, 10)


def test_a_window_that_comes_after_its_tickets_reaches_them_all(warehouse: Warehouse) -> None:
    made = document(DAY)
    ticket = {k: v for k, v in documents.support_ticket().items() if not k.startswith("date_")}
    tickets = [{**ticket, "case_id": f"case-{number}"} for number in range(3000)]
    made["support_tickets"] = {"tickets": tickets, "date_from": "2026-11-10", "total_tickets": 3000}
    warehouse.load(made, documents.key(DAY))
    counts = "SELECT date_from, count(*) AS n FROM support_tickets GROUP BY 1"
    assert warehouse.query(counts) == [{"date_from": DAY, "n": 3000}]
