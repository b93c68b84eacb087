"""Requests, parsed by botocore's models."""

import base64
import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote

from botocore.model import (
    ListShape,
    MapShape,
    OperationModel,
    Shape,
    StructureShape,
)
from botocore.parsers import RpcV2CBORParser
from botocore.utils import parse_timestamp

from tests.cloud.models import operation_model, protocol_of, service_model
from tests.cloud.wire.shapes import CBOR, aware, members


class UnknownOperationError(Exception):
    """The request names no operation that botocore's model of the service has."""


def parse_request(
    service: str,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes | None,
) -> tuple[str, dict[str, Any]]:
    """The operation that a request calls, and its parameters as boto3's caller wrote them.

    Args:
        path: as it came, percent-encoded; S3's begins with the bucket.
        headers: their names in lower case.
        body: None leaves parameters out that the body holds (an object on its way to S3).
    """
    protocol = protocol_of(service, headers)
    if protocol.startswith("rest-"):
        operation, labels = _route(service, method, path, query, headers)
        return operation.name, _rest_params(operation, labels, query, headers, body)
    if protocol in ("query", "ec2"):
        form = dict(parse_qsl((body or b"").decode() or query, keep_blank_values=True))
        operation = _named(service, form.get("Action", ""))
        return operation.name, _query_params(operation.input_shape, form, protocol)
    if protocol == CBOR:
        operation = _named(service, path.rpartition("/")[2])
        return operation.name, _from_cbor(body or b"")
    operation = _named(service, headers.get("x-amz-target", "").rpartition(".")[2])
    return operation.name, _from_json(operation.input_shape, json.loads(body or b"{}"))


def _named(service: str, operation: str) -> OperationModel:
    if operation not in service_model(service).operation_names:
        raise UnknownOperationError(f"{service} has no operation {operation!r}")
    return operation_model(service, operation)


