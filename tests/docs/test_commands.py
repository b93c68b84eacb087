"""Each command, option, setting, output and statement that a page shows is there."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import botocore.session
import psycopg
import pytest
from botocore import xform_name

from observability.collectors import CATEGORIES
from observability.settings import receiver as receiver_settings
from observability.settings import sender as sender_settings
from observability.settings.receiver import parser as receiver_parser
from observability.settings.sender import arguments as sender_arguments
from observability.settings.sender import read_settings
from tests.docs.commands import INLINE, PAGES, Shown, commands, snippets
from tests.paths import ROOT
from tests.warehouse import Warehouse

SHOWN = [shown for page in PAGES for shown in commands(page)]
PARSERS = {"sender.py": sender_arguments, "receiver.py": receiver_parser}
SCRIPT = (ROOT / "deploy" / "deploy.sh").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
BENCH = "".join(path.read_text() for path in (ROOT / "tests" / "bench").glob("*.py"))
DECLARED = (*sender_settings.DECLARED, *receiver_settings.DECLARED)
VARIABLES = {one.variable for one in DECLARED}
EXAMPLE = "backup"
"""The category that CONTRIBUTING.md adds."""
TEMPLATES = [path.read_text() for path in (ROOT / "deploy").glob("*.yaml")]


def ours(shown: Shown) -> tuple[str, tuple[str, ...]]:
    """The script or module that a command runs, and its arguments."""
    words = (shown.program, *shown.arguments)
    if re.search(r"python3?$", words[0]):
        words = words[1:]
    return (words[0], words[1:]) if words else ("", ())


def test_there_are_commands_on_the_pages() -> None:
    assert len(SHOWN) > 200
    assert {shown.page for shown in SHOWN} >= {"README.md", "deploy/README.md", "docs/runbooks.md"}


def test_targets_and_settings_of_make_exist() -> None:
    targets = {
        name for line in re.findall(r"^([a-z][^:=]*):", MAKEFILE, re.M) for name in line.split()
    }
    known = {*re.findall(r"\b[A-Z][A-Z0-9_]+\b|\bV\b", SCRIPT + MAKEFILE + BENCH)}
    for shown in (each for each in SHOWN if each.program == "make"):
        asked = [word for word in shown.arguments if "=" not in word]
        given = {word.partition("=")[0] for word in shown.arguments if "=" in word}
        assert {*asked} <= targets, shown
        assert given | {*shown.variables} <= known, shown


def test_the_settings_of_the_deployment_are_those_of_its_script() -> None:
    tables = re.findall(r"^\| (`[A-Z][^|]*) \|", (ROOT / "deploy" / "README.md").read_text(), re.M)
    named = {name for cell in tables for name in re.findall(r"`([A-Z_]+)`", cell)}
    assert len(named) > 30
    assert {name for name in named if not re.search(rf"\b{name}\b", SCRIPT)} == set()


@pytest.mark.parametrize("script", PARSERS)
def test_options_of_the_scripts_are_understood(script: str) -> None:
    """A lone option in a line of text may lack its value."""
    known = PARSERS[script]()
    for shown in SHOWN:
        name, given = ours(shown)
        if name.rpartition("/")[2] != script or not "".join(given[:1]).startswith("-"):
            continue  # or it is a line of a drawing
        assert {*shown.variables} <= VARIABLES, shown
        if len(given) == 1:
            assert given[0] in known.format_help(), shown
            continue
        parsed = vars(known.parse_args([word.replace("…", "111122223333") for word in given]))
        if script == "sender.py":
            categories = {*CATEGORIES, EXAMPLE}
            assert read_settings({**parsed, "region": "us-east-1"}, categories, uploads=False)


def test_modules_and_files_of_python_exist() -> None:
    for shown in SHOWN:
        name, given = ours(shown)
        if name == "-m" and given[0].startswith("tests."):
            assert importlib.util.find_spec(given[0]), shown
        elif name.endswith((".py", ".yaml", ".sh")) and "(" not in name:
            assert (ROOT / name.removeprefix("./")).is_file(), shown


# Commands of AWS


CUSTOM: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("s3", "cp"): ("--recursive", "--sse", "--sse-kms-key-id"),
    ("ecr", "get-login-password"): (),
    ("cloudformation", "deploy"): (
        "--stack-name", "--template-file", "--capabilities", "--parameter-overrides",
    ),
}  # fmt: skip
"""Commands of the AWS CLI that are not operations of an API, and the options that we give."""
EVERYWHERE = {"--query", "--output", "--region", "--profile", "--cli-binary-format"}


@cache
def model_of(service: str) -> Any:
    """botocore's model of a service, by the name that the AWS CLI gives it."""
    return botocore.session.get_session().get_service_model("s3" if service == "s3api" else service)


