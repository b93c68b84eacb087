"""The parts of the documentation that the code knows: `make docs` writes them anew.

Each lies between the comments `<!-- NAME: written by make docs -->` and `<!-- /NAME -->`. An
`answer` is what the SQL before it finds in the data set of `tests.docs.example`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg

from observability import limits as bounds
from observability.collecting.collector import EVENT, NOW, PERIOD, Collector
from observability.collectors import COLLECTORS
from observability.database.schema import own_schema
from observability.database.tables import Kind
from observability.loaders import LOADERS, TABLES
from observability.settings import receiver, sender
from observability.settings.declaration import Setting
from tests.cloud import Cloud, EmbeddedCloud, Size, generate
from tests.docs import example
from tests.paths import ROOT
from tests.warehouse import Warehouse

PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(r"(<!-- ([a-z-]+): written by .*? -->\n).*?(<!-- /\2 -->)", re.S)
ANSWER = re.compile(
    r"(```sql\n((?:(?!```).)*)```\n\n<!-- answer: written by .*? -->\n).*?(<!-- /answer -->)", re.S
)

PAST_DAYS = {
    PERIOD: "the facts of that day",
    EVENT: "what was updated that day",
    NOW: "Skipped",
}
BUCKET_STATEMENTS = (
    {
        "Effect": "Allow",
        "Action": ["s3:AbortMultipartUpload", "s3:PutObject"],
        "Resource": "arn:aws:s3:::BUCKET/data/${aws:PrincipalAccount}/*",
    },
    {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::BUCKET"},
    {
        "Effect": "Allow",
        "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
        "Resource": "ANALYTICS_KMS_KEY",
    },
)
"""What the sender does with the bucket: Decrypt is S3's condition for uploads in several parts."""

Query = Callable[[str], list[dict[str, Any]]]
"""Runs SQL in a database with the schema and the example, and returns the rows by column."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *escaped]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: str) -> str:
    """Text as code."""
    return f"`{text}`"


# Settings and options


def meanings(declared: Iterable[Setting]) -> dict[str, str]:
    """What each variable is to a script."""
    return {
        one.variable: f"{code(one.flag)}{', required' if one.needed else ''}: {one.meaning}"
        for one in declared
        if one.variable
    }


def settings(_query: Query) -> str:
    """Environment variables, and what each is to the two scripts."""
    ours, theirs = meanings(sender.DECLARED), meanings(receiver.DECLARED)
    variables = [*dict.fromkeys([*ours, *theirs])]
    rows = [(code(name), ours.get(name, ""), theirs.get(name, "")) for name in variables]
    return table(("variable", "sender.py", "receiver.py"), rows)


def flag_table(declared: Sequence[Setting], groups: Iterable[str]) -> str:
    """A script's options that have no variable, and what they mean."""
    rows = []
    for one in (one for group in groups for one in declared if one.group == group):
        choices = f"{{{','.join(one.kind.choices)}}}" if one.kind.choices else ""
        value = one.kind.metavar or choices
        names = [code(f"{name} {value}".rstrip()) for name in (one.short, one.flag) if name]
        if not one.variable:
            rows.append((", ".join(names), one.meaning))
    return table(("option", "meaning"), rows)


def sender_flags(_query: Query) -> str:
    """The sender's options."""
    return flag_table(sender.DECLARED, sender.GROUPS)


def receiver_flags(_query: Query) -> str:
    """The receiver's options."""
    return flag_table(receiver.DECLARED, receiver.GROUPS)


# Categories and their permissions


def by_service(actions: Iterable[str]) -> str:
    """IAM actions, each service named once."""
    services: dict[str, list[str]] = {}
    for action in actions:
        service, _, name = action.partition(":")
        services.setdefault(service, []).append(name)
    return "; ".join(f"{code(service)} {', '.join(names)}" for service, names in services.items())


def what(collector: Collector) -> str:
    """What a collector reads, in its own words, without the APIs that it names."""
    first = (collector.collect.__doc__ or "").splitlines()[0]
    return re.sub(r" \([^()]*\)\.?$", "", first).rstrip(".")


def categories(_query: Query) -> str:
    """One line per category."""
    rows = [(code(one.category), what(one), one.scope) for one in COLLECTORS]
    return table(("category", "what is read", "scope"), rows)


def lists_of(collector: Collector) -> str:
    """The lists of a category in the document; a list itself has none."""
    named = [name for part in collector.parts for name in part.lists] or collector.lists or ()
    return ", ".join(map(code, named))


def tables_of(category: str) -> str:
    """The tables that a category is loaded into."""
    return ", ".join(
        code(found.stored_in or found.name)
        for loader in LOADERS
        if loader.category == category
        for found in loader.tables
        if not found.stored_in
    )


def collectors(_query: Query) -> str:
    """One row per category: scope, lists and tables."""
    head = ("category", "what is read", "scope", "essential", "on a past day", "lists", "tables")
    rows = [
        (
            code(one.category),
            what(one),
            one.scope,
            "yes" if one.essential else "",
            PAST_DAYS[one.backfill],
            lists_of(one),
            tables_of(one.category),
        )
        for one in COLLECTORS
    ]
    return table(head, rows)


def permissions(_query: Query) -> str:
    """What each category must be allowed to call."""
    rows = [(code(one.category), by_service(one.actions)) for one in COLLECTORS]
    return table(("category", "IAM actions"), rows)


def sender_policy(_query: Query) -> str:
    """An IAM policy for the sender."""
    actions = sorted({action for one in COLLECTORS for action in one.actions})
    reading = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [reading, *BUCKET_STATEMENTS]}
    return f"```json\n{json.dumps(policy, indent=2)}\n```"


