"""Tables of the public sample, read as the documents that its sender would write of them.

So they are loaded as documents are, and nothing but this file knows those tables. Columns that an
older version of the sample lacks are left out by to_jsonb, tables are looked up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from observability.aws.errors import aws_errors
from observability.database.client import DBManager
from observability.errors import DatabaseFault

ROWS_AT_ONCE = 400
"""Of an answer, which may have 1 MiB; fewer where the rows are large."""

PLAIN = "to_jsonb(t) - CAST('{{id,account_id,created_at,updated_at}}' AS text[])"
OWN = "FROM {schema}.{table} t WHERE t.account_id = ANY(CAST(:ids AS integer[]))"

STRAIGHT = {
    "marketplace": "marketplace_usage",
    "trusted_advisor": "trusted_advisor_checks",
    "health": "health_events",
    "application": "application_signals",
    "resilience_hub": "resilience_hub_apps",
    "service_resources": "service_resources",
    "compute_optimizer": "compute_optimizer",
    "config_inventory": "config_inventory",
    "support_tickets": "support_tickets",
    "kms": "kms_keys",
    "waf": "waf_rules",
    "waf_rules": "waf_rules_detailed",
    "cloudtrail": "cloudtrail_logs",
    "secrets_manager": "secrets_manager_secrets",
    "certificate_manager": "certificates",
    "inspector": "inspector_findings",
    "instances": "inventory_instances",
}
"""Lists of a document whose rows are those of a table, the newest first: of repeats it is kept."""

OF_INSTANCE = f"""SELECT '' AS part, {PLAIN} || jsonb_build_object('instance_id', i.instance_id)
    AS held FROM {{schema}}.{{table}} t LEFT JOIN {{schema}}.inventory_instances i
    ON i.id = t.instance_id
WHERE t.account_id = ANY(CAST(:ids AS integer[])) ORDER BY t.id DESC"""

QUERIES: Mapping[str, tuple[str, str]] = {
    **{
        path: (table, f"SELECT '' AS part, {PLAIN} AS held {OWN} ORDER BY t.id DESC")
        for path, table in STRAIGHT.items()
    },
    # The same day in the styles of several versions: the one that was written last.
    "service": ("services", f"""SELECT '' AS part, held FROM (
        SELECT DISTINCT ON (t.service, t.date_from) t.id, {PLAIN} AS held {OWN}
        ORDER BY t.service, t.date_from, t.updated_at DESC, t.id DESC) t ORDER BY id"""),
    # In January 2026 date_from and date_to were the contract's.
    "ri_sp_savings": ("ri_sp_daily_savings", f"""SELECT '' AS part, {PLAIN} AS held {OWN}
        AND t.date_to = t.date_from + 1 ORDER BY t.id DESC"""),
    # The finding's id is in detector_id; the times are those of loading.
    "guard_duty": ("guard_duty_findings", f"""SELECT '' AS part, ({PLAIN}) - 'detector_id'
        || jsonb_build_object('finding_id', t.detector_id) AS held {OWN} ORDER BY t.id DESC"""),
    "applications": ("inventory_applications", OF_INSTANCE),
    "patches": ("inventory_patches", OF_INSTANCE),
    "cost": ("cost_reports", f"""SELECT '' AS part, {PLAIN} || jsonb_build_object(
        'period', jsonb_build_object('start', t.period_start, 'end', t.period_end,
                                     'granularity', t.period_granularity),
        'top_services', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'service', s.service_name, 'cost', s.cost) ORDER BY s.id DESC), '[]')
            FROM {{schema}}.service_costs s WHERE s.cost_report_id = t.id),
        'forecast', (SELECT coalesce(jsonb_agg(jsonb_build_object('amount', f.amount,
                'period', jsonb_build_object('start', f.period_start, 'end', f.period_end),
                'prediction_interval_lower_bound', f.prediction_interval_lower_bound,
                'prediction_interval_upper_bound', f.prediction_interval_upper_bound)
                ORDER BY f.id DESC), '[]')
            FROM {{schema}}.cost_forecasts f WHERE f.cost_report_id = t.id)) AS held {OWN}
        ORDER BY t.id DESC"""),
    "config": ("config_reports", f"""SELECT CAST(t.date_from AS text) AS part, {PLAIN} AS held
        {OWN} ORDER BY t.date_from, t.id DESC"""),
    # Listed in each day's report again: the newest of each.
    "non_compliant_resources": ("non_compliant_resources", """SELECT part, held FROM (
        SELECT DISTINCT ON (t.rule_name, t.resource_type, t.resource_id,
                            to_jsonb(t) ->> 'evaluation_mode')
               t.id, CAST(r.date_from AS text) AS part,
               to_jsonb(t) - CAST('{{id,config_report_id}}' AS text[]) AS held
        FROM {schema}.non_compliant_resources t
        JOIN {schema}.config_reports r ON r.id = t.config_report_id
        WHERE r.account_id = ANY(CAST(:ids AS integer[]))
        ORDER BY t.rule_name, t.resource_type, t.resource_id, to_jsonb(t) ->> 'evaluation_mode',
                 r.date_from DESC, t.id DESC) t ORDER BY part, id"""),
    "security_hub": ("findings", """SELECT s.service AS part,
            to_jsonb(t) - CAST('{{id,security_id}}' AS text[]) AS held
        FROM {schema}.findings t JOIN {schema}.security s ON s.id = t.security_id
        WHERE s.account_id = ANY(CAST(:ids AS integer[])) ORDER BY s.service, t.id DESC"""),
    "logs": ("logs", f"""SELECT '' AS part, {PLAIN} || jsonb_build_object('message', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                coalesce(m.message_type, 'INFO'), m.message) ORDER BY m.id), '[]')
            FROM {{schema}}.log_messages m WHERE m.log_id = t.id)) AS held {OWN}
        ORDER BY t.id"""),
}  # fmt: skip
"""By list: its table, and the rows in their order, `part` telling those that go together."""

WITHIN = {
    "security": ("guard_duty", "kms", "waf", "waf_rules", "cloudtrail", "secrets_manager",
                 "certificate_manager", "inspector"),
    "inventory": ("instances", "applications", "patches"),
}  # fmt: skip
LISTS = (
    "service", "ri_sp_savings", "cost", "marketplace", "trusted_advisor", "health", "application",
    "resilience_hub", "service_resources", "compute_optimizer", "config_inventory",
    "support_tickets", "logs",
)  # fmt: skip

ACCOUNTS_SQL = """
SELECT CAST(jsonb_build_object(
    'ids', (SELECT jsonb_agg(o.id) FROM {schema}.accounts o WHERE o.account_id = a.account_id
            AND (o.id = a.id OR (coalesce(o.region, 'Global') = 'Global' AND a.first))),
    'region', a.region, 'account', to_jsonb(a) - CAST('{{id,region,first,csp}}' AS text[]),
    'products', (SELECT jsonb_agg(DISTINCT p.name) FROM {schema}.product_accounts l
                 JOIN {schema}.products p ON p.id = l.product_id
                 WHERE l.account_id = a.id AND coalesce(p.owner, 'System') = 'System')) AS text)
