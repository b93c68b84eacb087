"""cost: rows of cost_reports, service_costs, cost_forecasts."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

from observability.database.catalogue import TableSchema
from observability.database.changes import INSERT_SQL, as_object, changed_values
from observability.database.incoming import names, rows_of
from observability.database.statement import ACCOUNT, DOCUMENT, NONE, SAME_ACCOUNT, own_order
from observability.database.tables import Kind, Parent, Table
from observability.loaders.loader import Loader
from observability.loaders.rows import Complete, Loaded, Parts, Row

# What a report says only if its sender could read it, and which column remembers who said so.
PARTIAL_UPDATES = {
    "cost_savings": ("potential_monthly_savings", "saving_opportunities_count"),
    "cost_anomalies": ("anomalies_detected",),
}
PARTIAL_UPDATED_BY = {
    "cost_savings": "savings_document_id",
    "cost_anomalies": "anomalies_document_id",
}
REPORTS = Table(
    "cost_reports",
    Kind.PERIOD,
    ("period_start", "period_granularity"),
    ours=(*chain.from_iterable(PARTIAL_UPDATES.values()), *PARTIAL_UPDATED_BY.values()),
)
REPORT_KEY = ("period_start", "period_granularity", "region")
REPORT = Parent("cost_reports", "cost_report_id", {f"report_{c}": c for c in REPORT_KEY})


def partial_update_sql(schema: TableSchema) -> str:
    """What a document says of a report beside its costs; one that says nothing takes nothing away.

    Savings are about their own document's day, anomalies may not have been readable.
    """
    columns, by = PARTIAL_UPDATES[schema.table.name], PARTIAL_UPDATED_BY[schema.table.name]
    key = as_object(REPORT_KEY, "w")
    return f"""WITH due AS (
    SELECT {names(columns, "r.")}, o.id,
           ({names(columns, "o.")}) IS DISTINCT FROM ({names(columns, "r.")}) AS differs,
           o.{by} IS NOT NULL AS was_said, d.old_values, d.new_values
    FROM {rows_of(schema.fields)} r JOIN cost_reports o
      ON o.period_start = r.period_start AND o.period_granularity = r.period_granularity
    CROSS JOIN LATERAL {changed_values(columns, "o", "r")} d
    WHERE o.account_id = {SAME_ACCOUNT}
      AND coalesce((SELECT d.time_order FROM documents d WHERE d.id = o.{by}), '')
          < {own_order(REPORTS)}),
said AS (
    UPDATE cost_reports t
    SET {", ".join(f"{c} = r.{c}" for c in columns)}, {by} = {DOCUMENT}
    FROM due r WHERE t.id = r.id
    RETURNING t.id, {names(REPORT_KEY, "t.")}, t.document_id <> {DOCUMENT} AND r.differs AS changed,
              r.was_said AND r.differs AS restated, r.old_values, r.new_values),
told AS (
    {INSERT_SQL}
    SELECT {ACCOUNT}, {DOCUMENT}, 'cost_reports', w.id, {key}, 'updated', w.old_values,
           w.new_values
    FROM said w WHERE w.restated)
SELECT count(*) - (SELECT count(DISTINCT id) FROM due), count(*) FILTER (WHERE changed), {NONE}
FROM said"""


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
            for table, columns in PARTIAL_UPDATES.items()
        }
        yield Row("cost_reports", part.where, {**report, **key})
        for table, values in said.items():
            if any(value is not None for value in values.values()):
                day = {name: key[name] for name in ("period_start", "period_granularity")}
                yield Row(table, part.where, {**values, **day})
        yield Complete("cost_reports", key)
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
    yield Complete(table, report)
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


LOADER = Loader(
    category="cost",
    function=load_cost_data,
    rows=("cost",),
    tables=(
        REPORTS,
        *(
            Table(
                name,
                Kind.OWNER,
                fields=("period_start", "period_granularity", *columns),
                stored_in="cost_reports",
            )
            for name, columns in PARTIAL_UPDATES.items()
        ),
        Table("service_costs", Kind.PART, ("cost_report_id",), REPORT),
        Table("cost_forecasts", Kind.PART, ("cost_report_id",), REPORT),
    ),
)
