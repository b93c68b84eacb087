"""What the hub says of accounts stands before what they say of themselves; names of products."""

from __future__ import annotations

import itertools
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

import receiver
from observability.errors import UsageError
from observability.receiving.result import FileStatus
from observability.settings.tags_file import products_of, read_tags_file
from observability.settings.values import Target
from tests import documents
from tests.database.estates import BANK, SHOP, YESTERDAY, load, quiet
from tests.documents import Document
from tests.warehouse import Warehouse

FIRST = YESTERDAY - timedelta(days=1)  # documents of today may not be collected yet
BEFORE = FIRST - timedelta(days=1)
COLUMNS = "customer_name, partner_name, category, account_type"
TAGS = """account_id,customer,partner,environment,product
111122223333,Shop Ltd,,production,"Shop, Web shop"
444455556666,Bank Ltd,,,
"""


def claiming(
    customer: str, product: Any, day: date = FIRST, account: str = SHOP, **more: Any
) -> Document:
    """A document of an account that says whose it is."""
    made = quiet(day, account, **more)
    made["account"].update(customer_name=customer, partner_name="P", category="C", account_type="T")
    made["account"]["product"] = product
    return made


def give(warehouse: Warehouse, path: Path, text: str) -> int:
    path.write_text(text)
    place = ("--bucket", warehouse.bucket, "--database", warehouse.database)
    return receiver.main(["--tags", str(path), *place])


def tags(warehouse: Warehouse) -> dict[tuple[str, str], tuple[list[str], list[str]]]:
    """The tags and products that are in force, by account and region."""
    rows = warehouse.query(f"""
        SELECT a.account_id, a.region, ARRAY[{COLUMNS}] AS tags, ARRAY(
            SELECT p.name FROM product_accounts l JOIN products p ON p.id = l.product_id
            WHERE l.account_id = a.id ORDER BY p.name COLLATE "C") AS products FROM accounts a""")
    return {(r["account_id"], r["region"]): (r["tags"], r["products"]) for r in rows}


