"""One hostile account among honest ones: theirs is loaded as if it were not there.

    python -m tests.neighbours            # 50 honest accounts, ten days, some minutes

An honest account is loaded before all others, for comparison. Then everything waits at once: the
documents of the honest accounts, and those of the hostile one, of every kind that is known to
have done harm or might. After one sweep each honest account must have the rows of that first one.
Then what the hostile account had loaded is taken out again, and its own rows must be those of
before. Exit code 1 if anything differs.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

import receiver
from observability.receiving.result import FileStatus
from tests import documents
from tests.documents import Document, document
from tests.soak import keys, opened_warehouse
from tests.warehouse import LOAD_TIMES, PARENTS, STORED, SURROGATES, Warehouse

FIRST_DAY = date(2026, 10, 1)
"""So early that no day of a kind is to come, by which alone it would be refused."""
HOSTILE, MODEL = "666600000666", "777700000777"
"""The hostile account, and the honest one that is loaded before all others."""
WORKERS = 4

Body = bytes | Document
Kind = Callable[[date, int], Iterator[tuple[str, Body]]]
"""What makes the keys and documents of a kind, of a day and of a size."""

KINDS: dict[str, Kind] = {}


def key_of(day: date, region: str = documents.REGION, more: str = "") -> str:
    """A key of the hostile account."""
    return documents.key(day, HOSTILE, region).replace(".json", f"{more}.json")


def kind(made: Callable[[date, int], Body]) -> Callable[[date, int], Body]:
    """Declare a kind of one document, whose key is as it should be."""

    def one(day: date, size: int) -> Iterator[tuple[str, Body]]:
        yield key_of(day), made(day, size)

    KINDS[made.__name__] = one
    return made


def kinds(made: Kind) -> Kind:
    """Declare a kind of several documents, or of other keys."""
    KINDS[made.__name__] = made
    return made


# What is refused


@kind
def no_json(_day: date, _size: int) -> Body:
    return b"account,cost\n1,2\n"


@kind
def compressed(day: date, size: int) -> Body:
    return gzip.compress(b" " * 1_000_000 * size + documents.encode(document(day, HOSTILE)))


@kind
def nested_without_end(_day: date, size: int) -> Body:
    return b'{"account":' + b'{"a":' * 100_000 * size


@kind
def one_large_row(day: date, _size: int) -> Body:
    made = document(day, HOSTILE)
    made["security"]["kms"][0]["description"] = "x" * 5_000_000
    return made


@kind
def thousands_of_names(day: date, size: int) -> Body:
    return {**document(day, HOSTILE), **{f"name{n}": n for n in range(2000 * size)}}


@kind
def thousands_of_problems(day: date, size: int) -> Body:
    made = document(day, HOSTILE)
    made["health"] = [{"arn": None, "start_time": f"no time {n}"} for n in range(500 * size)]
    return made


@kind
def the_body_of_another_account(day: date, _size: int) -> Body:
    return document(day, MODEL)


@kind
def collected_next_month(day: date, _size: int) -> Body:
    made = document(day, HOSTILE)
    made["meta"]["collected_at"] = str(datetime.now(UTC) + timedelta(days=30))
    return made


@kind
def what_no_text_may_hold(day: date, _size: int) -> Body:
    made = document(day, HOSTILE)
    made["security"]["kms"][0]["description"] = "\0\ud800"
    return made


@kind
def two_in_one(day: date, _size: int) -> Body:
    return documents.encode(document(day, HOSTILE)) * 2


@kinds
def keys_that_name_nothing(day: date, _size: int) -> Iterator[tuple[str, Body]]:
    """A day to come, a region and an interval that do not exist, folders, long names."""
    after = datetime.now(UTC).date() + timedelta(days=30)
    yield key_of(after), document(after, HOSTILE)
    yield key_of(day, "mars-north-1"), document(day, HOSTILE, "mars-north-1")
    names = (f"{day}_SECONDLY.json", "", "x" * 800, f"../{MODEL}/{day}_DAILY.json")
    for name in names:
        yield f"data/{HOSTILE}/{documents.REGION}/{name}", document(day, HOSTILE)


REFUSED = 16
"""Documents of the kinds above, of any size; of those below none may be refused."""


# What is loaded, as it may all be true


@kind
def ids_and_arns_of_another(day: date, _size: int) -> Body:
    """Newer than theirs, and with other values."""
    made = document(day, HOSTILE)
    theirs = json.dumps(document(day, MODEL)).replace("2026-11-20", str(day))
    for name, content in json.loads(theirs.replace("CRITICAL", "LOW")).items():
        if name not in ("meta", "account"):
            made[name] = content
    return made


@kind
def products_of_others(day: date, _size: int) -> Body:
    made = document(day, HOSTILE)
    made["account"].update(product="shop,SEARCH", customer_name="Customer")
    return made


@kind
def nothing_exists(day: date, _size: int) -> Body:
    """Complete listings without a row."""
    made = document(day, HOSTILE)
    for name in ("service", "health", "service_resources", "config_inventory", "marketplace"):
        made[name] = []
    made["security"] = {name: [] for name in made["security"]}
    made["inventory"] = {name: [] for name in made["inventory"]}
    return made


@kind
def statements_and_formulas(day: date, _size: int) -> Body:
    made = document(day, HOSTILE)
    texts = ("'); DROP TABLE kms_keys; --", "$1", ":account", "=cmd|'/C calc'!A1", "<script>")
    row = made["security"]["kms"][0]
    made["security"]["kms"] = [{**row, "key_id": text, "description": text} for text in texts]
    return made


@kind
def absurd_money(day: date, _size: int) -> Body:
    made = document(day, HOSTILE)
    for row in (*made["service"], *made["cost_by_tag"]):
        row.update(cost="9999999999.0000000001", amortized_cost="-9999999999")
    return made


@kind
def versions_of_the_year_9999(day: date, _size: int) -> Body:
    made = document(day, HOSTILE)
    for row in made["security"]["security_hub"][0]["findings"]:
        row.update(updated_at="9999-12-31T23:59:59+00:00", title="for ever")
    return made


@kind
def many_rows(day: date, size: int) -> Body:
    made = document(day, HOSTILE)
    row = made["service_resources"][0]
    made["service_resources"] = [
        {**row, "resource_id": f"i-{n}", "resource_name": "x" * 200} for n in range(500 * size)
    ]
    return made


@kind
def a_flood_of_messages(day: date, size: int) -> Body:
    made = document(day, HOSTILE)
    made["logs"]["message"] = [{"ERROR": "x" * 500} for _ in range(300 * size)]
    return made


@kinds
def a_flood_of_documents(day: date, size: int) -> Iterator[tuple[str, Body]]:
    """Of one day, in four regions, so that they take all workers."""
    for number in range(4 * size):
        region = ("eu-west-1", "us-east-1", "us-west-2", "sa-east-1")[number % 4]
        yield key_of(day, region, f".{number}"), document(day, HOSTILE, region)


# The run


@dataclass
class Figures:
    """What was loaded, and what differs from what should be."""

    honest: int = 0
    hostile: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    recovered: int = 0
    differences: list[str] = field(default_factory=list)


def run(warehouse: Warehouse, *, honest: int, days: int, size: int) -> Figures:
    """Load a model, then honest and hostile accounts at once; compare, and take out what is bad."""
    accounts = [f"{444_400_000_000 + number}" for number in range(honest)]
    period = [FIRST_DAY + timedelta(days=number) for number in range(days)]
    for account in (MODEL, HOSTILE):
        for day in period:
            put(warehouse, documents.key(day, account), document(day, account))
    figures = Figures()
    sweep(warehouse, figures)
    before = digests(warehouse)
    good = {documents.key(day, account) for account in accounts for day in period}
    for key in good:
        _, account, _, name = key.split("/")
        put(warehouse, key, document(date.fromisoformat(name[:10]), account))
    for number, kind_of in enumerate(KINDS.values()):
        for key, body in kind_of(period[-1] + timedelta(days=number % 25 + 1), size):
            put(warehouse, key, body)
            figures.hostile += 1
    figures.honest = len(good)
    calls = warehouse.receiver.db.calls.counts
    made = calls.total()
    results = sweep(warehouse, figures)
    figures.calls = calls.total() - made
    late = sorted(key for key in good if results[key] is not FileStatus.LOADED)
    figures.differences += [f"not loaded: {key}" for key in late]
    refused = sum(status is FileStatus.REJECTED for status in results.values())
    if refused != REFUSED:
        figures.differences.append(f"{refused} documents are refused, not {REFUSED}")
    found = digests(warehouse)
    for account in (MODEL, *accounts):
        figures.differences += differences(account, before[MODEL], found[account])
    figures.recovered = take_out(warehouse, {documents.key(day, HOSTILE) for day in period})
    after = digests(warehouse)
    figures.differences += differences("the hostile account", before[HOSTILE], after[HOSTILE])
    for account in (MODEL, *accounts):
        figures.differences += differences(f"{account}, later", before[MODEL], after[account])
    return figures


def put(warehouse: Warehouse, key: str, body: Body) -> None:
    content = body if isinstance(body, bytes) else documents.encode(body)
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=content)


def sweep(warehouse: Warehouse, figures: Figures) -> dict[str, FileStatus]:
    """Load all that waits; what became of each document."""
    settings = replace(warehouse.settings, workers=WORKERS)
    loading = replace(warehouse.receiver, settings=settings, again=False)
    results = receiver.load_all(loading, receiver.list_data(loading))
    figures.outcomes += Counter(result.status.value for result in results)
    return {result.key: result.status for result in results}


def take_out(warehouse: Warehouse, own: set[str]) -> int:
    """Remove all but its own documents of the hostile account, as an operator would; how many."""
    loaded = keys(warehouse, f"loaded/{HOSTILE}/")
    bad = [key for key in loaded if key.replace("loaded/", "data/", 1) not in own]
    place = ("--bucket", warehouse.bucket, "--database", warehouse.database, "-q")
    with contextlib.redirect_stdout(io.StringIO()):
        code = receiver.main(["--forget", ",".join(bad), *place])
    assert code == 0
    return len(bad)


# Comparing


Digests = dict[str, dict[str, str]]


def digests(warehouse: Warehouse) -> Digests:
    """For each account and table a digest of its rows, without the account's own number."""
    found: Digests = {}
    dsn = warehouse.embedded.postgres.dsn_for(warehouse.database)
    with psycopg.connect(dsn) as connection:
        for table in STORED:
            for account, digest in connection.execute(digest_sql(table).encode()).fetchall():
                found.setdefault(account, {})[table] = digest
        for account, names in connection.execute(PRODUCTS_SQL).fetchall():
            found[account]["products"] = names
    return found


