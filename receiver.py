#!/usr/bin/env python3
"""Load what sender.py put under data/ into Aurora PostgreSQL, then move it to loaded/.

    S3 data/ ─ read, validate, encode ─► one transaction per file ─► S3 loaded/
                  (15 loaders)             (RDS Data API)         └► S3 rejected/ + reason

The flow of one file, in the order of this page:

    DocumentReader   parses the S3 object as it arrives and deals its rows out by category
    load_*_data      one loader per category: rows of the document → rows of tables
    Spool            casts and checks every value against the catalogue, cuts batches of ≤ 3.5 MiB
    merge_sql        one statement per batch: insert, update what changed, mark what is gone
    run_steps        (schema.sql) runs the statements of a whole request in one call
    DBManager        the transaction, one call at a time, and what its errors mean
    S3Manager        finding, reading and moving files; a move is bound to the ETag that was loaded

Types and keys of columns are read from the database's catalogue: they are stated in schema.sql
and nowhere else. Every row of a file hangs on the account and region in its S3 key.
"""

from __future__ import annotations

import argparse
import codecs
import gc
import json
import logging
import math
import os
import random
import re
import shlex
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from functools import cached_property, lru_cache, partial
from itertools import accumulate, chain, count, groupby
from operator import attrgetter
from pathlib import Path
from queue import Queue
from typing import IO, TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from mypy_boto3_rds_data import RDSDataServiceClient
    from mypy_boto3_rds_data.type_defs import ExecuteStatementResponseTypeDef, SqlParameterTypeDef
    from mypy_boto3_s3 import S3Client

MIB = 1024 * 1024
BATCH_BYTES = int(3.5 * MIB)  # of the encoded request; the Data API refuses more than 4 MiB
VALUE_CHARACTERS = 16 * MIB  # of one row in a document
PERIODS = 2_000  # of one table in one document; they travel with each of its batches
LISTED_PROBLEMS = 10_000  # in a reason; more are counted

__version__ = "1.0"
THIS = f"receiver.py {__version__}"

log = logging.getLogger("receiver")


class UsageError(Exception):
    """Wrong use or configuration: one line for the user, exit code 2."""


class Refused(Exception):
    """The document can never be loaded as it is; `reasons` says what is wrong and where."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(reasons[0] if reasons else "refused")
        self.reasons = reasons


class Transient(Exception):
    """What failed may pass later; the file stays under data/."""


class Unreachable(Transient):
    """The other side does not answer at all, so other files need not wait as long for it."""


# ── Configuration: the one reader of the environment ────────────────────────────────────────────

SETTINGS = {
    "bucket": ("BUCKET", "bucket that holds data/, loaded/ and rejected/"),
    "cluster_arn": ("AURORA_CLUSTER_ARN", "ARN of the Aurora cluster, its Data API enabled"),
    "secret_arn": ("AURORA_SECRET_ARN", "ARN of the secret with the database credentials"),
    "database": ("DB_NAME", "name of the database"),
    "region": ("REGION", "region of bucket and cluster"),
    "kms_key": ("ANALYTICS_KMS_KEY", "KMS key for moved objects (default: the bucket's own)"),
}
OPTIONAL_SETTINGS = {"kms_key", "region"}
ARNS = {"cluster_arn": ("rds", "cluster"), "secret_arn": ("secretsmanager", "secret")}
"""Settings that are ARNs, as ExecuteStatement wants them: the service and the kind of thing."""
KMS_ARN = r"arn:aws[a-z-]*:kms:[a-z\d-]+:\d{12}:"
KMS_ID = r"([\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}|mrk-[\da-f]{32})"
KMS_KEY = re.compile(rf"({KMS_ARN}key/)?{KMS_ID}|({KMS_ARN})?alias/[\w/-]+", re.ASCII)
"""What CopyObject takes as SSEKMSKeyId."""


def flag_of(name: str) -> str:
    return "--" + name.replace("_", "-")


def not_set(name: str) -> UsageError:
    return UsageError(f"{SETTINGS[name][0]} is not set: export it or give {flag_of(name)}")


def check_arn(name: str, value: str) -> None:
    """Raise UsageError if a setting is not the ARN of what it names."""
    service, kind = ARNS[name]
    if not re.fullmatch(rf"arn:aws[a-z-]*:{service}:[a-z0-9-]+:\d{{12}}:{kind}:[^:\s]+", value):
        form = f"arn:aws:{service}:<region>:<account>:{kind}:<name>"
        setting = f"{SETTINGS[name][0]} ({flag_of(name)})"
        raise UsageError(f"{setting}: {value!r} is no ARN of a {kind}; its form is {form}")


def check_kms_key(value: str | None) -> None:
    """Raise UsageError for what can be no KMS key: each file would fail once it is loaded."""
    if value and not KMS_KEY.fullmatch(value):
        setting = f"{SETTINGS['kms_key'][0]} ({flag_of('kms_key')})"
        forms = "a KMS key's id, alias/ and its alias, or the ARN of either"
        raise UsageError(f"{setting}: {value!r} cannot be one; give {forms}")


@dataclass(frozen=True)
class Settings:
    """Where to read from and load into; see SETTINGS for the meaning of each name."""

    bucket: str
    cluster_arn: str
    secret_arn: str
    database: str
    region: str | None
    kms_key: str | None
    workers: int = 8
    patience: float = 180.0  # seconds that one file may wait for a database that is not ready

    @classmethod
    def of(cls, flags: Mapping[str, Any]) -> Settings:
        """Take each setting from its flag, else from the environment; raises UsageError."""
        values: dict[str, Any] = {}
        for name, (variable, _) in SETTINGS.items():
            values[name] = flags.get(name) or os.environ.get(variable) or None
            if values[name] is None and name not in OPTIONAL_SETTINGS:
                raise not_set(name)
        for name in ARNS:
            check_arn(name, values[name])
        check_kms_key(values["kms_key"])
        numbers = {name: flags.get(name) for name in ("workers", "patience")}
        return cls(**values, **{name: n for name, n in numbers.items() if n is not None})


# ── The story on stderr ─────────────────────────────────────────────────────────────────────────

CATEGORIES = ("SUCCESS", "FAIL", "ERROR", "INFO", "TIMING")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Escape what could forge a line or drive a terminal."""
    return UNPRINTABLE.sub(lambda m: f"\\x{ord(m[0]):02x}", text)


def tell(category: str, text: str, **facts: Any) -> None:
    """Log one line in one of the five CATEGORIES; `facts` are fields of the JSON form."""
    level = logging.ERROR if category in ("ERROR", "FAIL") else logging.INFO
    level = logging.DEBUG if category in ("TIMING", "CALL") else level
    log.log(level, text, extra={"category": category, "facts": facts})


class StoryFormatter(logging.Formatter):
    """`time CATEGORY text`, or one JSON object per line."""

    def __init__(self, as_json: bool) -> None:
        super().__init__()
        self.as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        category = getattr(record, "category", record.levelname)
        text = record.getMessage()
        trace = self.formatException(record.exc_info).splitlines() if record.exc_info else []
        if self.as_json:
            facts = getattr(record, "facts", {})
            message = "\n".join((text, *trace))
            return json.dumps({"time": at, "kind": category, "message": message, **facts})
        return "\n  ".join(map(printable, (f"{at} {category:7} {text}", *trace)))


# ── Tables: how each one is merged (contract, section 4) ────────────────────────────────────────


class Kind(Enum):
    """What a table's rows mean, hence which document decides and what an absence means."""

    SNAPSHOT = "what exists now: the newest day decides, what it lacks is marked gone"
    PERIOD = "facts of a period: the last collected decides, what it lacks is deleted"
    PART = "belongs to its parent row and is replaced with it"
    EVENT = "keyed by AWS's identifier: the later update time wins, absence means nothing"
    OWNER = "what other rows hang on; a statement of its own"


@dataclass(frozen=True)
class Parent:
    """The row that a row hangs on: found by `fields`, its id kept in `column`."""

    table: str
    column: str
    fields: Mapping[str, str]  # field of the incoming row → column of the parent
    by_name: bool = False  # found by its name whatever the case, not within the account


@dataclass(frozen=True)
class Table:
    """How one table is merged; its columns, types and key come from the catalogue."""

    name: str
    category: str  # whose status must be Pass for an absence to mean anything
    kind: Kind
    scope: tuple[str, ...] = ()  # columns that delimit what one listing covers
    parent: Parent | None = None
    by_day: bool = False  # documents are ordered by the day they cover (snapshots and parts)
    version: str | None = None  # EVENT: the column with AWS's update time
    aws_times: tuple[str, ...] = ()  # created_at / updated_at that are AWS's, not ours
    ours: tuple[str, ...] = ()  # columns that a row of the document does not fill
    fields: tuple[str, ...] = ()  # the only columns that it fills, if not all
    stored_in: str = ""  # the table, where it is not the one of this name
    gone_value: tuple[str, str] | None = None  # a column and what it says once the thing is gone

    @property
    def order(self) -> str:
        """The column of documents by which the newer of two documents is known."""
        return "day_order" if self.by_day else "time_order"


def snapshot(name: str, category: str, **more: Any) -> Table:
    return Table(name, category, Kind.SNAPSHOT, by_day=True, **more)


# What a report says only if its sender could read it, and which column remembers who said so.
SAID = {
    "cost_savings": ("potential_monthly_savings", "saving_opportunities_count"),
    "cost_anomalies": ("anomalies_detected",),
}
SAID_BY = {"cost_savings": "savings_document_id", "cost_anomalies": "anomalies_document_id"}
REPORT_KEY = ("period_start", "period_granularity", "region")
REPORT = Parent("cost_reports", "cost_report_id", {f"report_{c}": c for c in REPORT_KEY})
INSTANCE = Parent("inventory_instances", "instance_id", {"instance_id": "instance_id"})

# In the order of loading, which is the sender's, as loading begins before all is read: parents
# before their parts; products, which accounts share, late, so that a new one is locked for
# moments only.
TABLES = {
    table.name: table
    for table in (
        Table("accounts", "account", Kind.OWNER, by_day=True, ours=("region", "csp")),
        snapshot("contact_info", "account"),
        snapshot("alternate_contacts", "account"),
        Table(
            "cost_reports",
            "cost",
            Kind.PERIOD,
            ("period_start", "period_granularity"),
            ours=(*chain.from_iterable(SAID.values()), *SAID_BY.values()),
        ),
        *(
            Table(
                name,
                "cost",
                Kind.OWNER,
                fields=("period_start", "period_granularity", *columns),
                stored_in="cost_reports",
            )
            for name, columns in SAID.items()
        ),
        Table("service_costs", "cost", Kind.PART, ("cost_report_id",), REPORT),
        Table("cost_forecasts", "cost", Kind.PART, ("cost_report_id",), REPORT),
        Table("services", "service", Kind.PERIOD, ("date_from",)),
        Table("ri_sp_daily_savings", "ri_sp_savings", Kind.PERIOD, ("date_to",)),
        Table("security", "security", Kind.OWNER, fields=("service",)),
        Table(
            "findings",
            "security",
            Kind.EVENT,
            parent=Parent("security", "security_id", {"service": "service"}),
            version="updated_at",
            aws_times=("created_at", "updated_at"),
        ),
        Table(
            "guard_duty_findings",
            "security",
            Kind.EVENT,
            version="updated_at",
            aws_times=("created_at", "updated_at"),
        ),
        snapshot("kms_keys", "security"),
        snapshot("waf_rules", "security"),
        snapshot("waf_rules_detailed", "security"),
        snapshot("cloudtrail_logs", "security"),
        snapshot("secrets_manager_secrets", "security"),
        snapshot("certificates", "security"),
        Table(
            "inspector_findings",
            "security",
            Kind.EVENT,
            version="updated_at",
            aws_times=("updated_at",),
        ),
        Table("config_reports", "config", Kind.PERIOD, ("date_from",)),
        snapshot(
            "non_compliant_resources",
            "config",
            parent=Parent("config_reports", "config_report_id", {"date_from": "date_from"}),
            aws_times=("created_at",),
            gone_value=("status", "RESOLVED"),
        ),
        snapshot("inventory_instances", "inventory"),
        Table("inventory_applications", "inventory", Kind.PART, (), INSTANCE, by_day=True),
        Table("inventory_patches", "inventory", Kind.PART, (), INSTANCE, by_day=True),
        Table("marketplace_usage", "marketplace", Kind.PERIOD, ("period_start",)),
        snapshot("trusted_advisor_checks", "trusted_advisor"),
        Table("health_events", "health", Kind.EVENT, version="last_updated_time"),
        snapshot("application_signals", "application"),
        snapshot("resilience_hub_apps", "resilience_hub"),
        snapshot("compute_optimizer", "compute_optimizer"),
        snapshot("service_resources", "service_resources"),
        snapshot("config_inventory", "config_inventory"),
        Table("support_tickets", "support_tickets", Kind.EVENT),
        snapshot(
            "product_accounts",
            "account",
            parent=Parent("products", "product_id", {"name": "name"}, by_name=True),
        ),
        Table("logs", "logs", Kind.PERIOD, ("date_created",)),
        Table(
            "log_messages",
            "logs",
            Kind.PART,
            ("log_id",),
            Parent("logs", "log_id", {"date_created": "date_created"}),
        ),
    )
}
STORED = tuple(dict.fromkeys(table.stored_in or name for name, table in TABLES.items()))
"""The tables of the database that TABLES are stored in."""

AWAITED = {
    table.parent.table
    for table in TABLES.values()
    if table.parent and table.parent.table in TABLES
    if TABLES[table.parent.table].kind is Kind.OWNER
}
"""Owners whose rows are loaded as soon as they are met: those that hang on them follow."""

OTHER_TABLES = ("products", "documents", "listings")
FUNCTION = "run_steps()"


# ── Catalogue: columns, types and keys as the database has them ─────────────────────────────────

CATALOGUE_SQL = """
SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
       a.attnotnull AND NOT a.atthasdef, NOT a.attnotnull, coalesce(k.position, 0),
       coalesce((SELECT string_agg(e.enumlabel::text, ',' ORDER BY e.enumsortorder)
                 FROM pg_enum e WHERE e.enumtypid = a.atttypid), '')
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN (SELECT i.indrelid, g.position, pg_get_indexdef(i.indexrelid, g.position, true) AS part
           FROM pg_index i
           JOIN pg_class x ON x.oid = i.indexrelid AND i.indisunique
           JOIN pg_class y ON y.oid = i.indrelid AND x.relname = y.relname || '_key'
           CROSS JOIN LATERAL generate_series(1, i.indnkeyatts::integer) AS g (position)
          ) k ON k.indrelid = c.oid AND (k.part = quote_ident(a.attname)
              OR starts_with(k.part, 'COALESCE(' || quote_ident(a.attname) || ','))
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
UNION ALL
SELECT proname || '()', '', '', false, false, 0, '' FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND proname = 'run_steps'
ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Column:
    name: str
    type: str  # as PostgreSQL writes it, ready for a cast
    required: bool
    nullable: bool
    key_position: int  # in the natural key, from 1; 0: not part of it
    labels: tuple[str, ...]  # of an enumeration


MANAGED = {"id", "account_id", "document_id", "gone_at", "created_at", "updated_at"}


@dataclass(frozen=True, eq=False)
class Shape:
    """A table with its columns: what a document may fill, and what rows are found by."""

    table: Table
    columns: Mapping[str, Column]
    fields: Mapping[str, Column]  # of an incoming row: the data columns, parent's key for its id
    found_by: Mapping[str, Column]  # the parent's key

    @classmethod
    def of(cls, table: Table, catalogue: Mapping[str, Mapping[str, Column]]) -> Shape:
        columns = catalogue[table.stored_in or table.name]
        managed = MANAGED - set(table.aws_times) | set(table.ours)
        fields = {name: c for name, c in columns.items() if name not in managed}
        if table.fields:
            fields = {name: columns[name] for name in table.fields}
        found_by: dict[str, Column] = {}
        if table.parent:
            fields.pop(table.parent.column)
            theirs = catalogue[table.parent.table]
            found_by = {f: theirs[column] for f, column in table.parent.fields.items()}
        return cls(table, columns, found_by | fields, found_by)

    @property
    def data(self) -> list[str]:
        """Columns that a document decides, the parent's id among them."""
        parent = self.table.parent.column if self.table.parent else None
        return [c for c in self.columns if c in self.fields and c != parent] + (
            [parent] if parent else []
        )

    @property
    def key(self) -> list[str]:
        """The natural key, in its index's order."""
        keyed = sorted((c.key_position, n) for n, c in self.columns.items() if c.key_position)
        return [name for _, name in keyed]

    @property
    def stamped(self) -> bool:
        """Whether updated_at is ours: when the row last changed."""
        return "updated_at" in self.columns and "updated_at" not in self.table.aws_times

    def key_of(self, alias: str) -> list[str]:
        """The natural key of a row as its index has it: no value counts as an empty text."""
        key = [(f'{alias}"{c}"', self.columns[c].nullable) for c in self.key]
        return [f"(coalesce({column}, ''))" if nullable else column for column, nullable in key]

    @property
    def owner(self) -> list[str]:
        """account_id, where the table has it: parts of a report or log have their parent only."""
        return ["account_id"] if "account_id" in self.columns else []


