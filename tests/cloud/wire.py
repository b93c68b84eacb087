"""AWS's wire protocols, seen from the server: requests parsed, answers and errors written.

Everything follows from botocore's models. Requests come back as boto3's callers write them
(`MaxResults`, aware datetimes, bytes); answers go in as boto3 returns them. The protocols are json,
rest-json, rest-xml, query, ec2 and smithy-rpc-v2-cbor.
"""

from __future__ import annotations

import base64
import functools
import json
import re
import struct
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote
from xml.etree import ElementTree

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

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body of an HTTP answer."""

CBOR = "smithy-rpc-v2-cbor"


class UnknownOperationError(Exception):
    """The request names no operation that botocore's model of the service has."""


# Requests


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
    for name, member in _members(operation.input_shape):
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
    for name, member in _members(shape):
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
            return _aware(parse_timestamp(text))
        case "blob":
            return base64.b64decode(text)
    return text


def _from_rest_json(shape: StructureShape, body: bytes) -> dict[str, Any]:
    """The parameters in the body of a rest-json request."""
    payload = shape.serialization.get("payload")
    if payload is None:
        located = {name for name, member in _members(shape) if "location" in member.serialization}
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
        return _aware(parse_timestamp(value))
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
    parser = RpcV2CBORParser(timestamp_parser=lambda value: _aware(parse_timestamp(value)))
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


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _members(shape: Shape | None) -> Iterator[tuple[str, Shape]]:
    if isinstance(shape, StructureShape):
        yield from shape.members.items()


# Answers


def serialise(
    service: str, operation: str, response: dict[str, Any], protocol: str | None = None
) -> Answer:
    """An answer as AWS would write it. The response must have passed `validate`.

    Args:
        response: as boto3 returns it; members that are None are left out.
        protocol: that of the request; by default the one that boto3 prefers.
    """
    model = operation_model(service, operation)
    protocol = protocol or str(service_model(service).metadata["protocol"])
    request_id = str(uuid.uuid4())
    headers = {"x-amzn-requestid": request_id}
    status = int(model.http.get("responseCode", 200))
    if protocol == CBOR:
        headers |= {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}
        return status, headers, _to_cbor(_plain(service, model.output_shape, CBOR_STYLE, response))
    if protocol == "json":
        version = service_model(service).metadata.get("jsonVersion", "1.0")
        headers["content-type"] = f"application/x-amz-json-{version}"
        return status, headers, _to_json(service, model.output_shape, response)
    if protocol == "rest-json":
        return _rest_json_answer(service, model, response, status, headers)
    body = _xml_answer(model, response, protocol, request_id)
    headers |= _header_members(model.output_shape, response) | {"content-type": "text/xml"}
    return status, headers, body


def _rest_json_answer(
    service: str,
    model: OperationModel,
    response: dict[str, Any],
    status: int,
    headers: dict[str, str],
) -> Answer:
    shape = model.output_shape
    headers |= _header_members(shape, response) | {"content-type": "application/json"}
    if shape is None:
        return status, headers, b"{}"
    payload = shape.serialization.get("payload")
    if payload is None:
        located = {name for name, member in _members(shape) if "location" in member.serialization}
        body = {name: value for name, value in response.items() if name not in located}
        return status, headers, _to_json(service, shape, body)
    content = response.get(payload)
    if isinstance(content, bytes):
        return status, headers, content
    return status, headers, _to_json(service, shape.members[payload], content)


def _header_members(shape: Shape | None, response: Mapping[str, Any]) -> dict[str, str]:
    """The members of an answer that travel as headers."""
    headers = {}
    for name, member in _members(shape):
        value = response.get(name)
        if member.serialization.get("location") != "header" or value is None:
            continue
        if isinstance(value, datetime):
            value = format_datetime(value.astimezone(UTC), usegmt=True)
        headers[member.serialization.get("name", name).lower()] = _text(value)
    return headers


@dataclass(frozen=True)
class _Style:
    """How a protocol writes the values that JSON has no type for."""

    moment: Callable[[datetime, str], Any]
    """Writes a time; the second argument is the model's timestampFormat, or empty."""
    blob: Callable[[bytes], Any]
    cache: dict[tuple[str, str, str], Callable[[Any], Any]] = field(default_factory=dict)