FROM (SELECT x.*, row_number() OVER (PARTITION BY x.account_id
          ORDER BY coalesce(x.region, 'Global') = 'Global', x.id) = 1 AS first
      FROM {schema}.accounts x) a
WHERE a.first OR coalesce(a.region, 'Global') <> 'Global'
ORDER BY a.account_id, a.id"""
"""Each account and region; rows of the first version, which are of 'Global', go to the first."""

CONTACTS_SQL = """
SELECT CAST({row} AS text) FROM {schema}.{table} t
WHERE CAST(t.account_id AS text) = ANY(CAST(:ids AS text[])) ORDER BY t.id"""
"""In the first version account_id was the 12-digit number here."""

INVENTED = {"account_name": "Unknown", "account_email": "unknown@example.com"}
"""What the sample's receiver stores where it knows nothing."""


@dataclass(frozen=True)
class SampleAccount:
    """An account and region of the sample, with the ids of its rows in `accounts`."""

    ids: list[int]
    region: str
    facts: dict[str, Any]
    products: list[str]

    @property
    def number(self) -> str:
        return str(self.facts["account_id"])


def sample_accounts(db: DBManager, schema: str, home: str) -> list[SampleAccount]:
    """The accounts of a schema; `home` is the region of those that have none."""
    found = [json.loads(r[0]) for r in db.execute(ACCOUNTS_SQL.format(schema=schema), {})]
    return [
        SampleAccount(
            one["ids"],
            one["region"] if (one["region"] or "Global") != "Global" else home,
            one["account"],
            one["products"] or [],
        )
        for one in found
    ]