Catalogue = Mapping[str, Mapping[str, Column]]


def read_catalogue(records: Iterable[Sequence[Any]], tables: Collection[str]) -> Catalogue:
    """Group the rows of CATALOGUE_SQL by table.

    UsageError where the schema lacks one of `tables`, which have a document_id, or what is beside
    them: then it is too old.
    """
    catalogue: dict[str, dict[str, Column]] = {}
    for table, name, type_, required, nullable, position, labels in records:
        known = tuple(filter(None, labels.split(",")))
        column = Column(name, type_, required, nullable, position, known)
        catalogue.setdefault(table, {})[name] = column
    if catalogue.keys().isdisjoint(tables):
        raise UsageError("the database has no schema: run receiver.py --init-schema")
    missing = [name for name in (*tables, *OTHER_TABLES, FUNCTION) if name not in catalogue]
    missing += [
        f"{name}.document_id"
        for name in tables
        if name in catalogue and "document_id" not in catalogue[name]
    ]
    if missing:
        raise UsageError(f"the database lacks {', '.join(missing)}: run receiver.py --init-schema")
    return catalogue


# ── Values: what a column of a type accepts from a document ─────────────────────────────────────


class Number(str):
    """A JSON number with a fraction or exponent, kept as it was written."""

    __slots__ = ()


INTEGER = re.compile(r"[+-]?\d{1,19}(\.0*)?", re.ASCII)
DECIMAL = re.compile(r"[+-]?(\d{1,60}(\.\d{0,60})?|\.\d{1,60})([eE][+-]?\d{1,2})?", re.ASCII)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
INTEGER_BITS = {"integer": 31, "bigint": 63}


def plain(value: Any) -> Any:
    """A JSON value whose numbers are numbers again, for JSONB."""
    if isinstance(value, Number):
        return float(value)
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value


def as_text(value: Any) -> Any:
    """TEXT takes any scalar; a list or object is stored as its JSON text."""
    return json.dumps(plain(value), ensure_ascii=False) if isinstance(value, list | dict) else value


def as_integer(value: Any, bits: int) -> int:
    if type(value) is int:
        number = value
    elif isinstance(value, bool) or not INTEGER.fullmatch(str(value)):
        raise ValueError("is not a whole number")
    else:
        number = int(str(value).partition(".")[0])
    if not -(2**bits) <= number < 2**bits:
        raise ValueError("is out of range")
    return number


def as_decimal(value: Any, whole_digits: int | None) -> str:
    text = str(value)
    if isinstance(value, bool) or not DECIMAL.fullmatch(text):
        raise ValueError("is not a number, or has over 60 digits")
    if whole_digits is not None and abs(float(text)) >= 10**whole_digits - 0.5:
        raise ValueError(f"has more than {whole_digits} digits before the point")
    return text


def as_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ValueError("is neither true nor false")


@lru_cache(maxsize=65_536)
def as_day(value: str) -> str:
    """YYYY-MM-DD, also as the beginning of a time."""
    if not isinstance(value, str) or not DAY.match(value):
        raise ValueError("is not a date (YYYY-MM-DD)")
    if len(value) > 10:
        as_instant(value)
    try:
        return date.fromisoformat(value[:10]).isoformat()
    except ValueError:
        raise ValueError("is a date that does not exist") from None


@lru_cache(maxsize=65_536)
def as_instant(value: str) -> str:
    """ISO 8601; without an offset it is UTC."""
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("is not a time (ISO 8601)") from None
    return instant.isoformat() if instant.tzinfo else instant.isoformat() + "+00:00"


def caster(column: Column) -> Callable[[Any], Any]:
    """The check and cast for a column's type; what it returns PostgreSQL reads as that type.

    The returned function raises ValueError with the reason, never with the value.
    """
    kind = column.type
    if column.labels:
        return lambda value: as_label(value, column.labels)
    if kind in INTEGER_BITS:
        return partial(as_integer, bits=INTEGER_BITS[kind])
    if kind.startswith("numeric"):
        sizes = [int(n) for n in re.findall(r"\d+", kind)]
        return partial(as_decimal, whole_digits=sizes[0] - sizes[1] if sizes else None)
    casts: dict[str, Callable[[Any], Any]] = {
        "boolean": as_boolean,
        "date": partial(hashable, as_day),
        "timestamp with time zone": partial(hashable, as_instant),
        "jsonb": plain,
    }
    return casts.get(kind, as_text)


TEXT_OR_NULL = {str, type(None)}
INTEGER_OR_NULL = {int, type(None)}


def column_caster(column: Column) -> Callable[[list[Any]], list[Any]]:
    """The same for the values of many rows, of which most are what the column wants already."""
    cast, bits = caster(column), INTEGER_BITS.get(column.type, 0)

    def each(values: list[Any]) -> list[Any]:
        return [None if value is None else cast(value) for value in values]

    def texts(values: list[Any]) -> list[Any]:
        return values if TEXT_OR_NULL.issuperset(map(type, values)) else each(values)

    def integers(values: list[Any]) -> list[Any]:
        whole = INTEGER_OR_NULL.issuperset(map(type, values))
        fit = whole and max(map(abs, filter(None, values)), default=0) < 2**bits
        return values if fit else each(values)

    return texts if cast is as_text else integers if bits else each


def as_label(value: Any, labels: Sequence[str]) -> str:
    if not isinstance(value, str) or value.upper() not in labels:
        raise ValueError(f"is none of {', '.join(labels)}")
    return value.upper()


def hashable(cast: Callable[[str], str], value: Any) -> str:
    """Guard a cached cast from values that cannot be looked up."""
    if not isinstance(value, str):
        raise ValueError("is not text with a date or time")
    return cast(value)


# ── Statements: one per batch; identifiers come from the catalogue, values from parameters ──────
#
# In those that run_steps runs $1 is the document's id, $2 the rows and $3 the scopes; each of them
# counts what it created, updated and marked as gone.

NONE = "CAST(0 AS bigint)"


def names(columns: Iterable[str], prefix: str = "") -> str:
    return ", ".join(f'{prefix}"{column}"' for column in columns)


def rows_of(fields: Mapping[str, Column]) -> str:
    """The rows of $2, each an array with a value per field, cast to the field's column type.

    Arrays take half the bytes of objects, and PostgreSQL reads them twice as fast.
    """
    typed = [
        f"nullif(e.v -> {place}, 'null') AS \"{name}\""
        if column.type == "jsonb"
        else f'CAST(e.v ->> {place} AS {column.type}) AS "{name}"'
        for place, (name, column) in enumerate(fields.items())
    ]
    source = "jsonb_array_elements($2) WITH ORDINALITY AS e(v, place)"
    return f"(SELECT {', '.join(typed)}, e.place FROM {source})"


def parent_join(table: Table, alias: str) -> str:
    """Join the parent as p to incoming rows called `alias`."""
    assert table.parent
    if table.parent.by_name:
        found = " AND ".join(
            f'lower(p."{column}") = lower({alias}."{f}")'
            for f, column in table.parent.fields.items()
        )
    else:
        found = "p.account_id = this.account_id AND " + " AND ".join(
            f'p."{column}" = {alias}."{f}"' for f, column in table.parent.fields.items()
        )
    return f'JOIN "{table.parent.table}" p ON {found}'


def this_cte(table: Table) -> str:
    return f"""this AS (
    SELECT id, account_id, {table.order} AS sort_key, collected_at
    FROM documents WHERE id = $1)"""


def scope_text(table: Table, alias: str) -> str:
    columns = ", ".join(f'{alias}."{column}"' for column in table.scope)
    return f"concat_ws('|', {columns})" if columns else "''"


def incoming_cte(shape: Shape) -> str:
    """The batch, typed, with the parent's id, one row per natural key.

    Of two rows with one key an event's later version stays, else the first.
    """
    table, parent = shape.table, shape.table.parent
    picked = [f'r."{f}"' for f in shape.fields if not parent or f != parent.column]
    picked += [f'p.id AS "{parent.column}"'] if parent else []
    picked += [*names(shape.owner, "this.").split(), "r.place"]
    join = f"LEFT {parent_join(table, 'r')}" if parent else ""
    later = f'"{table.version}" DESC NULLS LAST, ' if table.version else ""
    key = ", ".join(shape.key_of("i."))
    return f"""incoming AS (
    SELECT DISTINCT ON ({key}) i.*, {scope_text(table, "i")} AS covering FROM (
        SELECT {", ".join(picked)}
        FROM this CROSS JOIN {rows_of(shape.fields)} r {join}) i
    ORDER BY {key}, {later}place)"""


def scopes_cte(shape: Shape) -> str:
    """What the document states the whole of: everything, or the periods or parents of $3."""
    table, parent = shape.table, shape.table.parent
    if not table.scope:
        return "scopes AS (SELECT '' AS covering)"
    if parent:
        fields = shape.found_by
        picked = f'p.id AS "{parent.column}", CAST(p.id AS text) AS covering'
        join = parent_join(table, "s")
    else:
        fields = {c: shape.columns[c] for c in table.scope}
        picked = f"{names(table.scope, 's.')}, {scope_text(table, 's')} AS covering"
        join = ""
    typed = ", ".join(f'"{name}" {column.type}' for name, column in fields.items())
    source = f"jsonb_to_recordset($3) AS s({typed})"
    return f"scopes AS MATERIALIZED (SELECT {picked} FROM this CROSS JOIN {source} {join})"


def newer_cte(table: Table) -> str:
    """Per scope, the first complete listing that is newer than this document."""
    incoming = "SELECT covering FROM incoming UNION " if table.scope else ""
    return f"""newer AS MATERIALIZED (
    SELECT s.covering, l.collected_at
    FROM ({incoming}SELECT covering FROM scopes) s CROSS JOIN this
    CROSS JOIN LATERAL (
        SELECT l.collected_at FROM listings l
        WHERE l.account_id = this.account_id AND l.table_name = '{table.name}'
          AND l.scope = s.covering AND l.sort_key > this.sort_key
        ORDER BY l.sort_key LIMIT 1) l)"""


def seen_before(table: Table) -> str:
    """The ids of the rows that earlier batches of this document have met.

    Those that they made are known by the document's id, and no newer than it.
    """
    return f"SELECT row_id FROM seen WHERE table_name = '{table.name}'"


def wins(shape: Shape, several: bool) -> str:
    """The condition under which the incoming row i replaces the stored row t.

    Of two versions of an event the later wins, of two alike the newer document's: not all that
    people change (a finding's workflow status) moves AWS's own update time.
    """
    table = shape.table
    stored_document = f"SELECT d.{table.order} FROM documents d WHERE d.id = t.document_id"
    newer_document = f"coalesce(({stored_document}) < this.sort_key, true)"
    if table.kind is Kind.EVENT and table.version:
        ours, stored = f'i."{table.version}"', f't."{table.version}"'
        return f"""CASE WHEN {ours} IS DISTINCT FROM {stored}
            THEN coalesce({ours} > {stored}, {stored} IS NULL) ELSE {newer_document} END"""
    if table.kind is Kind.EVENT:
        return newer_document
    if several:  # of two rows with one key the first stays, in whichever batches they are
        newer_document += f" AND t.id NOT IN ({seen_before(table)})"
    alive = " AND (n.covering IS NULL OR t.gone_at IS NOT NULL)"
    return newer_document + (alive if table.kind is Kind.SNAPSHOT else " AND n.covering IS NULL")


def judged_cte(shape: Shape, several: bool) -> str:
    """Each incoming row beside the stored one: is it new, does it win, does it differ?"""
    table = shape.table
    gone = "t.gone_at" if table.kind is Kind.SNAPSHOT else "CAST(NULL AS timestamptz)"
    ignored = table.gone_value[0] if table.gone_value else None
    compared = [column for column in shape.data if column != ignored]
    pairs = zip(shape.key_of("t."), shape.key_of("i."), strict=True)
    key = " AND ".join(f"{stored} = {ours}" for stored, ours in pairs)
    touched = ", t.updated_at AS was_updated_at" if shape.stamped else ""
    return f"""judged AS MATERIALIZED (
    SELECT i.*, t.id AS row_id, {gone} AS was_gone_at, n.collected_at AS next_at,
           n.covering IS NOT NULL AS outdated,
           ({names(compared, "t.")}) IS DISTINCT FROM ({names(compared, "i.")}) AS differs,
           {wins(shape, several)} AS wins{touched}
    FROM incoming i CROSS JOIN this
    LEFT JOIN newer n ON n.covering = i.covering
    LEFT JOIN "{table.name}" t ON {key})"""


def written_ctes(shape: Shape, complete: bool) -> list[str]:
    """Insert what is new and update what changed, and nothing else.

    An unchanged row is touched only where its document cannot vouch for the whole listing: then
    the row itself must remember the newest document that had it. Two statements, because INSERT
    … ON CONFLICT takes an id out of the sequence for each row that it then only updates.
    """
    table = shape.table
    values = {column: value_of(shape, column) for column in shape.owner + shape.data}
    values["document_id"] = "this.id"
    if table.kind is Kind.SNAPSHOT:
        values["gone_at"] = "j.next_at"
    if shape.stamped:
        same = "j.row_id IS NOT NULL AND NOT j.differs AND j.was_gone_at IS NULL"
        values["updated_at"] = f"CASE WHEN {same} THEN j.was_updated_at ELSE now() END"
    creates = " AND NOT j.outdated" if table.kind in (Kind.PERIOD, Kind.PART) else ""
    moves = " AND (j.differs OR j.was_gone_at IS NOT NULL)" if complete else ""
    updates = [f'"{c}" = {value}' for c, value in values.items() if c != "account_id"]
    return [
        f"""inserted AS (
    INSERT INTO "{table.name}" ({names(values)})
    SELECT {", ".join(values.values())} FROM judged j CROSS JOIN this
    WHERE j.row_id IS NULL{creates}
    RETURNING id)""",
        f"""updated AS (
    UPDATE "{table.name}" t SET {", ".join(updates)}
    FROM judged j CROSS JOIN this
    WHERE j.row_id IS NOT NULL AND t.id = j.row_id AND j.wins{moves})""",
    ]


def value_of(shape: Shape, column: str) -> str:
    """What is stored in a column of a written row j."""
    if shape.table.gone_value and column == shape.table.gone_value[0]:
        gone = shape.table.gone_value[1]
        return f"CASE WHEN j.next_at IS NULL THEN j.\"{column}\" ELSE '{gone}' END"
    return f'j."{column}"'


def seen_condition(shape: Shape, several: bool) -> str:
    """Whether the listing lacks the stored row t; NOT IN looks it up in a hash of what was seen."""
    seen = "SELECT row_id FROM judged WHERE row_id IS NOT NULL"
    if several:
        seen += f" UNION ALL {seen_before(shape.table)}"
    return f"t.id NOT IN ({seen})"


