"""People's own columns, tables and constraints: never written, and never a document's fault."""

from __future__ import annotations

from datetime import date

import pytest

import receiver
from observability.database.schema import own_schema
from observability.receiving.result import FileResult, FileStatus
from tests import documents
from tests.documents import document
from tests.warehouse import Warehouse

DAYS = (date(2026, 11, 21), date(2026, 11, 22))


def load(warehouse: Warehouse, day: date = DAYS[0]) -> FileResult:
    return warehouse.load(document(day), documents.key(day))


def tables() -> list[str]:
    return list(own_schema().tables)


ADDED = {
    "nullable": "ADD COLUMN owner_team TEXT",
    "not null with a default": "ADD COLUMN reviewed BOOLEAN NOT NULL DEFAULT false",
    "an identity": "ADD COLUMN number INTEGER GENERATED ALWAYS AS IDENTITY",
    "generated": "ADD COLUMN shown TEXT GENERATED ALWAYS AS ('row ' || id) STORED",
    "a foreign key": "ADD COLUMN team INTEGER REFERENCES teams (id)",
    "a check": "ADD COLUMN weight INTEGER DEFAULT 1 CHECK (weight > 0)",
    "a value that JSONB cannot have": """ADD COLUMN raw JSON DEFAULT '{"text": "\\u0000"}'""",
    "names of our statements": ", ".join(
        f"ADD COLUMN IF NOT EXISTS {name} TEXT"
        for name in ("place", "row_id", "sort_key", "covering", "differs", "changed", "this")
    ),
    "names of other tables of ours": ", ".join(
        f"ADD COLUMN IF NOT EXISTS {name} TEXT"
        for name in ("collected_at", "service", "time_order", "severity", "status", "scope")
    ),
}


@pytest.mark.parametrize("added", ADDED.values(), ids=ADDED)
def test_a_column_that_people_add_to_every_table_disturbs_no_load(
    warehouse: Warehouse, added: str
) -> None:
    warehouse.query("CREATE TABLE teams (id INTEGER PRIMARY KEY)", fetch=False)
    for table in tables():
        warehouse.query(f"ALTER TABLE {table} {added}", fetch=False)
    assert [load(warehouse, day).status for day in DAYS] == [FileStatus.LOADED] * 2
    assert load(warehouse).status is FileStatus.LOADED  # and the first one once more


def test_what_people_write_into_their_columns_stays(warehouse: Warehouse) -> None:
    load(warehouse)
    warehouse.query("ALTER TABLE findings ADD COLUMN risk_accepted BOOLEAN", fetch=False)
    warehouse.query("ALTER TABLE kms_keys ADD COLUMN note TEXT", fetch=False)
    warehouse.query("UPDATE findings SET risk_accepted = true", fetch=False)
    warehouse.query("UPDATE kms_keys SET note = 'mine'", fetch=False)
    made = document(DAYS[1])
    for finding in made["security"]["security_hub"][0]["findings"]:
        finding |= {
            "risk_accepted": False,
            "title": "changed",
            "updated_at": "2026-11-22T09:00:00Z",
        }
    made["security"]["kms"] = []
    assert warehouse.load(made, documents.key(DAYS[1])).status is FileStatus.LOADED
    [found] = warehouse.query("SELECT DISTINCT title, risk_accepted FROM findings")
    assert found == {"title": "changed", "risk_accepted": True}
    [key] = warehouse.query("SELECT note, gone_at IS NOT NULL AS gone FROM kms_keys")
    assert key == {"note": "mine", "gone": True}


def test_many_other_tables_do_not_make_the_catalogue_too_large(warehouse: Warehouse) -> None:
    columns = ", ".join(f"another_column_of_somebody_{n} TIMESTAMPTZ" for n in range(60))
    tables = "".join(f"CREATE TABLE other_{n} ({columns});" for n in range(300))
    warehouse.query(tables, fetch=False)
    wide = ", ".join(f"ADD COLUMN a_column_of_people_{n} TEXT" for n in range(1_500))
    warehouse.query(f"ALTER TABLE findings {wide}", fetch=False)
    assert set(warehouse.receiver.db.catalogue()) == own_schema().tables.keys()


def test_a_trigger_of_people_sees_rows_and_disturbs_none(warehouse: Warehouse) -> None:
    warehouse.query(
        """CREATE TABLE audit (what TEXT);
        CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN INSERT INTO audit VALUES (TG_TABLE_NAME); RETURN NEW; END';
        CREATE TRIGGER noted AFTER INSERT ON kms_keys FOR EACH ROW EXECUTE FUNCTION noted()""",
        fetch=False,
    )
    assert load(warehouse).status is FileStatus.LOADED
    assert warehouse.query("SELECT what FROM audit") == [{"what": "kms_keys"}]


