"""Answers and errors, written by botocore's models."""

import base64
import json
import struct
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from xml.etree import ElementTree

from botocore.model import (
    ListShape,
    MapShape,
    OperationModel,
    Shape,
    StructureShape,
)

from tests.cloud.models import operation_model, service_model
from tests.cloud.wire.shapes import CBOR, members

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body of an HTTP answer."""


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
        located = {name for name, member in members(shape) if "location" in member.serialization}
        body = {name: value for name, value in response.items() if name not in located}
        return status, headers, _to_json(service, shape, body)
    content = response.get(payload)
    if isinstance(content, bytes):
        return status, headers, content
    return status, headers, _to_json(service, shape.members[payload], content)


def _header_members(shape: Shape | None, response: Mapping[str, Any]) -> dict[str, str]:
    """The members of an answer that travel as headers."""
    headers = {}
    for name, member in members(shape):
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
    for name, member in members(shape):
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