# Tables of the database


def plain(columns: str) -> str:
    """The columns of a key, without what makes no value count as an empty text."""
    plain_texts = re.sub(r"coalesce\((\w+), ''(?:::text)?\)", r"\1", columns, flags=re.I)
    return re.sub(r"(?<=, )\((\w+)\)", r"\1", plain_texts)


def keys(schema: str) -> dict[str, str]:
    """The columns of each table's natural key."""
    found = re.findall(
        r"^CREATE UNIQUE INDEX IF NOT EXISTS (\w+)_key\s+ON \1 ([^;]*);", schema, re.M
    )
    return {name: re.sub(r"\s+", " ", plain(columns))[1:-1] for name, columns in found}


def kind(name: str) -> str:
    """How a table is merged, in the words of docs/merging.md."""
    found = TABLES.get(name)
    if found is None:
        return "own" if name in own_schema().tables else "view"
    parent = f" of {code(found.parent.table)}" if found.parent else ""
    return f"part{parent}" if found.kind is Kind.PART else found.kind.name.lower()


def relations() -> list[str]:
    """The tables and views of schema.sql, in its order."""
    schema = (ROOT / "schema.sql").read_text()
    return re.findall(r"^CREATE (?:TABLE IF NOT EXISTS|OR REPLACE VIEW) (\w+)", schema, re.M)


PURPOSES = """
SELECT relname::text AS name, obj_description(oid) AS purpose FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"""


def tables(query: Query) -> str:
    """The map of the database."""
    purposes = {row["name"]: str(row["purpose"]).partition(". ")[0] for row in query(PURPOSES)}
    columns = keys((ROOT / "schema.sql").read_text())
    rows = [
        (code(name), purposes[name], code(columns[name]) if name in columns else "", kind(name))
        for name in relations()
    ]
    return table(("table", "what a row is", "natural key", "kind"), rows)


COLUMNS = """
SELECT c.relname::text AS relation, a.attname::text AS name,
       format_type(a.atttypid, a.atttypmod) AS type, col_description(c.oid, a.attnum) AS meaning
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')
  AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum"""


def columns(query: Query) -> str:
    """Each table and view with its columns, and what the database says of them."""
    found = query(COLUMNS)
    pieces = []
    for name in relations():
        rows = [
            (code(row["name"]), row["type"], row["meaning"] or "")
            for row in found
            if row["relation"] == name
        ]
        pieces.append(f"### {name}\n\n{table(('column', 'type', 'meaning'), rows)}")
    return "\n\n".join(pieces)


def answer(rows: Sequence[dict[str, Any]]) -> str:
    """What a query finds, as a table."""
    assert rows, "an example finds no row"
    return table([*rows[0]], [[*map(shown, row.values())] for row in rows])


def shown(value: Any) -> str:
    """A value as SQL writes it."""
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool | dict | list) else str(value)


# Bounds


def limits(_query: Query) -> str:
    """What limits.py bounds, with its reasons, under the headings that it has."""
    text = (ROOT / "observability" / "limits.py").read_text()
    found = re.findall(
        r'^# ---- ([^\n]*) ----$|^([A-Z_\d]+) = [^\n]*\n"""(.*?)"""$', text, re.M | re.S
    )
    parts: dict[str, list[tuple[str, ...]]] = {}
    for title, name, reason in found:
        if title:
            part = parts.setdefault(title.capitalize(), [])
        else:
            part.append((code(name), bound(getattr(bounds, name)), " ".join(reason.split())))
    head = ("name", "bound", "what and why")
    return "\n\n".join(f"### {title}\n\n{table(head, rows)}" for title, rows in parts.items())


def bound(value: Any) -> str:
    """A bound as people write it."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}"
    return f"{value:,}" if isinstance(value, int | float) else str(value).partition(",")[0]


# Writing


BLOCKS: dict[str, Callable[[Query], str]] = {
    "categories": categories,
    "settings": settings,
    "sender-flags": sender_flags,
    "receiver-flags": receiver_flags,
    "collectors": collectors,
    "permissions": permissions,
    "sender-policy": sender_policy,
    "tables": tables,
    "columns": columns,
    "limits": limits,
}


def written(text: str, query: Query) -> str:
    """The text with every block written anew."""
    text = ANSWER.sub(lambda found: f"{found[1]}\n{answer(query(found[2]))}\n\n{found[3]}", text)
    return BLOCK.sub(
        lambda found: (
            found[0]
            if found[2] == "answer"
            else f"{found[1]}\n{BLOCKS[found[2]](query)}\n\n{found[3]}"
        ),
        text,
    )


@contextmanager
def example_database() -> Iterator[Query]:
    """A database with the schema and the example, on this machine."""
    today = datetime.now(UTC).date()
    account = generate(example.PLATFORM, Size.empty(), 1, today, ("us-east-1",))
    with EmbeddedCloud(Cloud.of(account)) as embedded:
        os.environ |= embedded.environment(account.id)
        database = embedded.create_database()
        with psycopg.connect(embedded.postgres.dsn_for(database)) as connection:
            connection.execute((ROOT / "schema.sql").read_bytes())
        warehouse = Warehouse(embedded, embedded.bucket, database)
        example.load(warehouse)
        yield warehouse.query


def main() -> None:
    """Write all blocks of all pages."""
    with example_database() as query:
        for page in PAGES:
            page.write_text(written(page.read_text(), query))


if __name__ == "__main__":
    main()
