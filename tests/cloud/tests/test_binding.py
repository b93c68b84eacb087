"""The Data API: parameters, casts and placeholders."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cloud.rdsdata.errors import ServiceError
from tests.cloud.rdsdata.scanner import scan
from tests.cloud.tests.data_api import Database, Field, call, ids, long, text

# Binding: what needs a cast

NUMBERS = {"int2", "int4", "int8", "numeric", "float4", "float8"}
STRINGS = {"text", "varchar", "bpchar"}
MOMENTS = {"timestamp", "timestamptz", "date"}
COLUMNS = (
    NUMBERS
    | STRINGS
    | MOMENTS
    | {"bool", "bytea", "json", "jsonb", "time", "uuid", "inet", "ints", "mood", "interval"}
)

DECLARED: dict[str, Field] = {
    "text": text("p", "1"),
    "int8": long("p", 1),
    "float8": {"name": "p", "value": {"doubleValue": 1.5}},
    "bool": {"name": "p", "value": {"booleanValue": True}},
    "bytea": {"name": "p", "value": {"blobValue": "AP8="}},
    "null": {"name": "p", "value": {"isNull": True}},
    "JSON": text("p", '{"a": 1}', "JSON"),
    "TIMESTAMP": text("p", "2024-02-29 10:20:30.5", "TIMESTAMP"),
    "DATE": text("p", "2024-02-29", "DATE"),
    "TIME": text("p", "10:20:30", "TIME"),
    "UUID": text("p", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "UUID"),
    "DECIMAL": text("p", "12.50", "DECIMAL"),
}

# Columns that accept the declared type in an INSERT. Open, since not recorded for Aurora: varchar
# and char where a type is listed with text only. A time becomes an interval by an implicit cast.
INSERTS: dict[str, set[str]] = {
    "text": STRINGS,
    "int8": NUMBERS | STRINGS,
    "float8": NUMBERS | STRINGS,
    "bool": {"bool", "text", "varchar"},
    "bytea": {"bytea", "text"},
    "null": COLUMNS,
    "JSON": {"json", "jsonb"} | STRINGS,
    "TIMESTAMP": MOMENTS | {"time", "text"},
    "DATE": MOMENTS | {"text"},
    "TIME": {"time", "interval", "text"},
    "UUID": {"uuid", "text"},
    "DECIMAL": NUMBERS | {"text"},
}

COMPARISONS: dict[str, set[str]] = {
    "text": STRINGS,
    "int8": NUMBERS,
    "float8": NUMBERS,
    "bool": {"bool"},
    "bytea": {"bytea"},
    "null": COLUMNS - {"json"},
    "JSON": {"jsonb"},
    "TIMESTAMP": MOMENTS,
    "DATE": MOMENTS,
    "TIME": {"time", "interval"},
    "UUID": {"uuid"},
    "DECIMAL": NUMBERS,
}

NOT_ESTABLISHED = {"varchar", "bpchar"}


def accepted_columns(db: Database, sql: str, parameter: Field, state: str) -> set[str]:
    """The columns with which `sql` runs; with the others it must fail with `state`."""
    accepted = set()
    for column in COLUMNS:
        answer = call(db.api, "/Execute", sql=sql.format(f"c_{column}"), parameters=[parameter])
        if answer.status == 200:
            accepted.add(column)
        else:
            assert json.loads(answer.body)["message"].endswith(f"SQLState: {state}")
    return accepted


@pytest.mark.parametrize("declared", sorted(DECLARED))
def test_insert_without_cast(db: Database, declared: str) -> None:
    sql = "INSERT INTO target ({}) VALUES (:p)"
    accepted = accepted_columns(db, sql, DECLARED[declared], "42804")
    open_question = NOT_ESTABLISHED - INSERTS[declared]
    assert accepted - open_question == INSERTS[declared]


@pytest.mark.parametrize("declared", sorted(DECLARED))
def test_comparison_without_cast(db: Database, declared: str) -> None:
    sql = "SELECT count(*) FROM target WHERE {} = :p"
    assert accepted_columns(db, sql, DECLARED[declared], "42883") == COMPARISONS[declared]


@pytest.mark.parametrize(
    ("sql", "parameter", "state"),
    [
        ("SELECT 1 LIMIT :p", text("p", "1"), "42804"),
        ("SELECT now() - :p", text("p", "1 day"), "42883"),
        ("SELECT * FROM jsonb_to_recordset(:p) AS r(a int)", text("p", "[]"), "42883"),
        ("SELECT * FROM json_to_recordset(:p) AS r(a int)", text("p", "[]", "JSON"), "42883"),
        ("SELECT left('abc', :p)", long("p", 2), "42883"),
        ("SELECT round(1.2, :p)", long("p", 1), "42883"),
        ("SELECT substring('abc' FROM :p)", long("p", 2), "42883"),
        ("SELECT make_interval(days => :p)", long("p", 2), "42883"),
        ("SELECT current_date + :p", long("p", 2), "42883"),
        ("SELECT '[1,2]'::jsonb -> :p", long("p", 1), "42883"),
        ("SELECT :p IS NULL", DECLARED["null"], "42P18"),
        ("SET LOCAL work_mem = :p", text("p", "4MB"), "42601"),
        ("SELECT :p::int", text("p", "one"), "22P02"),
        ("SELECT :p", text("p", "a\0b"), "22021"),
    ],
)
def test_statements_that_need_a_cast(db: Database, sql: str, parameter: Field, state: str) -> None:
    assert db.error(sql, parameter).endswith(f"SQLState: {state}")


@pytest.mark.parametrize(
    ("sql", "parameter", "expected"),
    [
        ("SELECT 7 LIMIT :p", long("p", 1), 7),
        ("SELECT count(*) FROM generate_series(1, :p)", long("p", 5), 5),
        ("SELECT count(*) FROM pg_advisory_xact_lock(:p)", long("p", 5), 1),
        ("SELECT to_timestamp(:p)", long("p", 86_400), "1970-01-02 00:00:00"),
        ("SELECT cardinality(:p::int[])", text("p", "{1,2}"), 2),
        ("SELECT (:p::interval)::text", text("p", "36 hours"), "36:00:00"),
        ("SELECT (:p::mood)::text", text("p", "ok"), "ok"),
        ("SELECT '{\"a\": 5}'::jsonb ->> :p", text("p", "a"), "5"),
        ("SELECT set_config('work_mem', :p, true)", text("p", "5MB"), "5MB"),
        ("SELECT :p::timestamptz", text("p", "2024-01-15T12:00:00+09:00"), "2024-01-15 03:00:00"),
        ("SELECT :p::timestamptz", DECLARED["TIMESTAMP"], "2024-02-29 10:20:30.5"),
        ("SELECT sum(a) FROM jsonb_to_recordset(:p::jsonb) AS r(a int)", text("p", '[{"a":3}]'), 3),
        ("SELECT :p", text("p", "zażółć 🙂\r\n\t'\"\\"), "zażółć 🙂\r\n\t'\"\\"),
        ("SELECT :p", {"name": "p", "value": {"blobValue": b"\x00\xff"}}, b"\x00\xff"),
        ("SELECT :p", long("p", -(2**63)), -(2**63)),
    ],
)
def test_statements_that_need_none_or_have_one(
    db: Database, sql: str, parameter: Field, expected: Any
) -> None:
    assert db.value(sql, parameter) == expected


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("2024-1-5", "DATE"),
        ("2024-01-15T12:34:56Z", "TIMESTAMP"),
        ("2024-01-15 12:34:56+09", "TIMESTAMP"),
        ("12:34", "TIME"),
        ("3f2504e04f8911d39a0c0305e82c3301", "UUID"),
        ("twelve", "DECIMAL"),
        ("31943874831932418390.01", "DECIMAL"),
    ],
)
def test_hinted_text_must_have_the_hints_form(db: Database, value: str, hint: str) -> None:
    assert db.error("SELECT :p", text("p", value, hint)).startswith("ValidationException: ")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ([], "Cannot find parameter: p"),
        ([text("p", "1"), text("q", "2")], "Parameter q is not used by the statement"),
        ([text("p", "1"), text("p", "2")], "Parameter p is given twice"),
        ([text("$1", "1")], "Named parameter syntax is invalid, input: $1"),
        ([{"name": "p", "value": {}}], 'Parameter "p" has value with no field set'),
        ([{"name": "p"}], 'Parameter "p" has value with no field set'),
        (
            [{"name": "p", "value": {"longValue": 1, "stringValue": "1"}}],
            'Parameter "p" has value with no field set',
        ),
        (
            [{"name": "p", "value": {"arrayValue": {"longValues": [1]}}}],
            "Array parameters are not supported",
        ),
        ([{"name": "p", "value": {"intValue": 1}}], 'Parameter "p" has an unknown value intValue'),
        (
            [{"name": "p", "value": {"longValue": 1}, "typeHint": "DECIMAL"}],
            'Parameter "p" has a type hint but no string value',
        ),
        ([text("p", "1", "TIMESTAMPTZ")], "Value 'TIMESTAMPTZ' at 'typeHint' is not a type hint"),
    ],
)
def test_parameters_are_checked(db: Database, parameters: list[Field], message: str) -> None:
    answer = call(db.api, "/Execute", sql="SELECT :p", parameters=parameters)
    assert answer.status == 400
    assert answer.headers["x-amzn-ErrorType"] == "ValidationException"
    assert json.loads(answer.body) == {"message": message}


@pytest.mark.parametrize(
    "value",
    [
        '{"longValue": 9223372036854775808}',
        '{"longValue": 1.5}',
        '{"longValue": true}',
        '{"doubleValue": NaN}',
        '{"doubleValue": 1e999}',
        '{"doubleValue": "1"}',
        '{"booleanValue": 1}',
        '{"stringValue": 1}',
        '{"stringValue": null}',
        '{"stringValue": "\\ud800"}',
        '{"blobValue": "not base64!"}',
        '{"isNull": false}',
    ],
)
def test_values_of_the_wrong_type_cannot_be_read(db: Database, value: str) -> None:
    request = json.dumps({**ids(), "sql": "SELECT :p", "parameters": "PARAMETERS"})
    parameters = f'[{{"name": "p", "value": {value}}}]'
    answer = db.api.handle("/Execute", {}, request.replace('"PARAMETERS"', parameters).encode())
    assert answer.status == 400
    assert answer.headers["x-amzn-ErrorType"] == "SerializationException"


# Placeholders


@pytest.mark.parametrize(
    ("sql", "text", "names"),
    [
        ("SELECT :a, :b, :a", "SELECT $1, $2, $1", ("a", "b")),
        ("SELECT :1, :2x, :_", "SELECT $1, $2, $3", ("1", "2x", "_")),
        ("SELECT :v::integer", "SELECT $1::integer", ("v",)),
        ("SELECT a::text", "SELECT a::text", ()),
        ("SELECT ':a', ':b''s :c', :d", "SELECT ':a', ':b''s :c', $1", ("d",)),
        ("SELECT E'it\\'s :a', :b", "SELECT E'it\\'s :a', $1", ("b",)),
        ("SELECT 'it\\', :b", "SELECT 'it\\', $1", ("b",)),
        ('SELECT ":a""b:c", :d', 'SELECT ":a""b:c", $1', ("d",)),
        ("SELECT 1 -- :a isn't\n, :b", "SELECT 1 -- :a isn't\n, $1", ("b",)),
        ("SELECT /* :a /* ; */ ' */ :b", "SELECT /* :a /* ; */ ' */ $1", ("b",)),
        ("SELECT $$ no colon; isn't it --'\n $$", "SELECT $$ no colon; isn't it --'\n $$", ()),
        ("SELECT $q$ x := 1; y::int $q$, :a", "SELECT $q$ x := 1; y::int $q$, $1", ("a",)),
        ("SELECT a$b$c, :x", "SELECT a$b$c, $1", ("x",)),
        ("SELECT x ? 'a' AND x ?| :k", "SELECT x ? 'a' AND x ?| $1", ("k",)),
        ("SELECT a[1:2]", "SELECT a[1$1]", ("2",)),
        ("SELECT 1;", "SELECT 1", ()),
        ("SELECT 1 ; -- done\n /* ; */ ", "SELECT 1 ", ()),
        ("SELECT ';', \";\" -- ;", "SELECT ';', \";\" -- ;", ()),
        ("SELECT 'never closed :a", "SELECT 'never closed :a", ()),
        ("SELECT /* never closed :a", "SELECT /* never closed :a", ()),
        ("SELECT $x$ never closed :a", "SELECT $x$ never closed :a", ()),
        ("", "", ()),
    ],
)
def test_placeholders_become_numbered(sql: str, text: str, names: tuple[str, ...]) -> None:
    statement = scan(sql)
    assert statement.text == text.encode()
    assert statement.names == names


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT 1; SELECT 2", "Multistatements aren't supported."),
        ("SELECT 1;;", "Multistatements aren't supported."),
        ("SELECT ';' ; DROP TABLE item", "Multistatements aren't supported."),
        ("DO $$BEGIN PERFORM 1; END$$; SELECT 1", "Multistatements aren't supported."),
        ("SELECT $$a :b c$$", "The service would replace :b inside a dollar-quoted string"),
        ("DO $x$ BEGIN y := a[1:n]; END $x$", "The service would replace :n inside"),
        ("SELECT $$ it's $$", "A quote inside a dollar-quoted string is not closed"),
        ("SELECT :a, $1", "Named parameters and $1 cannot be used together"),
    ],
)
def test_what_the_service_refuses_or_would_corrupt(sql: str, message: str) -> None:
    with pytest.raises(ServiceError) as caught:
        scan(sql)
    assert caught.value.code == "ValidationException"
    assert caught.value.message.startswith(message)


def test_placeholders_in_a_real_statement(db: Database) -> None:
    sql = """
        SELECT concat(:a::text, ':a', "count", :b::int::text) -- :c
        FROM (SELECT $$:=$$ || :a AS "count") AS q;
    """
    assert db.value(sql, text("a", "x"), text("b", "7")) == "x:a:=x7"


def test_an_array_slice_is_taken_for_a_placeholder(db: Database) -> None:
    slice_ = "SELECT (ARRAY[1, 2, 3])[1:2]"
    assert db.error(slice_) == "ValidationException: Cannot find parameter: 2"
    assert "SQLState: 42601" in db.error(slice_, long("2", 2))


def test_dollar_numbers_and_question_marks_are_no_placeholders(db: Database) -> None:
    assert db.error("SELECT $1").endswith("SQLState: 08P01")
    assert db.error("SELECT ?").endswith("SQLState: 42601")
