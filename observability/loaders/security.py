"""security: rows of security, findings and the tables of the other security services."""

from __future__ import annotations

from typing import Any

from observability.database.catalogue import TableSchema
from observability.database.incoming import rows_of
from observability.database.statement import NONE, NOTHING_DUE
from observability.database.tables import Kind, Parent, Table, snapshot
from observability.loaders.loader import Loader
from observability.loaders.rows import (
    Chunked,
    Complete,
    EndOfTable,
    Loaded,
    Part,
    Parts,
    Row,
    Waiting,
)
from observability.loaders.vocabulary import todays


def due_services(schema: TableSchema) -> str:
    """The services of which the account has no row yet."""
    return f"""WITH due AS (
    SELECT DISTINCT d.account_id, r.service, d.id
    FROM documents d CROSS JOIN {rows_of(schema.fields)} r
    WHERE d.id = $1
      AND NOT EXISTS (SELECT FROM security s
                      WHERE s.account_id = d.account_id
                        AND key_text(s.service) = key_text(r.service)))"""


def security_unchanged_sql(schema: TableSchema) -> str:
    """Answer if each service has its row (`run_steps`)."""
    return f"{due_services(schema)}\n{NOTHING_DUE}"


def security_sql(schema: TableSchema) -> str:
    """Make the rows that findings hang on; their counts come last."""
    return f"""{due_services(schema)},
created AS (
    INSERT INTO security (account_id, service, document_id) SELECT * FROM due
    ON CONFLICT (account_id, key_text(service)) DO NOTHING RETURNING id),
written AS (SELECT (SELECT count(*) FROM created) AS n, (SELECT count(*) FROM due) AS due)
SELECT CASE WHEN n < due THEN n - due ELSE n END, {NONE}, {NONE} FROM written"""


RECOUNT_SQL = f"""
WITH counted AS (
    SELECT s.id, s.document_id, count(f.id) AS total_findings,
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
    JOIN documents d ON d.id = $1 AND s.account_id = d.account_id
    LEFT JOIN findings f ON f.security_id = s.id
    GROUP BY s.id),
due AS (
    SELECT c.* FROM counted c JOIN security s ON s.id = c.id
    WHERE (s.total_findings, s.critical_count, s.high_count, s.medium_count, s.low_count,
           s.informational_count, s.open_findings, s.resolved_findings)
          IS DISTINCT FROM
          (c.total_findings, c.critical_count, c.high_count, c.medium_count, c.low_count,
           c.informational_count, c.open_findings, c.resolved_findings)),
changed AS (
    UPDATE security s
    SET total_findings = c.total_findings, critical_count = c.critical_count,
        high_count = c.high_count, medium_count = c.medium_count, low_count = c.low_count,
        informational_count = c.informational_count, open_findings = c.open_findings,
        resolved_findings = c.resolved_findings, updated_at = now(), document_id = $1
    FROM due c WHERE c.id = s.id
    RETURNING c.document_id IS DISTINCT FROM $1 AS was_there)
SELECT least(0, (SELECT count(*) FROM changed) - (SELECT count(*) FROM due)),
       (SELECT count(*) FROM changed WHERE was_there), {NONE}"""
"""Count the findings of the account's services anew; those that the document made do not count."""

SNAPSHOTS = {
    "security.kms": "kms_keys",
    "security.waf": "waf_rules",
    "security.waf_rules": "waf_rules_detailed",
    "security.cloudtrail": "cloudtrail_logs",
    "security.secrets_manager": "secrets_manager_secrets",
    "security.certificate_manager": "certificates",
}
SECURITY_TABLES = {
    "security.guard_duty": "guard_duty_findings",
    **SNAPSHOTS,
    "security.inspector": "inspector_findings",
}
SECURITY_NAMES = {
    "security.guard_duty": {"id": "finding_id", "type": "finding_type"},
    "security.waf": {"id": "waf_id"},
}
SECURITY_DEFAULTS = {"security.waf_rules": {"scope": "REGIONAL"}}
"""What documents without meta may leave out (contract, section 2)."""


def load_security_data(parts: Parts) -> Loaded:
    """Security Hub's findings under their service, and the lists of the eight other parts."""
    groups = FindingGroups()
    before: tuple[str, ...] = ()
    for part in parts:
        if part.path.startswith("security.security_hub"):
            yield from groups.rows(part)
            before = ("security", "findings")
        elif part.opened:
            yield from map(EndOfTable, before)
            before = (SECURITY_TABLES[part.path],)
            yield from map(Complete, before)
        elif part.path in SECURITY_TABLES:
            columns = SECURITY_NAMES.get(part.path, {})
            row = {columns.get(name, name): value for name, value in part.value.items()}
            fallback = SECURITY_DEFAULTS.get(part.path, {})
            table = SECURITY_TABLES[part.path]
            yield Row(table, part.where, todays(table, row), part.size, fallback)


class FindingGroups:
    """Findings of Security Hub by service, whether its name comes before them or after."""

    def __init__(self) -> None:
        self.named: set[str] = set()
        self.nameless: list[Part] = []
        self.waiting = Waiting("security.security_hub")

    def rows(self, part: Part) -> Loaded:
        if part.opened:
            return
        if part.chunk:
            yield from self.service(part.context.get("service"), part.where)
            yield Chunked("findings", part.where, part.chunk)
        elif part.path == "security.security_hub":
            name = part.value.get("service")
            if name or not self.nameless:
                yield from self.service(name, part.where)
            late, self.nameless = self.nameless, []
            for finding in late:
                yield from self.finding(finding, name)
        elif part.context.get("service"):
            yield from self.finding(part, part.context.get("service"))
        else:
            self.waiting.add(part.size)
            self.nameless.append(part)

    def finding(self, part: Part, service: Any) -> Loaded:
        """A finding belongs to the group around it, else to its product; `service` is its own."""
        own, product = part.value.get("service") or service, part.value.get("product_name")
        yield from self.service(service, part.where, product)
        row = todays("findings", {**part.value, "service": own, "group": service})
        yield Row("findings", part.where, row, part.size, {"group": product})

    def service(self, name: Any, where: str, product: Any = None) -> Loaded:
        """The row of a service, once."""
        known = name or product
        if known not in self.named if isinstance(known, str) else True:
            self.waiting.add(len(str(known)))
            self.named.add(str(known))
            yield Row("security", where, {"service": name}, fallback={"service": product})


MOVING = {
    "cloudtrail_logs": ("latest_delivery_time", "latest_event_time"),
    "secrets_manager_secrets": ("last_accessed_date",),
}

LOADER = Loader(
    category="security",
    function=load_security_data,
    rows=("security.security_hub", "security.security_hub.findings", *SECURITY_TABLES),
    tables=(
        Table("security", Kind.OWNER, fields=("service",)),
        Table(
            "findings",
            Kind.EVENT,
            parent=Parent("security", "security_id", {"group": "service"}),
            version="updated_at",
            aws_times=("created_at", "updated_at"),
            chunked="security.security_hub.findings",
        ),
        Table(
            "guard_duty_findings",
            Kind.EVENT,
            version="updated_at",
            aws_times=("created_at", "updated_at"),
        ),
        *(
            snapshot(name, path=path, moving=MOVING.get(name, ()))
            for path, name in SNAPSHOTS.items()
        ),
        Table(
            "inspector_findings",
            Kind.EVENT,
            version="updated_at",
            aws_times=("updated_at",),
            moving=("last_observed_at",),
        ),
    ),
)
