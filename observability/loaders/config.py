"""config: rows of config_reports, non_compliant_resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from observability.database.tables import Kind, Parent, Table, snapshot
from observability.loaders.loader import Loader
from observability.loaders.rows import Complete, Loaded, Part, Parts, Row
from observability.loaders.vocabulary import todays


def load_config_data(parts: Parts) -> Loaded:
    """config_reports, and non_compliant_resources under the report that lists them.

    `config` is a report, or a list of reports.
    """
    waiting: list[Part] = []
    for part in parts:
        if part.path == "config" and not part.opened:
            report = part.value
            if any(value is not None for value in report.values()):  # {} where it was skipped
                yield Row("config_reports", part.where, todays("config_reports", dict(report)))
                yield Complete("config_reports", {"date_from": report.get("date_from")})
            yield from (non_compliant(late, report) for late in waiting)
            waiting = []
        elif part.opened:
            yield from [Complete("non_compliant_resources")] if part.path != "config" else []
        elif part.context.get("date_from") is None:
            waiting.append(part)
        else:
            yield non_compliant(part, part.context)


def non_compliant(part: Part, report: Mapping[str, Any]) -> Row:
    row = part.value
    invoked = row.get("config_rule_invoked_time") or row.get("created_at")
    status = "RESOLVED" if row.get("compliance_type") == "COMPLIANT" else "OPEN"
    ours = {"status": status, "created_at": invoked, "date_from": report.get("date_from")}
    fallback = {"date_from": None}  # its report has no day, so it hangs on none
    return Row("non_compliant_resources", part.where, {**row, **ours}, part.size, fallback)


LOADER = Loader(
    category="config",
    function=load_config_data,
    rows=("config", "config.non_compliant_resources"),
    tables=(
        Table("config_reports", Kind.PERIOD, ("date_from",)),
        snapshot(
            "non_compliant_resources",
            path="config.non_compliant_resources",
            parent=Parent("config_reports", "config_report_id", {"date_from": "date_from"}),
            aws_times=("created_at",),
            gone_value=("status", "RESOLVED"),
            moving=("config_rule_invoked_time", "created_at"),
        ),
    ),
)
