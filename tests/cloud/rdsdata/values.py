"""Values between the Data API's JSON and PostgreSQL's binary formats.

Parameters are bound with the type that the service declares for them, so that a missing cast fails
as it fails in AWS. Results are rendered by the type of their column.
"""

from __future__ import annotations

import base64
import json
import math
import re
import struct
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from .errors import ServiceError, invalid

TEXT_FORMAT = 0
BINARY_FORMAT = 1

UNTYPED, BOOL, BYTEA, INT8, TEXT, FLOAT8 = 0, 16, 17, 20, 25, 701
DATE, TIME, TIMESTAMP, NUMERIC, UUID, JSONB = 1082, 1083, 1114, 1700, 2950, 3802

Field = dict[str, Any]


@dataclass(frozen=True)
class Bound:
    """A parameter as libpq takes it. `data` None is NULL."""

    oid: int
    data: bytes | None
    format: int = BINARY_FORMAT


NULL = Bound(UNTYPED, None)


@dataclass(frozen=True)
class Hint:
    """A typeHint: the type it declares and the texts that the service accepts."""

    oid: int
    pattern: re.Pattern[str]


_DAY = r"\d{4}-\d\d-\d\d"
_CLOCK = r"\d\d:\d\d:\d\d(\.\d{1,6})?"
HINTS = {
    "DATE": Hint(DATE, re.compile(_DAY)),
    "TIME": Hint(TIME, re.compile(_CLOCK)),
    "TIMESTAMP": Hint(TIMESTAMP, re.compile(f"{_DAY} {_CLOCK}")),
    "UUID": Hint(UUID, re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")),
    "DECIMAL": Hint(NUMERIC, re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")),
}

# The service was seen to pass a DECIMAL through a double, which keeps 15 digits.
DECIMAL_DIGITS = 15


def bind(parameter: Mapping[str, Any]) -> Bound:
    """One SqlParameter of a request, with the type the service declares for it.

    Raises ServiceError (ValidationException) for what the service refuses.
    """
    name = parameter.get("name")
    value = parameter.get("value")
    hint = parameter.get("typeHint")
    if not isinstance(value, dict) or len(value) != 1:
        raise invalid(f'Parameter "{name}" has value with no field set')
    ((member, content),) = value.items()
    if hint is not None and member not in ("stringValue", "isNull"):
        raise invalid(f'Parameter "{name}" has a type hint but no string value')
    binder = BINDERS.get(member)
    if binder is None:
        raise invalid(f'Parameter "{name}" has an unknown value {member}')
    try:
        if member == "stringValue" and hint is not None:
            return _bind_hinted(name, content, hint)
        return binder(content)
    except (TypeError, ValueError, OverflowError, struct.error) as error:
        raise ServiceError("SerializationException", f'Parameter "{name}": {error}') from error


def _bind_text(content: Any) -> Bound:
    return Bound(TEXT, _require(str, content).encode())


def _bind_long(content: Any) -> Bound:
    if isinstance(content, bool):
        raise TypeError("a boolean is no long")
    return Bound(INT8, struct.pack(">q", _require(int, content)))


def _bind_double(content: Any) -> Bound:
    if isinstance(content, bool) or not isinstance(content, int | float):
        raise TypeError("not a number")
    if not math.isfinite(content):
        raise ValueError("a double must be finite")
    return Bound(FLOAT8, struct.pack(">d", content))


def _bind_boolean(content: Any) -> Bound:
    return Bound(BOOL, b"\x01" if _require(bool, content) else b"\x00")


def _bind_blob(content: Any) -> Bound:
    return Bound(BYTEA, base64.b64decode(_require(str, content), validate=True))


def _bind_null(content: Any) -> Bound:
    if content is not True:
        raise TypeError("isNull can only be true")
    return NULL


def _refuse_array(content: Any) -> Bound:
    raise invalid("Array parameters are not supported")


BINDERS: dict[str, Callable[[Any], Bound]] = {
    "stringValue": _bind_text,
    "longValue": _bind_long,
    "doubleValue": _bind_double,
    "booleanValue": _bind_boolean,
    "blobValue": _bind_blob,
    "isNull": _bind_null,
    "arrayValue": _refuse_array,
}


def _bind_hinted(name: Any, content: Any, hint: Any) -> Bound:
    text = _require(str, content)
    if hint == "JSON":
        return Bound(JSONB, b"\x01" + text.encode())
    known = HINTS.get(_require(str, hint))
    if known is None:
        raise invalid(f"Value '{hint}' at 'typeHint' is not a type hint")
    if not known.pattern.fullmatch(text):
        raise invalid(f'Parameter "{name}" is not a valid {hint}: {text[:64]}')
    if hint == "DECIMAL" and len(re.sub(r"[eE].*|\D", "", text).strip("0")) > DECIMAL_DIGITS:
        raise invalid(
            f'Parameter "{name}" has more digits than a DECIMAL keeps on the way; '
            "send a string and cast it to numeric"
        )
    return Bound(known.oid, text.encode(), TEXT_FORMAT)


def _require(kind: type, content: Any) -> Any:
    if not isinstance(content, kind):
        raise TypeError(f"not a {kind.__name__}")
    return content


# Results


@dataclass(frozen=True)
class PgType:
    """A type that may stand in a result.

    Args:
        name: PostgreSQL's internal name.
        java: its number in java.sql.Types, which the metadata reports.
        member: the Field member that carries it.
        decode: from PostgreSQL's binary format.
        precision, scale: as the metadata reports them where the column says nothing.
    """

    name: str
    java: int
    member: str
    decode: Callable[[bytes], Any]
    precision: int = 0
    scale: int = 0


def _decode_text(data: bytes) -> str:
    return data.decode()


def _decode_int(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _decode_oid(data: bytes) -> str:
    return str(int.from_bytes(data, "big"))


def _decode_float(data: bytes) -> float | str:
    number: float = struct.unpack(">f" if len(data) == 4 else ">d", data)[0]
    return number if math.isfinite(number) else NOT_FINITE[str(number)]


def _decode_bool(data: bytes) -> bool:
    return data != b"\x00"


def _decode_bytea(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode_json(data: bytes) -> str:
    """JSON as the service writes it anew: compact, with numbers that fit 64 bits or a double."""
    value = json.loads(data, parse_int=_json_integer, parse_float=_json_double)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _decode_jsonb(data: bytes) -> str:
    return _decode_json(data[1:])


def _json_integer(digits: str) -> int | float:
    # Beyond 20 digits nothing fits, and Python itself reads at most 4,300.
    if len(digits) <= 20 and -(2**63) <= int(digits) < 2**64:
        return int(digits)
    return _json_double(digits)


def _json_double(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise OverflowError(digits)
    return number


def _decode_uuid(data: bytes) -> str:
    return str(uuid.UUID(bytes=data))


def _decode_date(data: bytes) -> str:
    # infinity overflows, as it breaks the service's decoder
    return (date(2000, 1, 1) + timedelta(days=_decode_int(data))).isoformat()


def _decode_timestamp(data: bytes) -> str:
    microseconds = timedelta(microseconds=_decode_int(data))
    moment = datetime(2000, 1, 1) + microseconds  # noqa: DTZ001 - UTC wall clock, as the service
    return _trim_fraction(moment.isoformat(" "))


def _decode_time(data: bytes) -> str:
    seconds, microseconds = divmod(_decode_int(data), 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return _trim_fraction(f"{hour:02}:{minute:02}:{second:02}.{microseconds:06}")


def _trim_fraction(clock: str) -> str:
    return clock.rstrip("0").rstrip(".") if "." in clock else clock


# AWS's spelling of the numbers that JSON does not have
NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
NUMERIC_SPECIAL = {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}


def _decode_numeric(data: bytes) -> str:
    """Digits in base 10,000, the first worth 10,000 ** weight, and the scale to be shown."""
    count, weight, sign, scale = struct.unpack_from(">hhHH", data)
    if sign in NUMERIC_SPECIAL:
        return NUMERIC_SPECIAL[sign]
    digits = "".join(f"{group:04}" for group in struct.unpack_from(f">{count}h", data, 8))
    point = 4 * (weight + 1)
    digits = "0" * -point + digits.ljust(point, "0")
    whole = digits[: max(point, 0)].lstrip("0") or "0"
    fraction = digits[max(point, 0) :]
    shown = f".{fraction[:scale].ljust(scale, '0')}" if scale else ""
    return f"{'-' if sign else ''}{whole}{shown}"


def _decode_inet(data: bytes) -> str:
    bits, is_network = data[1], data[2]
    address = ip_address(data[4:])
    if bits == address.max_prefixlen and not is_network:
        return str(address)
    return f"{address}/{bits}"


_LONGEST = 2147483647
JAVA_ARRAY = 2003
JAVA_OTHER = 1111
JAVA_VARCHAR = 12

SCALARS = {
    16: PgType("bool", -7, "booleanValue", _decode_bool, 1),
    17: PgType("bytea", -2, "blobValue", _decode_bytea, _LONGEST),
    19: PgType("name", 12, "stringValue", _decode_text, 63),
    20: PgType("int8", -5, "longValue", _decode_int, 19),
    21: PgType("int2", 5, "longValue", _decode_int, 5),
    23: PgType("int4", 4, "longValue", _decode_int, 10),
    25: PgType("text", 12, "stringValue", _decode_text, _LONGEST),
    26: PgType("oid", -5, "stringValue", _decode_oid, 10),
    114: PgType("json", JAVA_OTHER, "stringValue", _decode_json, _LONGEST),
    650: PgType("cidr", JAVA_OTHER, "stringValue", _decode_inet, _LONGEST),
    700: PgType("float4", 7, "doubleValue", _decode_float, 8, 8),
    701: PgType("float8", 8, "doubleValue", _decode_float, 17, 17),
    705: PgType("unknown", 12, "stringValue", _decode_text, _LONGEST),
    869: PgType("inet", JAVA_OTHER, "stringValue", _decode_inet, _LONGEST),
    1042: PgType("bpchar", 1, "stringValue", _decode_text, _LONGEST),
    1043: PgType("varchar", 12, "stringValue", _decode_text, _LONGEST),
    1082: PgType("date", 91, "stringValue", _decode_date, 13),
    1083: PgType("time", 92, "stringValue", _decode_time, 15, 6),
    1114: PgType("timestamp", 93, "stringValue", _decode_timestamp, 29, 6),
    1184: PgType("timestamptz", 93, "stringValue", _decode_timestamp, 35, 6),
    1700: PgType("numeric", 2, "stringValue", _decode_numeric),
    2950: PgType("uuid", JAVA_OTHER, "stringValue", _decode_uuid, _LONGEST),
    3802: PgType("jsonb", JAVA_OTHER, "stringValue", _decode_jsonb, _LONGEST),
}

# Array types that the service returns, each with its element's type.
ARRAYS = {
    199: 114,
    1000: 16,
    1003: 19,
    1005: 21,
    1007: 23,
    1009: 25,
    1014: 1042,
    1015: 1043,
    1016: 20,
    1021: 700,
    1022: 701,
    1115: 1114,
    1182: 1082,
    1183: 1083,
    1231: 1700,
    2951: 2950,
}


def array_type(element: PgType) -> PgType:
    """The type of one-dimensional arrays of `element`."""

    def decode(data: bytes) -> dict[str, list[Any]]:
        return {f"{element.member}s": _decode_array(data, element.decode)}

    name = f"_{element.name}"
    return PgType(name, JAVA_ARRAY, "arrayValue", decode, element.precision, element.scale)


def _decode_array(data: bytes, decode: Callable[[bytes], Any]) -> list[Any]:
    (dimensions,) = struct.unpack_from(">i", data)
    if dimensions > 1:
        message = "The result contains a multidimensional array"
        raise ServiceError("UnsupportedResultException", message)
    items: list[Any] = []
    position = 20 if dimensions else len(data)
    while position < len(data):
        (length,) = struct.unpack_from(">i", data, position)
        position += 4
        items.append(None if length < 0 else decode(data[position : position + length]))
        position += max(length, 0)
    return items


def enum_type(name: str) -> PgType:
    """An enumeration, which travels as its label."""
    return PgType(name, JAVA_VARCHAR, "stringValue", _decode_text, _LONGEST)


TYPES = SCALARS | {array: array_type(SCALARS[element]) for array, element in ARRAYS.items()}


def render(kind: PgType, data: bytes | None) -> Field:
    """One value of a result as the Data API's Field.

    Raises ServiceError: `InternalFailure` for what the service's decoder cannot hold: a date or
    timestamp of infinity (here also of years outside 1 to 9999), a number in JSON beyond a double.
    """
    if data is None:
        return {"isNull": True}
    try:
        return {kind.member: kind.decode(data)}
    except OverflowError as error:
        raise ServiceError("InternalFailure") from error
