"""What becomes of a category, and which of its lists are complete."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

import observability.collectors  # noqa: F401  they declare the errors
from observability.aws.errors import ListingError
from observability.aws.session import Aws
from observability.collecting.parallel import map_items
from observability.collecting.result import CategoryResult
from observability.collecting.spool import DocumentBuilder, DocumentBuilders, Store
from observability.log import Log

DENIED = ("kms:DescribeKey", "AccessDeniedException", "User: x is not authorized to perform: y")
BY_KEY = (*DENIED[:2], f"{DENIED[2]} because no resource-based policy allows the action")
VANISHED = ("kms:DescribeKey", "NotFoundException", "Key 'x' does not exist")
NOT_HERE = ("rds:DescribeReservedDBInstances", "InvalidAction", "is not valid for this web service")
NO_VALUE = ("ssm:DescribeInstancePatches", "InvalidInstanceId", "")


def refused(call: str, code: str, words: str) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": words, "Call": call}}
    return ClientError(response, call.partition(":")[2])


@pytest.fixture
def builders() -> Iterator[DocumentBuilders]:
    store = Store()
    made = DocumentBuilders.__new__(DocumentBuilders)
    made.all = [DocumentBuilder((None, None), store)]  # type: ignore[arg-type]
    yield made
    store.close()


def read(out: CategoryResult, answer: Any, **how: Any) -> list[Any]:
    """Read two items, of which the first one is answered so."""

    def ask(item: str) -> str:
        if item == "first" and isinstance(answer, Exception):
            raise answer
        return item

    aws = Aws("us-east-1", Log(), time.monotonic() + 60)
    return [found for _, found in map_items(aws, ["first", "second"], ask, out, **how)]


@pytest.mark.parametrize(
    ("answer", "status", "told"),
    [
        (DENIED, "Fail", "denied"),
        (BY_KEY, "Pass", "refused by"),
        (VANISHED, "Pass", "NotFoundException"),
        (NOT_HERE, "Pass", "the region does not have"),
        (NO_VALUE, "Pass", "agent does not run"),
    ],
)
def test_an_item_whose_details_are_not_told_leaves_its_list_complete(
    answer: tuple[str, str, str], status: str, told: str, builders: DocumentBuilders
) -> None:
    out = CategoryResult("security", builders)
    assert read(out, refused(*answer)) == [None, "second"]
    out.emit({"row": 1})
    out.finish()
    assert (out.status, out.complete) == (status, {""})
    assert any(told in text for _, text in out.messages())


@pytest.mark.parametrize("answer", [DENIED, BY_KEY, VANISHED, NOT_HERE, NO_VALUE])
def test_a_list_whose_rows_come_of_the_items_is_not_complete_without_one(
    answer: tuple[str, str, str], builders: DocumentBuilders
) -> None:
    out = CategoryResult("inventory", builders, lists=("instances", "patches"))
    read(out, refused(*answer), fills=["patches"])
    out.emit({"row": 1}, "instances")
    out.finish()
    assert out.complete == {"instances"}


def test_absence_may_be_an_answer(builders: DocumentBuilders) -> None:
    out = CategoryResult("account", builders)
    assert read(out, refused(*VANISHED), absent="none", fills=[""]) == ["none", "second"]
    out.finish()
    assert (out.status, out.complete) == ("Pass", {""})
    assert [kind for kind, _ in out.messages()] == ["SUCCESS", "TIMING"]


def test_what_is_wrong_with_an_item_is_told_by_its_name(builders: DocumentBuilders) -> None:
    out = CategoryResult("kms", builders)
    assert read(out, KeyError("KeyState")) == [None, "second"]
    out.finish()
    assert (out.status, out.complete) == ("Fail", {""})
    assert any("first: KeyError: 'KeyState'" in text for _, text in out.messages())


def test_rows_that_are_missing_are_told_and_no_list_of_them_is_complete(
    builders: DocumentBuilders,
) -> None:
    out = CategoryResult("kms", builders)
    out.emit({"number": float("nan")})
    out.finish()
    assert (out.status, out.complete) == ("Fail", set())


def test_a_page_that_is_not_read_leaves_no_list_complete(builders: DocumentBuilders) -> None:
    for error in (refused(*DENIED), refused(*VANISHED), ListingError("a token twice")):
        out = CategoryResult("health", builders)
        out.emit({"row": 1})
        out.record_error(error, whole=True)
        out.finish()
        assert (out.status, out.complete) == ("Fail", set())


def test_what_was_not_asked_or_is_off_is_not_complete(builders: DocumentBuilders) -> None:
    out = CategoryResult("health", builders)
    assert out.complete == set()  # it is not over
    out.record_error(refused(*NOT_HERE), whole=True)
    out.finish()
    assert (out.status, out.complete) == ("Skipped", set())


def test_a_listing_whose_items_are_all_skipped_is_skipped(builders: DocumentBuilders) -> None:
    out = CategoryResult("ri_sp_savings", builders)
    read(out, refused(*NOT_HERE), fills=out.lists)
    out.finish()
    assert (out.status, out.complete) == ("Skipped", set())


def parts_of(builders: DocumentBuilders, *lists: tuple[str, ...]) -> CategoryResult:
    out = CategoryResult("security", builders, lists=())
    out.parts = [
        CategoryResult(f"security.{number}", builders, lists=held)
        for number, held in enumerate(lists)
    ]
    return out


def test_a_part_that_is_off_leaves_its_list_to_the_others_that_fill_it(
    builders: DocumentBuilders,
) -> None:
    out = parts_of(builders, ("",), ("",))
    out.parts[0].record_error(refused(*NOT_HERE), whole=True)
    for part in (*out.parts, out):
        part.finish()
    assert (out.status, out.complete) == ("Pass", {""})


def test_a_part_that_failed_leaves_the_lists_of_others_complete(
    builders: DocumentBuilders,
) -> None:
    out = parts_of(builders, ("kms",), ("waf",), ("trails",))
    out.parts[0].record_error(refused(*DENIED), whole=True)
    out.parts[1].record_error(refused(*NOT_HERE), whole=True)
    for part in (*out.parts, out):
        part.finish()
    assert (out.status, out.complete) == ("Fail", {"trails"})


def test_a_part_that_broke_off_takes_the_list_that_it_shares_with_it(
    builders: DocumentBuilders,
) -> None:
    out = parts_of(builders, ("",), ("",))
    out.parts[0].emit({"row": 1})
    out.parts[0].record_error(refused(*NOT_HERE), whole=True)
    for part in (*out.parts, out):
        part.finish()
    assert out.complete == set()