def gone_cte(shape: Shape, several: bool) -> str:
    """Mark what a complete listing lacks as gone since its time.

    Living rows are the newest listing's to decide. A listing that arrives late may only move the
    time of what was last listed just before it.
    """
    table = shape.table
    extra = f", \"{table.gone_value[0]}\" = '{table.gone_value[1]}'" if table.gone_value else ""
    if shape.stamped:
        extra += ", updated_at = now()"
    candidates = f"""SELECT t.id, d.{table.order} AS sort_key
        FROM "{table.name}" t CROSS JOIN this JOIN documents d ON d.id = t.document_id
        WHERE t.account_id = this.account_id AND d.{table.order} < this.sort_key
          AND {seen_condition(shape, several)}"""
    return f"""previous AS (
    SELECT l.sort_key, l.document_id FROM listings l CROSS JOIN this
    WHERE l.account_id = this.account_id AND l.table_name = '{table.name}' AND l.scope = ''
      AND l.sort_key < this.sort_key
    ORDER BY l.sort_key DESC LIMIT 1),
absent AS (
    {candidates} AND t.gone_at IS NULL AND NOT EXISTS (SELECT FROM newer)
    UNION ALL
    {candidates} AND t.gone_at IS NOT NULL AND t.gone_at <> this.collected_at
          AND EXISTS (SELECT FROM newer)
          AND d.{table.order} >= coalesce((SELECT sort_key FROM previous), '')),
vanished AS (
    UPDATE "{table.name}" t
    SET gone_at = this.collected_at, document_id = coalesce((
        SELECT p.document_id FROM previous p WHERE p.sort_key > a.sort_key), t.document_id){extra}
    FROM absent a CROSS JOIN this WHERE t.id = a.id
    RETURNING t.id)"""


def deleted_cte(shape: Shape, several: bool) -> str:
    """Delete what the newest complete statement about a period or parent no longer has."""
    table = shape.table
    scoped = "".join(f' AND t."{column}" = s."{column}"' for column in table.scope)
    owner = "t.account_id = this.account_id AND " if shape.owner else ""
    return f"""vanished AS (
    DELETE FROM "{table.name}" t USING scopes s, this, documents d
    WHERE {owner}d.id = t.document_id{scoped}
      AND d.{table.order} < this.sort_key
      AND NOT EXISTS (SELECT FROM newer n WHERE n.covering = s.covering)
      AND {seen_condition(shape, several)}
    RETURNING t.id)"""


class Extent(Enum):
    """How much of its listing a batch is."""

    SOME = "the document cannot vouch for the whole listing: absence means nothing"
    MORE = "one of several batches of a complete listing; others follow"
    LAST = "the last of several batches of a complete listing"
    WHOLE = "the one batch of a complete listing"


@lru_cache(maxsize=1024)
def merge_sql(shape: Shape, extent: Extent) -> str:
    """Merge one batch of rows into a table, and count: created, updated, gone."""
    table = shape.table
    ctes = [this_cte(table), incoming_cte(shape)]
    if table.kind is Kind.EVENT:
        ctes.append("newer AS (SELECT '' AS covering, now() AS collected_at WHERE false)")
    else:
        ctes += [scopes_cte(shape), newer_cte(table)]
    several = extent in (Extent.MORE, Extent.LAST)
    ctes += [judged_cte(shape, several), *written_ctes(shape, extent is not Extent.SOME)]
    absent = NONE
    if extent in (Extent.WHOLE, Extent.LAST):
        gone = table.kind is Kind.SNAPSHOT
        ctes.append(gone_cte(shape, several) if gone else deleted_cte(shape, several))
        ctes.append(listed_cte(table))
        absent = "(SELECT count(*) FROM vanished)"
    elif extent is Extent.MORE:
        ctes.append(f"""remembered AS (
    INSERT INTO seen (table_name, row_id)
    SELECT '{table.name}', row_id FROM judged WHERE row_id IS NOT NULL)""")
    revived = "was_gone_at IS NOT NULL AND NOT outdated"
    return f"""WITH {", ".join(ctes)}
SELECT (SELECT count(*) FROM inserted),
       (SELECT count(*) FROM judged WHERE row_id IS NOT NULL AND wins AND (differs OR {revived})),
       {absent}"""


def listed_cte(table: Table) -> str:
    return f"""listed AS (
    INSERT INTO listings (account_id, table_name, scope, sort_key, document_id, collected_at)
    SELECT DISTINCT this.account_id, '{table.name}', s.covering, this.sort_key, this.id,
           this.collected_at
    FROM scopes s CROSS JOIN this ON CONFLICT DO NOTHING)"""


RUN_SQL = """
SELECT created, updated, gone
FROM run_steps(CAST(:document AS integer), CAST(:steps AS jsonb))"""

SEEN_SQL = "CREATE TEMPORARY TABLE seen (table_name text, row_id integer) ON COMMIT DROP"

# The lock on its account's row makes files of one account and region load one after another.
LOCK_SQL = """
INSERT INTO accounts (account_id, region) VALUES (CAST(:account AS text), CAST(:region AS text))
ON CONFLICT (account_id, region) DO UPDATE SET csp = accounts.csp WHERE false RETURNING id"""

DOCUMENT_SQL = """
INSERT INTO documents (account_id, bucket, key, etag, size_bytes, last_modified, format, sender,
                       interval, period_start, period_end, collected_at, day_order, time_order)
SELECT a.id, r.bucket, r.key, r.etag, r.size_bytes, r.last_modified, r.format, r.sender,
       r.interval, r.period_start, r.period_end, r.collected_at, r.day_order, r.time_order
FROM jsonb_to_record(CAST(:document AS jsonb)) AS r(
    account text, region text, bucket text, key text, etag text, size_bytes bigint,
    last_modified timestamptz, format integer, sender text, interval text, period_start date,
    period_end date, collected_at timestamptz, day_order text, time_order text)
JOIN accounts a ON a.account_id = r.account AND a.region = r.region
ON CONFLICT (account_id, bucket, key, etag) DO UPDATE SET size_bytes = excluded.size_bytes
RETURNING id"""


def accounts_sql(shape: Shape, complete: bool) -> str:
    """Give the account's row what this document knows of it.

    A document whose account category passed beats any that did not; of two alike, the newer. As
    one that did not pass is in no listing, the row remembers the newest of them, also unchanged.
    """
    data, order = shape.data, shape.table.order
    differs = f"({names(data, 'o.')}) IS DISTINCT FROM ({names(data, 'r.')})"
    listing = """SELECT FROM listings l WHERE l.account_id = this.account_id
        AND l.table_name = 'accounts' AND l.scope = ''"""
    if complete:
        decides = f"NOT EXISTS ({listing} AND l.sort_key > this.sort_key) AND {differs}"
    else:
        decides = f"""NOT EXISTS ({listing}) AND this.sort_key >
        (SELECT d.{order} FROM documents d WHERE d.id = o.document_id)"""
    listed = f", scopes AS (SELECT '' AS covering), {listed_cte(shape.table)}" if complete else ""
    return f"""WITH {this_cte(shape.table)},
written AS (
    UPDATE accounts t SET {", ".join(f'"{c}" = r."{c}"' for c in data)},
           document_id = this.id, updated_at = CASE WHEN {differs} THEN now() ELSE o.updated_at END
    FROM this CROSS JOIN {rows_of(shape.fields)} r JOIN accounts o ON o.id = this.account_id
    WHERE t.id = o.id AND (o.document_id IS NULL OR ({decides}))
    RETURNING {differs} AS changed){listed}
SELECT {NONE}, count(*) FILTER (WHERE changed), {NONE} FROM written"""


def said_sql(shape: Shape) -> str:
    """What a document says of a report beside its costs; one that says nothing takes nothing away.

    Savings are about their own document's day, anomalies may not have been readable.
    """
    columns, by = SAID[shape.table.name], SAID_BY[shape.table.name]
    return f"""WITH {this_cte(TABLES["cost_reports"])},
said AS (
    UPDATE cost_reports t
    SET {", ".join(f"{c} = r.{c}" for c in columns)}, {by} = this.id
    FROM this CROSS JOIN {rows_of(shape.fields)} r JOIN cost_reports o
      ON o.period_start = r.period_start AND o.period_granularity = r.period_granularity
    WHERE o.account_id = this.account_id AND t.id = o.id
      AND coalesce((SELECT d.time_order FROM documents d WHERE d.id = o.{by}), '') < this.sort_key
    RETURNING t.document_id <> this.id
              AND ({names(columns, "o.")}) IS DISTINCT FROM ({names(columns, "r.")}) AS changed)
SELECT {NONE}, count(*) FILTER (WHERE changed), {NONE} FROM said"""


def products_sql(shape: Shape) -> str:
    """Make the products that have none yet.

    Names differ in case only: the one that sorts first is shown, whatever the order of loading.
    """
    return f"""WITH named AS (
    SELECT DISTINCT ON (lower(r.name)) r.name
    FROM {rows_of(shape.fields)} r
    ORDER BY lower(r.name), r.name COLLATE "C"),
written AS (
    INSERT INTO products (name) SELECT n.name FROM named n
    WHERE NOT EXISTS (SELECT FROM products p WHERE lower(p.name) = lower(n.name)
                      AND p.name COLLATE "C" <= n.name COLLATE "C")
    ON CONFLICT (lower(name)) DO UPDATE SET name = excluded.name, updated_at = now()
    WHERE excluded.name COLLATE "C" < products.name COLLATE "C"
    RETURNING xmax = 0 AS created)
SELECT count(*) FILTER (WHERE created), count(*) FILTER (WHERE NOT created), {NONE}
FROM written"""


def security_sql(shape: Shape) -> str:
    """Make the rows that findings hang on; their counts come last."""
    return f"""WITH created AS (
    INSERT INTO security (account_id, service, document_id)
    SELECT DISTINCT d.account_id, r.service, d.id
    FROM documents d CROSS JOIN {rows_of(shape.fields)} r
    WHERE d.id = $1
      AND NOT EXISTS (SELECT FROM security s
                      WHERE s.account_id = d.account_id AND s.service = r.service)
    ON CONFLICT (account_id, service) DO NOTHING RETURNING id)
SELECT count(*), {NONE}, {NONE} FROM created"""


RECOUNT_AND_FINISH_SQL = """
WITH counted AS (
    SELECT s.id, count(f.id) AS total_findings,
           count(*) FILTER (WHERE upper(f.severity) = 'CRITICAL') AS critical_count,
           count(*) FILTER (WHERE upper(f.severity) = 'HIGH') AS high_count,
           count(*) FILTER (WHERE upper(f.severity) = 'MEDIUM') AS medium_count,
           count(*) FILTER (WHERE upper(f.severity) = 'LOW') AS low_count,
           count(*) FILTER (WHERE upper(f.severity) = 'INFORMATIONAL') AS informational_count,
           count(*) FILTER (WHERE f.id IS NOT NULL AND f.status IS DISTINCT FROM 'SUPPRESSED'
               AND NOT (coalesce(f.status, '') = 'RESOLVED'
                        OR coalesce(f.record_state, '') = 'ARCHIVED')) AS open_findings,
           count(*) FILTER (WHERE f.status = 'RESOLVED' OR f.record_state = 'ARCHIVED')
               AS resolved_findings
    FROM security s
    JOIN documents d ON d.id = CAST(:document AS integer) AND s.account_id = d.account_id
    LEFT JOIN findings f ON f.security_id = s.id
    GROUP BY s.id),
changed AS (
    UPDATE security s
    SET total_findings = c.total_findings, critical_count = c.critical_count,
        high_count = c.high_count, medium_count = c.medium_count, low_count = c.low_count,
        informational_count = c.informational_count, open_findings = c.open_findings,
        resolved_findings = c.resolved_findings, updated_at = now(),
        document_id = CAST(:document AS integer)
    FROM counted c
    WHERE c.id = s.id
      AND (s.total_findings, s.critical_count, s.high_count, s.medium_count, s.low_count,
           s.informational_count, s.open_findings, s.resolved_findings)
          IS DISTINCT FROM
          (c.total_findings, c.critical_count, c.high_count, c.medium_count, c.low_count,
           c.informational_count, c.open_findings, c.resolved_findings)
    RETURNING s.xmin)
UPDATE documents SET loaded_at = now(), loaded_by = CAST(:receiver AS text),
    counters = CAST(:counters AS jsonb)
WHERE id = CAST(:document AS integer)
RETURNING (SELECT count(*) FROM changed)"""

LOADED_SQL = """
SELECT CAST(d.counters AS text) FROM documents d JOIN accounts a ON a.id = d.account_id
WHERE a.account_id = CAST(:account AS text) AND a.region = CAST(:region AS text)
  AND d.bucket = CAST(:bucket AS text) AND d.key = CAST(:key AS text)
  AND d.etag = CAST(:etag AS text) AND d.loaded_by = CAST(:receiver AS text)"""

FINISH_SQL = """
UPDATE documents SET loaded_at = now(), loaded_by = CAST(:receiver AS text),
    counters = CAST(:counters AS jsonb)
WHERE id = CAST(:document AS integer)"""


# ── The document, parsed as it arrives ──────────────────────────────────────────────────────────


@dataclass(slots=True)
class Part:
    """One piece of a document: a row of a list, an object, or (`opened`) that the list is there."""

    path: str  # of the list or object, such as security.kms
    where: str  # the same with positions, for people: security.kms[12]
    value: Any
    context: Mapping[str, Any]  # what the enclosing object has said so far
    category: str
    size: int = 0  # of a row: characters of its text
    opened: bool = False


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members; refuses a name that occurs twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise Refused(f"not usable JSON: an object has the member {twice[:60]!r} twice")
    return members


def no_constant(name: str) -> NoReturn:
    raise Refused(f"not JSON: {name} is not a JSON number")


OBJECTS = frozenset({"meta", "account"})  # always one object, never a list of rows


class DocumentReader:
    """Parse one JSON object from chunks of bytes, holding no more than a chunk and a value.

    Lists named in `rows` are taken apart, so that memory does not grow with them; everything
    else is one value. json's own decoder does the parsing (ijson would take four times as long).
    Raises Refused for what is not JSON in UTF-8.
    """

    def __init__(self, chunks: Iterator[bytes], rows: Iterable[str]) -> None:
        self.chunks = chunks
        self.rows = frozenset(rows)
        self.holders = {
            row.rsplit(".", depth)[0] for row in self.rows for depth in range(1, row.count(".") + 1)
        }
        self.utf8 = codecs.getincrementaldecoder("utf-8")("strict")
        self.json = json.JSONDecoder(
            parse_float=Number, parse_constant=no_constant, object_pairs_hook=unique
        )
        self.text, self.position, self.consumed, self.ended = "", 0, 0, False
        self.told = 0
        self.present: set[str] = set()

    def parts(self) -> Iterator[Part]:
        """Yield the document's parts in its own order; the last is the object itself (path '')."""
        if self.peek() != "{":
            raise Refused(self.not_an_object())
        yield from self.read_object("", "", {})
        if self.peek():
            raise Refused(f"not JSON: more text after the document, at {self.place()}")

    def read_more_than(self, characters: int) -> bool:
        """Whether so many were read since this last was so."""
        here = self.consumed + self.position
        if here - self.told <= characters:
            return False
        self.told = here
        return True

    def not_an_object(self) -> str:
        first = self.peek()
        if not first:
            return "the object is empty"
        if first == "\ufeff":
            return "not JSON: the object begins with a byte order mark"
        return "not a document: it must be one JSON object"

    def place(self) -> str:
        return f"character {self.consumed + self.position}"

    def fill(self) -> bool:
        """Append the next chunk; False at the end of the object."""
        if self.ended:
            return False
        chunk = next(self.chunks, None)
        self.ended = chunk is None
        try:
            more = self.utf8.decode(chunk or b"", final=self.ended)
        except UnicodeDecodeError as error:
            raise Refused(f"not UTF-8 text, near {self.place()}: {error.reason}") from None
        self.consumed += self.position
        self.text, self.position = self.text[self.position :] + more, 0
        return True

    def peek(self) -> str:
        """The next character that is not white space, or '' at the end."""
        while True:
            while self.position < len(self.text) and self.text[self.position] in " \t\r\n":
                self.position += 1
            if self.position < len(self.text):
                return self.text[self.position]
            if not self.fill():
                return ""

    def expect(self, character: str) -> None:
        found = self.peek()
        if found != character:
            raise Refused(f"not JSON: {character!r} expected at {self.place()}" + cut_off(found))
        self.position += 1

    def value(self) -> Any:
        """Decode the next value, reading on while it is not complete."""
        self.peek()
        while True:
            try:
                value, end = self.json.raw_decode(self.text, self.position)
            except json.JSONDecodeError as error:
                if not self.read_on():
                    raise Refused(f"not JSON: {error.msg} in the value at {self.place()}") from None
            except RecursionError:
                raise Refused(f"nested too deeply, in the value at {self.place()}") from None
            except ValueError:
                raise Refused(f"a number of over 4,000 digits, near {self.place()}") from None
            else:
                if len(self.text) - end > 2 or not self.fill():  # 12 may go on as 12.5 or 12e+3
                    self.position = end
                    return value

    def read_on(self) -> bool:
        """At least double what is there of an incomplete value, within VALUE_CHARACTERS."""
        had = len(self.text) - self.position
        while len(self.text) - self.position < 2 * had + 1:
            if not self.fill():
                return len(self.text) - self.position > had
            if len(self.text) - self.position > VALUE_CHARACTERS:
                raise Refused(f"a value of over {VALUE_CHARACTERS // MIB} MiB, at {self.place()}")
        return True

    def read_object(self, path: str, where: str, context: dict[str, Any]) -> Iterator[Part]:
        """Walk an object's members; those that hold no rows go into `context`."""
        self.expect("{")
        seen: set[str] = set()
        while self.peek() != "}":
            if seen:
                self.expect(",")
            name = self.value() if self.peek() == '"' else None
            if not isinstance(name, str) or isinstance(name, Number):
                raise Refused(f"not JSON: a member's name expected at {self.place()}")
            if name in seen:
                raise Refused(f"not usable JSON: {where or 'the document'} has {name[:60]!r} twice")
            seen.add(name)
            self.expect(":")
            child = f"{path}.{name}" if path else name
            if not path and self.peek() != "n":  # null says nothing
                self.present.add(name)
            if child in self.rows or child in self.holders:
                yield from self.walk(child, f"{where}.{name}" if where else name, context)
            elif path:
                context[name] = self.value()
            else:
                self.value()  # a category of others: nothing here is for us
        self.position += 1
        yield Part(path, where, context, context, category_of(path))

    def walk(self, path: str, where: str, context: Mapping[str, Any]) -> Iterator[Part]:
        first = self.peek()
        if first == "{" and path in self.holders:
            yield from self.read_object(path, where, {})
        elif first == "[" and path in self.rows - OBJECTS:
            yield Part(path, where, None, context, category_of(path), opened=True)
            yield from self.elements(path, where, context)
        else:
            value = self.value()
            if value is not None:
                yield Part(path, where, value, context, category_of(path), MIB)

    def elements(self, path: str, where: str, context: Mapping[str, Any]) -> Iterator[Part]:
        self.expect("[")
        position, category = 0, category_of(path)
        while self.peek() != "]":
            if position:
                self.expect(",")
            if path in self.holders and self.peek() == "{":
                yield from self.read_object(path, f"{where}[{position}]", {})
            else:
                begin = self.consumed + self.position
                value = self.value()
                size = self.consumed + self.position - begin
                yield Part(path, f"{where}[{position}]", value, context, category, size)
            position += 1
        self.position += 1


