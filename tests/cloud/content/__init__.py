"""What accounts hold: one module per AWS service, one function per kind of thing.

`CONTENT` maps (botocore's service name, kind) to the function that makes an account's list of
that kind for a region (the empty region: global). The functions import nothing of
`tests.cloud.accounts` at run time: they are given the account.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.cloud.accounts import Account

Make = Callable[["Account", str], list[dict[str, Any]]]

CONTENT: dict[tuple[str, str], Make] = {}


def content(service: str, kind: str) -> Callable[[Make], Make]:
    """Register the function that makes the lists of one kind."""

    def register(make: Make) -> Make:
        CONTENT[service, kind] = make
        return make

    return register


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
