"""The report: one HTML page about all accounts, for those who decide."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec

from observability.errors import UsageError
from observability.reading.query import open_database
from observability.settings.receiver import Settings

PACKAGES = ("jinja2", "pygal")
"""What only the report imports; pyproject.toml has it as the extra `report`."""


def find_packages() -> None:
    """Raise UsageError where a package of the report is missing; imports none."""
    for name in PACKAGES:
        if find_spec(name) is None:
            raise missing(name)


def import_packages() -> None:
    """Import the packages of the report; UsageError where one, or what it needs, is missing."""
    for name in PACKAGES:
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            raise missing(error.name or name) from error


def missing(module: str) -> UsageError:
    """That a module is missing, and how to get it: pip also installs what a package needs."""
    return UsageError(f"{module} is missing, which the report needs: pip install jinja2 pygal")


def make_report(
    settings: Settings, deadline: float = math.inf, reach: float = math.inf
) -> tuple[str, int]:
    """Read the database and write the page; also returns how many of its queries have no answer.

    `deadline` and `reach` are those of `open_database`. UsageError where a package of the report is
    missing. They are imported while the database works; the rest of the report is imported here, as
    a run that loads has no use for it.
    """
    from observability.reading.report.facts import Unread, read_facts
    from observability.reading.report.page import write_page

    find_packages()
    with ThreadPoolExecutor(1) as pool:
        imported = pool.submit(import_packages)
        facts = read_facts(open_database(settings, deadline, reach))
        imported.result()
    return write_page(facts), sum(isinstance(fact, Unread) for fact in facts.values())
