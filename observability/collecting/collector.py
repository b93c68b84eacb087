"""What a collector declares: category, scope, what a backfill reads, IAM actions, probes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from observability.aws.errors import ExpectedError
from observability.collecting.scan import Collect, Scan
from observability.rows import Row

GLOBAL, REGIONAL, ALWAYS = "global", "regional", "always"
"""Scope: in the document of the home region only, of its own region, or of every region."""

PERIOD, EVENT, NOW = "period", "event", "now"
"""What a backfill reads: facts of past days, events of past days, or nothing, as AWS tells only
what exists now.
"""


class Probe(NamedTuple):
    """A call that shows whether something may be read, with the least that AWS takes."""

    call: str
    parameters: Row | Callable[[Scan], Row] = {}  # noqa: RUF012  read only


class Part(NamedTuple):
    """A part of a category, such as a security service: its lists, and what it asks AWS for."""

    name: str
    collect: Collect
    backfill: str
    actions: tuple[str, ...]
    probes: tuple[Probe, ...]
    resources: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    named_lists: tuple[str, ...] = ()
    expected_errors: tuple[ExpectedError, ...] = ()

    @property
    def lists(self) -> tuple[str, ...]:
        """Its lists in the category's object; one of its own name unless it says otherwise."""
        return self.named_lists or (self.name,)

    @property
    def is_now(self) -> bool:
        """Whether a backfill leaves it out."""
        return self.backfill == NOW


class Collector(NamedTuple):
    """A category of the document: who collects it, where, and what a backfill means to it.

    `actions` are what IAM calls the APIs, `resources` what an action is about where IAM can tell,
    as CloudFormation writes an ARN behind its partition, and `probes` the calls of --check. One
    that is `essential` is an ERROR if it fails, another one a FAIL. `lists` are those in its
    object; without any it is a list itself. `fields` are what its object holds beside them, "" for
    those of its own. One with a `switch` is collected only if that setting is on, or if --only
    names it. `personal` are those of the actions that --no-personal-data makes needless. `parts`
    are read at once, each with a result of its own.
    `expected_errors` are answers that are no failure, or none of the whole.
    """

    category: str
    collect: Collect
    scope: str
    backfill: str
    actions: tuple[str, ...]
    probes: tuple[Probe, ...] = ()
    resources: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    essential: bool = False
    lists: tuple[str, ...] | None = None
    fields: tuple[str, ...] = ()
    switch: str = ""
    personal: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    expected_errors: tuple[ExpectedError, ...] = ()

    @property
    def all_lists(self) -> tuple[str, ...]:
        """All that may be complete in its document or not; "" is its only list, or its fields."""
        return ("",) if self.lists is None else (*self.fields, *self.lists)

    @property
    def not_in_backfill(self) -> frozenset[str]:
        """Those of its lists that a backfill does not read."""
        return frozenset(name for part in self.parts if part.is_now for name in part.lists)


NOT_ASKED = "not asked for (--only)"


def why_not(scan: Scan, collector: Collector) -> str | None:
    """Why a category is not collected in this run; None if it is."""
    if scan.settings.only and collector.category not in scan.settings.only:
        return NOT_ASKED
    if collector.category in scan.settings.skip:
        return "switched off (SKIP, ONLY)"
    if collector.switch and not scan.settings.only and not getattr(scan.settings, collector.switch):
        return f"not asked for (--{collector.switch.replace('_', '-')})"
    if collector.scope == GLOBAL and not scan.home:
        return f"global: in the document of the home region, {scan.settings.region}"
    if collector.backfill == NOW and scan.window.backfill:
        return "AWS does not tell what was there on a past day"
    return None
