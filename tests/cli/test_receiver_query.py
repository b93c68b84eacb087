"""receiver.py --query: what comes out, in which form, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from decimal import Decimal

import pytest

from tests.cli.commands import Run, nowhere
from tests.cloud import EmbeddedCloud
from tests.paths import RECEIVER
from tests.warehouse import Warehouse

HOSTILE = (
    "SELECT * FROM (VALUES (-5, '=1+1', '-5', '+x'), (-6, '@a', '-cmd', E'\\tb'),"
    " (7, 'plain', '1.5e3', E'a\\nb')) AS t (number, \"=name\", text, other)"
)


def test_csv_is_what_a_pipe_gets_and_spreadsheets_may_open(run_receiver: Run) -> None:
    """Numbers keep their sign, also those that are texts; formulas become texts."""
    done = run_receiver("--query", HOSTILE)
    assert (done.returncode, done.stderr) == (0, "")
    assert [*csv.reader(io.StringIO(done.stdout))] == [
        ["number", "'=name", "text", "other"],
        ["-5", "'=1+1", "-5", "'+x"],
        ["-6", "'@a", "'-cmd", "'\tb"],
        ["7", "plain", "1.5e3", "a\nb"],
    ]


def test_json_keeps_every_digit_and_type(run_receiver: Run) -> None:
    sql = """SELECT 123456789012345678.123456789 AS amount, 1 AS n, true AS yes, NULL AS nothing,
             '=x' AS text, ARRAY[1, 2] AS list, '{"a": [1.10]}'::json AS object,
             'NaN'::numeric AS odd"""
    for form in ("json", "jsonl"):
        done = run_receiver("--query", sql, "--format", form)
        assert done.returncode == 0
        found = json.loads(done.stdout, parse_float=Decimal)
        [row] = found if form == "json" else [found]
        assert row == {
            "amount": Decimal("123456789012345678.123456789"), "n": 1, "yes": True,
            "nothing": None, "text": "=x", "list": [1, 2], "object": {"a": [Decimal("1.10")]},
            "odd": "NaN",
        }  # fmt: skip


def test_jsonl_is_a_line_per_row_and_json_may_be_empty(run_receiver: Run) -> None:
    done = run_receiver("--query", "SELECT E'a\\nb' AS t FROM generate_series(1, 3)", "--format",
                        "jsonl")  # fmt: skip
    assert [json.loads(line) for line in done.stdout.splitlines()] == [{"t": "a\nb"}] * 3
    assert run_receiver("--query", "SELECT 1 WHERE false", "--format", "json").stdout == "[]\n"


def test_a_table_is_aligned_and_no_value_drives_the_terminal(run_receiver: Run) -> None:
    sql = "VALUES (1, E'\\x1b[31mred\\n'), (1000, 'b')"
    done = run_receiver("--query", sql, "--format", "table")
    assert done.stdout.splitlines() == [
        "column1  column2",
        "-------  -------------------",
        r"      1  \u001b[31mred\u000a",
        "   1000  b",
        "(2 rows)",
    ]


def test_a_terminal_gets_a_table_in_which_nothing_is_markup(
    receiver_environment: dict[str, str],
) -> None:
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        done = subprocess.run(
            [sys.executable, str(RECEIVER), "--query", "SELECT '[bold]x' AS name, 5 AS n"],
            env=receiver_environment, stdout=theirs, timeout=60, check=False,
        )  # fmt: skip
        os.close(theirs)
        shown = terminal.read(65_536).decode()
    assert done.returncode == 0
    assert "[bold]x" in shown
    assert "─" in shown
    assert "(1 row)" in shown


def test_a_table_of_many_rows_says_that_it_is_cut(run_receiver: Run) -> None:
    done = run_receiver("--query", "SELECT * FROM generate_series(1, 1500)", "--format", "table")
    assert done.stdout.splitlines()[-1] == "(first 1,000 rows)"
    assert "only 1,000 rows are shown; --format csv gives all" in done.stderr


def test_values_that_the_data_api_cannot_return_are_told_to_be_texts(run_receiver: Run) -> None:
    done = run_receiver("--query", "SELECT interval '2 days' AS span, 1 AS n")
    assert done.stdout == "span,n\n2 days,1\n"
    [line] = done.stderr.splitlines()
    assert line.endswith("column span: values of type interval are texts")


def test_a_query_may_come_from_stdin(receiver_environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, str(RECEIVER), "--query", "-"],
        env=receiver_environment, input="SELECT 1 AS a -- one\n;\n", capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "a\n1\n")


REFUSED = {
    "": "--query is empty",
    "DELETE FROM accounts": "takes one statement that reads: SELECT, WITH, VALUES",
    "COMMIT": "takes one statement that reads",
    "SELECT 1; DROP TABLE accounts": "Multistatements aren't supported",
    "WITH x AS (DELETE FROM accounts RETURNING 1) SELECT * FROM x": "data-modifying",
    "SELECT setval('accounts_id_seq', 9)": "read-only transaction",
    "SELECT lo_create(0)": "read-only transaction",
    "SELECT set_config('transaction_read_only', 'off', true)": "read-write mode",
    "EXPLAIN ANALYZE DELETE FROM accounts": "read-only transaction",
    "SELECT nope": 'column "nope" does not exist (at character 8)',
    "SELECT (": "syntax error",
}


@pytest.mark.parametrize("sql", REFUSED)
def test_what_does_not_only_read_is_refused_in_one_line(
    run_receiver: Run, warehouse: Warehouse, sql: str
) -> None:
    warehouse.query("INSERT INTO products (name) VALUES ('kept')", fetch=False)
    done = run_receiver("--query", sql)
    assert done.returncode == 2
    assert REFUSED[sql] in done.stderr.splitlines()[-1]
    assert len(done.stderr.splitlines()) == 1
    assert warehouse.query("SELECT name FROM products") == [{"name": "kept"}]


def test_what_fails_on_the_way_is_exit_code_one(run_receiver: Run) -> None:
    """The query is right, a value is not."""
    done = run_receiver("--query", "SELECT 1 / (n - 2) FROM generate_series(1, 3) n")
    assert done.returncode == 1
    assert done.stderr.endswith("FAIL    the query fails: division by zero\n")


def test_an_endpoint_out_of_reach_is_one_line_and_not_waited_for(run_receiver: Run) -> None:
    """Within the time that a run may take in tests, which is less than --patience is."""
    flags = ("--query", "SELECT 1", "--patience", "86400")
    done = run_receiver(*flags, AWS_ENDPOINT_URL_RDS_DATA=nowhere())
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert "FAIL    no answer from the RDS Data API: Could not connect" in line
    assert line.endswith("; check REGION, network and VPC endpoint")


def test_a_database_that_resumes_is_waited_for_and_that_is_logged_once(
    run_receiver: Run, embedded: EmbeddedCloud
) -> None:
    embedded.data_api.faults.resume(times=3)
    done = run_receiver("--query", "SELECT 1 AS a")
    assert (done.returncode, done.stdout) == (0, "a\n1\n")
    [line] = done.stderr.splitlines()
    assert "INFO    waiting for the database: DatabaseResumingException" in line


@pytest.mark.parametrize("rows", [1, 100_000])
def test_who_stops_reading_the_rows_ends_the_query_without_a_word(
    receiver_environment: dict[str, str], rows: int
) -> None:
    """As `| head` does; the exit code tells it."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(
            [sys.executable, str(RECEIVER), "--query", f"SELECT generate_series(1, {rows})"],
            env=receiver_environment, text=True, stdout=pipe, stderr=subprocess.PIPE, timeout=60,
            check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")


def test_a_reader_needs_no_bucket_and_is_who_asks(
    run_receiver: Run, embedded: EmbeddedCloud
) -> None:
    """The login of a user who only reads is used where it is given."""
    reader = embedded.secret_arn.replace("-Ab1Cd2", "-Re4d3r")
    without = {"BUCKET": None, "AURORA_SECRET_ARN": None, "READER_SECRET_ARN": reader}
    refused = run_receiver("--query", "SELECT 1", **without)
    assert refused.returncode == 2
    assert "AURORA_SECRET_ARN is wrong" not in refused.stderr
    assert "READER_SECRET_ARN is wrong" in refused.stderr
    embedded.data_api.logins[reader] = embedded.data_api.logins[embedded.secret_arn]
    assert run_receiver("--query", "SELECT 1", **without).returncode == 0


@pytest.mark.parametrize(
    "flags",
    [("--format", "csv"), ("--query", "SELECT 1", "--dry-run"), ("--query", "SELECT 1", "--check"),
     ("--query", "SELECT 1", "--format", "xml")],
)  # fmt: skip
def test_what_does_not_go_together_is_wrong_use(run_receiver: Run, flags: tuple[str, ...]) -> None:
    done = run_receiver(*flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
