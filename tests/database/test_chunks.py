"""Chunks of rows that a document has as before are passed over, and nothing else is different."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.limits import EARLY_BYTES, MIB
from observability.receiving.result import FileResult, FileStatus
from tests import documents
from tests.database.test_merge import MergingOnly, all_of, generated
from tests.documents import Document, document
from tests.warehouse import Warehouse

DAY = date(2026, 11, 10)
LONG = "long " * 1200
"""A chunk has 16 KiB, so three rows with this text."""
OTHERS = {f"other_{n}": "x" * MIB for n in range(EARLY_BYTES // MIB + 1)}
"""Categories of other producers: they make a document large."""

Row = tuple[str, str]
"""A letter that is the row's key, and a value that it has."""


def inventory(letter: str, value: str) -> Document:
    return {"resource_type": "T", "resource_id": letter, "state": value, "resource_name": LONG}


def application(letter: str, value: str) -> Document:
    instance = f"i-{1 + ord(letter) % 2}"
    return {"instance_id": instance, "name": letter, "publisher": value, "architecture": LONG}


def finding(letter: str, value: str) -> Document:
    return {
        "finding_id": letter, "description": LONG, "status": value, "severity": "HIGH",
        "updated_at": f"2026-11-09T0{len(value)}:00:00+00:00",
    }  # fmt: skip


@dataclass
class Lists:
    """What the lists of a document have."""

    resources: Sequence[Row] = ()
    applications: Sequence[Row] = ()
    findings: Sequence[Row] = ()

    def document(self, number: int, minute: int = 0) -> Document:
        """A large document of day `number` with these lists."""
        made = document(DAY + timedelta(number))
        at = datetime.combine(DAY, datetime.min.time()) + timedelta(number + 1, minutes=minute)
        made["meta"]["collected_at"] = f"{at.isoformat()}+00:00"
        made["config_inventory"] = [inventory(*row) for row in self.resources]
        made["inventory"]["applications"] = [application(*row) for row in self.applications]
        made["security"]["security_hub"][0]["findings"] = [finding(*row) for row in self.findings]
        return made | OTHERS


def rows(letters: str, value: str = "1") -> list[Row]:
    return [(letter, value) for letter in letters]


def load(warehouse: Warehouse, made: Document, number: int) -> FileResult:
    result = warehouse.load(made, documents.key(DAY + timedelta(number)))
    assert result.status is FileStatus.LOADED, result.reasons
    return result


@pytest.fixture
def passing(warehouse: Warehouse, caplog: pytest.LogCaptureFixture) -> Warehouse:
    """A warehouse whose receiver passes over chunks, as it does unless it is told to load again."""
    caplog.set_level(logging.INFO, "observability")  # that a document is read once more
    warehouse.receiver = replace(warehouse.receiver, again=False)
    return warehouse


LETTERS = "abcdefghijkl"
THREE = Lists(rows(LETTERS), rows(LETTERS), rows(LETTERS))


def bytes_of(warehouse: Warehouse, made: Document, number: int) -> int:
    """How much of a document is sent to the database."""
    warehouse.embedded.data_api.forget_calls()
    load(warehouse, made, number)
    return sum(call.request_bytes for call in warehouse.embedded.data_api.calls)


def test_what_was_compared_once_is_not_sent_again(passing: Warehouse) -> None:
    sent = [bytes_of(passing, THREE.document(number), number) for number in range(4)]
    first, second, *others = sent
    assert min(first, second) > 36 * len(LONG)
    assert max(others) < 7 * len(LONG)
    counters = load(passing, THREE.document(4), 4).counters
    for table in ("config_inventory", "inventory_applications", "findings"):
        assert counters[table] == {
            "CREATED": 0, "UPDATED": 0, "SKIPPED": 12, "GONE": 0, "TOTAL": 12
        }  # fmt: skip


def test_a_change_costs_its_own_chunk_only(passing: Warehouse) -> None:
    for number in range(3):
        load(passing, THREE.document(number), number)
    unchanged = bytes_of(passing, THREE.document(3), 3)
    changed = Lists([*rows("abcde"), ("f", "2"), *rows("ghijkl")], rows(LETTERS), rows(LETTERS))
    more = bytes_of(passing, changed.document(4), 4) - unchanged
    assert 3 * len(LONG) < more < 5 * len(LONG)
    assert abs(bytes_of(passing, changed.document(5), 5) - unchanged) < len(LONG)