def category_of(path: str) -> str:
    return path.partition(".")[0]


def cut_off(found: str) -> str:
    return "" if found else ", where the text ends: it is cut off"


# ── Loaders: parts of a category → rows of tables ───────────────────────────────────────────────


@dataclass(slots=True)
class Row:
    """A row for a table, still with the document's values."""

    table: str
    where: str
    values: Any  # an object by field; what is none is refused when it is taken
    size: int = MIB  # characters of its text, about


@dataclass(slots=True)
class Covers:
    """The document states the whole of a table, or of the scope that these values name."""

    table: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Over:
    """No row of a table follows: those that come after it need not wait for the whole category."""

    table: str


Loaded = Iterator[Row | Covers | Over]
Parts = Iterable[Part]


def straight(parts: Parts, tables: Mapping[str, str]) -> Loaded:
    """Rows whose fields are named as their table's columns, one list after another."""
    before = ""
    for part in parts:
        if part.opened:
            if before:
                yield Over(before)
            before = tables[part.path]
            yield Covers(before)
        elif part.path in tables:
            yield Row(tables[part.path], part.where, part.value, part.size)


# The first two are the S3 key's to say; the others have tables of their own.
ACCOUNT_ELSEWHERE = {"account_id", "region", "product", "contact_info", "alternate_contacts"}
ALTERNATE_NAMES = {"full_name": "name", "phone_number": "phone"}


def load_account_data(parts: Parts) -> Loaded:
    """accounts, contact_info, alternate_contacts, and product_accounts by product name."""
    for part in parts:
        account = part.value
        own = {k: v for k, v in account.items() if k not in ACCOUNT_ELSEWHERE}
        yield Row("accounts", part.where, own)
        if account.get("contact_info"):
            yield Row("contact_info", f"{part.where}.contact_info", account["contact_info"])
        if "contact_info" in account:
            yield Covers("contact_info")
        if account.get("alternate_contacts") is not None:
            yield Covers("alternate_contacts")
            contacts = account["alternate_contacts"]
            yield from alternate_contacts(contacts, f"{part.where}.alternate_contacts")
        if "product" in account:
            yield Covers("product_accounts")
            for name in product_names(account["product"]):
                yield Row("product_accounts", f"{part.where}.product", name)


def alternate_contacts(contacts: Any, where: str) -> Loaded:
    if not isinstance(contacts, dict):
        yield Row("alternate_contacts", where, contacts)
        return
    for kind, contact in contacts.items():
        if isinstance(contact, dict):
            renamed = {ours: contact.get(theirs) for ours, theirs in ALTERNATE_NAMES.items()}
            rest = {k: v for k, v in contact.items() if k not in ALTERNATE_NAMES.values()}
            contact = contact and {"contact_type": kind, **renamed, **rest}
        if contact:
            yield Row("alternate_contacts", f"{where}.{kind}", contact)


def product_names(product: Any) -> list[Any]:
    """'A, B' or ['A', 'B'] are two rows with the names; 'None' and '' name no product."""
    listed = product.split(",") if isinstance(product, str) else product
    if listed is None or not isinstance(listed, list):
        return [] if listed is None else [listed]
    named = [name.strip() if isinstance(name, str) else name for name in listed]
    real = [name for name in named if name not in ("", None) and str(name).lower() != "none"]
    return [{"name": name} if isinstance(name, str) else name for name in real]


def load_cost_data(parts: Parts) -> Loaded:
    """cost_reports with their service_costs and cost_forecasts; `cost` may be one report."""
    for part in parts:
        if part.opened:
            continue
        report = dict(part.value)
        services, forecast = report.pop("top_services", None), report.pop("forecast", None)
        key = {"region": "Global", **period_of(report.pop("period", None))}
        said = {
            table: {name: report.pop(name) for name in columns if name in report}
            for table, columns in SAID.items()
        }
        yield Row("cost_reports", part.where, {**report, **key})
        for table, values in said.items():
            if any(value is not None for value in values.values()):
                day = {name: key[name] for name in ("period_start", "period_granularity")}
                yield Row(table, part.where, {**values, **day})
        yield Covers("cost_reports", key)
        yield from cost_parts("service_costs", services, part.where + ".top_services", key)
        yield from cost_parts("cost_forecasts", forecast, part.where + ".forecast", key)


def period_of(period: Any) -> dict[str, Any]:
    period = period if isinstance(period, dict) else {}
    return {
        "period_start": period.get("start"),
        "period_end": period.get("end"),
        "period_granularity": period.get("granularity") or "DAILY",
    }


def cost_parts(table: str, listed: Any, where: str, key: Mapping[str, Any]) -> Loaded:
    """The parts of a report; None says nothing about them."""
    if listed is None:
        return
    report = {f"report_{column}": key[column] for column in REPORT_KEY}
    yield Covers(table, report)
    for position, item in enumerate(listed if isinstance(listed, list) else [listed]):
        values = dict(item) if isinstance(item, dict) else item
        if isinstance(values, dict) and table == "service_costs":
            values["service_name"] = values.pop("service", values.get("service_name"))
        elif isinstance(values, dict):
            period = period_of(values.pop("period", None))
            values |= {c: period[c] for c in ("period_start", "period_end")}
        if isinstance(values, dict):
            values |= {**report, "region": key["region"]}
        yield Row(table, f"{where}[{position}]", values)


def load_service_data(parts: Parts) -> Loaded:
    """services, one row per service, usage type and period."""
    for part in parts:
        if part.opened:
            yield Covers("services")
            continue
        row = dict(part.value)
        if isinstance(row.get("usage_types"), list):
            row["usage_types"] = ",".join(str(usage) for usage in row["usage_types"])
        yield Row("services", part.where, row, part.size)
        yield Covers("services", {"date_from": row.get("date_from")})


SECURITY_TABLES = {
    "security.guard_duty": "guard_duty_findings",
    "security.kms": "kms_keys",
    "security.waf": "waf_rules",
    "security.waf_rules": "waf_rules_detailed",
    "security.cloudtrail": "cloudtrail_logs",
    "security.secrets_manager": "secrets_manager_secrets",
    "security.certificate_manager": "certificates",
    "security.inspector": "inspector_findings",
}
SECURITY_NAMES = {
    "security.guard_duty": {"id": "finding_id", "type": "finding_type"},
    "security.waf": {"id": "waf_id"},
}


def load_security_data(parts: Parts) -> Loaded:
    """Security Hub's findings under their service, and the lists of the eight other parts."""
    hub = HubGroups()
    before: tuple[str, ...] = ()
    for part in parts:
        if part.path.startswith("security.security_hub"):
            yield from hub.rows(part)
            before = ("security", "findings")
        elif part.opened:
            yield from map(Over, before)
            before = (SECURITY_TABLES[part.path],)
            yield from map(Covers, before)
        elif part.path in SECURITY_TABLES:
            columns = SECURITY_NAMES.get(part.path, {})
            row = {columns.get(name, name): value for name, value in part.value.items()}
            yield Row(SECURITY_TABLES[part.path], part.where, row, part.size)


class HubGroups:
    """Findings of Security Hub by service, whether its name comes before them or after."""

    def __init__(self) -> None:
        self.named: set[str] = set()
        self.nameless: list[Part] = []

    def rows(self, part: Part) -> Loaded:
        if part.opened:
            return
        if part.path == "security.security_hub":
            yield from self.service(part.value.get("service"), part.where)
            late, self.nameless = self.nameless, []
            for finding in late:
                yield from self.finding(finding, part.value.get("service"))
        elif part.value.get("service") or part.context.get("service"):
            yield from self.finding(part, part.context.get("service"))
        else:
            self.nameless.append(part)

    def finding(self, part: Part, service: Any) -> Loaded:
        own = part.value.get("service") or service
        yield from self.service(own, part.where)
        yield Row("findings", part.where, {**part.value, "service": own}, part.size)

    def service(self, name: Any, where: str) -> Loaded:
        """The row of a service, once."""
        if name not in self.named if isinstance(name, str) else True:
            self.named.add(str(name))
            yield Row("security", where, {"service": name})


def load_config_data(parts: Parts) -> Loaded:
    """config_reports, and non_compliant_resources under the report that lists them."""
    held: list[Part] = []
    for part in parts:
        if part.path == "config":
            report = part.value
            if any(value is not None for value in report.values()):  # {} where it was skipped
                yield Row("config_reports", part.where, report)
                yield Covers("config_reports", {"date_from": report.get("date_from")})
            yield from (non_compliant(late, report) for late in held)
        elif part.opened:
            yield Covers("non_compliant_resources")
        elif part.context.get("date_from") is None:
            held.append(part)
        else:
            yield non_compliant(part, part.context)


def non_compliant(part: Part, report: Mapping[str, Any]) -> Row:
    row = part.value
    invoked = row.get("config_rule_invoked_time") or row.get("created_at")
    return Row(
        "non_compliant_resources",
        part.where,
        {**row, "status": "OPEN", "created_at": invoked, "date_from": report.get("date_from")},
        part.size,
    )


INVENTORY_TABLES = {
    "inventory.instances": "inventory_instances",
    "inventory.applications": "inventory_applications",
    "inventory.patches": "inventory_patches",
}


def load_inventory_data(parts: Parts) -> Loaded:
    """inventory_instances, and the applications and patches of each.

    A part of a machine that the document does not list is refused, whatever the database has:
    what a document is worth must not depend on what was loaded before it. So parts are not said
    to be over before all are known to have their machine.
    """
    listed: set[str] = set()
    named: dict[str, str] = {}
    for loaded in straight(parts, INVENTORY_TABLES):
        if isinstance(loaded, Row):
            instance = str(loaded.values.get("instance_id"))
            if loaded.table == "inventory_instances":
                listed.add(instance)
            else:
                named.setdefault(instance, loaded.where)
        if not isinstance(loaded, Over) or loaded.table == "inventory_instances":
            yield loaded
    lost = [where for instance, where in named.items() if instance not in listed]
    if lost:
        raise Refused(*(f"{w}.instance_id: no instance of this document" for w in lost))


def load_marketplace_data(parts: Parts) -> Loaded:
    """marketplace_usage."""
    for loaded in straight(parts, {"marketplace": "marketplace_usage"}):
        yield loaded
        if isinstance(loaded, Row):
            yield Covers(loaded.table, {"period_start": loaded.values.get("period_start")})


def load_ri_sp_savings_data(parts: Parts) -> Loaded:
    """ri_sp_daily_savings."""
    for loaded in straight(parts, {"ri_sp_savings": "ri_sp_daily_savings"}):
        yield loaded
        if isinstance(loaded, Row):
            yield Covers(loaded.table, {"date_to": loaded.values.get("date_to")})


def load_trusted_advisor_data(parts: Parts) -> Loaded:
    """trusted_advisor_checks."""
    return straight(parts, {"trusted_advisor": "trusted_advisor_checks"})


def load_health_data(parts: Parts) -> Loaded:
    """health_events."""
    return straight(parts, {"health": "health_events"})


def load_application_data(parts: Parts) -> Loaded:
    """application_signals."""
    return straight(parts, {"application": "application_signals"})


def load_resilience_hub_data(parts: Parts) -> Loaded:
    """resilience_hub_apps."""
    return straight(parts, {"resilience_hub": "resilience_hub_apps"})


def load_compute_optimizer_data(parts: Parts) -> Loaded:
    """compute_optimizer."""
    return straight(parts, {"compute_optimizer": "compute_optimizer"})


def load_service_resources_data(parts: Parts) -> Loaded:
    """service_resources."""
    return straight(parts, {"service_resources": "service_resources"})


def load_config_inventory_data(parts: Parts) -> Loaded:
    """config_inventory."""
    return straight(parts, {"config_inventory": "config_inventory"})


def load_support_tickets_data(parts: Parts) -> Loaded:
    """support_tickets; a list, or an object whose window its tickets take."""
    held: list[Part] = []
    for part in parts:
        if part.where == "support_tickets" and not part.opened:
            yield from (ticket(late, part.value) for late in held)
        elif part.path == "support_tickets.tickets" and not part.opened:
            held.append(part)  # the window may come after them
        elif not part.opened:
            yield ticket(part, {})


def ticket(part: Part, window: Mapping[str, Any]) -> Row:
    dates = {name: window[name] for name in ("date_from", "date_to") if name in window}
    return Row("support_tickets", part.where, {**dates, **part.value})


def load_logs_data(parts: Parts) -> Loaded:
    """logs and its log_messages, which keep their order."""
    texts: list[tuple[str, str, str]] = []
    for part in parts:
        if part.path == "logs.message" and not part.opened:
            texts += [(part.where, *text) for text in message_texts(part)]
        elif part.path == "logs":
            key = {"date_created": part.value.get("date_created")}
            yield Row("logs", part.where, part.value)
            yield Covers("logs", key)
            yield Covers("log_messages", key)
            for position, (where, kind, text) in enumerate(texts):
                message = {"position": position, "message_type": kind, "message": text}
                yield Row("log_messages", where, {**message, **key})


def message_texts(part: Part) -> list[tuple[str, str]]:
    """A message is an object of one or more `type: text`, or a text of type INFO."""
    if isinstance(part.value, str):
        return [("INFO", part.value)]
    return [(kind, as_text(text)) for kind, text in part.value.items()]


@dataclass(frozen=True)
class Loader:
    """One category of the document: its loader, where its rows are, whether it must be there."""

    category: str
    function: Callable[[Parts], Loaded]
    rows: tuple[str, ...]
    required: bool = True