FAULTS = {
    "their check": (
        "ALTER TABLE kms_keys ADD CONSTRAINT few_words CHECK (length(description) < 3)",
        'check constraint "few_words"',
    ),
    "their unique index": (
        "CREATE UNIQUE INDEX one_per_severity ON findings (account_id, (length(finding_id) > 0))",
        'unique constraint "one_per_severity"',
    ),
    "their foreign key": (
        """CREATE TABLE allowed (region TEXT PRIMARY KEY);
        ALTER TABLE findings ADD CONSTRAINT known_region
            FOREIGN KEY (region) REFERENCES allowed (region)""",
        'foreign key constraint "known_region"',
    ),
    "their column without a default": (
        "ALTER TABLE certificates ADD COLUMN team TEXT NOT NULL",
        'column "team" of relation "certificates"',
    ),
    "our column, which they made not null": (
        "ALTER TABLE findings ALTER COLUMN workflow_state SET NOT NULL",
        'column "workflow_state" of relation "findings"',
    ),
    "their exclusion": (
        "ALTER TABLE findings ADD CONSTRAINT alone EXCLUDE (account_id WITH =)",
        'exclusion constraint "alone"',
    ),
    "their trigger": (
        """CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN RAISE EXCEPTION ''not on Sundays''; END';
        CREATE TRIGGER no BEFORE INSERT ON waf_rules FOR EACH ROW EXECUTE FUNCTION no()""",
        "not on Sundays",
    ),
    "their generated column": (
        "ALTER TABLE kms_keys ADD COLUMN size INTEGER"
        " GENERATED ALWAYS AS (CAST(description AS integer)) STORED",
        "the generated column kms_keys.size",
    ),
    "their index on an expression": (
        "CREATE INDEX by_zero ON cloudtrail_logs ((1 / (length(name) - length(name))))",
        "the index by_zero",
    ),
    "our column, which they generate": (
        "DROP VIEW security_hygiene CASCADE; ALTER TABLE certificates DROP COLUMN type,"
        " ADD COLUMN type TEXT GENERATED ALWAYS AS ('x') STORED",
        'column "type"',
    ),
    "their domain": (
        """DROP VIEW security_hygiene, upcoming_events CASCADE;
        CREATE DOMAIN short AS TEXT CHECK (length(VALUE) < 2);
        ALTER TABLE certificates ALTER COLUMN domain_name TYPE short""",
        'check constraint "short_check"',
    ),
    "their shorter text": (
        "DROP VIEW security_hygiene, upcoming_events CASCADE;"
        " ALTER TABLE certificates ALTER COLUMN domain_name TYPE VARCHAR(3)",
        "value too long",
    ),
    "a sequence that is behind": (
        "SELECT setval('kms_keys_id_seq', 1, false); INSERT INTO kms_keys (id, account_id, key_id)"
        " SELECT generate_series(1, 5), min(id), 'k' || generate_series(1, 5) FROM accounts",
        "the sequence of kms_keys is behind",
    ),
    "a sequence that has ended": (
        "ALTER SEQUENCE kms_keys_id_seq MAXVALUE 5 RESTART 5; SELECT nextval('kms_keys_id_seq')",
        "kms_keys_id_seq",
    ),
    "rights that were taken": (
        "CREATE OR REPLACE FUNCTION run_steps(document BIGINT, steps JSONB) RETURNS TABLE"
        " (created BIGINT, updated BIGINT, gone BIGINT) LANGUAGE plpgsql AS"
        " 'BEGIN RAISE insufficient_privilege USING MESSAGE = ''permission denied for table x'';"
        " END'",
        "permission denied for table x",
    ),
}


@pytest.mark.parametrize(("change", "named"), FAULTS.values(), ids=FAULTS)
def test_what_the_database_itself_refuses_is_named_and_the_document_waits(
    warehouse: Warehouse, change: str, named: str
) -> None:
    warehouse.load(document(DAYS[0], account="300000000777"), documents.key(account="300000000777"))
    for table in ("kms_keys", "findings", "certificates", "cloudtrail_logs"):
        warehouse.query(f"DELETE FROM {table}", fetch=False)
    warehouse.query(change, fetch=False)
    day = DAYS[1]
    made = document(day)
    made["security"]["security_hub"][0]["findings"][0]["workflow_state"] = None
    warehouse.s3.put_object(
        Bucket=warehouse.bucket, Key=documents.key(day), Body=documents.encode(made)
    )
    waiting = warehouse.receiver.s3.find(documents.key(day))
    assert waiting
    result = receiver.load_safely(warehouse.receiver, waiting)
    assert result.status is FileStatus.FAILED
    assert named in " ".join(result.reasons)
    assert warehouse.receiver.s3.find(documents.key(day))


def test_a_row_that_lacks_what_schema_sql_demands_is_still_the_documents_fault(
    warehouse: Warehouse,
) -> None:
    made = document()
    made["inventory"]["patches"][0]["instance_id"] = "i-unheard-of"
    result = warehouse.load(made, documents.key())
    assert result.status is FileStatus.REJECTED
    assert "instance_id" in result.reasons[0]


def test_a_value_that_the_database_refuses_by_itself_is_the_documents_fault(
    warehouse: Warehouse,
) -> None:
    """Cast and not written, PostgreSQL refuses it as well."""
    for call in ("load_document", "run_steps"):
        warehouse.embedded.data_api.faults.database_error("22P02", sql=call)
    assert load(warehouse).status is FileStatus.REJECTED
