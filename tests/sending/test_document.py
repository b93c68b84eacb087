"""The document as JSON."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from observability.collecting.spool import SpooledRows
from observability.sending.document import calls_by_service, encode
from tests.collecting.test_spool import store, texts, values


@settings(max_examples=50)
@given(st.recursive(values, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)))
def test_a_document_is_written_as_json(value: Any) -> None:
    assert json.loads(b"".join(encode(value))) == value


def test_half_a_surrogate_pair_does_not_spoil_the_document() -> None:
    held = store()
    spool = SpooledRows(held)
    spool.add({"name": "broken \ud83d emoji"})
    [row] = json.loads(b"".join(encode(spool)))
    assert row["name"].startswith("broken ")
    assert row["name"].endswith(" emoji")
    held.close()


def test_calls_are_summed_up_by_service() -> None:
    calls = {"kms:ListKeys": 1, "kms:DescribeKey": 12, "acm:ListCertificates": 2}
    assert sorted(calls_by_service(calls)) == [
        "acm ListCertificates 2",
        "kms DescribeKey 12, ListKeys 1",
    ]
