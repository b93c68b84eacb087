"""What a collector declares: category, scope, past days, IAM actions."""

from __future__ import annotations

from typing import NamedTuple

from observability.collecting.scan import Collect, Scan

WORLD, REGION, ALWAYS = "global", "regional", "always"
PERIOD, EVENT, NOW = "period", "event", "now"


class Collector(NamedTuple):
    """A category of the document: who collects it, where, and what a past day means to it.

    `scope`: global data goes into the home region's document only, but who an account is does
    `always`, as each region's document has to say. `backfill`: `period` facts and
    `event`s of past days can be read, what exists `now` cannot. An `essential` one that fails is
    an ERROR, another one a FAIL. `parts` are the lists in its object; without any it is a list.
    `actions` are what IAM calls the APIs. One with a `switch` is collected only if that setting
    is on, or if --only names it.
    """

    category: str
    collect: Collect
    scope: str
    backfill: str
    essential: bool
    actions: tuple[str, ...]
    parts: tuple[str, ...] | None = None
    switch: str = ""


NOT_ASKED = "not asked for (--only)"


def why_not(scan: Scan, collector: Collector) -> str | None:
    """Why a category is not collected in this run; None if it is."""
    if scan.settings.only and collector.category not in scan.settings.only:
        return NOT_ASKED
    if collector.switch and not scan.settings.only and not getattr(scan.settings, collector.switch):
        return f"not asked for (--{collector.switch.replace('_', '-')})"
    if collector.scope == WORLD and not scan.home:
        return f"global: in the document of the home region, {scan.settings.region}"
    if collector.backfill == NOW and scan.window.backfill:
        return "AWS does not tell what was there on a past day"
    return None
