"""An empty page with a token is not the end of a listing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from observability.collectors import CATEGORIES
from tests.cloud import ApiRequest, EmbeddedCloud, Size
from tests.cloud.models import operation_model
from tests.cloud.switches import InstantAnswer
from tests.conftest import MakeAccount
from tests.runs import lists, send

TOKENS = {
    "Marker": "NextMarker", "NextMarker": "NextMarker", "NextPageToken": "NextPageToken",
    "NextToken": "NextToken", "nextToken": "nextToken", "ContinuationToken": "ContinuationToken",
}  # fmt: skip
"""The token of a request, and what the answer calls it."""
MORE = "more"


def empty(shape: Any) -> Any:
    """The least that an answer of a shape may be."""
    if shape.type_name == "structure":
        return {name: empty(shape.members[name]) for name in shape.required_members}
    kinds: dict[str, Any] = {"list": [], "map": {}, "string": "x" * 8, "boolean": False}
    return datetime.now(UTC) if shape.type_name == "timestamp" else kinds.get(shape.type_name, 0)


def token_of(request: ApiRequest) -> tuple[str, str] | None:
    """The names of a listing's token in its request and in its answer, if it has pages."""
    model = operation_model(request.service, request.operation)
    inputs = model.input_shape.members if model.input_shape else {}
    outputs: Any = model.output_shape.members if model.output_shape else {}
    for sent, got in TOKENS.items():
        found = next((name for name in (got, sent) if name in outputs), None)
        if sent in inputs and found:
            return sent, found
    return None


@pytest.mark.parametrize("category", CATEGORIES)
def test_an_empty_first_page_changes_nothing(
    category: str, embedded: EmbeddedCloud, make_account: MakeAccount, tmp_path: Path
) -> None:
    account = make_account(Size.small())
    environment = embedded.environment(account.id) | {"BUCKET": ""}
    before = send(environment, tmp_path, "--only", category)

    def empty_first(request: ApiRequest) -> None:
        if not (names := token_of(request)):
            return
        sent, got = names
        if not request.params.get(sent):
            answer = empty(operation_model(request.service, request.operation).output_shape)
            model: Any = operation_model(request.service, request.operation).output_shape
            further = (
                {"Truncated": True} if "Truncated" in model.members else {}
            )  # KMS says so, too
            raise InstantAnswer(answer | further | {got: MORE})
        if request.params[sent] == MORE:
            request.params.pop(sent)  # type: ignore[attr-defined]

    rule = embedded.switches.intercept("*", "*", empty_first)
    after = send(environment, tmp_path, "--only", category)
    embedded.switches.remove(rule)
    assert after.statuses[category] == before.statuses[category], after.said("FAIL", "ERROR")
    unordered = [
        {path: sorted(map(repr, found)) for path, found in lists(sent.document).items()}
        for sent in (before, after)
    ]
    assert unordered[0] == unordered[1]