LOADERS = (
    Loader("account", load_account_data, ("account",)),
    Loader("cost", load_cost_data, ("cost",)),
    Loader("service", load_service_data, ("service",)),
    Loader(
        "security",
        load_security_data,
        ("security.security_hub", "security.security_hub.findings", *SECURITY_TABLES),
    ),
    Loader("config", load_config_data, ("config.non_compliant_resources",)),
    Loader("inventory", load_inventory_data, tuple(INVENTORY_TABLES)),
    Loader("marketplace", load_marketplace_data, ("marketplace",)),
    Loader("ri_sp_savings", load_ri_sp_savings_data, ("ri_sp_savings",), False),
    Loader("trusted_advisor", load_trusted_advisor_data, ("trusted_advisor",)),
    Loader("health", load_health_data, ("health",)),
    Loader("application", load_application_data, ("application",)),
    Loader("resilience_hub", load_resilience_hub_data, ("resilience_hub",)),
    Loader("compute_optimizer", load_compute_optimizer_data, ("compute_optimizer",), False),
    Loader("service_resources", load_service_resources_data, ("service_resources",), False),
    Loader("config_inventory", load_config_inventory_data, ("config_inventory",), False),
    Loader(
        "support_tickets",
        load_support_tickets_data,
        ("support_tickets", "support_tickets.tickets"),
        False,
    ),
    Loader("logs", load_logs_data, ("logs.message",)),
)
ROW_PATHS = tuple(path for loader in LOADERS for path in loader.rows)


def validate_data_structure(present: Iterable[str]) -> list[str]:
    """What a document with these top-level attributes lacks, a line each."""
    lacking = [x.category for x in LOADERS if x.required and x.category not in set(present)]
    return [f"required attribute {category!r} is missing" for category in lacking]


# ── Spool: checked rows on their way to the database, in batches on disk ────────────────────────


def has_nul(value: Any) -> bool:
    """Whether a text within a JSON value holds a character that PostgreSQL cannot store."""
    if isinstance(value, dict):
        return any(has_nul(k) or has_nul(v) for k, v in value.items())
    if isinstance(value, list):
        return any(has_nul(v) for v in value)
    return isinstance(value, str) and "\0" in value


ENCODED_AT_ONCE = 64

# One encoder for all rows: json.dumps makes a new one for each.
encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def size_in_request(text: str) -> int:
    """Bytes that a JSON text takes in a request, where it is a string: escaped a second time."""
    if text.isascii() and "\x7f" not in text:
        return len(text) + text.count('"') + text.count("\\")
    return len(json.dumps(text))


def room_after(earlier: int) -> int:
    """Bytes of a batch or request after so many: small at first, so that loading begins early."""
    return BATCH_BYTES >> max(0, 3 - earlier)


class Casting(NamedTuple):
    """How a row's values, and those of many rows by column, are cast to a table's columns."""

    one: Mapping[str, Callable[[Any], Any]]
    many: Mapping[str, Callable[[list[Any]], list[Any]]]
    required: Sequence[str]


@lru_cache(maxsize=1024)
def casting(shape: Shape) -> Casting:
    fields = shape.fields
    return Casting(
        {name: caster(column) for name, column in fields.items()},
        {name: column_caster(column) for name, column in fields.items()},
        [name for name, column in fields.items() if column.required],
    )


@dataclass
class Batch:
    """Where rows lie in the file of their table; `size` is their bytes in a request."""

    offset: int
    length: int = 0
    rows: int = 0
    size: int = 0


class TableSpool:
    """The rows of one table: cast, encoded, and cut into batches below BATCH_BYTES.

    They lie in a temporary file once they are many, so memory is bounded by one batch. Finished
    batches may be read while rows are still added; `progress` guards what both touch.
    """

    def __init__(self, shape: Shape, progress: threading.Condition) -> None:
        self.shape = shape
        self.progress = progress
        self.finished = False  # no row follows
        self.ready = 0  # batches that no row follows
        self.fetched = 0  # of those, for `read_more`
        self.casts = casting(shape)
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=MIB // 4)  # noqa: SIM115
        self.waiting: list[Row] = []  # those that are not cast and encoded yet
        self.waiting_characters = 0
        self.unwritten = bytearray()  # what follows in the file
        self.batches: list[Batch] = []
        self.scopes: dict[str, None] = {}
        self.covered = False
        self.open_bytes = BATCH_BYTES  # of the encoded batch in the making; full: none is
        self.unknown: Counter[str] = Counter()

    @property
    def rows(self) -> int:
        return sum(batch.rows for batch in self.batches)

    def cover(self, values: Mapping[str, Any]) -> None:
        self.covered = True
        cast = {name: self.casts.one[name](value) for name, value in values.items() if value}
        if len(cast) == len(values) and values:
            self.scopes[json.dumps(cast)] = None
        if len(self.scopes) > PERIODS:
            raise Refused(f"{self.shape.table.name}: more than {PERIODS} periods in one document")

    def add(self, row: Row) -> list[str]:
        """Append a row; what is wrong with it or with those that waited for it."""
        if not isinstance(row.values, dict):
            return [f"{row.where}: must be an object, is {type(row.values).__name__}"]
        self.waiting.append(row)
        self.waiting_characters += row.size
        full = len(self.waiting) == ENCODED_AT_ONCE or self.waiting_characters > MIB // 16
        return self.settle() if full else []

    def settle(self) -> list[str]:
        """Encode the rows that wait, together if nothing is wrong with them; what is wrong."""
        waiting, self.waiting, self.waiting_characters = self.waiting, [], 0
        if not waiting:
            return []
        rows = [row.values for row in waiting]
        for names, times in Counter(map(tuple, rows)).items():
            self.unknown.update({n: times for n in names if n not in self.casts.one})
        with suppress(RecursionError, ValueError):
            text = encode(self.cast_columns(rows))
            if "\\u0000" not in text:
                self.append(text[1:-1], len(waiting))
                return []
        return [problem for row in waiting for problem in self.encode_row(row)]

    def cast_columns(self, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
        """The rows' values in the order of the fields; ValueError if anything is wrong."""
        columns = {
            name: cast([row.get(name) for row in rows]) for name, cast in self.casts.many.items()
        }
        if any(None in columns[name] for name in self.casts.required):
            raise ValueError("is missing")
        return list(zip(*columns.values(), strict=True))

    def encode_row(self, row: Row) -> list[str]:
        """Cast and encode a row by itself; what is wrong with it."""
        values, problems = self.cast(row)
        if problems:
            return problems
        try:
            text = encode([*values.values()])
            if "\\u0000" in text and has_nul([*values.values()]):
                named = [name for name, value in values.items() if has_nul(value)]
                return [f"{row.where}.{name}: holds a NUL character" for name in named]
            self.append(text, 1)
        except RecursionError:
            return [f"{row.where}: is nested too deeply"]
        except UnicodeEncodeError:
            return [f"{row.where}: a text holds half of a surrogate pair"]
        except ValueError as error:
            return [f"{row.where}: {error}"]
        return []

    def cast(self, row: Row) -> tuple[dict[str, Any], list[str]]:
        """The row's values in the order of the fields, and what is wrong with them."""
        values = {name: row.values.get(name) for name in self.casts.one}
        problems: list[str] = []
        for name, cast in self.casts.one.items():
            try:
                values[name] = None if values[name] is None else cast(values[name])
            except ValueError as error:
                problems.append(f"{row.where}.{name}: {error}")
            except RecursionError:
                problems.append(f"{row.where}.{name}: is nested too deeply")
        missing = [name for name in self.casts.required if row.values.get(name) is None]
        problems += [f"{row.where}.{name}: is missing" for name in missing]
        return values, problems

    def append(self, text: str, rows: int) -> None:
        """Add encoded rows to a batch; ValueError if they are larger than one or no UTF-8."""
        assert not self.finished, f"a row of {self.shape.table.name} after its last one"
        encoded = text.encode()
        size = size_in_request(text) + 1
        if size > BATCH_BYTES:
            raise ValueError(f"is larger than {BATCH_BYTES / MIB} MiB")
        if self.open_bytes + size > room_after(len(self.batches) - 1):
            self.flush()
            with self.progress:
                self.ready = len(self.batches)
                self.batches.append(Batch(self.file.seek(0, os.SEEK_END)))
                self.progress.notify_all()
            self.open_bytes = 0
        batch = self.batches[-1]
        self.unwritten += b"," if batch.rows else b"["
        self.unwritten += encoded
        self.open_bytes += size
        batch.rows += rows
        batch.length += 1 + len(encoded)
        batch.size += size
        if len(self.unwritten) > MIB // 16:
            self.flush()

    def flush(self) -> None:
        with self.progress:
            self.file.seek(0, os.SEEK_END)
            self.file.write(self.unwritten)
        self.unwritten.clear()

    def cut(self) -> list[str]:
        """Let the rows so far be read as they are; what is wrong with the last of them."""
        problems = self.settle()
        self.flush()
        self.ready, self.open_bytes = len(self.batches), BATCH_BYTES
        return problems

    def finish(self) -> list[str]:
        """Encode and write the last rows, if there are any more; what is wrong with them."""
        problems = self.settle()
        self.flush()
        self.finished = True
        return problems

    def read(self, batch: Batch) -> str:
        with self.progress:
            self.file.seek(batch.offset)
            return self.file.read(batch.length).decode() + "]"

    def read_more(self) -> tuple[str, int]:
        """Rows that are ready and were not read by this, as many as one has room for; how many."""
        sizes = accumulate(b.size for b in self.batches[self.fetched : self.ready])
        room = sum(1 for size in sizes if size <= BATCH_BYTES)
        fresh = self.batches[self.fetched : self.fetched + room]
        self.fetched += len(fresh)
        texts = ",".join(self.read(batch)[1:-1] for batch in fresh)
        return f"[{texts}]", sum(batch.rows for batch in fresh)


@dataclass
class Facts:
    """What a document says about itself beside its rows."""

    present: set[str] = field(default_factory=set)
    meta: Mapping[str, Any] = field(default_factory=dict)
    account: Mapping[str, Any] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)


class Unusable(Exception):
    """Something is wrong with the document; who reads it to its end knows all of it."""


class Spool:
    """All tables of one document on their way, and everything that is wrong with it."""

    def __init__(self, shapes: Iterable[Shape]) -> None:
        self.progress = threading.Condition()
        self.tables = {shape.table.name: TableSpool(shape, self.progress) for shape in shapes}
        self.facts = Facts()
        self.problems: list[str] = []
        self.problem_count = 0
        self.ended = False  # all is read, or no more will be
        self.abandoned = False  # nobody wants the rest

    def take(self, loaded: Row | Covers | Over) -> None:
        table = self.tables[loaded.table]
        if isinstance(loaded, Row):
            self.complain(table.add(loaded))
            if loaded.table in AWAITED:
                self.complain(table.cut())
        elif isinstance(loaded, Over):
            self.finish(table)
        else:
            with suppress(ValueError):  # the row with the value says what is wrong with it
                table.cover(loaded.values)

    def complain(self, problems: Sequence[str]) -> None:
        if problems:
            with self.progress:
                self.problem_count += len(problems)
                self.problems += problems[: LISTED_PROBLEMS - len(self.problems)]

    def finish(self, table: TableSpool) -> None:
        """Note that no row of a table follows."""
        self.complain(table.finish())
        with self.progress:
            self.progress.notify_all()

    def finish_category(self, category: str) -> None:
        """Note that no row of a category follows."""
        for table in self.tables.values():
            if table.shape.table.category == category:
                self.finish(table)

    def end(self) -> None:
        """Note that nothing follows at all."""
        with self.progress:
            self.ended = True
            self.progress.notify_all()

    def wait(self, ready: Callable[[], bool]) -> None:
        """Wait until something is so; raises Unusable if it cannot be any more."""
        with self.progress:
            self.progress.wait_for(lambda: self.ended or self.problems or ready())
            if self.problems or not ready():
                raise Unusable

    def large(self) -> bool:
        """Whether a table takes several batches."""
        return any(
            len(table.batches) > 1 for name, table in self.tables.items() if name not in AWAITED
        )

    def loadable(self) -> bool:
        """Whether loading may begin: all is read, or much, and what decides how it is loaded."""
        facts = self.facts
        known = facts.meta and facts.account and facts.statuses
        return self.ended or bool(known and self.large())

    def batches(self, table: TableSpool) -> Iterator[tuple[Batch, bool]]:
        """The batches of a table as they are finished, and whether it is the last one."""
        for number in count():
            self.wait(lambda n=number: table.finished or table.ready > n)  # type: ignore[misc]
            if number == len(table.batches):
                return
            yield table.batches[number], table.finished and number + 1 == len(table.batches)

    def unknown_fields(self) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for name, table in self.tables.items():
            counts.update({f"{name}.{field}": n for field, n in table.unknown.items()})
        return dict(counts)

    def close(self) -> None:
        for table in self.tables.values():
            table.file.close()


# ── One document: read it, with the loaders at work ─────────────────────────────────────────────

CHUNK_PARTS = 256


class Feed:
    """Carries the parts of one category from the reader to its loader, a bounded few ahead."""

    def __init__(self) -> None:
        self.queue: Queue[list[Part]] = Queue(maxsize=4)
        self.chunk: list[Part] = []
        self.ended = self.over = False  # as its writer and as its reader knows

    def put(self, part: Part) -> None:
        self.chunk.append(part)
        if len(self.chunk) >= CHUNK_PARTS:
            self.flush()

    def flush(self) -> None:
        if self.chunk:
            self.queue.put(self.chunk)
            self.chunk = []

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            self.flush()
            self.queue.put([])

    def __iter__(self) -> Iterator[Part]:
        while not self.over:
            chunk = self.queue.get()
            self.over = not chunk
            yield from chunk


def run_loader(loader: Loader, feed: Feed, spool: Spool) -> None:
    try:
        for loaded in loader.function(feed):
            spool.take(loaded)
    except Refused as refused:
        spool.complain(refused.reasons)
    except RecursionError:
        spool.complain([f"{loader.category}: is nested too deeply"])
    finally:
        for _ in feed:  # after a failure: keep the reader from waiting for this loader
            pass
        spool.finish_category(loader.category)


def process_file_data(chunks: Iterator[bytes], spool: Spool) -> Facts:
    """Read a document and run its loaders concurrently: the account, the categories, the logs.

    Raises Refused with everything that is wrong with the document.
    """
    reader = DocumentReader(chunks, (*ROW_PATHS, "meta"))
    feeds = {loader.category: Feed() for loader in LOADERS}
    with ThreadPoolExecutor(len(LOADERS), "loader") as pool:
        running = [pool.submit(run_loader, x, feeds[x.category], spool) for x in LOADERS]
        try:
            deal_all(reader, feeds, spool)
        except Refused as refused:
            spool.complain(refused.reasons)
        finally:
            for feed in feeds.values():
                feed.end()
        for done in running:
            done.result()
    spool.facts.present = reader.present
    if not spool.problems:
        spool.complain(validate_data_structure(reader.present))
    if spool.problems:
        more = spool.problem_count - len(spool.problems)
        raise Refused(*spool.problems, *([f"and {more} more"] if more else []))
    return spool.facts


def deal_all(reader: DocumentReader, feeds: Mapping[str, Feed], spool: Spool) -> None:
    """Deal the parts out as they are read, each category's last one at once."""
    for category, parts in groupby(reader.parts(), attrgetter("category")):
        for part in parts:
            deal(part, feeds, spool)
            if reader.read_more_than(MIB) and category in feeds:
                feeds[category].flush()
        if category in feeds:
            feeds[category].end()


def deal(part: Part, feeds: Mapping[str, Feed], spool: Spool) -> None:
    """Hand a part to its category's loader; keep what the document says about itself."""
    if spool.abandoned:
        raise Unusable
    if isinstance(part.value, dict):
        if part.path in FACTS:
            note_facts(part, spool.facts)
    elif not part.opened and not (part.path == "logs.message" and isinstance(part.value, str)):
        spool.complain([f"{part.where}: must be an object, is {type(part.value).__name__}"])
        return
    if part.category in feeds:
        feeds[part.category].put(part)


FACTS = frozenset({"meta", "account", "logs"})


def note_facts(part: Part, facts: Facts) -> None:
    if part.path == "meta":
        facts.meta = part.value
    elif part.path == "account":
        facts.account = part.value
    else:
        facts.statuses = {
            name.removesuffix("_status"): str(value)
            for name, value in part.value.items()
            if name.endswith("_status")
        }


# ── Database: the Data API, one call at a time, and what its errors mean ────────────────────────

