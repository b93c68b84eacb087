"""What the test file of each category says of it, for the tests that go through all of them.

A category's test file may define, each as a mapping:

- `TRUTH`: by list of the document, what its rows must be (`tests.collectors.truth.Truth`)
- `GOLDEN`: by list whose columns are plain renames, an item of AWS's documentation and its row
- `DENIALS`: by API that is asked, what is lost when it is denied (`tests.collectors.losses.Denial`)
- `SWITCHED_OFF`: by service that may be off, what is said then (`tests.collectors.losses.Off`)
- `MADE_OF`: the functions that make rows, and the member of an answer that they make them of
- `EXAMPLES`: APIs of which botocore carries examples of AWS's, under short names
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import tests.collectors
from observability.rows import RowMapper
from tests.runs import Row

MadeOf = tuple[RowMapper, str, str, str]
"""What makes a row; the service, the operation and the member of its answer that it is made of."""


@dataclass(frozen=True)
class Golden:
    """An item as AWS documents it, what makes a row of it, and the row."""

    make: RowMapper
    item: dict[str, Any]
    row: Row


@functools.cache
def category_files() -> list[ModuleType]:
    """The test files of the categories, all but those that go through all of them."""
    package = tests.collectors
    names = (held.name for held in pkgutil.walk_packages(package.__path__, f"{package.__name__}."))
    own = [
        name
        for name in names
        if (file := name.rpartition(".")[2]).startswith("test_") and not file.startswith("test_all")
    ]
    return [importlib.import_module(name) for name in own]


@functools.cache
def stated(name: str) -> dict[str, Any]:
    """All that the test files say under a name; nothing may be said twice."""
    made: dict[str, Any] = {}
    for module in category_files():
        said = getattr(module, name, {})
        assert not made.keys() & said.keys(), (
            f"{module.__name__} repeats {made.keys() & said.keys()}"
        )
        made |= said
    return made
