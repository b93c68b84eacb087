"""Broken and hostile input: one clear line, the right place, and the good documents all loaded."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

import receiver
from observability.receiving.result import FileResult, FileStatus
from tests import documents
from tests.documents import Document, document
from tests.warehouse import STORED, Warehouse

GOOD = documents.key(account="999988887777")
BAD = documents.key()


def changed(path: str, value: Any) -> bytes:
    """A good document with another value at a dotted path."""
    made = document()
    spot: Any = made
    *holders, last = path.split(".")
    for name in holders:
        spot = spot[int(name) if name.isdigit() else name]
    spot[int(last) if isinstance(spot, list) else last] = value
    return documents.encode(made)


def without(*names: str) -> bytes:
    return documents.encode({k: v for k, v in document().items() if k not in names})


def raw(path: str, text: str) -> bytes:
    """A good document with a literal piece of text as the value at a path."""
    return changed(path, "@@here@@").replace(b'"@@here@@"', text.encode())


BODY = documents.encode(document())
KMS = "security.kms.0."

# name: (body, words that the reason must have)
REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "white space": (b" \n ", "empty"),
    "not JSON": (b"account,cost\n1,2\n", "one JSON object"),
    "a list": (b"[]", "one JSON object"),
    "null": (b"null", "one JSON object"),
    "an empty object": (b"{}", "'account' is missing"),
    "gzip": (gzip.compress(BODY), "UTF-8"),
    "UTF-16": (BODY.decode().encode("utf-16"), "UTF-8"),
    "byte order mark": (b"\xef\xbb\xbf" + BODY, "byte order mark"),
    "latin-1": (BODY.replace(b'"Lead"', b'"L\xe9ad"'), "UTF-8"),
    "two documents": (BODY + BODY, "more text after"),
    "cut off in a text": (BODY[: BODY.index(b'"Lead"') + 3], "cut off, in the value at"),
    "cut off in a row": (BODY[: BODY.index(b'"Lead"')], "cut off, in the value at"),
    "cut off between rows": (BODY[: BODY.index(b'"kms":') + 7], "cut off"),
    "trailing comma": (BODY[:-1] + b",}", "member's name"),
    "comment": (b"/* */" + BODY, "one JSON object"),
    "single quotes": (b"{'account': 1}", "member's name"),
    "deep nesting": (raw(KMS + "description", "[" * 200_000 + "]" * 200_000), "nested"),
    "deep nesting that never ends": (b'{"account":' + b'{"a":' * 400_000, "nested"),
    "a row of over 4 MiB": (changed(KMS + "description", "x" * 5_000_000), "over 4 MiB"),
    "a category twice": (b'{"cost": [], ' + BODY[1:], "twice"),
    "a member of a row twice": (raw("health.0", '{"arn": "a", "arn": "b"}'), "twice"),
    "NUL": (changed(KMS + "description", "a\0b"), "kms[0].description: holds a NUL"),
    "NUL in an object": (changed("security.waf.0.default_action", {"a": "\0"}), "NUL"),
    "lone surrogate": (changed(KMS + "description", "\ud800"), "surrogate"),
    "surrogate in a name": (raw("security.waf.0.default_action", '{"\\udc00": 1}'), "surrogate"),
    "NaN": (raw("service.0.cost", "NaN"), "NaN"),
    "Infinity": (raw("service.0.cost", "Infinity"), "Infinity"),
    "NaN as text": (changed("service.0.cost", "NaN"), "service[0].cost: is not a number"),
    "infinity as text": (changed("service.0.cost", "-Infinity"), "service[0].cost"),
    "400 digits": (raw("service.0.cost", "1" * 400), "service[0].cost"),
    "5,000 digits": (raw("service.0.cost", "1" * 5000), "digits"),
    "exponent": (raw("service.0.cost", "1e400"), "service[0].cost"),
    "eleven digits of dollars": (changed("service.0.cost", "12345678901"), "10 digits"),
    "hexadecimal": (changed("service.0.cost", "0x10"), "service[0].cost"),
    "comma in a number": (changed("service.0.cost", "1,5"), "service[0].cost"),
    "Arabic digits": (changed("service.0.cost", "١٢"), "service[0].cost"),
    "money is a list": (changed("service.0.cost", [1]), "service[0].cost"),
    "money is true": (changed("service.0.cost", True), "service[0].cost"),
    "31 November": (changed("service.0.date_from", "2026-11-31"), "does not exist"),
    "29 February 2026": (changed("service.0.date_from", "2026-02-29"), "does not exist"),
    "a day of month 0": (changed("service.0.date_from", "2026-00-10"), "does not exist"),
    "date 'today'": (changed("service.0.date_from", "today"), "not a date"),
    "date is a number": (changed("service.0.date_from", 20261121), "date"),
    "date is missing": (changed("service.0.date_from", None), "date_from: is missing"),
    "time 'infinity'": (changed(KMS + "creation_date", "infinity"), "not a time"),
    "time 'now'": (changed(KMS + "creation_date", "now"), "not a time"),
    "hour 25": (changed(KMS + "creation_date", "2026-01-01T25:00:00Z"), "not a time"),
    "time is a number": (changed(KMS + "creation_date", 1), "time"),
    "boolean is text": (changed(KMS + "enabled", "maybe"), "neither true nor false"),
    "boolean is 1": (changed(KMS + "enabled", 1), "neither true nor false"),
    "integer is text": (changed("config.total_rules", "three"), "not a whole number"),
    "integer with a fraction": (changed("config.total_rules", 1.5), "not a whole number"),
    "integer over 32 bits": (changed("config.total_rules", 2**31), "out of range"),
    "integer is true": (changed("config.total_rules", True), "not a whole number"),
    "unknown granularity": (changed("cost.0.period.granularity", "HOURLY"), "none of MONTHLY"),
    "no period": (changed("cost.0.period", None), "period_start: is missing"),
    "no key": (changed(KMS + "key_id", None), "security.kms[0].key_id: is missing"),
    "row is text": (changed("security.kms.0", "key"), "security.kms[0]: must be an object"),
    "row is null": (changed("security.kms.0", None), "security.kms[0]: must be an object"),
    "row is a list": (changed("security.kms.0", []), "security.kms[0]: must be an object"),
    "list is text": (changed("security.kms", "none"), "security.kms: must be"),
    "category is text": (changed("health", "ok"), "health: must be"),
    "category is a number": (changed("inventory", 5), "inventory: must be"),
    "account is a list": (changed("account", []), "account: must be"),
    "service cost is text": (changed("cost.0.top_services", "EC2"), "must be an object"),
    "message is a number": (changed("logs.message.0", 5), "logs.message[0]: must be"),
    "an application without its instance": (
        changed("inventory.applications.0.instance_id", "i-none"),
        "instance",
    ),
    "another account's body": (changed("account.account_id", "999999999999"), "account_id"),
    "another region's body": (changed("account.region", "mars-1"), "region"),
    "another account's meta": (changed("meta.account_id", "999999999999"), "account_id"),
    "meta about another day": (changed("meta.period.start", "2026-11-01"), "period.start"),
    "meta from the future": (changed("meta.format", 99), "format"),
    "meta without a time": (changed("meta.collected_at", "soon"), "collected_at"),
    "a text of over 1 MiB": (changed(KMS + "description", "x" * 1_048_577), "larger than 1 MiB"),
    "one of fewer characters": (changed(KMS + "description", "é" * 600_000), "larger than 1 MiB"),
    "a list of over 1 MiB": (
        changed("security.waf.0.default_action", ["x" * 1000] * 1100),
        "default_action: is larger than 1 MiB",
    ),
    "a row of over 3.5 MiB": (
        changed(
            "security.waf.0",
            {
                **document()["security"]["waf"][0],
                **dict.fromkeys(("name", "description", "waf_id", "scope"), "x" * 1000000),
            },
        ),
        "larger than 3.5 MiB",
    ),
    "900 lists in a text": (raw(KMS + "description", "[" * 900 + "]" * 900), "nested"),
    "contact info is text": (changed("account.contact_info", "me"), "contact_info: must be"),
    "a contact is text": (changed("account.alternate_contacts.billing", "me"), "billing: must be"),
    "contacts are a list": (changed("account.alternate_contacts", ["me"]), "must be an object"),
    "product is an object": (changed("account.product", {"a": 1}), "name: is missing"),
    "a category is null": (changed("health", None), "'health' is missing"),
    "an unknown status": (changed("logs.cost_status", "PASS"), "cost_status is none of"),
    "a period of years": (changed("meta.period.end", "9999-12-31"), "over a year"),
    "no account": (without("account"), "'account' is missing"),
    "no logs": (without("logs"), "'logs' is missing"),
    "no cost nor health": (without("cost", "health"), "'cost' is missing"),
    **{
        f"cut at {cut}": (BODY[:cut], "")
        for cut in (1, 2, 17, 300, len(BODY) // 2, len(BODY) - 2, len(BODY) - 1)
    },
}

KEYS = (
    "data/nothing.json",
    "data/11112222333/eu-west-1/2026-11-21_DAILY.json",
    "data/1111222233334/eu-west-1/2026-11-21_DAILY.json",
    "data/aaaabbbbcccc/eu-west-1/2026-11-21_DAILY.json",
    "data/111122223333/eu-west-1/2026-13-21_DAILY.json",
    "data/111122223333/eu-west-1/2026-11-21_DAILY.json.gz",
    "data/111122223333/EU/2026-11-21_DAILY.json",
    "data/111122223333/eu-west-1/2026-11-21.json",
    "data/111122223333/eu-west-1/übung %20+&?\t.json",
    "data/" + "x" * 900,
)


def put(warehouse: Warehouse, key: str, body: bytes) -> None:
    warehouse.s3.put_object(Bucket=warehouse.bucket, Key=key, Body=body)


def sweep(warehouse: Warehouse) -> list[FileResult]:
    return receiver.load_all(warehouse.receiver, receiver.list_data(warehouse.receiver))


def keys(warehouse: Warehouse, prefix: str) -> list[str]:
    return [file.key for file in warehouse.receiver.s3.list_files(prefix)]


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_document_is_refused_with_its_reason(warehouse: Warehouse, name: str) -> None:
    body, words = REFUSED[name]
    put(warehouse, BAD, body)
    put(warehouse, GOOD, documents.encode(document(account="999988887777")))
    outcomes = {result.key: result for result in sweep(warehouse)}
    assert outcomes[GOOD].status is FileStatus.LOADED
    assert outcomes[BAD].status is FileStatus.REJECTED
    rejected = BAD.replace("data/", "rejected/")
    assert keys(warehouse, "data/") == []
    assert keys(warehouse, "rejected/") == [rejected, rejected + ".reason.txt"]
    stored = warehouse.s3.get_object(Bucket=warehouse.bucket, Key=rejected)["Body"].read()
    assert stored == body
    reason = warehouse.s3.get_object(Bucket=warehouse.bucket, Key=rejected + ".reason.txt")
    assert words in reason["Body"].read().decode()
    assert warehouse.query("SELECT DISTINCT account_id FROM accounts") == [
        {"account_id": "999988887777"}
    ]


def test_objects_that_are_no_documents_are_refused(warehouse: Warehouse) -> None:
    for key in KEYS:
        put(warehouse, key, BODY)
    put(warehouse, GOOD, documents.encode(document(account="999988887777")))
    outcomes = {result.key: result.status for result in sweep(warehouse)}
    assert outcomes.pop(GOOD) is FileStatus.LOADED
    assert outcomes == dict.fromkeys(KEYS, FileStatus.REJECTED)
    assert len(keys(warehouse, "rejected/")) == 2 * len(KEYS)
    assert warehouse.query("SELECT count(*) AS n FROM documents") == [{"n": 1}]


def test_all_bad_values_are_listed_not_just_the_first(warehouse: Warehouse) -> None:
    made = document()
    made["service"][0]["cost"] = "much"
    made["service"][1]["date_from"] = "soon"
    made["security"]["kms"][0]["enabled"] = "maybe"
    result = warehouse.load(made, BAD)
    assert [reason.partition(":")[0] for reason in sorted(result.reasons)] == [
        "security.kms[0].enabled",
        "service[0].cost",
        "service[1].date_from",
    ]


def test_of_two_rows_with_one_key_the_first_is_loaded(warehouse: Warehouse) -> None:
    made = document()
    made["security"]["kms"].append({**made["security"]["kms"][0], "description": "second"})
    assert warehouse.load(made, BAD).counters["kms_keys"]["SKIPPED"] == 1
    assert warehouse.query("SELECT description FROM kms_keys") == [{"description": "data"}]


def test_unknown_fields_and_categories_are_ignored(warehouse: Warehouse) -> None:
    made = document()
    made["weather"] = [{"sun": True}]
    made["security"]["kms"][0]["colour"] = "blue"
    assert warehouse.load(made, BAD).status is FileStatus.LOADED


Forgery = Callable[[Document], None]

VICTIM = documents.ACCOUNT
FORGED = "999988887777"
THEIRS = document(date(2026, 11, 23), VICTIM)


def imitate(category: str) -> Forgery:
    """A category with the very rows, ids and ARNs of the victim's, newer and changed."""

    def forge(made: Document) -> None:
        made[category] = json.loads(
            json.dumps(THEIRS[category]).replace("2026-11-20", "2026-11-22")
        )

    return forge