REFUSED_STATES = ("21", "22", "23", "54")  # cardinality, data, constraints, limits
EXHAUSTED = "2200H"  # a sequence has no more ids: no document's fault
PASSING_STATES = (
    "08",
    "25006",
    "25P03",
    "40",
    "53",
    "55",
    "57",
)  # connection, rollback, resources, locks, operator
PASSING_CODES = {
    "ConditionalRequestConflict",
    "OperationAborted",
    "DatabaseResumingException",
    "DatabaseUnavailableException",
    "InternalFailure",
    "InternalServerErrorException",
    "RequestTimeout",
    "ServiceUnavailable",
    "ServiceUnavailableError",
    "SlowDown",
    "StatementTimeoutException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionNotFoundException",
}
RESUMING = "DatabaseResumingException"


class Stop:
    """The signal that asks the process to stop, if any: no more files are begun.

    It is no Event: a handler that takes a lock may wait for the very thread that it interrupts.
    """

    by: signal.Signals | None = None

    def ask(self, number: int, _frame: object) -> None:
        """The handler of SIGTERM and SIGINT."""
        self.by = signal.Signals(number)


STOP = Stop()


def wait(seconds: float) -> None:
    """Sleep, unless the process is asked to stop: then raise Transient."""
    until = time.monotonic() + seconds
    while not STOP.by and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))
    if STOP.by:
        raise Transient("stopped while waiting")


def backoff(attempt: int) -> float:
    """Seconds before try `attempt`: 1, 2, 4, 8, 8 … with jitter, so that receivers spread."""
    return min(8.0, 2.0**attempt) * random.uniform(0.7, 1.3)


def aws_meaning(error: Exception, service: str) -> Exception:
    """What an error of an AWS call means for the file: Transient, Refused, or itself."""
    from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
    from botocore.exceptions import ConnectionError as NotConnected

    # Timeouts, lost connections, endpoints that cannot be reached, bodies that break off.
    if isinstance(error, HTTPClientError | NotConnected | IncompleteReadError):
        advice = "; check REGION, network and VPC endpoint"
        more = advice if isinstance(error, NotConnected) else ""
        return Unreachable(f"no answer from {service}: {error}{more}")
    if not isinstance(error, ClientError):
        return error
    code = error.response["Error"].get("Code", "")
    message = error.response["Error"].get("Message", "")
    status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
    state = re.search(r"SQLState: (\w{5})", message)
    if state and state[1].startswith(REFUSED_STATES) and state[1] != EXHAUSTED:
        return Refused(f"the database refuses a value: {without_values(message)}")
    if code in (RESUMING, "DatabaseUnavailableException"):
        return Unreachable(f"{code}: {message[:300]}")
    passing = "still running a query" in message or code in PASSING_CODES or status >= 500
    if passing or (state and state[1].startswith(PASSING_STATES)):
        return Transient(f"{code}: {without_values(message)}")
    return error


def without_values(message: str) -> str:
    """An error of PostgreSQL without the values that it quotes after a colon."""
    return re.sub(r': "[^"]*"', "", message)[:300]


def connect(service: str, settings: Settings, attempts: int) -> Any:
    """A client of boto3; raises UsageError where boto3 is missing or finds no place to ask."""
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import NoRegionError
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is missing: pip install -r requirements.txt") from None
    client: Callable[..., Any] = boto3.client
    config = Config(
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=settings.workers + 1,
        retries={"total_max_attempts": attempts, "mode": "standard"},
    )
    try:
        return client(service, region_name=settings.region, config=config)
    except NoRegionError:
        raise not_set("region") from None
    except ValueError as error:  # an endpoint or a region that can be none
        known = "check REGION (--region), and AWS_ENDPOINT_URL if it is set"
        raise UsageError(f"{error}: {known}") from None


class Calls:
    """Counts the calls of an AWS client and tells each one, through botocore's events."""

    def __init__(self, client: Any) -> None:
        self.counts: Counter[str] = Counter()
        self.lock = threading.Lock()
        events = client.meta.events
        events.register("before-call", self.before)
        events.register("after-call", self.after)
        events.register("after-call-error", self.broke)

    def before(self, model: Any, context: dict[str, Any], **_: Any) -> None:
        name = f"{model.service_model.service_name}:{model.name}"
        context["receiver"] = (name, time.monotonic())
        with self.lock:
            self.counts[name] += 1

    def after(self, parsed: Mapping[str, Any], context: Mapping[str, Any], **_: Any) -> None:
        attempts = 1 + parsed.get("ResponseMetadata", {}).get("RetryAttempts", 0)
        self.done(context, attempts, parsed.get("Error", {}).get("Code", "ok"))

    def broke(self, exception: Exception, context: Mapping[str, Any], **_: Any) -> None:
        self.done(context, 1, type(exception).__name__)

    def done(self, context: Mapping[str, Any], attempts: int, outcome: str) -> None:
        name, started = context["receiver"]
        seconds = round(time.monotonic() - started, 4)
        facts = {"operation": name, "seconds": seconds, "attempts": attempts, "outcome": outcome}
        tell("CALL", f"{name}: {seconds} s, attempts {attempts}, {outcome}", **facts)


class DBManager:
    """The database through the RDS Data API: statements, transactions, waiting for it to wake.

    Retries are all here and in `load_file`: the SDK's own would run a statement twice.
    """

    def __init__(self, settings: Settings, deadline: float = math.inf) -> None:
        self.settings = settings
        self.client: RDSDataServiceClient = connect("rds-data", settings, attempts=1)
        self.calls = Calls(self.client)
        self.gave_up = threading.Event()
        self.deadline = deadline

    def check_time(self) -> None:
        """Raise Transient once the run's time is used up; nobody waits any longer then."""
        if time.monotonic() > self.deadline:
            self.gave_up.set()
            raise Transient("the run's time is used up")

    def call(self, operation: str, **parameters: Any) -> Any:
        """One call of the Data API, waiting out a database that is resuming.

        Nothing was run then. Whatever else may pass is waited out only outside transactions,
        where a call may be repeated. Raises Transient for what may pass, Refused for values that
        the database cannot take, botocore's ClientError for the rest.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        deadline = time.monotonic() + self.settings.patience
        target = {
            "resourceArn": self.settings.cluster_arn,
            "secretArn": self.settings.secret_arn,
        }
        for attempt in count():
            self.check_time()
            try:
                return getattr(self.client, operation)(**target, **parameters)
            except (BotoCoreError, ClientError) as error:
                meaning = aws_meaning(error, "the RDS Data API")
                alone = isinstance(meaning, Transient) and "transactionId" not in parameters
                late = self.gave_up.is_set() or time.monotonic() > deadline
                if late or not (alone or RESUMING in str(error)):
                    raise meaning from error
                tell("INFO", f"waiting for the database: {meaning}", attempt=attempt + 1)
                wait(backoff(attempt))
        raise AssertionError("count() has no end")

    def execute(
        self, sql: str, parameters: Mapping[str, str | int], transaction: str | None = None
    ) -> list[list[Any]]:
        """Run one statement and return its records as plain values."""
        more: dict[str, Any] = {"transactionId": transaction} if transaction else {}
        answer: ExecuteStatementResponseTypeDef = self.call(
            "execute_statement",
            database=self.settings.database,
            sql=sql,
            parameters=[parameter(name, value) for name, value in parameters.items()],
            **more,
        )
        return [[cell(f) for f in record] for record in answer.get("records", [])]

    @contextmanager
    def transaction(self, *, keep: bool = True) -> Iterator[str]:
        """A transaction: committed at the end if `keep`, rolled back otherwise and on errors."""
        begun = self.call("begin_transaction", database=self.settings.database)
        transaction: str = begun["transactionId"]
        committed = False
        try:
            yield transaction
            if keep:
                self.call("commit_transaction", transactionId=transaction)
                committed = True
        finally:
            if not committed:  # or perhaps it is, and only the answer was lost
                self.roll_back(transaction)

    def roll_back(self, transaction: str) -> None:
        """Free the transaction's locks now; if that fails the Data API does it after 3 minutes."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self.client.rollback_transaction(
                resourceArn=self.settings.cluster_arn,
                secretArn=self.settings.secret_arn,
                transactionId=transaction,
            )
        except (BotoCoreError, ClientError) as error:
            meaning = aws_meaning(error, "the RDS Data API")
            tell("INFO", f"rollback not confirmed: {meaning}")

    def catalogue(self, tables: Collection[str]) -> Catalogue:
        """Columns, types and keys; raises UsageError where the schema is missing or too old."""
        return read_catalogue(self.execute(CATALOGUE_SQL, {}), tables)

    def init_schema(self, statements: Iterable[str]) -> int:
        """Apply the schema, statement by statement; safe to run again."""
        return sum(1 for statement in statements if self.execute(statement, {}) is not None)


def parameter(name: str, value: str | int) -> SqlParameterTypeDef:
    if isinstance(value, int):
        return {"name": name, "value": {"longValue": value}}
    return {"name": name, "value": {"stringValue": value}}


def cell(value: Mapping[str, Any]) -> Any:
    """The Python value of a Data API field."""
    if value.get("isNull"):
        return None
    return next(iter(value.values()))


def split_statements(sql: str) -> Iterator[str]:
    """The statements of a schema file: each ends with `;` at the end of a line.

    Inside a quoted text, such as the body of DO, a `;` ends nothing.
    """
    statement = ""
    for line in sql.splitlines(keepends=True):
        if line.startswith("--") and not statement.strip():
            continue
        statement += line
        if line.rstrip().endswith(";") and statement.count("'") % 2 == 0:
            yield statement.strip().rstrip(";")
            statement = ""
    if statement.strip():
        yield statement.strip()


# ── S3: find, read and move files ───────────────────────────────────────────────────────────────

KEY = re.compile(r"(\d{12})/([a-z0-9-]{1,32})/(\d{4}-\d\d-\d\d)_([A-Z]{1,16})\.json")
PERIOD_DAYS = {"WEEKLY": 7}
LONGEST_PERIOD = timedelta(days=370)
REASON = ".reason.txt"  # appended to the key of a refused document: why it was refused


@dataclass(frozen=True)
class File:
    """An object under data/ and what its key says: the identity of the document in it."""

    key: str
    etag: str
    size: int
    last_modified: datetime
    account: str = ""  # '' where the key is not that of a document
    region: str = ""
    day: date = date.min
    interval: str = ""

    @property
    def rest(self) -> str:
        return self.key.partition("/")[2]

    @property
    def next_day(self) -> date:
        """The first day after the period that the key names."""
        if self.interval == "MONTHLY":
            return (self.day.replace(day=1) + timedelta(days=32)).replace(day=1)
        return self.day + timedelta(days=PERIOD_DAYS.get(self.interval, 1))


def file_at(key: str, etag: str, size: int, last_modified: datetime) -> File:
    """Read the identity out of a key, {prefix}/{account}/{region}/{YYYY-MM-DD}_{INTERVAL}.json."""
    plain_file = File(key, etag.strip('"'), size, last_modified)
    matched = KEY.fullmatch(plain_file.rest)
    try:
        day = date.fromisoformat(matched[3]) if matched and matched[3] < "9000" else None
    except ValueError:
        day = None
    if not matched or not day:
        return plain_file
    identity = (matched[1], matched[2], day, matched[4])
    return File(key, plain_file.etag, size, last_modified, *identity)


GONE = ("NoSuchKey", "404", "PreconditionFailed", "412")  # not there, or not the same any more
NO_BUCKET = ("NoSuchBucket", "InvalidBucketName", "Invalid bucket name")  # botocore's is the last
UPLOADED = "uploaded"  # metadata of what was refused: when it came, for the copy is younger


class S3Manager:
    """The bucket: data/ to read from, loaded/ and rejected/ to move to."""

    def __init__(self, settings: Settings) -> None:
        self.bucket = settings.bucket
        self.client: S3Client = connect("s3", settings, attempts=5)
        self.calls = Calls(self.client)
        self.encryption: dict[str, Any] = {}
        if settings.kms_key:
            self.encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": settings.kms_key}

    def list_files(self, prefix: str) -> Iterator[File]:
        """Every object under a prefix; folders' own markers are none."""
        from botocore.exceptions import BotoCoreError, ClientError

        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix
        )
        try:
            items = (item for page in pages for item in page.get("Contents", []))
            for item in items:
                if not item["Key"].endswith("/"):
                    yield file_at(item["Key"], item["ETag"], item["Size"], item["LastModified"])
        except (BotoCoreError, ClientError) as error:
            raise self.meaning(error) from error

    def meaning(self, error: Exception) -> Exception:
        """What an error of S3 means: UsageError where there is no such bucket."""
        if any(sign in str(error) for sign in NO_BUCKET):
            return UsageError(f"BUCKET (--bucket): there is no bucket {self.bucket!r}")
        return aws_meaning(error, "S3")

    def lies_under(self, place: str, rest: str) -> bool:
        """Whether a document is in loaded/ or rejected/, where it may be listed but not read."""
        first = next(self.list_files(f"{place}/{rest}"), None)
        return first is not None and first.rest == rest

    def find(self, key: str) -> File | None:
        """The object at a key as it is now."""
        head = self.expected(("404", "NoSuchKey"), "head_object", Key=key)
        if head is None:
            return None
        return file_at(key, head["ETag"], head["ContentLength"], head["LastModified"])

    def expected(self, codes: tuple[str, ...], operation: str, **parameters: Any) -> Any:
        """Call S3; None where it answers with one of `codes`."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self.client, operation)(Bucket=self.bucket, **parameters)
        except (BotoCoreError, ClientError) as error:
            if isinstance(error, ClientError) and error.response["Error"].get("Code") in codes:
                return None
            raise self.meaning(error) from error

    def open(self, file: File) -> tuple[File, Iterator[bytes]]:
        """The object and its bytes, if it still is the one that was found; raises Changed if not.

        One that was refused before is as old as it was then: its metadata tell.
        """
        answer = self.expected(GONE, "get_object", Key=file.key, IfMatch=f'"{file.etag}"')
        if answer is None:
            raise Changed(file.key)
        try:
            uploaded = datetime.fromisoformat(answer["Metadata"].get(UPLOADED, ""))
            file = replace(file, last_modified=uploaded.astimezone(UTC))
        except (ValueError, OverflowError):
            pass  # it has none, or one of somebody else's
        return file, self.chunks(answer["Body"])

    def chunks(self, body: Any) -> Iterator[bytes]:
        """The bytes of an answer as they come; raises Transient where they break off."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield from body.iter_chunks(MIB)
        except (BotoCoreError, ClientError) as error:
            raise aws_meaning(error, "S3") from error

    def copy(self, file: File, key: str, **how: Any) -> bool:
        """Copy exactly this version of an object; False where another one is in its place."""
        copied = self.expected(
            GONE,
            "copy_object",
            Key=key,
            CopySource={"Bucket": self.bucket, "Key": file.key},
            CopySourceIfMatch=f'"{file.etag}"',
            **self.encryption,
            **how,
        )
        return copied is not None

    def delete(self, file: File) -> bool:
        """Delete exactly this version of an object; False where another one is in its place."""
        deleted = self.expected(GONE, "delete_object", Key=file.key, IfMatch=f'"{file.etag}"')
        return deleted is not None

    def move(self, file: File) -> bool:
        """Move a document to loaded/; False where a newer one has taken its place."""
        return self.copy(file, f"loaded/{file.rest}") and self.delete(file)

    def reject(self, file: File, reasons: Sequence[str]) -> bool:
        """Move a document to rejected/, with the reasons in an object beside it."""
        uploaded = {UPLOADED: file.last_modified.isoformat()}
        how = {"MetadataDirective": "REPLACE", "ContentType": "application/json"}
        if not self.copy(file, f"rejected/{file.rest}", Metadata=uploaded, **how):
            return False
        self.expected(
            (),
            "put_object",
            Key=f"rejected/{file.rest}{REASON}",
            Body="".join(f"{printable(reason)}\n" for reason in reasons).encode(errors="replace"),
            ContentType="text/plain; charset=utf-8",
            **self.encryption,
        )
        return self.delete(file)

    def put_back(self) -> list[File]:
        """Copy refused documents back to data/, unless another one waits there; which they are."""
        refused = [f for f in self.list_files("rejected/") if not f.key.endswith(REASON)]
        return [file for file in refused if self.put_one_back(file)]

    def put_one_back(self, file: File) -> bool:
        waits = self.find(f"data/{file.rest}")
        if waits or not self.copy(file, f"data/{file.rest}", IfNoneMatch="*"):
            tell("INFO", f"{file.key} stays: data/{file.rest} waits, or it was refused again")
            return False
        return True

    def forget(self, file: File) -> None:
        """Delete a refused document that was loaded now, with its reasons."""
        reasons = self.find(file.key + REASON)
        if self.delete(file) and reasons:
            self.delete(reasons)


