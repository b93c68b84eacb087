"""The Data API: results and errors."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cloud.data_api import Limits
from tests.cloud.postgres import Postgres
from tests.cloud.tests.data_api import (
    CLUSTER,
    DATABASE,
    SECRET,
    Database,
    Field,
    call,
    long,
    serve,
    text,
    wait_until,
)

# Results


@pytest.mark.parametrize(
    ("expression", "field"),
    [
        ("1::int2", {"longValue": 1}),
        ("-2::int4", {"longValue": -2}),
        ("9223372036854775807::int8", {"longValue": 2**63 - 1}),
        ("1.5::float4", {"doubleValue": 1.5}),
        ("0.1::float8", {"doubleValue": 0.1}),
        ("false", {"booleanValue": False}),
        ("'\\x00ff'::bytea", {"blobValue": b"\x00\xff"}),
        ("123456.7890::numeric", {"stringValue": "123456.7890"}),
        ("100000000::numeric", {"stringValue": "100000000"}),
        ("-0.00001200::numeric", {"stringValue": "-0.00001200"}),
        ("'NaN'::numeric", {"stringValue": "NaN"}),
        ("'a\u00e9'::text", {"stringValue": "a\u00e9"}),
        ("'ab'::varchar(5)", {"stringValue": "ab"}),
        ("'ab'::char(4)", {"stringValue": "ab  "}),
        ("'n'::name", {"stringValue": "n"}),
        ("'literal'", {"stringValue": "literal"}),
        (
            "'3F2504E0-4F89-11D3-9A0C-0305E82C3301'::uuid",
            {"stringValue": "3f2504e0-4f89-11d3-9a0c-0305e82c3301"},
        ),
        ("'{\"b\" : [1, null]}'::json", {"stringValue": '{"b":[1,null]}'}),
        ('\'{"b" : "é"}\'::jsonb', {"stringValue": '{"b":"é"}'}),
        ("'18446744073709551615'::jsonb", {"stringValue": "18446744073709551615"}),
        ("'1.50'::jsonb", {"stringValue": "1.5"}),
        ("'{\"b\" : 1.50}'::jsonb::text", {"stringValue": '{"b": 1.50}'}),
        ("'10.1.2.3'::inet", {"stringValue": "10.1.2.3"}),
        ("'10.1.2.3/8'::inet", {"stringValue": "10.1.2.3/8"}),
        ("'10.0.0.0/8'::cidr", {"stringValue": "10.0.0.0/8"}),
        ("'2001:db8::/32'::cidr", {"stringValue": "2001:db8::/32"}),
        ("'ok'::mood", {"stringValue": "ok"}),
        ("4294967295::oid", {"stringValue": "4294967295"}),
        ("'2024-01-15'::date", {"stringValue": "2024-01-15"}),
        ("'0001-01-01'::date", {"stringValue": "0001-01-01"}),
        ("'10:20:30'::time", {"stringValue": "10:20:30"}),
        ("'10:20:30.120'::time", {"stringValue": "10:20:30.12"}),
        ("'2024-01-15 03:34:56.500'::timestamp", {"stringValue": "2024-01-15 03:34:56.5"}),
        ("'1969-12-31 23:59:59'::timestamp", {"stringValue": "1969-12-31 23:59:59"}),
        ("'2024-01-15 12:34:56+09'::timestamptz", {"stringValue": "2024-01-15 03:34:56"}),
        ("ARRAY[1, 2]::int4[]", {"arrayValue": {"longValues": [1, 2]}}),
        ("ARRAY[1, NULL]::int8[]", {"arrayValue": {"longValues": [1, None]}}),
        ("ARRAY[0.5]::float8[]", {"arrayValue": {"doubleValues": [0.5]}}),
        ("ARRAY[true, false]", {"arrayValue": {"booleanValues": [True, False]}}),
        (
            "ARRAY['a,b', '{\"}', '', NULL]",
            {"arrayValue": {"stringValues": ["a,b", '{"}', "", None]}},
        ),
        ("ARRAY[1.50]", {"arrayValue": {"stringValues": ["1.50"]}}),
        ("ARRAY['2024-01-15'::date]", {"arrayValue": {"stringValues": ["2024-01-15"]}}),
        ("'{}'::text[]", {"arrayValue": {"stringValues": []}}),
        ("NULL::int", {"isNull": True}),
        ("NULL", {"isNull": True}),
    ],
)
def test_values_are_rendered_by_type(db: Database, expression: str, field: Field) -> None:
    assert db.field(f"SELECT {expression}") == field


@given(st.lists(st.tuples(st.integers(-(10**60), 10**60), st.integers(0, 70)), max_size=40))
@settings(max_examples=25, deadline=None)
def test_numerics_keep_every_digit(served: Database, numbers: list[tuple[int, int]]) -> None:
    expected = [format(Decimal(f"{digits}e-{scale}"), "f") for digits, scale in numbers]
    sql = """
        SELECT t::numeric FROM jsonb_array_elements_text(:p::jsonb) WITH ORDINALITY AS e(t, place)
        ORDER BY place"""
    records = served.run(sql, text("p", json.dumps(expected)))["records"]
    assert [field["stringValue"] for (field,) in records] == expected


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("'x'::\"char\"", '"CHAR"'),
        ("'1 day'::interval", "INTERVAL"),
        ("'1.50'::money", "MONEY"),
        ("'(1,2)'::point", "POINT"),
        ("'<(1,2),3>'::circle", "CIRCLE"),
        ("'10:00+01'::timetz", "TIMETZ"),
        ("'08:00:2b:01:02:03'::macaddr", "MACADDR"),
        ("'int4'::regtype", "REGTYPE"),
        ("ARRAY['int4'::regtype]", "REGTYPE[]"),
        ("'[2024-01-01,2024-02-01)'::daterange", "DATERANGE"),
        ("to_tsvector('a')", "TSVECTOR"),
        ("pg_advisory_xact_lock(1)", "VOID"),
    ],
)
def test_types_the_service_cannot_return(db: Database, expression: str, shown: str) -> None:
    message = f"The result contains the unsupported data type {shown}."
    assert db.error(f"SELECT {expression}") == f"UnsupportedResultException: {message}"


def test_an_unsupported_type_without_rows_is_no_error(db: Database) -> None:
    answer = db.run("SELECT '(1,2)'::point AS p WHERE false", includeResultMetadata=True)
    assert answer["records"] == []
    assert answer["columnMetadata"][0]["typeName"] == "point"


def test_multidimensional_arrays_cannot_be_returned(db: Database) -> None:
    expected = "UnsupportedResultException: The result contains a multidimensional array"
    assert db.error("SELECT ARRAY[[1, 2], [3, 4]]") == expected
    assert db.value("SELECT ARRAY[[1, 2], [3, 4]]::text") == "{{1,2},{3,4}}"


@pytest.mark.parametrize(
    "expression", ["'infinity'::date", "'-infinity'::timestamptz", "'1e400'::jsonb"]
)
def test_what_breaks_the_services_decoder(db: Database, expression: str) -> None:
    answer = call(db.api, "/Execute", sql=f"SELECT {expression}")
    assert answer.status == 500
    assert answer.headers["x-amzn-ErrorType"] == "InternalFailure"
    assert json.loads(answer.body) == {}


def test_the_envelope_of_a_result_set(db: Database) -> None:
    assert db.run("SELECT 1 WHERE false") == {"records": [], "numberOfRecordsUpdated": 0}
    inserted = db.run("INSERT INTO item (name) VALUES ('a'), ('b') RETURNING name")
    assert inserted == {
        "records": [[{"stringValue": "a"}], [{"stringValue": "b"}]],
        "numberOfRecordsUpdated": 0,
    }
    sql = "WITH d AS (DELETE FROM item RETURNING 1) SELECT count(*) FROM d"
    assert db.run(sql) == {"records": [[{"longValue": 2}]], "numberOfRecordsUpdated": 0}


def test_the_envelope_without_a_result_set(db: Database) -> None:
    inserted = db.run("INSERT INTO item (name) VALUES ('a'), ('b')")
    assert inserted == {"numberOfRecordsUpdated": 2, "generatedFields": []}
    created = db.run("CREATE TABLE IF NOT EXISTS item (x int)")
    assert created == {"numberOfRecordsUpdated": 0, "generatedFields": []}


def test_metadata_comes_only_when_asked_for(db: Database) -> None:
    sql = "SELECT id, name, price AS cost, note, ARRAY[1], c.n FROM item, counter c"
    assert "columnMetadata" not in db.run(sql)
    columns = db.run(sql, includeResultMetadata=True)["columnMetadata"]
    keys = ("label", "typeName", "tableName", "nullable", "precision", "scale", "isAutoIncrement")
    assert [tuple(column[key] for key in keys) for column in columns] == [
        ("id", "bigserial", "item", 0, 19, 0, True),
        ("name", "text", "item", 0, 2147483647, 0, False),
        ("cost", "numeric", "item", 1, 10, 2, False),
        ("note", "varchar", "item", 1, 40, 0, False),
        ("array", "_int4", "", 2, 10, 0, False),
        ("n", "int4", "counter", 0, 10, 0, True),
    ]
    # java.sql.Types: BIGINT, VARCHAR, NUMERIC, VARCHAR, ARRAY, INTEGER
    assert [column["type"] for column in columns] == [-5, 12, 2, 12, 2003, 4]
    assert all(column["schemaName"] == "" for column in columns)


def test_records_as_json(db: Database) -> None:
    sql = """SELECT 1 AS a, 1.50 AS b, NULL AS c, 'x"é' AS d, true AS e, '\\x01'::bytea AS f,
                    ARRAY['p', NULL] AS g, '{"k": 1}'::jsonb AS h"""
    answer = db.run(sql, formatRecordsAs="JSON")
    assert set(answer) == {"formattedRecords", "numberOfRecordsUpdated"}
    assert " :" not in answer["formattedRecords"]
    assert json.loads(answer["formattedRecords"]) == [
        {
            "a": 1,
            "b": "1.50",
            "c": None,
            "d": 'x"é',
            "e": True,
            "f": base64.b64encode(b"\x01").decode(),
            "g": ["p", None],
            "h": '{"k":1}',
        }
    ]


def test_result_set_options(db: Database) -> None:
    sql = "SELECT 1.50 AS a, 7::numeric AS b, 8 AS c"
    numbers = {"decimalReturnType": "DOUBLE_OR_LONG"}
    strings = {"longReturnType": "STRING"}
    assert db.run(sql, resultSetOptions=numbers)["records"] == [
        [{"doubleValue": 1.5}, {"longValue": 7}, {"longValue": 8}]
    ]
    answer = db.run(sql, formatRecordsAs="JSON", resultSetOptions=strings)
    assert json.loads(answer["formattedRecords"]) == [{"a": "1.50", "b": "7", "c": "8"}]


def test_json_is_for_selects_with_distinct_labels(db: Database) -> None:
    returned = db.run("INSERT INTO item (name) VALUES ('a') RETURNING 1", formatRecordsAs="JSON")
    assert returned["records"] == [[{"longValue": 1}]]
    duplicate = db.error("SELECT 1 AS a, 2 AS a", formatRecordsAs="JSON")
    assert duplicate.startswith("UnsupportedResultException: ")


def test_a_result_has_at_most_1_mib(db: Database) -> None:
    envelope = len('{"records":[[{"stringValue":""}]],"numberOfRecordsUpdated":0}')
    fitting = 1024 * 1024 - envelope
    sql = "SELECT repeat('x', :n::int)"
    assert len(db.value(sql, long("n", fitting))) == fitting
    expected = "UnsupportedResultException: The result exceeds the size limit 1 MB"
    assert db.error(sql, long("n", fitting + 1)) == expected
    assert db.error("SELECT repeat('x', 20000000)") == expected


def test_a_result_as_json_has_at_most_10_mb(db: Database) -> None:
    sql = "SELECT repeat('x', :n::int) AS v"
    answer = db.run(sql, long("n", 3_000_000), formatRecordsAs="JSON")
    assert len(answer["formattedRecords"]) > 3_000_000
    error = db.error(sql, long("n", 11_000_000), formatRecordsAs="JSON")
    assert error.startswith("UnsupportedResultException: ")


def test_a_too_large_result_leaves_the_transaction_usable(db: Database) -> None:
    transaction = db.begin()
    db.run("INSERT INTO item (name) VALUES ('kept')", transactionId=transaction)
    error = db.error("SELECT repeat('x', 2000000)", transactionId=transaction)
    assert error.startswith("UnsupportedResultException: ")
    assert db.value("SELECT count(*) FROM item", transactionId=transaction) == 1
    assert db.commit(transaction) == "Transaction Committed"
    assert db.value("SELECT count(*) FROM item") == 1


def test_the_documented_row_limit_can_be_switched_on(server: Postgres) -> None:
    with serve(server, Limits(row_bytes=65_536)) as strict:
        assert len(strict.value("SELECT repeat('x', 65536)")) == 65_536
        error = strict.error("SELECT repeat('x', 65537)")
        assert error == "UnsupportedResultException: A row exceeds the size limit 64 KB"


# Errors


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "SELECT * FROM no_such_table_xyz",
            'ERROR: relation "no_such_table_xyz" does not exist; Position: 15; SQLState: 42P01',
        ),
        (
            "INSERT INTO item (name) VALUES ('a'), ('a')",
            'ERROR: duplicate key value violates unique constraint "item_name_key"; '
            "SQLState: 23505",
        ),
        (
            "INSERT INTO item (name) VALUES (NULL)",
            'ERROR: null value in column "name" of relation "item" violates not-null constraint; '
            "SQLState: 23502",
        ),
        (
            "SELECT 1 = 'a'::text",
            "ERROR: operator does not exist: integer = text; "
            "Hint: No operator matches the given name and argument types. "
            "You might need to add explicit type casts.; Position: 10; SQLState: 42883",
        ),
        (
            "DO $$BEGIN RAISE EXCEPTION USING MESSAGE = E'two\\nlines', DETAIL = 'd'; END$$",
            "ERROR: two lines; SQLState: P0001",
        ),
        ("COPY item TO STDOUT", "execute: unexpected message: CopyOutResponse"),
        ("COPY item FROM STDIN", "execute: unexpected message: CopyInResponse"),
    ],
)
def test_database_errors_in_the_services_words(db: Database, sql: str, message: str) -> None:
    with pytest.raises(db.client.exceptions.DatabaseErrorException) as caught:
        db.run(sql)
    assert caught.value.response["Error"]["Message"] == message
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert db.value("SELECT 1") == 1


def test_a_database_that_does_not_exist(db: Database) -> None:
    error = db.error("SELECT 1", database="nowhere")
    expected = 'FATAL: database "nowhere" does not exist; SQLState: 3D000'
    assert error == f"DatabaseErrorException: {expected}"


def test_calls_without_a_database_reach_the_default(db: Database) -> None:
    answer = db.client.execute_statement(
        resourceArn=CLUSTER, secretArn=SECRET, sql="SELECT current_database()::text"
    )
    assert answer["records"] == [[{"stringValue": "postgres"}]]


def test_the_database_is_full() -> None:
    few = {"max_connections": "2", "superuser_reserved_connections": "0", "max_wal_senders": "0"}
    with Postgres(settings=few) as server:
        server.create_database(DATABASE)
        with serve(server) as db:
            held: list[str] = []

            def are_two() -> bool:
                """Whoever has set the server up may still be leaving."""
                with suppress(db.client.exceptions.DatabaseErrorException):
                    held.append(db.begin())
                return len(held) == 2

            wait_until(are_two)
            with pytest.raises(db.client.exceptions.DatabaseErrorException) as caught:
                db.begin()
            message = caught.value.response["Error"]["Message"]
            assert message == "FATAL: sorry, too many clients already; SQLState: 53300"
            db.rollback(held[0])
            assert db.value("SELECT 1") == 1
            db.rollback(held[1])