def empty(category: str, *parts: str) -> Forgery:
    """A complete listing that lacks everything."""

    def forge(made: Document) -> None:
        made[category] = {**made[category], **{part: [] for part in parts}} if parts else []

    return forge


def numbers(made: Document) -> None:
    for row in (*made["security"]["kms"], *made["service"], *made["health"], *made["cost"]):
        row.update(id=1, account_id=1, document_id=1, security_id=1, cost_report_id=1, gone_at=None)


def names(made: Document) -> None:
    made["account"].update(account_arn=THEIRS["account"]["account_arn"], product="shop,SEARCH")


def statements(made: Document) -> None:
    for text in ("'); DROP TABLE kms_keys; --", "$1", ":account", "$$; DELETE FROM accounts; $$"):
        key = {**made["security"]["kms"][0], "key_id": text, "description": text}
        made["security"]["kms"].append(key)


def organization_trail(made: Document) -> None:
    made["security"]["cloudtrail"][0].update(
        arn=THEIRS["security"]["cloudtrail"][0]["arn"], is_organization_trail=True, is_logging=False
    )


def shared_event(made: Document) -> None:
    made["health"][0].update(arn=THEIRS["health"][0]["arn"], status_code="open")
    made["health"][0]["last_updated_time"] = "2026-11-22T00:00:00+00:00"