def test_commands_of_aws_and_their_options_exist() -> None:
    """By botocore's models, from which the AWS CLI makes its commands."""
    found = [shown for shown in SHOWN if shown.program == "aws"]
    assert len(found) > 20
    for shown in found:
        service, command, *more = shown.arguments
        options = {word.partition("=")[0] for word in more if word.startswith("--")}
        if (service, command) in CUSTOM:
            assert options <= {*CUSTOM[service, command], *EVERYWHERE}, shown
            continue
        model = model_of(service)
        operations = {xform_name(name, "-"): name for name in model.operation_names}
        assert command in operations, shown
        shape = model.operation_model(operations[command]).input_shape
        members = {f"--{xform_name(name, '-')}" for name in shape.members}
        members |= {"--max-items"} if command.startswith("list-") else set()
        assert {option.replace("--no-", "--") for option in options} <= members | EVERYWHERE, shown


# Names of outputs and settings, statements


def test_outputs_that_pages_name_are_those_of_the_templates() -> None:
    made = {
        name
        for text in TEMPLATES
        for name in re.findall(r"^  (\w+):$", text.partition("\nOutputs:\n")[2], re.M)
    }
    named = set()
    for page in PAGES:
        text = re.sub(r"\s+", " ", page.read_text())
        for found in re.findall(r"outputs? ((?:`[A-Za-z]+`(?:,| and|, and)? ?)+)", text):
            named |= {*re.findall(r"`([A-Za-z]+)`", found)}
    named = {name for name in named if name[0].isupper() and not name.isupper()}
    assert len(named) > 8
    assert named <= made


def test_names_in_capitals_are_those_of_the_code() -> None:
    """Settings, bounds and words of messages, but for the SDK's own variables."""
    folders = map(ROOT.joinpath, ("observability", "deploy", "dashboards", "tests/bench"))
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in CODE]
    code = "".join(path.read_text() for path in (*files, *map(ROOT.joinpath, SOURCES)))
    words = {*re.findall(r"\b[A-Z][A-Z0-9_]+\b", code)}
    for page in PAGES:
        shown = [text for text, block in snippets(page) if not block]
        named = {text.partition("=")[0] for text in shown}
        assert {name for name in named if OURS.fullmatch(name)} <= words, page


OURS = re.compile(r"(?!AWS_|[A-Z]+_PROXY)[A-Z]+_[A-Z0-9_]+")
CODE = (".py", ".sh", ".yaml")
SOURCES = ("Makefile", "schema.sql", "sender.py", "receiver.py", "tests/collectors/registry.py")


def test_statements_in_a_line_of_text_run(warehouse: Warehouse) -> None:
    texts = [
        " ".join(found.split()) for page in PAGES for found in INLINE.findall(page.read_text())
    ]
    statements = [text for text in texts if text.startswith("SELECT ") and " FROM " in text]
    assert len(statements) > 5
    dsn = warehouse.embedded.postgres.dsn_for(warehouse.database)
    with psycopg.connect(dsn) as connection:
        for statement in statements:
            connection.execute(f"EXPLAIN {statement}".encode())
