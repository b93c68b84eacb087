"""Complete lists that are as they were noted are not compared, and nothing else is different."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given

from observability.database.client import DBManager
from observability.database.kept import digest, keep
from observability.database.merge import LOAD_SQL
from observability.errors import DatabaseFault
from observability.receiving.steps import Step
from observability.settings.receiver import Settings
from tests.database import test_chunks
from tests.database.test_chunks import (
    CHANGES,
    LONG,
    OTHERS,
    SOMEBODY,
    THREE,
    History,
    Lists,
    assert_as_merged,
    histories,
)
from tests.database.test_merge import generated
from tests.database.test_unchanged import counts, day_with, load, stored
from tests.database.waiting import wait_for_lock
from tests.documents import Document
from tests.faults import in_several_calls
from tests.paths import ROOT
from tests.warehouse import Warehouse

passing = test_chunks.passing

NOTED = (
    "contact_info", "alternate_contacts", "application_signals", "inventory_instances",
    "inventory_applications", "inventory_patches", "resilience_hub_apps", "kms_keys", "waf_rules",
    "waf_rules_detailed", "cloudtrail_logs", "secrets_manager_secrets", "certificates",
    "trusted_advisor_checks", "compute_optimizer", "config_inventory", "service_resources",
)  # fmt: skip
"""Tables whose complete lists are noted in `lists`."""


class Recording(DBManager):
    """The receiver's database, that remembers which tables may be passed over.

    Without `comparing`, a list that is not as it was noted fails.
    """

    FAILS = "SELECT 1 / 0"

    def __init__(self, settings: Settings, *, comparing: bool = True) -> None:
        super().__init__(settings)
        self.comparing = comparing
        self.listed: list[str] = []

    def execute(self, sql: str, parameters: Any, *more: Any, **others: Any) -> list[list[Any]]:
        if sql == LOAD_SQL:
            steps = json.loads(parameters["steps"])
            listed = [step for step in steps if "digest" in step]
            self.listed = [step["table"] for step in listed]
            if not self.comparing:
                keep(self, [self.FAILS])
            for step in [] if self.comparing else listed:
                step["sql"] = step["unchanged"] = digest(self.FAILS)
            parameters = {**parameters, "steps": json.dumps(steps)}
        return super().execute(sql, parameters, *more, **others)


def without_comparing(warehouse: Warehouse) -> Recording:
    db = Recording(warehouse.settings, comparing=False)
    warehouse.receiver = replace(warehouse.receiver, db=db)
    return db


def test_what_was_inserted_or_found_unchanged_is_not_compared_again(passing: Warehouse) -> None:
    load(passing, day_with("ab", 0))
    comparing = passing.receiver
    db = without_comparing(passing)
    assert load(passing, day_with("ab", 1)) == counts(0, 0, 2, 0)
    assert sorted(db.listed) == sorted(NOTED)
    with pytest.raises(DatabaseFault):
        load(passing, day_with("ba", 2))
    passing.receiver = comparing
    assert load(passing, day_with("ba", 2)) == counts(0, 0, 2, 0)  # found unchanged
    without_comparing(passing)
    assert load(passing, day_with("ba", 3)) == counts(0, 0, 2, 0)
    assert stored(passing) == {"a": (None, 0), "b": (None, 0)}
    with pytest.raises(DatabaseFault):
        load(passing, day_with("ab", 4))  # only the newest list is noted


def test_what_was_merged_is_compared_once_before_it_is_noted(passing: Warehouse) -> None:
    load(passing, day_with("ab", 0))
    load(passing, day_with("a", 1))
    comparing = passing.receiver
    without_comparing(passing)
    with pytest.raises(DatabaseFault):
        load(passing, day_with("a", 2))
    passing.receiver = comparing
    load(passing, day_with("a", 2))
    without_comparing(passing)
    assert load(passing, day_with("a", 3)) == counts(0, 0, 1, 0)
    assert stored(passing) == {"a": (None, 0), "b": (1, 0)}


def test_a_list_that_was_passed_over_counts_as_listed(passing: Warehouse) -> None:
    """So what a late document has beside it is gone since then."""
    for number in (0, 1, 3):
        load(passing, day_with("a", number))
    assert load(passing, day_with("ab", 2)) == counts(1, 0, 1, 0)
    assert stored(passing) == {"a": (None, 0), "b": (3, 2)}
    late = passing.query("SELECT count(*) FROM listings WHERE table_name = 'kms_keys'")
    assert late == [{"count": 4}]


def meanwhile(warehouse: Warehouse, made: Document, statement: str) -> None:
    """Load a document while somebody does this, where the load waits for the advisory lock 1."""
    with psycopg.connect(warehouse.embedded.postgres.dsn_for(warehouse.database)) as somebody:
        somebody.execute("SELECT pg_advisory_xact_lock(1)")
        loading = threading.Thread(target=load, args=(warehouse, made))
        loading.start()
        wait_for_lock(warehouse, "load_document", loading)
        somebody.execute(statement.encode())
    loading.join()


def wait_at_the_sum_of(table: str) -> str:
    return f"""ALTER FUNCTION layout_of(text) RENAME TO columns_of;
        CREATE FUNCTION layout_of(name text) RETURNS bigint STABLE LANGUAGE plpgsql AS $$ BEGIN
            IF name = '{table}' THEN PERFORM pg_advisory_xact_lock(1); END IF;
            RETURN columns_of(name); END $$"""


def test_what_somebody_writes_while_rows_are_compared_is_seen(passing: Warehouse) -> None:
    """A trigger waits where they were found unchanged and are not noted yet."""
    load(passing, in_city("Berlin", 0))
    load(passing, in_city("Bonn", 1))
    passing.query(
        """CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$;
           CREATE TRIGGER waiting AFTER INSERT ON listings FOR EACH ROW
           WHEN (NEW.table_name = 'contact_info') EXECUTE FUNCTION wait()""",
        fetch=False,
    )
    meanwhile(passing, in_city("Bonn", 2), "UPDATE contact_info SET city = 'by hand'")
    passing.query("DROP TRIGGER waiting ON listings", fetch=False)
    assert passing.query("SELECT city FROM contact_info") == [{"city": "by hand"}]
    load(passing, in_city("Bonn", 3))
    assert passing.query("SELECT city FROM contact_info") == [{"city": "Bonn"}]


def test_only_the_rows_that_were_compared_are_noted(passing: Warehouse) -> None:
    """A number for them is made while somebody brings back a row that is gone."""
    load(passing, day_with("ab", 0))
    load(passing, day_with("a", 1))
    passing.query(wait_at_the_sum_of("kms_keys"), fetch=False)
    meanwhile(passing, day_with("ab", 2), "UPDATE kms_keys SET gone_at = NULL WHERE key_id = 'b'")
    load(passing, day_with("a", 3))
    load(passing, day_with("ab", 4))
    assert stored(passing) == {"a": (None, 0), "b": (None, 4)}


def test_first_rows_that_a_new_trigger_changes_are_not_noted(passing: Warehouse) -> None:
    """Somebody makes it after the load looked for triggers, and before it inserts the keys."""
    passing.query(wait_at_the_sum_of("contact_info"), fetch=False)
    trigger = """CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            NEW.description := 'by a trigger'; RETURN NEW; END $$;
        CREATE TRIGGER changing BEFORE INSERT ON kms_keys
        FOR EACH ROW EXECUTE FUNCTION change()"""
    meanwhile(passing, day_with("a", 0), trigger)
    described = "SELECT description FROM kms_keys"
    assert passing.query(described) == [{"description": "by a trigger"}]
    load(passing, day_with("a", 1))
    [theirs] = day_with("a", 1)["security"]["kms"]
    assert passing.query(described) == [{"description": theirs["description"]}]


@pytest.mark.parametrize("again", [False, True])
def test_a_part_whose_parent_has_another_key_is_not_passed_over(
    passing: Warehouse, again: bool
) -> None:
    """Nobody wrote a row, and the parents' own list was not read whole."""
    for number in (0, 1):
        load(passing, with_addresses(number))
    passing.query(
        """ALTER TABLE inventory_instances RENAME instance_id TO aside;
           ALTER TABLE inventory_instances RENAME ip_address TO instance_id;
           ALTER TABLE inventory_instances RENAME aside TO ip_address""",
        fetch=False,
    )
    passing.receiver = replace(passing.receiver, again=again)
    made = with_addresses(2)
    made["meta"]["complete"] = ["inventory.applications"]
    load(passing, made)
    machines = passing.query(
        """SELECT DISTINCT i.instance_id FROM inventory_applications a
           JOIN inventory_instances i ON i.id = a.instance_id"""
    )
    assert machines == [{"instance_id": "i-1"}]


