"""The report: one HTML page about all accounts, for those who decide."""

from __future__ import annotations

import math

from observability.reading.query import open_database
from observability.reading.report.facts import read_facts
from observability.reading.report.page import write_page
from observability.settings.receiver import Settings


def import_packages() -> None:
    """Raise ModuleNotFoundError where a package of the report is missing, before any work."""
    import jinja2  # noqa: F401
    import pygal  # noqa: F401


def make_report(settings: Settings, deadline: float = math.inf) -> str:
    """Read the database and write the page; ModuleNotFoundError where its packages are missing."""
    import_packages()
    return write_page(read_facts(open_database(settings, deadline)))
