"""Documents with chunks that are odd, or beside which something is: none is worse off for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from observability.receiving.result import FileStatus
from tests.cloud import ApiRequest
from tests.database.test_chunks import LETTERS, THREE, finding, load, passing, rows
from tests.documents import Document
from tests.warehouse import Warehouse

__all__ = ["passing"]  # the fixture

AGAIN = "trying again"
"""What the log says when a document is loaded a second time."""


def renamed(made: Document, name: Any) -> Document:
    """A document whose first machine has another name, wherever it is named."""
    for part in ("instances", "applications", "patches"):
        for row in made["inventory"][part]:
            if row["instance_id"] == "i-1":
                row["instance_id"] = name
    return made


@pytest.mark.parametrize("name", [True, {"a": 1}, "i'\"\\ "])
def test_a_machine_with_an_odd_name_is_known_in_a_chunk(passing: Warehouse, name: Any) -> None:
    for number in range(4):
        load(passing, renamed(THREE.document(number), name), number)
    assert passing.query("SELECT count(*) FROM inventory_applications") == [{"count": 12}]


def test_a_group_whose_name_is_no_text_is_refused_for_it(passing: Warehouse) -> None:
    load(passing, THREE.document(0), 0)
    made = THREE.document(1)
    made["security"]["security_hub"][0]["service"] = "\ud800"
    refused = passing.load(made, "data/111122223333/eu-west-1/2026-11-11_DAILY.json")
    assert refused.status is FileStatus.REJECTED
    assert "surrogate" in refused.reasons[0]


@pytest.mark.parametrize("name", ["", None])
def test_findings_without_a_group_belong_to_their_product(
    passing: Warehouse, name: str | None
) -> None:
    load(passing, THREE.document(0), 0)
    made = THREE.document(1)
    del made["meta"]
    findings = [finding(*row) | {"product_name": "Scanner"} for row in rows("xyz")]
    made["security"]["security_hub"] = [{"service": name, "findings": findings}]
    load(passing, made, 1)
    services = passing.query("SELECT service, total_findings AS n FROM security ORDER BY service")
    assert services == [{"service": "Scanner", "n": 3}, {"service": "Security Hub", "n": 12}]


@pytest.mark.parametrize("moment", ["before", "while it is read"])
def test_what_a_trigger_made_of_findings_is_seen_once_it_is_gone(
    passing: Warehouse, moment: str
) -> None:
    for number in range(3):
        load(passing, THREE.document(number), number)
    passing.query(
        """CREATE FUNCTION low() RETURNS trigger LANGUAGE plpgsql AS
           'BEGIN NEW.severity := ''LOW''; RETURN NEW; END'""",
        fetch=False,
    )

    def add_trigger(_request: ApiRequest | None = None) -> None:
        passing.query(
            "CREATE TRIGGER low BEFORE UPDATE ON findings FOR EACH ROW EXECUTE FUNCTION low()",
            fetch=False,
        )

    if moment == "before":
        add_trigger()
    else:
        switches = passing.embedded.switches
        switches.intercept("rds-data", "BeginTransaction", add_trigger, times=1)
    load(passing, THREE.document(3), 3)
    low = "SELECT count(*) AS n FROM findings WHERE severity = 'LOW'"
    assert passing.query(low) == [{"n": 12}]
    passing.query("DROP TRIGGER low ON findings", fetch=False)
    load(passing, THREE.document(4), 4)
    assert passing.query(low) == [{"n": 0}]


def test_long_names_of_many_chunks_fit_into_answers(passing: Warehouse) -> None:
    load(passing, THREE.document(0), 0)
    passing.query(
        """INSERT INTO chunks (account_id, document_id, table_name, digest, head, length, row_ids,
                               versions, layout, parents)
           SELECT a.id, a.document_id, 'inventory_applications', CAST(n AS text), 'x', 1, '{}',
                  0, 0, jsonb_build_object(repeat('😀', 480), n)
           FROM accounts a, generate_series(1, 1000) n""",
        fetch=False,
    )
    load(passing, THREE.document(1), 1)
    assert passing.query("SELECT count(*) FROM chunks WHERE head = 'x'") == [{"count": 0}]


def test_lists_that_are_never_complete_are_read_once(
    passing: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(4):
        made = THREE.document(number)
        made["meta"]["complete"] = ["health"]
        load(passing, made, number)
    assert AGAIN not in caplog.text


def test_beside_other_producers_each_document_is_read_once(
    passing: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        load(passing, THREE.document(number), number)
    other = THREE.document(3)
    del other["meta"]
    load(passing, other, 3)
    caplog.clear()
    load(passing, THREE.document(4), 4)
    assert AGAIN not in caplog.text


def test_a_late_document_is_loaded_however_long_that_took(
    passing: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    """One of the same day is read a second time, as what was passed over has to be merged."""
    for number in range(1, 4):
        load(passing, THREE.document(number, minute=5), number)
    hurried = replace(passing.receiver.settings, patience=0.0)
    passing.receiver = replace(passing.receiver, settings=hurried)
    load(passing, THREE.document(3), 3)
    assert AGAIN in caplog.text
    caplog.clear()
    load(passing, THREE.document(0), 0)  # nobody expects anything of one of a day that is over
    assert AGAIN not in caplog.text


def test_very_many_short_lists_are_not_cut(passing: Warehouse) -> None:
    for number in range(3):
        made = THREE.document(number)
        hub = made["security"]["security_hub"]
        hub += [{"service": "Many", "findings": [finding(f"{n}", "1")]} for n in range(1100)]
        for group in hub[1:]:
            group["findings"][0]["description"] = "short"
        load(passing, made, number)
    [found] = passing.query("SELECT count(*) AS n FROM chunks")
    assert 900 < found["n"] < 1050
    assert len(LETTERS) + 1100 == passing.query("SELECT count(*) AS n FROM findings")[0]["n"]