@dataclass(frozen=True)
class _Route:
    """One operation of a REST service: what a request must look like to mean it."""

    operation: OperationModel
    method: str
    path: re.Pattern[str]
    literals: Mapping[str, str]
    """Parts of the query string that are fixed (`list-type=2`), by name."""
    required_query: tuple[str, ...]
    required_headers: tuple[str, ...]

    @property
    def weight(self) -> tuple[int, int]:
        """Of several routes that fit, the one that asks for most is meant."""
        asked = len(self.literals) + len(self.required_query) + len(self.required_headers)
        return asked, -self.path.groups

    def fits(self, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        """Whether query string and headers carry what this operation requires."""
        return (
            all(query.get(name) == value for name, value in self.literals.items())
            and all(name in query for name in self.required_query)
            and all(name in headers for name in self.required_headers)
        )


def _route(
    service: str, method: str, path: str, query: str, headers: Mapping[str, str]
) -> tuple[OperationModel, dict[str, str]]:
    """The operation that method, path, query and headers mean, and the labels of its path."""
    arguments = dict(parse_qsl(query, keep_blank_values=True))
    for route in _routes(service):
        match = route.path.fullmatch(path) if route.method == method else None
        if match and route.fits(arguments, headers):
            names = re.findall(r"{(.+?)\+?}", route.operation.http["requestUri"])
            labels = (unquote(value) for value in match.groups())
            return route.operation, dict(zip(names, labels, strict=True))
    raise UnknownOperationError(f"{service} has no operation for {method} {path}?{query}")


@functools.cache
def _routes(service: str) -> list[_Route]:
    model = service_model(service)
    routes = [_route_of(model.operation_model(name)) for name in model.operation_names]
    return sorted(routes, key=lambda route: route.weight, reverse=True)


def _route_of(operation: OperationModel) -> _Route:
    path, _, literals = operation.http["requestUri"].partition("?")
    required: dict[str, list[str]] = {"querystring": [], "header": []}
    for name, member in members(operation.input_shape):
        location = member.serialization.get("location", "")
        assert operation.input_shape is not None
        if location in required and name in operation.input_shape.required_members:
            required[location].append(member.serialization.get("name", name))
    return _Route(
        operation,
        operation.http["method"],
        _path_pattern(path),
        dict(parse_qsl(literals, keep_blank_values=True)),
        tuple(required["querystring"]),
        tuple(name.lower() for name in required["header"]),
    )


def _path_pattern(template: str) -> re.Pattern[str]:
    """`/{Bucket}/{Key+}` as an expression; only a label with a plus takes slashes."""
    parts = re.split(r"({.+?})", template.rstrip("/"))
    labels = {True: "(.+)", False: "([^/]+)"}
    text = "".join(
        labels[part.endswith("+}")] if part.startswith("{") else re.escape(part) for part in parts
    )
    return re.compile(f"{text}/?" if not text.endswith("(.+)") else text, re.DOTALL)


def _rest_params(
    operation: OperationModel,
    labels: Mapping[str, str],
    query: str,
    headers: Mapping[str, str],
    body: bytes | None,
) -> dict[str, Any]:
    """Parameters out of the places of a REST request that the model assigns to them."""
    shape = operation.input_shape
    arguments = parse_qs(query, keep_blank_values=True)
    params: dict[str, Any] = {}
    for name, member in members(shape):
        texts = _texts_at(
            member, member.serialization.get("name", name), labels, arguments, headers
        )
        if texts:
            params[name] = _from_texts(member, texts)
    if shape is not None and body and operation.service_model.metadata["protocol"] == "rest-json":
        params |= _from_rest_json(shape, body)
    return params


def _texts_at(
    member: Shape,
    name: str,
    labels: Mapping[str, str],
    arguments: Mapping[str, list[str]],
    headers: Mapping[str, str],
) -> list[str]:
    """What the request holds for a member of the input, outside of the body."""
    match member.serialization.get("location"):
        case "uri":
            return [labels[name]]
        case "querystring":
            return arguments.get(name, [])
        case "header" if name.lower() in headers:
            return [headers[name.lower()]]
    return []


def _from_texts(shape: Shape, texts: list[str]) -> Any:
    if isinstance(shape, ListShape):
        return [_from_text(shape.member, text) for text in texts]
    return _from_text(shape, texts[0])


def _from_text(shape: Shape, text: str) -> Any:
    """A scalar out of the text that stands for it in a path, query string or header."""
    match shape.type_name:
        case "integer" | "long":
            return int(text)
        case "float" | "double":
            return float(text)
        case "boolean":
            return text.lower() == "true"
        case "timestamp":
            return aware(parse_timestamp(text))
        case "blob":
            return base64.b64decode(text)
    return text


def _from_rest_json(shape: StructureShape, body: bytes) -> dict[str, Any]:
    """The parameters in the body of a rest-json request."""
    payload = shape.serialization.get("payload")
    if payload is None:
        located = {name for name, member in members(shape) if "location" in member.serialization}
        params: dict[str, Any] = _from_json(shape, json.loads(body))
        return {name: value for name, value in params.items() if name not in located}
    member = shape.members[payload]
    if isinstance(member, StructureShape):
        return {payload: _from_json(member, json.loads(body))}
    return {payload: body}


def _from_json(shape: Shape | None, value: Any) -> Any:
    """A value of a JSON body as boto3's caller wrote it; members the model lacks are ignored."""
    if value is None or shape is None:
        return {} if shape is None else None
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return value if shape.is_document_type else _structure_from_json(shape, value)
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_from_json(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _from_json(shape.value, item) for key, item in value.items()}
    if shape.type_name == "timestamp":
        return aware(parse_timestamp(value))
    return base64.b64decode(value) if shape.type_name == "blob" else value


def _structure_from_json(shape: StructureShape, value: Mapping[str, Any]) -> dict[str, Any]:
    parsed = {}
    for name, member in shape.members.items():
        item = value.get(member.serialization.get("name", name))
        if item is not None:
            parsed[name] = _from_json(member, item)
    return parsed


def _from_cbor(body: bytes) -> dict[str, Any]:
    """The parameters of a CBOR request; CBOR's own types need no model."""
    if not body:
        return {}
    parser = RpcV2CBORParser(timestamp_parser=lambda value: aware(parse_timestamp(value)))
    stream = parser.get_peekable_stream_from_bytes(body)
    params: dict[str, Any] = parser.parse_data_item(stream)
    return params


def _query_params(shape: Shape | None, form: Mapping[str, str], protocol: str) -> dict[str, Any]:
    """The parameters of a query or ec2 request: `Filter.1.Name=state` is the first filter."""
    parsed = _from_form(shape, form, "", protocol) if shape is not None else None
    return parsed or {}


def _from_form(shape: Shape, form: Mapping[str, str], prefix: str, protocol: str) -> Any:
    """The value whose fields' names begin with `prefix`; None if there are none."""
    if isinstance(shape, StructureShape):
        if prefix and not any(name.startswith(f"{prefix}.") for name in form):
            return None
        members = {
            name: _from_form(member, form, _form_name(member, name, prefix, protocol), protocol)
            for name, member in shape.members.items()
        }
        return {name: value for name, value in members.items() if value is not None}
    if isinstance(shape, ListShape):
        return _list_from_form(shape, form, prefix, protocol)
    if isinstance(shape, MapShape):
        return _map_from_form(shape, form, prefix, protocol)
    return _from_text(shape, form[prefix]) if prefix in form else None


def _list_from_form(
    shape: ListShape, form: Mapping[str, str], prefix: str, protocol: str
) -> list[Any] | None:
    if form.get(prefix) == "":
        return []
    member_name = shape.member.serialization.get("name", "member")
    if shape.serialization.get("flattened") and "name" in shape.member.serialization:
        prefix = ".".join([*prefix.split(".")[:-1], member_name])
    elif protocol == "query" and not shape.serialization.get("flattened"):
        prefix = f"{prefix}.{member_name}"
    items: list[Any] = []
    while (
        item := _from_form(shape.member, form, f"{prefix}.{len(items) + 1}", protocol)
    ) is not None:
        items.append(item)
    return items or None


def _map_from_form(
    shape: MapShape, form: Mapping[str, str], prefix: str, protocol: str
) -> dict[str, Any] | None:
    if not shape.serialization.get("flattened"):
        prefix = f"{prefix}.entry"
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    found: dict[str, Any] = {}
    while (key := form.get(f"{prefix}.{len(found) + 1}.{key_name}")) is not None:
        place = f"{prefix}.{len(found) + 1}.{value_name}"
        found[key] = _from_form(shape.value, form, place, protocol)
    return found or None


def _form_name(member: Shape, name: str, prefix: str, protocol: str) -> str:
    """The name of a member's field; ec2 capitalises what the model spells small."""
    spelled = member.serialization.get("name", name)
    if protocol == "ec2":
        spelled = member.serialization.get("queryName", spelled[0].upper() + spelled[1:])
    return f"{prefix}.{spelled}" if prefix else spelled