@dataclass(frozen=True)
class SampleReader:
    """Reads a schema with the sample's tables."""

    db: DBManager
    schema: str
    tables: frozenset[str]  # those that are there

    def document(self, account: SampleAccount) -> Iterator[bytes]:
        """What is there of an account, as a document without meta, piece by piece."""
        ids = "{" + ",".join(map(str, account.ids)) + "}"
        yield b'{"account":' + json.dumps(self.account(account)).encode()
        for name in LISTS:
            yield from self.member(name, ids)
        for name, parts in WITHIN.items():
            yield f',"{name}":{{"of":null'.encode()
            for part in parts:
                yield from self.member(part, ids)
            if name == "security":
                groups = groupby(self.rows("security_hub", ids), lambda row: row[0])
                yield b',"security_hub":['
                yield from between(group(service, rows) for service, rows in groups)
                yield b"]"
            yield b"}"
        yield from self.config(ids)
        yield b"}"

    def account(self, account: SampleAccount) -> dict[str, Any]:
        """What is known of an account, without what the sample's receiver invents."""
        facts = {k: None if INVENTED.get(k) == v else v for k, v in account.facts.items()}
        if facts.get("account_arn") == f"arn:aws:organizations::{account.number}:account":
            facts["account_arn"] = None
        if str(facts.get("joined_timestamp")).startswith("1970-01-01"):
            facts |= {"joined_timestamp": None, "joined_method": None}
        contacts = self.contacts("contact_info", PLAIN, account)
        kinds = f"jsonb_build_object(t.contact_type, {PLAIN})"
        alternates: dict[str, Any] = {}
        for held in self.contacts("alternate_contacts", kinds, account):
            alternates |= {
                kind: {**row, "name": row.get("full_name"), "phone": row.get("phone_number")}
                for kind, row in held.items()
            }
        return {
            **facts,
            "product": account.products,
            "contact_info": contacts[-1] if contacts else {},
            "alternate_contacts": alternates,
        }

    def contacts(self, table: str, row: str, account: SampleAccount) -> list[dict[str, Any]]:
        if table not in self.tables:
            return []
        ids = "{" + ",".join([*map(str, account.ids), account.number]) + "}"
        sql = CONTACTS_SQL.format(schema=self.schema, table=table, row=row.format())
        return [json.loads(record[0]) for record in self.db.execute(sql, {"ids": ids})]

    def member(self, name: str, ids: str) -> Iterator[bytes]:
        """A list of the document, and its name."""
        yield f',"{name}":['.encode()
        yield from between(iter([text]) for _, text in self.rows(name, ids))
        yield b"]"

    def config(self, ids: str) -> Iterator[bytes]:
        """Each report, with the resources that it was the last to list."""
        resources = groupby(self.rows("non_compliant_resources", ids), lambda row: row[0])
        waiting = next(resources, None)
        yield b',"config":['
        comma = b""
        for day, report in self.rows("config", ids):
            while waiting and waiting[0] < day:
                waiting = next(resources, None)
            yield comma + report.rstrip().removesuffix("}").encode()
            yield b',"non_compliant_resources":['
            if waiting and waiting[0] == day:
                yield from between(iter([text]) for _, text in waiting[1])
            yield b"]}"
            comma = b","
        yield b"]"

    def rows(self, name: str, ids: str) -> Iterator[tuple[str, str]]:
        """The rows of a list as JSON texts, each with its part, some hundreds per call."""
        table, query = QUERIES[name]
        if table not in self.tables:
            return
        inner = query.format(schema=self.schema, table=table)
        sql = f"""SELECT part, CAST(held AS text) FROM (
            SELECT row_number() OVER () AS place, q.* FROM ({inner}) q) p
            WHERE place > :after AND place <= :last ORDER BY place"""
        expected: tuple[type[Exception], ...] = (DatabaseFault, *aws_errors())
        after, size = 0, ROWS_AT_ONCE
        while True:
            try:
                bounds: dict[str, str | int] = {"after": after, "last": after + size}
                found = self.db.execute(sql, {"ids": ids, **bounds})
            except expected as error:
                if TOO_LARGE not in str(error):
                    raise
                if size > 1:
                    size = size // 4 or 1
                    continue
                found = [self.large_row(inner, ids, after + 1)]
            yield from ((part, text) for part, text in found)
            if len(found) < size:
                return
            after += size

    def large_row(self, query: str, ids: str, place: int) -> list[str]:
        """A row that is too large for an answer, piece by piece."""
        sql = f"""SELECT part, substr(CAST(held AS text), CAST(:first AS integer), {PIECE}) FROM (
            SELECT row_number() OVER () AS place, q.* FROM ({query}) q) p WHERE place = :place"""
        texts: list[str] = []
        while True:
            at: dict[str, str | int] = {"first": 1 + len(texts) * PIECE, "place": place}
            [(part, text)] = self.db.execute(sql, {"ids": ids, **at})
            texts.append(text)
            if len(text) < PIECE:
                return [part, "".join(texts)]


TOO_LARGE = "size limit"
"""What the Data API says of an answer of over 1 MiB, or of a row of over 64 KiB."""
PIECE = 15_000
"""Characters of a row that is larger, of which each may take four bytes."""


def between(items: Iterator[Iterator[str]]) -> Iterator[bytes]:
    """Items in pieces, with commas between them."""
    for number, pieces in enumerate(items):
        if number:
            yield b","
        for piece in pieces:
            yield piece.encode()


def group(service: str, rows: Iterator[tuple[str, str]]) -> Iterator[str]:
    """Findings of a product."""
    yield f'{{"service":{json.dumps(service)},"findings":['
    for number, (_, text) in enumerate(rows):
        yield f"{',' if number else ''}{text}"
    yield "]}"