SECURITY = tuple(THEIRS["security"])
FORGERIES: dict[str, Forgery] = {
    **{f"their {name}": imitate(name) for name in THEIRS if name not in ("meta", "account")},
    **{f"no {part}": empty("security", part) for part in SECURITY},
    "no instances": empty("inventory", "instances", "applications", "patches"),
    "nothing violated": empty("config", "non_compliant_resources"),
    "no resources": empty("service_resources"),
    "no costs": empty("service"),
    "row numbers of theirs": numbers,
    "names of theirs": names,
    "statements": statements,
    "an organization's trail": organization_trail,
    "a shared health event": shared_event,
}


def victims(warehouse: Warehouse) -> dict[str, list[dict[str, Any]]]:
    """Every row of the victim with the transaction that wrote it."""
    owned = f"account_id = (SELECT id FROM accounts WHERE account_id = '{VICTIM}')"
    parts = {
        "service_costs": f"cost_report_id IN (SELECT id FROM cost_reports WHERE {owned})",
        "cost_forecasts": f"cost_report_id IN (SELECT id FROM cost_reports WHERE {owned})",
        "log_messages": f"log_id IN (SELECT id FROM logs WHERE {owned})",
        "accounts": f"account_id = '{VICTIM}'",
    }
    rows = "SELECT t.*, xmin::text FROM {} t WHERE {} ORDER BY id"
    dsn = warehouse.embedded.postgres.dsn_for(warehouse.database)
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        return {
            name: connection.execute(rows.format(name, parts.get(name, owned)).encode()).fetchall()
            for name in STORED
        }