SOMEBODY = {
    "a value": "UPDATE config_inventory SET state = 'by hand' WHERE resource_id = 'b'",
    "an application": "UPDATE inventory_applications SET publisher = NULL WHERE name = 'c'",
    "a finding": "UPDATE findings SET status = 'by hand' WHERE finding_id = 'd'",
    "a row is deleted": "DELETE FROM config_inventory WHERE resource_id = 'e'",
    "a finding is deleted": "DELETE FROM findings WHERE finding_id = 'a'",
    "gone": "UPDATE config_inventory SET gone_at = now() WHERE resource_id = 'f'",
    "another key": "UPDATE config_inventory SET resource_id = 'z' WHERE resource_id = 'g'",
    "a row is added": """
        INSERT INTO config_inventory (account_id, resource_type, resource_id, document_id)
        SELECT account_id, resource_type, 'y', document_id FROM config_inventory
        WHERE resource_id = 'a'""",
    "an instance": "UPDATE inventory_instances SET instance_id = 'i-9' WHERE instance_id = 'i-2'",
    "two instances": """
        UPDATE inventory_instances SET instance_id = CASE instance_id
            WHEN 'i-1' THEN 'i-3' WHEN 'i-2' THEN 'i-1' ELSE 'i-2' END""",
    "a service": "UPDATE security SET service = 'Another' WHERE service = 'Security Hub'",
    "an instance is deleted": "DELETE FROM inventory_instances WHERE instance_id = 'i-1'",
    "a column is made anew": """
        ALTER TABLE inventory_applications DROP COLUMN architecture;
        ALTER TABLE inventory_applications ADD COLUMN architecture text DEFAULT 'by hand'""",
    "a column of instances is made anew": """
        ALTER TABLE inventory_instances DROP COLUMN association_status;
        ALTER TABLE inventory_instances ADD COLUMN association_status text DEFAULT 'by hand'""",
    "two columns change names": """
        ALTER TABLE config_inventory RENAME state TO aside;
        ALTER TABLE config_inventory RENAME region TO state;
        ALTER TABLE config_inventory RENAME aside TO region""",
    "nothing": "SELECT",
    "all rows are moved": "UPDATE findings SET status = status",
    "the chunks": "DELETE FROM chunks WHERE table_name = 'findings'",
    "the lists": "DELETE FROM lists WHERE table_name = 'config_inventory'",
    "a document": "DELETE FROM documents WHERE id = (SELECT max(id) FROM documents)",
    "older documents": "DELETE FROM documents WHERE id < (SELECT max(id) FROM documents)",
}
"""What people may do to the tables between two documents."""

History = Sequence[tuple[Document, int, str]]
"""Documents with their days, and what somebody does before each."""


def end_of(warehouse: Warehouse, history: History) -> list[Any]:
    """What loading these leaves, the counters of each document first."""
    warehouse.empty()
    loaded = []
    for made, number, done in history:
        with suppress(psycopg.errors.UniqueViolation):  # there is such a row already
            warehouse.query(SOMEBODY[done], fetch=False)
        loaded.append(load(warehouse, made, number).counters)
    told, *others = all_of(warehouse)
    for change in told:
        del change["collected_at"]  # of a document without meta it is the time of its upload
    return [loaded, told, *others]


def assert_as_merged(warehouse: Warehouse, history: History) -> None:
    """The same with chunks passed over as with nothing but merges."""
    receiver = warehouse.receiver
    passed = end_of(warehouse, history)
    warehouse.receiver = replace(receiver, again=True, db=MergingOnly(warehouse.settings))
    merged = end_of(warehouse, history)
    warehouse.receiver = receiver
    for number, counters in enumerate(merged[0]):
        assert passed[0][number] == counters, f"document {number}"
    for table, stored in merged[-1].items():
        assert passed[-1][table] == stored, table
    assert passed == merged


@pytest.mark.parametrize("first", range(3))
def test_what_somebody_did_to_a_table_is_seen(passing: Warehouse, first: int) -> None:
    """Each time rows are passed over again, as a load that finds them changed notes them anew."""
    done = ["nothing"] * 3 + [*SOMEBODY][first::3] + ["nothing"]
    assert_as_merged(passing, [(THREE.document(n), n, what) for n, what in enumerate(done)])


def swap(letters: str) -> list[Row]:
    return rows(letters[::-1])


CHANGES: dict[str, Lists] = {
    "another order": Lists(swap(LETTERS), swap(LETTERS), swap(LETTERS)),
    "none": Lists(),
    "fewer": Lists(rows("abcghijkl"), rows("abcdefghi"), rows("defghijkl")),
    "more": Lists(rows("abcxdefghijkl"), rows("xabcdefghijkl"), rows("abcdefghijklx")),
    "a key before its chunk": Lists(*[[("e", "2"), *rows(LETTERS)]] * 3),
    "a key after its chunk": Lists(*[[*rows(LETTERS), ("e", "2")]] * 3),
    "a key before its chunk, as it is": Lists(*[rows("e" + LETTERS)] * 3),
    "a chunk twice": Lists(*[rows("abc" + LETTERS)] * 3),
    "a new chunk twice": Lists(*[rows("xyz" + LETTERS + "xyz")] * 3),
}


