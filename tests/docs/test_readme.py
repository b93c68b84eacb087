"""README.md says what the code does: tables, flags, settings, commands, messages, SQL, prices."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import botocore.exceptions
import psycopg
import pytest

from observability.collectors import CATEGORIES
from observability.receiving.result import FileStatus
from observability.settings import receiver as receiver_settings
from observability.settings import sender as sender_settings
from observability.settings.receiver import parser as receiver_parser
from observability.settings.sender import arguments as sender_arguments
from observability.settings.sender import read_settings
from tests import documents, readme
from tests.cloud import EmbeddedCloud, Size
from tests.conftest import MakeAccount, MakeEnvironment
from tests.documents import Document, document
from tests.warehouse import Warehouse

ROOT = readme.ROOT
TEXT = readme.README.read_text()
OURS = [ROOT / "sender.py", ROOT / "receiver.py", *(ROOT / "observability").rglob("*.py")]
PARSERS = {"sender.py": sender_arguments, "receiver.py": receiver_parser}
FENCED = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.M | re.S)
SQL = [body for language, body in FENCED if language == "sql"]
SHELL = "".join(body for language, body in FENCED if language == "sh").replace("\\\n", " ")
COMMANDS = re.findall(r"\b(sender\.py|receiver\.py)([^|>&#;\n]*)", SHELL)
PROSE = re.sub(r"^```.*?^```", "", TEXT, flags=re.M | re.S)
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def section(title: str) -> str:
    """The text under a heading."""
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of a table's rows, heads left out."""
    body = re.sub(r"^\| .*\n\| --- .*$", "", text, flags=re.M)
    return [line.split(" | ") for line in re.findall(r"^\| (.*) \|$", body, re.M)]


# Tables that the code knows


def test_the_written_blocks_are_what_the_code_says() -> None:
    assert readme.written(TEXT) == TEXT, "run python -m tests.readme"


def test_every_block_is_in_the_text() -> None:
    assert [name for _, name, _ in readme.BLOCK.findall(TEXT)] == list(readme.BLOCKS)


def test_every_table_of_the_database_is_in_the_map(warehouse: Warehouse) -> None:
    named = warehouse.query(
        "SELECT relname::text FROM pg_class"
        " WHERE relkind IN ('r', 'v') AND relnamespace = 'public'::regnamespace"
    )
    mapped = [row[0].strip("`") for row in rows(readme.tables())]
    assert sorted(mapped) == sorted(row["relname"] for row in named)


def test_the_natural_keys_are_those_of_the_database(warehouse: Warehouse) -> None:
    found = warehouse.query(
        "SELECT tablename::text AS name, indexdef FROM pg_indexes"
        " WHERE schemaname = 'public' AND indexname = tablename || '_key'"
    )
    columns = {
        row["name"]: readme.plain(row["indexdef"].partition(" USING btree (")[2])
        .replace('"', "")
        .rstrip(")")
        for row in found
    }
    mapped = {row[0].strip("`"): row[2].strip("`") for row in rows(readme.tables())}
    assert {name: key.rstrip(")") for name, key in mapped.items() if key} == columns


def test_every_collector_is_described() -> None:
    described = {row[0].strip("`"): row for row in rows(readme.collectors())}
    assert described.keys() == CATEGORIES.keys()
    assert all(row[1] and row[4] and row[5] for row in described.values())


# Flags, settings and commands


def all_flags() -> set[str]:
    """Every long flag of both scripts."""
    return {flag for parser in PARSERS.values() for flag in FLAG.findall(parser().format_help())}


def test_every_flag_is_in_the_readme() -> None:
    assert all_flags() <= set(FLAG.findall(PROSE))


def test_no_flag_is_in_the_readme_that_does_not_exist() -> None:
    ours = "".join(line for line in SHELL.splitlines() if not line.startswith("aws "))
    ours = re.sub(r"^.*\bpip install\b.*$", "", ours, flags=re.M)
    assert set(FLAG.findall(PROSE + ours)) <= all_flags()


@pytest.mark.parametrize(("script", "arguments"), COMMANDS)
def test_the_commands_are_understood(script: str, arguments: str) -> None:
    parsed = PARSERS[script]().parse_args(shlex.split(arguments))
    if script == "sender.py":
        assert read_settings({**vars(parsed), "region": "us-east-1"}, CATEGORIES, uploads=False)


def variables(source: Path) -> set[str]:
    """The environment variables that a file reads, found in its text."""
    tree = ast.parse(source.read_text())
    read = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("os.environ.get", "os.getenv")
        and isinstance(node.args[0], ast.Constant)
    }
    indexed = {
        node.slice.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and ast.unparse(node.value) == "os.environ"
        and isinstance(node.slice, ast.Constant)
    }
    return {str(name) for name in read | indexed}


def test_every_variable_that_is_read_is_in_the_table() -> None:
    declared = (*sender_settings.DECLARED, *receiver_settings.DECLARED)
    named = {setting.variable for setting in declared if setting.variable}
    named = named.union(*map(variables, OURS))
    assert {row[0].strip("`") for row in rows(readme.settings())} == named