def _epoch(moment: datetime, form: str) -> Any:
    """Seconds since 1970, to the millisecond, unless the model wants text."""
    if form == "iso8601":
        return _iso(moment)
    if form == "rfc822":
        return format_datetime(moment.astimezone(UTC), usegmt=True)
    seconds = round(moment.timestamp(), 3)
    return int(seconds) if seconds.is_integer() else seconds


def _iso(moment: datetime) -> str:
    """ISO 8601 in UTC with Z, to the millisecond where there are any."""
    precision = "milliseconds" if moment.microsecond >= 1000 else "seconds"
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


JSON_STYLE = _Style(_epoch, lambda value: base64.b64encode(value).decode())
CBOR_STYLE = _Style(lambda moment, _: moment, lambda value: value)


def _to_json(service: str, shape: Shape | None, value: Any) -> bytes:
    plain = _plain(service, shape, JSON_STYLE, value)
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False).encode()


def _plain(service: str, shape: Shape | None, style: _Style, value: Any) -> Any:
    """The value in JSON's types and under the names that go over the wire."""
    if shape is None or value is None:
        return {}
    with _compiling:
        make = _plainer(service, shape, style)
    return make(value)


def _plainer(service: str, shape: Shape, style: _Style) -> Callable[[Any], Any]:
    """What makes values of a shape plain; made once, for a shape may contain itself."""
    key = (service, shape.name, shape.serialization.get("timestampFormat", ""))
    if key not in style.cache:
        style.cache[key] = lambda value: style.cache[key](value)
        style.cache[key] = _make_plainer(service, shape, style)
    return style.cache[key]


def _make_plainer(service: str, shape: Shape, style: _Style) -> Callable[[Any], Any]:
    if isinstance(shape, StructureShape) and not shape.is_document_type:
        members = {
            name: (member.serialization.get("name", name), _plainer(service, member, style))
            for name, member in shape.members.items()
        }
        return lambda value: {
            members[name][0]: members[name][1](item)
            for name, item in value.items()
            if item is not None
        }
    if isinstance(shape, ListShape):
        plain = _plainer(service, shape.member, style)
        return lambda value: [plain(item) for item in value]
    if isinstance(shape, MapShape):
        plain = _plainer(service, shape.value, style)
        return lambda value: {key: plain(item) for key, item in value.items()}
    if shape.type_name == "timestamp":
        form = shape.serialization.get("timestampFormat", "")
        return lambda value: style.moment(value, form)
    if shape.type_name == "blob":
        return style.blob
    return float if shape.type_name in ("float", "double") else _same


_compiling = threading.Lock()
"""Held while shapes are made plain for the first time, for they are half done in between."""


def _same(value: Any) -> Any:
    return value


def _to_cbor(value: Any) -> bytes:
    """A plain value in CBOR (RFC 8949), as far as the protocol uses it."""
    match value:
        case None:
            return b"\xf6"
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int():
            return _cbor_head(0, value) if value >= 0 else _cbor_head(1, -1 - value)
        case float():
            return b"\xfb" + struct.pack(">d", value)
        case bytes():
            return _cbor_head(2, len(value)) + value
        case str():
            text = value.encode()
            return _cbor_head(3, len(text)) + text
        case datetime():
            return _cbor_head(6, 1) + _to_cbor(_epoch(value, ""))
        case dict():
            pairs = (_to_cbor(key) + _to_cbor(item) for key, item in value.items())
            return _cbor_head(5, len(value)) + b"".join(pairs)
    return _cbor_head(4, len(value)) + b"".join(map(_to_cbor, value))


def _cbor_head(major: int, number: int) -> bytes:
    """The first bytes of an item: its major type and its length, number or tag."""
    if number < 24:
        return bytes([major << 5 | number])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << 8 * size:
            return bytes([major << 5 | info]) + number.to_bytes(size, "big")
    raise OverflowError(f"{number} does not fit CBOR's 64 bits")


# XML answers


def _xml_answer(
    model: OperationModel, response: dict[str, Any], protocol: str, request_id: str
) -> bytes:
    """The body of a query, ec2 or rest-xml answer."""
    shape = model.output_shape
    if protocol == "rest-xml":
        return _rest_xml_body(model, response)
    namespace = str(model.service_model.metadata.get("xmlNamespace", ""))
    root = ElementTree.Element(f"{model.name}Response", {"xmlns": namespace})
    if protocol == "ec2":
        ElementTree.SubElement(root, "requestId").text = request_id
        _add_members(root, shape, response)
    else:
        wrapper = shape.serialization.get("resultWrapper") if shape is not None else None
        content = ElementTree.SubElement(root, wrapper) if wrapper else root
        _add_members(content, shape, response)
        metadata = ElementTree.SubElement(root, "ResponseMetadata")
        ElementTree.SubElement(metadata, "RequestId").text = request_id
    return _document(root)


