"""The rows of a query: all of them, unchanged, whatever their types and size."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from observability.errors import DatabaseFault, Transient, UsageError
from observability.reading.query import (
    BOOLEAN,
    FETCHED_AT_ONCE,
    JSON,
    NUMBER,
    TEXT,
    Column,
    Row,
    checked,
    open_database,
    run_query,
)
from observability.reading.session import query_meaning, read_only
from observability.settings.receiver import Settings
from tests.cloud import EmbeddedCloud


def rows_of(settings: Settings, sql: str) -> tuple[list[Column], list[Row]]:
    """The columns and all rows of a query."""
    with read_only(open_database(settings)) as reading:
        columns, rows = run_query(reading, checked(sql))
        return columns, list(rows)


TYPES = {
    "5::int2": (NUMBER, "5"),
    "9223372036854775807": (NUMBER, "9223372036854775807"),
    "1.50::numeric": (NUMBER, "1.50"),
    "'NaN'::float8": (NUMBER, "NaN"),
    "0.1::float8": (NUMBER, "0.1"),
    "true": (BOOLEAN, "true"),
    "NULL": (TEXT, None),
    "'x'::varchar(3)": (TEXT, "x"),
    "'{\"a\": 1.10}'::jsonb": (JSON, '{"a": 1.10}'),
    "ARRAY[1, NULL]": (JSON, "[1, null]"),
    "ARRAY[[1, 2], [3, 4]]": (JSON, "[[1, 2], [3, 4]]"),
    "timestamptz '2026-11-28 01:00+01'": (TEXT, "2026-11-28 00:00:00+00"),
    "timestamp 'infinity'": (TEXT, "infinity"),
    "interval '1 day'": (TEXT, "1 day"),
    "point '(1,2)'": (TEXT, "(1,2)"),
    "money '1.5'": (TEXT, "$1.50"),
    "macaddr '08:00:2b:01:02:03'": (TEXT, "08:00:2b:01:02:03"),
    "int4range(1, 3)": (TEXT, "[1,3)"),
    "'pg_class'::regclass": (TEXT, "pg_class"),
    "ROW(1, 'a')": (TEXT, "(1,a)"),
    r"'\x00ff'::bytea": (TEXT, r"\x00ff"),
}
"""Values that the Data API returns in many forms, or not at all: each has one form here."""


@pytest.mark.parametrize("value", TYPES)
def test_every_type_comes_as_text_of_a_known_kind(estate: Settings, value: str) -> None:
    [column], [row] = rows_of(estate, f"SELECT {value} AS it")
    assert (column.kind, row[0]) == TYPES[value]


def test_columns_of_one_name_stay_apart(estate: Settings) -> None:
    columns, [row] = rows_of(estate, 'SELECT 1 AS a, 2 AS a, 3 AS a_2, 4 AS "x y", 5 AS "q"')
    assert [column.name for column in columns] == ["a", "a_2", "a_2_2", "x y", "q"]
    assert row == ["1", "2", "3", "4", "5"]


FORMS = {
    "values (1, 'a'), (2, 'b')": 2,
    "TABLE products": 20,
    "-- why\n/* not */ (SELECT 1);": 1,
    "WITH x AS (SELECT 7) SELECT * FROM x -- end": 1,
    "SELECT 1 WHERE false": 0,
    "EXPLAIN SELECT * FROM accounts": 1,
    "SHOW server_version": 1,
}


@pytest.mark.parametrize("sql", FORMS)
def test_every_statement_that_reads_is_taken(estate: Settings, sql: str) -> None:
    columns, rows = rows_of(estate, sql)
    assert len(rows) == FORMS[sql]
    assert len(columns) == (2 if sql.startswith("values") else 8 if "TABLE" in sql else 1)


def test_an_answer_of_many_mebibytes_comes_whole_and_in_order(
    estate: Settings, embedded: EmbeddedCloud
) -> None:
    sql = """SELECT n, repeat('é', CASE WHEN n > 6000 THEN 20000 ELSE 100 END) FROM
             generate_series(1, 6100) n ORDER BY n DESC"""
    embedded.forget_calls()
    _, rows = rows_of(estate, sql)
    assert [int(row[0] or 0) for row in rows] == [*range(6100, 0, -1)]
    assert [len(row[1] or "") for row in rows] == [20_000] * 100 + [100] * 6000
    assert sum(call.operation == "ExecuteStatement" for call in embedded.calls) < 100


def test_rows_come_while_the_query_still_runs(estate: Settings, embedded: EmbeddedCloud) -> None:
    """Not all are held in memory: the first are there after one fetch."""
    with read_only(open_database(estate)) as reading:
        _, rows = run_query(reading, f"SELECT * FROM generate_series(1, {FETCHED_AT_ONCE * 3})")
        embedded.forget_calls()
        assert next(rows) == ["1"]
        fetches = [call for call in embedded.calls if call.operation == "ExecuteStatement"]
        assert len(fetches) == 2  # DECLARE and the first FETCH


def test_a_row_that_is_too_large_is_named_and_those_before_it_come(estate: Settings) -> None:
    sql = "SELECT repeat('x', CASE n WHEN 4 THEN 2000000 ELSE 5 END) FROM generate_series(1, 5) n"
    with read_only(open_database(estate)) as reading:
        _, rows = run_query(reading, sql)
        assert [next(rows) for _ in range(3)] == [["xxxxx"]] * 3
        with pytest.raises(DatabaseFault, match=r"row 4 has more than the 1 MiB .* left\("):
            next(rows)


def test_all_rows_are_of_one_moment(estate: Settings, embedded: EmbeddedCloud) -> None:
    """Loads go on while a long answer is read."""
    with read_only(open_database(estate)) as reading:
        before = reading.execute("SELECT count(*) FROM products")
        other = open_database(estate)
        other.execute("INSERT INTO products (id, name) VALUES (999, 'new')", {})
        try:
            assert reading.execute("SELECT count(*) FROM products") == before
        finally:
            other.execute("DELETE FROM products WHERE id = 999", {})


def refusal(code: str, message: str) -> ClientError:
    """An error of the Data API."""
    return ClientError({"Error": {"Code": code, "Message": message}}, "ExecuteStatement")


def test_a_query_that_takes_too_long_is_told_with_what_to_do() -> None:
    for error in (
        refusal("StatementTimeoutException", "Request timed out"),
        refusal(
            "DatabaseErrorException",
            "ERROR: canceling statement due to statement timeout; SQLState: 57014",
        ),
    ):
        transient = Transient("…")
        transient.__cause__ = error
        told = query_meaning(transient, 0)
        assert isinstance(told, DatabaseFault)
        assert "45 s" in str(told)
        assert "aggregate" in str(told)


def test_the_place_of_an_error_is_that_in_the_users_own_text(estate: Settings) -> None:
    sql = "SELECT account_id FROM accounts WHERE nope = 1"
    with pytest.raises(UsageError) as raised:
        rows_of(estate, sql)
    assert f'column "nope" does not exist (at character {sql.index("nope") + 1})' in str(
        raised.value
    )
