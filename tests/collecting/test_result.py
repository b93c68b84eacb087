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


def read(result: CategoryResult, answer: Any, **how: Any) -> list[Any]:
    """Read two items, of which the first one is answered so."""

    def ask(item: str) -> str:
        if item == "first" and isinstance(answer, Exception):
            raise answer
        return item

    aws = Aws("us-east-1", Log(), time.monotonic() + 60)
    return [found for _, found in map_items(aws, ["first", "second"], ask, result, **how)]


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
    result = CategoryResult("security", builders)
    assert read(result, refused(*answer)) == [None, "second"]
    result.emit({"row": 1})
    result.finish()
    assert (result.status, result.complete) == (status, {""})
    assert any(told in text for _, text in result.messages())


@pytest.mark.parametrize("answer", [DENIED, BY_KEY, VANISHED, NOT_HERE, NO_VALUE])
def test_a_list_whose_rows_come_of_the_items_is_not_complete_without_one(
    answer: tuple[str, str, str], builders: DocumentBuilders
) -> None:
    result = CategoryResult("inventory", builders, lists=("instances", "patches"))
    read(result, refused(*answer), fills=["patches"])
    result.emit({"row": 1}, "instances")
    result.finish()
    assert result.complete == {"instances"}


def test_absence_may_be_an_answer(builders: DocumentBuilders) -> None:
    result = CategoryResult("account", builders)
    assert read(result, refused(*VANISHED), absent="none", fills=[""]) == ["none", "second"]
    result.finish()
    assert (result.status, result.complete) == ("Pass", {""})
    assert [kind for kind, _ in result.messages()] == ["SUCCESS", "TIMING"]


def test_what_is_wrong_with_an_item_is_told_by_its_name(builders: DocumentBuilders) -> None:
    result = CategoryResult("kms", builders)
    assert read(result, KeyError("KeyState")) == [None, "second"]
    result.finish()
    assert (result.status, result.complete) == ("Fail", {""})
    assert any("first: KeyError: 'KeyState'" in text for _, text in result.messages())


def test_rows_that_are_missing_are_told_and_no_list_of_them_is_complete(
    builders: DocumentBuilders,
) -> None:
    result = CategoryResult("kms", builders)
    result.emit({"number": float("nan")})
    result.finish()
    assert (result.status, result.complete) == ("Fail", set())


def test_a_page_that_is_not_read_leaves_no_list_complete(builders: DocumentBuilders) -> None:
    for error in (refused(*DENIED), refused(*VANISHED), ListingError("a token twice")):
        result = CategoryResult("health", builders)
        result.emit({"row": 1})
        result.record_error(error, whole=True)
        result.finish()
        assert (result.status, result.complete) == ("Fail", set())


def test_what_was_not_asked_or_is_off_is_not_complete(builders: DocumentBuilders) -> None:
    result = CategoryResult("health", builders)
    assert result.complete == set()  # it is not over
    result.record_error(refused(*NOT_HERE), whole=True)
    result.finish()
    assert (result.status, result.complete) == ("Skipped", set())


def test_a_listing_whose_items_are_all_skipped_is_skipped(builders: DocumentBuilders) -> None:
    result = CategoryResult("ri_sp_savings", builders)
    read(result, refused(*NOT_HERE), fills=result.lists)
    result.finish()
    assert (result.status, result.complete) == ("Skipped", set())


def parts_of(builders: DocumentBuilders, *lists: tuple[str, ...]) -> CategoryResult:
    result = CategoryResult("security", builders, lists=())
    result.parts = [
        CategoryResult(f"security.{number}", builders, lists=held)
        for number, held in enumerate(lists)
    ]
    return result


def test_a_part_that_is_off_leaves_its_list_to_the_others_that_fill_it(
    builders: DocumentBuilders,
) -> None:
    result = parts_of(builders, ("",), ("",))
    result.parts[0].record_error(refused(*NOT_HERE), whole=True)
    for part in (*result.parts, result):
        part.finish()
    assert (result.status, result.complete) == ("Pass", {""})


def test_a_part_that_failed_leaves_the_lists_of_others_complete(
    builders: DocumentBuilders,
) -> None:
    result = parts_of(builders, ("kms",), ("waf",), ("trails",))
    result.parts[0].record_error(refused(*DENIED), whole=True)
    result.parts[1].record_error(refused(*NOT_HERE), whole=True)
    for part in (*result.parts, result):
        part.finish()
    assert (result.status, result.complete) == ("Fail", {"trails"})


def test_a_part_that_broke_off_takes_the_list_that_it_shares_with_it(
    builders: DocumentBuilders,
) -> None:
    result = parts_of(builders, ("",), ("",))
    result.parts[0].emit({"row": 1})
    result.parts[0].record_error(refused(*NOT_HERE), whole=True)
    for part in (*result.parts, result):
        part.finish()
    assert result.complete == set()
