"""An answer is an answer of AWS, or the call has failed and is made again.

botocore takes a page of a proxy with status 200 for an empty answer of a JSON service, does not
notice a body that was cut off, and tries nothing again that it could not parse
(ResponseParserError, which is no error of its own family either). So each body is compared with
what its protocol has to say before it is parsed, and whatever the parser raises all the same is
met. Both come out as an error UNREADABLE with status 502, which botocore's retries count as a
passing fault of the server; what stays is a ClientError.

The hooks are those that botocore itself uses for S3's errors with status 200, and the component is
the one that the AWS CLI sets: https://botocore.amazonaws.com/v1/documentation/api/latest/topics/events.html
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.model import OperationModel, Shape
    from botocore.session import Session

UNREADABLE = "UnreadableAnswer"
"""Code of the error that stands for a body which is no answer of AWS."""

BAD_GATEWAY = 502
EXCERPT = 80
"""Characters of a foreign body that are told."""

PEEK = 64 * 1024
"""Bytes of XML within which its first two elements begin."""

REQUEST_IDS = ("x-amzn-requestid", "x-amz-request-id", "x-amzn-errortype")
"""Headers of which every answer of AWS has one."""

JSON, CBOR = ("json", "rest-json"), "smithy-rpc-v2-cbor"


def check_bodies(session: Session) -> None:
    """Let all clients of a botocore session take only AWS's answers for answers."""
    from botocore.parsers import ResponseParserFactory

    class CheckedParserFactory(ResponseParserFactory):
        """Makes parsers that do not raise, and whose times are in UTC."""

        def create_parser(self, protocol_name: str) -> CheckedParser:  # type: ignore[override]
            return CheckedParser(super().create_parser(protocol_name))

    factory = CheckedParserFactory()
    factory.set_parser_defaults(timestamp_parser=parse_time)
    session.register_component("response_parser_factory", factory)
    events = session.get_component("event_emitter")
    events.register_first("before-parse.*", refuse_foreign_body)  # before botocore's own of S3
    events.register_first("needs-retry.*", count_as_server_error)


class CheckedParser:
    """A parser of botocore whose exceptions are a failed call, as any other broken answer is."""

    def __init__(self, parser: Any) -> None:
        self.parser = parser

    def parse(self, response: dict[str, Any], shape: Shape | None) -> dict[str, Any]:
        """What botocore's parser makes of a response (`ResponseParser.parse`)."""
        try:
            parsed: dict[str, Any] = self.parser.parse(response, shape)
        except Exception as error:  # noqa: BLE001  a parser meets what is not as modelled anyhow
            why = f"it is not as AWS's model says: {type(error).__name__}: {error}"[:300]
            headers = {name.lower(): value for name, value in response["headers"].items()}
            return {
                "Error": {"Code": UNREADABLE, "Message": why},
                "ResponseMetadata": {"HTTPStatusCode": BAD_GATEWAY, "HTTPHeaders": headers},
            }
        return parsed


def refuse_foreign_body(**event: Any) -> None:
    """Make an error of a response whose body is no answer (botocore's event before-parse)."""
    response: dict[str, Any] = event["response_dict"]
    body = response["body"]
    if not isinstance(body, bytes):
        return  # a stream, which who reads it checks
    if why := why_foreign(
        event["operation_model"], response["status_code"], response["headers"], body
    ):
        response.update(status_code=BAD_GATEWAY, body=b"")
        event["customized_response_dict"]["Error"] = {"Code": UNREADABLE, "Message": why}


def count_as_server_error(response: tuple[Any, dict[str, Any]] | None, **_: Any) -> None:
    """Let botocore's retries see the status of what was refused (its event needs-retry)."""
    if response and response[1].get("Error", {}).get("Code") == UNREADABLE:
        response[0].status_code = BAD_GATEWAY


