"""The page: one HTML file with everything in it, and a policy that lets it run and load nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from observability import __version__
from observability.reading.report.costs import cost_sections, cost_tiles, currency_of
from observability.reading.report.facts import AnsweredFacts, Facts
from observability.reading.report.model import Column, Section, Tile
from observability.reading.report.operations import operations_sections, operations_tiles
from observability.reading.report.security import security_sections, security_tiles
from observability.reading.report.words import (
    UNKNOWN,
    change,
    count,
    day,
    direction,
    moment,
    money,
    things,
)

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent


def write_page(facts: Facts) -> str:
    """The report as HTML."""
    from markupsafe import Markup

    style = (FOLDER / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    known = AnsweredFacts(facts)
    delivery = known["delivery"] or {}
    return environment(currency_of(known)).get_template("report.html").render(
        style=Markup(style),
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;"
        " base-uri 'none'; form-action 'none'",
        title=f"AWS report, {day(facts['now'])}",
        day=day(facts["now"]),
        made=f"{moment(facts['now'])} UTC",
        newest=moment(delivery.get("last_document_at")),
        about=f"{things(delivery.get('accounts'), 'account')}, "
        f"{things(delivery.get('customers'), 'customer')}",
        version=__version__,
        tiles=[*tiles(facts)],
        sections=[*sections(facts)],
    )  # fmt: skip


def tiles(facts: Facts) -> Iterator[Tile]:
    """The numbers at the top; those that could not be read are unknown."""
    for tile, why in with_reasons((cost_tiles, security_tiles, operations_tiles), facts):
        lacking = replace(tile, value=UNKNOWN, detail="could not be read", mood="")
        yield lacking if why else tile


def sections(facts: Facts) -> Iterator[Section]:
    """The page from top to bottom; a section that could not be read says why, and no more."""
    for section, why in with_reasons(
        (cost_sections, security_sections, operations_sections), facts
    ):
        bare = Section(section.id, section.title, "", f"This could not be read: {why}.")
        yield bare if why else section


Part = TypeVar("Part", Tile, Section)


def with_reasons(
    makers: Iterable[Callable[[Facts], Iterator[Part]]], facts: Facts
) -> Iterator[tuple[Part, str]]:
    """Each part of the page, and why facts that it needs could not be read; '' if all could."""
    for make in makers:
        known = AnsweredFacts(facts)
        for part in make(known):
            yield part, "; ".join(sorted(known.unread))
            known.unread.clear()


def environment(currency: str) -> Environment:
    """Jinja with everything escaped that is not marked as ours: charts and the style sheet."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    made = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters["cell"] = lambda value, column: cell(value, column, currency)
    made.filters["direction"] = direction
    made.filters["drawing"] = Markup
    return made


def cell(value: Any, column: Column, currency: str) -> str:
    """The text of a cell."""
    if column.kind == "change":
        difference, previous = value
        return change(difference, previous, currency)
    if value is None:
        return UNKNOWN
    if column.kind == "money":
        return money(value, currency)
    if column.kind == "bar":
        return f"{max(Decimal(0), min(Decimal(100), Decimal(value))):.1f}"
    shown = {"count": count, "day": day, "time": moment}.get(column.kind, str)
    return shown(value)