def with_addresses(number: int) -> Document:
    """Each of its two machines has an address of its own, which is another one each day."""
    made = day_with("a", number)
    for place, machine in enumerate(made["inventory"]["instances"]):
        machine["ip_address"] = f"10.0.{number}.{place}"
    return made


def test_parts_are_passed_over_whatever_else_their_parents_tell(passing: Warehouse) -> None:
    load(passing, with_addresses(0))
    noted = "SELECT versions FROM lists WHERE table_name IN ('inventory_applications', {})"
    before = passing.query(noted.format("'inventory_patches'"))
    assert len(before) == 2
    load(passing, with_addresses(1))
    assert passing.query(noted.format("'inventory_patches'")) == before
    assert passing.query(
        "SELECT count(*) FROM inventory_instances WHERE ip_address LIKE '10.0.1.%'"
    ) == [{"count": 2}]


def test_a_table_that_inherits_parents_disturbs_no_load(passing: Warehouse) -> None:
    """Its rows have ids of its parent's rows: a primary key does not reach it."""
    load(passing, day_with("a", 0))
    passing.query(
        """CREATE TABLE archive () INHERITS (inventory_instances);
           INSERT INTO archive SELECT * FROM inventory_instances""",
        fetch=False,
    )
    for number in (1, 2):
        load(passing, day_with("a", number))


