"""Lists that are as they were are not merged, and yet count as listed."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from observability.receiving.result import FileStatus
from tests import documents
from tests.documents import Document, document
from tests.warehouse import Warehouse

DAY = date(2026, 11, 10)


def day_with(keys: str, number: int, **changed: Any) -> Document:
    """A document of day `number` that lists the KMS keys of these letters."""
    made = document(DAY + timedelta(number))
    [key] = made["security"]["kms"]
    made["security"]["kms"] = [key | {"key_id": letter} | changed for letter in keys]
    return made


def load(warehouse: Warehouse, made: Document) -> dict[str, int]:
    """Load a document; what became of its keys."""
    about = made["meta"]
    day = date.fromisoformat(about["period"]["start"])
    result = warehouse.load(made, documents.key(day, about["account_id"]))
    assert result.status is FileStatus.LOADED
    counted = result.counters["kms_keys"]
    return {name: counted[name] for name in ("CREATED", "UPDATED", "SKIPPED", "GONE", "TOTAL")}


def counts(created: int, updated: int, skipped: int, gone: int) -> dict[str, int]:
    total = created + updated + skipped
    return {"CREATED": created, "UPDATED": updated, "SKIPPED": skipped, "GONE": gone,
            "TOTAL": total}  # fmt: skip


def stored(warehouse: Warehouse) -> dict[str, tuple[Any, ...]]:
    """Of each key: the day since which it is gone, and the day of its document."""
    rows = warehouse.query("""
        SELECT k.key_id, CAST(k.gone_at AS date) - 1 AS gone, d.period_start AS of
        FROM kms_keys k JOIN documents d ON d.id = k.document_id ORDER BY k.key_id""")
    return {
        row["key_id"]: (row["gone"] and (row["gone"] - DAY).days, (row["of"] - DAY).days)
        for row in rows
    }


def test_an_unchanged_list_counts_as_listed(warehouse: Warehouse) -> None:
    assert load(warehouse, day_with("ab", 0)) == counts(2, 0, 0, 0)
    assert load(warehouse, day_with("ba", 1)) == counts(0, 0, 2, 0)
    assert load(warehouse, day_with("a", 3)) == counts(0, 0, 1, 1)
    assert stored(warehouse) == {"a": (None, 0), "b": (3, 1)}  # day 1 had b, and none after it
    load(warehouse, day_with("a", 2))
    assert stored(warehouse) == {"a": (None, 0), "b": (2, 1)}


@pytest.mark.parametrize(
    ("second", "expected", "gone"),
    [
        ("aab", counts(0, 0, 3, 1), "c"),  # as many rows as there are keys
        ("ab", counts(0, 0, 2, 1), "c"),
        ("abcd", counts(1, 0, 3, 0), ""),
        ("abcc", counts(0, 0, 4, 0), ""),
        ("abd", counts(1, 0, 2, 1), "c"),
        ("", counts(0, 0, 0, 3), "abc"),
    ],
)
def test_a_list_with_other_keys_is_merged(
    warehouse: Warehouse, second: str, expected: dict[str, int], gone: str
) -> None:
    load(warehouse, day_with("abc", 0))
    assert load(warehouse, day_with(second, 1)) == expected
    assert "".join(key for key, (since, _) in stored(warehouse).items() if since == 1) == gone


@pytest.mark.parametrize(
    ("second", "expected", "gone"),
    [
        ("abcdefgh", counts(0, 0, 8, 0), ""),
        ("bcdefgh", counts(0, 0, 7, 1), "a"),
        ("abcdefg", counts(0, 0, 7, 1), "h"),
        ("abcdefga", counts(0, 0, 8, 1), "h"),  # as many rows as there are keys
        ("abcdefghi", counts(1, 0, 8, 0), ""),
        ("abcdefgi", counts(1, 0, 7, 1), "h"),
    ],
)
def test_a_list_of_several_requests_is_compared_as_a_whole(
    warehouse: Warehouse, second: str, expected: dict[str, int], gone: str
) -> None:
    """A request takes three of these keys."""
    load(warehouse, day_with("abcdefgh", 0, description="long " * 200_000))
    warehouse.embedded.data_api.forget_calls()
    assert load(warehouse, day_with(second, 1, description="long " * 200_000)) == expected
    assert len(warehouse.embedded.data_api.calls) > 4
    assert "".join(key for key, (since, _) in stored(warehouse).items() if since == 1) == gone


@pytest.mark.parametrize("value", [None, "", "other"])
def test_a_row_that_somebody_changed_is_mended(warehouse: Warehouse, value: str | None) -> None:
    load(warehouse, day_with("ab", 0))
    written = "NULL" if value is None else f"'{value}'"
    warehouse.query(f"UPDATE kms_keys SET arn = {written} WHERE key_id = 'b'", fetch=False)
    assert load(warehouse, day_with("ab", 1)) == counts(0, 1, 1, 0)
    arns = warehouse.query("SELECT DISTINCT arn FROM kms_keys")
    assert [row["arn"] for row in arns] == [day_with("a", 0)["security"]["kms"][0]["arn"]]


def test_a_value_that_becomes_unknown_is_a_change(warehouse: Warehouse) -> None:
    load(warehouse, day_with("a", 0))
    assert load(warehouse, day_with("a", 1, description=None)) == counts(0, 1, 0, 0)
    assert load(warehouse, day_with("a", 2, description=None)) == counts(0, 0, 1, 0)
    assert stored(warehouse) == {"a": (None, 1)}


def test_a_row_that_was_gone_lives_again(warehouse: Warehouse) -> None:
    load(warehouse, day_with("ab", 0))
    load(warehouse, day_with("a", 1))
    assert load(warehouse, day_with("ab", 2)) == counts(0, 1, 1, 0)
    assert stored(warehouse) == {"a": (None, 0), "b": (None, 2)}


def test_one_that_was_gone_takes_the_place_of_one_that_lived(warehouse: Warehouse) -> None:
    load(warehouse, day_with("ab", 0))
    load(warehouse, day_with("a", 1))
    assert load(warehouse, day_with("b", 2)) == counts(0, 1, 0, 1)
    assert stored(warehouse) == {"a": (2, 1), "b": (None, 2)}


def test_a_list_of_none_is_listed_as_well(warehouse: Warehouse) -> None:
    """What comes late of a day before it is gone since then."""
    load(warehouse, day_with("", 0))
    load(warehouse, day_with("", 4))
    load(warehouse, day_with("", 5))
    assert load(warehouse, day_with("a", 2)) == counts(1, 0, 0, 0)
    assert stored(warehouse) == {"a": (4, 2)}


def test_a_list_that_was_not_read_whole_says_nothing_of_the_others(warehouse: Warehouse) -> None:
    """So its rows are known by it, also where it is all that there is."""
    load(warehouse, day_with("ab", 0))
    for number, keys in ((1, "a"), (2, "ab")):
        made = day_with(keys, number)
        made["logs"]["security_status"] = "Fail"
        made["meta"].pop("complete", None)
        load(warehouse, made)
        of = {key: (None, number if key in keys else 0) for key in "ab"}
        assert stored(warehouse) == of


def test_rows_of_a_document_without_meta_become_those_of_one_with(warehouse: Warehouse) -> None:
    load(warehouse, day_with("", 0))
    made = document(DAY + timedelta(1), meta=False)
    made["security"]["kms"] = day_with("a", 1)["security"]["kms"]
    key = documents.key(DAY + timedelta(1))
    assert warehouse.load(made, key).status is FileStatus.LOADED
    load(warehouse, day_with("a", 2))
    assert stored(warehouse) == {"a": (None, 2)}
