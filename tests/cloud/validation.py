"""Does this fit botocore's model? Checks that are compiled once per shape.

Answers are held to the model's names, types, required members, enumerations and upper limits, so
that the embedded cloud cannot say what AWS could not. (AWS's own answers ignore its lower limits
and patterns.) Requests are held to all of it, as AWS does on its side; botocore itself lets most
of that through.
"""

from __future__ import annotations

import functools
import math
import re
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import botocore
from botocore.exceptions import UnknownServiceError
from botocore.model import (
    ListShape,
    MapShape,
    OperationModel,
    OperationNotFoundError,
    Shape,
    StringShape,
    StructureShape,
)

from tests.cloud.models import operation_model

Check = Callable[[Any], None]

INTEGERS = {"integer": 31, "long": 63, "short": 15, "byte": 7}
"""The integer types, with the number of bits beside the sign."""


class Mismatch(ValueError):
    """A value that does not fit its shape; `path` leads to it, outermost member first."""

    def __init__(self, problem: str, value: object = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.value = value
        self.path: list[str] = []

    def inside(self, name: str) -> Mismatch:
        """The same mismatch, seen from the value that contains it."""
        self.path.insert(0, name)
        return self

    @property
    def where(self) -> str:
        """The names that lead to the value, with dots between them; items count from 1."""
        return ".".join(self.path)

    def __str__(self) -> str:
        """What is wrong, in the words in which AWS refuses a request."""
        return (
            f"1 validation error detected: Value '{str(self.value)[:200]}' at '{self.where}' "
            f"failed to satisfy constraint: Member {self.problem}"
        )


class InvalidAnswerError(Exception):
    """A canned answer that AWS, as this botocore knows it, does not give; told in one line."""

    def __init__(self, service: str, operation: str, problem: str) -> None:
        super().__init__(
            f"The canned answer of {service} {operation} is not AWS's by botocore "
            f"{botocore.__version__}: {problem}. Answer what the locked and the newest botocore "
            "both know, in tests/cloud/answers and tests/cloud/content."
        )


def validate(service: str, operation: str, response: dict[str, Any]) -> None:
    """Raise InvalidAnswerError if AWS could not have answered `response`, given as boto3 shows it.

    Members that are None count as absent.
    """
    shape = _model(service, operation).output_shape
    try:
        _check(service, shape, is_request=False)(response)
    except Mismatch as mismatch:
        problem = f"{mismatch.where or 'it'} {mismatch.problem}, not {repr(mismatch.value)[:100]}"
        raise InvalidAnswerError(service, operation, problem) from None


def validate_request(service: str, operation: str, params: dict[str, Any]) -> None:
    """Raise Mismatch if AWS would refuse `params`, given as boto3 takes them.

    InvalidAnswerError if it would not know the operation, so that nothing can answer it.
    """
    _check(service, _model(service, operation).input_shape, is_request=True)(params)


def _model(service: str, operation: str) -> OperationModel:
    try:
        return operation_model(service, operation)
    except (UnknownServiceError, OperationNotFoundError):
        raise InvalidAnswerError(service, operation, "it has no such operation") from None


def _check(service: str, shape: Shape | None, *, is_request: bool) -> Check:
    with _compiling:
        return _compiler(service, is_request).check_of(shape)


_compiling = threading.Lock()
"""Held while shapes are compiled, for their checks are half done in between."""


class _Compiler:
    """Makes the checks of one service's shapes, each once."""

    def __init__(self, is_request: bool) -> None:
        self._is_request = is_request
        self._checks: dict[str, Check] = {}

    def check_of(self, shape: Shape | None) -> Check:
        """The check of a shape; None, the shape of what is empty, takes an empty structure."""
        if shape is None:
            return _check_empty
        if shape.name not in self._checks:
            # A shape may contain itself (a WAF statement): while it is being compiled, its name
            # leads to a check that looks the finished one up.
            name = shape.name
            self._checks[name] = lambda value: self._checks[name](value)
            self._checks[name] = self._compile(shape)
        return self._checks[shape.name]

    def _compile(self, shape: Shape) -> Check:
        if isinstance(shape, StructureShape):
            return _check_anything if shape.is_document_type else self._structure(shape)
        if isinstance(shape, ListShape):
            return self._list(shape)
        if isinstance(shape, MapShape):
            return self._map(shape)
        if isinstance(shape, StringShape):
            return self._string(shape)
        return self._scalar(shape)

    def _structure(self, shape: StructureShape) -> Check:
        checks = {name: self.check_of(member) for name, member in shape.members.items()}
        required = tuple(shape.required_members)
        union = shape.is_tagged_union

        def check(value: Any) -> None:
            if not isinstance(value, dict):
                raise Mismatch("must be a structure", value)
            for name, member in value.items():
                if member is None:
                    continue
                if name not in checks:
                    raise Mismatch(f"must be a member of {shape.name}", member).inside(name)
                try:
                    checks[name](member)
                except Mismatch as mismatch:
                    raise mismatch.inside(name) from None
            for name in required:
                if value.get(name) is None:
                    raise Mismatch("must not be null", None).inside(name)
            if union and sum(member is not None for member in value.values()) != 1:
                raise Mismatch("must set exactly one of its members", value)

        return check

    def _list(self, shape: ListShape) -> Check:
        check_item = self.check_of(shape.member)
        check_length = self._limits(shape, len, "length")

        def check(value: Any) -> None:
            if not isinstance(value, list | tuple):
                raise Mismatch("must be a list", value)
            check_length(value)
            for position, item in enumerate(value, 1):
                try:
                    check_item(item)
                except Mismatch as mismatch:
                    raise mismatch.inside(str(position)) from None

        return check

    def _map(self, shape: MapShape) -> Check:
        check_key, check_value = self.check_of(shape.key), self.check_of(shape.value)

        def check(value: Any) -> None:
            if not isinstance(value, dict):
                raise Mismatch("must be a map", value)
            for key, item in value.items():
                try:
                    check_key(key)
                    check_value(item)
                except Mismatch as mismatch:
                    raise mismatch.inside(str(key)) from None

        return check

    def _string(self, shape: StringShape) -> Check:
        allowed = frozenset(shape.enum)
        check_length = self._limits(shape, len, "length")
        pattern = _pattern(shape.metadata.get("pattern")) if self._is_request else None

        def check(value: Any) -> None:
            if not isinstance(value, str):
                raise Mismatch("must be a string", value)
            if allowed and value not in allowed:
                names = ", ".join(sorted(allowed))
                raise Mismatch(f"must satisfy enum value set: [{names}]", value)
            check_length(value)
            if pattern and not pattern.fullmatch(value):
                words = f"must satisfy regular expression pattern: {pattern.pattern}"
                raise Mismatch(words, value)

        return check

    def _scalar(self, shape: Shape) -> Check:
        if shape.type_name in INTEGERS:
            return self._integer(shape, 1 << INTEGERS[shape.type_name])
        if shape.type_name in ("float", "double"):
            return self._number(shape)
        return SCALARS[shape.type_name]

    def _integer(self, shape: Shape, bound: int) -> Check:
        check_range = self._limits(shape, int, "value")

        def check(value: Any) -> None:
            if type(value) is not int or not -bound <= value < bound:
                raise Mismatch(f"must be of type {shape.type_name}", value)
            check_range(value)

        return check

    def _number(self, shape: Shape) -> Check:
        check_range = self._limits(shape, float, "value")

        def check(value: Any) -> None:
            if type(value) not in (int, float) or not math.isfinite(value):
                raise Mismatch(f"must be of type {shape.type_name}", value)
            check_range(value)

        return check

    def _limits(self, shape: Shape, size: Callable[[Any], float], what: str) -> Check:
        """A check of the model's `max`, and for requests `min`, for the size of a value."""
        smallest = shape.metadata.get("min") if self._is_request else None
        largest = shape.metadata.get("max")
        if smallest is None and largest is None:
            return _check_anything

        def check(value: Any) -> None:
            if largest is not None and size(value) > largest:
                raise Mismatch(f"must have {what} less than or equal to {largest}", value)
            if smallest is not None and size(value) < smallest:
                raise Mismatch(f"must have {what} greater than or equal to {smallest}", value)

        return check


@functools.cache
def _compiler(_service: str, is_request: bool) -> _Compiler:
    """The one compiler of a service's requests or answers; the shapes' names are its own."""
    return _Compiler(is_request)


def _check_anything(_value: Any) -> None:
    """A check that all values pass."""


def _check_empty(value: Any) -> None:
    if value:
        raise Mismatch("must be empty", value)


def _check_boolean(value: Any) -> None:
    if not isinstance(value, bool):
        raise Mismatch("must be a boolean", value)


def _check_timestamp(value: Any) -> None:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise Mismatch("must be a time with an offset", value)


def _check_blob(value: Any) -> None:
    if not isinstance(value, bytes):
        raise Mismatch("must be bytes", value)


SCALARS: dict[str, Check] = {
    "boolean": _check_boolean,
    "timestamp": _check_timestamp,
    "blob": _check_blob,
}


def _pattern(text: str | None) -> re.Pattern[str] | None:
    """The model's pattern, or None where it uses what only Java's expressions have."""
    try:
        return re.compile(text, re.DOTALL) if text else None
    except re.error:
        return None
