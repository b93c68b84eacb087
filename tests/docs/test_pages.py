"""The documentation says what the code does: tables, options, commands, messages, SQL, prices."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import json
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
from tests import documents
from tests.cloud import EmbeddedCloud, Size
from tests.conftest import MakeAccount, MakeEnvironment
from tests.docs import example, generate
from tests.docs.generate import PAGES
from tests.documents import Document, document
from tests.paths import ROOT
from tests.warehouse import Warehouse

TEXTS = {page: page.read_text() for page in (*PAGES, ROOT / "deploy" / "README.md")}
README, DEPLOY = TEXTS[ROOT / "README.md"], TEXTS[ROOT / "deploy" / "README.md"]
TEXT = "\n".join(TEXTS[page] for page in PAGES)
FOR_USERS = TEXT.replace(TEXTS[ROOT / "CONTRIBUTING.md"], "")
OURS = [ROOT / "sender.py", ROOT / "receiver.py", *(ROOT / "observability").rglob("*.py")]
PARSERS = {"sender.py": sender_arguments, "receiver.py": receiver_parser}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
SHELL = "".join(body for language, body in FENCE.findall(FOR_USERS) if language == "sh")
SHELL = SHELL.replace("\\\n", " ")
COMMANDS = re.findall(r"\b(sender\.py|receiver\.py)([^|>&#;\n]*)", SHELL)
OTHERS = re.compile(r"`(?:aws |[^`\n]*deploy/\w+\.py)[^`]*`")
"""Commands of other programs in a line of text."""
PROSE = OTHERS.sub("", FENCE.sub("", FOR_USERS))
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def page(name: str) -> str:
    """The text of a page of docs/."""
    return TEXTS[ROOT / "docs" / f"{name}.md"]


def section(text: str, title: str) -> str:
    """The text under a heading of the second level."""
    assert f"\n## {title}\n" in text
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of a table's rows, heads left out."""
    body = re.sub(r"^\|.*\n\| ?---.*$", "", text, flags=re.M)
    lines = re.findall(r"^\|(.*)\|$", body, re.M)
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in lines]


def block(text: str, name: str) -> str:
    """What is written between the comments of a block."""
    found = re.search(rf"<!-- {name}: .*? -->\n(.*?)<!-- /{name} -->", text, re.S)
    assert found
    return found[1]


SETTINGS_ROWS = {
    row[0].strip("`"): row[1:] for row in rows(block(page("configuration"), "settings"))
}
VIEWS = re.findall(r"^CREATE OR REPLACE VIEW (\w+)", (ROOT / "schema.sql").read_text(), re.M)
TABLE_ROWS = {row[0].strip("`"): row for row in rows(block(page("data-model"), "tables"))}


# What is written from the code


def test_what_is_generated_is_what_the_code_says(warehouse: Warehouse) -> None:
    example.load(warehouse)
    stale = [
        path.name for path in PAGES if generate.written(TEXTS[path], warehouse.query) != TEXTS[path]
    ]
    assert stale == [], "run make docs"


def test_every_block_is_on_a_page() -> None:
    named = [name for _, name, _ in generate.BLOCK.findall(TEXT)]
    answers = len(generate.ANSWER.findall(page("queries"))) + 5
    assert sorted(named) == sorted([*generate.BLOCKS, *["answer"] * answers])
    assert len(generate.ANSWER.findall(README)) == 5


def test_every_view_is_in_a_query() -> None:
    """But those that other views are made of."""
    inner = {"document_statuses", "cost_sources", "current_reservations", "unsettled_findings"}
    shown = {name for name in VIEWS if re.search(rf"(FROM|JOIN) {name}\b", page("queries"))}
    assert shown == set(VIEWS) - inner


def test_every_table_of_the_database_is_in_the_data_model(warehouse: Warehouse) -> None:
    named = warehouse.query(
        "SELECT relname::text FROM pg_class"
        " WHERE relkind IN ('r', 'v') AND relnamespace = 'public'::regnamespace"
    )
    assert sorted(TABLE_ROWS) == sorted(row["relname"] for row in named)


def test_the_natural_keys_are_those_of_the_database(warehouse: Warehouse) -> None:
    found = warehouse.query(
        "SELECT tablename::text AS name, indexdef FROM pg_indexes"
        " WHERE schemaname = 'public' AND indexname = tablename || '_key'"
    )
    columns = {
        row["name"]: generate.plain(row["indexdef"].partition(" USING btree (")[2])
        .replace('"', "")
        .replace("(key_attributes)", "key_attributes")
        .rstrip(")")
        for row in found
    }
    mapped = {name: row[2].strip("`") for name, row in TABLE_ROWS.items()}
    assert {name: key.rstrip(")") for name, key in mapped.items() if key} == columns