class Changed(Exception):
    """The object was replaced or taken away since it was found."""


# ── Load one file ───────────────────────────────────────────────────────────────────────────────


class Outcome(Enum):
    LOADED = "loaded"
    LOADABLE = "loadable"  # a dry run has loaded it and rolled back
    REJECTED = "rejected"
    DEFERRED = "deferred"  # may pass later; still under data/
    FAILED = "failed"  # needs somebody; still under data/
    VANISHED = "vanished"  # somebody else took it


@dataclass
class Result:
    """What became of a file. Counters are per table: CREATED, UPDATED, SKIPPED, GONE, TOTAL."""

    key: str
    outcome: Outcome
    counters: dict[str, Counter[str]] = field(default_factory=dict)
    reasons: Sequence[str] = ()
    seconds: float = 0.0

    @property
    def totals(self) -> Counter[str]:
        return sum(self.counters.values(), Counter())


def check_identity(file: File, facts: Facts) -> None:
    """The key is the identity: a body that names another account or region is refused."""
    for name, said in (("account", facts.account), ("meta", facts.meta)):
        for attribute, ours in (("account_id", file.account), ("region", file.region)):
            theirs = said.get(attribute)
            if theirs is not None and str(theirs) != ours:
                raise Refused(f"{name}.{attribute} is not the {attribute} in the key, {ours}")
    for name, status in facts.statuses.items():
        if status not in ("Pass", "Fail", "Skipped", "None"):
            raise Refused(f"logs.{name}_status is none of Pass, Fail, Skipped")
    period = facts.meta.get("period")
    start = period.get("start") if isinstance(period, dict) else None
    if start is not None and str(start)[:10] != str(file.day):
        raise Refused(f"meta.period.start is not the day in the key, {file.day}")
    if facts.meta.get("format") not in (None, 1):
        raise Refused("meta.format is not 1: written for a later receiver")


def document_row(file: File, facts: Facts, bucket: str) -> dict[str, Any]:
    """The row of `documents`, with the two orders that tell which of two documents is newer."""
    meta = facts.meta
    period: Any = meta.get("period")
    period = period if isinstance(period, dict) else {}
    try:
        collected = datetime.fromisoformat(
            as_instant(meta["collected_at"])
            if meta.get("collected_at")
            else file.last_modified.isoformat()
        ).astimezone(UTC)
        end = date.fromisoformat(as_day(period["end"])) if period.get("end") else file.next_day
        end = max(end, file.day + timedelta(days=1))
    except (TypeError, ValueError, OverflowError) as error:
        raise Refused(f"meta: collected_at or period.end {error}") from None
    if end - file.day > LONGEST_PERIOD:
        raise Refused("meta: period.end is over a year after the day in the key")
    at = collected.isoformat(timespec="microseconds")
    return {
        "account": file.account,
        "region": file.region,
        "bucket": bucket,
        "key": file.key,
        "etag": file.etag,
        "size_bytes": file.size,
        "last_modified": file.last_modified.isoformat(),
        "format": meta.get("format"),
        "sender": str(meta["sender"])[:200] if meta.get("sender") else None,
        "interval": file.interval,
        "period_start": file.day.isoformat(),
        "period_end": end.isoformat(),
        "collected_at": at,
        "day_order": f"{end} {at} {file.etag}",
        "time_order": f"{at} {end} {file.etag}",
    }


def speaks_of_now(document: Mapping[str, Any]) -> bool:
    """Whether a document was collected within a day of its period: not one of a past day."""
    collected = datetime.fromisoformat(document["collected_at"])
    end = datetime.fromisoformat(document["period_end"]).replace(tzinfo=UTC)
    return collected < end + timedelta(days=1)


OWN_DAY = {
    ("date_from",): "period_start",
    ("period_start",): "period_start",
    ("date_to",): "period_end",
}
"""What scopes that are days are for the day that a document is about."""


@dataclass
class Load:
    """One document's transaction: drains the spool's batches through it, one at a time.

    Those of a large document are drained while the rest of it is still being read.
    """

    db: DBManager
    transaction: str
    spool: Spool
    document: Mapping[str, Any]
    counters: dict[str, Counter[str]] = field(default_factory=dict)
    document_id: int = 0
    account_created: int = 0

    def run(self, reading: Future[Facts]) -> None:
        """Account and document first, then each table, the derived counts last.

        Nothing is kept unless the document turns out well to its end: raises Refused if not.
        """
        lock = {"account": self.document["account"], "region": self.document["region"]}
        self.account_created = len(self.statement(LOCK_SQL, lock))
        row = {"document": json.dumps(self.document)}
        self.document_id = self.statement(DOCUMENT_SQL, row)[0][0]
        if self.spool.large():
            self.statement(SEEN_SQL, {})
        with ThreadPoolExecutor(1, "request") as pool:
            running: list[Future[None]] = []
            for steps in in_requests(self.steps()):  # made while the one before is carried out
                for before in running:
                    before.result()
                running = [pool.submit(self.run_steps, steps)]
            for last in running:
                last.result()
        reading.result()
        self.finish()

    def run_steps(self, steps: Sequence[Step]) -> None:
        texts = "[" + ",".join(step.text for step in steps) + "]"
        answers = self.statement(RUN_SQL, {"document": self.document_id, "steps": texts})
        for step, answer in zip(steps, answers, strict=True):
            self.count(step, *answer)

    def statement(self, sql: str, parameters: Mapping[str, str | int]) -> list[list[Any]]:
        return self.db.execute(sql, parameters, self.transaction)

    def complete(self, table: Table) -> bool:
        """Whether the document may say what is missing: its category passed, and it is of now."""
        statuses = self.spool.facts.statuses
        passed = table.category == "logs" or statuses.get(table.category) == "Pass"
        return passed and (speaks_of_now(self.document) or not table.by_day)

    def steps(self) -> Iterator[Step]:
        """The statements of the document in order; a batch is read when its turn comes."""
        for name, spool in self.spool.tables.items():
            if spool.shape.table.kind is not Kind.OWNER:
                yield from self.merges(name, spool)
            elif name not in AWAITED:
                for batch, _ in self.spool.batches(spool):
                    yield self.owner(spool, spool.read(batch), batch.rows)

    def owner(self, spool: TableSpool, rows: str, count: int) -> Step:
        name = spool.shape.table.name
        return Step(name, self.owner_sql(name, spool.shape), rows, count)

    def owners(self, table: Table) -> Iterator[Step]:
        """What rows of a table hang on and has been met since this was last asked."""
        if table.parent and table.parent.table in AWAITED:
            spool = self.spool.tables[table.parent.table]
            while (more := spool.read_more())[1]:
                yield self.owner(spool, *more)

    def owner_sql(self, name: str, shape: Shape) -> str:
        if name == "accounts":
            return accounts_sql(shape, self.complete(shape.table))
        return said_sql(shape) if name in SAID else security_sql(shape)

    def merges(self, name: str, spool: TableSpool) -> Iterator[Step]:
        """A step per batch; one without rows where the document says that there are none."""
        extent = Extent.WHOLE
        for number, (batch, last) in enumerate(self.spool.batches(spool)):
            rows = spool.read(batch)
            if number or not last:
                extent = Extent.LAST if last else Extent.MORE
            if name == "product_accounts":
                yield Step("products", products_sql(spool.shape), rows, batch.rows)
            yield from self.owners(spool.shape.table)
            yield self.merge(spool, extent, rows, batch.rows)
        yield from self.owners(spool.shape.table)
        if not spool.batches and self.vouches_for(spool):
            yield self.merge(spool, extent, "[]", 0)

    def merge(self, spool: TableSpool, extent: Extent, rows: str, count: int) -> Step:
        known = extent if self.vouches_for(spool) else Extent.SOME
        sql = merge_sql(spool.shape, known)
        return Step(spool.shape.table.name, sql, rows, count, f"[{','.join(self.scopes(spool))}]")

    def vouches_for(self, spool: TableSpool) -> bool:
        """Whether the document states the whole of the table, or of periods or parents in it."""
        table = spool.shape.table
        covered = spool.covered and (self.scopes(spool) or not table.scope)
        return bool(covered) and table.kind is not Kind.EVENT and self.complete(table)

    def scopes(self, spool: TableSpool) -> list[str]:
        """The periods or parents that the document states the whole of, once all is read."""
        scope = spool.shape.table.scope
        if scope:
            self.spool.wait(lambda: spool.finished)
        listed = dict(spool.scopes)
        if spool.covered and scope in OWN_DAY:
            # Also where it has no row for its own day: then there was nothing.
            listed[json.dumps({scope[0]: self.document[OWN_DAY[scope]]})] = None
        return list(listed)

    def count(self, step: Step, created: int, updated: int, gone: int) -> None:
        table, total = step.table, counted(step.rows_count, created, updated, gone)
        if table == "accounts":
            updated = max(0, updated - self.account_created)
            total = counted(step.rows_count, self.account_created, updated)
        elif table in SAID:
            table = "cost_reports"
            more = min(updated, self.counters[table]["SKIPPED"])
            total = Counter(UPDATED=more, SKIPPED=-more)
        self.counters.setdefault(table, Counter()).update(total)

    def finish(self) -> None:
        """Recount `security` where findings were loaded; close the document's row."""
        row: dict[str, str | int] = {
            "document": self.document_id,
            "counters": json.dumps(self.counters),
            "receiver": THIS,
        }
        security = self.counters.get("security")
        if security is None:
            self.statement(FINISH_SQL, row)
            return
        changed = self.statement(RECOUNT_AND_FINISH_SQL, row)[0][0]
        updated = max(0, changed - security["CREATED"])
        self.counters["security"] = counted(security["TOTAL"], security["CREATED"], updated)


@dataclass(frozen=True)
class Step:
    """A statement of a document, with its rows and scopes as JSON texts."""

    table: str  # whose counters its counts go to
    sql: str
    rows: str
    rows_count: int
    scopes: str = "[]"

    @cached_property
    def text(self) -> str:
        return f'{{"sql":{json.dumps(self.sql)},"rows":{self.rows},"scopes":{self.scopes}}}'


def in_requests(steps: Iterable[Step]) -> Iterator[list[Step]]:
    """Steps in order, as many at once as one request has room for."""
    taken: list[Step] = []
    size = made = 0
    for step in steps:
        more = size_in_request(step.text)
        if taken and size + more > room_after(made):
            yield taken
            taken, size, made = [], 0, made + 1
        taken.append(step)
        size += more
    if taken:
        yield taken


def counted(total: int, created: int, updated: int = 0, gone: int = 0) -> Counter[str]:
    skipped = max(0, total - created - updated)
    return Counter(CREATED=created, UPDATED=updated, SKIPPED=skipped, TOTAL=total, GONE=gone)


@dataclass(frozen=True)
class Receiver:
    """Everything that loading a file needs."""

    settings: Settings
    s3: S3Manager
    db: DBManager
    catalogue: Catalogue
    dry_run: bool = False
    again: bool = False  # load also what this version has loaded before

    @cached_property
    def shapes(self) -> list[Shape]:
        return [Shape.of(table, self.catalogue) for table in TABLES.values()]

    def load_file(self, file: File) -> Result:
        """Load one file and move it; what may pass is tried again within the file's patience."""
        deadline = time.monotonic() + self.settings.patience
        for attempt in count():
            try:
                self.db.check_time()
                if not file.account:
                    raise Refused("the key is not data/<account>/<region>/<date>_<INTERVAL>.json")
                if not self.again and (known := self.loaded_before(file)):
                    return known
                file, chunks = self.s3.open(file)
                return self.try_file(file, chunks)
            except Changed:
                found = self.s3.find(file.key)
                if found is None:
                    return Result(file.key, Outcome.VANISHED)
                if time.monotonic() > deadline:
                    return Result(file.key, Outcome.DEFERRED, reasons=("replaced again and again",))
                file = found
            except Refused as refused:
                return self.refuse(file, refused)
            except Transient as transient:
                if self.db.gave_up.is_set() or STOP.by or time.monotonic() > deadline:
                    if isinstance(transient, Unreachable):
                        self.db.gave_up.set()
                    return Result(file.key, Outcome.DEFERRED, reasons=(str(transient),))
                tell("INFO", f"{file.key}: {transient}; trying again", attempt=attempt + 1)
                wait(backoff(attempt))
        raise AssertionError("count() has no end")

    def loaded_before(self, file: File) -> Result | None:
        """What becomes of an object that this version has loaded: it is moved, nothing else.

        Such objects are left where a receiver died after COMMIT, and come with messages that SQS
        delivers twice. To load one again would change no row.
        """
        identity = {"account": file.account, "region": file.region, "receiver": THIS}
        place = {"bucket": self.settings.bucket, "key": file.key, "etag": file.etag}
        found = self.db.execute(LOADED_SQL, identity | place)
        if not found:
            return None
        counters = {
            table: counted(counts.get("TOTAL", 0), 0)
            for table, counts in json.loads(found[0][0]).items()
        }
        tell("INFO", f"{file.key}: was loaded before")
        return self.settle(file, counters)

    def settle(self, file: File, counters: dict[str, Counter[str]]) -> Result:
        """Move a file that is loaded; raises Changed where a newer one has taken its place."""
        if self.dry_run:
            return Result(file.key, Outcome.LOADABLE, counters)
        if not self.s3.move(file) and self.s3.find(file.key):
            raise Changed(file.key)  # if nothing is left, somebody has moved it
        return Result(file.key, Outcome.LOADED, counters)

    def try_file(self, file: File, chunks: Iterator[bytes]) -> Result:
        """One try: read, one transaction, move. Raises Refused, Transient or Changed."""
        with closing(Spool(self.shapes)) as spool, ThreadPoolExecutor(1, "reader") as pool:
            reading = pool.submit(process_file_data, chunks, spool)
            reading.add_done_callback(lambda _: spool.end())
            try:
                load = self.load_while_reading(file, spool, reading)
            except Unusable:
                reading.result()
                raise
            finally:
                spool.abandoned = True
            for name, times in spool.unknown_fields().items():
                tell("INFO", f"{file.key}: {name} has no column, ignored {times} times")
        return self.settle(file, load.counters)

    def load_while_reading(self, file: File, spool: Spool, reading: Future[Facts]) -> Load:
        """The file's transaction, begun once enough is read; raises Unusable or Refused."""
        spool.wait(spool.loadable)
        if spool.ended:
            reading.result()
        check_identity(file, spool.facts)
        document = document_row(file, spool.facts, self.settings.bucket)
        with self.db.transaction(keep=not self.dry_run) as transaction:
            load = Load(self.db, transaction, spool, document)
            load.run(reading)
        return load

    def refuse(self, file: File, refused: Refused) -> Result:
        if not self.dry_run and not self.s3.reject(file, refused.reasons):
            tell("INFO", f"{file.key}: replaced while it was refused; the newer one is next")
        return Result(file.key, Outcome.REJECTED, reasons=refused.reasons)


# ── Load all files ──────────────────────────────────────────────────────────────────────────────


def load_safely(receiver: Receiver, file: File) -> Result:
    """The boundary of the pool: whatever happens to a file is told, and stays its own."""
    started = time.monotonic()
    try:
        result = receiver.load_file(file)
    except Transient as transient:  # stopped while waiting, or S3 does not let it be moved
        result = Result(file.key, Outcome.DEFERRED, reasons=(str(transient),))
    except Exception as error:
        log.debug("%s", file.key, exc_info=True)
        reason = f"{type(error).__name__}: {without_values(str(error))}"
        result = Result(file.key, Outcome.FAILED, reasons=(reason,))
    result.seconds = time.monotonic() - started
    report(result)
    return result


TOLD = {
    Outcome.LOADED: "SUCCESS",
    Outcome.LOADABLE: "SUCCESS",
    Outcome.REJECTED: "FAIL",
    Outcome.DEFERRED: "FAIL",
    Outcome.FAILED: "ERROR",
    Outcome.VANISHED: "INFO",
}
COUNTED = ("CREATED", "UPDATED", "SKIPPED", "GONE", "TOTAL")