def digest_sql(table: str) -> str:
    """The digests of a table's rows by account; those of a report or log are found through it."""
    parent = {"service_costs": "cost_report_id", "cost_forecasts": "cost_report_id",
              "log_messages": "log_id"}.get(table)  # fmt: skip
    own = "t.id" if table == "accounts" else "p.account_id" if parent else "t.account_id"
    join = f"JOIN accounts a ON a.id = {own}"
    if parent:
        join = f"JOIN {PARENTS[parent]} p ON p.id = t.{parent} {join}"
    parts = table in ("inventory_applications", "inventory_patches")
    ignored = SURROGATES | LOAD_TIMES.get(table, {"created_at", "updated_at"})
    ignored |= PARENTS.keys() | ({"instance_id"} if parts else set())
    return DIGEST_SQL.format(ignored=", ".join(sorted(ignored)), table=table, join=join)


DIGEST_SQL = """
WITH texts AS (
    SELECT a.account_id AS account,
           replace((to_jsonb(t) - '{{{ignored}}}'::text[])::text, a.account_id, 'ACCOUNT') AS text
    FROM {table} t {join})
SELECT account, count(*) || ' rows, ' || md5(string_agg(text, ',' ORDER BY text))
FROM texts GROUP BY 1"""
# In small letters: accounts share a product, and one of them decides how it is written.
PRODUCTS_SQL = """
SELECT a.account_id, string_agg(lower(p.name), ',' ORDER BY p.name)
FROM product_accounts t
JOIN accounts a ON a.id = t.account_id JOIN products p ON p.id = t.product_id GROUP BY 1"""