def test_every_category_is_described() -> None:
    described = {row[0].strip("`"): row for row in rows(block(page("categories"), "collectors"))}
    allowed = dict(rows(block(page("categories"), "permissions")))
    assert described.keys() == {name.strip("`") for name in allowed} == CATEGORIES.keys()
    assert all(row[1] and row[2] and row[4] and row[6] for row in described.values())
    assert all(allowed.values())


def test_the_kinds_of_tables_are_explained() -> None:
    explained = {row[0] for row in rows(section(page("merging"), "Kinds of tables"))}
    kinds = {row[3].partition(" of ")[0] for row in TABLE_ROWS.values()}
    assert kinds - {"own", "view"} == explained


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 200


# Options, settings and commands


def all_flags() -> set[str]:
    """Every long option of both scripts."""
    return {flag for parser in PARSERS.values() for flag in FLAG.findall(parser().format_help())}


def test_every_option_is_documented() -> None:
    assert all_flags() <= set(FLAG.findall(PROSE))


def test_no_option_is_documented_that_does_not_exist() -> None:
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
    assert SETTINGS_ROWS.keys() == named


def test_required_settings_are_said_to_be_required() -> None:
    required = [
        {name for name, row in SETTINGS_ROWS.items() if ", required:" in row[script]}
        for script in (0, 1)
    ]
    assert required[0] == {"BUCKET", "ANALYTICS_KMS_KEY", "REGION"}
    assert required[1] == {"BUCKET", "AURORA_CLUSTER_ARN", "AURORA_SECRET_ARN", "DB_NAME"}
    exported = re.findall(r"([A-Z_]+)=…", section(README, "One real account in five commands"))
    assert {*exported} == required[0] | required[1]


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(
        re.findall(r"[a-z][\w-]*", " ".join(re.findall(r"^([a-z][^:=]*):", makefile, re.M)))
    )
    lines = re.findall(r"(?:`|^\$ |^)make ([a-z][a-z -]*)", TEXT, re.M)
    named = {name for line in lines for name in line.split()}
    assert {"demo", "test", "docs", "deploy-hub"} <= named <= targets


def test_handlers_exist() -> None:
    named = re.findall(r"`(sender|receiver)\.(lambda_handler)`", TEXT)
    assert len(named) == 2
    assert all(callable(getattr(importlib.import_module(script), name)) for script, name in named)


def test_the_version_of_postgresql_is_that_of_the_schema() -> None:
    needed = r"PostgreSQL (\d+) or later"
    assert re.findall(needed, section(page("operations"), "Requirements")) == re.findall(
        needed, (ROOT / "schema.sql").read_text()
    )


def test_policies_are_json() -> None:
    found = [body for language, body in FENCE.findall(TEXT) if language == "json"]
    assert len(found) == 2
    assert all(map(json.loads, found))


# References


def anchors(text: str) -> set[str]:
    """What may follow the # of a link to a page."""
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", TEXTS[path])):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if name.startswith("https://") or (target.is_dir() and not anchor):
            continue
        if not target.is_file() or (anchor and anchor not in anchors(target.read_text())):
            broken.append(link)
    assert broken == []


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {(ROOT / name).resolve() for name in re.findall(r"\]\(([^)#\s]+)\)", README)}
    assert {path for path in TEXTS if path.name != "README.md"} <= linked


def test_the_readme_shows_the_report() -> None:
    """A picture of a size that a page may load."""
    [name] = re.findall(r"^!\[[^\]]+\]\(([^)]+\.png)\)$", README.partition("\n## ")[0], re.M)
    picture = (ROOT / name).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 400_000


def test_every_promise_names_tests_that_exist() -> None:
    source = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    existing = set(re.findall(r"^def (test_\w+)", source, re.M))
    promises = re.findall(r"^- (.*)$", page("guarantees"), re.M)
    named = [set(re.findall(r"`(test_\w+)`", promise)) for promise in promises]
    assert len(promises) > 20
    assert all(named)
    assert set().union(*named) <= existing


@functools.cache
def spoken() -> str:
    """All texts in the scripts, schema.sql's and botocore's errors, pieces of one text joined."""
    sources = [path.read_text() for path in OURS] + [inspect.getsource(botocore.exceptions)]
    raised = re.findall(r"RAISE EXCEPTION ''(.*?)''", (ROOT / "schema.sql").read_text())
    texts = [text.replace("%", "…") for text in raised]
    for node in (node for source in sources for node in ast.walk(ast.parse(source))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else "…" for p in node.values)
            texts.append("".join(map(str, parts)))
    return "\n".join(texts)


TROUBLES = [row for row in rows(page("troubleshooting")) if row[0][0] == "`"]


@pytest.mark.parametrize("message", sorted({row[0].strip("`") for row in TROUBLES}))
def test_the_messages_are_those_of_the_code(message: str) -> None:
    said = spoken()
    pieces = [piece.strip(" :,;") for piece in message.split("…")]
    assert any(pieces)
    assert all(piece in said for piece in pieces)


def test_every_message_says_what_it_means_and_what_to_do() -> None:
    assert len(TROUBLES) > 40
    assert all(len(row) == 3 and all(row) for row in TROUBLES)