def test_the_settings_that_are_needed_are_said_to_be() -> None:
    cells = {row[0].strip("`"): row[1:] for row in rows(readme.settings())}
    needed = [{name for name, row in cells.items() if ", needed:" in row[n]} for n in (0, 1)]
    assert needed[0] == {"BUCKET", "ANALYTICS_KMS_KEY", "REGION"}
    assert needed[1] == {"BUCKET", "AURORA_CLUSTER_ARN", "AURORA_SECRET_ARN", "DB_NAME"}


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"(?:`|^\$ )make ([a-z]+)", TEXT, re.M))
    assert {"demo", "test"} <= named <= targets


def test_handlers_exist() -> None:
    named = re.findall(r"`(sender|receiver)\.(lambda_handler)`", TEXT)
    assert len(named) == 2
    assert all(callable(getattr(importlib.import_module(script), name)) for script, name in named)


def test_the_version_of_postgresql_is_that_of_the_schema() -> None:
    needed = r"PostgreSQL (\d+) or later"
    assert re.findall(needed, section("Requirements")) == re.findall(
        needed, (ROOT / "schema.sql").read_text()
    )


# References


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", PROSE)
    headings = re.findall(r"^## (.*)$", TEXT, re.M)
    anchors = {"#" + title.lower().replace(" ", "-") for title in headings}
    broken = [
        link
        for link in links
        if not (link in anchors if link.startswith("#") else (ROOT / link).is_file())
    ]
    assert links
    assert broken == []


def test_every_promise_names_tests_that_exist() -> None:
    source = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    existing = set(re.findall(r"^def (test_\w+)", source, re.M))
    promises = re.findall(r"^- (.*)$", section("What it promises"), re.M)
    named = [set(re.findall(r"`(test_\w+)`", promise)) for promise in promises]
    assert promises
    assert all(named)
    assert set().union(*named) <= existing


def spoken() -> str:
    """All texts in the scripts and in botocore's errors, pieces of one text joined."""
    sources = [path.read_text() for path in OURS] + [inspect.getsource(botocore.exceptions)]
    texts = []
    for node in (node for source in sources for node in ast.walk(ast.parse(source))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else "…" for p in node.values)
            texts.append("".join(map(str, parts)))
    return "\n".join(texts)


MESSAGES = [row[0].strip("`") for row in rows(section("Troubleshooting")) if row[0][0] == "`"]


@pytest.mark.parametrize("message", MESSAGES)
def test_the_messages_are_those_of_the_code(message: str) -> None:
    said = spoken()
    pieces = [piece.strip(" :,;") for piece in message.split("…")]
    assert any(pieces)
    assert all(piece in said for piece in pieces)


# Queries


@pytest.fixture
def queried(warehouse: Warehouse) -> Warehouse:
    """Two days of an account; on the second something vanished and a category failed."""

    def made(day: date) -> Document:
        each = document(day)
        soon = (datetime.now(UTC) + timedelta(days=9)).isoformat()
        each["security"]["certificate_manager"][0]["not_after"] = soon
        each["logs"]["message"] = [{"FAIL": "health: health:DescribeEvents denied"}]
        return each

    today = datetime.now(UTC).date()
    first, second = made(today - timedelta(days=2)), made(today - timedelta(days=1))
    second["service_resources"].pop()
    second["logs"]["health_status"] = "Fail"
    for each in (first, second):
        day = date.fromisoformat(each["meta"]["period"]["start"])
        assert warehouse.load(each, documents.key(day)).outcome is FileStatus.LOADED
    return warehouse


def test_every_query_runs_and_finds_rows(queried: Warehouse) -> None:
    assert len(SQL) > 5
    dsn = queried.embedded.postgres.dsn_for(queried.database)
    with psycopg.connect(dsn) as connection:
        empty = [query for query in SQL if not connection.execute(query.encode()).fetchall()]
    assert empty == []


# Prices


def paid(embedded: EmbeddedCloud) -> Counter[str]:
    """Requests to Cost Explorer since the last call of this."""
    calls = Counter(call.operation for call in embedded.calls if call.service == "ce")
    embedded.calls.clear()
    return calls


def test_cost_explorer_is_asked_as_often_as_the_readme_says(
    embedded: EmbeddedCloud, make_account: MakeAccount, environment_of: MakeEnvironment
) -> None:
    environment = os.environ | environment_of(make_account(Size.empty()))

    def run(*arguments: str) -> Counter[str]:
        command = [sys.executable, str(ROOT / "sender.py"), *arguments]
        subprocess.run(command, env=environment, capture_output=True, timeout=120, check=True)
        return paid(embedded)

    day = datetime.now(UTC).date() - timedelta(days=9)
    daily = run(f"--regions={environment['REGION']},eu-west-1")
    assert daily == {"GetCostAndUsage": 1, "GetCostForecast": 1, "GetAnomalies": 1}
    assert run(f"--start={day}", f"--end={day}") == {"GetCostAndUsage": 1, "GetAnomalies": 1}
    assert run("--check").total() == 1
    assert "makes 3 requests" in section("What it costs")


# What --help prints


@pytest.mark.parametrize("script", PARSERS)
def test_help_comes_from_the_same_parser(script: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / script), "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert set(FLAG.findall(done.stdout)) == set(FLAG.findall(PARSERS[script]().format_help()))
