"""AWS's own examples, which botocore carries, as answers of the embedded cloud."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import Any

import botocore.session
from botocore.exceptions import UnknownServiceError
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.utils import parse_timestamp

from tests.cloud.models import operation_model
from tests.runs import Row

Example = dict[str, Any]


@functools.cache
def examples(api: str) -> list[Example]:
    """The answers of botocore's examples of an API."""
    service, _, operation = api.partition(":")
    loader = botocore.session.get_session().get_component("data_loader")
    try:
        held = loader.load_service_model(service, "examples-1")["examples"]
    except UnknownServiceError:
        return []
    return [example["output"] for example in held.get(operation, ()) if "output" in example]


def answer(api: str, number: int = 0) -> dict[str, Any]:
    """An example as boto3 would show it: times are times."""
    service, _, operation = api.partition(":")
    shape = operation_model(service, operation).output_shape
    assert shape
    made: dict[str, Any] = typed(examples(api)[number], shape)
    return made


def typed(value: Any, shape: Shape) -> Any:
    """A value of an example in the types of the model."""
    if isinstance(shape, StructureShape):
        return {name: typed(held, shape.members[name]) for name, held in value.items()}
    if isinstance(shape, ListShape):
        return [typed(held, shape.member) for held in value]
    if isinstance(shape, MapShape):
        return {name: typed(held, shape.value) for name, held in value.items()}
    return parse_timestamp(value) if shape.type_name == "timestamp" else value


def instant(text: str) -> str:
    """An instant of an example as documents tell it."""
    return datetime.fromisoformat(text).astimezone(UTC).isoformat()


def matches(row: Row, expected: Row) -> bool:
    """Whether a row has these values."""
    return {name: row.get(name) for name in expected} == expected