def report(result: Result) -> None:
    """One line of the story per file, and its timing."""
    totals = result.totals
    facts = {"key": result.key, "outcome": result.outcome.value, **totals}
    numbers = " ".join(f"{name} {totals[name]}" for name in COUNTED)
    about = numbers if TOLD[result.outcome] == "SUCCESS" else "; ".join(result.reasons[:5])
    if len(result.reasons) > 5:
        about += f"; and {len(result.reasons) - 5} more"
    tell(TOLD[result.outcome], f"{result.outcome.value} {result.key}: {about}", **facts)
    tell("TIMING", f"{result.key}: {result.seconds:.3f} s", seconds=round(result.seconds, 3))


def load_all(receiver: Receiver, files: Iterable[File]) -> list[Result]:
    """Load files concurrently; those of one account and region in order of their day.

    Accounts come in any order, so that receivers that run at once share the work.
    """
    groups: dict[tuple[str, str], list[File]] = {}
    for file in files:
        groups.setdefault((file.account, file.region), []).append(file)
    shuffled = random.sample(list(groups.values()), len(groups))

    def load_group(group: list[File]) -> list[Result]:
        results = []
        for file in sorted(group, key=lambda f: (f.day, f.key)):
            if STOP.by:
                break
            results.append(load_safely(receiver, file))
        return results

    with ThreadPoolExecutor(receiver.settings.workers, "file") as pool:
        running: list[Future[list[Result]]] = [pool.submit(load_group, g) for g in shuffled]
        return [result for done in as_completed(running) for result in done.result()]


def summary(results: Sequence[Result], seconds: float, not_begun: int = 0) -> str:
    """Counters per table over all files, then the files by outcome."""
    tables: dict[str, Counter[str]] = {}
    for result in results:
        for name, counters in result.counters.items():
            tables[name] = tables.get(name, Counter()) + counters
    lines = [f"{'table':26}" + "".join(f"{name:>10}" for name in COUNTED)] if tables else []
    for name in sorted(tables):
        lines.append(f"{name:26}" + "".join(f"{tables[name][c]:>10}" for c in COUNTED))
    outcomes = Counter(result.outcome.value for result in results)
    outcomes += Counter({"not begun": not_begun})
    total = sum(tables.values(), Counter())
    told = ", ".join(f"{n} {outcome}" for outcome, n in sorted(outcomes.items())) or "nothing to do"
    lines.append(f"{len(results)} files ({told}), {total['TOTAL']} rows, {seconds:.1f} s")
    return "\n".join(lines)


# ── Entry points ────────────────────────────────────────────────────────────────────────────────


def start(settings: Settings, *, deadline: float = math.inf, **how: bool) -> Receiver:
    """Connect; raises UsageError where the schema is missing or too old."""
    db = DBManager(settings, deadline)
    return Receiver(settings, S3Manager(settings), db, db.catalogue(STORED), **how)


def lambda_handler(event: Mapping[str, Any] | None, context: Any) -> dict[str, Any]:
    """Load the documents that S3 tells of, by itself or through SQS or EventBridge; else sweep.

    Returns SQS's partial batch response, so that what was not loaded is delivered again. For
    other events it raises RuntimeError where something was not loaded. What is left when the
    time is nearly used up stays under data/ for the next time.
    """
    log_to(sys.stderr, as_json=True, verbose=False)
    settings, event = Settings.of({}), event or {}
    left = context.get_remaining_time_in_millis() / 1000
    deadline = time.monotonic() + max(left - RESERVE, left / 2)
    records = event.get("Records", [])
    if records and records[0].get("eventSource") == "aws:sqs":
        return load_messages(settings, records, deadline)
    if records or event.get("detail-type") == "Object Created":
        results = load_keys(settings, event_keys(event, settings.bucket), deadline)
    else:
        receiver = start(settings, deadline=deadline)
        results = load_all(receiver, list_data(receiver))
        tell_silent_accounts(receiver.db)
    if failed(results):
        raise RuntimeError(summary(results, 0.0).splitlines()[-1])
    return {"files": len(results), "rows": sum(r.totals["TOTAL"] for r in results)}


RESERVE = 90.0
"""Seconds before Lambda's own limit at which no new call is made: one may take 60."""


def load_messages(
    settings: Settings, messages: Iterable[Mapping[str, Any]], deadline: float
) -> dict[str, Any]:
    """Load what SQS messages tell of; the partial batch response names those to deliver again."""
    keys = {message["messageId"]: message_keys(message, settings.bucket) for message in messages}
    wanted = dict.fromkeys(key for named in keys.values() for key in named or ())
    results = load_keys(settings, wanted, deadline)
    again = {result.key for result in results if result.outcome not in SETTLED}
    failures = [name for name, named in keys.items() if named is None or again.intersection(named)]
    return {"batchItemFailures": [{"itemIdentifier": name} for name in failures]}


def message_keys(message: Mapping[str, Any], bucket: str) -> list[str] | None:
    """The keys that an SQS message tells of; None if it cannot be understood."""
    try:
        return event_keys(json.loads(message["body"]), bucket)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        what = f"{type(error).__name__} in message {message['messageId']}"
        tell("FAIL", f"not an event of S3: {what}", outcome=Outcome.FAILED.value)
        return None


def event_keys(event: Mapping[str, Any], bucket: str) -> list[str]:
    """The keys under data/ that an S3 notification (URL-encoded) or EventBridge's event names."""
    from urllib.parse import unquote_plus

    places = [record["s3"] for record in event.get("Records", []) if "s3" in record]
    named = [(s3["bucket"]["name"], unquote_plus(s3["object"]["key"])) for s3 in places]
    if detail := event.get("detail"):
        named.append((detail["bucket"]["name"], detail["object"]["key"]))
    return [key for place, key in named if is_ours(place, key, bucket)]


def is_ours(place: str, key: str, bucket: str) -> bool:
    """Whether an object is one to load; says why if not."""
    ours = place == bucket and key.startswith("data/")
    if not ours:
        why = "it is not under data/" if place == bucket else f"the bucket is not {bucket}"
        tell("INFO", f"s3://{place}/{key} is ignored: {why}")
    return ours


def found(s3: S3Manager, keys: Iterable[str]) -> list[File]:
    """The files at keys; one that another receiver has moved meanwhile needs nothing more."""
    return [file for key in keys if (file := s3.find(key))]


def load_keys(settings: Settings, keys: Iterable[str], deadline: float) -> list[Result]:
    """Load the files at keys; a database that pauses is woken only if there are any."""
    files = found(S3Manager(settings), keys)
    return load_all(start(settings, deadline=deadline), files) if files else []


SILENT_SQL = """
SELECT a.account_id FROM documents d JOIN accounts a ON a.id = d.account_id
GROUP BY a.account_id
HAVING max(d.last_modified) < now() - interval '2 days'
   AND max(d.last_modified) > now() - interval '30 days'
ORDER BY 1"""


def tell_silent_accounts(db: DBManager) -> None:
    """Say which accounts have sent nothing for two days; after thirty they are taken as closed."""
    silent = [record[0] for record in db.execute(SILENT_SQL, {})]
    about = f"no document for two days: {', '.join(silent) or 'none'}"
    tell("FAIL" if silent else "INFO", about, silent_accounts=len(silent))


def list_data(receiver: Receiver) -> Iterator[File]:
    return receiver.s3.list_files("data/")


SETTLED = (Outcome.LOADED, Outcome.VANISHED, Outcome.REJECTED)
"""What need not be tried again."""


def failed(results: Iterable[Result]) -> bool:
    return any(TOLD[result.outcome] not in ("SUCCESS", "INFO") for result in results)


def log_to(stream: IO[str], *, as_json: bool, verbose: bool) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(StoryFormatter(as_json))
    log.handlers[:] = [handler]
    log.setLevel(logging.DEBUG if verbose or as_json else logging.INFO)
    log.propagate = False


MOST_WORKERS = 256
"""Each has a connection to the database while it loads, and threads and a file of its own."""
LONGEST_PATIENCE = 86_400.0


def within(least: float, most: float) -> Callable[[str], float]:
    """Reads the number of a flag, of the type of the bounds; argparse tells what it raises."""
    number = type(least)

    def read(text: str) -> float:
        with suppress(ValueError):
            if least <= (value := number(text)) <= most:
                return value
        kind = "whole number" if number is int else "number"
        raise argparse.ArgumentTypeError(f"{text!r} is not a {kind} from {least:g} to {most:g}")

    return read


def parser() -> argparse.ArgumentParser:
    summary_line = "Load documents from S3 data/ into Aurora PostgreSQL through the RDS Data API."
    arguments = argparse.ArgumentParser(
        prog="receiver.py",
        usage="%(prog)s [--help] [flags]",
        description=summary_line,
        epilog="Exit codes: 0 all well, 1 something was not loaded, 2 wrong use or configuration,"
        " 128 and its number after a signal (SIGINT 130, SIGTERM 143).",
    )
    what = arguments.add_mutually_exclusive_group()
    what.add_argument("--init-schema", action="store_true", help="apply schema.sql, then exit")
    what.add_argument("--check", action="store_true", help="test access to bucket and database")
    what.add_argument(
        "--file", metavar="KEY", help="load only the object at this key, also if it was before"
    )
    what.add_argument(
        "--retry-rejected", action="store_true", help="put what was refused back, then load"
    )
    arguments.add_argument(
        "--dry-run", action="store_true", help="load in a transaction that is rolled back"
    )
    for name, (variable, meaning) in SETTINGS.items():
        arguments.add_argument(flag_of(name), metavar="…", help=f"{meaning} [{variable}]")
    arguments.add_argument(
        "--workers",
        type=within(1, MOST_WORKERS),
        metavar="N",
        help=f"files loaded at once ({Settings.workers})",
    )
    arguments.add_argument(
        "--patience",
        type=within(0.0, LONGEST_PATIENCE),
        metavar="SECONDS",
        help=f"how long a file may wait for a database that is not ready ({Settings.patience:g})",
    )
    arguments.add_argument(
        "--log-format", choices=("text", "json"), default="text", help="form of the log on stderr"
    )
    arguments.add_argument(
        "-v", "--verbose", action="store_true", help="log every AWS call, timings, tracebacks"
    )
    arguments.add_argument("--version", action="version", version=THIS)
    return arguments


def check(settings: Settings) -> int:
    """Test what a run needs, a line each; 0 where all is there."""
    s3, db = S3Manager(settings), DBManager(settings)
    tests: dict[str, Callable[[], object]] = {
        "S3: list data/": lambda: next(s3.list_files("data/"), None),
        "S3: list loaded/": lambda: next(s3.list_files("loaded/"), None),
        "RDS Data API: statement": lambda: db.execute("SELECT 1", {}),
        "RDS Data API: transaction": lambda: db.transaction(keep=False).__enter__(),
        "schema": lambda: db.catalogue(STORED),
    }
    from botocore.exceptions import BotoCoreError, ClientError

    failures = 0
    for name, test in tests.items():
        try:
            test()
            print(f"ok      {name}")
        except (BotoCoreError, ClientError, UsageError, Transient, Refused) as error:
            if STOP.by:
                raise
            failures += 1
            print(f"FAILED  {name}: {printable(str(error))}")
    return 1 if failures else 0


def init_schema(settings: Settings) -> int:
    schema = Path(__file__).with_name("schema.sql")
    if not schema.is_file():
        raise UsageError(f"schema.sql is not beside {Path(__file__).name}: copy it there")
    applied = DBManager(settings).init_schema(split_statements(schema.read_text()))
    print(f"schema applied: {applied} statements")
    return 0


def copy_back(place: str, rest: str, settings: Settings) -> str:
    """The command that brings a document back to data/."""
    places = [f"s3://{settings.bucket}/{top}/{rest}" for top in (place, "data")]
    kms = ["--sse", "aws:kms", "--sse-kms-key-id", settings.kms_key] if settings.kms_key else []
    return shlex.join(["aws", "s3", "cp", *places, *kms])


def check_key(key: str, settings: Settings) -> None:
    """Raise UsageError for a --file that is not under data/, with the way to get it there."""
    if not key.startswith("data/"):
        top, _, rest = key.partition("/")
        known = top in ("loaded", "rejected")
        advice = f"; copy it there: {copy_back(top, rest, settings)}" if known else ""
        raise UsageError(f"--file {key or repr(key)}: only what lies under data/ is loaded{advice}")


def no_object(key: str, s3: S3Manager, settings: Settings) -> UsageError:
    """That there is no object at the key of --file, and where it is instead if it was there."""
    rest = key.partition("/")[2]
    text = f"there is no object {key} in the bucket {settings.bucket}"
    for place in ("loaded", "rejected"):
        if s3.lies_under(place, rest):
            back = copy_back(place, rest, settings)
            return UsageError(f"{text}: it lies under {place}/; copy it back: {back}")
    return UsageError(text)


def stopped(by: signal.Signals, what: str) -> int:
    """Say that a signal has ended the run and what is left; returns the exit code that tells it."""
    print(f"receiver.py: stopped by {by.name}; {what}", file=sys.stderr)
    return 128 + by


def run(flags: argparse.Namespace) -> int:
    """What the command line asks for; returns the exit code."""
    settings = Settings.of(vars(flags))
    if flags.file is not None:  # if it is empty, say of a variable, all would be loaded
        check_key(flags.file, settings)
    if flags.dry_run and (flags.init_schema or flags.check or flags.retry_rejected):
        raise UsageError("--dry-run changes nothing, so it goes with loading only")
    if flags.init_schema:
        return init_schema(settings)
    if flags.check:
        return check(settings)
    started = time.monotonic()
    receiver = start(settings, dry_run=flags.dry_run, again=bool(flags.file))
    retried: list[File] = []
    if flags.retry_rejected:
        retried = receiver.s3.put_back()
        tell("INFO", f"{len(retried)} documents are back from rejected/")
    files = found(receiver.s3, [flags.file]) if flags.file else list(list_data(receiver))
    if flags.file and not files:
        raise no_object(flags.file, receiver.s3, settings)
    results = load_all(receiver, files)
    loaded = {result.key for result in results if result.outcome is Outcome.LOADED}
    for file in retried:  # only now: until it is loaded, the copy in rejected/ is the safe one
        if f"data/{file.rest}" in loaded:
            receiver.s3.forget(file)
    calls = receiver.s3.calls.counts + receiver.db.calls.counts
    said = ", ".join(f"{name} {times}" for name, times in sorted(calls.items()))
    tell("INFO", f"calls: {said}", calls=dict(calls))
    print(summary(results, time.monotonic() - started, len(files) - len(results)))
    if flags.dry_run:
        print("dry run: everything was rolled back, nothing was moved")
    if STOP.by:
        gone = sum(result.outcome in SETTLED for result in results if not flags.dry_run)
        return stopped(STOP.by, f"{len(files) - gone} files stay in data/")
    return int(failed(results))


BLAMED = {
    "HttpEndpointNotEnabledException": "cluster_arn",
    "SecretsErrorException": "secret_arn",
    "SQLState: 3D000": "database",
}


def blame(error: Exception) -> str:
    """An error of AWS, after the setting that is wrong where that is known."""
    names = (SETTINGS[name][0] for sign, name in BLAMED.items() if sign in str(error))
    text = " ".join(str(error).splitlines())
    return "".join(f"{name} is wrong: " for name in names) + printable(text)


def aws_errors() -> tuple[type[Exception], ...]:
    """What an AWS call may raise; botocore is imported only once something was raised."""
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError


def main(arguments: Sequence[str] | None = None) -> int:
    flags = parser().parse_args(arguments)
    log_to(sys.stderr, as_json=flags.log_format == "json", verbose=flags.verbose)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, STOP.ask)
    try:
        gc.freeze()  # what rows are made of has no cycles: look for those seldom
        gc.set_threshold(100_000, 50, 100)
        return run(flags)
    except UsageError as error:
        print(f"receiver.py: {printable(str(error))}", file=sys.stderr)
        return 2
    except Transient as error:
        if STOP.by:
            return stopped(STOP.by, "what is not loaded stays in data/")
        tell("FAIL", str(error))
        return 1
    except aws_errors() as error:  # such as no credentials, or a bucket that does not exist
        print(f"receiver.py: {blame(error)}", file=sys.stderr)
        return 2


def command() -> int:
    """Run as a command: what stdout does not take is told in a line."""
    try:
        try:
            return main()
        finally:
            print(end="", flush=True)  # also what --help wrote, which ends in SystemExit
    except OSError as error:
        print(
            f"receiver.py: {error.filename or 'stdout'}: {error.strerror or error}", file=sys.stderr
        )
        sys.stderr.flush()
        os._exit(1)  # the interpreter's own end would write to stdout once more


if __name__ == "__main__":
    sys.exit(command())
