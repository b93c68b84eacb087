"""The report: one HTML page about all accounts, for those who decide."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec

from observability.reading.query import open_database
from observability.reading.report.facts import Unread, read_facts
from observability.reading.report.page import write_page
from observability.settings.receiver import Settings

PACKAGES = ("jinja2", "pygal")


def find_packages() -> None:
    """Raise ModuleNotFoundError where a package of the report is missing; imports none."""
    for name in PACKAGES:
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def import_packages() -> None:
    """Import the packages of the report, and what these need: ModuleNotFoundError otherwise."""
    for name in PACKAGES:
        import_module(name)


def make_report(settings: Settings, deadline: float = math.inf) -> tuple[str, int]:
    """Read the database and write the page; also returns how many of its queries have no answer.

    ModuleNotFoundError where its packages are missing. They are imported while the database works.
    """
    find_packages()
    with ThreadPoolExecutor(1) as pool:
        imported = pool.submit(import_packages)
        facts = read_facts(open_database(settings, deadline))
        imported.result()
    return write_page(facts), sum(isinstance(fact, Unread) for fact in facts.values())