def test_a_document_touches_no_other_account(warehouse: Warehouse) -> None:
    warehouse.load(document(account=VICTIM), documents.key(account=VICTIM))
    before = victims(warehouse)
    assert all(before.values())
    for number, (name, forge) in enumerate(FORGERIES.items()):
        day = date(2026, 10, 1) + timedelta(days=number)
        made = document(day, FORGED)
        forge(made)
        result = warehouse.load(made, documents.key(day, FORGED))
        assert result.status is FileStatus.LOADED, (name, result.reasons)
        assert victims(warehouse) == before, name


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def spots(category: str, content: Any) -> list[str]:
    """A category, and the members or the first row of it."""
    names = list(content) if isinstance(content, dict) else ["0"]
    return [category, *(f"{category}.{name}" for name in names)]


PATHS = [path for category, content in document().items() for path in spots(category, content)]


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(path=st.sampled_from(PATHS), value=JSON)
def test_any_value_anywhere_is_loaded_or_refused(
    warehouse: Warehouse, path: str, value: Any
) -> None:
    put(warehouse, BAD, changed(path, value))
    [result] = sweep(warehouse)
    assert result.status in (FileStatus.LOADED, FileStatus.REJECTED), result.reasons


def test_parts_of_a_machine_are_refused_whatever_was_loaded_before(warehouse: Warehouse) -> None:
    """What becomes of a document must not depend on the order of loading."""
    orphan = document(date(2026, 11, 22))
    orphan["inventory"]["instances"] = []
    warehouse.load(document(), documents.key())
    result = warehouse.load(orphan, documents.key(date(2026, 11, 22)))
    assert result.status is FileStatus.REJECTED
    assert sorted(result.reasons) == [
        "inventory.applications[0].instance_id: no instance of this document",
        "inventory.patches[0].instance_id: no instance of this document",
    ]
