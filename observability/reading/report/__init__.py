"""The report: one HTML page about all accounts, for those who decide."""

from __future__ import annotations

from observability.reading.query import open_database
from observability.reading.report.facts import read_facts
from observability.reading.report.page import write_page
from observability.settings.receiver import Settings


def make_report(settings: Settings) -> str:
    """Read the database and write the page; ModuleNotFoundError where its packages are missing."""
    import jinja2  # noqa: F401  before the database is asked, which may have to wake up
    import pygal  # noqa: F401

    return write_page(read_facts(open_database(settings)))