@pytest.mark.parametrize("first", range(2))
def test_a_list_with_other_rows_is_loaded_as_it_is(passing: Warehouse, first: int) -> None:
    """Each change comes twice: when the chunks of the list before it are known, and its own."""
    lists = [THREE, THREE]
    for change in [*CHANGES.values()][first::2]:
        lists += [change, change, THREE]
    history = [(each.document(number), number, "nothing") for number, each in enumerate(lists)]
    assert_as_merged(passing, history)


def test_an_event_whose_document_is_deleted_is_as_a_merge_has_it(passing: Warehouse) -> None:
    """AWS's time of it is ahead, and only its own document says of how much of it to think."""
    history: list[tuple[Document, int, str]] = []
    for number, value in enumerate("111112"):
        made = THREE.document(number)
        for each in made["security"]["security_hub"][0]["findings"]:
            each |= {"updated_at": "2027-05-01T00:00:00+00:00", "status": value}
        history.append((made, number, "a document" if number == 3 else "nothing"))
    assert_as_merged(passing, history)


def test_a_listing_of_a_deleted_document_has_nothing_read_twice(
    passing: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (0, 1, 2, 9):
        load(passing, THREE.document(number), number)
    passing.query("DELETE FROM documents WHERE id = (SELECT max(id) FROM documents)", fetch=False)
    left = "SELECT FROM listings WHERE document_id NOT IN (SELECT id FROM documents)"
    assert passing.query(left)
    sent = [bytes_of(passing, THREE.document(number), number) for number in (3, 4)]
    assert sent[1] < 7 * len(LONG) < sent[0]
    assert "trying again" not in caplog.text


def test_what_each_document_writes_is_in_no_index(warehouse: Warehouse) -> None:
    """Else half-filled pages are of no use: each new version of a row is written into all."""
    indexed = warehouse.query("""
        SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname IN ('document_id', 'versions')
        WHERE c.relname IN ('findings', 'chunks') AND a.attnum = ANY (i.indkey)""")
    filled = warehouse.query("""
        SELECT relname FROM pg_class WHERE 'fillfactor=50' = ANY (reloptions) ORDER BY 1""")
    assert indexed == []
    assert [row["relname"] for row in filled] == ["chunks", "findings"]


def edited(draw: st.DrawFn, before: Sequence[Row]) -> list[Row]:
    """A list after some edits; most have none."""
    after = list(before)
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        place = draw(st.integers(0, max(0, len(after) - 1)))
        new = (draw(st.sampled_from(LETTERS)), draw(st.sampled_from(["1", "2", "22"])))
        how = draw(st.sampled_from(["set", "insert", "remove", "move", "shuffle"]))
        if how == "insert" or not after:
            after.insert(place, new)
        elif how == "set":
            after[place] = (after[place][0], new[1])
        elif how == "remove":
            del after[place]
        elif how == "move":
            after.append(after.pop(place))
        else:
            random.Random(place).shuffle(after)
    return after


@st.composite
def histories(draw: st.DrawFn) -> History:
    lists, day = replace(THREE), 0
    history = []
    for minute in range(draw(st.integers(4, 8))):
        lists = Lists(
            edited(draw, lists.resources),
            edited(draw, lists.applications),
            edited(draw, lists.findings),
        )
        day += draw(st.sampled_from([1, 1, 1, 0, -1]))
        made = lists.document(max(0, day), minute)
        change: Callable[[Document], None] = draw(st.sampled_from([*[whole] * 6, *ODD]))
        change(made)
        done = draw(st.sampled_from([*["nothing"] * 20, *SOMEBODY]))
        history.append((made, max(0, day), done))
    return history


def whole(_: Document) -> None:
    """Nothing is odd."""


def partial(made: Document) -> None:
    made["logs"]["config_inventory_status"] = made["logs"]["security_status"] = "Fail"


def old(made: Document) -> None:
    del made["meta"]


def unread(made: Document) -> None:
    """Its fields are more than there are columns."""
    for row in made["config_inventory"][:2]:
        row["of_somebody_else"] = 1


def other_group(made: Document) -> None:
    made["security"]["security_hub"][0]["service"] = "GuardDuty"


ODD = (partial, old, unread, other_group)


@generated(2)
@given(history=histories())
def test_any_history_ends_as_with_merges(passing: Warehouse, history: History) -> None:
    assert_as_merged(passing, history)
