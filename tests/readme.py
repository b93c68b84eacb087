"""The parts of README.md that the code knows: `python -m tests.readme` writes them anew.

Each lies between the comments `<!-- name: written by python -m tests.readme -->` and
`<!-- /name -->`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from observability.collecting.collector import EVENT, NOW, PERIOD, Collector
from observability.collectors import COLLECTORS
from observability.database.catalogue import OTHER_TABLES
from observability.database.tables import Kind
from observability.loaders import TABLES
from observability.settings import receiver, sender
from observability.settings.declaration import Setting

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- ([a-z-]+): written by .*? -->\n).*?(<!-- /\2 -->)", re.S)

PAST_DAYS = {
    PERIOD: "the facts of that day",
    EVENT: "what was updated that day",
    NOW: "Skipped",
}
BUCKET_STATEMENTS = (
    {
        "Effect": "Allow",
        "Action": "s3:PutObject",
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


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *escaped]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: str) -> str:
    """Text as code."""
    return f"`{text}`"


# Settings and flags


def meanings(declared: Iterable[Setting]) -> dict[str, str]:
    """What each variable is to a script."""
    return {
        one.variable: f"{code(one.flag)}{', needed' if one.needed else ''}: {one.meaning}"
        for one in declared
        if one.variable
    }


def settings() -> str:
    """Environment variables, and what each is to the two scripts."""
    ours, theirs = meanings(sender.DECLARED), meanings(receiver.DECLARED)
    variables = [*dict.fromkeys([*ours, *theirs])]
    rows = [(code(name), ours.get(name, ""), theirs.get(name, "")) for name in variables]
    return table(("variable", "sender.py", "receiver.py"), rows)


def flag_table(declared: Sequence[Setting], groups: Iterable[str]) -> str:
    """A script's flags that are no variables, and what they mean."""
    rows = []
    for one in (one for group in groups for one in declared if one.group == group):
        choices = f"{{{','.join(one.kind.choices)}}}" if one.kind.choices else ""
        value = one.kind.metavar or choices
        names = [code(f"{name} {value}".rstrip()) for name in (one.short, one.flag) if name]
        if not one.variable:
            rows.append((", ".join(names), one.meaning))
    return table(("flag", "meaning"), rows)


def sender_flags() -> str:
    """The sender's flags."""
    return flag_table(sender.DECLARED, sender.GROUPS)


def receiver_flags() -> str:
    """The receiver's flags."""
    return flag_table(receiver.DECLARED, receiver.GROUPS)


# Collectors and their permissions


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


def collectors() -> str:
    """One row per collector."""
    head = ("category", "what", "scope", "essential", "of a past day", "APIs, as IAM calls them")
    rows = [
        (
            code(c.category),
            what(c),
            c.scope,
            "yes" if c.essential else "",
            PAST_DAYS[c.backfill],
            by_service(c.actions),
        )
        for c in COLLECTORS
    ]
    return table(head, rows)


def sender_policy() -> str:
    """An IAM policy for the sender."""
    actions = sorted({action for c in COLLECTORS for action in c.actions})
    reading = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [reading, *BUCKET_STATEMENTS]}
    return f"```json\n{json.dumps(policy, indent=2)}\n```"


# Tables of the database


def purposes(schema: str) -> dict[str, str]:
    """The first sentence that schema.sql says of each table and view."""
    found = re.findall(r"^SELECT describe\('(\w+)', '\n((?:.+\n)+)", schema, re.M)
    return {name: " ".join(text.split()).partition(". ")[0] for name, text in found}


def plain(columns: str) -> str:
    """The columns of a key, without what makes no value count as an empty text."""
    return re.sub(r"\(?coalesce\((\w+), ''(?:::text)?\)\)?", r"\1", columns, flags=re.I)


def keys(schema: str) -> dict[str, str]:
    """The columns of each table's natural key."""
    found = re.findall(
        r"^CREATE UNIQUE INDEX IF NOT EXISTS (\w+)_key\s+ON \1 ([^;]*);", schema, re.M
    )
    return {name: re.sub(r"\s+", " ", plain(columns))[1:-1] for name, columns in found}


def kind(name: str) -> str:
    """How a table is merged, in the words of the README."""
    held = TABLES.get(name)
    if held is None:
        return "view" if name not in OTHER_TABLES else "own"
    parent = f" of {code(held.parent.table)}" if held.parent else ""
    return f"part{parent}" if held.kind is Kind.PART else held.kind.name.lower()


def tables() -> str:
    """The map of the database."""
    schema = (ROOT / "schema.sql").read_text()
    said, columns = purposes(schema), keys(schema)
    names = re.findall(r"^CREATE (?:TABLE IF NOT EXISTS|OR REPLACE VIEW) (\w+)", schema, re.M)
    rows = [
        (code(name), said[name], code(columns[name]) if name in columns else "", kind(name))
        for name in names
    ]
    return table(("table", "what a row is", "natural key", "kind"), rows)


BLOCKS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "sender-flags": sender_flags,
    "receiver-flags": receiver_flags,
    "collectors": collectors,
    "tables": tables,
    "sender-policy": sender_policy,
}


def written(text: str) -> str:
    """The text with every block written anew."""
    return BLOCK.sub(lambda held: f"{held[1]}\n{BLOCKS[held[2]]()}\n\n{held[3]}", text)


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
