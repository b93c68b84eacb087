"""What the service checks of a request before the database sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from .errors import ServiceError, invalid
from .sessions import Limits

Request = dict[str, Any]

REQUIRED = {
    "/Execute": ("resourceArn", "secretArn", "sql"),
    "/BatchExecute": ("resourceArn", "secretArn", "sql"),
    "/BeginTransaction": ("resourceArn", "secretArn"),
    "/CommitTransaction": ("resourceArn", "secretArn", "transactionId"),
    "/RollbackTransaction": ("resourceArn", "secretArn", "transactionId"),
}

# Fewest and most characters.
LENGTHS = {
    "resourceArn": (11, 570),
    "secretArn": (11, 570),
    "sql": (0, 65_536),
    "database": (0, 64),
    "schema": (0, 64),
    "transactionId": (0, 192),
}
# JSON can write half a surrogate pair, UTF-8 cannot.
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
BOOLEANS = ("includeResultMetadata", "continueAfterTimeout")
CHOICES = {
    "formatRecordsAs": ("NONE", "JSON"),
    "decimalReturnType": ("STRING", "DOUBLE_OR_LONG"),
    "longReturnType": ("LONG", "STRING"),
}


def parse_request(headers: Mapping[str, str], body: bytes, limits: Limits) -> Request:
    """The request's JSON object. Raises ServiceError if it is too large or no object."""
    # Each header line has a colon, a space and two characters at its end.
    size = len(body) + sum(len(name) + len(value) + 4 for name, value in headers.items())
    if size > limits.request_bytes:
        raise invalid(f"The request of {size} bytes exceeds the limit {limits.request_bytes}")
    try:
        request = json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ServiceError("SerializationException", str(error)) from error
    if not isinstance(request, dict):
        raise ServiceError("SerializationException", "the body is not an object")
    # A member that is null is a member that is absent.
    return {name: value for name, value in request.items() if value is not None}


def check_request(path: str, request: Request) -> None:
    """Check members, lengths and shapes. Raises ServiceError for the first that is wrong."""
    for name in REQUIRED[path]:
        if name not in request:
            raise _constraint(name, "Member must not be null")
    for name, (fewest, most) in LENGTHS.items():
        if name in request:
            _check_text(name, request[name], fewest, most)
    for name in BOOLEANS:
        if not isinstance(request.get(name, False), bool):
            raise ServiceError("SerializationException", f"{name} is not a boolean")
    for name, choices in CHOICES.items():
        chosen = _options(request).get(name, choices[0])
        if chosen not in choices:
            raise _constraint(name, f"Member must satisfy enum value set: {list(choices)}")
    _check_parameters(request.get("parameters", []))
    _check_list("parameterSets", request.get("parameterSets", []), list)
    for parameters in request.get("parameterSets", []):
        _check_parameters(parameters)
    if "schema" in request:
        raise invalid("The schema parameter isn't supported")


def _options(request: Request) -> Mapping[str, Any]:
    options = request.get("resultSetOptions", {})
    if not isinstance(options, dict):
        raise ServiceError("SerializationException", "resultSetOptions is not an object")
    return {"formatRecordsAs": request.get("formatRecordsAs", "NONE"), **options}


def _check_text(name: str, value: Any, fewest: int, most: int) -> None:
    if not isinstance(value, str):
        raise ServiceError("SerializationException", f"{name} is not a string")
    if LONE_SURROGATE.search(value):
        raise ServiceError("SerializationException", f"{name} is not valid Unicode")
    if "\0" in value:
        raise invalid(f"{name} contains a null character")
    if len(value) < fewest:
        raise _constraint(name, f"Member must have length greater than or equal to {fewest}")
    if len(value) > most:
        raise _constraint(name, f"Member must have length less than or equal to {most}")


def _check_parameters(parameters: Any) -> None:
    _check_list("parameters", parameters, dict)


def _check_list(name: str, value: Any, kind: type) -> None:
    if not isinstance(value, list) or not all(isinstance(item, kind) for item in value):
        raise ServiceError("SerializationException", f"{name} is not a list of its items")


def _constraint(name: str, constraint: str) -> ServiceError:
    return invalid(
        f"1 validation error detected: Value at '{name}' failed to satisfy constraint: {constraint}"
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