def differences(whose: str, expected: dict[str, str], found: dict[str, str]) -> Iterator[str]:
    """A line for each table in which an account has other rows than it should."""
    for table in sorted(expected.keys() | found.keys()):
        if expected.get(table) != found.get(table):
            yield f"{whose}: {table}: {found.get(table)} in place of {expected.get(table)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    summary = (__doc__ or "").split("\n", maxsplit=1)[0]
    parser = argparse.ArgumentParser(prog="tests.neighbours", description=summary)
    for name, default in (("honest", 50), ("days", 10), ("size", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked: dict[str, Any] = vars(parser.parse_args(arguments))
    started = time.monotonic()
    with opened_warehouse() as warehouse:
        figures = run(warehouse, **asked)
    for line in figures.differences[:20]:
        print(line[:500])
    outcomes = ", ".join(f"{number} {name}" for name, number in sorted(figures.outcomes.items()))
    print(
        f"{figures.honest} honest documents, {figures.hostile} hostile ones of {len(KINDS)} kinds: "
        f"{outcomes}; {figures.calls} calls, {figures.recovered} taken out, "
        f"{len(figures.differences)} differences, "
        f"{time.monotonic() - started:.0f} s"
    )
    return 1 if figures.differences else 0


if __name__ == "__main__":
    sys.exit(main())
