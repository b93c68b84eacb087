"""The report: one HTML page about all accounts, for those who decide."""

from __future__ import annotations

import math

from observability.reading.query import open_database
from observability.reading.report.facts import Unread, read_facts
from observability.reading.report.page import write_page
from observability.settings.receiver import Settings


def import_packages() -> None:
    """Raise ModuleNotFoundError where a package of the report is missing, before any work."""
    import jinja2  # noqa: F401
    import pygal  # noqa: F401


def make_report(settings: Settings, deadline: float = math.inf) -> tuple[str, int]:
    """Read the database and write the page; also returns how many of its queries have no answer.

    ModuleNotFoundError where its packages are missing.
    """
    import_packages()
    facts = read_facts(open_database(settings, deadline))
    return write_page(facts), sum(isinstance(fact, Unread) for fact in facts.values())