def test_an_account_cannot_charge_its_costs_to_somebody_else(
    warehouse: Warehouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop, bank = (SHOP, "us-east-1"), (BANK, "us-east-1")
    load(warehouse, claiming("Bank Ltd", "Bank, SHOP", BEFORE))
    load(warehouse, claiming("Bank Ltd", "Bank", BEFORE, BANK))
    assert give(warehouse, tmp_path / "tags.csv", TAGS) == 0
    assert "2 accounts have tags of the hub, 1 changed" in capsys.readouterr().out
    ours = (["Shop Ltd", "P", "C", "production"], ["Shop", "Web shop"])
    theirs = (["Bank Ltd", "P", "C", "T"], ["Bank"])
    assert tags(warehouse) == {shop: ours, bank: theirs}
    hostile = claiming("Other Ltd", "Bank,Other,shop")
    load(warehouse, hostile, claiming("Bank Ltd", "Bank", region="eu-west-1"))
    assert tags(warehouse) == {shop: ours, (SHOP, "eu-west-1"): ours, bank: theirs}
    assert {name["name"] for name in warehouse.query("SELECT name FROM products")} == {
        "Bank", "Shop", "Web shop",
    }  # fmt: skip
    told = "SELECT FROM changes WHERE change = 'updated' AND new_values ? 'customer_name'"
    assert not warehouse.query(told)
    again = warehouse.load(hostile, documents.key(FIRST, SHOP, "us-east-1"))
    assert (again.counters["accounts"]["UPDATED"], again.counters["accounts"]["SKIPPED"]) == (0, 1)
    # What the hub no longer says is the document's again, products with the next one.
    assert give(warehouse, tmp_path / "tags.csv", "account_id,customer\n444455556666,Bank\n") == 0
    own = ["Other Ltd", "P", "C", "T"]
    assert tags(warehouse)[shop] == (own, ["None"])
    assert tags(warehouse)[bank] == (["Bank", "P", "C", "T"], ["Bank"])
    load(warehouse, claiming("Shop Ltd", "Bank", YESTERDAY))
    assert tags(warehouse)[shop] == (["Shop Ltd", "P", "C", "T"], ["Bank"])
    assert give(warehouse, tmp_path / "tags.csv", "account_id\n444455556666\n") == 0
    assert "0 accounts have tags of the hub, 1 changed" in capsys.readouterr().out


def test_tags_may_come_before_or_after_the_documents(warehouse: Warehouse, tmp_path: Path) -> None:
    made = [
        claiming("One", "A, B", BEFORE),
        claiming("Two", "B, Shop"),
        claiming("Three", None, region="eu-west-1"),
    ]
    found = []
    for position in range(4):
        for number, each in enumerate(made):
            if number == position:
                give(warehouse, tmp_path / "tags.csv", TAGS)
            load(warehouse, each)
        give(warehouse, tmp_path / "tags.csv", TAGS)
        rows = warehouse.rows()
        found.append({name: rows[name] for name in ("accounts", "product_accounts")})
        warehouse.query("TRUNCATE accounts, products, account_tags CASCADE", fetch=False)
    assert found[1:] == found[:1] * 3


def test_documents_of_accounts_with_one_product_do_not_wait_for_each_other(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    """One that takes minutes to load would keep all others of its customer waiting."""
    load(warehouse, claiming("Shop Ltd", "Shop"), claiming("Bank Ltd", "SHOP", account=BANK))
    give(warehouse, tmp_path / "tags.csv", f"account_id,product\n{SHOP},Shop\n{BANK},Shop\n")
    dsn = warehouse.embedded.postgres.dsn_for(warehouse.database)
    with psycopg.connect(dsn) as slow, psycopg.connect(dsn) as other:
        other.execute("SET lock_timeout = '1s'")
        for connection, account in ((slow, SHOP), (other, BANK)):
            connection.execute("SELECT link_products(%s)", (account,))


def test_one_account_decides_how_a_product_is_written_whatever_the_order(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    names = "SELECT name FROM products ORDER BY name"
    made = [
        claiming("Shop Ltd", "Bank", BEFORE),
        claiming("Shop Ltd", "BAnk"),
        claiming("Bank Ltd", "BANK", account=BANK),
    ]
    for order in itertools.permutations(made):
        warehouse.empty()
        load(warehouse, *order)
        assert warehouse.query(names) == [{"name": "BAnk"}], order
    lineage = """SELECT a.account_id FROM products p JOIN documents d ON d.id = p.document_id
        JOIN accounts a ON a.id = d.account_id"""
    assert warehouse.query(lineage) == [{"account_id": SHOP}]
    # Once the hub has written it, also in the same way, it is no account's any more.
    give(warehouse, tmp_path / "tags.csv", f"account_id,product\n{SHOP},BAnk\n")
    load(warehouse, claiming("Bank Ltd", "BANK", YESTERDAY, BANK))
    assert warehouse.query(names) == [{"name": "BAnk"}]
    assert not warehouse.query(lineage)
    # A letter that PostgreSQL and Python write small in different ways.
    assert (
        give(warehouse, tmp_path / "tags.csv", f'account_id,product\n{SHOP},"\u0130a, ia"\n') == 0
    )
    # Nor is the name of those that have none.
    load(warehouse, claiming("Bank Ltd", [{"name": " NONE"}], account=BANK, region="eu-west-1"))
    assert tags(warehouse)[BANK, "eu-west-1"][1] == ["None"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Ba\u200bnk", "has the unseen character U+200B"),
        ("Bank\u202e", "has the unseen character U+202E"),
        ("Ba\u034fnk", "has the unseen character U+034F"),
        ("Bank\u3164", "has the unseen character U+1160"),
        ("B\u0430nk", "mixes Latin letters with CYRILLIC SMALL LETTER A"),
        ("\u0392ank shop", "mixes Latin letters with GREEK CAPITAL LETTER BETA"),
    ],
)
def test_a_name_that_looks_like_another_one_is_refused(
    warehouse: Warehouse, name: str, why: str
) -> None:
    key = documents.key(FIRST, SHOP, "us-east-1")
    result = warehouse.load(claiming("Shop Ltd", f"Shop,{name}"), key)
    assert result.status is FileStatus.REJECTED
    assert result.reasons[0].endswith(why)
    without = claiming("Shop Ltd", f"Shop,{name}, \uff22\uff41nk  \u0431\u0430\u043d\u043a, \u00b5")
    del without["meta"]
    listed = without["account"]["product"].split(",")
    listed[2:] = [{"name": f" {listed[2]}"}, "Shop\ufe0f", listed[3]]
    without["account"]["product"] = listed
    result = warehouse.load(without, key)
    assert (result.status, result.left_out["product_accounts"]) == (FileStatus.LOADED, 1)
    [(_, products)] = tags(warehouse).values()
    assert products == ["Bank \u0431\u0430\u043d\u043a", "Shop", "\u03bc"]


WRONG = {
    "account_id,customer\n111122223333,B\u0430nk\n": ["mixes Latin letters with CYRILLIC"],
    "account_id,product\n111122223333,Shop\n444455556666,SHOP\n12,x\n": ["account id of 12 digits"],
    "account_id,product\n111122223333,Shop\n444455556666,SHOP\n": ["'Shop' is written 'SHOP' here"],
    "account_id,owner\n111122223333,x\n": ["the header has 'owner'"],
    '[{"account_id": "111122223333", "owner": 1}, {"account_id": 111122223333}, 8, {}]':
        ["1: it has 'owner'", "2: account_id must be a text", "3: it is no object",
         "4: None is not an account id"],
    '[{"account_id": "111122223333", "customer": 3}]': ["customer must be a text"],
    "{}": ["it must be a list"],
    "[]": ["there is no account in it"],
    "[": ["not JSON"],
    'account_id\n"1"x\n': ["not CSV"],
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_a_file_that_is_wrong_is_told_line_by_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / ("tags.json" if text[0] in "[{" else "tags.csv")
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_tags_file(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(WRONG[text])
    for line, told in zip(lines, WRONG[text], strict=True):
        assert line.startswith(str(path))
        assert told in line


def test_json_says_the_same_as_csv(tmp_path: Path) -> None:
    (tmp_path / "tags.csv").write_text(TAGS)
    content = [
        {"account_id": SHOP, "customer": "Shop Ltd", "environment": "production", "partner": None,
         "product": ["Shop", None, " Web shop"]},
        {"account_id": BANK, "customer": "Bank Ltd"},
    ]  # fmt: skip
    (tmp_path / "tags.JSON").write_text(json.dumps(content))
    from_csv, from_json = (read_tags_file(tmp_path / name) for name in ("tags.csv", "tags.JSON"))
    assert [t.tags.keys() for t in from_csv] == [t.tags.keys() for t in from_json]
    assert from_csv[1] == from_json[1]
    assert products_of(from_json[0]) == products_of(from_csv[0]) == ("Shop", "Web shop")
    assert products_of(Target(SHOP, {"product": "NONE"})) == ("None",)