def _rest_xml_body(model: OperationModel, response: dict[str, Any]) -> bytes:
    shape = model.output_shape
    if shape is None:
        return b""
    payload = shape.serialization.get("payload")
    if payload is None:
        root = ElementTree.Element(shape.serialization.get("name", shape.name))
        _add_members(root, shape, response)
        return _document(root)
    member, content = shape.members[payload], response.get(payload)
    if not isinstance(member, StructureShape):
        return content if isinstance(content, bytes) else str(content or "").encode()
    root = ElementTree.Element(member.serialization.get("name", member.name))
    _add_members(root, member, content or {})
    return _document(root)


def _document(root: ElementTree.Element) -> bytes:
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root)


def _add_members(parent: ElementTree.Element, shape: Shape | None, value: dict[str, Any]) -> None:
    for name, member in _members(shape):
        item = value.get(name)
        if item is not None and "location" not in member.serialization:
            _add(parent, member.serialization.get("name", name), member, item)


def _add(parent: ElementTree.Element, name: str, shape: Shape, value: Any) -> None:
    """Append `value` to `parent` as one element, or as several where its list is flattened."""
    if isinstance(shape, StructureShape):
        _add_members(ElementTree.SubElement(parent, name), shape, value)
    elif isinstance(shape, ListShape):
        _add_list(parent, name, shape, value)
    elif isinstance(shape, MapShape):
        _add_map(parent, name, shape, value)
    else:
        ElementTree.SubElement(parent, name).text = _text(value)


def _add_list(parent: ElementTree.Element, name: str, shape: ListShape, value: list[Any]) -> None:
    if shape.serialization.get("flattened"):
        item_name = shape.member.serialization.get("name", name)
    else:
        parent = ElementTree.SubElement(parent, name)
        item_name = shape.member.serialization.get("name", "member")
    for item in value:
        _add(parent, item_name, shape.member, item)


def _add_map(
    parent: ElementTree.Element, name: str, shape: MapShape, value: dict[str, Any]
) -> None:
    flattened = shape.serialization.get("flattened")
    holder = parent if flattened else ElementTree.SubElement(parent, name)
    for key, item in value.items():
        entry = ElementTree.SubElement(holder, name if flattened else "entry")
        _add(entry, shape.key.serialization.get("name", "key"), shape.key, key)
        _add(entry, shape.value.serialization.get("name", "value"), shape.value, item)


def _text(value: Any) -> str:
    """A scalar as XML and headers have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return _iso(value)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


# Errors


def serialise_error(service: str, protocol: str, code: str, message: str, status: int) -> Answer:
    """An error as the service would write it."""
    request_id = str(uuid.uuid4())
    headers = {"x-amzn-requestid": request_id, "x-amzn-errortype": code}
    if protocol == CBOR:
        headers |= {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}
        return status, headers, _to_cbor({"__type": code, "message": message})
    if protocol in ("json", "rest-json"):
        headers["content-type"] = "application/json"
        return status, headers, json.dumps({"__type": code, "message": message}).encode()
    headers["content-type"] = "text/xml"
    return status, headers, _xml_error(service, protocol, code, message, status, request_id)


def _xml_error(
    service: str, protocol: str, code: str, message: str, status: int, request_id: str
) -> bytes:
    """S3 writes a bare Error, EC2 a Response with Errors, the others an ErrorResponse."""
    if service == "s3":
        root = error = ElementTree.Element("Error")
    elif protocol == "ec2":
        root = ElementTree.Element("Response")
        error = ElementTree.SubElement(ElementTree.SubElement(root, "Errors"), "Error")
    else:
        root = ElementTree.Element("ErrorResponse")
        error = ElementTree.SubElement(root, "Error")
        ElementTree.SubElement(error, "Type").text = "Receiver" if status >= 500 else "Sender"
    ElementTree.SubElement(error, "Code").text = code
    ElementTree.SubElement(error, "Message").text = message
    ElementTree.SubElement(
        root, "RequestID" if protocol == "ec2" else "RequestId"
    ).text = request_id
    return _document(root)
