"""Every collector against the embedded cloud: whole, empty, denied, not enabled.

What the rows must be comes from the account itself (`TRUTH` of each category's test file), never
from a run.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from observability.collecting.collector import GLOBAL
from observability.collectors import CATEGORIES as SENDER_CATEGORIES
from tests.cloud import Account, ApiRequest, EmbeddedCloud
from tests.cloud.models import operation_model
from tests.cloud.switches import NOT_ENABLED
from tests.collectors.examples import examples
from tests.collectors.reading import (
    EVERYTHING,
    TOKENS,
    Send,
    is_true,
    list_is_true,
    names,
    paths_of,
    place_of,
    record,
    without_bucket,
)
from tests.collectors.registry import stated
from tests.collectors.test_cost import anomalies_of, reports_are_true
from tests.conftest import REGIONS, MakeAccount
from tests.runs import Document, Row, lists, rows, send, statuses

TRUTH, DENIALS, SWITCHED_OFF = map(stated, ("TRUTH", "DENIALS", "SWITCHED_OFF"))
GOLDEN, MADE_OF, EXAMPLES = map(stated, ("GOLDEN", "MADE_OF", "EXAMPLES"))
"""What the test file of each category says of it."""
HOME, OTHER = REGIONS
CATEGORIES = tuple(SENDER_CATEGORIES)


OWN_TESTS = {"account", "config", "cost"}
"""Lists whose rows are compared by the tests of their category, and not by a `Truth`."""


def test_every_list_of_a_document_has_a_truth(whole: Document) -> None:
    assert lists(whole).keys() == {*TRUTH, *OWN_TESTS}


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_category_has_a_test_file_of_its_name(category: str) -> None:
    here = Path(__file__).parent
    assert (here / f"test_{category}.py").is_file() or (here / category).is_dir()


@pytest.mark.parametrize("path", GOLDEN)
def test_a_row_says_what_aws_documents(path: str, account: Account, whole: Document) -> None:
    golden = GOLDEN[path]
    assert golden.make(golden.item) == golden.row
    derived = {name for row in TRUTH[path].rows(place_of(account, whole)) for name in row}
    assert {name for row in rows(whole, path) for name in row} == golden.row.keys() | derived


# Pages

ONE_PAGE = {
    "guardduty:ListDetectors": "a region has one detector",
    "cloudtrail:LookupEvents": "the newest few events tell that there is activity",
    "resiliencehub:ListAppAssessments": "only the newest assessment is wanted",
}


def can_be_paged(request: ApiRequest) -> bool:
    """Whether an API has pages."""
    shape = operation_model(request.service, request.operation).input_shape
    return bool(shape and TOKENS & shape.members.keys())


UNPAGED = {"account", "trusted_advisor"}
"""Categories whose APIs have no pages."""


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_page_of_every_listing_is_read(
    category: str, embedded: EmbeddedCloud, account: Account, only: Send
) -> None:
    embedded.cloud.page_size = 2
    requests = record(embedded, account)
    sent = only(category)
    assert sent.code == 0
    assert sent.statuses[category] == "Pass"
    is_true(sent.document, place_of(account, sent.document), category)
    listings = [held for held in requests if can_be_paged(held)]
    further = [held for held in listings if TOKENS & held.params.keys()]
    assert bool(further) is (category not in UNPAGED)
    assert names(listings).keys() - names(further).keys() <= ONE_PAGE.keys()


def test_other_regions_have_what_is_regional_and_nothing_twice(
    embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    flags = ("--regions", f"{OTHER},{HOME}", *EVERYTHING)
    sent = send(without_bucket(embedded, account), tmp_path, *flags)
    home, other = sent.documents
    assert [made["meta"]["region"] for made in sent.documents] == [HOME, OTHER]
    assert sent.code == 0
    is_true(home, place_of(account, home, others=(OTHER,)), *CATEGORIES)
    is_true(other, place_of(account, other, others=(HOME,)), *CATEGORIES)
    skipped = {name for name, status in statuses(other).items() if status == "Skipped"}
    assert skipped == {name for name, held in SENDER_CATEGORIES.items() if held.scope == GLOBAL}
    assert other["account"]["account_name"] == home["account"]["account_name"] == account.name
    for path in ("security.cloudtrail", "security.waf", "config_inventory", "service_resources"):
        key = "arn" if path.startswith("security.") else "resource_id"
        seen = [(row.get("region"), row[key]) for row in (*rows(home, path), *rows(other, path))]
        assert len(seen) == len(set(seen)), path


def test_all_regions_are_read_as_if_they_were_named(
    embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    """Each trail is told once, and what was bought in any of them is told at home."""
    only = ("--only", "security,ri_sp_savings")
    environment = without_bucket(embedded, account)
    found = send(environment, tmp_path, "--regions", "all", *only).documents
    named = [made["meta"]["region"] for made in found]
    assert {HOME, OTHER} <= {*named}
    home = found[named.index(HOME)]
    others = tuple(region for region in named if region != HOME)
    for made in found:
        region = made["meta"]["region"]
        away = tuple({*named} - {region})
        place = place_of(account, made, others=away)
        list_is_true(made, place, "security.cloudtrail")
    is_true(home, place_of(account, home, others=others), "ri_sp_savings")


# An account that holds nothing

EMPTY = dict.fromkeys(CATEGORIES, "Pass") | {"config": "Skipped", "config_inventory": "Skipped"}
"""Config records nothing there; all else has been asked and has nothing."""


@pytest.mark.parametrize("category", CATEGORIES)
def test_an_empty_account_has_no_rows(category: str, empty: tuple[int, Document]) -> None:
    code, document = empty
    assert code == 0
    assert statuses(document)[category] == EMPTY[category]
    assert not [path for path in paths_of(category) if rows(document, path)]


# Denied


def known(row: Row) -> Row:
    """What a row knows: no value, null and an object of nothing but nulls are all unknown."""
    return {
        name: value
        for name, value in row.items()
        if value is not None and not (isinstance(value, dict) and value and not any(value.values()))
    }


def known_rows(found: list[Row]) -> Iterator[str]:
    """What rows know, in an order of its own."""
    return iter(sorted(repr(sorted(known(row).items())) for row in found))


def test_every_api_that_a_run_asks_has_been_thought_of(
    embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    requests = record(embedded, account)
    send(without_bucket(embedded, account), tmp_path, *EVERYTHING)
    assert names(requests).keys() == {*DENIALS, "sts:GetCallerIdentity"}


@pytest.mark.parametrize("api", DENIALS)
def test_one_denied_api_fails_its_category_and_nothing_else(
    api: str, embedded: EmbeddedCloud, whole: Document, only: Send
) -> None:
    service, _, operation = api.partition(":")
    denial = DENIALS[api]
    embedded.switches.deny(service, operation)
    asked = (*denial.fails, *denial.unharmed)
    sent = only(*asked)
    assert sent.code == 1
    expected = dict.fromkeys(CATEGORIES, "None") | dict.fromkeys(denial.unharmed, "Pass")
    expected |= dict.fromkeys(denial.fails, "Fail") | {"logs": "Pass"}
    assert sent.statuses == expected
    told = [text for text in sent.said("FAIL", "ERROR") if f"{api} denied" in text]
    assert {text.partition(":")[0].partition(".")[0] for text in told} == set(denial.fails)
    found = lists(sent.document)
    for path, before in lists(whole).items():
        if path.partition(".")[0] in asked:
            effect = denial.lost.get(path, lambda row: row)
            left = [row for row in map(effect, before) if row is not None]
            assert list(known_rows(found.get(path, []))) == list(known_rows(left)), path


def test_what_vanishes_while_it_is_read_stays_a_row_of_what_the_list_told(
    embedded: EmbeddedCloud, account: Account, whole: Document, only: Send
) -> None:
    key = account.items("kms", "keys", HOME)[0]["KeyId"]
    acl = account.items("wafv2", "regional", HOME)[0]
    app = account.items("resiliencehub", "apps", HOME)[0]["appArn"]
    vanish = embedded.switches.fail
    vanish("kms", "DescribeKey", "NotFoundException", predicate=lambda r: r.params["KeyId"] == key)
    vanish(
        "wafv2", "GetWebACL", "WAFNonexistentItemException",
        predicate=lambda r: r.params["Name"] == acl["Name"],
    )  # fmt: skip
    vanish(
        "resiliencehub", "DescribeApp", "ResourceNotFoundException", status=404,
        predicate=lambda r: r.params["appArn"] == app,
    )  # fmt: skip
    sent = only("security", "resilience_hub")
    assert sent.code == 0
    for path, column, vanished, told in (
        ("security.kms", "key_id", key, {"key_id"}),
        ("security.waf", "arn", acl["ARN"], {"arn", "name", "scope"}),
        ("resilience_hub", "app_arn", app, {"app_arn", "name", "status"}),
    ):
        found = {row[column]: row for row in rows(sent.document, path)}
        before = {row[column]: row for row in rows(whole, path)}
        assert found.keys() == before.keys()
        assert told <= known(found[vanished]).keys() < known(before[vanished]).keys()


# Not enabled, or not covered by the support plan


def test_every_service_that_may_be_off_has_been_thought_of() -> None:
    assert SWITCHED_OFF.keys() == NOT_ENABLED.keys()


@pytest.mark.parametrize("service", SWITCHED_OFF)
def test_a_service_that_is_off_is_skipped_with_the_reason(
    service: str, embedded: EmbeddedCloud, whole: Document, only: Send
) -> None:
    off = SWITCHED_OFF[service]
    embedded.switches.not_enabled(service)
    sent = only(*off.skipped, *off.passed)
    assert sent.code == 0
    found = {name: sent.statuses[name] for name in (*off.skipped, *off.passed)}
    assert found == dict.fromkeys(off.skipped, "Skipped") | dict.fromkeys(off.passed, "Pass")
    assert any(off.reason in text for text in sent.said("INFO"))
    assert not sent.said("FAIL", "ERROR")
    for path, before in lists(whole).items():
        if path.partition(".")[0] in (*off.skipped, *off.passed):
            effect = off.lost.get(path, lambda row: row)
            left = [row for row in map(effect, before) if row is not None]
            held = lists(sent.document).get(path, [])
            assert list(known_rows(held)) == list(known_rows(left)), path


def test_an_account_with_everything_off_is_no_failure(
    embedded: EmbeddedCloud, account: Account, tmp_path: Path
) -> None:
    for service in NOT_ENABLED:
        embedded.switches.not_enabled(service)
    sent = send(without_bucket(embedded, account), tmp_path)
    assert sent.code == 0
    skipped = {name for held in SWITCHED_OFF.values() for name in held.skipped}
    passed = set(CATEGORIES) - skipped
    assert {name for name, status in sent.statuses.items() if status == "Skipped"} == skipped
    assert passed | {"logs"} == {n for n, status in sent.statuses.items() if status == "Pass"}


# Whose things these are


def test_other_accounts_that_an_administrator_sees_are_left_out(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    member, administrator = make_account(), make_account()
    administrator.delegated_for = administrator.payer_for = (member.id,)
    administrator.touch()
    hub = embedded.client("securityhub", administrator.id, HOME)
    seen = {held["AwsAccountId"] for held in hub.get_findings()["Findings"]}
    assert seen == {member.id, administrator.id}
    sent = send(without_bucket(embedded, administrator), tmp_path, *EVERYTHING)
    place = place_of(administrator, sent.document)
    assert sent.code == 0
    is_true(sent.document, place, *CATEGORIES)
    reports_are_true(sent.document, place, anomalies_of(administrator, place.cost_days))
    assert member.id not in repr(sent.document)


# Limits


def test_throttled_calls_are_made_again_until_everything_is_read(
    embedded: EmbeddedCloud, account: Account, only: Send
) -> None:
    for service, operation in (
        ("support", "DescribeCases"),
        ("kms", "DescribeKey"),
        ("acm", "ListCertificates"),
        ("securityhub", "GetFindings"),
        ("health", "DescribeEvents"),
    ):
        embedded.switches.throttle(service, operation, times=3)
    sent = only("support_tickets", "security", "health")
    assert sent.code == 0
    is_true(
        sent.document, place_of(account, sent.document), "support_tickets", "security", "health"
    )
    attempts = [line["attempts"] for line in sent.story if line["kind"] == "CALL"]
    assert max(attempts) >= 4


def test_no_example_of_an_api_that_is_asked_is_forgotten(
    embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account()
    send(embedded.environment(account.id) | {"BUCKET": ""}, tmp_path)
    asked = {f"{held.service}:{held.operation}" for held in embedded.calls}
    assert len(asked) > len(EXAMPLES)
    assert {api for api in asked if examples(api)} == set(EXAMPLES.values())


# The least that AWS promises


def least(shape: Shape) -> Any:
    """The least that fits a shape of botocore's model."""
    if isinstance(shape, StructureShape):
        return {name: least(shape.members[name]) for name in shape.required_members}
    if isinstance(shape, ListShape):
        return []
    if isinstance(shape, MapShape):
        return {}
    if isinstance(shape, StringShape):
        return shape.enum[0] if shape.enum else "x"
    return datetime(2024, 2, 29, tzinfo=UTC) if shape.type_name == "timestamp" else 1


@pytest.mark.parametrize("kind", MADE_OF)
def test_a_row_can_be_made_of_the_least_that_aws_promises(kind: str) -> None:
    make, service, operation, member = MADE_OF[kind]
    output = operation_model(service, operation).output_shape
    assert output
    shape = output.members[member]
    held = least(shape.member if isinstance(shape, ListShape) else shape)
    assert make(held).keys() == make.columns.keys()