def test_another_table_with_the_same_rows_is_compared(passing: Warehouse) -> None:
    """Rows of two tables that one transaction made can have the same id, xmin and ctid."""
    load(passing, day_with("a", 0))
    passing.query(
        """CREATE TABLE theirs (LIKE contact_info INCLUDING ALL);
           INSERT INTO theirs SELECT * FROM contact_info;
           UPDATE contact_info SET city = 'by hand';
           CREATE TABLE ours (LIKE contact_info INCLUDING ALL);
           INSERT INTO ours SELECT * FROM contact_info;
           ALTER TABLE contact_info RENAME TO aside;
           ALTER TABLE theirs RENAME TO contact_info""",
        fetch=False,
    )
    load(passing, day_with("a", 1))
    passing.query(
        """ALTER TABLE contact_info RENAME TO theirs;
           ALTER TABLE ours RENAME TO contact_info""",
        fetch=False,
    )
    load(passing, day_with("a", 2))
    assert passing.query("SELECT count(*) FROM contact_info WHERE city = 'by hand'") == [
        {"count": 0}
    ]


def test_lists_beside_one_that_takes_several_requests_are_passed_over(passing: Warehouse) -> None:
    load(passing, in_several_calls(day_with("a", 0)))
    without_comparing(passing)
    load(passing, in_several_calls(day_with("a", 1)))
    noted = passing.query("SELECT table_name FROM lists")
    assert {row["table_name"] for row in noted} == {*NOTED} - {"kms_keys"}


def test_another_version_or_statement_makes_another_list_of_the_same_text(tmp_path: Path) -> None:
    step = Step("kms_keys", "", "[[1]]", 1, schema=None, unchanged="SELECT 1")  # type: ignore[arg-type]
    others = [replace(step, unchanged="SELECT 2"), replace(step, rows="[[2]]")]
    assert len({step.digest, *(other.digest for other in others)}) == 3
    shutil.copytree(ROOT / "observability", tmp_path / "observability")
    assert digest_by(tmp_path) == digest_by(ROOT)
    about = tmp_path / "observability/__init__.py"
    about.write_text(re.sub('__version__ = ".*"', '__version__ = "0"', about.read_text()))
    assert digest_by(tmp_path) != digest_by(ROOT)


def digest_by(root: Path) -> str:
    """What the package in this directory makes of a list."""
    code = """from observability.receiving.steps import Step
print(Step("kms_keys", "", "[]", 0, None, versions="SELECT 1").digest)"""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True
    ).stdout


def in_city(city: str, number: int) -> Document:
    made = day_with("a", number)
    made["account"]["contact_info"]["city"] = city
    return made


def test_what_is_loaded_again_on_purpose_is_compared(passing: Warehouse) -> None:
    load(passing, day_with("ab", 0))
    db = Recording(passing.settings)
    passing.receiver = replace(passing.receiver, db=db, again=True)
    load(passing, day_with("ab", 1))
    assert db.listed == []


def test_a_list_that_was_not_read_whole_is_not_noted(passing: Warehouse) -> None:
    db = Recording(passing.settings)
    passing.receiver = replace(passing.receiver, db=db)
    made = day_with("ab", 0)
    made["logs"]["security_status"] = "Fail"
    made["meta"].pop("complete", None)
    load(passing, made)
    assert "kms_keys" not in db.listed
    assert "config_inventory" in db.listed
    assert passing.query("SELECT FROM lists WHERE table_name = 'kms_keys'") == []


def small(made: Document) -> Document:
    """A document of `test_chunks` without what makes it large."""
    kept = {name: part for name, part in made.items() if name not in OTHERS}
    shortened: Document = json.loads(json.dumps(kept).replace(LONG, "long"))
    return shortened


def days_of(*each: tuple[Lists, str]) -> History:
    """A small document a day, the last of them of a day that has passed."""
    return [
        (small(lists.document(day)), day, done)
        for day, (lists, done) in enumerate(each, -len(each))
    ]


def test_what_somebody_did_to_a_noted_list_is_seen(passing: Warehouse) -> None:
    """Each time what it was done to is noted: the document before found it unchanged."""
    done = [what for each in ("nothing", *SOMEBODY) for what in (each, "nothing")]
    assert_as_merged(passing, days_of(*((THREE, what) for what in done)))


def test_other_rows_than_those_noted_are_loaded(passing: Warehouse) -> None:
    """Each list comes three times: it is merged, then compared and noted, then passed over."""
    lists = [each for change in (THREE, *CHANGES.values()) for each in [change] * 3]
    assert_as_merged(passing, days_of(*((each, "nothing") for each in lists)))


@generated(3)
@given(history=histories())
def test_any_history_of_lists_ends_as_with_merges(passing: Warehouse, history: History) -> None:
    assert_as_merged(passing, [(small(made), number, done) for made, number, done in history])