# Queries


@pytest.fixture
def queried(warehouse: Warehouse) -> Warehouse:
    """Two days of an account; on the second something vanished and a category failed."""

    def made(day: date) -> Document:
        each = document(day)
        soon = (datetime.now(UTC) + timedelta(days=9)).isoformat()
        each["security"]["certificate_manager"][0]["not_after"] = soon
        each["cost_by_tag"][0] |= {"day": str(day)}
        each["logs"]["message"] = [{"FAIL": "health: health:DescribeEvents denied"}]
        return each

    today = datetime.now(UTC).date()
    first, second = made(today - timedelta(days=2)), made(today - timedelta(days=1))
    second["service_resources"].pop()
    second["logs"]["health_status"] = "Fail"
    for each in (first, second):
        day = date.fromisoformat(each["meta"]["period"]["start"])
        assert warehouse.load(each, documents.key(day)).status is FileStatus.LOADED
    return warehouse


def test_every_query_runs_and_finds_rows(queried: Warehouse) -> None:
    """But those of the example, whose answers are beside them, and those of what is optional."""
    shown = {query for _, query, _ in generate.ANSWER.findall(page("queries"))}
    written = [body for language, body in FENCE.findall(page("queries")) if language == "sql"]
    found = [query for query in written if query not in shown]
    assert len(found) > 4
    dsn = queried.embedded.postgres.dsn_for(queried.database)
    with psycopg.connect(dsn) as connection:
        empty = [query for query in found if not connection.execute(query.encode()).fetchall()]
    assert empty == []


def query_under(title: str) -> str:
    """The query of docs/queries.md under a line that begins so."""
    [found] = re.findall(rf"^{title}[^\n]*\n\n```sql\n(.*?)^```", page("queries"), re.M | re.S)
    return str(found)


OLDER = """
INSERT INTO {table} SELECT (jsonb_populate_record(t, jsonb_build_object(
    'id', t.id + 1000000, '{first}', t.{first} - 60, '{last}', t.{last} - 60))).* FROM {table} t"""
"""The same rows again, of days that are 60 days older."""


def test_costs_of_a_product_are_those_of_the_newest_days(warehouse: Warehouse) -> None:
    example.load(warehouse)
    sql = query_under("Cost per product")
    before = warehouse.query(sql)
    for table, first, last in (("services", "date_from", "date_to"),
                               ("cost_reports", "period_start", "period_end")):  # fmt: skip
        warehouse.query(OLDER.format(table=table, first=first, last=last), fetch=False)
    assert warehouse.query(sql) == before


def test_findings_that_are_not_rated_are_below_the_critical_ones(queried: Warehouse) -> None:
    queried.query("UPDATE findings SET severity = NULL WHERE severity <> 'CRITICAL'", fetch=False)
    queried.query("UPDATE inspector_findings SET severity = 'UNTRIAGED'", fetch=False)
    asking = [
        body
        for language, body in FENCE.findall(TEXT)
        if language == "sql" and "ORDER BY severity_level" in body
    ]
    assert len(asking) == 2
    for sql in asking:
        found = [row["severity"] for row in queried.query(sql)]
        assert found[0] == "CRITICAL"
        assert found[-1] is None


# Prices


def paid(embedded: EmbeddedCloud) -> Counter[str]:
    """Requests to Cost Explorer since the last call of this."""
    calls = Counter(call.operation for call in embedded.calls if call.service == "ce")
    embedded.forget_calls()
    return calls


def test_cost_explorer_is_asked_as_often_as_the_documentation_says(
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
    told = dict(rows(section(page("performance"), "What Cost Explorer charges")))
    assert told["daily, one account"] == "3"
    assert told["daily, several regions"].startswith("3:")
    assert told["backfill of any number of days"].startswith("2,")
    assert told["`sender.py --check`"].startswith("1 in each account;")
    assert "for 3 requests a day" in section(README, "What it costs")


def test_prices_of_the_readme_are_those_of_the_deployment() -> None:
    priced = {row[0]: row[1:] for row in rows(section(README, "What it costs"))}
    parts = [row for row in rows(section(DEPLOY, "What it costs")) if "With one task" not in row[0]]

    def dollars(cell: str) -> float:
        number = re.search(r"[\d.]+", cell)
        return float(number[0]) if number and "per GB" not in cell else 0.0

    others = [row for row in parts if "Cost Explorer" not in row[0]]
    fixed, each = (sum(dollars(row[column]) for row in others) for column in (1, 2))
    assert fixed > 8
    for column, accounts in enumerate((1, 80, 1000)):
        explorer = dollars(priced["Cost Explorer, a sender in each account"][column])
        assert explorer == pytest.approx(accounts * 30 * 3 * 0.01)
        rest = next(row for name, row in priced.items() if name.startswith("Everything else"))
        assert dollars(rest[column]) == pytest.approx(fixed + each * accounts, rel=0.1)


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
