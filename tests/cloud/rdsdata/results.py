"""The answer of ExecuteStatement out of a result of PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import pq

from .errors import ServiceError
from .sessions import Limits, Session
from .values import (
    JAVA_OTHER,
    NUMERIC,
    TYPES,
    Field,
    PgType,
    enum_type,
    render,
)

INTEGERS = {"int2", "int4", "int8"}
NUMBERS = INTEGERS | {"float4", "float8", "numeric"}
WITHOUT_CASE = NUMBERS | {"bool", "date", "time", "timestamp", "timestamptz", "oid"}
SERIAL = {"int2": "smallserial", "int4": "serial", "int8": "bigserial"}

# Bytes that the length word adds to a type modifier.
MODIFIER_OFFSET = 4


@dataclass(frozen=True)
class Column:
    """A column of a result. `table` and `attribute` are 0 for an expression."""

    label: str
    kind: PgType
    table: int
    attribute: int
    modifier: int


@dataclass(frozen=True)
class Origin:
    """What the catalogue says of the table's column that a result's column shows."""

    table: str
    not_null: bool
    serial: bool
    identity: bool


def execute_answer(
    session: Session, result: pq.abc.PGresult, request: Mapping[str, Any], limits: Limits
) -> dict[str, Any]:
    """The response of ExecuteStatement.

    Raises ServiceError (UnsupportedResultException) for types and sizes that the service refuses.
    """
    if result.status != pq.ExecStatus.TUPLES_OK:
        return {"numberOfRecordsUpdated": result.command_tuples or 0, "generatedFields": []}
    columns = _columns(session, result)
    records = _records(result, columns, request.get("resultSetOptions", {}), limits)
    if request.get("formatRecordsAs") == "JSON" and _is_select(result):
        return {"formattedRecords": _formatted(columns, records), "numberOfRecordsUpdated": 0}
    answer: dict[str, Any] = {"records": records, "numberOfRecordsUpdated": 0}
    if request.get("includeResultMetadata"):
        answer["columnMetadata"] = _metadata(session, columns)
    return answer


def _is_select(result: pq.abc.PGresult) -> bool:
    return (result.command_status or b"").startswith(b"SELECT")


def _columns(session: Session, result: pq.abc.PGresult) -> list[Column]:
    oids = [result.ftype(index) for index in range(result.nfields)]
    kinds = TYPES | _other_types(session, [oid for oid in oids if oid not in TYPES])
    return [
        Column(
            (result.fname(index) or b"").decode(),
            kinds[oid],
            result.ftable(index),
            result.ftablecol(index),
            result.fmod(index),
        )
        for index, oid in enumerate(oids)
    ]


def _other_types(session: Session, oids: Sequence[int]) -> dict[int, PgType]:
    """Enumerations, which are supported, and the types that are not."""
    rows = _catalogue_rows(
        session,
        f"""SELECT t.oid::int8::text, t.typname::text, t.typtype::text, e.typname::text
            FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e
              ON e.oid = t.typelem AND t.typcategory = 'A'
            WHERE t.oid IN ({_list(oids)})""",
        oids,
    )
    return {
        int(oid): enum_type(name) if kind == "e" else _unsupported(name, element)
        for oid, name, kind, element in rows
    }


def _unsupported(name: str, element: str) -> PgType:
    """A type without a place in a Field, as `member` "" says; named as the service names it."""
    shown = f"{_display(element)}[]" if element and name.startswith("_") else _display(name)
    return PgType(name, JAVA_OTHER, "", lambda _: shown)


def _display(name: str) -> str:
    return '"CHAR"' if name == "char" else name.upper()


def _records(
    result: pq.abc.PGresult,
    columns: Sequence[Column],
    options: Mapping[str, str],
    limits: Limits,
) -> list[list[Field]]:
    if result.ntuples:
        _require_supported(columns)
    renderers = [_renderer(column.kind, options) for column in columns]
    records = []
    size = 0
    for row in range(result.ntuples):
        values = [result.get_value(row, index) for index in range(len(columns))]
        row_size = sum(len(value) for value in values if value is not None)
        if limits.row_bytes is not None and row_size > limits.row_bytes:
            raise too_large(f"A row exceeds the size limit {limits.row_bytes // 1024} KB")
        size += row_size
        if size > max(limits.result_bytes, limits.formatted_bytes):
            raise too_large()
        records.append([show(value) for show, value in zip(renderers, values, strict=True)])
    return records


def too_large(message: str = "The result exceeds the size limit 1 MB") -> ServiceError:
    return ServiceError("UnsupportedResultException", message)


def _require_supported(columns: Sequence[Column]) -> None:
    for column in columns:
        if not column.kind.member:
            shown = column.kind.decode(b"")
            raise ServiceError(
                "UnsupportedResultException",
                f"The result contains the unsupported data type {shown}.",
            )


def _renderer(kind: PgType, options: Mapping[str, str]) -> Callable[[bytes | None], Field]:
    """How a column's values become Fields under the request's resultSetOptions."""
    if kind.name in INTEGERS and options.get("longReturnType") == "STRING":
        return lambda data: _converted(render(kind, data), _long_as_string)
    if kind is TYPES[NUMERIC] and options.get("decimalReturnType") == "DOUBLE_OR_LONG":
        return lambda data: _converted(render(kind, data), _decimal_as_number)
    return lambda data: render(kind, data)


def _converted(field: Field, convert: Callable[[Any], Field]) -> Field:
    return field if "isNull" in field else convert(next(iter(field.values())))


def _long_as_string(number: int) -> Field:
    return {"stringValue": str(number)}


def _decimal_as_number(text: str) -> Field:
    return {"longValue": int(text)} if text.lstrip("-").isdigit() else {"doubleValue": float(text)}


def _formatted(columns: Sequence[Column], records: Sequence[Sequence[Field]]) -> str:
    """The records as one JSON text: an array of objects by label."""
    labels = [column.label for column in columns]
    if len(set(labels)) < len(labels):
        raise ServiceError(
            "UnsupportedResultException", "The result contains columns with the same label"
        )
    rows = [
        {label: _plain(field) for label, field in zip(labels, record, strict=True)}
        for record in records
    ]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def _plain(field: Field) -> Any:
    ((member, value),) = field.items()
    if member == "isNull":
        return None
    return next(iter(value.values())) if member == "arrayValue" else value


# Metadata


def _metadata(session: Session, columns: Sequence[Column]) -> list[dict[str, Any]]:
    origins = _origins(session, columns)
    return [
        _column_metadata(column, origins.get((column.table, column.attribute)))
        for column in columns
    ]


def _column_metadata(column: Column, origin: Origin | None) -> dict[str, Any]:
    kind = column.kind
    precision, scale = _precision(column)
    is_serial = origin is not None and origin.serial
    return {
        "name": column.label,
        "label": column.label,
        "type": kind.java,
        "typeName": SERIAL.get(kind.name, kind.name) if is_serial else kind.name,
        "schemaName": "",
        "tableName": origin.table if origin else "",
        "nullable": 2 if origin is None else int(not origin.not_null),
        "precision": precision,
        "scale": scale,
        "arrayBaseColumnType": 0,
        "isAutoIncrement": origin is not None and (origin.serial or origin.identity),
        "isSigned": kind.name in NUMBERS,
        "isCurrency": False,
        "isCaseSensitive": kind.name not in WITHOUT_CASE,
    }


def _precision(column: Column) -> tuple[int, int]:
    modifier = column.modifier - MODIFIER_OFFSET
    if modifier >= 0 and column.kind.name == "numeric":
        return modifier >> 16, modifier & 0xFFFF
    if modifier >= 0 and column.kind.name in ("varchar", "bpchar"):
        return modifier, 0
    return column.kind.precision, column.kind.scale


def _origins(session: Session, columns: Sequence[Column]) -> dict[tuple[int, int], Origin]:
    tables = sorted({column.table for column in columns if column.table})
    rows = _catalogue_rows(
        session,
        f"""SELECT a.attrelid::int8::text, a.attnum::text, c.relname::text, a.attnotnull::text,
                   (coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '')
                    LIKE 'nextval(%')::text,
                   (a.attidentity <> '')::text
            FROM pg_catalog.pg_attribute a
            JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
            LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attrelid IN ({_list(tables)}) AND a.attnum > 0""",
        tables,
    )
    return {
        (int(table), int(number)): Origin(
            name, not_null == "true", serial == "true", identity == "true"
        )
        for table, number, name, not_null, serial, identity in rows
    }


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers)


def _catalogue_rows(session: Session, query: str, wanted: Sequence[int]) -> list[list[str]]:
    """Rows of texts; NULL is "". Asks nothing if nothing is wanted."""
    if not wanted:
        return []
    result = session.command(query.encode())
    return [
        [(result.get_value(row, index) or b"").decode() for index in range(result.nfields)]
        for row in range(result.ntuples)
    ]