def why_foreign(
    operation: OperationModel, status: int, headers: Mapping[str, str], body: bytes
) -> str | None:
    """Why a body is no answer to an operation; None if it may be one."""
    length = headers.get("content-length", "")
    bodiless = operation.http.get("method") == "HEAD" or "transfer-encoding" in headers
    if not bodiless and length.isdecimal() and len(body) < int(length):
        return f"it is cut off after {len(body)} of {length} bytes"
    protocol = operation.service_model.resolved_protocol
    if not body:
        owed = status < 300 and has_body(operation)
        return f"it is empty, with status {status}" if owed else None
    if protocol in JSON:
        foreign = not is_json_answer(operation, status, headers, body)
    elif protocol == CBOR:
        foreign = headers.get("smithy-protocol") != "rpc-v2-cbor"
    else:
        foreign = not is_xml_answer(operation, status, body)
    if not foreign:
        return None
    kind = headers.get("content-type", "").partition(";")[0] or "of no type"
    excerpt = " ".join(body.decode(errors="replace").split())[:EXCERPT]
    return f"it is not AWS's: status {status}, {kind}, {excerpt!r}"


def has_body(operation: OperationModel) -> bool:
    """Whether an answer to an operation has a body: anything that is no header or status."""
    shape = operation.output_shape
    members = shape.members.values() if shape else ()
    return any("location" not in member.serialization for member in members)


def is_json_answer(
    operation: OperationModel, status: int, headers: Mapping[str, str], body: bytes
) -> bool:
    """Whether a body is a JSON object that AWS may have sent.

    One that has nothing of what the operation answers, and came without a request's id, is of
    somebody else; an empty one is an answer.
    """
    try:
        answer = json.loads(body.decode())
    except (ValueError, RecursionError):
        return False
    if not isinstance(answer, dict):
        return False
    if not answer or status >= 300 or any(name in headers for name in REQUEST_IDS):
        return True
    shape = operation.output_shape
    return not shape or any(
        member.serialization.get("name", name) in answer for name, member in shape.members.items()
    )


def is_xml_answer(operation: OperationModel, status: int, body: bytes) -> bool:
    """Whether a body is XML with the root that its protocol asks for.

    Query and EC2 name it by the operation; of REST-XML it is in a namespace of AWS, or begins with
    a member that the model knows. An error names its code, or is named itself as an exception.
    https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
    """
    (space, root), child = first_elements(body)
    if status >= 300:
        return root in ("ErrorResponse", "Response", "Error") or root.endswith("Exception")
    if operation.service_model.resolved_protocol in ("query", "ec2"):
        return root == f"{operation.name}Response"
    if root == "Error":
        return True  # S3 may say so with status 200, which botocore looks for
    return "amazonaws.com" in space or child in rest_members(operation)


def rest_members(operation: OperationModel) -> set[str]:
    """The names of the elements that may stand in an answer of REST-XML."""
    shape: Any = operation.output_shape
    if not shape:
        return set()
    payload = shape.serialization.get("payload")
    members = (shape.members[payload] if payload else shape).members
    return {member.serialization.get("name", name) for name, member in members.items()}


def first_elements(body: bytes) -> tuple[tuple[str, str], str]:
    """((namespace, name) of the root, name of its first child) of XML; empty if it is none."""
    parser: Any = ET.XMLPullParser(events=("start",))
    try:
        parser.feed(body[:PEEK])
        tags = [element.tag for _, element in parser.read_events()][:2]
    except ET.ParseError:
        return ("", ""), ""
    names = [tag.rpartition("}") for tag in (*tags, "", "")]
    return (names[0][0].lstrip("{"), names[0][2]), names[1][2]


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_time(value: Any) -> datetime | None:
    """An instant of AWS in UTC: seconds since 1970, ISO 8601 or RFC 822; None if it is none.

    botocore's own makes local times, so that 1 January of year 1 (a patch that was never
    installed) or 31 December 9999 (a certificate without an end) is an error in some time zones.
    https://smithy.io/2.0/spec/protocol-traits.html#timestampformat-trait
    """
    try:
        return EPOCH + timedelta(seconds=float(value))
    except (TypeError, ValueError, OverflowError):
        pass
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(str(value))
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None
